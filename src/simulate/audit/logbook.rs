//! The log as a reader of committed messages gets it, with log time, records owned.

use crate::codec::pack::Pack;
use crate::log::sim::Read;
use crate::model::{
    Broadcast, CardCommand, CardId, Catalogue, LogOffset, Number, Origin, Position, Record, Slice, UnixTime,
};

/// Where ingest had a record from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) offset: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Cdr {
    pub(super) card: CardId,
    pub(super) feed: String,
    pub(super) id: String,
    pub(super) start: UnixTime,
    pub(super) end: UnixTime,
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) slices: Vec<Slice>,
    pub(super) number: Option<Number>,
}

#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) card: CardId,
    pub(super) feed: String,
    pub(super) imei: u64,
    pub(super) counter: String,
    pub(super) session: String,
    pub(super) at: UnixTime,
    pub(super) tx: u64,
    pub(super) rx: u64,
    pub(super) width: u8,
    pub(super) number: Option<Number>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Cdr(Cdr),
    Reading(Reading),
    Command { card: CardId, json: Vec<u8>, command: Box<Result<CardCommand, String>> },
    Broadcast(Result<Broadcast, String>),
    Catalogue(Box<Catalogue>),
    Tick,
}

/// One record of one partition.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) origin: Option<Place>,
    pub(super) what: What,
}

/// One message of the log.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) offset: LogOffset,
    /// Log time: the running maximum, seconds.
    pub(super) now: UnixTime,
    pub(super) entries: Vec<Entry>,
}

/// Reads a partition's messages.
///
/// # Errors
/// A message that is no pack, by its offset.
pub(super) fn read(partition: u32, messages: &[Read]) -> Result<Vec<Batch>, String> {
    let mut now = UnixTime::MIN;
    let mut batches = Vec::new();
    for message in messages {
        now = now.max(message.time_ms.div_euclid(1_000));
        let bytes = message.value.as_deref().unwrap_or_default();
        let wrong = |problem: String| format!("log [{partition}] offset {}: {problem}", message.offset.0);
        let pack = Pack::read(bytes).map_err(|e| wrong(e.to_string()))?;
        let mut entries = Vec::new();
        for (index, record) in pack.records().enumerate() {
            let record = record.map_err(|e| wrong(e.to_string()))?;
            let position = Position { partition, offset: message.offset, index: index as u16 };
            entries.push(entry(position, &record).map_err(wrong)?);
        }
        batches.push(Batch { offset: message.offset, now, entries });
    }
    Ok(batches)
}

fn entry(position: Position, record: &Record<'_>) -> Result<Entry, String> {
    let (what, origin) = match record {
        Record::Cdr(cdr) => (What::Cdr(own_cdr(cdr)), Some(cdr.origin)),
        Record::Reading(reading) => (What::Reading(own_reading(reading)), Some(reading.origin)),
        Record::Command { card, json, origin } => {
            let command = serde_json::from_slice(json).map_err(|e: serde_json::Error| e.to_string());
            (What::Command { card: *card, json: json.to_vec(), command: Box::new(command) }, Some(*origin))
        }
        Record::Broadcast { json, origin } => {
            let broadcast = serde_json::from_slice(json).map_err(|e: serde_json::Error| e.to_string());
            (What::Broadcast(broadcast), Some(*origin))
        }
        Record::Catalogue { json } => {
            let catalogue = serde_json::from_slice(json).map_err(|e| format!("catalogue: {e}"))?;
            (What::Catalogue(Box::new(catalogue)), None)
        }
        Record::Tick(_) => (What::Tick, None),
    };
    Ok(Entry { position, origin: origin.map(place), what })
}

fn place(origin: Origin<'_>) -> Place {
    Place { topic: origin.source.to_owned(), partition: origin.partition, offset: origin.offset }
}

fn own_cdr(cdr: &crate::model::Cdr<'_>) -> Cdr {
    Cdr {
        card: cdr.card,
        feed: cdr.feed.name.to_owned(),
        id: cdr.id.to_owned(),
        start: cdr.start,
        end: cdr.end,
        up: cdr.up,
        down: cdr.down,
        slices: cdr.slices.iter().collect(),
        number: cdr.number,
    }
}

fn own_reading(reading: &crate::model::Reading<'_>) -> Reading {
    Reading {
        card: reading.card,
        feed: reading.feed.name.to_owned(),
        imei: reading.imei,
        counter: reading.counter.0.to_owned(),
        session: reading.session.to_owned(),
        at: reading.at,
        tx: reading.tx,
        rx: reading.rx,
        width: reading.width,
        number: reading.number,
    }
}
