//! A worker's thread: gives the state machine its clocks and its mailbox, and tells what it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Board, Clocks, Inbox, Workers, backoff::Backoff, supervisor::Supervisor};
use crate::api::metrics::WorkerMetrics;
use crate::limits::{STATUS_EVERY_MS, WORKER_WAIT_MS};
use crate::log::{LogError, WorkerLog};
use crate::rollup::RowSink;
use crate::worker::{Report, Settings, StateName, Stop, Worker, WorkerError};

/// What a worker's thread shares with the process.
#[derive(Clone)]
pub struct Shared {
    pub board: Arc<Board>,
    pub workers: Arc<Workers>,
    pub stop: Arc<AtomicBool>,
    pub clocks: Clocks,
}

/// Runs worker number `number` until told to stop. A worker that was fenced, that panicked, or whose log failed for good, is
/// made anew after a pause: its state is in the log. One that follows one that was drained is drained: whoever ordered it was
/// told that here nothing is folded until the process is started again.
pub fn run<L: WorkerLog, S: RowSink>(
    number: usize,
    settings: &Settings,
    shared: &Shared,
    mut inbox: Inbox,
    mut make: impl FnMut() -> Result<(L, S), LogError>,
) {
    let (mut metrics, mut drained) = (WorkerMetrics::new(), false);
    let mut supervisor = Supervisor::new("worker", &shared.stop);
    let mut attempt = |backoff: &mut Backoff| {
        let (log, sink) = make()?;
        let mut worker = Worker::new(log, sink, settings.clone());
        if drained {
            worker.drain();
        }
        let (metrics, drained) = (&mut metrics, &mut drained);
        let it =
            Loop { number, shared, metrics, backoff, drained, worker, next_status_ms: 0, stopping: false };
        it.run(&mut inbox)
    };
    while let Some((ended, pause)) = supervisor.attempt(&mut attempt) {
        tracing::error!(worker = number, %ended, retry_in_s = pause.as_secs(), "the worker has ended; a new one follows");
        shared.board.worker_ended(number);
        shared.board.worker_ended_by(number, &ended.to_string());
        shared.workers.routes_of(number, &[]);
    }
}

struct Loop<'a, L, S> {
    number: usize,
    shared: &'a Shared,
    metrics: &'a mut WorkerMetrics,
    backoff: &'a mut Backoff,
    /// Kept for whoever follows.
    drained: &'a mut bool,
    worker: Worker<L, S>,
    next_status_ms: i64,
    stopping: bool,
}

impl<L: WorkerLog, S: RowSink> Loop<'_, L, S> {
    fn run(mut self, inbox: &mut Inbox) -> Result<(), WorkerError> {
        loop {
            if self.shared.stop.load(Ordering::Relaxed) && !self.stopping {
                self.stopping = true;
                self.worker.stop(Stop::Now);
            }
            let begun = Clocks::instant();
            let report = self.worker.step(self.shared.clocks.now(), WORKER_WAIT_MS, inbox)?;
            *self.drained = self.worker.is_to_drain();
            self.tell(&report, begun.elapsed());
            if report.stopped {
                return Ok(());
            }
        }
    }

    fn tell(&mut self, report: &Report, took: Duration) {
        self.metrics.step(report, took);
        if !report.commits.is_empty() {
            self.backoff.reset();
            self.shared.board.committed(report);
        }
        for trouble in &report.troubles {
            tracing::warn!(worker = self.number, "{trouble}");
        }
        for (partition, state) in &report.changed {
            tracing::info!(worker = self.number, partition, state = state.name(), "partition");
        }
        let now = self.shared.clocks.now();
        if now.ms >= self.next_status_ms || !report.changed.is_empty() {
            self.next_status_ms = now.ms + STATUS_EVERY_MS;
            let status = self.worker.status(now);
            for halted in status.iter().filter(|s| s.state == StateName::Halted) {
                if report.changed.iter().any(|(partition, _)| *partition == halted.partition) {
                    tracing::error!(partition = halted.partition, "{}", halted.halted);
                }
            }
            self.shared.workers.routes_of(self.number, &status);
            if self.worker.has_joined() {
                self.shared.board.worker(self.number, status);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::file::{FileWorkerLog, Member, Store};
    use crate::rollup::RowBatch;
    use crate::shell::wall_ms;
    use crate::worker::CommitReport;

    struct Nowhere;

    impl RowSink for Nowhere {
        fn submit(&mut self, _: RowBatch) -> bool {
            false
        }

        fn acked(&mut self) -> Option<(u32, u64)> {
            None
        }
    }

    #[test]
    fn a_worker_that_commits_has_its_failures_forgotten_and_one_that_only_steps_has_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), 1, Arc::new(wall_ms)).expect("a store");
        let (workers, _inboxes) = Workers::new(1, 1);
        let (board, workers) = (Arc::new(Board::new(1, 0)), Arc::new(workers));
        let shared = Shared { board, workers, stop: Arc::default(), clocks: Clocks::start() };
        let (mut metrics, mut backoff, mut drained) = (WorkerMetrics::new(), Backoff::default(), false);
        let commit = CommitReport {
            took_ms: 5,
            attempts: 1,
            offsets: Vec::new(),
            alert_latency_ms: Vec::new(),
            latency_ms: Vec::new(),
        };
        for (commits, pause_ms) in [(Vec::new(), 400), (vec![commit], 200)] {
            backoff.reset();
            assert_eq!(backoff.next().as_millis(), 200);
            let log = FileWorkerLog::new(Arc::clone(&store), Member::ONLY);
            let worker = Worker::new(log, Nowhere, Settings::new("t", "t-1", 1));
            let (shared, metrics, backoff, drained) = (&shared, &mut metrics, &mut backoff, &mut drained);
            let (number, next_status_ms, stopping) = (0, 0, false);
            let mut running =
                Loop { number, shared, metrics, backoff, drained, worker, next_status_ms, stopping };
            running.tell(&Report { commits, ..Report::default() }, Duration::ZERO);
            assert_eq!(running.backoff.next().as_millis(), pause_ms);
        }
    }
}
