//! The task that brings workers' rows into `card_month` and `card_day`.
//!
//! Rounds: gather batches until they make an insert worth sending or half a second is over, keep the newest row of each
//! key, write both tables at the same time, acknowledge the batches in their order. So a table has one insert under way,
//! and while it is under way (or ClickHouse is away) further batches queue up to a bound; beyond, workers are told that the
//! flusher is busy, go on metering, and rows of a card that changes again coalesce in its state. A write that panics is
//! tried again like one that ClickHouse refuses; what else could panic here holds rows that nobody would bring again while
//! their worker runs, so the process ends with it.

mod channel;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub use channel::ChannelSink;
use channel::{Feed, Intake, Queued, Ticket};

use super::rows::{CardDay, CardMonth};
use super::{Backoff, Group, WriteStats, Writer};
use crate::guard::{caught_in, or_exit_in};
use crate::limits::{INSERT_LINGER_MS, INSERT_ROWS_MAX, INSERT_ROWS_MIN};

/// A running flusher.
pub struct Flusher {
    feed: Feed,
    stats: Arc<WriteStats>,
    task: JoinHandle<()>,
}

impl Flusher {
    /// Starts the task.
    #[must_use]
    pub fn start(writer: Writer, runtime: &Handle) -> Self {
        let (feed, intake) = Feed::new();
        let stats = writer.stats();
        let writer = Arc::new(writer);
        let body = run(intake, move |rows| write(Arc::clone(&writer), rows));
        Self { feed, stats, task: runtime.spawn(or_exit_in("flusher", body)) }
    }

    /// A worker's sink.
    #[must_use]
    pub fn sink(&self) -> ChannelSink {
        self.feed.sink()
    }

    /// Rows handed over whose end a worker has not yet taken.
    #[must_use]
    pub fn rows_queued(&self) -> usize {
        self.feed.rows_queued()
    }

    /// What was written, and what fails.
    #[must_use]
    pub fn stats(&self) -> &WriteStats {
        &self.stats
    }

    /// Ends the task when it has written what it was given, at the latest after `within`. Answers whether all of it was
    /// written; what was not is dirty in its card's state and comes again. Drop the sinks first: they keep it going.
    pub async fn stop(self, within: Duration) -> bool {
        let Self { feed, mut task, .. } = self;
        drop(feed);
        let whole = timeout(within, &mut task).await.is_ok();
        task.abort();
        whole
    }
}

/// Rows of both tables, sorted, one a key.
type Sealed = (Vec<CardMonth>, Vec<CardDay>);

async fn write(writer: Arc<Writer>, rows: Arc<Sealed>) {
    tokio::join!(writer.write(&rows.0), writer.write(&rows.1));
}

async fn run<W: Future<Output = ()>>(mut intake: Intake, write: impl Fn(Arc<Sealed>) -> W) {
    let mut retry = Backoff::new(0);
    while let Some((group, tickets)) = gather(&mut intake).await {
        let rows = Arc::new(group.sealed());
        while let Err(panicked) = caught_in(write(Arc::clone(&rows))).await {
            let wait = retry.next_wait();
            tracing::error!("writing rows has {panicked}; again in {:.1} s", wait.as_secs_f32());
            sleep(wait).await;
        }
        retry.reset();
        for ticket in tickets {
            ticket.acknowledge();
        }
    }
}

/// The batches of one round; `None` when there will be no more.
async fn gather(intake: &mut Intake) -> Option<(Group, Vec<Ticket>)> {
    let mut round = (Group::default(), Vec::new());
    take(&mut round, intake.recv().await?);
    let until = Instant::now() + Duration::from_millis(INSERT_LINGER_MS);
    while round.0.rows() < INSERT_ROWS_MIN {
        let Ok(Some(queued)) = timeout_at(until, intake.recv()).await else { break };
        take(&mut round, queued);
    }
    while round.0.rows() < INSERT_ROWS_MAX {
        let Ok(queued) = intake.try_recv() else { break };
        take(&mut round, queued);
    }
    Some(round)
}

fn take((group, tickets): &mut (Group, Vec<Ticket>), queued: Queued) {
    group.add(queued.batch);
    tickets.push(queued.ticket);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::model::LogOffset;
    use crate::rollup::{RowBatch, RowSink as _, VersionedRows};

    #[tokio::test]
    async fn a_write_that_panics_is_tried_again_and_its_batch_acknowledged_after_it() {
        let (feed, intake) = Feed::new();
        let mut sink = feed.sink();
        let batch = |id| RowBatch {
            partition: 3,
            through: LogOffset(id),
            last_part: true,
            rows: VersionedRows::default(),
            id,
        };
        assert!(sink.submit(batch(1)));
        let writes = AtomicU32::new(0);
        let acked_at_writes = async {
            for id in [1, 2] {
                let acked = loop {
                    match sink.acked() {
                        Some(acked) => break acked,
                        None => tokio::time::sleep(Duration::from_millis(1)).await,
                    }
                };
                assert_eq!((acked, writes.load(Relaxed)), ((3, id), id as u32 + 1));
                assert!(sink.submit(batch(id + 1)));
            }
        };
        let flusher = run(intake, async |_| assert!(writes.fetch_add(1, Relaxed) > 0, "planted"));
        tokio::select! { () = flusher => panic!("it has ended"), () = acked_at_writes => {} }
    }
}
