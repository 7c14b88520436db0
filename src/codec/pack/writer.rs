//! Records → the bytes of a pack.

use super::layout::{
    CDR, COMMON, HEADER, KIND_BROADCAST, KIND_CATALOGUE, KIND_CDR, KIND_COMMAND, KIND_READING, KIND_TICK,
    MAGIC, READING, TEXT_MAX, TICK, TRAILER, VERSION, cdr, common, header, reading, tick,
};
use super::names::{Field, Names};
use crate::limits::{PACK_BYTES_MAX, PACK_RECORDS_MAX};
use crate::model::{CardId, Cdr, Number, Origin, Reading, Record, Tick};

/// Collects records into one pack after another; reusable.
#[derive(Debug, Default)]
pub struct PackWriter {
    count: usize,
    names: Names,
    text: Vec<u8>,
    records: Vec<u8>,
}

impl PackWriter {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record. `false`: it does not fit (`PACK_RECORDS_MAX`, `PACK_BYTES_MAX`) and nothing was changed: finish
    /// and push again. `false` of an empty writer: the record fits no pack; the edge's bounds rule that out.
    #[must_use]
    pub fn push(&mut self, record: &Record<'_>) -> bool {
        let fits = self.count < PACK_RECORDS_MAX
            && cost(record).is_some_and(|cost| self.bytes().saturating_add(cost) <= PACK_BYTES_MAX);
        if fits {
            self.append(record);
            self.count += 1;
        }
        fits
    }

    /// Records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Bytes of the pack if it were finished now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        HEADER + self.names.bytes().len() + self.text.len() + self.records.len() + TRAILER
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pack of the records pushed; the writer is empty again.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        out.extend_from_slice(&self.header());
        out.extend_from_slice(self.names.bytes());
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&self.records);
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        self.clear();
        out
    }

    fn header(&self) -> [u8; HEADER] {
        let mut head = [0u8; HEADER];
        put(&mut head, 0, MAGIC);
        put(&mut head, header::VERSION, [VERSION]);
        put(&mut head, header::COUNT, (self.count as u16).to_le_bytes());
        put(&mut head, header::NAMES, (self.names.len() as u16).to_le_bytes());
        put(&mut head, header::DICTIONARY_BYTES, (self.names.bytes().len() as u32).to_le_bytes());
        put(&mut head, header::TEXT_BYTES, (self.text.len() as u32).to_le_bytes());
        put(&mut head, header::RECORD_BYTES, (self.records.len() as u32).to_le_bytes());
        head
    }

    fn clear(&mut self) {
        self.count = 0;
        self.names.clear();
        self.text.clear();
        self.records.clear();
    }

    fn append(&mut self, record: &Record<'_>) {
        match record {
            Record::Cdr(record) => self.cdr(record),
            Record::Reading(record) => self.reading(record),
            Record::Command { card, json, origin } => {
                let head = self.common(KIND_COMMAND, Some(*card), Some(origin));
                self.blob(head, json);
            }
            Record::Broadcast { json, origin } => {
                let head = self.common(KIND_BROADCAST, None, Some(origin));
                self.blob(head, json);
            }
            Record::Catalogue { json } => {
                let head = self.common(KIND_CATALOGUE, None, None);
                self.blob(head, json);
            }
            Record::Tick(record) => self.tick(*record),
        }
    }

    fn cdr(&mut self, record: &Cdr<'_>) {
        let slices = record.slices.packed();
        let mut out = [0u8; CDR];
        put(&mut out, 0, self.common(KIND_CDR, Some(record.card), Some(&record.origin)));
        put(&mut out, common::SIZE, ((CDR + slices.len()) as u32).to_le_bytes());
        put(&mut out, common::FEED, self.names.place(Field::Feed, record.feed.name).to_le_bytes());
        put_number(&mut out, cdr::NUMBER, record.number);
        put(&mut out, cdr::START, record.start.to_le_bytes());
        put(&mut out, cdr::END, record.end.to_le_bytes());
        put(&mut out, cdr::UP, record.up.to_le_bytes());
        put(&mut out, cdr::DOWN, record.down.to_le_bytes());
        let (at, bytes) = self.text(record.id);
        put(&mut out, cdr::TEXT_AT, at);
        put(&mut out, cdr::TEXT_BYTES, bytes);
        put(&mut out, cdr::SLICES, (record.slices.len() as u16).to_le_bytes());
        self.records.extend_from_slice(&out);
        self.records.extend_from_slice(slices);
    }

    fn reading(&mut self, record: &Reading<'_>) {
        let mut out = [0u8; READING];
        put(&mut out, 0, self.common(KIND_READING, Some(record.card), Some(&record.origin)));
        put(&mut out, common::SIZE, (READING as u32).to_le_bytes());
        put(&mut out, common::FEED, self.names.place(Field::Feed, record.feed.name).to_le_bytes());
        put_number(&mut out, reading::NUMBER, record.number);
        put(&mut out, reading::AT, record.at.to_le_bytes());
        put(&mut out, reading::TX, record.tx.to_le_bytes());
        put(&mut out, reading::RX, record.rx.to_le_bytes());
        put(&mut out, reading::IMEI, record.imei.to_le_bytes());
        let (at, bytes) = self.text(record.session);
        put(&mut out, reading::TEXT_AT, at);
        put(&mut out, reading::TEXT_BYTES, bytes);
        let counter = self.names.place(Field::Counter, record.counter.0);
        put(&mut out, reading::COUNTER, counter.to_le_bytes());
        put(&mut out, reading::WIDTH, [record.width]);
        self.records.extend_from_slice(&out);
    }

    fn tick(&mut self, record: Tick) {
        let mut out = [0u8; TICK];
        put(&mut out, 0, self.common(KIND_TICK, None, None));
        put(&mut out, common::SIZE, (TICK as u32).to_le_bytes());
        if let Some(through) = record.flushed_through {
            put(&mut out, common::FLAG, [1]);
            put(&mut out, tick::FLUSHED_THROUGH, through.0.to_le_bytes());
        }
        self.records.extend_from_slice(&out);
    }

    /// A record that is its JSON after the common fields.
    fn blob(&mut self, mut head: [u8; COMMON], json: &[u8]) {
        put(&mut head, common::SIZE, ((COMMON + json.len()) as u32).to_le_bytes());
        self.records.extend_from_slice(&head);
        self.records.extend_from_slice(json);
    }

    fn common(&mut self, kind: u8, card: Option<CardId>, origin: Option<&Origin<'_>>) -> [u8; COMMON] {
        let mut out = [0u8; COMMON];
        put(&mut out, common::KIND, [kind]);
        if let Some(card) = card {
            put(&mut out, common::CARD, card.to_wire());
        }
        if let Some(origin) = origin {
            put(&mut out, common::SOURCE, self.names.place(Field::Source, origin.source).to_le_bytes());
            put(&mut out, common::SOURCE_OFFSET, origin.offset.to_le_bytes());
            put(&mut out, common::RECEIVED_MS, origin.received_ms.to_le_bytes());
            put(&mut out, common::SOURCE_PARTITION, origin.partition.to_le_bytes());
        }
        out
    }

    /// Appends to the text section; its place and length.
    fn text(&mut self, text: &str) -> ([u8; 4], [u8; 2]) {
        let at = self.text.len() as u32;
        self.text.extend_from_slice(text.as_bytes());
        (at.to_le_bytes(), (text.len() as u16).to_le_bytes())
    }
}

/// Bytes that a record adds at most (its names counted as new); `None` if a text is too long for its length field.
fn cost(record: &Record<'_>) -> Option<usize> {
    let (fixed, tail, texts): (usize, usize, [&str; 4]) = match record {
        Record::Cdr(r) => (CDR, r.slices.packed().len(), [r.id, r.feed.name, r.origin.source, ""]),
        Record::Reading(r) => (READING, 0, [r.session, r.feed.name, r.origin.source, r.counter.0]),
        Record::Command { json, origin, .. } | Record::Broadcast { json, origin } => {
            (COMMON, json.len(), [origin.source, "", "", ""])
        }
        Record::Catalogue { json } => (COMMON, json.len(), [""; 4]),
        Record::Tick(_) => (TICK, 0, [""; 4]),
    };
    let short = texts.iter().all(|text| text.len() <= TEXT_MAX);
    let names: usize = texts.iter().map(|text| Names::cost(text)).sum();
    short.then(|| fixed.saturating_add(tail).saturating_add(names))
}

fn put_number(out: &mut [u8], at: usize, number: Option<Number>) {
    if let Some(number) = number {
        put(out, common::FLAG, [number.kind as u8]);
        put(out, at, number.digits.to_le_bytes());
    }
}

/// Copies a field to its place; the offsets of the layout lie within their records.
fn put<const N: usize>(out: &mut [u8], at: usize, field: [u8; N]) {
    if let Some(place) = out.get_mut(at..at + N) {
        place.copy_from_slice(&field);
    }
}
