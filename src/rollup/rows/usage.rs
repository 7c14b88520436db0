//! `usage_records`: which records there were, for 400 days: what an auditor asks for.

use serde::{Deserialize, Serialize};

use super::{CardText, Columns, Key, card_text, date_time, day_of};
use crate::model::{Cdr, Position, UnixTime};

/// One CDR of the log: identity, content and place. A repeat of it has the same key; the place of the first one stays.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    pub card: CardText,
    pub start: u32,
    pub feed: String,
    pub id: String,
    /// `content_hash`: the same id with other content is another row, and a conflict.
    pub content: u64,
    pub end: u32,
    pub up: u64,
    pub down: u64,
    pub log_time: u32,
    pub log_partition: u32,
    pub log_offset: u64,
    pub log_index: u16,
    /// Greatest for the earliest place.
    pub version: u64,
}

impl UsageRecord {
    #[must_use]
    pub fn new(cdr: &Cdr<'_>, position: Position, log_time: UnixTime) -> Self {
        Self {
            card: card_text(cdr.card),
            start: date_time(cdr.start),
            feed: cdr.feed.name.to_owned(),
            id: cdr.id.to_owned(),
            content: content_hash(cdr),
            end: date_time(cdr.end),
            up: cdr.up,
            down: cdr.down,
            log_time: date_time(log_time),
            log_partition: position.partition,
            log_offset: position.offset.0,
            log_index: position.index,
            version: u64::MAX - (position.offset.0 << 16 | u64::from(position.index)),
        }
    }
}

/// xxh3 over end, up, down and the packed slices, 8 bytes each, little-endian.
fn content_hash(cdr: &Cdr<'_>) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(&cdr.end.to_le_bytes());
    hash.update(&cdr.up.to_le_bytes());
    hash.update(&cdr.down.to_le_bytes());
    hash.update(cdr.slices.packed());
    hash.digest()
}

impl Columns for UsageRecord {
    const TABLE: &'static str = "usage_records";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("start", "DateTime('UTC')"),
        ("feed", "LowCardinality(String)"),
        ("id", "String"),
        ("content", "UInt64"),
        ("end", "DateTime('UTC')"),
        ("up", "UInt64"),
        ("down", "UInt64"),
        ("log_time", "DateTime('UTC')"),
        ("log_partition", "UInt32"),
        ("log_offset", "UInt64"),
        ("log_index", "UInt16"),
        ("version", "UInt64"),
    ];

    fn key(&self) -> Key<'_> {
        Key {
            card: self.card,
            day: day_of(self.start),
            at: self.start,
            rest: (&self.feed, &self.id, self.content),
        }
    }

    fn version(&self) -> u64 {
        self.version
    }
}
