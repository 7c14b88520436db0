//! What is due when in a shard: one entry a card, the first of its timers, in order (due, card).

use std::collections::BTreeSet;

use super::card::Card;
use crate::model::{CardId, UnixTime};

/// Due times of a shard's cards.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(UnixTime, CardId)>);

/// Which of the due timers goes first. Anything but [`Order::Due`] is a planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Due,
    Reversed,
}

impl Timers {
    /// A card's next due time has changed.
    pub(super) fn moved(&mut self, card: CardId, from: UnixTime, to: UnixTime) {
        if from == to {
            return;
        }
        if from != Card::NO_TIMER {
            self.0.remove(&(from, card));
        }
        if to != Card::NO_TIMER {
            self.0.insert((to, card));
        }
    }

    /// The card to fire next at `now`.
    pub(super) fn due(&self, now: UnixTime, order: Order) -> Option<CardId> {
        let (due, card) = *self.0.first()?;
        match order {
            _ if due > now => None,
            Order::Due => Some(card),
            Order::Reversed => self.0.iter().take_while(|(due, _)| *due <= now).last().map(|(_, card)| *card),
        }
    }

    /// Rough bytes: B-tree nodes are on average two thirds full.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<(UnixTime, CardId)>() * 3 / 2
    }
}
