//! Absolute, versioned rows into ClickHouse: what the meter knows of each card's days and cycles, and what happened to it.
//!
//! Invariant 4 (nothing that a crash can repeat has an effect twice) is kept here by the shape of the data alone: a row
//! is the whole truth of its key at a log offset, its [`RowVersion`] says which, and the highest version wins. A row may
//! be sent twice, late, or by a worker that is already dead; the tables come out the same.
//!
//! ```text
//! worker ─ RowSink ─► flusher: gather, sort, keep the newest of a key ─► card_month, card_day ─► acks ─► worker
//! event topics, quarantine, log ─► history: message → rows, insert, commit offsets ─► alerts, …, usage_records
//! ```

mod backoff;
mod failure;
mod group;
pub mod history;
pub mod migrate;
pub mod rows;
pub mod schema;
mod sink;

#[cfg(feature = "full")]
mod archive;
#[cfg(feature = "full")]
mod client;
#[cfg(feature = "full")]
mod flusher;
#[cfg(feature = "full")]
mod stats;
#[cfg(feature = "full")]
mod writer;

pub use backoff::Backoff;
pub use failure::{Failure, Verdict};
pub use group::{Group, newest, portions};
pub use sink::{RowBatch, RowSink, RowVersion, VersionedRows};

#[cfg(feature = "full")]
pub use archive::{
    Archive, Archived, ArchivedPlace, FleetSums, Match, Row, SetAside, SetAsidePlace, SetAsideRecord,
};
#[cfg(feature = "full")]
pub use client::{Client, Server, Timeouts};
#[cfg(feature = "full")]
pub use flusher::{ChannelSink, Flusher};
#[cfg(feature = "full")]
pub use stats::WriteStats;
#[cfg(feature = "full")]
pub use writer::Writer;
