//! The readers that a history can read with.

use super::HistorySource;
use crate::log::file::FileReader;
use crate::log::kafka::KafkaReader;
use crate::log::{IngestPolled, LogError, Message, PollBudget, TopicPartition};
use crate::model::LogOffset;

impl HistorySource for KafkaReader {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        KafkaReader::poll(self, budget, each)
    }

    fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        KafkaReader::commit(self, next)
    }
}

impl HistorySource for FileReader {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        FileReader::poll(self, budget, each).map(|()| IngestPolled::default())
    }

    fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        FileReader::commit(self, next)
    }
}
