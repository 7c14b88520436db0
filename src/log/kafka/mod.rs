//! The log on Apache Kafka, through librdkafka.
//!
//! | file | what it is |
//! |---|---|
//! | `config` | what librdkafka is told; no raw property can switch off a fence |
//! | `ffi` | the calls that the `rdkafka` crate lacks; all unsafe code |
//! | `group` | membership changes, noted in the callback with their metadata |
//! | `member` | a group member that reads in batches |
//! | `commit` | the commit thread: one transaction, begun when all is sealed, ended at once |
//! | `scan` | one partition from an offset to a position |
//! | `worker` | [`KafkaWorkerLog`] |
//! | `reader` | [`KafkaReader`]: topics read as a group, at least once |
//! | `ingest` | [`KafkaIngestLog`] |
//! | `follow` | the directory, read whole and then followed |
//! | `commands` | [`KafkaCommands`]: commands that came by HTTP; [`KafkaTail`]: events, and who holds what |
//! | `replay` | [`KafkaReplay`]: events read again |
//! | `repeats` | what librdkafka says over and over, told once a minute |
//! | `look` | [`KafkaLook`]: everything readable, nothing joined, for `verify` |
//! | `brokers`, `version`, `granted` | who the brokers are, how they are set, what their clocks say, what they allow: for `doctor` |
//! | `topics` | what the topics should be, what they are, and how to get there |
//!
//! Invariant 2: a commit is one transaction, fenced by the offsets of every partition it speaks for and by the group
//! metadata of the generation it was sealed in. Loss of a partition is told by the group alone, never by a failed commit.

mod asking;
mod brokers;
mod commands;
mod commit;
mod config;
mod error;
mod ffi;
mod follow;
mod granted;
mod group;
mod ingest;
mod judge;
mod look;
mod member;
mod offsets;
mod producer;
mod reader;
mod repeats;
mod replay;
mod scan;
pub mod topics;
mod version;
mod worker;

use super::deadline;

pub use brokers::{BrokerFound, Skew, brokers, skew};
pub use commands::{KafkaCommands, KafkaTail};
pub use config::{KafkaConfig, Timeouts, not_taken};
pub use granted::{GroupFound, KafkaGranted, Operation};
pub use ingest::KafkaIngestLog;
pub use look::KafkaLook;
pub use offsets::any_committed;
pub use reader::KafkaReader;
pub use replay::KafkaReplay;
pub use version::{BrokerVersion, broker_version, is_newest_known, release};
pub use worker::KafkaWorkerLog;
