//! The state machine.

use super::{Directory, IngestLedger, Options, PlainDirectory, Report};
use crate::log::{IngestLog, LogError};

/// One ingest: a member of the group on the outside topics, with a producer of its own.
pub struct Ingest<L, D = PlainDirectory> {
    log: L,
    directory: D,
    options: Options,
    ledger: IngestLedger,
}

impl<L: IngestLog, D: Directory> Ingest<L, D> {
    #[must_use]
    pub fn new(log: L, directory: D, options: Options) -> Self {
        Self { log, directory, options, ledger: IngestLedger::default() }
    }

    /// Does what there is to do, and never waits longer than [`Options::wait_ms`]. Call it again at once while it reads,
    /// else when messages come, at the latest at [`Report::due_ms`].
    ///
    /// # Errors
    /// [`LogError::Fatal`] and [`LogError::Fenced`] end this ingest: what was not committed is read again by whoever is next.
    pub fn step(&mut self, now_ms: i64) -> Result<Report, LogError> {
        let _ = (now_ms, &self.directory, &self.options, &mut self.log);
        Ok(Report::default())
    }

    /// Reads nothing more; what is in flight is finished by further steps, until [`Report::idle`].
    pub fn stop(&mut self) {}

    /// What became of the records read since this ingest began.
    #[must_use]
    pub fn ledger(&self) -> &IngestLedger {
        &self.ledger
    }

    /// The log, for a simulation that looks into it.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }
}
