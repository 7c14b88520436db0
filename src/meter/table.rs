//! The cards of a shard: dense lines in the order in which cards came, and a hash index of their places.
//!
//! Nothing else holds a table, so there are no locks; `benches/meter.rs` sets it beside the maps that others would take.
//!
//! Invariant: lines are only ever iterated in their order, never by hash; the index is rebuilt, not written.

use hashbrown::HashTable;

use crate::model::CardId;

/// The cards of a shard have the top bits of their hash in common, by which the index tells apart what stands in one
/// group: without new ones every look would compare with most of a group's lines, each of them far away in memory.
fn index_hash(card: CardId) -> u64 {
    card.hash64().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The low half of a card's hash, which no shard has in common.
fn tag(card: CardId) -> u32 {
    card.hash64() as u32
}

/// What a table holds a card.
pub trait Line {
    fn card(&self) -> CardId;
}

/// Place of a card in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u32);

/// Of the index: where a card is, and enough of its hash to tell it from others without a look at its line.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    place: u32,
}

/// Lines and their index.
#[derive(Debug)]
pub struct Table<L> {
    lines: Vec<L>,
    index: HashTable<Entry>,
}

impl<L> Default for Table<L> {
    fn default() -> Self {
        Self { lines: Vec::new(), index: HashTable::new() }
    }
}

impl<L: Line> Table<L> {
    #[must_use]
    pub fn find(&self, card: CardId) -> Option<Place> {
        let at = |entry: &Entry| self.lines.get(entry.place as usize).is_some_and(|line| line.card() == card);
        self.index.find(index_hash(card), at).map(|entry| Place(entry.place))
    }

    /// The place of a card, or, once in four thousand million, of another; its line is not looked at.
    #[must_use]
    pub fn likely(&self, card: CardId) -> Option<Place> {
        let tag = tag(card);
        self.index.find(index_hash(card), |entry| entry.tag == tag).map(|entry| Place(entry.place))
    }

    /// The place of a card whose likely place is known.
    #[must_use]
    pub fn sure(&self, card: CardId, likely: Option<Place>) -> Option<Place> {
        likely.filter(|place| self.get(*place).card() == card).or_else(|| self.find(card))
    }

    /// Adds the line of a card that has none.
    ///
    /// # Panics
    /// The table is full: 2^32 cards.
    pub fn insert(&mut self, line: L) -> Place {
        let place = u32::try_from(self.lines.len()).expect("a shard holds fewer than 2^32 cards");
        let card = line.card();
        if self.lines.len() == self.lines.capacity() {
            // Doubling would waste a quarter of the memory of ten million lines.
            self.lines.reserve_exact(16 + self.lines.len() / 16);
        }
        self.lines.push(line);
        let lines = &self.lines;
        let hash = |entry: &Entry| lines.get(entry.place as usize).map_or(0, |line| index_hash(line.card()));
        self.index.insert_unique(index_hash(card), Entry { tag: tag(card), place }, hash);
        Place(place)
    }

    #[must_use]
    pub fn get(&self, place: Place) -> &L {
        self.lines.get(place.0 as usize).expect("a place that was found, before any line was taken out")
    }

    pub fn get_mut(&mut self, place: Place) -> &mut L {
        self.lines.get_mut(place.0 as usize).expect("a place that was found, before any line was taken out")
    }

    /// Takes a card's line out. The last card moves to its place, so places found before are no longer right.
    ///
    /// # Panics
    /// The place is not one of the table's.
    pub fn remove(&mut self, place: Place) -> L {
        let last = self.lines.len().saturating_sub(1);
        let moved = self.lines.last().map(Line::card);
        let line = self.lines.swap_remove(place.0 as usize);
        let held = self.index.find_entry(index_hash(line.card()), |entry| entry.place == place.0);
        held.expect("every line is in the index").remove();
        if let Some(moved) = moved.filter(|_| place.0 as usize != last) {
            let entry = self.index.find_mut(index_hash(moved), |entry| entry.place as usize == last);
            entry.expect("every line is in the index").place = place.0;
        }
        line
    }

    /// All cards in their order.
    pub(super) fn lines(&self) -> &[L] {
        &self.lines
    }

    /// All cards, to be changed in what does not identify them.
    pub(super) fn lines_mut(&mut self) -> &mut [L] {
        &mut self.lines
    }

    /// Where a place stands in the cards' order.
    pub(super) fn rank(place: Place) -> u32 {
        place.0
    }

    /// Places from `first` on, at most `most`.
    pub(super) fn places(&self, first: u32, most: usize) -> impl Iterator<Item = Place> + use<L> {
        (first..self.lines.len() as u32).take(most).map(Place)
    }

    /// Bytes of lines, and of their index.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.lines.capacity() * size_of::<L>(), self.index.allocation_size())
    }
}
