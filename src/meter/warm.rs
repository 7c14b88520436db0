//! Cards of a group of records, found and fetched from memory together: one after the other each would wait for several
//! lines of it. First the index, then the cards' lines, then what they point to; the processor waits for each of these
//! once a group instead of once a record.
//!
//! Invariant: nothing is changed and nothing is decided here; a place is only likely until its line was looked at.

use super::card::Card;
use super::fold::Meter;
use super::table::Place;
use crate::model::{CardId, shard_of};

/// Records whose cards are fetched together.
pub(super) const GROUP: usize = 16;

/// Where the cards of a group are likely to be.
pub(super) type Likely = [Option<Place>; GROUP];

impl Meter {
    /// Finds and fetches the cards of a group, of at most [`GROUP`]; `None` is a record without a card.
    pub(super) fn warm(&self, cards: impl Iterator<Item = Option<CardId>> + Clone) -> Likely {
        let mut likely = [None; GROUP];
        for (place, card) in likely.iter_mut().zip(cards.clone()) {
            *place = card.and_then(|card| self.shards[shard_of(card)].table.likely(card));
        }
        self.each(cards.clone(), &likely, Card::warm);
        self.each(cards, &likely, Card::warm_heap);
        likely
    }

    fn each(&self, cards: impl Iterator<Item = Option<CardId>>, likely: &Likely, look: fn(&Card)) {
        for (card, place) in cards.zip(likely) {
            if let (Some(card), Some(place)) = (card, place) {
                look(self.shards[shard_of(card)].table.get(*place));
            }
        }
    }
}
