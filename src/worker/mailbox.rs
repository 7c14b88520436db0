//! Questions and orders to a worker, answered between batches.

use serde::Serialize;

use super::Shelf;
use crate::meter::CardView;
use crate::model::{CardId, LogOffset, UnixTime};

/// Takes the answer. Called once, on the worker's thread: it must not wait.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// One question or order.
pub enum Request {
    /// What is known of a card.
    Card { card: CardId, reply: Reply<CardAnswer> },
    /// Write every shard at the last offset folded, so that nothing is left to replay. The partitions stay paused after
    /// it, and so do those that come later: stop the process, or let them go on with [`Request::GoOn`].
    Drain { reply: Reply<Result<(), OrderError>> },
    /// End the pause after a drain.
    GoOn { reply: Reply<()> },
    /// Pass over the message at which a partition has halted: `{offset, reason}` goes into the checkpoint, the message
    /// into quarantine. Answered when that is committed.
    Skip { partition: u32, offset: LogOffset, reason: String, reply: Reply<Result<(), OrderError>> },
}

/// The answer to [`Request::Card`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardAnswer {
    Known(Box<Answer>),
    /// The card's partition is here, and has no such card.
    Unknown {
        partition: u32,
        offset: LogOffset,
        log_time: UnixTime,
    },
    /// The card's partition is restoring or halted: its state is not in memory.
    NotReady {
        partition: u32,
        why: String,
    },
    /// Another worker has the card's partition.
    Elsewhere {
        partition: u32,
    },
}

/// A card as of a place in the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    pub partition: u32,
    /// The next offset to fold: everything before it is in the answer.
    pub offset: LogOffset,
    pub log_time: UnixTime,
    /// The partition's log time is more than five seconds behind the clock.
    pub stale: bool,
    pub view: CardView,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("partition {0} is not held by this worker: ask its owner (topic tidegauge.owners)")]
    NotHere(u32),
    #[error("partition {partition} has not halted at offset {}: it is {state}; `tidegauge skip` passes over `halted_at` of GET /v1/partitions", offset.0)]
    NotHaltedThere { partition: u32, offset: LogOffset, state: String },
    #[error(
        "not drained: {0}. Everything else of this worker is; this is tried again each half minute, and held and written then: see \
         to what is in the way, and order the drain again until it ends well"
    )]
    NotDrained(String),
    #[error("the drain was ended before it was done: the worker goes on")]
    GoesOn,
    #[error("partition {0} was lost before the order was committed: repeat it at the new owner")]
    Lost(u32),
}

/// Where requests come from: a bounded channel, or a script.
pub trait Mailbox {
    /// The next request, if one waits. Never blocks.
    fn next(&mut self) -> Option<Request>;

    /// Whether none waits.
    fn is_empty(&self) -> bool;

    /// Where the worker's partitions may lie while it waits, if anybody looks there.
    fn shelf(&self) -> Option<&Shelf> {
        None
    }
}

/// No requests.
impl Mailbox for () {
    fn next(&mut self) -> Option<Request> {
        None
    }

    fn is_empty(&self) -> bool {
        true
    }
}

impl Mailbox for std::collections::VecDeque<Request> {
    fn next(&mut self) -> Option<Request> {
        self.pop_front()
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}
