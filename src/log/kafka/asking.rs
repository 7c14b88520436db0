//! Questions to the brokers about topics: their ids, partitions and bounds.
//!
//! A handle of its own, because only one that reads uncommitted is told the high watermark: the others get the last stable
//! offset, behind which committed messages may stand.

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::config::KafkaConfig;
use super::error::{from_kafka, from_native};
use super::ffi;
use super::group::PlainContext;
use crate::log::{LogError, Topic, TopicInfo};
use crate::model::LogOffset;

/// A client that asks and never reads.
pub(super) struct Asking {
    config: KafkaConfig,
    client: BaseConsumer<PlainContext>,
}

impl Asking {
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        let client = config
            .asking()
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("making a client for {}: {e}", config.brokers)))?;
        Ok(Self { config: config.clone(), client })
    }

    /// First offset kept, and the high watermark.
    pub(super) fn bounds(&self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError> {
        self.serve();
        let name = self.config.topic_name(topic);
        let (low, high) = self
            .client
            .fetch_watermarks(&name, partition as i32, self.config.timeouts.request)
            .map_err(|e| from_kafka(&format!("asking for the bounds of {name} [{partition}]"), &e))?;
        Ok((LogOffset(low.max(0) as u64), LogOffset(high.max(0) as u64)))
    }

    pub(super) fn topic(&self, topic: Topic) -> Result<TopicInfo, LogError> {
        self.serve();
        let name = self.config.topic_name(topic);
        let found = ffi::describe_topic(self.client.client(), &name, self.config.timeouts.request)
            .map_err(|e| from_native(&format!("asking for topic {name} at {}", self.config.brokers), &e))?;
        Ok(TopicInfo { id: found.id, partitions: found.partitions })
    }

    /// Lets librdkafka's log lines out.
    fn serve(&self) {
        if let Some(Err(error)) = self.client.poll(std::time::Duration::ZERO) {
            tracing::debug!(%error, "asking");
        }
    }
}
