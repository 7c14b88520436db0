//! A group's committed offset of a partition of the log, when it is stable.

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::error::from_kafka;
use super::group::PlainContext;
use crate::log::{Committed, LogError, Topic};
use crate::model::LogOffset;

/// Whether a group has committed any offset in the log: if not, nothing was ever metered. Offsets of open transactions do
/// not hold it up: a predecessor that was killed has left one.
///
/// # Errors
/// [`LogError::Retriable`]: the brokers do not answer, or begin to keep offsets only now.
pub fn any_committed(config: &KafkaConfig, partitions: u32) -> Result<bool, LogError> {
    let name = config.topic_name(Topic::Log);
    let doing = format!("asking for the offsets of group {} in {name}", config.group_id());
    let consumer: BaseConsumer<PlainContext> = config
        .asking()
        .set("group.id", config.group_id())
        .create_with_context(PlainContext)
        .map_err(|e| from_kafka(&doing, &e))?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(&name, partition as i32);
    }
    let list =
        consumer.committed_offsets(list, config.timeouts.request).map_err(|e| from_kafka(&doing, &e))?;
    for place in list.elements() {
        place.error().map_err(|e| from_kafka(&doing, &e))?;
    }
    Ok(list.elements().iter().any(|place| matches!(place.offset(), Offset::Offset(_))))
}

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
