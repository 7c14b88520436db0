//! What topics held, read again: for whoever follows events and was away.

use std::sync::Arc;

use super::Store;
use crate::log::{LogError, Message, PollBudget, Replay, TopicPartition};
use crate::model::LogOffset;

/// Reads stretches of any topic.
pub struct FileReplay(pub Arc<Store>);

/// Messages read by one call: the store is not held for long.
const AT_ONCE: usize = 1_000;

impl Replay for FileReplay {
    fn read(
        &mut self,
        at: TopicPartition,
        (mut from, to): (LogOffset, LogOffset),
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        let end = self.0.end(at.topic, at.partition);
        if end <= from && from < to {
            let (topic, partition, detail) = (at.topic, at.partition, format!("it ends at {}", end.0));
            return Err(LogError::OutOfRange { topic, partition, offset: from, detail });
        }
        let budget = PollBudget { messages: AT_ONCE, bytes: usize::MAX, wait_ms: 0 };
        let mut more = true;
        while more && from < to {
            let next = self.0.read((at.topic, at.partition), from, budget, &mut |message| {
                more = message.offset < to && each(message);
                more
            })?;
            // The store's end may lie before.
            more &= next > from;
            from = next;
        }
        Ok(())
    }
}
