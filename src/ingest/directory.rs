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
    /// Sets a card's entries of a name, its intervals, in place of those before; none removes them. Answers with what else holds
    /// the name at the same time.
    fn set_all(&mut self, name: CardName, card: CardId, entries: &[DirectoryEntry]) -> Change;

    /// The same of a card with one interval.
    fn set(&mut self, name: CardName, card: CardId, entry: Option<DirectoryEntry>) -> Change {
        self.set_all(name, card, entry.as_slice())
    }

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

/// The entries of one number, by whoever holds them. Almost always one; where a card took it back, one each of its
/// intervals; where a system writes one number into every registration (a device of zeros), those that took it last, at
/// most [`HOLDERS_MAX`].
#[derive(Debug, Clone, Default)]
pub struct Holders(Vec<DirectoryEntry>);

impl Holders {
    /// Sets a card's entries in place of those before.
    pub fn set(&mut self, card: CardId, entries: &[DirectoryEntry]) -> Change {
        self.0.retain(|held| held.card != card);
        let overlaps = self
            .0
            .iter()
            .filter(|held| entries.iter().any(|entry| overlap(held, entry)))
            .take(CONFLICTS_OF_NUMBER_MAX)
            .copied()
            .collect();
        self.0.extend_from_slice(entries);
        while self.0.len() > HOLDERS_MAX {
            let first = self.0.iter().enumerate().min_by_key(|(_, held)| (held.valid_from, held.card));
            let Some((at, _)) = first else { break };
            self.0.remove(at);
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
        let mut told = Vec::new();
        self.0.iter().filter(move |held| held.holds_at(time)).map(|held| held.card).filter(move |card| {
            // A card's own intervals may overlap, if it was registered anew as of an earlier time.
            let is_new = !told.contains(card);
            told.push(*card);
            is_new
        })
    }

    /// Those that overlap, each pair once, as far as they are told.
    #[must_use]
    pub fn conflicts(&self) -> Vec<(DirectoryEntry, DirectoryEntry)> {
        let pairs =
            self.0.iter().enumerate().flat_map(|(at, a)| self.0.iter().skip(at + 1).map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| a.card != b.card && overlap(a, b)).take(CONFLICTS_OF_NUMBER_MAX).collect()
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
    fn set_all(&mut self, name: CardName, card: CardId, entries: &[DirectoryEntry]) -> Change {
        match (name, !entries.is_empty()) {
            (CardName::Number(number), _) => self.numbers.entry(number).or_default().set(card, entries),
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
    fn a_card_that_took_a_number_back_held_it_before_too_and_that_is_no_conflict() {
        let first = [entry(1, 100, Some(200)), entry(1, 300, None)];
        let second = [entry(2, 200, Some(300))];
        for order in [[&first[..], &second[..]], [&second[..], &first[..]]] {
            let mut directory = PlainDirectory::default();
            for entries in order {
                let change = directory.set_all(entries[0].name, entries[0].card, entries);
                assert_eq!(change, Change::default());
            }
            for (at, holder) in [(99, None), (100, Some(1)), (199, Some(1)), (200, Some(2)), (300, Some(1))] {
                assert_eq!(directory.holder(IMSI, at), holder.map(card), "at {at}");
            }
            assert_eq!(directory.conflicts(IMSI), []);
            // Who held it at the same time as in an earlier interval is in conflict.
            let change = directory.set(CardName::Number(IMSI), card(3), Some(entry(3, 150, Some(160))));
            assert_eq!((change.overlaps, directory.conflicts(IMSI).len()), (vec![first[0]], 1));
            directory.set(CardName::Number(IMSI), card(1), None);
            assert_eq!((directory.holder(IMSI, 120), directory.holder(IMSI, 300)), (None, None));
        }
        // A card's own intervals may overlap: it holds the number once.
        let mut holders = Holders::default();
        holders.set(card(1), &[entry(1, 100, Some(200)), entry(1, 150, None)]);
        assert_eq!((holders.all_at(160).collect::<Vec<_>>(), holders.conflicts().len()), (vec![card(1)], 0));
    }

    #[test]
    fn a_number_that_cards_take_back_over_and_over_costs_no_more() {
        let mut holders = Holders::default();
        let intervals = |card: CardId| -> Vec<_> {
            (0..17).map(|n| DirectoryEntry { card, ..entry(0, n * 10, Some(n * 10 + 10)) }).collect()
        };
        for n in 0..HOLDERS_MAX / 10 {
            let card = CardId::parse(&format!("898600{n:013}")).unwrap();
            holders.set(card, &intervals(card));
            assert!(holders.0.len() <= HOLDERS_MAX);
        }
        assert_eq!(holders.0.len(), HOLDERS_MAX);
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
