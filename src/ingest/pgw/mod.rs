//! 3GPP charging records (TS 32.298) of packet gateways: P-GW, S-GW and CHF, in plain BER or in TS 32.297 files.
//!
//! One record becomes one CDR: the containers that the gateway measured are its slices, each dated by its own end. Counted
//! once: the service-data list if the record has one, else the traffic volumes, never both, and never the secondary-RAT
//! reports, which are a part of the same traffic. Identity: (record type, node, charging id, record sequence number or 0)
//! with the opening time as start (`docs/rules.md` C3), so that a file sent again, or a record sent again with its
//! retransmission mark, is a duplicate.
//!
//! Invariant: no bytes whatever make it panic, and every byte of a file is in a record, in filler, or reported as broken
//! with its position.

mod chf;
mod containers;
mod fields;
mod framing;
mod gateway;

pub use framing::{Broken, FileHeader, Framing, Piece, Pieces};

use super::ber::{BerError, Reader, Tag};
use crate::model::{Number, Slice, UnixTime};

/// What kind of node wrote a record: the records of one session from two kinds are never added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Deserialize)]
pub enum RecordType {
    /// `PGWRecord`.
    #[default]
    #[serde(rename = "pgw-cdr")]
    Pgw,
    /// `SGWRecord`.
    #[serde(rename = "sgw-cdr")]
    Sgw,
    /// `ChargingRecord` of a CHF.
    #[serde(rename = "chf-cdr")]
    Chf,
}

impl RecordType {
    pub const ALL: [Self; 3] = [Self::Pgw, Self::Sgw, Self::Chf];

    /// By the outer tag.
    fn of(tag: Tag) -> Option<Self> {
        match tag.context_number()? {
            78 => Some(Self::Sgw),
            79 => Some(Self::Pgw),
            200 => Some(Self::Chf),
            _ => None,
        }
    }

    /// `recordType` (TS 32.298 clause 5.1.1), with which a record's id begins.
    fn number(self) -> &'static str {
        match self {
            Self::Sgw => "84",
            Self::Pgw => "85",
            Self::Chf => "200",
        }
    }

    /// As people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pgw => "P-GW",
            Self::Sgw => "S-GW",
            Self::Chf => "CHF",
        }
    }
}

/// One usage record; its buffers are used again from record to record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageRecord {
    pub kind: RecordType,
    /// IMSI, else MSISDN; `None` if the record names neither.
    pub number: Option<Number>,
    /// `type/node/charging id/sequence`.
    pub id: String,
    pub start: UnixTime,
    pub end: UnixTime,
    pub up: u64,
    pub down: u64,
    /// In order of their ends, at most [`crate::limits::SLICES_MAX`]; their sums are `up` and `down`.
    pub slices: Vec<Slice>,
    /// The number that its node gave it, one after another (localSequenceNumber); not all write it.
    pub local_number: Option<u64>,
    /// The node that did: `node` of the id.
    pub node: String,
}

impl UsageRecord {
    /// Writes the record's id, once its node is known: no two records of a node and an opening time have the same.
    fn push_id(&mut self, kind: RecordType, charging_id: Option<u64>, sequence: u64) {
        let Self { id, node, .. } = self;
        id.push_str(kind.number());
        id.push('/');
        id.push_str(node);
        id.push('/');
        match charging_id {
            Some(charging_id) => fields::push_number(id, charging_id),
            None => id.push('-'),
        }
        id.push('/');
        fields::push_number(id, sequence);
    }
}

/// Why a record cannot be read, and where in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Ber(#[from] BerError),
    #[error("byte {at}: {field} {problem}")]
    Field { at: usize, field: &'static str, problem: FieldProblem },
    #[error("byte {at}: record without {field}")]
    Missing { at: usize, field: &'static str },
    #[error(
        "byte {at}: tag [{number}] is no P-GW, S-GW or CHF record; take it out of the file, or name its feed's format"
    )]
    Kind { at: usize, number: u32 },
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    #[error("is empty")]
    Empty,
    #[error("is negative")]
    Negative,
    #[error("does not fit 64 bits")]
    TooLarge,
    #[error("is more than a bearer can move in seven days")]
    Absurd,
    #[error("holds something else than digits")]
    Digits,
    #[error("is no time")]
    Time,
}

impl RecordError {
    fn field(at: usize, field: &'static str, problem: FieldProblem) -> Self {
        Self::Field { at, field, problem }
    }

    /// Byte position in the file.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Ber(error) => error.at,
            Self::Field { at, .. } | Self::Missing { at, .. } | Self::Kind { at, .. } => *at,
        }
    }
}

/// Reads one record whose bytes begin at position `at` of the file.
///
/// # Errors
/// What cannot be read; `out` is then of no use.
pub fn decode(bytes: &[u8], at: usize, out: &mut UsageRecord) -> Result<(), RecordError> {
    let mut reader = Reader::new(bytes, at);
    let outer = reader.element()?.ok_or(RecordError::Missing { at, field: "content" })?;
    let inside = reader.inside(&outer)?;
    out.slices.clear();
    out.id.clear();
    out.node.clear();
    out.local_number = None;
    let Some(kind) = RecordType::of(outer.tag) else {
        return Err(RecordError::Kind { at, number: outer.tag.context_number().unwrap_or_default() });
    };
    out.kind = kind;
    match kind {
        RecordType::Pgw | RecordType::Sgw => gateway::decode(kind, inside, out),
        RecordType::Chf => chf::decode(inside, out),
    }
}

#[cfg(test)]
mod tests;
