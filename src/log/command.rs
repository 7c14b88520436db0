//! The log as one sees it who gives commands: they are appended one at a time, and their answers are read as they come.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::LogError;
use crate::model::LogOffset;

/// Where a command stands in `card.commands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandPlace {
    pub partition: u32,
    pub offset: LogOffset,
}

/// What an append comes to.
pub type Appended<'a> = Pin<Box<dyn Future<Output = Result<CommandPlace, LogError>> + Send + 'a>>;

/// Where commands are written.
pub trait CommandLog: Send + Sync {
    /// Appends a command of a card (its 19 characters) and waits until the log has it. `time_ms`: when it was given.
    fn append<'a>(&'a self, card: &'a str, json: &'a [u8], time_ms: i64) -> Appended<'a>;
}

/// Reads `card.lifecycle` from its end on.
pub trait AnswerSource {
    /// Hands over what has come, waiting up to `wait` for a first message.
    ///
    /// # Errors
    /// The source is of no more use: a new one is made.
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(&[u8])) -> Result<(), LogError>;
}
