//! The offset frontier of one source partition: which offset may be committed.
//!
//! Records leave nearly in the order in which they came, so they stand in a queue by offset, each with the number of log
//! messages that must be acknowledged before it is finished; what is finished leaves from the front. A record that is
//! held (parked, for up to a day) leaves the queue and stands apart, so that those behind it need not wait for it. Gaps in
//! a topic's offsets (markers, aborted messages) need no care. Invariant: [`Frontier::committable`] never passes an
//! outstanding offset.

use std::collections::{BTreeMap, VecDeque};

use crate::model::LogOffset;

/// Outstanding offsets of one partition.
#[derive(Debug, Default)]
pub struct Frontier {
    /// Ascending; the first is outstanding.
    queue: VecDeque<Taken>,
    /// Those that were held once, until they are finished.
    apart: BTreeMap<u64, Apart>,
    /// After the last offset taken; `None` before the first.
    next: Option<u64>,
    committed: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    offset: u64,
    bytes: u32,
    /// Acknowledgements still awaited; 0 = finished, or apart.
    acks: u32,
}

#[derive(Debug, Clone, Copy)]
struct Apart {
    bytes: u32,
    acks: u32,
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
    /// Goes on where a commit had come.
    pub fn go_on(&mut self, offset: LogOffset) {
        (self.next, self.committed) = (Some(offset.0), Some(offset.0));
    }

    /// Whether an offset has been taken before, which means that the log was rewound.
    #[must_use]
    pub fn has_passed(&self, offset: LogOffset) -> bool {
        self.next.is_some_and(|next| offset.0 < next)
    }

    /// Takes a record, which waits for one acknowledgement. Offsets ascend: see [`Self::has_passed`].
    pub fn begin(&mut self, offset: LogOffset, bytes: usize) {
        debug_assert!(!self.has_passed(offset), "offset {} is taken again", offset.0);
        self.queue.push_back(Taken { offset: offset.0, bytes: bytes as u32, acks: 1 });
        self.next = Some(offset.0.saturating_add(1));
    }

    /// The record of an offset, unless it has left the queue.
    fn taken(&mut self, offset: LogOffset) -> Option<&mut Taken> {
        let ahead = offset.0.checked_sub(self.queue.front()?.offset)?;
        // Without gaps its place is its distance; gaps only bring it nearer.
        let most = usize::try_from(ahead).unwrap_or(usize::MAX).min(self.queue.len() - 1);
        let at = match self.queue.get(most) {
            Some(taken) if taken.offset == offset.0 => most,
            _ => self.queue.binary_search_by_key(&offset.0, |taken| taken.offset).ok()?,
        };
        self.queue.get_mut(at).filter(|taken| taken.acks > 0)
    }

    /// Lets a record wait for more acknowledgements than one.
    pub fn expect(&mut self, offset: LogOffset, acks: u32) {
        if let Some(record) = self.taken(offset) {
            record.acks = acks.max(1);
        }
    }

    /// Notes one acknowledgement of a record; answers with its load when that was the last one.
    pub fn finish(&mut self, offset: LogOffset) -> Option<Load> {
        let Some(record) = self.taken(offset) else { return self.finish_apart(offset) };
        record.acks -= 1;
        let done = (record.acks == 0).then(|| Load::one(record.bytes as usize))?;
        self.pass_finished();
        Some(done)
    }

    fn finish_apart(&mut self, offset: LogOffset) -> Option<Load> {
        let record = self.apart.get_mut(&offset.0)?;
        record.acks -= 1;
        let done = (record.acks == 0).then(|| Load::one(record.bytes as usize))?;
        self.apart.remove(&offset.0);
        Some(done)
    }

    fn pass_finished(&mut self) {
        while self.queue.front().is_some_and(|taken| taken.acks == 0) {
            self.queue.pop_front();
        }
    }

    /// Takes a record out of flight, to be held; answers with its load.
    pub fn hold(&mut self, offset: LogOffset) -> Option<Load> {
        let Some(taken) = self.taken(offset) else { return self.turn(offset, State::Held) };
        let apart = Apart { bytes: taken.bytes, acks: taken.acks, state: State::Held };
        taken.acks = 0;
        self.apart.insert(offset.0, apart);
        self.pass_finished();
        Some(Load::one(apart.bytes as usize))
    }

    /// Puts a held record back into flight; answers with its load.
    pub fn release(&mut self, offset: LogOffset) -> Option<Load> {
        self.turn(offset, State::InFlight)
    }

    fn turn(&mut self, offset: LogOffset, state: State) -> Option<Load> {
        let record = self.apart.get_mut(&offset.0).filter(|record| record.state != state)?;
        record.state = state;
        Some(Load::one(record.bytes as usize))
    }

    /// What is in flight and not held.
    #[must_use]
    pub fn in_flight(&self) -> Load {
        let mut load = Load::default();
        let queued = self.queue.iter().filter(|record| record.acks > 0).map(|record| record.bytes);
        let apart = self.apart.values().filter(|record| record.state == State::InFlight);
        let all = queued.chain(apart.map(|record| record.bytes));
        all.for_each(|bytes| load.add(Load::one(bytes as usize)));
        load
    }

    /// Records from the oldest in the queue to the newest: what this takes in memory, beside the records apart.
    #[must_use]
    pub fn span(&self) -> usize {
        self.queue.len()
    }

    /// The next offset to read after a restart: the oldest outstanding one, else the one after the last taken.
    #[must_use]
    pub fn committable(&self) -> Option<LogOffset> {
        let queued = self.queue.front().map(|taken| taken.offset);
        let apart = self.apart.keys().next().copied();
        queued.into_iter().chain(apart).min().or(self.next).map(LogOffset)
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
    fn records_behind_a_held_one_leave_the_queue() {
        let mut frontier = taken(&[3, 4, 9]);
        frontier.hold(LogOffset(3));
        frontier.finish(LogOffset(9));
        assert_eq!(frontier.span(), 2);
        frontier.finish(LogOffset(4));
        assert_eq!((frontier.span(), frontier.committable()), (0, Some(LogOffset(3))));
        frontier.release(LogOffset(3));
        assert_eq!(frontier.finish(LogOffset(3)), Some(Load::one(10)));
        assert_eq!(frontier.finish(LogOffset(3)), None);
        assert_eq!(frontier.committable(), Some(LogOffset(10)));
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
