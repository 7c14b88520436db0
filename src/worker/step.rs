//! One step of the loop: its parts in their order, restoring, and polling.
//!
//! Invariant: a partition's trouble is its own. It is condemned, refused or halted, and the others go on in the same step.

use super::live::{FoldContext, Halted, Hold, Live, Taken};
use super::mailbox::Mailbox;
use super::partition::{Partition, Restoration, Restoring};
use super::report::{Now, Report};
use super::shelf::Lent;
use super::{Stop, Worker, WorkerError};
use crate::checkpoint::{Budget, Refused, Why};
use crate::limits::{POLL_BYTES_MAX, POLL_MESSAGES_MAX, REFUSED_AGAIN_MS};
use crate::log::{GroupEvent, LogError, PollBudget, Topic, WorkerLog};
use crate::model::LogOffset;
use crate::rollup::RowSink;

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    /// One round of the loop. Waits for messages at most `wait_ms`, in `poll`, and only when nothing else is to be done.
    ///
    /// # Errors
    /// What ends the worker; a partition's troubles are in its status instead.
    pub fn step(&mut self, now: Now, wait_ms: u64, mailbox: &mut dyn Mailbox) -> Result<Report, WorkerError> {
        self.now = now;
        // At the bound nothing is read, so there is nothing to do but to wait for the commit.
        self.advance_commits(if self.stalled { wait_ms } else { 0 }, mailbox)?;
        self.parked.expire(now.ms);
        self.restore()?;
        self.answer_group()?;
        self.poll(wait_ms, mailbox)?;
        self.serve(mailbox);
        self.seal()?;
        self.advance_commits(0, mailbox)?;
        self.rows();
        self.ticks();
        self.flow()?;
        self.answer_group()?;
        self.answer_drains();
        self.try_stop()?;
        self.note_changes();
        Ok(std::mem::take(&mut self.report))
    }

    /// A piece of one restore.
    fn restore(&mut self) -> Result<(), WorkerError> {
        self.turns.begin(self.now.ms);
        self.try_again();
        let Some(partition) = self.next_to_restore() else { return Ok(()) };
        let expected = self.settings.expected();
        let budget = Budget { messages: self.settings.restore_messages, now_ms: self.now.ms };
        let trust_parked = self.settings.faults.resume_parked_blindly;
        let Some(Partition::Restoring(restoring)) = self.partitions.get_mut(&partition) else {
            return Ok(());
        };
        let restoration = restoring.step(&mut self.log, &expected, budget, trust_parked)?;
        restoring.waiting = matches!(restoration, Restoration::Waiting(_));
        match restoration {
            Restoration::Going => {}
            Restoration::Waiting(why) => {
                self.turns.in_vain(partition, self.now.ms);
                self.report.troubles.push(format!("restoring partition {partition}: {why}"));
            }
            Restoration::Refused(refused) => self.refused(partition, &refused)?,
            Restoration::Live(live) => {
                let took_ms = self.now.ms - restoring.since_ms;
                self.restored(live, took_ms);
            }
        }
        Ok(())
    }

    /// Whose turn it is. What is sealed of a partition comes first: its end says where to restore to.
    fn next_to_restore(&self) -> Option<u32> {
        if self.stopping == Some(Stop::Now) {
            return None;
        }
        let rests = self.turns.rests(self.now.ms);
        let has_turn = |partition: u32, state: &Partition| match state {
            Partition::Restoring(it) if it.waiting && rests => false,
            Partition::Restoring(_) => !self.commits.holds(partition),
            _ => false,
        };
        let mut turns = self.turns.in_order(&self.partitions);
        turns.find(|(partition, state)| has_turn(**partition, state)).map(|(partition, _)| *partition)
    }

    fn restored(&mut self, mut live: Box<Live>, took_ms: i64) {
        let partition = live.partition;
        let refolded = self.group.holds(partition);
        (live.paused, live.missed) = (refolded, refolded);
        live.hold = self.drained.then_some(Hold::Drained);
        if self.settings.faults.forget_dirty_on_restore {
            live.effects.dirty.clear();
        }
        if self.group.fetches(partition) {
            // Nobody is told by the beginning of fetching: it has begun before there was a state, or what was to be told
            // was lost with the memory.
            live.announce(&self.settings, self.now.ms);
        }
        self.report.restored.push((partition, took_ms));
        self.partitions.insert(partition, Partition::Live(live));
    }

    /// A partition that cannot be restored still has to be assigned: at its committed offset, and paused.
    fn refused(&mut self, partition: u32, refused: &Refused) -> Result<(), WorkerError> {
        let committed = match self.log.stable_offset(partition) {
            Ok(committed) => committed.map(|c| c.offset),
            Err(LogError::Fenced(text)) => return Err(WorkerError::Fenced(text)),
            Err(_) => None,
        };
        let committed = committed.unwrap_or(LogOffset(0));
        let why = refused.to_string();
        self.report.troubles.push(why.clone());
        let again_ms = matches!(refused.why, Why::Log(_)).then_some(self.now.ms + REFUSED_AGAIN_MS);
        self.partitions.insert(partition, Partition::Refused { why, committed, again_ms });
        Ok(())
    }

    /// A log that could not be read may be read now: a broker that comes back does not know its topics for a moment, rights
    /// are given. Nothing but time tells.
    fn try_again(&mut self) {
        let now_ms = self.now.ms;
        for (partition, state) in &mut self.partitions {
            if matches!(state, Partition::Refused { again_ms: Some(at), .. } if *at <= now_ms) {
                *state = Partition::Restoring(Box::new(Restoring::new(*partition, None, now_ms)));
            }
        }
    }

    fn poll(&mut self, wait_ms: u64, mailbox: &dyn Mailbox) -> Result<(), WorkerError> {
        let (staleness, wait_ms) = (self.staleness(), self.may_wait(wait_ms));
        let (mut load, bounds) = (self.load(), self.settings.seal);
        let mut partitions = Lent::new(&mut self.partitions, staleness, mailbox, wait_ms);
        let budget = PollBudget {
            // The group is served all the same. A pause would throw away what was fetched.
            messages: if self.stalled { 0 } else { POLL_MESSAGES_MAX },
            bytes: POLL_BYTES_MAX,
            wait_ms: partitions.wait_ms,
        };
        let mut context = FoldContext {
            deployment: &self.settings.deployment,
            clock: self.settings.clock,
            now_ms: self.now.ms,
            clock_ms: self.now.clock_ms,
            crowded: false,
            faults: self.settings.faults,
        };
        let report = &mut self.report;
        let mut condemned: Vec<(u32, (LogOffset, String))> = Vec::new();
        let polled = self.log.poll(budget, &mut |message| {
            if condemned.iter().any(|(partition, _)| *partition == message.partition) {
                return;
            }
            let Some(live) = partitions.hand().get_mut(&message.partition).and_then(Partition::live_mut)
            else {
                return;
            };
            let before = live.unsealed.load();
            match live.take(&message, context) {
                Taken::Folded { records } => {
                    report.messages += 1;
                    report.records += records;
                    load.grow(before, live.unsealed.load());
                    context.crowded = load.is_crowded(bounds);
                }
                Taken::Condemned { at, why } => condemned.push((message.partition, (at, why))),
                Taken::Passed | Taken::Halted => {}
            }
        });
        drop(partitions);
        for (partition, stop_at) in condemned {
            self.condemn(partition, stop_at);
        }
        self.polled(polled)
    }

    fn polled(&mut self, polled: Result<Option<GroupEvent>, LogError>) -> Result<(), WorkerError> {
        match polled {
            Ok(None) => Ok(()),
            Ok(Some(event)) => self.group_event(event),
            Err(LogError::Retriable(why)) => {
                self.report.troubles.push(format!("poll: {why}"));
                Ok(())
            }
            Err(LogError::OutOfRange { partition, offset, detail, .. }) => {
                self.gone(partition, offset, detail);
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// How long `poll` may wait: not past the next thing to be done.
    fn may_wait(&self, wait_ms: u64) -> u64 {
        let restoring = self.next_to_restore().is_some();
        if restoring || self.stopping.is_some() || self.stalled && self.commits.is_open() {
            return 0;
        }
        let wait_ms = self.turns.rest_ms(self.now.ms).map_or(wait_ms, |rest_ms| wait_ms.min(rest_ms));
        if !self.commits.is_empty() {
            return wait_ms.min(1);
        }
        match self.load().due_ms() {
            Some(due) => wait_ms.min((due - self.now.ms).max(0) as u64),
            None => wait_ms,
        }
    }

    /// The memory of a partition whose fold broke is discarded; it is folded anew up to the message.
    fn condemn(&mut self, partition: u32, stop_at: (LogOffset, String)) {
        self.report.troubles.push(format!(
            "{} [{partition}] offset {}: {}; the partition's memory is discarded and folded anew up to it",
            Topic::Log,
            stop_at.0.0,
            stop_at.1
        ));
        self.discard(partition, Some(stop_at));
    }

    /// Memory that can be trusted no more is given for the state as committed.
    pub(super) fn discard(&mut self, partition: u32, stop_at: Option<(LogOffset, String)>) {
        self.log.pause(&[partition]);
        let restoring = Restoring::anew(partition, stop_at, self.now.ms);
        let before = self.partitions.insert(partition, Partition::Restoring(Box::new(restoring)));
        if let Some(Partition::Live(mut live)) = before {
            for reply in live.unsealed.orders.drain(..) {
                reply(Err(super::OrderError::Lost(partition)));
            }
        }
    }

    fn gone(&mut self, partition: u32, at: LogOffset, why: String) {
        if let Some(live) = self.partitions.get_mut(&partition).and_then(Partition::live_mut) {
            live.halt(Halted::Gone { at, why });
        }
    }

    fn note_changes(&mut self) {
        let states = self.partitions.iter().map(|(p, state)| (*p, state.state()));
        if !states.clone().eq(self.states.iter().map(|(p, state)| (*p, *state))) {
            let before = std::mem::replace(&mut self.states, states.collect());
            let changed = self.states.iter().filter(|(p, state)| before.get(p) != Some(state));
            self.report.changed.extend(changed.map(|(p, state)| (*p, *state)));
        }
        let restoring = self.partitions.values().any(|p| matches!(p, Partition::Restoring(_)));
        let unsealed = self.load().since_ms.is_some();
        self.report.idle = self.report.messages == 0 && self.commits.is_empty() && !unsealed && !restoring;
    }
}
