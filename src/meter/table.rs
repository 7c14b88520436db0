//! The cards of a shard: dense lines in the order in which cards came, and a hash index of their places.
//!
//! Invariant: lines are only ever iterated in their order, never by hash; the index is rebuilt, not written.

use hashbrown::HashTable;

use super::card::Card;
use crate::model::CardId;

/// Place of a card in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

/// Lines and their index.
#[derive(Debug, Default)]
pub(super) struct Table {
    lines: Vec<Card>,
    index: HashTable<u32>,
}

impl Table {
    pub(super) fn find(&self, card: CardId) -> Option<Place> {
        let at = |place: &u32| self.lines.get(*place as usize).is_some_and(|line| line.id == card);
        self.index.find(card.hash64(), at).copied().map(Place)
    }

    pub(super) fn insert(&mut self, card: Card) -> Place {
        let place = u32::try_from(self.lines.len()).expect("a shard holds fewer than 2^32 cards");
        let id = card.id;
        if self.lines.len() == self.lines.capacity() {
            // Doubling would waste a quarter of the memory of ten million lines.
            self.lines.reserve_exact(16 + self.lines.len() / 8);
        }
        self.lines.push(card);
        let lines = &self.lines;
        let hash = |place: &u32| lines.get(*place as usize).map_or(0, |line| line.id.hash64());
        self.index.insert_unique(id.hash64(), place, hash);
        Place(place)
    }

    pub(super) fn get(&self, place: Place) -> &Card {
        self.lines.get(place.0 as usize).expect("places are never given up")
    }

    pub(super) fn get_mut(&mut self, place: Place) -> &mut Card {
        self.lines.get_mut(place.0 as usize).expect("places are never given up")
    }

    /// All cards in their order.
    pub(super) fn lines(&self) -> &[Card] {
        &self.lines
    }

    /// Places from `first` on, at most `most`.
    pub(super) fn places(&self, first: u32, most: usize) -> impl Iterator<Item = Place> + use<> {
        (first..self.lines.len() as u32).take(most).map(Place)
    }

    /// Bytes of lines and index.
    pub(super) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Card>() + self.index.capacity() * (size_of::<u32>() + 1)
    }
}
