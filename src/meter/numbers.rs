//! The numbers of one card and when it held them: usage that was resolved by a number counts only if the card held it.

use serde::{Deserialize, Serialize};

use super::effects::Effects;
use super::exact::Exact;
use crate::limits::{NUMBERS_MAX, UNFLUSHED_S_MAX};
use crate::model::{CardId, CardName, DirectoryEntry, Number, UnixTime};

/// Intervals in which the card holds or held a number, in the order in which they began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers(Exact<Held>);

/// One interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub number: Number,
    pub from: UnixTime,
    /// First second no longer; `None` = still.
    pub to: Option<UnixTime>,
}

impl Held {
    /// What the directory is told of it.
    pub(super) fn entry(&self, card: CardId) -> DirectoryEntry {
        let name = CardName::Number(self.number);
        DirectoryEntry { name, card, valid_from: self.from, valid_to: self.to }
    }
}

impl Numbers {
    pub(super) fn holds(&self, number: Number, at: UnixTime) -> bool {
        let covers = |held: &Held| held.from <= at && held.to.is_none_or(|to| at < to);
        self.0.iter().any(|held| held.number == number && covers(held))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Numbers held now.
    pub(super) fn current(&self) -> impl Iterator<Item = &Held> {
        self.0.iter().filter(|held| held.to.is_none())
    }

    /// From `at` on the card holds just these. Hands over every interval that changed, and just before it those in which the card
    /// held that number earlier: the directory keeps one message of them all, and usage of then is named by the number too.
    pub(super) fn replace(&mut self, numbers: &[Number], at: UnixTime, changed: &mut impl FnMut(Held)) {
        self.0.retain(|held| held.to.is_none_or(|to| to > at.saturating_sub(UNFLUSHED_S_MAX)));
        let mut news = Vec::new();
        for held in self.0.iter_mut().filter(|held| held.to.is_none() && !numbers.contains(&held.number)) {
            held.to = Some(at.max(held.from));
            news.push(*held);
        }
        for &number in numbers {
            if self.current().all(|held| held.number != number) {
                let held = Held { number, from: at, to: None };
                self.0.push(held);
                news.push(held);
            }
        }
        let surplus = self.0.len().saturating_sub(NUMBERS_MAX);
        let mut passed = 0;
        self.0.retain(|held| {
            let drop = held.to.is_some() && passed < surplus;
            passed += usize::from(drop);
            !drop
        });
        for held in news {
            self.earlier(held).chain([held]).for_each(&mut *changed);
        }
    }

    /// Intervals in which the card held a number before this one.
    fn earlier(&self, last: Held) -> impl Iterator<Item = Held> {
        self.0
            .iter()
            .copied()
            .take_while(move |held| *held != last)
            .filter(move |held| held.number == last.number)
    }

    /// The card gives all its numbers back: another may hold them from `at` on.
    pub(super) fn release(&mut self, at: UnixTime, card: CardId, effects: &mut Effects) {
        self.replace(&[], at, &mut |held| effects.directory.push(held.entry(card)));
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NumberKind;

    fn imsi(digits: u64) -> Number {
        Number { kind: NumberKind::Imsi, digits }
    }

    #[test]
    fn a_changed_number_ends_where_its_successor_begins() {
        let mut numbers = Numbers::default();
        numbers.replace(&[imsi(1)], 100, &mut |_| ());
        let mut changed = Vec::new();
        numbers.replace(&[imsi(2)], 200, &mut |held| changed.push(held));
        assert_eq!(
            changed,
            [
                Held { number: imsi(1), from: 100, to: Some(200) },
                Held { number: imsi(2), from: 200, to: None }
            ]
        );
        for (number, at, holds) in
            [(1, 99, false), (1, 100, true), (1, 199, true), (1, 200, false), (2, 200, true)]
        {
            assert_eq!(numbers.holds(imsi(number), at), holds, "{number} at {at}");
        }
    }

    #[test]
    fn a_number_that_is_taken_back_is_told_with_the_intervals_before() {
        let mut numbers = Numbers::default();
        let mut replace = |number, at| {
            let mut told = Vec::new();
            numbers.replace(&[imsi(number)], at, &mut |held| {
                told.push((held.number.digits, held.from, held.to));
            });
            told
        };
        assert_eq!(replace(1, 100), [(1, 100, None)]);
        assert_eq!(replace(2, 200), [(1, 100, Some(200)), (2, 200, None)]);
        assert_eq!(replace(1, 300), [(2, 200, Some(300)), (1, 100, Some(200)), (1, 300, None)]);
        assert_eq!(
            replace(2, 400),
            [(1, 100, Some(200)), (1, 300, Some(400)), (2, 200, Some(300)), (2, 400, None)]
        );
        // What is forgotten after forty days is told no more.
        let later = 400 + UNFLUSHED_S_MAX;
        assert_eq!(replace(1, later), [(2, 400, Some(later)), (1, later, None)]);
    }

    #[test]
    fn the_same_numbers_again_change_nothing() {
        let mut numbers = Numbers::default();
        numbers.replace(&[imsi(1)], 100, &mut |_| ());
        numbers.replace(&[imsi(1)], 200, &mut |held| panic!("{held:?}"));
        assert!(numbers.holds(imsi(1), 150));
    }

    #[test]
    fn a_number_that_passed_is_forgotten_after_forty_days() {
        for (later, held) in [(UNFLUSHED_S_MAX - 1, true), (UNFLUSHED_S_MAX, false)] {
            let mut numbers = Numbers::default();
            numbers.replace(&[imsi(1)], 100, &mut |_| ());
            numbers.replace(&[imsi(2)], 200, &mut |_| ());
            numbers.replace(&[imsi(2)], 200 + later, &mut |_| ());
            assert_eq!(numbers.holds(imsi(1), 150), held);
            assert!(numbers.holds(imsi(2), 200) && !numbers.is_empty());
        }
        assert!(Numbers::default().is_empty());
    }

    #[test]
    fn of_too_many_numbers_the_oldest_that_passed_goes() {
        let mut numbers = Numbers::default();
        let last = NUMBERS_MAX as u64;
        for n in 0..=last {
            numbers.replace(&[imsi(100), imsi(n)], n as UnixTime, &mut |_| ());
        }
        // 100, which is held throughout, and 0 to 16 are two too many.
        let held: Vec<u64> = (0..=last).filter(|n| numbers.holds(imsi(*n), *n as UnixTime)).collect();
        assert_eq!(held, (2..=last).collect::<Vec<_>>());
        assert!(numbers.holds(imsi(100), 0) && numbers.holds(imsi(100), last as UnixTime));
    }
}
