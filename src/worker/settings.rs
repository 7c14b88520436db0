//! What a worker is told when it is made: names, modes, pacing. No number of it reaches the fold.

use super::Faults;
use crate::checkpoint::Expected;
pub use crate::checkpoint::{Clock, New, Pace};

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
