//! What became of a record. Every record folded has exactly one outcome (`domain.md` C1).

use serde::{Deserialize, Serialize};

/// The meter's outcome of one log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Folded into the totals; for a command: applied or refused, and answered.
    Counted,
    /// The same id with the same content was counted before.
    Duplicate,
    /// The same id with other content: quarantined.
    Conflict,
    /// Its home day is closed: quarantined.
    Late,
    /// The card-day holds its most ids already, or the record is longer than seven days: quarantined.
    Flood,
    /// No such card, or the card does not hold the number it was resolved by: quarantined.
    Unknown,
    /// Cannot be right: dead letter.
    Rejected,
}

impl Outcome {
    /// All of them, in the order of the ledger's columns.
    pub const ALL: [Self; 7] = [
        Self::Counted,
        Self::Duplicate,
        Self::Conflict,
        Self::Late,
        Self::Flood,
        Self::Unknown,
        Self::Rejected,
    ];

    /// The label in metrics, headers and rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Late => "late",
            Self::Flood => "flood",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
        }
    }
}

/// Why: a text that a support agent can read out.
pub type Reason = std::borrow::Cow<'static, str>;

/// The meter's ledger: records and bytes by input and outcome. Part of the state of each shard.
///
/// Bytes are those of the record for CDRs, and the delta taken for readings. Counted + duplicate + … + rejected =
/// folded, in records and in bytes, by construction: [`Ledger::add`] is the only way in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Indexed by [`Input`] (CDR, reading, command) and [`Outcome`].
    records: [[u64; 7]; 3],
    bytes: [[u64; 7]; 3],
    folded_records: [u64; 3],
    folded_bytes: [u64; 3],
}

/// Which input a record came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Cdr,
    Reading,
    Command,
}

impl Input {
    pub const ALL: [Self; 3] = [Self::Cdr, Self::Reading, Self::Command];

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::Reading => "reading",
            Self::Command => "command",
        }
    }
}

#[allow(clippy::indexing_slicing, reason = "indices are enum discriminants within the arrays' bounds")]
impl Ledger {
    /// Notes one record.
    pub fn add(&mut self, input: Input, outcome: Outcome, bytes: u64) {
        let (i, o) = (input as usize, outcome as usize);
        self.records[i][o] = self.records[i][o].saturating_add(1);
        self.bytes[i][o] = self.bytes[i][o].saturating_add(bytes);
        self.folded_records[i] = self.folded_records[i].saturating_add(1);
        self.folded_bytes[i] = self.folded_bytes[i].saturating_add(bytes);
    }

    /// Adds another ledger, for sums over shards.
    pub fn merge(&mut self, other: &Self) {
        for i in 0..3 {
            for o in 0..7 {
                self.records[i][o] = self.records[i][o].saturating_add(other.records[i][o]);
                self.bytes[i][o] = self.bytes[i][o].saturating_add(other.bytes[i][o]);
            }
            self.folded_records[i] = self.folded_records[i].saturating_add(other.folded_records[i]);
            self.folded_bytes[i] = self.folded_bytes[i].saturating_add(other.folded_bytes[i]);
        }
    }

    /// What has been added since `earlier`, an older state of the same ledger.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut out = *self;
        for i in 0..3 {
            for o in 0..7 {
                out.records[i][o] = self.records[i][o].saturating_sub(earlier.records[i][o]);
                out.bytes[i][o] = self.bytes[i][o].saturating_sub(earlier.bytes[i][o]);
            }
            out.folded_records[i] = self.folded_records[i].saturating_sub(earlier.folded_records[i]);
            out.folded_bytes[i] = self.folded_bytes[i].saturating_sub(earlier.folded_bytes[i]);
        }
        out
    }

    /// Records of an input with an outcome.
    #[must_use]
    pub fn records(&self, input: Input, outcome: Outcome) -> u64 {
        self.records[input as usize][outcome as usize]
    }

    /// Bytes of an input with an outcome.
    #[must_use]
    pub fn bytes(&self, input: Input, outcome: Outcome) -> u64 {
        self.bytes[input as usize][outcome as usize]
    }

    /// All records folded of an input.
    #[must_use]
    pub fn folded(&self, input: Input) -> u64 {
        self.folded_records[input as usize]
    }

    /// All bytes folded of an input.
    #[must_use]
    pub fn folded_bytes(&self, input: Input) -> u64 {
        self.folded_bytes[input as usize]
    }

    /// Whether the outcomes add up to what was folded.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        (0..3).all(|i| {
            self.records[i].iter().sum::<u64>() == self.folded_records[i]
                && self.bytes[i].iter().fold(0u64, |a, b| a.saturating_add(*b)) == self.folded_bytes[i]
        })
    }
}
