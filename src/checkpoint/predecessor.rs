//! A dead predecessor's open transaction: until it is ended its offsets stay unstable, and nobody can read past what it has
//! written. The last head names the writer, and initialising that transactional id ends it at once instead of at the
//! transaction's timeout. (Who died in its very first commit for a partition is named by no head: that one runs out.)

use super::found::Found;
use super::restore::{Budget, Room};
use crate::limits::UNSTABLE_OFFSET_MS;
use crate::log::{LogError, Topic, WorkerLog};
use crate::model::LogOffset;

/// How long a transaction has been in the way, how far the search for the writer has come, and who was ended already.
///
/// A writer is ended once for each head: it may be well, when whoever died after it is named by no head, and whoever is ended
/// while it is well has its own commits to find out about.
#[derive(Debug)]
pub(super) struct Predecessor {
    since_ms: i64,
    search: Search,
    ended: Option<Writer>,
}

/// Goes on where it has come to: what is written meanwhile is all that there is to read.
#[derive(Debug, Default)]
struct Search {
    next: LogOffset,
    newest: Option<Writer>,
}

/// Who wrote a head.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Writer {
    transactional_id: String,
    head: LogOffset,
}

impl Predecessor {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { since_ms: now_ms, search: Search::default(), ended: None }
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
            Writer::of(found)
        } else {
            self.search.next = self.search.next.max(first);
            if !self.search.step(log, partition, end, budget.messages)? {
                return Ok(());
            }
            self.search.newest.clone()
        };
        self.since_ms = budget.now_ms;
        let ours = log.transactional_id();
        match writer.filter(|writer| writer.transactional_id != ours && Some(writer) != self.ended.as_ref()) {
            Some(writer) => self.end(log, writer),
            None => Ok(()),
        }
    }

    fn end(&mut self, log: &mut dyn WorkerLog, writer: Writer) -> Result<(), LogError> {
        match log.end_transaction_of(&writer.transactional_id) {
            Ok(()) => {
                self.ended = Some(writer);
                Ok(())
            }
            Err(LogError::Retriable(_)) => Ok(()),
            Err(other) => Err(other),
        }
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
        let (mut room, mut found) = (Room::new(messages), Found::default());
        let (from, next) = (self.next, &mut self.next);
        let end = log.scan(Topic::Checkpoint, partition, from, to, &mut |message| {
            found.take(&message);
            *next = message.offset.next();
            room.take(&message);
            room.is_left()
        });
        self.newest = Writer::of(&found).or(self.newest.take());
        match end {
            Ok(()) => Ok(room.is_left()),
            // What was heard just now may go on.
            Err(LogError::Retriable(_)) => Ok(self.next == from),
            Err(other) => Err(other),
        }
    }
}

impl Writer {
    /// Of the newest head in what was read.
    fn of(found: &Found) -> Option<Self> {
        let head = found.head().ok().flatten()?;
        Some(Self { transactional_id: head.writer, head: head.offset })
    }
}
