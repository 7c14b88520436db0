//! The directory that all ingests of a process share: one copy in memory, read by every thread on every record.

use std::sync::Arc;

use dashmap::{DashMap, DashSet};

use crate::codec::directory as entries;
use crate::ingest::{Change, Directory, Holders};
use crate::log::Message;
use crate::model::{CardHash, CardId, CardName, DirectoryEntry, Number, UnixTime};

/// A handle; clones share the entries. Each ingest reads the whole topic and sets what it reads: setting an entry again
/// changes nothing.
#[derive(Debug, Clone, Default)]
pub struct SharedDirectory {
    numbers: Arc<DashMap<Number, Holders>>,
    cards: Arc<DashSet<CardId, CardHash>>,
}

impl SharedDirectory {
    /// Every card that says it holds a number in a second.
    #[must_use]
    pub fn holders(&self, number: Number, at: UnixTime) -> Vec<CardId> {
        self.numbers.get(&number).map(|holders| holders.all_at(at).collect()).unwrap_or_default()
    }

    /// Takes a message of the directory; one that cannot be read names nobody.
    pub fn hear(&mut self, message: Message<'_>) {
        if let Ok((name, card, held)) = entries::read(message.key.unwrap_or_default(), message.value) {
            drop(self.set_all(name, card, &held));
        }
    }
}

impl Directory for SharedDirectory {
    fn set_all(&mut self, name: CardName, card: CardId, entries: &[DirectoryEntry]) -> Change {
        match (name, !entries.is_empty()) {
            (CardName::Number(number), _) => {
                return self.numbers.entry(number).or_default().set(card, entries);
            }
            (CardName::Iccid(_), true) => drop(self.cards.insert(card)),
            (CardName::Iccid(_), false) => drop(self.cards.remove(&card)),
        }
        Change::default()
    }

    fn holder(&self, number: Number, at: UnixTime) -> Option<CardId> {
        self.numbers.get(&number)?.at(at)
    }

    fn conflicts(&self, number: Number) -> Vec<(DirectoryEntry, DirectoryEntry)> {
        self.numbers.get(&number).map(|holders| holders.conflicts()).unwrap_or_default()
    }

    fn knows(&self, card: CardId) -> bool {
        self.cards.contains(&card)
    }
}
