//! The partitions that ingest reads, and its budget of records and bytes in flight.
//!
//! Every assignment of a partition gets a slot of its own, so that acknowledgements that arrive after a partition was
//! dropped, or after the log was rewound, touch nothing. Invariant: the budget is the sum of the frontiers' loads in
//! flight, and returns to zero with them.

use std::collections::{BTreeMap, HashMap};

use super::frontier::{Frontier, Load};
use crate::log::{Topic, TopicPartition};
use crate::model::LogOffset;

/// One assignment of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

/// An outside record: by which assignment it was read, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ref {
    pub slot: Slot,
    pub offset: LogOffset,
}

impl Ref {
    /// Of a record that stands in no topic: nothing waits for it.
    pub(super) const NONE: Self = Self { slot: Slot(0), offset: LogOffset(0) };
}

#[derive(Debug, Default)]
struct Source {
    frontier: Frontier,
    paused: bool,
}

/// All partitions read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    slots: BTreeMap<TopicPartition, Slot>,
    open: HashMap<Slot, Source>,
    made: u32,
    load: Load,
}

impl Sources {
    /// Begins a partition anew; answers with the slot that it had.
    pub(super) fn assign(&mut self, at: TopicPartition) -> Option<Slot> {
        let dropped = self.drop(at);
        self.made += 1;
        self.slots.insert(at, Slot(self.made));
        self.open.insert(Slot(self.made), Source::default());
        dropped
    }

    /// Forgets a partition: others read again what is not committed.
    pub(super) fn drop(&mut self, at: TopicPartition) -> Option<Slot> {
        let slot = self.slots.remove(&at)?;
        if let Some(source) = self.open.remove(&slot) {
            self.load.sub(source.frontier.in_flight());
        }
        Some(slot)
    }

    /// Whether a message's offset has been taken in this assignment, or the partition was never assigned.
    pub(super) fn is_new(&self, at: TopicPartition, offset: LogOffset) -> bool {
        let source = self.slots.get(&at).and_then(|slot| self.open.get(slot));
        source.is_none_or(|source| source.frontier.has_passed(offset))
    }

    /// Takes a record into flight.
    pub(super) fn begin(&mut self, at: TopicPartition, offset: LogOffset, bytes: usize) -> Option<Ref> {
        let slot = *self.slots.get(&at)?;
        self.open.get_mut(&slot)?.frontier.begin(offset, bytes);
        self.load.add(Load::one(bytes));
        Some(Ref { slot, offset })
    }

    /// Lets a record wait for several acknowledgements.
    pub(super) fn expect(&mut self, record: Ref, acks: u32) {
        if let Some(source) = self.open.get_mut(&record.slot) {
            source.frontier.expect(record.offset, acks);
        }
    }

    /// Notes one acknowledgement.
    pub(super) fn finish(&mut self, record: Ref) {
        let load = self.open.get_mut(&record.slot).and_then(|s| s.frontier.finish(record.offset));
        self.load.sub(load.unwrap_or_default());
    }

    /// Takes a record out of flight, to be held.
    pub(super) fn hold(&mut self, record: Ref) {
        let load = self.open.get_mut(&record.slot).and_then(|s| s.frontier.hold(record.offset));
        self.load.sub(load.unwrap_or_default());
    }

    /// Puts a held record back into flight.
    pub(super) fn release(&mut self, record: Ref) {
        let load = self.open.get_mut(&record.slot).and_then(|s| s.frontier.release(record.offset));
        self.load.add(load.unwrap_or_default());
    }

    /// What is in flight.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// Offsets that may be committed and are not.
    pub(super) fn uncommitted(&self) -> Vec<(TopicPartition, LogOffset)> {
        let one =
            |(at, slot): (&TopicPartition, &Slot)| Some((*at, self.open.get(slot)?.frontier.uncommitted()?));
        self.slots.iter().filter_map(one).collect()
    }

    pub(super) fn has_uncommitted(&self) -> bool {
        self.open.values().any(|source| source.frontier.uncommitted().is_some())
    }

    /// Notes that these were committed.
    pub(super) fn committed(&mut self, offsets: &[(TopicPartition, LogOffset)]) {
        for (at, offset) in offsets {
            let slot = self.slots.get(at).copied();
            if let Some(source) = slot.and_then(|slot| self.open.get_mut(&slot)) {
                source.frontier.committed(*offset);
            }
        }
    }

    /// Sets which partitions should be paused; answers with those to pause and those to resume.
    pub(super) fn pause_where(
        &mut self,
        wanted: impl Fn(Topic) -> bool,
    ) -> (Vec<TopicPartition>, Vec<TopicPartition>) {
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (at, slot) in &self.slots {
            let Some(source) = self.open.get_mut(slot) else { continue };
            let wanted = wanted(at.topic);
            if wanted != source.paused {
                source.paused = wanted;
                if wanted { &mut pause } else { &mut resume }.push(*at);
            }
        }
        (pause, resume)
    }
}
