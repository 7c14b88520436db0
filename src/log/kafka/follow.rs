//! Topics followed by every instance for itself, all partitions: the directory, read whole first; events, from now on.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::asking::Asking;
use super::config::KafkaConfig;
use super::error::from_kafka;
use super::ffi::{BatchConsumer, Fetched};
use super::group::PlainContext;
use super::member::{Headers, hand};
use crate::limits::KAFKA_BATCH_MAX;
use crate::log::{LogError, Message, Places, Topic, TopicPartition};
use crate::model::LogOffset;

/// Follows every partition that the topics had when this was made.
pub(super) struct Follower {
    topics: Vec<(Topic, String)>,
    inbox: BatchConsumer<PlainContext>,
    partitions: BTreeMap<TopicPartition, Progress>,
}

/// How far one partition was read.
struct Progress {
    next: LogOffset,
    /// The high watermark at the beginning.
    end: LogOffset,
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    Beginning,
    End,
    /// A partition that is not named begins at its end.
    Places(Places),
}

impl From {
    fn of(&self, at: TopicPartition, (begin, end): (LogOffset, LogOffset)) -> LogOffset {
        match self {
            Self::Beginning => begin,
            Self::End => end,
            Self::Places(places) => places.get(&at).copied().unwrap_or(end),
        }
    }
}

impl Follower {
    pub(super) fn start(
        config: &KafkaConfig,
        asking: &Asking,
        topics: &[Topic],
        from: &From,
    ) -> Result<Self, LogError> {
        let topics: Vec<(Topic, String)> = topics.iter().map(|t| (*t, config.topic_name(*t))).collect();
        let names: Vec<&str> = topics.iter().map(|(_, name)| name.as_str()).collect();
        let doing = format!("following {} at {}", names.join(", "), config.brokers);
        let consumer: BaseConsumer<PlainContext> = config
            .reader()
            .set("enable.partition.eof", "true")
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("{doing}: {e}")))?;
        let inbox = BatchConsumer::new(consumer, KAFKA_BATCH_MAX)
            .ok_or_else(|| LogError::Fatal(format!("{doing}: no memory for a queue")))?;
        let mut follower = Self { topics, inbox, partitions: BTreeMap::new() };
        let mut list = TopicPartitionList::new();
        for (topic, name) in &follower.topics {
            for partition in 0..asking.topic(*topic)?.partitions {
                let at = TopicPartition { topic: *topic, partition };
                let bounds = asking.bounds(*topic, partition)?;
                let next = from.of(at, bounds);
                follower.partitions.insert(at, Progress { next, end: bounds.1 });
                if !follower.inbox.forward(name, partition) {
                    return Err(LogError::Fatal(format!("{doing}: no queue for {name} [{partition}]")));
                }
                list.add_partition_offset(name, partition as i32, Offset::Offset(next.0 as i64))
                    .map_err(|e| from_kafka(&doing, &e))?;
            }
        }
        follower.inbox.consumer().assign(&list).map_err(|e| from_kafka(&doing, &e))?;
        Ok(follower)
    }

    /// The next place of every partition.
    pub(super) fn places(&self) -> Places {
        self.partitions.iter().map(|(at, progress)| (*at, progress.next)).collect()
    }

    /// Hands over what has come, waiting for a first message. Answers whether the ends that the topics had at the beginning
    /// were reached.
    pub(super) fn poll(&mut self, wait_ms: u64, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        if let Some(Err(error)) = self.inbox.consumer().poll(Duration::ZERO)
            && self.inbox.consumer().client().fatal_error().is_some()
        {
            return Err(from_kafka("following", &error));
        }
        self.inbox.fill(KAFKA_BATCH_MAX, wait_ms, 0);
        while let Some((name, partition)) = self.inbox.place() {
            let topic = self.topics.iter().find(|(_, known)| known == name).map(|(topic, _)| *topic);
            let Some(fetched) = self.inbox.next() else { break };
            let Some(topic) = topic else { continue };
            let at = TopicPartition { topic, partition };
            if let Some(progress) = self.partitions.get_mut(&at) {
                progress.take(at, &fetched, each)?;
            }
        }
        Ok(self.partitions.values().all(|p| p.next >= p.end))
    }
}

impl Progress {
    fn take(
        &mut self,
        at: TopicPartition,
        fetched: &Fetched<'_>,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<(), LogError> {
        let TopicPartition { topic, partition } = at;
        let offset = LogOffset(fetched.offset().max(0) as u64);
        match fetched.error() {
            None if offset >= self.next => {
                hand(fetched, at, Headers::Skipped, each);
                self.next = offset.next();
            }
            None => {}
            Some(error) if error.code == RDKafkaErrorCode::PartitionEOF => {
                self.next = self.next.max(offset);
            }
            Some(error) if error.code == RDKafkaErrorCode::AutoOffsetReset => {
                return Err(LogError::OutOfRange { topic, partition, offset: self.next, detail: error.text });
            }
            Some(error) => tracing::warn!(%topic, partition, %error, "following"),
        }
        Ok(())
    }
}
