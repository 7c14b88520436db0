//! What became of a record. Every record folded has exactly one outcome (`docs/rules.md` C1).

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
#[repr(C, align(64))]
pub struct Ledger {
    /// By [`Input`]: CDR, reading, command.
    inputs: [Account; 3],
}

/// What came by one input. There are thousands of ledgers, and a counted record touches one line of memory of its own's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
struct Account {
    folded: Sum,
    /// By [`Outcome`].
    by: [Sum; 7],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
struct Sum {
    records: u64,
    bytes: u64,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        let (records, bytes) =
            (self.records.saturating_add(other.records), self.bytes.saturating_add(other.bytes));
        Self { records, bytes }
    }

    fn minus(self, other: Self) -> Self {
        let (records, bytes) =
            (self.records.saturating_sub(other.records), self.bytes.saturating_sub(other.bytes));
        Self { records, bytes }
    }
}

impl Account {
    fn with(&self, other: &Self, join: impl Fn(Sum, Sum) -> Sum) -> Self {
        let mut by = self.by;
        by.iter_mut().zip(other.by).for_each(|(sum, other)| *sum = join(*sum, other));
        Self { folded: join(self.folded, other.folded), by }
    }
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
        let account = &mut self.inputs[input as usize];
        let one = Sum { records: 1, bytes };
        account.folded = account.folded.plus(one);
        account.by[outcome as usize] = account.by[outcome as usize].plus(one);
    }

    /// Adds another ledger, for sums over shards.
    pub fn merge(&mut self, other: &Self) {
        *self = self.with(other, Sum::plus);
    }

    /// What has been added since `earlier`, an older state of the same ledger.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.with(earlier, Sum::minus)
    }

    fn with(&self, other: &Self, join: impl Fn(Sum, Sum) -> Sum) -> Self {
        let mut inputs = self.inputs;
        inputs
            .iter_mut()
            .zip(&other.inputs)
            .for_each(|(account, other)| *account = account.with(other, &join));
        Self { inputs }
    }

    /// Records of an input with an outcome.
    #[must_use]
    pub fn records(&self, input: Input, outcome: Outcome) -> u64 {
        self.inputs[input as usize].by[outcome as usize].records
    }

    /// Bytes of an input with an outcome.
    #[must_use]
    pub fn bytes(&self, input: Input, outcome: Outcome) -> u64 {
        self.inputs[input as usize].by[outcome as usize].bytes
    }

    /// All records folded of an input.
    #[must_use]
    pub fn folded(&self, input: Input) -> u64 {
        self.inputs[input as usize].folded.records
    }

    /// All bytes folded of an input.
    #[must_use]
    pub fn folded_bytes(&self, input: Input) -> u64 {
        self.inputs[input as usize].folded.bytes
    }

    /// Whether the outcomes add up to what was folded.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.inputs.iter().all(|account| {
            account.by.iter().fold(Sum::default(), |sum, part| sum.plus(*part)) == account.folded
        })
    }
}
