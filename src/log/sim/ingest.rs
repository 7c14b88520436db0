//! Ingest's handle: a member of the group over the outside topics, a reader of the directory, an idempotent producer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::Sim;
use super::faults::{Crashed, FaultRates};
use super::fetch::{hand_over, take};
use super::flight::{message, place};
use super::group::{Notice, Refusal};
use super::rng::Rng;
use crate::log::{
    Committed, Generation, IngestLog, IngestPolled, LogError, Message, Output, PollBudget, Topic,
    TopicPartition,
};
use crate::model::LogOffset;

/// Messages in the producer's queue.
const QUEUE_MAX: usize = 200;

/// A message on its way.
#[derive(Debug)]
struct Queued {
    token: u64,
    output: Output,
    due_ms: i64,
}

/// The handle of one process. Dropping it is the death of the process.
#[derive(Debug)]
pub struct SimIngestLog {
    sim: Sim,
    name: String,
    incarnation: u64,
    generation: Generation,
    faults: FaultRates,
    rng: Rng,
    positions: BTreeMap<TopicPartition, u64>,
    paused: BTreeSet<TopicPartition>,
    directory: BTreeMap<u32, u64>,
    /// Where the directory ended when the process began.
    directory_ends: BTreeMap<u32, u64>,
    queue: VecDeque<Queued>,
    finished: VecDeque<(u64, Result<(), LogError>)>,
}

impl SimIngestLog {
    pub(super) fn join(sim: Sim, name: &str, faults: FaultRates) -> Self {
        let (incarnation, rng, ends) = {
            let mut broker = sim.0.borrow_mut();
            let now_ms = broker.now_ms;
            broker.trace.note(now_ms, format_args!("{name} joins"));
            let count = broker.setup.partitions_of(Topic::Directory);
            let end = |partition| {
                let of = TopicPartition { topic: Topic::Directory, partition };
                (partition, broker.log(of).map_or(0, super::partition::PartitionLog::end))
            };
            let ends: BTreeMap<_, _> = (0..count).map(end).collect();
            (broker.ingests.join(name, now_ms), broker.rng.fork(), ends)
        };
        Self {
            sim,
            name: name.to_owned(),
            incarnation,
            generation: Generation(0),
            faults,
            rng,
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            directory: ends.keys().map(|partition| (*partition, 0)).collect(),
            directory_ends: ends,
            queue: VecDeque::new(),
            finished: VecDeque::new(),
        }
    }

    /// From now on nothing fails any more.
    pub fn heal(&mut self) {
        self.faults = FaultRates { latency_ms_max: self.faults.latency_ms_max, ..FaultRates::none() };
    }

    fn call(&mut self, what: &str) {
        if self.rng.happens(self.faults.crash) {
            self.note(format_args!("dies at {what}"));
            Crashed::unwind();
        }
        let mut broker = self.sim.0.borrow_mut();
        let now_ms = broker.now_ms;
        // A member that is gone finds out at its next poll.
        let _ = broker.ingests.heartbeat(&self.name, self.incarnation, now_ms);
        drop(broker);
        self.send();
    }

    fn note(&self, what: fmt::Arguments<'_>) {
        let mut broker = self.sim.0.borrow_mut();
        let now_ms = broker.now_ms;
        broker.trace.note(now_ms, format_args!("{} {what}", self.name));
    }

    fn may_fail(&mut self, what: &str) -> Result<(), LogError> {
        if self.rng.happens(self.faults.retriable) {
            return Err(LogError::Retriable(format!("{what}: broker away")));
        }
        Ok(())
    }

    /// Messages whose time has come reach the broker, in order, or do not.
    fn send(&mut self) {
        let mut broker = self.sim.0.borrow_mut();
        while let Some(queued) = self.queue.pop_front_if(|q| q.due_ms <= broker.now_ms) {
            let stored = !self.rng.happens(self.faults.produce_fails);
            let lost = self.rng.happens(self.faults.ack_lost);
            if stored {
                let to = place(&queued.output, &broker);
                broker.append(to, message(&queued.output));
            }
            let failed = || LogError::Retriable("message timed out".to_owned());
            let end = if stored && !lost { Ok(()) } else { Err(failed()) };
            self.finished.push_back((queued.token, end));
        }
    }

    fn membership(&mut self) -> Result<IngestPolled, LogError> {
        let mut polled = IngestPolled::default();
        loop {
            let mut broker = self.sim.0.borrow_mut();
            let now_ms = broker.now_ms;
            match broker.ingests.poll(&self.name, self.incarnation, now_ms) {
                Ok(None) => return Ok(polled),
                Ok(Some(notice)) => {
                    broker.ingests.answered(&self.name, self.incarnation, now_ms);
                    drop(broker);
                    self.heard(notice, &mut polled);
                }
                Err(Refusal::Fenced) => {
                    return Err(LogError::Fenced(format!("{}: another process", self.name)));
                }
                Err(Refusal::Unknown | Refusal::Generation) => {
                    self.incarnation = broker.ingests.join(&self.name, now_ms);
                    polled.dropped.extend(std::mem::take(&mut self.positions).into_keys());
                    return Ok(polled);
                }
            }
        }
    }

    fn heard(&mut self, notice: Notice, polled: &mut IngestPolled) {
        match notice {
            Notice::Assigned { generation, partitions } => {
                self.generation = generation;
                for of in partitions {
                    let at = self.sim.committed(of).unwrap_or_default();
                    self.positions.insert(of, at.0);
                    self.paused.remove(&of);
                    polled.assigned.push(of);
                }
            }
            Notice::Revoked { generation, partitions } => {
                self.generation = generation;
                for of in partitions {
                    self.positions.remove(&of);
                    polled.dropped.push(of);
                }
            }
        }
    }
}

impl IngestLog for SimIngestLog {
    fn poll(
        &mut self,
        mut budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        self.call("poll");
        self.may_fail("poll")?;
        let polled = self.membership()?;
        if polled != IngestPolled::default() {
            self.note(format_args!("{polled:?}"));
            return Ok(polled);
        }
        let mut places: Vec<_> =
            self.positions.keys().filter(|p| !self.paused.contains(p)).copied().collect();
        self.rng.shuffle(&mut places);
        for of in places {
            let Some(&from) = self.positions.get(&of) else { continue };
            let wanted = budget.messages.min(1 + self.rng.below(60) as usize);
            let (messages, next) = take(&self.sim.0.borrow(), of, from, wanted)?;
            for (offset, entry) in &messages {
                hand_over(of, *offset, entry, &mut |message| each(message));
            }
            budget.messages -= messages.len();
            self.positions.insert(of, next);
        }
        Ok(polled)
    }

    fn poll_directory(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        self.call("poll_directory");
        self.may_fail("poll_directory")?;
        for (partition, position) in &mut self.directory {
            let of = TopicPartition { topic: Topic::Directory, partition: *partition };
            let broker = self.sim.0.borrow();
            let (messages, next) = take(&broker, of, *position, 1 + self.rng.below(100) as usize)?;
            // Past gaps at the end the position is the last stable offset.
            let stable = broker.log(of)?.stable_end();
            let passed = broker.log(of)?.next_readable(next).is_none();
            drop(broker);
            *position = if passed { next.max(stable) } else { next };
            for (offset, entry) in &messages {
                hand_over(of, *offset, entry, &mut |message| each(message));
            }
        }
        Ok(self
            .directory_ends
            .iter()
            .all(|(partition, end)| self.directory.get(partition).is_some_and(|at| at >= end)))
    }

    fn produce(&mut self, token: u64, output: &Output) -> Result<(), LogError> {
        self.call("produce");
        self.may_fail("produce")?;
        if self.queue.len() >= QUEUE_MAX {
            return Err(LogError::Retriable("the producer's queue is full".to_owned()));
        }
        let due_ms = self.sim.now_ms() + self.rng.between(0, self.faults.latency_ms_max);
        // In order: nothing overtakes what was queued before.
        let due_ms = self.queue.back().map_or(due_ms, |before| before.due_ms.max(due_ms));
        self.queue.push_back(Queued { token, output: output.clone(), due_ms });
        Ok(())
    }

    fn acked(&mut self, _wait_ms: u64, each: &mut dyn FnMut(u64, Result<(), LogError>)) {
        self.call("acked");
        for (token, end) in self.finished.drain(..) {
            each(token, end);
        }
    }

    fn commit_offsets(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        self.call("commit_offsets");
        self.may_fail("commit_offsets")?;
        let committed = |offset| Committed { offset, metadata: String::new() };
        let offsets: Vec<_> = next.iter().map(|(of, offset)| (*of, committed(*offset))).collect();
        let who = (self.name.as_str(), self.incarnation);
        let end = self.sim.0.borrow_mut().ingests.commit(who, self.generation, &offsets);
        self.note(format_args!("commits {next:?}: {end:?}"));
        end.map_err(|refusal| LogError::Fenced(format!("{refusal:?}")))
    }

    fn pause(&mut self, which: &[TopicPartition]) {
        self.paused.extend(which);
    }

    fn resume(&mut self, which: &[TopicPartition]) {
        for of in which {
            self.paused.remove(of);
        }
    }

    fn log_partitions(&self) -> u32 {
        self.sim.0.borrow().setup.partitions
    }
}

impl Drop for SimIngestLog {
    /// The process is gone. What was on the wire may still arrive, and nobody hears of it.
    fn drop(&mut self) {
        let arrive = self.rng.below(self.queue.len() as u64 + 1) as usize;
        let Ok(mut broker) = self.sim.0.try_borrow_mut() else { return };
        for queued in self.queue.drain(..arrive) {
            let to = place(&queued.output, &broker);
            broker.append(to, message(&queued.output));
        }
    }
}
