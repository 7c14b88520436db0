//! Parked records: those whose card the directory does not name yet.
//!
//! The protocol. A record of unknown identity is written to `tidegauge.parked` (key = the identity, so that one
//! partition has all of its records in order) and its source offset is finished by that message's acknowledgement: from
//! then on the parked topic owns it. Whoever reads the parked partition holds it in memory ([`Parking`]); the
//! partition's committed offset is that of the oldest record still held, so a crash reads all of them again. A held
//! record leaves when the directory names its card (into a pack) or 24 h after it was first seen (to
//! `usage.quarantine` as unknown), and its parked offset is finished by that message's acknowledgement. Between any two
//! of these steps a crash repeats a step and loses none; the meter knows repeated records by their ids, and quarantined
//! ones have one quarantine id. The topic's retention (3 days) must exceed 24 h and the longest stop of ingest together.
//!
//! Invariant 5: at most so many records of one identity (beyond: unknown), and so many in all (beyond: the parked topic
//! is paused and keeps them on disk).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::letters::Raw;
use super::options::Bounds;
use super::sources::{Ref, Slot};
use crate::limits::PARKED_RECORD_S;
use crate::model::{CardName, Origin};

/// What a parked record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Cdr,
    Reading,
}

/// The value of a parked message: the record as it came, where it came from, and when it was first seen.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope<'a> {
    pub kind: Kind,
    pub first_seen_ms: i64,
    #[serde(borrow)]
    pub source: std::borrow::Cow<'a, str>,
    pub partition: u32,
    pub offset: u64,
    pub received_ms: i64,
    #[serde(borrow)]
    pub record: &'a RawValue,
}

impl Envelope<'_> {
    /// The record as it was when it was parked.
    pub(super) fn raw(&self) -> Raw<'_> {
        let origin = Origin {
            source: &self.source,
            partition: self.partition,
            offset: self.offset,
            received_ms: self.received_ms,
        };
        Raw { kind: self.kind, bytes: self.record.get().as_bytes(), origin }
    }
}

/// A parked record in memory.
#[derive(Debug)]
pub(super) struct Held {
    pub from: Ref,
    pub name: CardName,
    /// The parked message's value.
    pub message: Box<[u8]>,
    pub first_seen_ms: i64,
    /// The parked message's time.
    pub outside_ms: i64,
}

impl Held {
    fn expires_ms(&self) -> i64 {
        self.first_seen_ms.saturating_add(PARKED_RECORD_S * 1_000)
    }
}

/// The records held.
#[derive(Debug)]
pub(super) struct Parking {
    held: BTreeMap<CardName, VecDeque<Held>>,
    due: BTreeSet<(i64, CardName)>,
    records: usize,
    bytes: usize,
    bounds: Bounds,
}

impl Parking {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { held: BTreeMap::new(), due: BTreeSet::new(), records: 0, bytes: 0, bounds }
    }

    /// Holds a record, or gives it back if its identity has as many as it may.
    pub(super) fn hold(&mut self, held: Held) -> Result<(), Held> {
        let queue = self.held.entry(held.name).or_default();
        if queue.len() >= self.bounds.parked_per_identity {
            return Err(held);
        }
        self.due.insert((held.expires_ms(), held.name));
        self.records += 1;
        self.bytes += held.message.len();
        queue.push_back(held);
        Ok(())
    }

    pub(super) fn holds(&self, name: CardName) -> bool {
        self.held.contains_key(&name)
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Whether no more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.records >= self.bounds.parked_records || self.bytes >= self.bounds.parked_bytes
    }

    /// Takes all records of an identity, oldest first.
    pub(super) fn take(&mut self, name: CardName) -> Vec<Held> {
        self.take_where(name, |_| true)
    }

    /// Takes the records whose time is over.
    pub(super) fn expired(&mut self, now_ms: i64) -> Vec<Held> {
        let mut out = Vec::new();
        while let Some((due, name)) = self.due.first().copied().filter(|(due, _)| *due <= now_ms) {
            self.due.remove(&(due, name));
            out.extend(self.take_where(name, |held| held.expires_ms() <= now_ms));
        }
        out
    }

    /// Forgets what was read by an assignment that is no more.
    pub(super) fn forget(&mut self, slot: Slot) {
        let names: Vec<CardName> = self.held.keys().copied().collect();
        for name in names {
            self.take_where(name, |held| held.from.slot == slot);
        }
    }

    /// When the next record is over.
    pub(super) fn due_ms(&self) -> Option<i64> {
        self.due.first().map(|(due, _)| *due)
    }

    fn take_where(&mut self, name: CardName, which: impl Fn(&Held) -> bool) -> Vec<Held> {
        let Some(queue) = self.held.remove(&name) else { return Vec::new() };
        let (taken, kept): (Vec<Held>, Vec<Held>) = queue.into_iter().partition(which);
        for held in &taken {
            self.due.remove(&(held.expires_ms(), name));
            self.records -= 1;
            self.bytes -= held.message.len();
        }
        self.due.extend(kept.iter().map(|held| (held.expires_ms(), name)));
        if !kept.is_empty() {
            self.held.insert(name, kept.into());
        }
        taken
    }
}
