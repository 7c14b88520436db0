//! A dead predecessor's open transaction: until it is ended its offsets stay unstable, and nobody can read past what it has
//! written. The last head names the writer, and initialising that transactional id ends it at once instead of at the
//! transaction's timeout. (Who died in its very first commit for a partition is named by no head: that one runs out.)

use super::found::Found;
use super::restore::Budget;
use crate::limits::UNSTABLE_OFFSET_MS;
use crate::log::{LogError, Topic, WorkerLog};
use crate::model::LogOffset;

/// How long a transaction has been in the way, and how far the search for the writer has come.
#[derive(Debug)]
pub(super) struct Predecessor {
    since_ms: i64,
    search: Option<Search>,
}

#[derive(Debug, Default)]
struct Search {
    next: LogOffset,
    found: Found,
}

impl Predecessor {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { since_ms: now_ms, search: None }
    }

    /// A transaction is in the way still: after two seconds, looks for the writer, in what the caller has `read` of the
    /// checkpoint partition or there, and ends it.
    ///
    /// # Errors
    /// [`LogError::Fenced`] and worse; what may be tried again is.
    pub(super) fn waiting(
        &mut self,
        log: &mut dyn WorkerLog,
        partition: u32,
        budget: Budget,
        read: Option<&Found>,
    ) -> Result<(), LogError> {
        if budget.now_ms - self.since_ms < UNSTABLE_OFFSET_MS {
            return Ok(());
        }
        let (first, end) = match log.bounds(Topic::Checkpoint, partition) {
            Ok(bounds) => bounds,
            Err(LogError::Retriable(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let writer = if let Some(found) = read {
            writer(found)
        } else {
            let search = self.search.get_or_insert_default();
            search.next = search.next.max(first);
            if !search.step(log, partition, end, budget.messages)? {
                return Ok(());
            }
            self.search.take().and_then(|search| writer(&search.found))
        };
        self.since_ms = budget.now_ms;
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

fn writer(found: &Found) -> Option<String> {
    found.head().ok().flatten().map(|head| head.writer)
}

fn end_of(log: &mut dyn WorkerLog, writer: Option<&str>) -> Result<(), LogError> {
    let Some(writer) = writer.filter(|writer| *writer != log.transactional_id()) else { return Ok(()) };
    match log.end_transaction_of(writer) {
        Err(LogError::Retriable(_)) => Ok(()),
        other => other,
    }
}
