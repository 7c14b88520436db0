//! What topics held, read again: for whoever follows events and was away.

use super::asking::Asking;
use super::config::KafkaConfig;
use super::scan::{Scanner, Stretch};
use crate::log::{LogError, Message, Replay, TopicPartition};
use crate::model::LogOffset;

/// Reads stretches of any topic, committed messages only, as a member of no group.
pub struct KafkaReplay {
    config: KafkaConfig,
    scanner: Scanner,
}

impl KafkaReplay {
    /// A reader; nothing is waited for.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings that cannot be right.
    pub fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        Ok(Self { config: config.clone(), scanner: Scanner::new(config)? })
    }
}

impl Replay for KafkaReplay {
    fn begins(&mut self, at: TopicPartition) -> Result<LogOffset, LogError> {
        // Seldom asked: a client of its own each time.
        Ok(Asking::new(&self.config)?.bounds(at.topic, at.partition)?.0)
    }

    fn read(
        &mut self,
        at: TopicPartition,
        (from, to): (LogOffset, LogOffset),
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        self.scanner.scan(Stretch { at, from, to }, each, &mut || Ok(()))
    }
}
