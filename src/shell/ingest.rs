//! An ingest's thread: gives the state machine its clock and the batches pushed to it, and tells how it stands.
//!
//! Invariant: told to stop, it ends only when nothing is in flight and every finished offset is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Board, Clocks, FeedStatus, Pushed, backoff::Backoff, supervisor::Supervisor, wall_ms};
use crate::api::metrics::{FeedMetrics, IngestMetrics};
use crate::ingest::{Directory, Ingest, Options};
use crate::limits::STATUS_EVERY_MS;
use crate::log::{IngestLog, LogError};

/// What an ingest's thread shares with the process.
#[derive(Clone)]
pub struct Shared {
    pub board: Arc<Board>,
    pub stop: Arc<AtomicBool>,
    pub clocks: Clocks,
}

impl Shared {
    pub(super) fn told_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Runs ingest number `number` until told to stop; one that failed or panicked is made anew: what it had not committed is
/// read again.
pub fn run<L: IngestLog, D: Directory>(
    number: usize,
    options: &Options,
    shared: &Shared,
    mut pushed: Pushed,
    mut make: impl FnMut() -> Result<(L, D), LogError>,
) {
    let mut metrics = (IngestMetrics::new(), FeedMetrics::default());
    let mut supervisor = Supervisor::new("ingest", &shared.stop);
    while let Some((ended, pause)) = supervisor.attempt(|backoff| {
        let (log, directory) = make()?;
        let ingest = Ingest::new(log, directory, options.clone());
        turn(number, ingest, shared, (&mut metrics, &mut pushed), backoff)
    }) {
        tracing::error!(ingest = number, %ended, retry_in_s = pause.as_secs(), "ingest has ended; a new one follows");
        shared.board.ingest_ended(number);
        shared.board.ingest_ended_by(number, &ended.to_string());
        pushed.end();
    }
}

fn turn<L: IngestLog, D: Directory>(
    number: usize,
    mut ingest: Ingest<L, D>,
    shared: &Shared,
    ((metrics, feeds), pushed): (&mut (IngestMetrics, FeedMetrics), &mut Pushed),
    backoff: &mut Backoff,
) -> Result<(), LogError> {
    let mut next_status_ms = 0;
    let mut stopping = false;
    metrics.anew();
    feeds.anew();
    loop {
        if shared.stop.load(Ordering::Relaxed) && !stopping {
            stopping = true;
            ingest.stop();
        }
        // Parked records say when they were first seen: whoever reads them back has begun at another time.
        let now_ms = shared.clocks.anchored_ms();
        pushed.take(&mut ingest, now_ms);
        let report = match ingest.step(now_ms) {
            Err(LogError::Retriable(trouble)) => {
                tracing::warn!(ingest = number, "{trouble}");
                continue;
            }
            other => other?,
        };
        if report.directory_ready {
            backoff.reset();
        }
        pushed.tell(&mut ingest);
        if now_ms >= next_status_ms {
            next_status_ms = now_ms + STATUS_EVERY_MS;
            metrics.counted(ingest.ledger());
            shared.board.ingest(number, *ingest.ledger(), report, ingest.lag());
            metrics.stand(shared.board.input(wall_ms()));
            let standing = ingest.standing();
            feeds.count(&standing);
            let statuses = standing.into_iter().map(|standing| FeedStatus { standing, folder: None });
            shared.board.feeds(&format!("ingest-{number}"), statuses.collect());
            feeds.stand(&shared.board.watched(), wall_ms());
        }
        if stopping && report.idle {
            metrics.counted(ingest.ledger());
            return Ok(());
        }
    }
}
