//! A worker's handle: a member of the group with a transactional producer, whose process may die at any call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::Sim;
use super::broker::plain;
use super::faults::{Crashed, FaultRates};
use super::fetch::{hand_over, take};
use super::flight::Flight;
use super::group::{Notice, Refusal};
use super::partition::Writer;
use super::rng::{Chance, Rng};
use crate::log::{
    CommitResult, Committed, GroupEvent, LogError, Message, PollBudget, Topic, TopicInfo, TopicPartition,
    Transaction, WorkerLog,
};
use crate::model::LogOffset;

/// How long a scan waits for markers on their way before it gives up, virtual milliseconds.
const SCAN_WAIT_MS: i64 = 200;

/// The handle of one process. Dropping it is the death of the process: the group finds out by its session.
#[derive(Debug)]
pub struct SimWorkerLog {
    sim: Sim,
    name: String,
    incarnation: u64,
    faults: FaultRates,
    rng: Rng,
    writer: Option<Writer>,
    /// Where fetching goes on, by assigned partition.
    positions: BTreeMap<u32, u64>,
    paused: BTreeSet<u32>,
    /// Paused with messages already fetched: these may be handed over once.
    fetched: BTreeSet<u32>,
    /// Given by the group and not yet given back, fetched or not.
    given: BTreeSet<u32>,
    /// The event that was handed over and is not answered.
    unanswered: Option<Unanswered>,
    lost: VecDeque<GroupEvent>,
    pub(super) flight: Option<Flight>,
}

/// What the group waits for.
#[derive(Debug)]
enum Unanswered {
    /// Any `assign` at all.
    Assigned,
    /// That these are given back.
    Revoked(BTreeSet<u32>),
}

impl SimWorkerLog {
    pub(super) fn join(sim: Sim, name: &str, faults: FaultRates) -> Self {
        let (incarnation, rng, writer) = {
            let mut broker = sim.0.borrow_mut();
            let now_ms = broker.now_ms;
            broker.trace.note(now_ms, format_args!("{name} joins"));
            (broker.workers.join(name, now_ms), broker.rng.fork(), broker.init_transactions(name))
        };
        Self {
            sim,
            name: name.to_owned(),
            incarnation,
            faults,
            rng,
            writer,
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            fetched: BTreeSet::new(),
            given: BTreeSet::new(),
            unanswered: None,
            lost: VecDeque::new(),
            flight: None,
        }
    }

    /// From now on nothing fails any more.
    pub fn heal(&mut self) {
        self.faults = FaultRates { latency_ms_max: self.faults.latency_ms_max, ..FaultRates::none() };
    }

    /// Every call begins here: the process may die, and while it lives its session goes on.
    fn call(&mut self, what: &str) {
        if self.rng.happens(self.faults.crash) {
            self.note(format_args!("dies at {what}"));
            Crashed::unwind();
        }
        let mut broker = self.sim.0.borrow_mut();
        let now_ms = broker.now_ms;
        // A member that is gone finds out at its next poll.
        let _ = broker.workers.heartbeat(&self.name, self.incarnation, now_ms);
        drop(broker);
        self.fly();
    }

    fn note(&self, what: fmt::Arguments<'_>) {
        let mut broker = self.sim.0.borrow_mut();
        let now_ms = broker.now_ms;
        broker.trace.note(now_ms, format_args!("{} {what}", self.name));
    }

    fn may_fail(&mut self, what: &str) -> Result<(), LogError> {
        if self.rng.happens(self.faults.retriable) {
            self.note(format_args!("{what}: broker away"));
            return Err(LogError::Retriable(format!("{what}: broker away")));
        }
        Ok(())
    }

    /// The commit under way goes as far as it gets by now.
    fn fly(&mut self) {
        if let Some(flight) = &mut self.flight {
            let mut broker = self.sim.0.borrow_mut();
            flight.go_on(&mut broker, &mut self.rng, &self.faults);
        }
    }

    /// What the group has to say; a member that was dropped hears of its loss and joins anew.
    fn group_event(&mut self) -> Result<Option<GroupEvent>, LogError> {
        if let Some(event) = self.lost.pop_front() {
            return Ok(Some(event));
        }
        let mut broker = self.sim.0.borrow_mut();
        let now_ms = broker.now_ms;
        match broker.workers.poll(&self.name, self.incarnation, now_ms) {
            Ok(None) => Ok(None),
            Ok(Some(notice)) => {
                drop(broker);
                Ok(Some(self.heard(notice)))
            }
            Err(Refusal::Fenced) => {
                Err(LogError::Fenced(format!("{}: another process has this id", self.name)))
            }
            Err(Refusal::Unknown | Refusal::Generation) => {
                self.incarnation = broker.workers.join(&self.name, now_ms);
                let partitions: Vec<u32> = std::mem::take(&mut self.given).into_iter().collect();
                self.positions.clear();
                self.unanswered = None;
                Ok((!partitions.is_empty()).then_some(GroupEvent::Lost { partitions }))
            }
        }
    }

    fn heard(&mut self, notice: Notice) -> GroupEvent {
        let numbers = |of: Vec<TopicPartition>| of.into_iter().map(|p| p.partition).collect::<Vec<_>>();
        let event = match notice {
            Notice::Assigned { generation, partitions } => {
                GroupEvent::Assigned { generation, partitions: numbers(partitions) }
            }
            Notice::Revoked { generation, partitions } => {
                GroupEvent::Revoked { generation, partitions: numbers(partitions) }
            }
        };
        self.unanswered = match &event {
            GroupEvent::Assigned { partitions, .. } => {
                self.given.extend(partitions);
                Some(Unanswered::Assigned)
            }
            GroupEvent::Revoked { partitions, .. } => {
                Some(Unanswered::Revoked(partitions.iter().copied().collect()))
            }
            GroupEvent::Lost { .. } => None,
        };
        event
    }

    fn answered(&mut self) {
        self.unanswered = None;
        let mut broker = self.sim.0.borrow_mut();
        let now_ms = broker.now_ms;
        broker.workers.answered(&self.name, self.incarnation, now_ms);
    }

    /// Hands over messages of one partition; how many is up to what a fetch has brought.
    fn fetch(
        &mut self,
        partition: u32,
        budget: &mut PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<(), LogError> {
        let of = TopicPartition { topic: Topic::Log, partition };
        let Some(&from) = self.positions.get(&partition) else { return Ok(()) };
        let brought = 1 + self.rng.below(40) as usize;
        let wanted = brought.min(budget.messages);
        let (messages, mut next) = take(&self.sim.0.borrow(), of, from, wanted)?;
        for (offset, entry) in &messages {
            if budget.bytes == 0 {
                next = *offset;
                break;
            }
            budget.messages -= 1;
            budget.bytes = budget.bytes.saturating_sub(entry.value.as_ref().map_or(0, Vec::len));
            hand_over(of, *offset, entry, &mut |message| each(message));
        }
        self.positions.insert(partition, next);
        Ok(())
    }
}

impl WorkerLog for SimWorkerLog {
    fn poll(
        &mut self,
        mut budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Option<GroupEvent>, LogError> {
        self.call("poll");
        self.may_fail("poll")?;
        if let Some(event) = self.group_event()? {
            self.note(format_args!("hears {event:?}"));
            return Ok(Some(event));
        }
        let mut partitions: Vec<_> = self.positions.keys().copied().collect();
        self.rng.shuffle(&mut partitions);
        for partition in partitions {
            let stopped = self.paused.contains(&partition) && !self.fetched.remove(&partition);
            if !stopped && budget.messages > 0 && budget.bytes > 0 {
                self.fetch(partition, &mut budget, each)?;
            }
        }
        Ok(None)
    }

    fn assign(&mut self, from: &[(u32, LogOffset)]) -> Result<(), LogError> {
        self.call("assign");
        self.may_fail("assign")?;
        self.note(format_args!("assigns {from:?}"));
        for (partition, offset) in from {
            self.positions.insert(*partition, offset.0);
            self.paused.remove(partition);
        }
        if matches!(self.unanswered, Some(Unanswered::Assigned)) {
            self.answered();
        }
        Ok(())
    }

    fn unassign(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.call("unassign");
        self.may_fail("unassign")?;
        self.note(format_args!("unassigns {partitions:?}"));
        for partition in partitions {
            self.positions.remove(partition);
            self.paused.remove(partition);
            self.fetched.remove(partition);
            self.given.remove(partition);
        }
        if let Some(Unanswered::Revoked(waited)) = &mut self.unanswered {
            waited.retain(|partition| !partitions.contains(partition));
            if waited.is_empty() {
                self.answered();
            }
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[u32]) {
        for partition in partitions {
            self.paused.insert(*partition);
            if self.rng.happens(Chance::per_mille(500)) {
                self.fetched.insert(*partition);
            }
        }
    }

    fn resume(&mut self, partitions: &[u32]) {
        for partition in partitions {
            self.paused.remove(partition);
            self.fetched.remove(partition);
        }
    }

    fn seek(&mut self, partition: u32, to: LogOffset) -> Result<(), LogError> {
        self.call("seek");
        self.may_fail("seek")?;
        self.note(format_args!("seeks {partition} to {}", to.0));
        self.fetched.remove(&partition);
        self.positions.insert(partition, to.0);
        Ok(())
    }

    fn commit(&mut self, transaction: Arc<Transaction>) {
        self.call("commit");
        assert!(self.flight.is_none(), "{}: a commit is open already", self.name);
        let (outputs, offsets) = (transaction.outputs.len(), &transaction.offsets);
        self.note(format_args!("commits {outputs} outputs, {offsets:?} as {:?}", transaction.generation));
        let who = (self.name.clone(), self.incarnation);
        self.flight = Some(Flight::new(who, self.writer, transaction));
    }

    fn commit_result(&mut self, wait_ms: u64) -> Option<CommitResult> {
        self.call("commit_result");
        if wait_ms > 0 && self.flight.as_ref().is_some_and(|f| f.result().is_none()) {
            // A wait takes time.
            self.sim.advance(self.rng.between(0, wait_ms.min(5) as i64));
            self.fly();
        }
        let result = self.flight.as_ref()?.result()?.clone();
        self.note(format_args!("commit: {result:?}"));
        self.flight = None;
        if result != CommitResult::Committed {
            self.writer = None;
        }
        Some(result)
    }

    fn renew_producer(&mut self) -> Result<(), LogError> {
        self.call("renew_producer");
        self.may_fail("renew_producer")?;
        self.flight = None;
        self.writer = self.sim.0.borrow_mut().init_transactions(&self.name);
        self.note(format_args!("renews its producer: {:?}", self.writer));
        let ending = || LogError::Retriable("the transaction before is still ending".to_owned());
        self.writer.map(|_| ()).ok_or_else(ending)
    }

    fn stable_offset(&mut self, partition: u32) -> Result<Option<Committed>, LogError> {
        self.call("stable_offset");
        self.may_fail("stable_offset")?;
        let broker = self.sim.0.borrow();
        let (committed, unstable) = broker.workers.committed(TopicPartition { topic: Topic::Log, partition });
        if unstable {
            return Err(LogError::Retriable(format!("offset of {partition}: a transaction is open")));
        }
        Ok(committed.cloned())
    }

    fn end_transaction_of(&mut self, transactional_id: &str) -> Result<(), LogError> {
        self.call("end_transaction_of");
        self.may_fail("end_transaction_of")?;
        self.note(format_args!("ends the transaction of {transactional_id}"));
        let done = self.sim.0.borrow_mut().init_transactions(transactional_id).is_some();
        let ending = || LogError::Retriable(format!("the transaction of {transactional_id} is still ending"));
        done.then_some(()).ok_or_else(ending)
    }

    fn bounds(&mut self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError> {
        self.call("bounds");
        self.may_fail("bounds")?;
        let broker = self.sim.0.borrow();
        let log = broker.log(TopicPartition { topic, partition })?;
        Ok((LogOffset(log.start()), LogOffset(log.end())))
    }

    fn scan(
        &mut self,
        topic: Topic,
        partition: u32,
        from: LogOffset,
        to: LogOffset,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        self.call("scan");
        self.may_fail("scan")?;
        let of = TopicPartition { topic, partition };
        let (mut at, mut waited_ms) = (from.0, 0);
        loop {
            let (messages, _) = take(&self.sim.0.borrow(), of, at, usize::MAX)?;
            for (offset, entry) in messages.iter().filter(|(offset, _)| *offset < to.0) {
                if !hand_over(of, *offset, entry, each) {
                    return Ok(());
                }
            }
            at = at.max(self.sim.0.borrow().log(of)?.stable_end());
            if at >= to.0 {
                return Ok(());
            }
            if waited_ms >= SCAN_WAIT_MS {
                return Err(LogError::Retriable(format!("{topic} [{partition}]: open transaction at {at}")));
            }
            self.sim.advance(10);
            waited_ms += 10;
        }
    }

    fn append_tick(&mut self, partition: u32, pack: Vec<u8>, time_ms: Option<i64>) {
        self.call("append_tick");
        if !self.rng.happens(self.faults.tick_lost) {
            let to = TopicPartition { topic: Topic::Log, partition };
            self.sim.0.borrow_mut().append(to, plain(None, Some(pack), time_ms.unwrap_or(0)));
        }
    }

    fn topic(&mut self, topic: Topic) -> Result<TopicInfo, LogError> {
        self.call("topic");
        self.may_fail("topic")?;
        let broker = self.sim.0.borrow();
        let log = broker.topic(topic)?;
        Ok(TopicInfo { id: log.id.clone(), partitions: log.partitions.len() as u32 })
    }

    fn transactional_id(&self) -> &str {
        &self.name
    }
}

impl Drop for SimWorkerLog {
    /// The process is gone. What was on the wire may still arrive.
    fn drop(&mut self) {
        let Some(flight) = &mut self.flight else { return };
        if let (true, Ok(mut broker)) = (self.rng.coin(), self.sim.0.try_borrow_mut()) {
            flight.one_more(&mut broker, &mut self.rng, &FaultRates::none());
        }
    }
}
