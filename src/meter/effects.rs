//! What a fold does beside changing the state: the shell writes it to topics, inside the commit that moves the offset.
//! All of it is a function of the log, so that a replay, which discards it, loses nothing.

use std::ops::RangeInclusive;

use crate::model::{CardId, Event, LogOffset, Number, Outcome, Position, Reason, UnixTime};

/// Effects of folding, in log order. The worker empties it at every seal.
#[derive(Debug, Default)]
pub struct Effects {
    pub events: Vec<Event>,
    pub quarantined: Vec<Quarantined>,
    pub directory: Vec<DirectoryEntry>,
    /// Cards whose `changed_at` passed [`Self::dirty_since`]: each at most once between two moves of it.
    pub dirty: Vec<CardId>,
    /// Set by the worker: the offset through which all changes are known to be dirty already.
    pub dirty_since: LogOffset,
    /// Least and greatest time at which Kafka had the outside records, milliseconds; unknown ones left out.
    pub received_ms: Option<RangeInclusive<i64>>,
    /// The same time for each alert fired, in their order; 0 where no record with a known time caused it.
    pub alerts_received_ms: Vec<i64>,
    /// Catalogues that were refused.
    pub catalogue_conflicts: Vec<CatalogueConflict>,
}

/// A record that was not counted, to be kept for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub outcome: Outcome,
    pub reason: Reason,
    pub position: Position,
    pub card: CardId,
    pub record: OwnedRecord,
    /// Where ingest read it.
    pub source: String,
    pub source_partition: u32,
    pub source_offset: u64,
    pub received_ms: i64,
    pub log_time: UnixTime,
}

/// A record that no longer borrows from its pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedRecord {
    Cdr {
        feed: String,
        id: String,
        start: UnixTime,
        end: UnixTime,
        up: u64,
        down: u64,
        slices: Vec<crate::model::Slice>,
        number: Option<Number>,
    },
    Reading {
        feed: String,
        imei: u64,
        counter: String,
        at: UnixTime,
        tx: u64,
        rx: u64,
        width: u8,
        session: String,
        number: Option<Number>,
    },
    /// Canonical JSON of the command.
    Command { json: Vec<u8> },
    /// Canonical JSON of a command without a card.
    Broadcast { json: Vec<u8> },
}

/// One interval in which a name means a card. Each card writes only its own; ingest merges them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryEntry {
    pub key: DirectoryKey,
    pub card: CardId,
    /// First second.
    pub valid_from: UnixTime,
    /// First second after; `None` = still.
    pub valid_to: Option<UnixTime>,
}

/// What names a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DirectoryKey {
    /// The card's own ICCID.
    Iccid,
    Number(Number),
}

/// A catalogue that is not taken: the one in force stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueConflict {
    pub version: u32,
    pub reason: String,
}
