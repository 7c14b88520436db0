//! The worker: one member of the group, with the state of its partitions, as a state machine that is stepped.
//!
//! ```text
//! loop: resolve or advance the open commit → restore a piece → poll → fold → serve → seal → commit → release
//! seal: immutable bytes: events, checkpoint head and chunks, offsets, rows for ClickHouse
//! commit: one transaction; folding of the next goes on meanwhile (at most SEALED_MAX sealed, then nothing is read)
//! release: rows to the rollup, counts to the report
//! ```
//!
//! It has no thread, no clock and no socket: [`Worker::step`] is given the time and a log behind [`WorkerLog`], and waits
//! nowhere but in `poll` or, at the bound, for the open commit, for as long as it is told. So a simulation can crash it
//! between any two calls.
//!
//! What it keeps: **a commit is one transaction** (invariant 2: events, checkpoint and offsets, or nothing); **nothing
//! that a crash can repeat has an effect twice** (4: `commits.rs` says how an unknown end is resolved; rows leave only
//! after the commit); **everything is bounded** (5: at a bound it reads nothing and goes on polling); **what cannot be proved
//! right does not run** (6: one partition halts at its offset, the others go on).
//!
//! | file | what |
//! |---|---|
//! | `live.rs` | a partition in memory: how a message is folded, what stops it |
//! | `step.rs`, `sealing.rs`, `flow.rs` | the loop: poll and restore; seal and release; pauses, ticks, rows, the end |
//! | `unsealed.rs`, `seal.rs`, `sealed.rs` | effects → bytes → immutable parts |
//! | `commits.rs` | the queue of sealed commits and the resolution of unknown ends |
//! | `group.rs`, `partition.rs`, `parked.rs`, `turns.rs` | partitions coming and going |
//! | `rows.rs`, `ticks.rs` | what ClickHouse has, and how the log learns it |
//! | `mailbox.rs`, `orders.rs`, `status.rs` | questions, drain, skip |
//! | `settings.rs`, `report.rs`, `faults.rs` | what it is told, what a step did, mistakes that tests plant |
//! | `shelf.rs` | where questions are answered while it waits |

mod commits;
mod faults;
mod flow;
mod group;
mod live;
mod mailbox;
mod orders;
mod parked;
mod partition;
mod report;
mod rows;
mod seal;
mod sealed;
mod sealing;
mod settings;
mod shelf;
mod status;
mod step;
mod ticks;
mod turns;
mod unsealed;

#[cfg(test)]
mod tests;

pub use faults::Faults;
pub use mailbox::{Answer, CardAnswer, Mailbox, OrderError, Reply, Request};
pub use report::{CommitReport, Now, PartitionStatus, Report, StateName};
pub use settings::{Clock, New, Pace, SealBounds, Settings};
pub use shelf::{Asked, Question, Shelf};

use std::collections::BTreeMap;

use self::commits::Commits;
use self::group::Group;
use self::parked::Lot;
use self::shelf::Partitions;
use self::turns::Turns;
use crate::log::{LogError, WorkerLog};
use crate::rollup::RowSink;

/// What ends a worker: make a new one, with a new log handle. Its state is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    #[error("fenced: {0}; another process runs under this instance id, or the group has dropped this one")]
    Fenced(String),
    #[error("{0}")]
    Fatal(String),
}

impl From<LogError> for WorkerError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Fenced(text) => Self::Fenced(text),
            other => Self::Fatal(other.to_string()),
        }
    }
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Seal, commit, leave.
    Now,
    /// Write every shard at the last offset before leaving, so that nothing is left to replay.
    Drained,
}

/// One member of the group: its log handle and the state of its partitions.
pub struct Worker<L, S> {
    log: L,
    sink: S,
    settings: Settings,
    partitions: Partitions,
    commits: Commits,
    group: Group,
    parked: Lot,
    turns: Turns,
    /// Ordered to drain: whatever it has and gets is held, and written whole as of where it stands.
    drained: bool,
    drains: Vec<Reply<Result<(), OrderError>>>,
    stopping: Option<Stop>,
    /// Id of the log's topic, once it is known.
    topic_id: Option<String>,
    /// Of the last batch of rows.
    batch_id: u64,
    /// Whose rows are taken first: those before had theirs in the last seal that had no room for all.
    rows_first: u32,
    /// Until then no end of a checkpoint partition is asked for: a broker did not answer.
    floors_again_ms: i64,
    /// Sealed commits and unsealed work are at their bounds.
    stalled: bool,
    states: BTreeMap<u32, StateName>,
    now: Now,
    report: Report,
}

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    /// A member that has no partitions yet.
    pub fn new(log: L, sink: S, settings: Settings) -> Self {
        Self {
            log,
            sink,
            settings,
            partitions: Partitions::new(),
            commits: Commits::default(),
            group: Group::default(),
            parked: Lot::default(),
            turns: Turns::default(),
            drained: false,
            drains: Vec::new(),
            stopping: None,
            topic_id: None,
            batch_id: 0,
            rows_first: 0,
            floors_again_ms: 0,
            stalled: false,
            states: BTreeMap::new(),
            now: Now::default(),
            report: Report::default(),
        }
    }

    /// Begins to stop: seal, commit, write every shard if so ordered, give the partitions up. Go on stepping until
    /// [`Report::stopped`].
    pub fn stop(&mut self, then: Stop) {
        self.stopping = Some(then);
    }

    /// Where the log handle is reached, e.g. by a simulation.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    /// The sink, for tests that shut it and look at what it took.
    #[cfg(test)]
    pub(crate) fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
