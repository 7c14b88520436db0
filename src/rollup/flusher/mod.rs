//! The task that brings workers' rows into `card_month` and `card_day`.
//!
//! Rounds: gather batches until they make an insert worth sending or half a second is over, keep the newest row of each
//! key, write both tables at the same time, acknowledge the batches in their order. So a table has one insert under way,
//! and while it is under way (or ClickHouse is away) further batches queue up to a bound; beyond, workers are told that the
//! flusher is busy, go on metering, and rows of a card that changes again coalesce in its state.

mod channel;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

pub use channel::ChannelSink;
use channel::{Feed, Intake, Queued, Ticket};

use super::{Group, WriteStats, Writer};
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
        Self { feed, stats, task: runtime.spawn(run(intake, writer)) }
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

async fn run(mut intake: Intake, writer: Writer) {
    while let Some((group, tickets)) = gather(&mut intake).await {
        let (months, days) = group.sealed();
        tokio::join!(writer.write(&months), writer.write(&days));
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
