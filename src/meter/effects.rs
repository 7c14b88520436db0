//! What a fold does beside changing the state: the shell writes it to topics, inside the commit that moves the offset.
//! All of it is a function of the log, so that a replay, which discards it, loses nothing.

use std::ops::RangeInclusive;

use crate::model::{
    CardId, DirectoryEntry, Event, LogOffset, Number, Outcome, Position, Reason, Record, Slice, UnixTime,
};

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
    /// `None` for a command without a card.
    pub card: Option<CardId>,
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
        slices: Vec<Slice>,
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

/// A catalogue that is not taken: the one in force stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueConflict {
    pub version: u32,
    pub reason: String,
}

impl Effects {
    /// Forgets everything but [`Self::dirty_since`]; memory is kept.
    pub fn clear(&mut self) {
        self.events.clear();
        self.quarantined.clear();
        self.directory.clear();
        self.dirty.clear();
        self.received_ms = None;
        self.alerts_received_ms.clear();
        self.catalogue_conflicts.clear();
    }

    /// Notes when Kafka had an outside record.
    pub(super) fn received(&mut self, received_ms: i64) {
        if received_ms != 0 {
            self.received_ms = Some(match self.received_ms.take() {
                Some(so_far) => (*so_far.start()).min(received_ms)..=(*so_far.end()).max(received_ms),
                None => received_ms..=received_ms,
            });
        }
    }
}

impl OwnedRecord {
    /// A copy of a record that came from outside; `None` for records of the program's own.
    pub(super) fn of(record: &Record<'_>) -> Option<Self> {
        Some(match record {
            Record::Cdr(cdr) => Self::Cdr {
                feed: cdr.feed.name.to_owned(),
                id: cdr.id.to_owned(),
                start: cdr.start,
                end: cdr.end,
                up: cdr.up,
                down: cdr.down,
                slices: cdr.slices.iter().collect(),
                number: cdr.number,
            },
            Record::Reading(reading) => Self::Reading {
                feed: reading.feed.name.to_owned(),
                imei: reading.imei,
                counter: reading.counter.0.to_owned(),
                at: reading.at,
                tx: reading.tx,
                rx: reading.rx,
                width: reading.width,
                session: reading.session.to_owned(),
                number: reading.number,
            },
            Record::Command { json, .. } => Self::Command { json: json.to_vec() },
            Record::Broadcast { json, .. } => Self::Broadcast { json: json.to_vec() },
            Record::Catalogue { .. } | Record::Tick(_) => return None,
        })
    }
}
