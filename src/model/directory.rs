//! Who holds which number, and when: what the meter says of each card in `card.directory`, and ingest resolves by.

use serde::{Deserialize, Serialize};

use super::{CardId, Number, UnixTime};

/// What names a card in the directory: its own ICCID, or a number that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardName {
    Iccid(CardId),
    Number(Number),
}

/// One interval in which a card goes by a name. A card writes only its own entries. Where it took a number back, its intervals of
/// that number stand one after another, the oldest first; what is said later of the same name and card replaces all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEntry {
    pub name: CardName,
    pub card: CardId,
    /// First second.
    pub valid_from: UnixTime,
    /// First second no longer; `None` = until further notice.
    pub valid_to: Option<UnixTime>,
}

impl DirectoryEntry {
    /// Whether the card goes by the name in this second.
    #[must_use]
    pub fn holds_at(&self, time: UnixTime) -> bool {
        self.valid_from <= time && self.valid_to.is_none_or(|to| time < to)
    }
}
