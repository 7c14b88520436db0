//! What topics held, read again: for whoever follows events and was away.

use super::config::KafkaConfig;
use super::scan::{Scanner, Stretch};
use crate::log::{LogError, Message, Replay, TopicPartition};
use crate::model::LogOffset;

/// Reads stretches of any topic, committed messages only, as a member of no group.
pub struct KafkaReplay(Scanner);

impl KafkaReplay {
    /// A reader; nothing is waited for.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings that cannot be right.
    pub fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        Ok(Self(Scanner::new(config)?))
    }
}

impl Replay for KafkaReplay {
    fn read(
        &mut self,
        at: TopicPartition,
        (from, to): (LogOffset, LogOffset),
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        self.0.scan(Stretch { at, from, to }, each, &mut || Ok(()))
    }
}
