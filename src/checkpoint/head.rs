//! The head: one record a commit, which says what the state at the committed offset is and what may restore it.

use serde::{Deserialize, Serialize};

use crate::model::{Clock, Ledger, LogOffset, UnixTime};

/// Whether a partition without offsets and without a checkpoint may begin from nothing (`--new`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum New {
    Allowed,
    #[default]
    Refused,
}

/// The head of one partition's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The next offset to fold; equal to the group's committed offset, or the partition does not start.
    pub offset: LogOffset,
    pub log_time: UnixTime,
    pub clock: Clock,
    /// Id of the log's topic: a topic deleted and made again has another.
    pub topic_id: String,
    /// Partitions of the log.
    pub partitions: u32,
    /// Version of the fold that made the state.
    pub fold_version: u32,
    /// Versions of the catalogues from the oldest live chunk's on; each stands under its own key.
    pub catalogues: Vec<u32>,
    /// Sum of the shards' ledgers.
    pub ledger: Ledger,
    /// Generation of the deployment: raised by a reshard.
    pub generation: u32,
    /// Transactional id of the writer, so that a successor can end its open transaction.
    pub writer: String,
    pub deployment: String,
}

/// What a worker expects of every head that it restores from, and writes into its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub deployment: String,
    pub generation: u32,
    pub clock: Clock,
    pub partitions: u32,
    pub new: New,
    /// Planted faults of the fold: a replay must make the mistakes that the first fold made. None outside tests.
    pub faults: crate::meter::Faults,
}

/// An order to pass over a message of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    pub offset: LogOffset,
    pub reason: String,
}
