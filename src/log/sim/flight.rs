//! A commit on its way: the requests of one transaction, one after the other, each taking its time and each able to fail.
//!
//! Outputs first, the offsets last, then the decision: as [`crate::log::WorkerLog::commit`] asks for. A process that dies
//! between two of them leaves the transaction open.

use std::sync::Arc;

use super::broker::Broker;
use super::faults::FaultRates;
use super::group::Refusal as GroupRefusal;
use super::partition::{Entry, Kind, Writer};
use super::rng::Rng;
use super::txn::Refusal;
use crate::log::{CommitResult, Output, Topic, TopicPartition, Transaction};

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Outputs { done: usize },
    Offsets,
    Decision,
}

/// What a request came to.
enum Step {
    Next(Stage),
    /// The coordinator is busy with the transaction before.
    Again,
    End(CommitResult),
}

/// One commit.
#[derive(Debug)]
pub(super) struct Flight {
    who: (String, u64),
    writer: Option<Writer>,
    transaction: Arc<Transaction>,
    stage: Stage,
    due_ms: Option<i64>,
    result: Option<CommitResult>,
}

impl Flight {
    pub(super) fn new(who: (String, u64), writer: Option<Writer>, transaction: Arc<Transaction>) -> Self {
        Self { who, writer, transaction, stage: Stage::Outputs { done: 0 }, due_ms: None, result: None }
    }

    pub(super) fn result(&self) -> Option<&CommitResult> {
        self.result.as_ref()
    }

    /// Goes on by all requests that are answered by now.
    pub(super) fn go_on(&mut self, broker: &mut Broker, rng: &mut Rng, faults: &FaultRates) {
        while self.result.is_none() {
            let due_ms =
                *self.due_ms.get_or_insert_with(|| broker.now_ms + rng.between(0, faults.latency_ms_max));
            if due_ms > broker.now_ms || !self.one_more(broker, rng, faults) {
                return;
            }
        }
    }

    /// Makes the next request; `false`: it has to be made again later.
    pub(super) fn one_more(&mut self, broker: &mut Broker, rng: &mut Rng, faults: &FaultRates) -> bool {
        self.due_ms = None;
        if self.result.is_some() {
            return true;
        }
        match self.step(broker, rng, faults) {
            Step::Next(stage) => self.stage = stage,
            Step::End(result) => self.result = Some(result),
            Step::Again => {
                self.due_ms = Some(broker.now_ms + 1);
                return false;
            }
        }
        true
    }

    fn step(&mut self, broker: &mut Broker, rng: &mut Rng, faults: &FaultRates) -> Step {
        let Some(writer) = self.writer else { return unresolved("the producer is not initialised") };
        if rng.happens(faults.commit_fails) {
            return unresolved("coordinator away");
        }
        match self.stage {
            Stage::Outputs { done } => self.outputs(writer, done, broker, rng),
            Stage::Offsets => self.offsets(writer, broker),
            Stage::Decision => decide(writer, broker, rng, faults),
        }
    }

    /// Some of the outputs, in order.
    fn outputs(&self, writer: Writer, done: usize, broker: &mut Broker, rng: &mut Rng) -> Step {
        let left = self.transaction.outputs.get(done..).unwrap_or_default();
        let some = left.get(..1 + rng.below(left.len() as u64) as usize).unwrap_or_default();
        let places: Vec<_> = some.iter().map(|output| place(output, broker)).collect();
        if let Err(refusal) = broker.coordinator.add(writer, &places, broker.now_ms) {
            return refused(refusal);
        }
        for (output, to) in some.iter().zip(places) {
            if !broker.append(to, entry(output, writer)) {
                return refused(Refusal::Fenced);
            }
        }
        let done = done + some.len();
        Step::Next(if done < self.transaction.outputs.len() {
            Stage::Outputs { done }
        } else {
            Stage::Offsets
        })
    }

    fn offsets(&self, writer: Writer, broker: &mut Broker) -> Step {
        if let Err(refusal) = broker.coordinator.add_offsets(writer, broker.now_ms) {
            return refused(refusal);
        }
        let place = |partition: u32| TopicPartition { topic: Topic::Log, partition };
        let offsets =
            self.transaction.offsets.iter().map(|(p, committed)| (place(*p), committed.clone())).collect();
        let (who, generation) = ((self.who.0.as_str(), self.who.1), self.transaction.generation);
        // A transaction without offsets is not fenced by the group at all.
        match broker.workers.commit_in_transaction(who, generation, writer.id, offsets) {
            Ok(()) => Step::Next(Stage::Decision),
            Err(GroupRefusal::Fenced) => unresolved("offsets: fenced instance id"),
            Err(GroupRefusal::Unknown) => unresolved("offsets: unknown member"),
            Err(GroupRefusal::Generation) => unresolved("offsets: illegal generation"),
        }
    }
}

fn decide(writer: Writer, broker: &mut Broker, rng: &mut Rng, faults: &FaultRates) -> Step {
    match broker.coordinator.end(writer) {
        Err(refusal) => refused(refusal),
        Ok(ending) => {
            broker.send_markers(&ending, true);
            if rng.happens(faults.answer_lost) {
                return unresolved("commit timed out");
            }
            Step::End(CommitResult::Committed)
        }
    }
}

fn unresolved(why: &str) -> Step {
    Step::End(CommitResult::Unresolved(why.to_owned()))
}

fn refused(refusal: Refusal) -> Step {
    match refusal {
        Refusal::Concurrent => Step::Again,
        Refusal::Fenced => unresolved("producer fenced"),
        Refusal::InvalidState => unresolved("invalid transaction state"),
    }
}

/// Where an output goes: where it says, else by its key.
pub(super) fn place(output: &Output, broker: &Broker) -> TopicPartition {
    let count = broker.topic(output.topic).map_or(1, |t| t.partitions.len() as u64);
    let by_key = || (xxhash_rust::xxh3::xxh3_64(&output.key) % count) as u32;
    TopicPartition { topic: output.topic, partition: output.partition.unwrap_or_else(by_key) }
}

fn entry(output: &Output, writer: Writer) -> Entry {
    Entry { kind: Kind::Open(writer), ..message(output) }
}

/// The message of an output, outside any transaction.
pub(super) fn message(output: &Output) -> Entry {
    Entry {
        time_ms: output.time_ms.unwrap_or(0),
        key: Some(output.key.clone()),
        value: output.value.clone(),
        headers: output.headers.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        kind: Kind::Plain,
        gone: false,
    }
}
