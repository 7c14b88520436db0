//! Keys and values of the store: one message each.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::FileLogError;
use crate::log::{Output, Topic};
use crate::model::LogOffset;

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) time_ms: i64,
    pub(super) key: Option<ByteBuf>,
    pub(super) value: Option<ByteBuf>,
    pub(super) headers: Vec<(String, ByteBuf)>,
}

impl Stored {
    pub(super) fn of(output: Output, stamp_ms: i64) -> Self {
        Self {
            time_ms: output.time_ms.unwrap_or(stamp_ms),
            key: (!output.key.is_empty()).then(|| output.key.into()),
            value: output.value.map(ByteBuf::from),
            headers: output
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FileLogError> {
        bincode::serde::encode_to_vec(self, bincode::config::legacy())
            .map_err(|e| FileLogError::Record(e.to_string()))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, FileLogError> {
        bincode::serde::decode_from_slice(bytes, bincode::config::legacy())
            .map(|(stored, _)| stored)
            .map_err(|e| FileLogError::Record(e.to_string()))
    }
}

/// Topic, partition, offset; big-endian, so that the store's order is the log's.
pub(super) fn place(topic: Topic, partition: u32, offset: LogOffset) -> [u8; 13] {
    let mut key = [0u8; 13];
    key[0] = number(topic);
    key[1..5].copy_from_slice(&partition.to_be_bytes());
    key[5..].copy_from_slice(&offset.0.to_be_bytes());
    key
}

/// The offset in a [`place`].
pub(super) fn offset_of(place: &[u8]) -> Option<LogOffset> {
    place.get(5..13).and_then(|bytes| bytes.try_into().ok()).map(|bytes| LogOffset(u64::from_be_bytes(bytes)))
}

/// Key of the newest message with this key on a compacted topic.
pub(super) fn newest(topic: Topic, partition: u32, key: &[u8]) -> Vec<u8> {
    let mut out = vec![number(topic)];
    out.extend_from_slice(&partition.to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// Stands on disk: append only.
fn number(topic: Topic) -> u8 {
    match topic {
        Topic::Cdr => 1,
        Topic::Modem => 2,
        Topic::Commands => 3,
        Topic::Alerts => 4,
        Topic::Activations => 5,
        Topic::Lifecycle => 6,
        Topic::Directory => 7,
        Topic::Parked => 8,
        Topic::FeedEvents => 9,
        Topic::Quarantine => 10,
        Topic::DeadLetter => 11,
        Topic::Log => 12,
        Topic::Checkpoint => 13,
        Topic::Owners => 14,
        // None is kept here: feeds' own topics are Kafka's.
        Topic::Raw(_) => 0,
    }
}
