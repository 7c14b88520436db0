//! Reading committed messages of one partition: shared by both handles.

use super::broker::Broker;
use super::partition::Entry;
use crate::log::{LogError, Message, TopicPartition};
use crate::model::LogOffset;

/// Up to `wanted` readable messages, and where to go on.
pub(super) fn take(
    broker: &Broker,
    of: TopicPartition,
    from: u64,
    wanted: usize,
) -> Result<(Vec<(u64, Entry)>, u64), LogError> {
    let log = broker.log(of)?;
    if from < log.start() || from > log.end() {
        let detail = format!("it holds {}..{}", log.start(), log.end());
        return Err(LogError::OutOfRange {
            topic: of.topic,
            partition: of.partition,
            offset: LogOffset(from),
            detail,
        });
    }
    let mut next = from;
    let mut messages = Vec::new();
    while messages.len() < wanted {
        let Some((at, entry)) = log.next_readable(next) else { break };
        messages.push((at, entry.clone()));
        next = at + 1;
    }
    Ok((messages, next))
}

/// Lends one message to a reader.
pub(super) fn hand_over<T>(
    of: TopicPartition,
    offset: u64,
    entry: &Entry,
    each: &mut dyn FnMut(Message<'_>) -> T,
) -> T {
    let headers: Vec<(&str, &[u8])> = entry.headers.iter().map(|(k, v)| (k.as_str(), v.as_slice())).collect();
    each(Message {
        topic: of.topic,
        partition: of.partition,
        offset: LogOffset(offset),
        time_ms: entry.time_ms,
        key: entry.key.as_deref(),
        value: entry.value.as_deref(),
        headers: &headers,
    })
}
