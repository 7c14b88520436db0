//! The outside JSON of `usage.cdr`, `usage.modem` and `card.commands` ⇄ the model.
//!
//! Reading checks all that can be checked without the card: types, bounds, units, times. Unknown fields are ignored; a
//! missing or ill-typed field is a [`JsonError`] that names it. Optional fields may be `null`. Writing makes what reading
//! takes, for the quarantine, the demo and tests.
//!
//! Invariant: what [`mod@write`] made of a record reads back as the same record.

mod command;
mod error;
mod field;
mod object;
mod opening;
mod plain;
mod record;
mod scan;
#[cfg(test)]
mod tests;
pub mod write;

pub use command::{CommandIn, command};
pub use error::JsonError;
pub(crate) use error::shown;
pub(crate) use field::{Field, parse_digits};
pub use record::{CdrIn, FEED_OF_READINGS, ReadingIn, Scratch, cdr, reading};
pub(crate) use scan::Scanner;
