//! The directory of identity: which card went by a number in a given second.
//!
//! Every card writes its own entries; ingest merges them. Two cards that hold one number at the same time are a conflict:
//! it is reported, and the card that took the number last has it. The answer depends on the entries alone, not on the
//! order in which they were read.

use std::collections::{HashMap, HashSet};

use crate::limits::{CONFLICTS_OF_NUMBER_MAX, HOLDERS_MAX};
use crate::model::{CardHash, CardId, CardName, DirectoryEntry, Number, UnixTime};

/// The entries of the directory, shared or not. Entries are set by name and card; setting one again changes nothing, so
/// several threads may read the topic into one shared directory.
pub trait Directory {
    /// Sets a card's entry of a name, or removes it; answers with what else holds the name at the same time.
    fn set(&mut self, name: CardName, card: CardId, entry: Option<DirectoryEntry>) -> Change;

    /// The card that holds a number in a second.
    fn holder(&self, number: Number, at: UnixTime) -> Option<CardId>;

    /// The entries of a number that overlap, each pair once; of many some.
    fn conflicts(&self, number: Number) -> Vec<(DirectoryEntry, DirectoryEntry)>;

    /// Whether a card has ever been registered.
    fn knows(&self, card: CardId) -> bool;
}

/// What setting an entry changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Entries of other cards that overlap the one set.
    pub overlaps: Vec<DirectoryEntry>,
}

/// The card of a name in a second. An ICCID that is known is its own card at any time: records of before its
/// registration are for the meter to judge.
pub fn resolve<D: Directory>(directory: &D, name: CardName, at: UnixTime) -> Option<CardId> {
    match name {
        CardName::Iccid(card) => directory.knows(card).then_some(card),
        CardName::Number(number) => directory.holder(number, at),
    }
}

/// The entries of one number, by whoever holds them. Almost always one; where a system writes one number into every registration
/// (a device of zeros), those that took it last, at most [`HOLDERS_MAX`].
#[derive(Debug, Clone, Default)]
pub struct Holders(Vec<DirectoryEntry>);

impl Holders {
    /// Sets a card's entry, or removes it.
    pub fn set(&mut self, card: CardId, entry: Option<DirectoryEntry>) -> Change {
        self.0.retain(|held| held.card != card);
        let Some(entry) = entry else { return Change::default() };
        let overlaps = self
            .0
            .iter()
            .filter(|held| overlap(held, &entry))
            .take(CONFLICTS_OF_NUMBER_MAX)
            .copied()
            .collect();
        self.0.push(entry);
        if self.0.len() > HOLDERS_MAX {
            let first = self.0.iter().enumerate().min_by_key(|(_, held)| (held.valid_from, held.card));
            if let Some((at, _)) = first {
                self.0.remove(at);
            }
        }
        Change { overlaps }
    }

    /// Who holds it: of several, the one that took it last.
    #[must_use]
    pub fn at(&self, time: UnixTime) -> Option<CardId> {
        let valid = self.0.iter().filter(|held| held.holds_at(time));
        valid.max_by_key(|held| (held.valid_from, held.card)).map(|held| held.card)
    }

    /// Everybody who says that it holds it.
    pub fn all_at(&self, time: UnixTime) -> impl Iterator<Item = CardId> {
        self.0.iter().filter(move |held| held.holds_at(time)).map(|held| held.card)
    }

    /// Those that overlap, each pair once, as far as they are told.
    #[must_use]
    pub fn conflicts(&self) -> Vec<(DirectoryEntry, DirectoryEntry)> {
        let pairs =
            self.0.iter().enumerate().flat_map(|(at, a)| self.0.iter().skip(at + 1).map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| overlap(a, b)).take(CONFLICTS_OF_NUMBER_MAX).collect()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn overlap(a: &DirectoryEntry, b: &DirectoryEntry) -> bool {
    let ends_after = |x: &DirectoryEntry, y: &DirectoryEntry| x.valid_to.is_none_or(|to| to > y.valid_from);
    ends_after(a, b) && ends_after(b, a)
}

/// A directory of one thread's own.
#[derive(Debug, Default)]
pub struct PlainDirectory {
    numbers: HashMap<Number, Holders>,
    cards: HashSet<CardId, CardHash>,
}

impl Directory for PlainDirectory {
    fn set(&mut self, name: CardName, card: CardId, entry: Option<DirectoryEntry>) -> Change {
        match (name, entry.is_some()) {
            (CardName::Number(number), _) => self.numbers.entry(number).or_default().set(card, entry),
            (CardName::Iccid(_), true) => {
                self.cards.insert(card);
                Change::default()
            }
            (CardName::Iccid(_), false) => {
                self.cards.remove(&card);
                Change::default()
            }
        }
    }

    fn holder(&self, number: Number, at: UnixTime) -> Option<CardId> {
        self.numbers.get(&number)?.at(at)
    }

    fn conflicts(&self, number: Number) -> Vec<(DirectoryEntry, DirectoryEntry)> {
        self.numbers.get(&number).map(Holders::conflicts).unwrap_or_default()
    }

    fn knows(&self, card: CardId) -> bool {
        self.cards.contains(&card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NumberKind;

    const IMSI: Number = Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 };

    fn card(last: u8) -> CardId {
        CardId::parse(&format!("898600123456789012{last}")).unwrap()
    }

    fn entry(last: u8, valid_from: UnixTime, valid_to: Option<UnixTime>) -> DirectoryEntry {
        DirectoryEntry { name: CardName::Number(IMSI), card: card(last), valid_from, valid_to }
    }

    fn directory(entries: &[DirectoryEntry]) -> PlainDirectory {
        let mut directory = PlainDirectory::default();
        for entry in entries {
            directory.set(entry.name, entry.card, Some(*entry));
        }
        directory
    }

    #[test]
    fn a_number_belongs_to_the_card_that_held_it_then() {
        let directory = directory(&[entry(1, 100, Some(200)), entry(2, 200, None)]);
        let cases = [(99, None), (100, Some(1)), (199, Some(1)), (200, Some(2)), (9_999, Some(2))];
        for (at, holder) in cases {
            assert_eq!(directory.holder(IMSI, at), holder.map(card), "at {at}");
        }
    }

    #[test]
    fn a_later_entry_of_the_same_card_replaces_the_earlier() {
        let directory = directory(&[entry(1, 100, None), entry(1, 100, Some(150))]);
        assert_eq!(directory.holder(IMSI, 150), None);
    }

    #[test]
    fn intervals_that_overlap_are_a_conflict_and_those_that_touch_are_not() {
        let cases = [
            ((100, Some(200)), (200, None), false),
            ((100, Some(201)), (200, None), true),
            ((100, None), (50, None), true),
            ((100, None), (50, Some(100)), false),
            ((100, None), (50, Some(101)), true),
        ];
        for (first, second, conflict) in cases {
            let mut directory = directory(&[entry(1, first.0, first.1)]);
            let change = directory.set(CardName::Number(IMSI), card(2), Some(entry(2, second.0, second.1)));
            assert_eq!(!change.overlaps.is_empty(), conflict, "{first:?} {second:?}");
            assert_eq!(directory.conflicts(IMSI).len(), usize::from(conflict));
        }
    }

    #[test]
    fn of_two_holders_the_one_that_took_it_last_has_it_whatever_was_read_first() {
        let (a, b) = (entry(1, 100, None), entry(2, 150, None));
        for entries in [[a, b], [b, a]] {
            assert_eq!(directory(&entries).holder(IMSI, 160), Some(card(2)));
            assert_eq!(directory(&entries).holder(IMSI, 120), Some(card(1)));
        }
    }

    #[test]
    fn a_number_that_everybody_says_to_have_costs_no_more_than_some_do() {
        let mut directory = PlainDirectory::default();
        let card = |n: usize| CardId::parse(&format!("898600{n:013}")).unwrap();
        for n in 0..HOLDERS_MAX + 50 {
            let entry = DirectoryEntry { card: card(n), valid_from: n as UnixTime, ..entry(0, 0, None) };
            let change = directory.set(entry.name, entry.card, Some(entry));
            assert!(change.overlaps.len() == n.min(CONFLICTS_OF_NUMBER_MAX));
        }
        assert_eq!(directory.conflicts(IMSI).len(), CONFLICTS_OF_NUMBER_MAX);
        let last = HOLDERS_MAX + 49;
        assert_eq!(directory.holder(IMSI, last as UnixTime), Some(card(last)));
        assert_eq!((directory.holder(IMSI, 60), directory.holder(IMSI, 49)), (Some(card(60)), None));
    }

    #[test]
    fn a_card_is_known_by_its_iccid_at_any_time_once_it_is_registered() {
        let name = CardName::Iccid(card(1));
        let mut directory = PlainDirectory::default();
        assert_eq!(resolve(&directory, name, 50), None);
        let entry = DirectoryEntry { name, card: card(1), valid_from: 100, valid_to: None };
        directory.set(name, card(1), Some(entry));
        assert_eq!(resolve(&directory, name, 50), Some(card(1)));
    }

    #[test]
    fn an_entry_that_is_deleted_no_longer_counts() {
        let mut directory = directory(&[entry(1, 100, None)]);
        directory.set(CardName::Number(IMSI), card(1), None);
        assert_eq!(directory.holder(IMSI, 160), None);
    }
}
