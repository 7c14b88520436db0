//! Ingest's log on Kafka: the outside topics read as a group, the directory read whole, packs written at least once.
//!
//! Order a partition is kept by the idempotent producer, which retries for as long as the brokers are away; what is in
//! flight is bounded, so that ingest waits instead of growing. A producer that broke for good is replaced: its unfinished
//! messages are told as failed, in order, and are produced again by the caller.

use std::time::Duration;

use rdkafka::producer::{Producer as _, PurgeConfig};

use super::asking::Asking;
use super::config::KafkaConfig;
use super::error::from_kafka;
use super::follow::{Follower, From};
use super::producer::{self, Producer};
use super::reader::KafkaReader;
use crate::limits::KAFKA_IN_FLIGHT_MAX;
use crate::log::{
    Committed, IngestLog, IngestPolled, LogError, Message, Output, PollBudget, Topic, TopicPartition,
};
use crate::model::LogOffset;

/// See the module.
pub struct KafkaIngestLog {
    config: KafkaConfig,
    /// `None`: nothing outside is read, only written.
    reader: Option<KafkaReader>,
    directory: Follower,
    producer: Producer,
    /// Ends that were told by a producer since replaced.
    done: Vec<(u64, Result<(), LogError>)>,
    log_partitions: u32,
}

/// How long a broken producer's last reports are waited for.
const LAST_REPORTS: Duration = Duration::from_millis(500);

impl KafkaIngestLog {
    /// Joins the group and begins to read the directory.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while the brokers are away; [`LogError::Fatal`] if a topic is missing.
    pub fn open(config: KafkaConfig) -> Result<Self, LogError> {
        Self::open_with(config, &[])
    }

    /// The same, reading feeds' own topics too.
    ///
    /// # Errors
    /// As [`Self::open`]. A raw topic that is not there yet is read once it is.
    pub fn open_with(config: KafkaConfig, raw: &[Topic]) -> Result<Self, LogError> {
        let mut log = Self::open_unread(config)?;
        log.reader = Some(KafkaReader::open(log.config.clone(), &[&Topic::OUTSIDE, raw].concat())?);
        Ok(log)
    }

    /// The same without reading any topic but the directory, and so without a group: for records that come otherwise.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_unread(config: KafkaConfig) -> Result<Self, LogError> {
        let asking = Asking::new(&config)?;
        let log_partitions = asking.topic(Topic::Log)?.partitions;
        let directory = Follower::start(&config, &asking, &[Topic::Directory], &From::Beginning)?;
        let producer = Self::producer(&config)?;
        Ok(Self { config, reader: None, directory, producer, done: Vec::new(), log_partitions })
    }

    fn producer(config: &KafkaConfig) -> Result<Producer, LogError> {
        // Without end: a message given up would let a later one pass it.
        producer::create(config, config.producer().set("message.timeout.ms", "0"))
    }

    /// Whether librdkafka has given this producer up; then it is replaced.
    fn replace_if_broken(&mut self) -> Result<(), LogError> {
        let Some((_, why)) = self.producer.client().fatal_error() else { return Ok(()) };
        tracing::warn!(%why, "the producer broke and is replaced; what was in flight is produced again");
        self.producer.purge(PurgeConfig::default().queue().inflight());
        if let Err(error) = self.producer.flush(LAST_REPORTS) {
            tracing::warn!(%error, "reports of the broken producer are missing");
        }
        self.done.extend(self.producer.context().take());
        self.producer = Self::producer(&self.config)?;
        Err(LogError::Retriable(format!("the producer broke: {why}")))
    }
}

impl IngestLog for KafkaIngestLog {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        self.reader.as_mut().map_or_else(|| Ok(IngestPolled::default()), |reader| reader.poll(budget, each))
    }

    fn poll_directory(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        self.directory.poll(0, each)
    }

    fn produce(&mut self, token: u64, output: &Output) -> Result<(), LogError> {
        self.replace_if_broken()?;
        if self.producer.in_flight_count() as usize >= KAFKA_IN_FLIGHT_MAX {
            return Err(LogError::Retriable("as many messages are in flight as may be".to_owned()));
        }
        producer::send(&self.producer, &self.config, output, token)
            .map_err(|e| from_kafka(&format!("queueing a message for {}", output.topic), &e))
    }

    fn acked(&mut self, wait_ms: u64, each: &mut dyn FnMut(u64, Result<(), LogError>)) {
        let mut done = std::mem::take(&mut self.done);
        let mut wait = Duration::from_millis(wait_ms);
        loop {
            // One poll serves one report, which may be of many messages.
            self.producer.poll(std::mem::take(&mut wait));
            let reported = self.producer.context().take();
            if reported.is_empty() {
                break;
            }
            done.extend(reported);
        }
        for (token, result) in done {
            each(token, result);
        }
    }

    fn lag(&self, of: &dyn Fn(Topic) -> bool) -> Option<u64> {
        self.reader.as_ref().map(|reader| reader.lag(of))
    }

    fn commit_offsets(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        self.reader.as_mut().map_or(Ok(()), |reader| reader.commit(next))
    }

    fn commit_noted(&mut self, next: &[(TopicPartition, Committed)]) -> Result<(), LogError> {
        self.reader.as_mut().map_or(Ok(()), |reader| reader.commit_noted(next))
    }

    fn pause(&mut self, which: &[TopicPartition]) {
        if let Some(reader) = &mut self.reader {
            reader.pause(which);
        }
    }

    fn resume(&mut self, which: &[TopicPartition]) {
        if let Some(reader) = &mut self.reader {
            reader.resume(which);
        }
    }

    fn log_partitions(&self) -> u32 {
        self.log_partitions
    }
}
