//! Bounded mailboxes to the workers, their shelves, and the way to the right one.
//!
//! A question about a card is answered on the asker's thread while the card's worker waits (`worker::Shelf`), and by the worker
//! through its mailbox while it works.
//!
//! Invariant 5: a mailbox that is full refuses at once; a question never waits behind an unbounded queue.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

use crate::limits::{MAILBOX_ANSWER_MS, MAILBOX_REQUESTS_MAX};
use crate::model::{CardId, LogOffset, partition_of};
use crate::shell::wall_ms;
use crate::worker::{
    Asked, CardAnswer, Mailbox, OrderError, PartitionStatus, Question, Reply, Request, Shelf,
};

/// The worker's end.
pub struct Inbox {
    requests: mpsc::Receiver<Request>,
    shelf: Arc<Shelf>,
}

impl Mailbox for Inbox {
    fn next(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn shelf(&self) -> Option<&Shelf> {
        Some(&self.shelf)
    }
}

/// Everybody else's end.
struct Door {
    requests: mpsc::Sender<Request>,
    shelf: Arc<Shelf>,
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
    doors: Vec<Door>,
    /// Threads share it: each worker writes its own partitions, every request reads.
    routes: DashMap<u32, usize>,
}

impl Workers {
    /// Mailboxes for so many workers of a log with so many partitions.
    #[must_use]
    pub fn new(workers: usize, partitions: u32) -> (Self, Vec<Inbox>) {
        let pair = |_| {
            let (tx, requests) = mpsc::channel(MAILBOX_REQUESTS_MAX);
            let shelf = Arc::<Shelf>::default();
            (Door { requests: tx, shelf: Arc::clone(&shelf) }, Inbox { requests, shelf })
        };
        let (doors, inboxes) = (0..workers).map(pair).unzip();
        (Self { partitions, doors, routes: DashMap::new() }, inboxes)
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
        let door = self.door(partition)?;
        let question = Question { card, partition, clock_ms: wall_ms() };
        let left = || leave(&door.requests, |reply| Request::Card { card, reply });
        let answer = match door.shelf.ask(question, left) {
            Asked::Answered(answer) => return Ok(answer),
            Asked::Left(left) => left?,
        };
        match tokio::time::timeout(Duration::from_millis(MAILBOX_ANSWER_MS), answer).await {
            Ok(answer) => answer.map_err(|_| NoAnswer::Gone),
            Err(_) => Err(NoAnswer::Busy),
        }
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
        let requests = &self.door(partition)?.requests;
        send(requests, |reply| Request::Skip { partition, offset, reason, reply }).await
    }

    /// Has every worker write all its shards. All of them are told before the first is waited for: what one of them gives up
    /// meanwhile must not be folded by another.
    ///
    /// # Errors
    /// [`NoAnswer`]; inside, why one of them is not done.
    pub async fn drain(&self) -> Result<Result<(), OrderError>, NoAnswer> {
        let order = |door: &Door| leave(&door.requests, |reply| Request::Drain { reply });
        let ordered: Vec<_> = self.doors.iter().map(order).collect();
        let mut done = Ok(());
        for answer in ordered {
            done = done.and(answer?.await.map_err(|_| NoAnswer::Gone)?);
        }
        Ok(done)
    }

    /// Of the worker that has a partition.
    fn door(&self, partition: u32) -> Result<&Door, NoAnswer> {
        let worker = self.routes.get(&partition).map(|at| *at).ok_or(NoAnswer::NotHere(partition))?;
        self.doors.get(worker).ok_or(NoAnswer::Gone)
    }
}

async fn send<T: Send + 'static>(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Result<T, NoAnswer> {
    leave(requests, request)?.await.map_err(|_| NoAnswer::Gone)
}

/// Leaves a request in the mailbox; its answer comes.
fn leave<T: Send + 'static>(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Result<oneshot::Receiver<T>, NoAnswer> {
    let (tx, rx) = oneshot::channel();
    // An asker who has gone does not matter to the worker.
    let reply = Box::new(move |answer| drop(tx.send(answer)));
    requests.try_send(request(reply)).map_err(|refused| match refused {
        mpsc::error::TrySendError::Full(_) => NoAnswer::Busy,
        mpsc::error::TrySendError::Closed(_) => NoAnswer::Gone,
    })?;
    Ok(rx)
}
