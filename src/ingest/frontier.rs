//! The offset frontier of one source partition: which offset may be committed.
//!
//! It keeps the offsets still outstanding, each with the number of log messages that must be acknowledged before it is
//! finished, so its size is what is in flight or held, however far the records behind the oldest have come, and gaps in a
//! topic's offsets (markers, aborted messages) need no care. Invariant: [`Frontier::committable`] never passes an
//! outstanding offset.

use std::collections::BTreeMap;

use crate::model::LogOffset;

/// Outstanding offsets of one partition.
#[derive(Debug, Default)]
pub struct Frontier {
    outstanding: BTreeMap<u64, Outstanding>,
    /// After the last offset taken; `None` before the first.
    next: Option<u64>,
    committed: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Outstanding {
    /// Acknowledgements still awaited.
    acks: u32,
    bytes: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InFlight,
    /// Parked in memory: outstanding, but not on its way.
    Held,
}

/// Records and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub records: usize,
    pub bytes: usize,
}

impl Load {
    /// One record.
    #[must_use]
    pub fn one(bytes: usize) -> Self {
        Self { records: 1, bytes }
    }

    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    /// Takes away what was added before.
    pub fn sub(&mut self, other: Self) {
        debug_assert!(
            self.records >= other.records && self.bytes >= other.bytes,
            "more given back than taken"
        );
        self.records = self.records.saturating_sub(other.records);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

impl Frontier {
    /// Whether an offset has been taken before, which means that the log was rewound.
    #[must_use]
    pub fn has_passed(&self, offset: LogOffset) -> bool {
        self.next.is_some_and(|next| offset.0 < next)
    }

    /// Takes a record, which waits for one acknowledgement.
    pub fn begin(&mut self, offset: LogOffset, bytes: usize) {
        self.outstanding.insert(offset.0, Outstanding { acks: 1, bytes, state: State::InFlight });
        self.next = self.next.max(Some(offset.0.saturating_add(1)));
    }

    /// Lets a record wait for more acknowledgements than one.
    pub fn expect(&mut self, offset: LogOffset, acks: u32) {
        if let Some(record) = self.outstanding.get_mut(&offset.0) {
            record.acks = acks.max(1);
        }
    }

    /// Notes one acknowledgement of a record; answers with its load when that was the last one.
    pub fn finish(&mut self, offset: LogOffset) -> Option<Load> {
        let record = self.outstanding.get_mut(&offset.0)?;
        record.acks -= 1;
        if record.acks > 0 {
            return None;
        }
        self.outstanding.remove(&offset.0).map(|record| Load::one(record.bytes))
    }

    /// Takes a record out of flight, to be held; answers with its load.
    pub fn hold(&mut self, offset: LogOffset) -> Option<Load> {
        self.turn(offset, State::Held)
    }

    /// Puts a held record back into flight; answers with its load.
    pub fn release(&mut self, offset: LogOffset) -> Option<Load> {
        self.turn(offset, State::InFlight)
    }

    fn turn(&mut self, offset: LogOffset, state: State) -> Option<Load> {
        let record = self.outstanding.get_mut(&offset.0).filter(|record| record.state != state)?;
        record.state = state;
        Some(Load::one(record.bytes))
    }

    /// What is in flight and not held.
    #[must_use]
    pub fn in_flight(&self) -> Load {
        let mut load = Load::default();
        let in_flight = self.outstanding.values().filter(|record| record.state == State::InFlight);
        in_flight.for_each(|record| load.add(Load::one(record.bytes)));
        load
    }

    /// The next offset to read after a restart: the oldest outstanding one, else the one after the last taken.
    #[must_use]
    pub fn committable(&self) -> Option<LogOffset> {
        self.outstanding.keys().next().copied().or(self.next).map(LogOffset)
    }

    /// The same, if it is not what was last committed.
    #[must_use]
    pub fn uncommitted(&self) -> Option<LogOffset> {
        self.committable().filter(|offset| Some(offset.0) != self.committed)
    }

    /// Notes that an offset has been committed.
    pub fn committed(&mut self, offset: LogOffset) {
        self.committed = Some(offset.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(offsets: &[u64]) -> Frontier {
        let mut frontier = Frontier::default();
        for offset in offsets {
            frontier.begin(LogOffset(*offset), 10);
        }
        frontier
    }

    #[test]
    fn nothing_taken_leaves_nothing_to_commit() {
        assert_eq!(Frontier::default().committable(), None);
    }

    #[test]
    fn the_oldest_outstanding_record_holds_the_frontier() {
        let mut frontier = taken(&[7, 8, 9]);
        frontier.finish(LogOffset(8));
        frontier.finish(LogOffset(9));
        assert_eq!(frontier.committable(), Some(LogOffset(7)));
        frontier.finish(LogOffset(7));
        assert_eq!(frontier.committable(), Some(LogOffset(10)));
    }

    #[test]
    fn offsets_that_hold_no_message_are_passed() {
        let mut frontier = taken(&[7, 20]);
        frontier.finish(LogOffset(7));
        assert_eq!(frontier.committable(), Some(LogOffset(20)));
    }

    #[test]
    fn a_record_for_every_partition_waits_for_each() {
        let mut frontier = taken(&[3]);
        frontier.expect(LogOffset(3), 2);
        assert_eq!(frontier.finish(LogOffset(3)), None);
        assert_eq!(frontier.committable(), Some(LogOffset(3)));
        assert_eq!(frontier.finish(LogOffset(3)), Some(Load::one(10)));
        assert_eq!(frontier.committable(), Some(LogOffset(4)));
    }

    #[test]
    fn a_held_record_holds_the_frontier_without_being_in_flight() {
        let mut frontier = taken(&[3, 4]);
        assert_eq!(frontier.hold(LogOffset(3)), Some(Load::one(10)));
        assert_eq!(frontier.hold(LogOffset(3)), None);
        frontier.finish(LogOffset(4));
        assert_eq!((frontier.in_flight(), frontier.committable()), (Load::default(), Some(LogOffset(3))));
        assert_eq!(frontier.release(LogOffset(3)), Some(Load::one(10)));
        assert_eq!(frontier.in_flight(), Load::one(10));
    }

    #[test]
    fn what_is_committed_is_not_committed_again() {
        let mut frontier = taken(&[7]);
        assert_eq!(frontier.uncommitted(), Some(LogOffset(7)));
        frontier.committed(LogOffset(7));
        assert_eq!(frontier.uncommitted(), None);
        frontier.finish(LogOffset(7));
        assert_eq!(frontier.uncommitted(), Some(LogOffset(8)));
    }
}
