//! PURE: state × record × log time → state × effects. No clock, no I/O, no randomness, no order of a hash map.
//!
//! A [`Meter`] is the state of one log partition: shards of cards, folded from packs in log order. A record finds its
//! card's line, what is due for the card happens first, then `step` folds the record and sees nothing beside its card.
//! Every record ends in exactly one outcome of the shard's ledger (`docs/rules.md` C1); what is not counted is handed over for
//! quarantine or dead letter; bad input is an outcome, a broken invariant panics and halts the partition alone.
//!
//! | file | what it holds |
//! |---|---|
//! | `fold`, `restore`, `warm` | a partition's meter: packs in log order, back from its chunks, lines fetched ahead |
//! | `shard`, `table`, `timers`, `names` | cards of a shard, their order, what is due, names they share |
//! | `card`, `step`, `ctx` | one card's line, and what a step is told |
//! | `exact`, `maybe` | lists and times that take no more than they must |
//! | `cdr`, `ids` | records of usage: checked, known again, counted once |
//! | `reading`, `counters`, `fall`, `totals` | cumulative counters of devices, and totals that carriers tell |
//! | `dates`, `count`, `usage`, `piece`, `cycle`, `past` | bytes into days and cycles; used of a day by C4; closed cycles packed |
//! | `adjust` | corrections by hand, and records posted after all |
//! | `due` | what time brings: packages end, days and cycles close |
//! | `life` | states of a card, their warnings and ends |
//! | `command`, `seen`, `numbers`, `state` | registration, states, ids of commands, numbers held |
//! | `opening` | what a card brings along that comes in mid-life |
//! | `account`, `book` | packages, burn and alerts of one card, and how they are told of usage |
//! | `notify`, `purse` | who is told of alerts, and what it costs |
//! | `feeds`, `whole` | how fresh the feeds are, and which days are whole because of it |
//! | `index`, `chunk` | the catalogue made ready; the bytes of a shard |
//! | `effects`, `event_id`, `quarantined`, `rows`, `view`, `memory` | what leaves the meter, under which ids; what it takes |
//!
//! A day becomes complete when its settling feed declares it (`feed.complete`). The declaration reaches each shard at its
//! place in the log; a card takes it when it is next touched, at the latest by the sweep of 256 cards a shard and second. A
//! feed that was fresh for 48 hours after a day's end has declared it by rule (`whole`). A day that closes undeclared keeps
//! the greatest of its totals and is marked unsettled.

pub mod account;
mod adjust;
mod book;
mod card;
mod cdr;
mod chunk;
mod command;
mod count;
mod counters;
mod ctx;
mod cycle;
mod dates;
mod due;
mod effects;
mod event_id;
mod exact;
mod fall;
mod feeds;
mod fold;
mod ids;
mod index;
mod life;
mod maybe;
pub mod memory;
mod names;
mod notify;
mod numbers;
mod opening;
mod past;
mod piece;
mod purse;
mod quarantined;
mod reading;
mod restore;
pub mod rows;
mod seen;
mod shard;
mod state;
mod step;
pub mod table;
mod timers;
mod totals;
mod usage;
mod view;
mod warm;
mod whole;

#[cfg(test)]
mod tests;

pub use effects::{CatalogueConflict, Effects, OwnedRecord, Quarantined};
pub use fold::{FoldError, Meter};
pub use restore::{MeterHead, RestoreError};
pub use rows::{DayRow, MonthRow, Rows};
pub use state::{CardState, SuspendedBy};
pub use view::{CardView, FeedView};

/// Version of what the fold computes. A chunk of another version is not replayed: only one that was written at the end of
/// the log, by `drain`, is taken over. Held to the bytes by `tests/golden`.
pub const FOLD_VERSION: u32 = 13;

/// Version of how a shard is written. Whoever raises it keeps a reader of the one before, or no drained state can be taken over.
pub const STATE_LAYOUT: u32 = 1;

/// Faults that can be planted, so that tests prove that the auditor catches them. None in production.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fault of its own, and any may be planted with any other"
)]
pub struct Faults {
    /// Duplicates are counted.
    pub no_dedupe: bool,
    /// A carrier's total of a day is added to the one before.
    pub totals_add: bool,
    /// What is due fires in the wrong order, and not before a card's records.
    pub timers_unordered: bool,
    /// A recharge does not raise the arming of alerts.
    pub recharge_raises_nothing: bool,
    /// A message is paid twice.
    pub credits_twice: bool,
    /// An alert about a past cycle is paid for, and told beside the push.
    pub late_alerts_paid: bool,
    /// Alerts that were told are forgotten by a restart.
    pub alerts_forgotten: bool,
}

/// Cards by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CardCounts {
    pub registered: u64,
    pub active: u64,
    pub suspended: u64,
    pub cancelled: u64,
}

impl CardCounts {
    /// Cards in any state.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.registered + self.active + self.suspended + self.cancelled
    }
}
