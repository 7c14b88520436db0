//! The log as a simulated broker: one value in memory, shared by any number of handles, driven by a seed and by virtual
//! time, with faults.
//!
//! Modelled, after what was measured on real brokers: topics, partitions, offsets; `LogAppendTime` (which may step back
//! by two seconds, as after a change of leader) and `CreateTime`; transactions as clients of V1 have them: an epoch that
//! fences, a decision that comes first and markers that reach each partition later and take offsets there, the last
//! stable offset, aborted data, offsets that are unstable while a transaction is open, the generation check of
//! offsets (and no check of who owns the partition), the transaction timeout; consumer groups with cooperative-sticky
//! assignment, static members, generations, sessions that expire, members that do not know it yet; compaction to any
//! state that is valid later; retention.
//!
//! Faults, each as likely as the seed says: a process that dies at any call, calls that fail and may be repeated,
//! commits that fail at any stage or whose answer is lost, messages stored and reported as failed, lost ticks.
//!
//! Not modelled: brokers as such (replication, elections, `acks`): what a broker has taken it keeps. Bytes on the wire.
//!
//! Invariant: the same seed and the same calls give the same answers: every choice is made by [`Rng`], and nothing here
//! has a clock or a hash map.

mod broker;
mod faults;
mod fetch;
mod flight;
mod group;
mod ingest;
mod partition;
mod rng;
#[cfg(test)]
mod tests;
mod trace;
mod txn;
mod worker;

use std::cell::RefCell;
use std::rc::Rc;

pub use faults::{Crashed, FaultRates};
pub use ingest::SimIngestLog;
pub use rng::{Chance, Rng};
pub use trace::Trace;
pub use worker::SimWorkerLog;

use super::{LogError, Topic, TopicPartition};
use crate::model::LogOffset;
use broker::Broker;

/// Who stamps the messages of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// `LogAppendTime`: the broker, by virtual time.
    Appended,
    /// `CreateTime`: the producer.
    Created,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GroupId {
    Workers,
    Ingest,
}

/// How the brokers are set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Virtual time at the beginning, milliseconds since 1970.
    pub start_ms: i64,
    /// Partitions of the log and of what follows it.
    pub partitions: u32,
    /// Partitions of all other topics.
    pub outside_partitions: u32,
    /// Who stamps the log; other topics are stamped by the broker.
    pub stamp: Stamp,
    pub session_ms: i64,
    pub transaction_timeout_ms: i64,
    /// That a decided transaction's markers lag, and how far.
    pub late_markers: Chance,
    pub marker_lag_ms_max: i64,
    /// That a group rebalances for no reason, an advance of time.
    pub rebalance: Chance,
    /// That compacted topics are cleaned, an advance of time.
    pub compaction: Chance,
}

impl Setup {
    /// Brokers that never surprise.
    #[must_use]
    pub fn quiet(start_ms: i64, partitions: u32) -> Self {
        Self {
            start_ms,
            partitions,
            outside_partitions: 2,
            stamp: Stamp::Appended,
            session_ms: 6_000,
            transaction_timeout_ms: 60_000,
            late_markers: Chance::NEVER,
            marker_lag_ms_max: 0,
            rebalance: Chance::NEVER,
            compaction: Chance::NEVER,
        }
    }

    fn partitions_of(&self, topic: Topic) -> u32 {
        if topic.follows_log() { self.partitions } else { self.outside_partitions }
    }

    fn stamp_of(&self, topic: Topic) -> Stamp {
        if topic == Topic::Log { self.stamp } else { Stamp::Appended }
    }
}

/// A message as the outside world reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub offset: LogOffset,
    pub time_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The simulated brokers; a clone is the same brokers.
#[derive(Debug, Clone)]
pub struct Sim(Rc<RefCell<Broker>>);

impl Sim {
    #[must_use]
    pub fn new(setup: Setup, seed: u64, trace: Trace) -> Self {
        Self(Rc::new(RefCell::new(Broker::new(setup, seed, trace))))
    }

    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.borrow().now_ms
    }

    /// Virtual time goes on by some milliseconds, and what was due happens.
    pub fn advance(&self, by_ms: i64) {
        self.0.borrow_mut().advance(by_ms);
    }

    /// A quiet stretch of virtual time: nothing happens in it, and sessions and transactions do not age.
    pub fn leap(&self, by_ms: i64) {
        self.0.borrow_mut().leap(by_ms);
    }

    /// A process joins the group of workers under this instance id, which is its transactional id too.
    #[must_use]
    pub fn worker(&self, instance: &str, faults: FaultRates) -> SimWorkerLog {
        SimWorkerLog::join(self.clone(), instance, faults)
    }

    /// A process joins the group of ingest.
    #[must_use]
    pub fn ingest(&self, instance: &str, faults: FaultRates) -> SimIngestLog {
        SimIngestLog::join(self.clone(), instance, faults)
    }

    /// An outside producer's message. `None` if there is no such partition.
    pub fn produce(&self, to: TopicPartition, key: Option<&[u8]>, value: &[u8]) -> Option<LogOffset> {
        let mut broker = self.0.borrow_mut();
        let at = broker.log(to).ok()?.end();
        let message = broker::plain(key.map(<[u8]>::to_vec), Some(value.to_vec()), 0);
        broker.append(to, message).then_some(LogOffset(at))
    }

    /// A message of any topic with a time of its own (a catalogue, a script).
    pub fn produce_at(&self, to: TopicPartition, value: &[u8], time_ms: i64) {
        self.0.borrow_mut().append(to, broker::plain(None, Some(value.to_vec()), time_ms));
    }

    /// All committed messages that a partition ever had, those since deleted by compaction or retention included.
    ///
    /// # Errors
    /// There is no such partition.
    pub fn history(&self, of: TopicPartition) -> Result<Vec<Read>, LogError> {
        let broker = self.0.borrow();
        let log = broker.log(of)?;
        let committed = (0..log.stable_end()).filter_map(|at| log.entry(at).map(|e| (at, e)));
        Ok(committed.filter(|(_, e)| e.is_committed()).map(|(at, e)| read(at, e)).collect())
    }

    /// The offset after the last message of a partition.
    ///
    /// # Errors
    /// There is no such partition.
    pub fn end(&self, of: TopicPartition) -> Result<LogOffset, LogError> {
        Ok(LogOffset(self.0.borrow().log(of)?.end()))
    }

    /// The offset a group goes on from in a partition.
    #[must_use]
    pub fn committed(&self, of: TopicPartition) -> Option<LogOffset> {
        let mut broker = self.0.borrow_mut();
        let group = if of.topic == Topic::Log { GroupId::Workers } else { GroupId::Ingest };
        let (committed, _) = broker.group(group).committed(of);
        committed.map(|c| c.offset)
    }

    /// Deletes the beginning of a partition, as retention does.
    pub fn truncate(&self, of: TopicPartition, before: LogOffset) {
        self.0.borrow_mut().truncate(of, before.0);
    }

    /// Notes an event of the driver.
    pub fn note(&self, what: std::fmt::Arguments<'_>) {
        let mut broker = self.0.borrow_mut();
        let now_ms = broker.now_ms;
        broker.trace.note(now_ms, what);
    }

    /// The hash of all that has happened.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.0.borrow().trace.hash()
    }

    /// What has happened, if lines were kept.
    #[must_use]
    pub fn trace_lines(&self) -> Vec<String> {
        self.0.borrow().trace.lines().to_vec()
    }
}

fn read(at: u64, entry: &partition::Entry) -> Read {
    Read {
        offset: LogOffset(at),
        time_ms: entry.time_ms,
        key: entry.key.clone(),
        value: entry.value.clone(),
        headers: entry.headers.clone(),
    }
}
