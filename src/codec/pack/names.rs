//! The dictionary while a pack is written: each name once, in order of first use.

use std::collections::BTreeMap;

/// Which field asks: each remembers its last answer, since neighbouring records mostly share their names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    Source = 0,
    Feed = 1,
    Counter = 2,
}

/// Names and their places.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: BTreeMap<String, u16>,
    in_order: Vec<String>,
    /// Each as length u16 and UTF-8.
    bytes: Vec<u8>,
    last: [u16; 3],
}

impl Names {
    /// Bytes that a name takes if it is new.
    pub(super) fn cost(name: &str) -> usize {
        2 + name.len()
    }

    /// The place of a name. The caller has seen to it that the pack has room for `cost`.
    pub(super) fn place(&mut self, field: Field, name: &str) -> u16 {
        let last = self.last.get(field as usize).copied().unwrap_or_default();
        if self.in_order.get(usize::from(last)).is_some_and(|known| known == name) {
            return last;
        }
        let place = self.places.get(name).copied().unwrap_or_else(|| self.add(name));
        if let Some(slot) = self.last.get_mut(field as usize) {
            *slot = place;
        }
        place
    }

    fn add(&mut self, name: &str) -> u16 {
        let place = self.in_order.len() as u16;
        self.places.insert(name.to_owned(), place);
        self.in_order.push(name.to_owned());
        self.bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        place
    }

    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.in_order.clear();
        self.bytes.clear();
        self.last = [0; 3];
    }
}
