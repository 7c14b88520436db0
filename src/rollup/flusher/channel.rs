//! Between a worker's thread and the flusher: batches one way, acknowledgements the other, neither ever waited for.
//!
//! Invariant: what is between them is bounded in batches and in rows, from `submit` until the worker has taken the
//! acknowledgement; and the budget returns to whole when everything is acknowledged or its worker is gone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limits::{FLUSH_BATCHES_QUEUED_MAX, FLUSH_ROWS_QUEUED_MAX, FLUSH_ROWS_READY};
use crate::rollup::{RowBatch, RowSink};

/// The flusher's end.
pub(super) type Intake = mpsc::Receiver<Queued>;

/// A batch on its way in.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) batch: RowBatch,
    pub(super) ticket: Ticket,
}

/// The way back of a batch.
#[derive(Debug)]
pub(super) struct Ticket {
    ack: Ack,
    to: mpsc::UnboundedSender<Ack>,
}

#[derive(Debug)]
struct Ack {
    partition: u32,
    id: u64,
    /// Given back when the worker takes the acknowledgement, or is gone: so the unbounded channel is bounded, too.
    _rows: OwnedSemaphorePermit,
}

impl Ticket {
    /// ClickHouse has the batch whole. A worker that is gone does not care.
    pub(super) fn acknowledge(self) {
        drop(self.to.send(self.ack));
    }
}

/// Makes sinks that feed one intake.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    batches: mpsc::Sender<Queued>,
    rows: Arc<Semaphore>,
}

impl Feed {
    pub(super) fn new() -> (Self, Intake) {
        let (batches, intake) = mpsc::channel(FLUSH_BATCHES_QUEUED_MAX);
        (Self { batches, rows: Arc::new(Semaphore::new(FLUSH_ROWS_QUEUED_MAX)) }, intake)
    }

    pub(super) fn sink(&self) -> ChannelSink {
        let (acks_to, acks) = mpsc::unbounded_channel();
        ChannelSink { feed: self.clone(), acks_to, acks }
    }

    /// Rows that are between workers and ClickHouse.
    pub(super) fn rows_queued(&self) -> usize {
        FLUSH_ROWS_QUEUED_MAX - self.rows.available_permits()
    }
}

/// One worker's sink.
#[derive(Debug)]
pub struct ChannelSink {
    feed: Feed,
    acks_to: mpsc::UnboundedSender<Ack>,
    acks: mpsc::UnboundedReceiver<Ack>,
}

impl RowSink for ChannelSink {
    fn ready(&self) -> bool {
        self.feed.rows.available_permits() >= FLUSH_ROWS_READY && self.feed.batches.capacity() > 0
    }

    fn submit(&mut self, batch: RowBatch) -> bool {
        // An empty batch has its place too; one beyond the whole budget waits until all of it is free.
        let rows = batch.len().clamp(1, FLUSH_ROWS_QUEUED_MAX) as u32;
        let Ok(permit) = Arc::clone(&self.feed.rows).try_acquire_many_owned(rows) else { return false };
        let ack = Ack { partition: batch.partition, id: batch.id, _rows: permit };
        let ticket = Ticket { ack, to: self.acks_to.clone() };
        self.feed.batches.try_send(Queued { batch, ticket }).is_ok()
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        self.acks.try_recv().ok().map(|ack| (ack.partition, ack.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogOffset;
    use crate::rollup::VersionedRows;

    fn batch(id: u64) -> RowBatch {
        RowBatch { partition: 3, through: LogOffset(id), last_part: true, rows: VersionedRows::default(), id }
    }

    #[test]
    fn a_full_intake_is_busy_and_takes_again_once_the_worker_has_taken_the_ends() {
        let (feed, mut intake) = Feed::new();
        let mut sink = feed.sink();
        let taken = (0..1_000_000).take_while(|&id| sink.submit(batch(id))).count();
        assert_eq!(taken, FLUSH_BATCHES_QUEUED_MAX);
        assert_eq!(feed.rows_queued(), taken, "an empty batch counts as one row");

        intake.try_recv().unwrap().ticket.acknowledge();
        assert_eq!(sink.acked(), Some((3, 0)));
        assert!(sink.submit(batch(9_999)));
    }

    #[test]
    fn the_budget_is_whole_when_all_ends_are_taken_or_the_worker_is_gone() {
        let (feed, mut intake) = Feed::new();
        let (mut stays, mut goes) = (feed.sink(), feed.sink());
        assert!(stays.submit(batch(1)) && goes.submit(batch(2)) && stays.submit(batch(3)));
        drop(goes);
        while let Ok(queued) = intake.try_recv() {
            queued.ticket.acknowledge();
        }
        assert_eq!(feed.rows_queued(), 2, "ends not taken hold their budget");
        assert_eq!([stays.acked(), stays.acked(), stays.acked()], [Some((3, 1)), Some((3, 3)), None]);
        assert_eq!(feed.rows_queued(), 0);
    }

    #[test]
    fn a_flusher_that_has_ended_is_busy() {
        let (feed, intake) = Feed::new();
        drop(intake);
        assert!(!feed.sink().submit(batch(1)));
        assert_eq!(feed.rows_queued(), 0);
    }
}
