//! What a worker is told when it is made: names, modes, pacing. No number of it reaches the fold.

use super::Faults;
use crate::checkpoint::Expected;
pub use crate::checkpoint::{Clock, New, Pace};
use crate::limits::{FLUSH_ROWS_READY, SEAL_BYTES_MAX, SEAL_MESSAGES_MAX, SEAL_RECORDS_MAX};

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
    pub seal: SealBounds,
    /// Messages of checkpoint and log that one step reads while it restores.
    pub restore_messages: usize,
    pub faults: Faults,
}

/// What one seal of all partitions may hold; smaller ones in a simulation, so that it meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealBounds {
    pub records: usize,
    /// Of outputs.
    pub bytes: usize,
    pub messages: usize,
    /// For ClickHouse; the batch that passes it is whole. They make no seal due: what has no room waits for the next.
    pub rows: usize,
}

impl Default for SealBounds {
    fn default() -> Self {
        Self {
            records: SEAL_RECORDS_MAX,
            bytes: SEAL_BYTES_MAX,
            messages: SEAL_MESSAGES_MAX,
            rows: FLUSH_ROWS_READY,
        }
    }
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
            seal: SealBounds::default(),
            restore_messages: crate::limits::RESTORE_MESSAGES_PER_STEP,
            faults: Faults::default(),
        }
    }

    /// What every head must say.
    #[must_use]
    pub fn expected(&self) -> Expected {
        Expected {
            deployment: self.deployment.clone(),
            generation: self.generation,
            clock: self.clock,
            partitions: self.partitions,
            new: self.new,
            faults: self.faults.meter,
        }
    }
}
