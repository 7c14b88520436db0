//! What one step did, as plain numbers for metrics, tests and the simulation.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::meter::{CardCounts, FeedView};
use crate::model::{Ledger, LogOffset, UnixTime};

/// The two clocks of a step. The fold sees neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Rising steadily from any start, milliseconds: paces seals, ticks, flushes.
    pub ms: i64,
    /// The machine's clock, milliseconds since 1970: the guard against a log that runs ahead, staleness, latencies.
    pub clock_ms: i64,
}

/// What a step did. Ledger, events and latencies are of what was **committed** in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Messages folded in this step (not yet committed).
    pub messages: usize,
    /// Records in them.
    pub records: usize,
    /// Commits whose end became known in this step.
    pub commits: Vec<CommitReport>,
    /// Outcomes of the records committed.
    pub ledger: Ledger,
    /// Events committed, by short type.
    pub events: BTreeMap<&'static str, u64>,
    /// Partitions that were lost in the middle of a commit.
    pub commits_lost: u64,
    /// Partitions whose state has changed, with the new state.
    pub changed: Vec<(u32, StateName)>,
    /// Restores that ended in this step: (partition, milliseconds).
    pub restored: Vec<(u32, i64)>,
    /// Errors of the log that will be tried again, to be logged.
    pub troubles: Vec<String>,
    /// Nothing to do before the next message arrives: the caller's next step may wait in `poll`.
    pub idle: bool,
    /// The worker was told to stop, has sealed, committed and given its partitions up: drop it.
    pub stopped: bool,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitReport {
    /// From `commit` to its known end, milliseconds.
    pub took_ms: i64,
    /// How often it was sent.
    pub attempts: u32,
    /// The next offset of each partition that it moved.
    pub offsets: Vec<(u32, LogOffset)>,
    /// Latency from the outside record's Kafka time to the commit, milliseconds, of the batches with alerts in them.
    pub alert_latency_ms: Vec<i64>,
    /// The same of all batches: of the oldest record.
    pub latency_ms: Vec<i64>,
}

/// The state of a partition, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    Restoring,
    Running,
    Halted,
    /// Being handed over or stopped: folds no more.
    Leaving,
    /// Drained by order: folds no more until the program is started again.
    Drained,
    /// Lost; the group has not said so yet.
    Lost,
}

impl StateName {
    /// The label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Restoring => "restoring",
            Self::Running => "running",
            Self::Halted => "halted",
            Self::Leaving => "leaving",
            Self::Drained => "drained",
            Self::Lost => "lost",
        }
    }
}

/// One partition, for `status`, `/health/ready` and the gauges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    pub partition: u32,
    pub state: StateName,
    /// Why it halted and what to do; empty while it runs.
    pub halted: String,
    /// The offset it halted at.
    pub halted_at: Option<LogOffset>,
    /// The next offset to fold.
    pub position: LogOffset,
    /// The next offset as committed.
    pub committed: LogOffset,
    pub log_time: UnixTime,
    pub stale: bool,
    /// Records to replay if it were restored now.
    pub replay_debt_records: u64,
    /// Log time since the oldest live chunk was written, seconds.
    pub checkpoint_age_s: i64,
    pub catalogue_version: u32,
    pub dirty_cards: usize,
    pub cards: CardCounts,
    /// As measured within the last half minute.
    pub state_bytes: usize,
    pub flushed_through: Option<LogOffset>,
    pub feeds: Vec<FeedView>,
}
