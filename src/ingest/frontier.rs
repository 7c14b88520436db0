//! The offset frontier of one source partition: which offset may be committed.
//!
//! It keeps the offsets still outstanding, each with the number of log messages that must be acknowledged before it is
//! finished, so its size is what is in flight, however far the records behind the oldest have come, and gaps in a topic's
//! offsets (markers, aborted messages) need no care. Invariant: [`Frontier::committable`] never passes an outstanding
//! offset.

use std::collections::BTreeMap;

use crate::model::LogOffset;

/// Outstanding offsets of one partition.
#[derive(Debug, Default)]
pub struct Frontier {
    /// Offset → acknowledgements still awaited.
    outstanding: BTreeMap<u64, u32>,
    /// After the last offset taken; `None` before the first.
    next: Option<u64>,
    committed: Option<u64>,
}

/// What finishing one acknowledgement meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The record waits for more.
    Partly,
    /// The record is done with.
    Wholly,
}

impl Frontier {
    /// Takes a record that waits for `acks` acknowledgements, at least one.
    pub fn begin(&mut self, offset: LogOffset, acks: u32) {
        self.outstanding.insert(offset.0, acks.max(1));
        self.next = self.next.max(Some(offset.0.saturating_add(1)));
    }

    /// Notes one acknowledgement of a record.
    pub fn finish(&mut self, offset: LogOffset) -> Finished {
        match self.outstanding.get_mut(&offset.0) {
            Some(acks) if *acks > 1 => {
                *acks -= 1;
                Finished::Partly
            }
            _ => {
                self.outstanding.remove(&offset.0);
                Finished::Wholly
            }
        }
    }

    /// The next offset to read after a restart: the oldest outstanding one, else the one after the last taken.
    #[must_use]
    pub fn committable(&self) -> Option<LogOffset> {
        self.outstanding.keys().next().copied().or(self.next).map(LogOffset)
    }

    /// The same, if it is further than what was last committed.
    #[must_use]
    pub fn uncommitted(&self) -> Option<LogOffset> {
        self.committable().filter(|offset| Some(offset.0) != self.committed)
    }

    /// Notes that an offset has been committed.
    pub fn committed(&mut self, offset: LogOffset) {
        self.committed = Some(offset.0);
    }

    /// Records outstanding.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outstanding.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outstanding.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(offsets: &[u64]) -> Frontier {
        let mut frontier = Frontier::default();
        for offset in offsets {
            frontier.begin(LogOffset(*offset), 1);
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
        let mut frontier = Frontier::default();
        frontier.begin(LogOffset(3), 2);
        assert_eq!(frontier.finish(LogOffset(3)), Finished::Partly);
        assert_eq!(frontier.committable(), Some(LogOffset(3)));
        assert_eq!(frontier.finish(LogOffset(3)), Finished::Wholly);
        assert_eq!(frontier.committable(), Some(LogOffset(4)));
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
