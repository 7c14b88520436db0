//! The brokers as one value: topics, coordinators and virtual time. Handles and the outside world share it.

use std::collections::BTreeMap;

use super::group::Group;
use super::partition::{Entry, Kind, PartitionLog, Writer};
use super::rng::{Chance, Rng};
use super::trace::Trace;
use super::txn::{Coordinator, Ending, Marker, MarkerTarget};
use super::{GroupId, Setup, Stamp};
use crate::log::topic::Retention;
use crate::log::{LogError, Topic, TopicPartition};

/// `delete.retention.ms`: how long a tombstone stays.
const TOMBSTONES_MS: i64 = crate::limits::DAY_MS;

/// One topic.
#[derive(Debug)]
pub(super) struct TopicLog {
    pub(super) id: String,
    pub(super) partitions: Vec<PartitionLog>,
}

/// Everything that outlives a process.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) setup: Setup,
    pub(super) now_ms: i64,
    pub(super) rng: Rng,
    pub(super) trace: Trace,
    topics: BTreeMap<Topic, TopicLog>,
    pub(super) coordinator: Coordinator,
    pub(super) workers: Group,
    pub(super) ingests: Group,
    markers: Vec<Marker>,
}

impl Broker {
    pub(super) fn new(setup: Setup, seed: u64, trace: Trace) -> Self {
        let topics = Topic::ALL.into_iter().map(|topic| (topic, new_topic(topic, &setup))).collect();
        let of = |topics: &[Topic]| -> Vec<TopicPartition> {
            let partitions = |topic: Topic| {
                (0..setup.partitions_of(topic)).map(move |partition| TopicPartition { topic, partition })
            };
            topics.iter().copied().flat_map(partitions).collect()
        };
        Self {
            now_ms: setup.start_ms,
            rng: Rng::new(seed),
            trace,
            topics,
            coordinator: Coordinator::default(),
            workers: Group::new(of(&[Topic::Log]), setup.session_ms),
            ingests: Group::new(of(&Topic::OUTSIDE), setup.session_ms),
            markers: Vec::new(),
            setup,
        }
    }

    pub(super) fn group(&mut self, id: GroupId) -> &mut Group {
        match id {
            GroupId::Workers => &mut self.workers,
            GroupId::Ingest => &mut self.ingests,
        }
    }

    pub(super) fn topic(&self, topic: Topic) -> Result<&TopicLog, LogError> {
        self.topics
            .get(&topic)
            .ok_or_else(|| LogError::Fatal(format!("topic {topic} does not exist: make it")))
    }

    pub(super) fn log(&self, of: TopicPartition) -> Result<&PartitionLog, LogError> {
        let missing = || LogError::Fatal(format!("{} has no partition {}", of.topic, of.partition));
        self.topic(of.topic)?.partitions.get(of.partition as usize).ok_or_else(missing)
    }

    fn log_mut(&mut self, of: TopicPartition) -> Option<&mut PartitionLog> {
        self.topics.get_mut(&of.topic)?.partitions.get_mut(of.partition as usize)
    }

    /// Virtual time goes on, and all that was due happens.
    pub(super) fn advance(&mut self, by_ms: i64) {
        self.now_ms += by_ms;
        self.deliver_markers();
        for ending in self.coordinator.expire(self.now_ms - self.setup.transaction_timeout_ms) {
            self.trace.note(self.now_ms, format_args!("transaction of {} timed out", ending.writer.id));
            self.send_markers(&ending, false);
        }
        let now_ms = self.now_ms;
        for (group, what) in [(&mut self.workers, "worker"), (&mut self.ingests, "ingest")] {
            for name in group.expire(now_ms) {
                self.trace.note(now_ms, format_args!("session of {what} {name} expired"));
            }
            if self.rng.happens(self.setup.rebalance) {
                self.trace.note(now_ms, format_args!("{what}s rebalance"));
                if self.rng.coin() { group.rebalance(now_ms) } else { group.shuffle(&mut self.rng, now_ms) }
            }
        }
        self.clean();
    }

    /// Time that passes with nothing but heartbeats in it.
    pub(super) fn leap(&mut self, by_ms: i64) {
        self.now_ms += by_ms;
        self.deliver_markers();
        self.coordinator.leap(by_ms);
        self.workers.leap(by_ms);
        self.ingests.leap(by_ms);
    }

    /// Markers that are due reach their places, in an order of their own.
    fn deliver_markers(&mut self) {
        let now_ms = self.now_ms;
        let (due, later): (Vec<_>, Vec<_>) = self.markers.drain(..).partition(|m| m.due_ms <= now_ms);
        self.markers = later;
        for marker in due {
            self.deliver(marker);
        }
    }

    fn deliver(&mut self, marker: Marker) {
        let now_ms = self.now_ms;
        match marker.to {
            MarkerTarget::Offsets => self.workers.end_transaction(marker.writer.id, marker.commit),
            MarkerTarget::Partition(to) => {
                if let Some(log) = self.log_mut(to) {
                    log.end_transaction(marker.writer, marker.commit, now_ms);
                }
            }
        }
        self.coordinator.marked(marker.id);
    }

    /// A transaction was decided: each of its markers leaves now and arrives in its own time.
    pub(super) fn send_markers(&mut self, ending: &Ending, commit: bool) {
        let lags = self.rng.happens(self.setup.late_markers);
        for &to in &ending.targets {
            let lag_ms = if lags { self.rng.between(0, self.setup.marker_lag_ms_max) } else { 0 };
            let (due_ms, writer) = (self.now_ms + lag_ms, ending.writer);
            self.markers.push(Marker { due_ms, id: writer.id, writer, to, commit });
        }
        self.deliver_markers();
    }

    /// Initialises a transactional id; `None` while what it left open is still ending.
    pub(super) fn init_transactions(&mut self, name: &str) -> Option<Writer> {
        for _ in 0..2 {
            match self.coordinator.init(name) {
                Ok(writer) => return Some(writer),
                Err(ending) if ending.targets.is_empty() && self.coordinator.is_open(ending.writer.id) => {
                    return None;
                }
                Err(ending) => self.send_markers(&ending, false),
            }
        }
        self.coordinator.init(name).ok()
    }

    /// Appends a message as of now; `false` if its writer is fenced.
    pub(super) fn append(&mut self, to: TopicPartition, message: Entry) -> bool {
        let time_ms = self.stamp(to, message.time_ms);
        self.log_mut(to).is_some_and(|log| log.append(Entry { time_ms, ..message }))
    }

    /// The time a topic gives a message that claims `claimed_ms` (0 = nothing).
    fn stamp(&mut self, to: TopicPartition, claimed_ms: i64) -> i64 {
        if self.setup.stamp_of(to.topic) == Stamp::Created && claimed_ms != 0 {
            return claimed_ms;
        }
        if self.setup.stamp_of(to.topic) == Stamp::Created {
            return self.log(to).map_or(0, PartitionLog::last_time_ms);
        }
        // After a change of leader another broker's clock stamps, which may be a little behind.
        let behind = if self.rng.happens(Chance::per_mille(20)) { self.rng.between(0, 2_000) } else { 0 };
        self.now_ms - behind
    }

    fn clean(&mut self) {
        if !self.rng.happens(self.setup.compaction) {
            return;
        }
        let before_ms = self.now_ms - TOMBSTONES_MS;
        for (topic, log) in &mut self.topics {
            if topic.retention() == Retention::Compact {
                log.partitions.iter_mut().for_each(|p| p.compact(&mut self.rng, before_ms));
            }
        }
    }

    /// Deletes the beginning of a partition, as retention does.
    pub(super) fn truncate(&mut self, of: TopicPartition, before: u64) {
        if let Some(log) = self.log_mut(of) {
            log.truncate_before(before);
        }
    }
}

fn new_topic(topic: Topic, setup: &Setup) -> TopicLog {
    let partitions = (0..setup.partitions_of(topic)).map(|_| PartitionLog::default()).collect();
    TopicLog { id: format!("{topic}#1"), partitions }
}

/// A message outside any transaction.
pub(super) fn plain(key: Option<Vec<u8>>, value: Option<Vec<u8>>, time_ms: i64) -> Entry {
    Entry { time_ms, key, value, headers: Vec::new(), kind: Kind::Plain, gone: false }
}
