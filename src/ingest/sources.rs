//! The partitions that ingest reads, and its budget of records and bytes in flight.
//!
//! Every assignment of a partition gets a slot of its own, so that acknowledgements that arrive after a partition was
//! dropped, or after the log was rewound, touch nothing. Invariant: the budget is the sum of the frontiers' loads in
//! flight and of the batches, and returns to zero with them.

use std::collections::BTreeMap;

use super::frontier::{Frontier, Load};
use super::push::Pushes;
use crate::log::{Topic, TopicPartition};
use crate::model::LogOffset;

/// One assignment of a partition: the partition's place, and how many assignments it had had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    place: u32,
    assignment: u32,
}

/// An outside record: by which assignment it was read, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ref {
    pub slot: Slot,
    pub offset: LogOffset,
}

impl Ref {
    /// Of a record that stands in no topic: nothing waits for it.
    pub(super) const NONE: Self =
        Self { slot: Slot { place: u32::MAX, assignment: 0 }, offset: LogOffset(0) };

    /// Of a record of a batch that was pushed.
    pub(super) fn pushed(ticket: u64) -> Self {
        Self { slot: PUSHED, offset: LogOffset(ticket) }
    }
}

/// The slot of all batches: they are told apart by their tickets.
const PUSHED: Slot = Slot { place: u32::MAX - 1, assignment: 0 };

/// The slot of events of gaps, which no source waits for.
const TOLD: Slot = Slot { place: u32::MAX - 2, assignment: 0 };

/// A partition that is read, or was.
#[derive(Debug)]
struct Source {
    at: TopicPartition,
    assignment: u32,
    /// `None` while it is not ours.
    open: Option<Frontier>,
    paused: bool,
}

/// All partitions read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    places: BTreeMap<TopicPartition, u32>,
    entries: Vec<Source>,
    /// Where the last record stood: the next one is mostly of the same partition.
    last: u32,
    load: Load,
    telling: usize,
    pub pushes: Pushes,
}

impl Sources {
    /// Begins a partition anew; answers with the slot that it had.
    pub(super) fn assign(&mut self, at: TopicPartition) -> Option<Slot> {
        let dropped = self.drop(at);
        let next = self.entries.len() as u32;
        let place = *self.places.entry(at).or_insert(next);
        if place == next {
            self.entries.push(Source { at, assignment: 0, open: None, paused: false });
        }
        let source = &mut self.entries[place as usize];
        source.assignment = source.assignment.wrapping_add(1);
        (source.open, source.paused) = (Some(Frontier::default()), false);
        dropped
    }

    /// A partition that was just assigned goes on where a commit had come.
    pub(super) fn go_on(&mut self, at: TopicPartition, offset: LogOffset) {
        let source = self.place(at).and_then(|place| self.entries.get_mut(place as usize));
        if let Some(frontier) = source.and_then(|source| source.open.as_mut()) {
            frontier.go_on(offset);
        }
    }

    /// Where a partition's reading would go on after a restart, if that is known.
    pub(super) fn committable(&self, at: TopicPartition) -> Option<LogOffset> {
        let source = self.place(at).and_then(|place| self.entries.get(place as usize))?;
        source.open.as_ref()?.committable()
    }

    /// An event of a gap is on its way.
    pub(super) fn tell(&mut self) -> Ref {
        self.telling += 1;
        Ref { slot: TOLD, offset: LogOffset(0) }
    }

    /// Whether the log has every event of a gap.
    pub(super) fn has_told(&self) -> bool {
        self.telling == 0
    }

    /// Forgets a partition: others read again what is not committed.
    pub(super) fn drop(&mut self, at: TopicPartition) -> Option<Slot> {
        let place = self.place(at)?;
        let source = &mut self.entries[place as usize];
        self.load.sub(source.open.take()?.in_flight());
        Some(Slot { place, assignment: source.assignment })
    }

    fn place(&self, at: TopicPartition) -> Option<u32> {
        let last = self.entries.get(self.last as usize).filter(|source| source.at == at);
        if last.is_some() { Some(self.last) } else { self.places.get(&at).copied() }
    }

    /// The frontier of an assignment, unless that is over.
    fn open(&mut self, slot: Slot) -> Option<&mut Frontier> {
        let source = self.entries.get_mut(slot.place as usize)?;
        source.open.as_mut().filter(|_| source.assignment == slot.assignment)
    }

    /// Whether a message's offset has been taken in this assignment, or the partition was never assigned.
    pub(super) fn is_new(&self, at: TopicPartition, offset: LogOffset) -> bool {
        let source = self.place(at).and_then(|place| self.entries.get(place as usize));
        let frontier = source.and_then(|source| source.open.as_ref());
        frontier.is_none_or(|frontier| frontier.has_passed(offset))
    }

    /// Takes a record into flight.
    pub(super) fn begin(&mut self, at: TopicPartition, offset: LogOffset, bytes: usize) -> Option<Ref> {
        let place = self.place(at)?;
        self.last = place;
        let source = self.entries.get_mut(place as usize)?;
        source.open.as_mut()?.begin(offset, bytes);
        self.load.add(Load::one(bytes));
        Some(Ref { slot: Slot { place, assignment: source.assignment }, offset })
    }

    /// Lets a record wait for several acknowledgements.
    pub(super) fn expect(&mut self, record: Ref, acks: u32) {
        if let Some(frontier) = self.open(record.slot) {
            frontier.expect(record.offset, acks);
        }
    }

    /// Notes one acknowledgement.
    pub(super) fn finish(&mut self, record: Ref) {
        let load = match record.slot {
            PUSHED => self.pushes.finish(record.offset.0),
            TOLD => {
                self.telling = self.telling.saturating_sub(1);
                None
            }
            slot => self.open(slot).and_then(|frontier| frontier.finish(record.offset)),
        };
        self.load.sub(load.unwrap_or_default());
    }

    /// Takes a record out of flight, to be held.
    pub(super) fn hold(&mut self, record: Ref) {
        let load = self.open(record.slot).and_then(|frontier| frontier.hold(record.offset));
        self.load.sub(load.unwrap_or_default());
    }

    /// Puts a held record back into flight.
    pub(super) fn release(&mut self, record: Ref) {
        let load = self.open(record.slot).and_then(|frontier| frontier.release(record.offset));
        self.load.add(load.unwrap_or_default());
    }

    /// Takes a batch into flight, which counts as its records do.
    pub(super) fn load_more(&mut self, load: Load) {
        self.load.add(load);
    }

    /// What is in flight.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    fn frontiers(&self) -> impl Iterator<Item = (TopicPartition, &Frontier)> {
        let ours = |place: &u32| self.entries.get(*place as usize);
        self.places.values().filter_map(ours).filter_map(|source| Some((source.at, source.open.as_ref()?)))
    }

    /// Records from the oldest in flight to the newest, of all partitions: what the frontiers take in memory.
    pub(super) fn span(&self) -> usize {
        self.frontiers().map(|(_, frontier)| frontier.span()).sum()
    }

    /// Offsets that may be committed and are not.
    pub(super) fn uncommitted(&self) -> Vec<(TopicPartition, LogOffset)> {
        self.frontiers().filter_map(|(at, frontier)| Some((at, frontier.uncommitted()?))).collect()
    }

    /// Whether there are any of topics that are looked at.
    pub(super) fn has_uncommitted(&self, is_looked_at: impl Fn(Topic) -> bool) -> bool {
        self.frontiers().any(|(at, frontier)| is_looked_at(at.topic) && frontier.uncommitted().is_some())
    }

    /// Notes that these were committed.
    pub(super) fn committed(&mut self, offsets: &[(TopicPartition, LogOffset)]) {
        for (at, offset) in offsets {
            let source = self.place(*at).and_then(|place| self.entries.get_mut(place as usize));
            if let Some(frontier) = source.and_then(|source| source.open.as_mut()) {
                frontier.committed(*offset);
            }
        }
    }

    /// Sets which partitions should be paused; answers with those to pause and those to resume.
    pub(super) fn pause_where(
        &mut self,
        wanted: impl Fn(Topic) -> bool,
    ) -> (Vec<TopicPartition>, Vec<TopicPartition>) {
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for place in self.places.values() {
            let Some(source) = self.entries.get_mut(*place as usize) else { continue };
            let wanted = wanted(source.at.topic);
            if source.open.is_some() && wanted != source.paused {
                source.paused = wanted;
                if wanted { &mut pause } else { &mut resume }.push(source.at);
            }
        }
        (pause, resume)
    }
}
