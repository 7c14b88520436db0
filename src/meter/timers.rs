//! What is due when in a shard: one entry a card, the first of its timers, in order (due, card).

use std::collections::BTreeSet;

use super::card::Card;
use crate::model::{CardId, UnixTime};

/// Due times of a shard's cards: the second above the card, in one number, as there are as many as cards.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<u128>);

/// Which of the due timers goes first. Anything but [`Order::Due`] is a planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Due,
    Reversed,
}

/// Of the seconds that the bits above a card can tell: 71 million years to either side of 1970.
const EARLIEST: i64 = -(1 << (127 - CardId::BITS));
const LATEST: i64 = -(EARLIEST + 1);

fn key(due: UnixTime, card: CardId) -> u128 {
    let since_earliest = due.clamp(EARLIEST, LATEST) - EARLIEST;
    (since_earliest as u128) << CardId::BITS | card.packed()
}

fn due_of(key: u128) -> UnixTime {
    (key >> CardId::BITS) as i64 + EARLIEST
}

impl Timers {
    /// A card's next due time has changed.
    pub(super) fn moved(&mut self, card: CardId, from: UnixTime, to: UnixTime) {
        if from == to {
            return;
        }
        if from != Card::NO_TIMER {
            self.0.remove(&key(from, card));
        }
        if to != Card::NO_TIMER {
            self.0.insert(key(to, card));
        }
    }

    /// The card to fire next at `now`.
    pub(super) fn due(&self, now: UnixTime, order: Order) -> Option<CardId> {
        let first = *self.0.first()?;
        let of = |key: u128| Some(CardId::from_packed(key));
        match order {
            _ if due_of(first) > now => None,
            Order::Due => of(first),
            Order::Reversed => {
                self.0.iter().copied().take_while(|key| due_of(*key) <= now).last().and_then(of)
            }
        }
    }

    /// Rough bytes: B-tree nodes are on average two thirds full.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<u128>() * 3 / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_first_and_of_one_second_the_lowest_card() {
        let card = |text: &str| CardId::parse(text).unwrap();
        let (low, high) = (card("0000000000000000000"), card("FFFFFFFFFFFFFFFFFFF"));
        let mut timers = Timers::default();
        for (card, due) in [(high, 0), (low, 1), (high, -1), (low, 0), (low, -1_800_000_000)] {
            timers.moved(card, Card::NO_TIMER, due);
        }
        for (due, card) in [(-1_800_000_000, low), (-1, high), (0, low), (0, high), (1, low)] {
            assert_eq!(timers.due(due, Order::Due), Some(card), "{due}");
            timers.moved(card, due, Card::NO_TIMER);
            assert_eq!(timers.due(due - 1, Order::Due), None, "before {due}");
        }
        assert_eq!((timers.due(UnixTime::MAX, Order::Due), timers.bytes()), (None, 0));
    }
}
