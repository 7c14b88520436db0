//! Bounded mailboxes to the workers, and the way to the right one.
//!
//! Invariant 5: a mailbox that is full refuses at once; a question never waits behind an unbounded queue.

use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

use crate::limits::{MAILBOX_ANSWER_MS, MAILBOX_REQUESTS_MAX};
use crate::model::{CardId, LogOffset, partition_of};
use crate::worker::{CardAnswer, Mailbox, OrderError, PartitionStatus, Request};

/// The worker's end.
pub struct Inbox(mpsc::Receiver<Request>);

impl Mailbox for Inbox {
    fn next(&mut self) -> Option<Request> {
        self.0.try_recv().ok()
    }
}

/// Why nobody answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("the worker does not come to answer: try again")]
    Busy,
    #[error("partition {0} is not held by this instance")]
    NotHere(u32),
    #[error("the worker has gone")]
    Gone,
}

/// The workers of this process, and which of them holds which partition.
pub struct Workers {
    partitions: u32,
    boxes: Vec<mpsc::Sender<Request>>,
    /// Threads share it: each worker writes its own partitions, every request reads.
    routes: DashMap<u32, usize>,
}

impl Workers {
    /// Mailboxes for so many workers of a log with so many partitions.
    #[must_use]
    pub fn new(workers: usize, partitions: u32) -> (Self, Vec<Inbox>) {
        let (boxes, inboxes) =
            (0..workers).map(|_| mpsc::channel(MAILBOX_REQUESTS_MAX)).map(|(tx, rx)| (tx, Inbox(rx))).unzip();
        (Self { partitions, boxes, routes: DashMap::new() }, inboxes)
    }

    /// Partitions of the log.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Whether the log has a partition.
    #[must_use]
    pub fn has(&self, partition: u32) -> bool {
        partition < self.partitions
    }

    /// The card's partition of the log.
    #[must_use]
    pub fn partition_of(&self, card: CardId) -> u32 {
        partition_of(card, self.partitions)
    }

    /// Notes what a worker holds now.
    pub fn routes_of(&self, worker: usize, held: &[PartitionStatus]) {
        self.routes.retain(|partition, at| *at != worker || held.iter().any(|s| s.partition == *partition));
        for status in held {
            self.routes.insert(status.partition, worker);
        }
    }

    /// What is known of a card.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn card(&self, card: CardId) -> Result<CardAnswer, NoAnswer> {
        let partition = partition_of(card, self.partitions);
        let answer = self.ask(partition, |reply| Request::Card { card, reply });
        tokio::time::timeout(Duration::from_millis(MAILBOX_ANSWER_MS), answer)
            .await
            .unwrap_or(Err(NoAnswer::Busy))
    }

    /// Has a halted partition pass over a message.
    ///
    /// # Errors
    /// [`NoAnswer`]; inside, why the owner refused.
    pub async fn skip(
        &self,
        partition: u32,
        offset: LogOffset,
        reason: String,
    ) -> Result<Result<(), OrderError>, NoAnswer> {
        self.ask(partition, |reply| Request::Skip { partition, offset, reason, reply }).await
    }

    /// Has every worker write all its shards.
    ///
    /// # Errors
    /// [`NoAnswer`]; inside, why one of them refused.
    pub async fn drain(&self) -> Result<Result<(), OrderError>, NoAnswer> {
        for sender in &self.boxes {
            let answer = send(sender, |reply| Request::Drain { reply }).await?;
            if answer.is_err() {
                return Ok(answer);
            }
        }
        Ok(Ok(()))
    }

    async fn ask<T: Send + 'static>(
        &self,
        partition: u32,
        request: impl FnOnce(crate::worker::Reply<T>) -> Request,
    ) -> Result<T, NoAnswer> {
        let worker = self.routes.get(&partition).map(|at| *at).ok_or(NoAnswer::NotHere(partition))?;
        send(self.boxes.get(worker).ok_or(NoAnswer::Gone)?, request).await
    }
}

async fn send<T: Send + 'static>(
    sender: &mpsc::Sender<Request>,
    request: impl FnOnce(crate::worker::Reply<T>) -> Request,
) -> Result<T, NoAnswer> {
    let (tx, rx) = oneshot::channel();
    // An asker who has gone does not matter to the worker.
    let reply = Box::new(move |answer| drop(tx.send(answer)));
    sender.try_send(request(reply)).map_err(|refused| match refused {
        mpsc::error::TrySendError::Full(_) => NoAnswer::Busy,
        mpsc::error::TrySendError::Closed(_) => NoAnswer::Gone,
    })?;
    rx.await.map_err(|_| NoAnswer::Gone)
}
