//! Partitions coming and going: an assignment is a value {generation, partitions}, and nothing is sealed outside it.
//!
//! Assigned: answered at once, and each is fetched from where it stands as soon as it is restored: one that something is in
//! the way of keeps no other waiting. Revoked: sealed, committed, parked, then given up; until then they count as ours. Lost:
//! dropped, nothing can be committed for them any more.

use std::collections::BTreeSet;

use super::live::Hold;
use super::partition::{Partition, Restoring};
use super::{Worker, WorkerError};
use crate::log::{Generation, GroupEvent, LogError, WorkerLog};
use crate::model::LogOffset;
use crate::rollup::RowSink;

/// The membership as last told.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub generation: Generation,
    /// An assignment has come, if only an empty one.
    pub joined: bool,
    /// Fetched: begun with `assign`, not yet ended with `unassign`.
    pub assigned: BTreeSet<u32>,
    /// Given to us, being restored; each to be fetched when it is.
    pending: BTreeSet<u32>,
    /// The group waits to hear that we know of what it gave us.
    unanswered: bool,
    /// Revoked, being sealed and committed; to be answered when all are done.
    revoking: Option<BTreeSet<u32>>,
}

impl Group {
    /// Whether a partition may be sealed for.
    pub(super) fn holds(&self, partition: u32) -> bool {
        self.assigned.contains(&partition)
    }

    /// Whether a partition is fetched already, and not only to be fetched once it is restored.
    pub(super) fn fetches(&self, partition: u32) -> bool {
        self.holds(partition) && !self.pending.contains(&partition)
    }

    /// Whether a partition is to be given up as soon as nothing of it is under way.
    pub(super) fn is_revoking(&self, partition: u32) -> bool {
        self.revoking.as_ref().is_some_and(|revoking| revoking.contains(&partition))
    }

    /// Whether seals must not wait: the group waits for them.
    pub(super) fn is_leaving(&self) -> bool {
        self.revoking.is_some()
    }
}

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    pub(super) fn group_event(&mut self, event: GroupEvent) -> Result<(), WorkerError> {
        match event {
            GroupEvent::Assigned { generation, partitions } => self.assigned(generation, partitions),
            GroupEvent::Revoked { generation, partitions } => self.revoked(generation, &partitions),
            GroupEvent::Lost { partitions } => return self.lost(&partitions),
        }
        Ok(())
    }

    fn assigned(&mut self, generation: Generation, partitions: Vec<u32>) {
        self.group.generation = generation;
        self.group.joined = true;
        self.group.unanswered = true;
        for partition in partitions {
            let held = self.partitions.get(&partition);
            if self.group.holds(partition) && !matches!(held, None | Some(Partition::Lost)) {
                continue;
            }
            self.group.pending.insert(partition);
            let parked = self.parked.take(partition);
            let restoring = Restoring::new(partition, parked, self.now.ms);
            self.partitions.insert(partition, Partition::Restoring(Box::new(restoring)));
        }
    }

    fn revoked(&mut self, generation: Generation, partitions: &[u32]) {
        self.group.generation = generation;
        self.group.revoking.get_or_insert_default().extend(partitions);
        self.group.pending.retain(|partition| !partitions.contains(partition));
        for partition in partitions {
            match self.partitions.get_mut(partition) {
                Some(Partition::Live(live)) => live.hold = Some(Hold::Leaving),
                Some(_) => drop(self.partitions.remove(partition)),
                None => {}
            }
        }
    }

    fn lost(&mut self, partitions: &[u32]) -> Result<(), WorkerError> {
        for partition in partitions {
            self.drop_partition(*partition);
        }
        self.group.pending.retain(|partition| !partitions.contains(partition));
        if let Some(revoking) = &mut self.group.revoking {
            let before = revoking.len();
            revoking.retain(|partition| !partitions.contains(partition));
            if revoking.is_empty() && before > 0 {
                self.group.revoking = None;
            }
        }
        self.give_up(partitions)
    }

    /// Forgets a partition: its memory, and what is sealed of it.
    pub(super) fn drop_partition(&mut self, partition: u32) {
        if let Some(Partition::Live(mut live)) = self.partitions.remove(&partition) {
            for reply in live.unsealed.orders.drain(..) {
                reply(Err(super::OrderError::Lost(partition)));
            }
        }
        self.commits.forget(partition);
    }

    fn give_up(&mut self, partitions: &[u32]) -> Result<(), WorkerError> {
        self.group.assigned.retain(|p| !partitions.contains(p));
        self.log.unassign(partitions).map_err(WorkerError::from)
    }

    /// Answers the group where everything that it waits for is done.
    pub(super) fn answer_group(&mut self) -> Result<(), WorkerError> {
        self.answer_revoked()?;
        self.answer_assigned()
    }

    fn answer_revoked(&mut self) -> Result<(), WorkerError> {
        let Some(revoking) = &self.group.revoking else { return Ok(()) };
        let busy = |p: &u32| {
            let live = self.partitions.get(p).and_then(Partition::live);
            self.commits.holds(*p) || live.is_some_and(|l| l.unsealed.since_ms.is_some())
        };
        if revoking.iter().any(busy) {
            return Ok(());
        }
        let partitions: Vec<u32> = self.group.revoking.take().unwrap_or_default().into_iter().collect();
        for partition in &partitions {
            if let Some(Partition::Live(live)) = self.partitions.remove(partition) {
                self.parked.park(live, self.now.ms);
            }
        }
        self.give_up(&partitions)
    }

    /// Fetches what has been restored.
    fn answer_assigned(&mut self) -> Result<(), WorkerError> {
        let mut from: Vec<(u32, LogOffset)> = Vec::new();
        for partition in &self.group.pending {
            match self.partitions.get(partition) {
                Some(Partition::Live(live)) => from.push((*partition, live.meter.position())),
                Some(Partition::Refused { committed, .. }) => from.push((*partition, *committed)),
                Some(Partition::Restoring(_) | Partition::Lost) | None => {}
            }
        }
        if from.is_empty() && !self.group.unanswered {
            return Ok(());
        }
        match self.log.assign(&from) {
            Ok(()) => self.begin(&from),
            Err(LogError::Retriable(why)) => self.report.troubles.push(format!("assign: {why}")),
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    /// Fetching has begun: say who owns the partitions with the next seal; what was refused stays paused.
    fn begin(&mut self, from: &[(u32, LogOffset)]) {
        self.group.unanswered = false;
        for (partition, _) in from {
            self.group.pending.remove(partition);
            self.group.assigned.insert(*partition);
            match self.partitions.get_mut(partition) {
                Some(Partition::Live(live)) => live.announce(&self.settings, self.now.ms),
                _ => self.log.pause(&[*partition]),
            }
        }
    }
}
