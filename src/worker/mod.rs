//! (in the making)

mod faults;
mod mailbox;
mod report;
mod settings;

pub use faults::Faults;
pub use mailbox::{Answer, CardAnswer, Mailbox, OrderError, Reply, Request};
pub use report::{CommitReport, Now, PartitionStatus, Report, StateName};
pub use settings::{Clock, New, Pace, Settings};

use crate::log::WorkerLog;
use crate::rollup::RowSink;

/// What ends a worker: make a new one, with a new log handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    #[error("fenced: {0}; another process runs under this instance id, or the group has dropped this one")]
    Fenced(String),
    #[error("{0}")]
    Fatal(String),
}

/// One member of the group: its log handle and the state of its partitions.
pub struct Worker<L, S> {
    log: L,
    sink: S,
    settings: Settings,
}

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    pub fn new(log: L, sink: S, settings: Settings) -> Self {
        Self { log, sink, settings }
    }

    /// One round of the loop. Waits for messages at most `wait_ms`, in `poll`, and only when nothing else is to be done.
    ///
    /// # Errors
    /// What ends the worker; a partition's troubles are in its status instead.
    pub fn step(
        &mut self,
        _now: Now,
        _wait_ms: u64,
        _mailbox: &mut dyn Mailbox,
    ) -> Result<Report, WorkerError> {
        let _ = self.sink.acked();
        Ok(Report { idle: true, ..Report::default() })
    }

    /// Begins to stop: seal, commit, write every shard if so ordered, give the partitions up. Go on stepping until
    /// [`Report::stopped`].
    pub fn stop(&mut self, _then: Stop) {}

    /// The state of every partition held.
    pub fn status(&self, _now: Now) -> Vec<PartitionStatus> {
        Vec::new()
    }

    /// Where the log handle is reached, e.g. by a simulation.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
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
