//! `quarantine`: a row a record that was not counted, whether the meter quarantined it, ingest or the meter sent it to the
//! dead letters, or the history could not read it.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CardText, Columns, Key};

/// One record that was not counted. A repeat of it has the same id and takes its place.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub card: CardText,
    pub id: String,
    /// When its message was written, milliseconds since 1970.
    pub seen: i64,
    pub outcome: String,
    pub reason: String,
    pub source: String,
    pub source_partition: u32,
    pub source_offset: u64,
    /// Its place in tidegauge.log, `partition/offset/index`; empty for what ingest refused.
    pub log_position: String,
    pub record: Raw,
    pub topic: String,
    pub topic_partition: u32,
    pub topic_offset: u64,
}

impl Columns for Quarantine {
    const TABLE: &'static str = "quarantine";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("id", "String"),
        ("seen", "DateTime64(3, 'UTC')"),
        ("outcome", "LowCardinality(String)"),
        ("reason", "String"),
        ("source", "LowCardinality(String)"),
        ("source_partition", "UInt32"),
        ("source_offset", "UInt64"),
        ("log_position", "String"),
        ("record", "String"),
        ("topic", "LowCardinality(String)"),
        ("topic_partition", "UInt32"),
        ("topic_offset", "UInt64"),
    ];

    fn key(&self) -> Key<'_> {
        // The table has no partitions: a repeat comes on another day and must meet the first.
        Key { card: self.card, day: 0, at: 0, rest: (&self.id, "", 0) }
    }

    fn version(&self) -> u64 {
        self.topic_offset
    }
}

/// Bytes as they came: a carrier's record need not be text, and ClickHouse's `String` does not ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(RawVisitor).map(Self)
    }
}

struct RawVisitor;

impl Visitor<'_> for RawVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}
