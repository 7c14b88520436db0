//! What a member makes of an error that it reads: a fence, a place that is not there, or nothing to stop for.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::error::{from_kafka, from_native};
use super::ffi::NativeError;
use crate::log::{LogError, TopicPartition};
use crate::model::LogOffset;

/// Errors of the client as a whole. librdkafka goes on from most by itself; `fatal` is one after which it does not.
pub(super) fn judge(error: &KafkaError, fatal: Option<(RDKafkaErrorCode, String)>) -> Result<(), LogError> {
    let doing = "as a member of the group";
    if let Some((code, text)) = fatal {
        return Err(match code {
            RDKafkaErrorCode::FencedInstanceId => LogError::Fenced(format!(
                "{text}: another member runs under this instance id, or the brokers were away for longer than a \
                 session; a new handle settles it; if this comes again and again, give every instance its own name"
            )),
            _ => LogError::Fatal(format!("{doing}: {text}; start the member anew")),
        });
    }
    match error.rdkafka_error_code() {
        // A broker that comes back does not know its topics for a moment; whether they exist is a start-up check.
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
            Err(LogError::Retriable(format!("{doing}: {error}; is the topic there, and the prefix right?")))
        }
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::InvalidSessionTimeout
            | RDKafkaErrorCode::InconsistentGroupProtocol,
        ) => Err(from_kafka(doing, error)),
        _ => Ok(()),
    }
}

/// Errors of one partition.
pub(super) fn judge_partition(at: TopicPartition, offset: i64, error: &NativeError) -> Result<(), LogError> {
    match error.code {
        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => Err(LogError::OutOfRange {
            topic: at.topic,
            partition: at.partition,
            offset: LogOffset(offset.max(0) as u64),
            detail: error.text.clone(),
        }),
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::UnknownTopicOrPartition => {
            Err(from_native(&format!("reading {} [{}]", at.topic, at.partition), error))
        }
        _ => {
            tracing::warn!(topic = %at.topic, partition = at.partition, %error, "reading; librdkafka goes on");
            Ok(())
        }
    }
}
