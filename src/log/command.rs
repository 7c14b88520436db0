//! The log as one sees it who gives commands: they are appended one at a time, and what answers them is followed.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{LogError, Message, TopicPartition};
use crate::model::LogOffset;

/// Where a command stands in `card.commands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandPlace {
    pub partition: u32,
    pub offset: LogOffset,
}

/// What an append comes to.
pub type Appended<'a> = Pin<Box<dyn Future<Output = Result<CommandPlace, LogError>> + Send + 'a>>;

/// The next offset of each partition.
pub type Places = BTreeMap<TopicPartition, LogOffset>;

/// What topics held, read again.
pub trait Replay {
    /// The first offset of a partition that is kept; its end if none is.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while the brokers are away.
    fn begins(&mut self, at: TopicPartition) -> Result<LogOffset, LogError>;

    /// Hands over the committed messages of a partition from an offset up to another, until `each` has had enough (`false`).
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] when the first of them is no longer kept, or lies past the end. (At the very end a log of several
    /// processes cannot tell that it will not come: it waits, then it is [`LogError::Retriable`].)
    fn read(
        &mut self,
        at: TopicPartition,
        range: (LogOffset, LogOffset),
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError>;
}

/// Where commands are written.
pub trait CommandLog: Send + Sync {
    /// Appends a command of a card (its 19 characters) and waits until the log has it. `time_ms`: when it was given.
    ///
    /// [`LogError::Fatal`]: the log has certainly not taken it, and would not. Any other error: it may have.
    fn append<'a>(&'a self, card: &'a str, json: &'a [u8], time_ms: i64) -> Appended<'a>;
}

/// Topics followed by one process for itself, as a `read_committed` consumer.
pub trait Tail {
    /// The next place of every partition that is followed.
    fn places(&self) -> Places;

    /// Hands over what has come, waiting up to `wait` for a first message. Answers whether all that was there when it began
    /// has been handed over.
    ///
    /// # Errors
    /// It is of no more use: a new one is made.
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError>;
}
