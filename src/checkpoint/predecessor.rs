//! A dead predecessor's open transaction: its offsets stay unstable until it is ended. The last head names the writer,
//! and initialising that transactional id ends it at once instead of at the transaction's timeout.

use super::found::Found;
use super::restore::Budget;
use crate::limits::UNSTABLE_OFFSET_MS;
use crate::log::{LogError, Topic, WorkerLog};
use crate::model::LogOffset;

/// How long the offsets have been unstable, and how far the search for the writer has come.
#[derive(Debug, Default)]
pub(super) struct Predecessor {
    since_ms: Option<i64>,
    search: Option<Search>,
}

#[derive(Debug, Default)]
struct Search {
    next: LogOffset,
    found: Found,
}

impl Predecessor {
    /// The offset is still unstable: after two seconds, looks for the writer and ends its transaction.
    ///
    /// # Errors
    /// [`LogError::Fenced`] and worse; what may be tried again is.
    pub(super) fn waiting(
        &mut self,
        log: &mut dyn WorkerLog,
        partition: u32,
        budget: Budget,
    ) -> Result<(), LogError> {
        let since = *self.since_ms.get_or_insert(budget.now_ms);
        if budget.now_ms - since < UNSTABLE_OFFSET_MS {
            return Ok(());
        }
        let (first, end) = match log.bounds(Topic::Checkpoint, partition) {
            Ok(bounds) => bounds,
            Err(LogError::Retriable(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let search = self.search.get_or_insert_default();
        search.next = search.next.max(first);
        if !search.step(log, partition, end, budget.messages)? {
            return Ok(());
        }
        let writer = self.search.take().and_then(|s| s.found.head().ok().flatten()).map(|h| h.writer);
        self.since_ms = Some(budget.now_ms);
        end_of(log, writer.as_deref())
    }
}

impl Search {
    /// Answers whether everything that can be read now has been.
    fn step(
        &mut self,
        log: &mut dyn WorkerLog,
        partition: u32,
        to: LogOffset,
        messages: usize,
    ) -> Result<bool, LogError> {
        let Self { next, found } = self;
        let mut left = messages.max(1);
        let from = *next;
        let end = log.scan(Topic::Checkpoint, partition, from, to, &mut |message| {
            found.take(&message);
            *next = message.offset.next();
            left -= 1;
            left > 0
        });
        match end {
            Ok(()) => Ok(left > 0),
            Err(LogError::Retriable(_)) => Ok(true),
            Err(other) => Err(other),
        }
    }
}

fn end_of(log: &mut dyn WorkerLog, writer: Option<&str>) -> Result<(), LogError> {
    let Some(writer) = writer.filter(|writer| *writer != log.transactional_id()) else { return Ok(()) };
    match log.end_transaction_of(writer) {
        Err(LogError::Retriable(_)) => Ok(()),
        other => other,
    }
}
