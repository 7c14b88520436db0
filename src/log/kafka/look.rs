//! The log as `verify` sees it: everything can be read, nothing is joined and nothing written.
//!
//! A member would take partitions from the workers that it looks at; this has the group's name for its offsets only.

use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;

use super::asking::Asking;
use super::config::KafkaConfig;
use super::group::PlainContext;
use super::offsets;
use super::scan::{Scanner, Stretch};
use crate::log::{
    CommitResult, Committed, GroupEvent, LogError, Message, PollBudget, Topic, TopicInfo, TopicPartition,
    Transaction, WorkerLog,
};
use crate::model::LogOffset;

/// See the module.
pub struct KafkaLook {
    config: KafkaConfig,
    offsets: BaseConsumer<PlainContext>,
    scanner: Scanner,
    asking: Asking,
}

impl KafkaLook {
    /// Connects.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings that cannot be right.
    pub fn open(config: KafkaConfig) -> Result<Self, LogError> {
        let offsets = config
            .reader()
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("making a reader for {}: {e}", config.brokers)))?;
        let (scanner, asking) = (Scanner::new(&config)?, Asking::new(&config)?);
        Ok(Self { config, offsets, scanner, asking })
    }
}

fn refused<T>() -> Result<T, LogError> {
    Err(LogError::Fatal("this client only looks: it is no member and writes nothing".to_owned()))
}

impl WorkerLog for KafkaLook {
    fn poll(
        &mut self,
        _budget: PollBudget,
        _each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Option<GroupEvent>, LogError> {
        Ok(None)
    }

    fn assign(&mut self, _from: &[(u32, LogOffset)]) -> Result<(), LogError> {
        refused()
    }

    fn unassign(&mut self, _partitions: &[u32]) -> Result<(), LogError> {
        refused()
    }

    fn pause(&mut self, _partitions: &[u32]) {}

    fn resume(&mut self, _partitions: &[u32]) {}

    fn seek(&mut self, _partition: u32, _to: LogOffset) -> Result<(), LogError> {
        refused()
    }

    fn commit(&mut self, _transaction: Arc<Transaction>) {}

    fn commit_result(&mut self, _wait_ms: u64) -> Option<CommitResult> {
        None
    }

    fn renew_producer(&mut self) -> Result<(), LogError> {
        refused()
    }

    fn stable_offset(&mut self, partition: u32) -> Result<Option<Committed>, LogError> {
        offsets::stable(&self.config, &self.offsets, partition)
    }

    fn end_transaction_of(&mut self, _transactional_id: &str) -> Result<(), LogError> {
        refused()
    }

    fn bounds(&mut self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError> {
        self.asking.bounds(topic, partition)
    }

    fn scan(
        &mut self,
        topic: Topic,
        partition: u32,
        from: LogOffset,
        to: LogOffset,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        let stretch = Stretch { at: TopicPartition { topic, partition }, from, to };
        self.scanner.scan(stretch, each, &mut || Ok(()))
    }

    fn append_tick(&mut self, _partition: u32, _pack: Vec<u8>, _time_ms: Option<i64>) {}

    fn topic(&mut self, topic: Topic) -> Result<TopicInfo, LogError> {
        self.asking.topic(topic)
    }

    fn transactional_id(&self) -> &'static str {
        ""
    }
}
