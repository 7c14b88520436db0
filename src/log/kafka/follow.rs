//! A topic followed by every instance for itself, all partitions: the directory, read whole first; answers, from now on.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::asking::Asking;
use super::config::KafkaConfig;
use super::error::from_kafka;
use super::ffi::BatchConsumer;
use super::group::PlainContext;
use super::member::{Headers, hand};
use crate::limits::KAFKA_BATCH_MAX;
use crate::log::{LogError, Message, Topic, TopicPartition};
use crate::model::LogOffset;

/// Follows every partition that the topic had when this was made.
pub(super) struct Follower {
    topic: Topic,
    name: String,
    inbox: BatchConsumer<PlainContext>,
    partitions: Vec<Progress>,
}

/// How far one partition was read.
struct Progress {
    next: LogOffset,
    /// The high watermark at the beginning.
    end: LogOffset,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Beginning,
    End,
}

impl Follower {
    pub(super) fn start(
        config: &KafkaConfig,
        asking: &Asking,
        topic: Topic,
        from: From,
    ) -> Result<Self, LogError> {
        let name = config.topic_name(topic);
        let doing = format!("following {name} at {}", config.brokers);
        let consumer: BaseConsumer<PlainContext> = config
            .reader()
            .set("enable.partition.eof", "true")
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("{doing}: {e}")))?;
        let inbox = BatchConsumer::new(consumer, KAFKA_BATCH_MAX)
            .ok_or_else(|| LogError::Fatal(format!("{doing}: no memory for a queue")))?;
        let mut follower = Self { topic, name, inbox, partitions: Vec::new() };
        let mut list = TopicPartitionList::new();
        for partition in 0..asking.topic(topic)?.partitions {
            let (begin, end) = asking.bounds(topic, partition)?;
            let next = if from == From::Beginning { begin } else { end };
            follower.partitions.push(Progress { next, end });
            if !follower.inbox.forward(&follower.name, partition) {
                return Err(LogError::Fatal(format!("{doing}: no queue for partition {partition}")));
            }
            list.add_partition_offset(&follower.name, partition as i32, Offset::Offset(next.0 as i64))
                .map_err(|e| from_kafka(&doing, &e))?;
        }
        follower.inbox.consumer().assign(&list).map_err(|e| from_kafka(&doing, &e))?;
        Ok(follower)
    }

    /// Hands over what has come, waiting for a first message. Answers whether the end that the topic had at the beginning
    /// was reached.
    pub(super) fn poll(&mut self, wait_ms: u64, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        if let Some(Err(error)) = self.inbox.consumer().poll(Duration::ZERO)
            && self.inbox.consumer().client().fatal_error().is_some()
        {
            return Err(from_kafka(&format!("following {}", self.name), &error));
        }
        self.inbox.fill(KAFKA_BATCH_MAX, wait_ms, 0);
        while let Some(fetched) = self.inbox.next() {
            let at = TopicPartition { topic: self.topic, partition: fetched.partition() };
            let offset = LogOffset(fetched.offset().max(0) as u64);
            let Some(progress) = self.partitions.get_mut(at.partition as usize) else { continue };
            match fetched.error() {
                None if offset >= progress.next => {
                    hand(&fetched, at, Headers::Skipped, each);
                    progress.next = offset.next();
                }
                None => {}
                Some(error) if error.code == RDKafkaErrorCode::PartitionEOF => {
                    progress.next = progress.next.max(offset);
                }
                Some(error) if error.code == RDKafkaErrorCode::AutoOffsetReset => {
                    let (partition, detail) = (at.partition, error.text);
                    return Err(LogError::OutOfRange {
                        topic: self.topic,
                        partition,
                        offset: progress.next,
                        detail,
                    });
                }
                Some(error) => {
                    tracing::warn!(topic = %self.topic, partition = at.partition, %error, "following");
                }
            }
        }
        Ok(self.partitions.iter().all(|p| p.next >= p.end))
    }
}
