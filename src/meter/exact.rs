//! A list with no room to spare: what a card holds is read at each record and grows once a day or less, and there are a
//! hundred million cards.
//!
//! Invariant: the heap holds the items and nothing else; encoded, it is as a `Vec`.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// A boxed slice that can be changed in its length, at the price of an allocation each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exact<T>(Box<[T]>);

impl<T> Default for Exact<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> Deref for Exact<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Exact<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> FromIterator<T> for Exact<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T> IntoIterator for Exact<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Exact<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T> Exact<T> {
    /// Changes the list as a `Vec`; what room is left over is given back. No allocation if the length stays.
    fn change<R>(&mut self, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let mut items = std::mem::take(&mut self.0).into_vec();
        let answer = change(&mut items);
        self.0 = items.into_boxed_slice();
        answer
    }

    /// # Panics
    /// `at` is greater than the length.
    pub(super) fn insert(&mut self, at: usize, item: T) {
        self.change(|items| {
            items.reserve_exact(1);
            items.insert(at, item);
        });
    }

    pub(super) fn push(&mut self, item: T) {
        self.insert(self.len(), item);
    }

    /// # Panics
    /// `at` is not less than the length.
    pub(super) fn remove(&mut self, at: usize) -> T {
        self.change(|items| items.remove(at))
    }

    /// Keeps the items that `keep` says.
    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.change(|items| items.retain(keep));
    }

    /// Takes out the items that `take` says.
    pub(super) fn extract(&mut self, mut take: impl FnMut(&T) -> bool) -> Vec<T> {
        self.change(|items| items.extract_if(.., |item| take(item)).collect())
    }

    /// Bytes on the heap, without what the items themselves have there.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_as_a_vec_does() {
        let mut list = Exact::default();
        for (at, item) in [(0, 'b'), (0, 'a'), (2, 'd'), (2, 'c')] {
            list.insert(at, item);
        }
        list.push('e');
        assert_eq!(*list, ['a', 'b', 'c', 'd', 'e']);
        assert_eq!(list.remove(1), 'b');
        list.retain(|item| *item != 'a');
        assert_eq!(list.extract(|item| *item == 'd'), ['d']);
        assert!(list.extract(|item| *item == 'd').is_empty());
        assert_eq!((&*list, list.bytes()), (['c', 'e'].as_slice(), 8));
        assert_eq!(list.into_iter().collect::<String>(), "ce");
    }
}
