//! A group's committed offset of a partition of the log, when it is stable.

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::error::from_kafka;
use crate::log::{Committed, LogError, Topic};
use crate::model::LogOffset;

/// Asks with the isolation `read_committed`: while a transaction with this offset is open the answer is a timeout, which
/// is retriable.
pub(super) fn stable<C: ConsumerContext>(
    config: &KafkaConfig,
    consumer: &BaseConsumer<C>,
    partition: u32,
) -> Result<Option<Committed>, LogError> {
    let name = config.topic_name(Topic::Log);
    let doing = format!("asking for the offset of group {} in {name} [{partition}]", config.group_id());
    let mut list = TopicPartitionList::new();
    list.add_partition(&name, partition as i32);
    let list =
        consumer.committed_offsets(list, config.timeouts.stable).map_err(|e| from_kafka(&doing, &e))?;
    let place = list
        .find_partition(&name, partition as i32)
        .ok_or_else(|| LogError::Retriable(format!("{doing}: no answer")))?;
    place.error().map_err(|e| from_kafka(&doing, &e))?;
    Ok(match place.offset() {
        Offset::Offset(offset) => {
            Some(Committed { offset: LogOffset(offset.max(0) as u64), metadata: place.metadata().to_owned() })
        }
        _ => None,
    })
}
