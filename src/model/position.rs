//! Places and times: where a record stands in the log, and where it came from.

use serde::{Deserialize, Serialize};

/// UTC seconds since 1970. The meter knows no finer time.
pub type UnixTime = i64;

/// Where log time comes from. Stands in every head and never changes in a deployment's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The brokers stamp: `LogAppendTime`. Production.
    #[default]
    Log,
    /// Ingest stamps from the feeds' own times or from a script: `CreateTime`. Tests, demo, rebuild, import of history.
    Supplied,
}

/// An offset in one partition of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogOffset(pub u64);

impl LogOffset {
    /// The offset after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One record of the log: its pack's offset and its place in the pack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    pub partition: u32,
    pub offset: LogOffset,
    /// Place in the pack, from 0.
    pub index: u16,
}

/// Where ingest read a record: the outside topic or file, so that an error can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Topic name without prefix, or `file:` and the file's name.
    pub source: &'a str,
    /// Partition of the topic; 0 for a file.
    pub partition: u32,
    /// Offset in the partition, or byte position in the file.
    pub offset: u64,
    /// When Kafka had the outside record, milliseconds; 0 = unknown. Latency is measured from it.
    pub received_ms: i64,
}
