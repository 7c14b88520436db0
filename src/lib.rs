//! tidegauge: usage metering for IoT SIM cards, to the byte and exactly once, whatever crashes.
//!
//! Read `ARCHITECTURE.md` for the walk of one CDR from Kafka to the alert. In the order in which data flows:
//!
//! | module | what it is |
//! |---|---|
//! | [`model`] | the words of the trade as types: card, record, command, event, catalogue |
//! | [`codec`] | pure bytes ⇄ values: canonical JSON, packs, CloudEvents, quarantine |
//! | [`ingest`] | outside formats → canonical records: mediation, identity, parking, files |
//! | [`log`] | the one log behind traits: Kafka, a file, a simulation with faults |
//! | [`meter`] | PURE: state × record × log time → state × effects |
//! | [`checkpoint`] | heads and chunks: restore, verify |
//! | [`worker`] | the loop: poll, fold, seal, commit, release |
//! | [`rollup`] | absolute, versioned rows into ClickHouse |
//! | [`simulate`] | seeded crashes of the whole, judged by an independent auditor |
//! | [`limits`] | every bound, with its reason |
//! | `config`, `shell`, `api`, `cli`, `demo` | configuration; threads and clocks; HTTP; commands; a first look (feature `full`) |
//!
//! Dependencies point downward only. Without the feature `full` nothing here has a socket, a file or a clock.

#![warn(clippy::print_stdout)]

pub mod checkpoint;
pub mod codec;
pub mod ingest;
pub mod limits;
pub mod log;
pub mod meter;
pub mod model;
pub mod rollup;
pub mod simulate;
pub mod worker;

#[cfg(feature = "full")]
pub mod api;
#[cfg(feature = "full")]
pub mod cli;
#[cfg(feature = "full")]
pub mod config;
#[cfg(feature = "full")]
pub mod demo;
#[cfg(feature = "full")]
mod guard;
#[cfg(feature = "full")]
pub mod shell;
#[cfg(feature = "full")]
mod stdout;
