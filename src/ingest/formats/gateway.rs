//! Charging records of 3GPP nodes as a feed's format: `pgw-cdr`, `sgw-cdr`, `chf-cdr`.
//!
//! Source: TS 32.298, `PGWRecord` and `SGWRecord` (clause 5.2.2, module GPRSChargingDataTypes) and `ChargingRecord` of a CHF
//! (clause 5.2.5, module CHFChargingDataTypes), BER; plain, with filler of FF between records, or in files of TS 32.297.
//! What is taken from a record is in `ingest::pgw`.
//!
//! Invariant: a feed holds the records of one kind of node, or of those that its block names. P-GW and S-GW count the same
//! traffic: they are two feeds, of which one settles and the other estimates, so a session that both saw is never added up.
//! A record of a kind that was not named is refused, not guessed at.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Buffers, Numbered, Piece, Said, Unreadable};
use crate::codec::json::CdrIn;
use crate::ingest::pgw::{self, Pieces, RecordType, UsageRecord, decode};
use crate::model::{CardId, CardName, Slices};

/// Which records a feed takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    own: RecordType,
    /// Feeds of other kinds of records that come in the same files.
    also: Vec<(RecordType, String)>,
}

/// The name of a format that takes records of a kind.
#[must_use]
pub fn format_of(kind: RecordType) -> &'static str {
    match kind {
        RecordType::Pgw => "pgw-cdr",
        RecordType::Sgw => "sgw-cdr",
        RecordType::Chf => "chf-cdr",
    }
}

impl Gateway {
    /// Takes records of one kind alone.
    #[must_use]
    pub fn new(own: RecordType) -> Self {
        Self { own, also: Vec::new() }
    }

    /// Those of another kind too, as records of another feed, or of the same: P-GW and CHF never count the same traffic.
    #[must_use]
    pub fn and(mut self, kind: RecordType, feed: &str) -> Self {
        self.also.push((kind, feed.to_owned()));
        self
    }

    /// As configuration says it: records of other kinds with the feeds that they are of.
    pub(super) fn meant(
        own: RecordType,
        feed: &str,
        also: &BTreeMap<RecordType, String>,
    ) -> Result<Self, String> {
        if also.contains_key(&own) {
            return Err(format!("also: {} records are of this feed", own.name()));
        }
        let gateway = also.iter().fold(Self::new(own), |gateway, (kind, feed)| gateway.and(*kind, feed));
        let of_sgw = gateway.feed_of(RecordType::Sgw, feed);
        let others = [RecordType::Pgw, RecordType::Chf].map(|kind| gateway.feed_of(kind, feed));
        match of_sgw.filter(|_| others.contains(&of_sgw)) {
            Some(both) => Err(format!(
                "also: feed {both:?} would hold S-GW records and others, which count the same traffic: give them two feeds"
            )),
            None => Ok(gateway),
        }
    }

    /// For a file of which nothing is said: its first record decides whether it is an S-GW's, or of nodes that do not
    /// count what others count.
    #[must_use]
    pub fn told_by(file: &[u8], feed: &str) -> Self {
        let mut record = UsageRecord::default();
        let first = Pieces::new(file)
            .find(|piece| piece.broken.is_none() && decode(piece.bytes, piece.at, &mut record).is_ok());
        match first.map(|_| record.kind) {
            Some(RecordType::Sgw) => Self::new(RecordType::Sgw),
            _ => Self::new(RecordType::Pgw).and(RecordType::Chf, feed),
        }
    }

    /// The format's name.
    #[must_use]
    pub fn format(&self) -> &'static str {
        format_of(self.own)
    }

    /// The feed that a record of a kind is of.
    fn feed_of<'a>(&'a self, kind: RecordType, feed: &'a str) -> Option<&'a str> {
        if kind == self.own {
            return Some(feed);
        }
        self.also.iter().find(|(also, _)| *also == kind).map(|(_, feed)| feed.as_str())
    }

    /// Reads a record, with its node's number of it; that the piece has no fault was seen before.
    pub(in crate::ingest) fn read<'a>(
        &'a self,
        piece: &Piece<'a>,
        feed: &'a str,
        buffers: &'a mut Buffers,
    ) -> Result<(Said<'a>, Option<Numbered<'a>>), Unreadable> {
        decode(piece.bytes, piece.at, &mut buffers.record)?;
        let record = &buffers.record;
        let number = record.local_number.map(|number| (Cow::Borrowed(record.node.as_str()), number));
        let Some(feed) = self.feed_of(record.kind, feed) else {
            return Err(Unreadable::Other { kind: record.kind.name(), own: self.own.name() });
        };
        let nobody = CardName::Iccid(CardId::from_wire([0; 10]));
        let cdr = CdrIn {
            card: record.number.map_or(nobody, CardName::Number),
            feed: Cow::Borrowed(feed),
            id: Cow::Borrowed(&record.id),
            start: record.start,
            end: record.end,
            up: record.up,
            down: record.down,
            slices: Slices::pack(&record.slices, &mut buffers.packed),
        };
        let said = if record.number.is_some() { Said::Cdr(cdr) } else { Said::Nobodys(cdr) };
        Ok((said, number))
    }
}

/// The records of a message or file.
pub(super) fn pieces(bytes: &[u8]) -> Vec<Piece<'_>> {
    Pieces::new(bytes).map(Piece::from).collect()
}

impl<'a> From<pgw::Piece<'a>> for Piece<'a> {
    fn from(piece: pgw::Piece<'a>) -> Self {
        let fault = piece.broken.map(pgw::Broken::text);
        Self { at: piece.at, bytes: piece.bytes, of: None, fault }
    }
}
