//! Outside formats → canonical records in packs: what the trade calls mediation.
//!
//! [`Ingest`] is a state machine over [`crate::log::IngestLog`]: it reads the outside topics, decodes, names the card by
//! the [`Directory`], packs by log partition and commits a source's offset only up to the first record that the log has not
//! acknowledged ([`Frontier`]). It keeps nothing that Kafka does not keep, so a crash anywhere costs repeats, never a
//! loss; the meter knows repeats by their ids.
//!
//! Invariant 3, ingest's half: read = logged + parked + dead letter + unknown ([`IngestLedger`]).
//! Invariant 5: what is in flight and what is held is bounded ([`Bounds`]); at a bound nothing more is read; the parked
//! topic alone is paused.

pub mod ber;
pub mod catalogue;
mod core;
mod directory;
mod feeds;
pub mod file;
pub mod formats;
mod frontier;
pub mod gaps;
mod guarded;
mod intake;
mod ledger;
mod letters;
pub mod modem;
mod options;
mod outbox;
mod packer;
mod parking;
pub mod pgw;
mod place;
mod push;
mod sources;

pub use self::core::{Ingest, Taking};
pub use crate::model::Clock;
pub use directory::{Change, Directory, Holders, PlainDirectory, resolve};
pub use frontier::{Frontier, Load};
pub use ledger::{IngestLedger, IngestOutcome, Source};
pub use options::{Bounds, Options, RawFeed, Report};
pub use push::{Kept, Push, Refused, Ticket};

#[cfg(all(test, feature = "full"))]
pub(crate) use guarded::PANICS;

#[cfg(test)]
mod tests;
