//! An import in which nothing moves: what is said of it, and when it is given up.
//!
//! Invariant: whoever waits is told for what, and not for ever: brokers that are away end the command.

use std::cell::Cell;
use std::rc::Rc;

use crate::ingest::{Change, Directory};
use crate::model::{CardId, CardName, DirectoryEntry, Number, UnixTime};
use crate::shell::SharedDirectory;

/// Between two lines about a standstill.
const TOLD_EVERY_MS: i64 = 10_000;
/// After so long it is given up.
const GIVEN_UP_AFTER_MS: i64 = 60_000;

/// What to do at a standstill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Do {
    GoOn,
    /// Tell that nothing has moved for so many seconds.
    Tell(i64),
    /// The same, and end.
    GiveUp(i64),
}

/// A standstill: where it all stands, since when, and when that was told.
#[derive(Debug)]
pub(super) struct Standstill<P> {
    at: P,
    since_ms: i64,
    told_ms: i64,
}

impl<P: PartialEq> Standstill<P> {
    pub(super) fn begin(at: P, now_ms: i64) -> Self {
        Self { at, since_ms: now_ms, told_ms: now_ms }
    }

    /// What to do where it stands so now.
    pub(super) fn look(&mut self, at: P, now_ms: i64) -> Do {
        if at != self.at {
            *self = Self::begin(at, now_ms);
            return Do::GoOn;
        }
        let for_ms = now_ms - self.since_ms;
        if for_ms >= GIVEN_UP_AFTER_MS {
            return Do::GiveUp(for_ms / 1_000);
        }
        if now_ms - self.told_ms < TOLD_EVERY_MS {
            return Do::GoOn;
        }
        self.told_ms = now_ms;
        Do::Tell(for_ms / 1_000)
    }
}

/// A directory that counts what is read into it: an import begins with that, and shows no other progress meanwhile. Clones share
/// both.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    directory: SharedDirectory,
    read: Rc<Cell<u64>>,
}

impl Counted {
    pub(super) fn read(&self) -> u64 {
        self.read.get()
    }
}

impl Directory for Counted {
    fn set_all(&mut self, name: CardName, card: CardId, entries: &[DirectoryEntry]) -> Change {
        self.read.set(self.read.get().wrapping_add(1));
        self.directory.set_all(name, card, entries)
    }

    fn holder(&self, number: Number, at: UnixTime) -> Option<CardId> {
        self.directory.holder(number, at)
    }

    fn conflicts(&self, number: Number) -> Vec<(DirectoryEntry, DirectoryEntry)> {
        self.directory.conflicts(number)
    }

    fn knows(&self, card: CardId) -> bool {
        self.directory.knows(card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_is_told_every_ten_seconds_and_given_up_after_a_minute() {
        let mut standstill = Standstill::begin(7, 1_000);
        let looks = [10_999, 11_000, 11_001, 20_999, 21_000, 60_999, 61_000].map(|at| standstill.look(7, at));
        let (on, tell) = (Do::GoOn, Do::Tell);
        assert_eq!(looks, [on, tell(10), on, on, tell(20), tell(59), Do::GiveUp(60)]);
    }

    #[test]
    fn what_moves_is_waited_for_anew() {
        let mut standstill = Standstill::begin(7, 0);
        assert_eq!(standstill.look(8, 59_999), Do::GoOn);
        assert_eq!(standstill.look(8, 69_998), Do::GoOn);
        assert_eq!(standstill.look(8, 69_999), Do::Tell(10));
        assert_eq!(standstill.look(8, 119_998), Do::Tell(59));
        assert_eq!(standstill.look(8, 119_999), Do::GiveUp(60));
    }
}
