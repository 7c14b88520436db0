//! Where a worker's partitions lie while it waits for messages, so that whoever has a question looks for himself.
//!
//! A worker that keeps up waits for most of its time, and to be woken for a question costs it more than the records between
//! two questions do. So it lays its partitions down before it waits, and takes them up when a message comes. Who asks while
//! they lie there is answered on his own thread; who asks while the worker has them in hand leaves the question in the
//! mailbox, and the worker answers it between two polls.
//!
//! Invariants: **an answer is as of one place in the log**: partitions lie here only between two messages, and nobody folds
//! what lies here. **No question is forgotten**: it is left in the mailbox under the lock under which the partitions are laid
//! down, and they are not laid down while one is left there. **Nothing stays behind**: whatever ends a wait, an error or a panic
//! too, the worker has its partitions again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::mailbox::{CardAnswer, Mailbox};
use super::orders::{Staleness, card_of};
use super::partition::Partition;
use crate::model::CardId;

/// All partitions of a worker, by number.
pub(super) type Partitions = BTreeMap<u32, Partition>;

/// The shelf of one worker.
#[derive(Default)]
pub struct Shelf(Mutex<Option<Laid>>);

/// What lies there.
struct Laid {
    partitions: Partitions,
    staleness: Staleness,
}

/// A question, as whoever asks it has it.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    pub card: CardId,
    /// The card's partition.
    pub partition: u32,
    /// What the machine's clock says, milliseconds since 1970.
    pub clock_ms: i64,
}

/// What came of a question.
#[derive(Debug)]
pub enum Asked<T> {
    Answered(CardAnswer),
    /// The worker has its partitions in hand: what leaving the question for it came to.
    Left(T),
}

impl Shelf {
    /// Answers from what lies here, or has the question left where the worker will find it before it waits again. `leave`
    /// must not wait: the worker might.
    pub fn ask<T>(&self, question: Question, leave: impl FnOnce() -> T) -> Asked<T> {
        let held = self.held();
        let Some(laid) = &*held else { return Asked::Left(leave()) };
        let stale = laid.staleness.at(question.clock_ms);
        Asked::Answered(card_of(&laid.partitions, (question.partition, question.card), stale))
    }

    fn held(&self) -> MutexGuard<'_, Option<Laid>> {
        // Whoever asks changes nothing: a panic of his leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's partitions while it may wait: down until they are wanted, then in hand.
pub(super) struct Lent<'a> {
    /// How long may be waited.
    pub(super) wait_ms: u64,
    /// Where they lie, while they do.
    shelf: Option<&'a Shelf>,
    hand: &'a mut Partitions,
}

impl<'a> Lent<'a> {
    /// For a wait of so long: partitions are laid down if it is one at all, and it is none while a question waits for the
    /// worker.
    pub(super) fn new(
        hand: &'a mut Partitions,
        staleness: Staleness,
        mailbox: &'a dyn Mailbox,
        wait_ms: u64,
    ) -> Self {
        let Some(shelf) = mailbox.shelf().filter(|_| wait_ms > 0) else {
            let wait_ms = if mailbox.is_empty() { wait_ms } else { 0 };
            return Self { wait_ms, shelf: None, hand };
        };
        let mut held = shelf.held();
        if !mailbox.is_empty() {
            return Self { wait_ms: 0, shelf: None, hand };
        }
        *held = Some(Laid { partitions: std::mem::take(hand), staleness });
        Self { wait_ms, shelf: Some(shelf), hand }
    }

    /// In hand, from now on.
    pub(super) fn hand(&mut self) -> &mut Partitions {
        if let Some(shelf) = self.shelf.take()
            && let Some(laid) = shelf.held().take()
        {
            *self.hand = laid.partitions;
        }
        self.hand
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.hand();
    }
}
