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
    fn begins(&mut self, at: TopicPartition) -> Result<LogOffset, LogError> {
        Ok(self.0.begin(at.topic, at.partition)?)
    }

    fn read(
        &mut self,
        at: TopicPartition,
        (mut from, to): (LogOffset, LogOffset),
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        let (begin, end) = (self.begins(at)?, self.0.end(at.topic, at.partition));
        if from < to && (from < begin || end <= from) {
            let detail = format!("it begins at {} and ends at {}", begin.0, end.0);
            let TopicPartition { topic, partition } = at;
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
