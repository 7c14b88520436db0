//! What a worker is told when it is made: names, modes, pacing. No number of it reaches the fold.

use serde::{Deserialize, Serialize};

use super::Faults;
use crate::limits::{REPLAY_DEBT_RECORDS_MAX, REPLAY_DEBT_S_MAX};

/// Where log time comes from. Stands in every checkpoint head and never changes in a deployment's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The brokers stamp: `LogAppendTime`. Production.
    #[default]
    Log,
    /// Ingest stamps from the feeds' own times or from a script: `CreateTime`. Tests, demo, rebuild, import of history.
    Supplied,
}

/// Whether a partition without offsets and without a checkpoint may begin from nothing (`--new`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum New {
    Allowed,
    #[default]
    Refused,
}

/// How often a shard is written to the checkpoint: a whole round within this much replay debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Records that a restore may have to replay, at most.
    pub records: u64,
    /// Seconds of log time that a restore may have to replay, at most.
    pub seconds: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { records: REPLAY_DEBT_RECORDS_MAX, seconds: REPLAY_DEBT_S_MAX }
    }
}

/// A worker's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `source` of the events; compared with every head.
    pub deployment: String,
    /// Of the deployment: raised by a reshard, high bits of the rows' version.
    pub generation: u32,
    /// This instance, and where its HTTP listens, for `tidegauge.owners`.
    pub instance: String,
    pub address: String,
    pub clock: Clock,
    /// Partitions of the log, as configured.
    pub partitions: u32,
    pub new: New,
    pub pace: Pace,
    /// Messages of checkpoint and log that one step reads while it restores.
    pub restore_messages: usize,
    pub faults: Faults,
}

impl Settings {
    /// Settings with the defaults of production.
    #[must_use]
    pub fn new(deployment: &str, instance: &str, partitions: u32) -> Self {
        Self {
            deployment: deployment.to_owned(),
            generation: 0,
            instance: instance.to_owned(),
            address: String::new(),
            clock: Clock::Log,
            partitions,
            new: New::Refused,
            pace: Pace::default(),
            restore_messages: crate::limits::RESTORE_MESSAGES_PER_STEP,
            faults: Faults::default(),
        }
    }
}
