//! From librdkafka's error codes to what a caller can do about them: try again, stop as a member, or give up.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::config::refusal;
use super::ffi::NativeError;
use crate::log::LogError;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Brokers or coordinators that are away or on the move.
    Retriable,
    /// Another runs under our id, or the group goes on without us.
    Fenced,
    /// The same call would fail again.
    Fatal,
}

fn kind(code: Code) -> Kind {
    match code {
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::MessageTimedOut
        | Code::WaitingForCoordinator
        | Code::InProgress
        | Code::PreviousInProgress
        | Code::QueueFull
        | Code::Retry
        | Code::PurgeQueue
        | Code::PurgeInflight
        | Code::Interrupted
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::NetworkException
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotController
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::RebalanceInProgress
        | Code::ConcurrentTransactions
        | Code::UnstableOffsetCommit
        | Code::ThrottlingQuotaExceeded
        | Code::KafkaStorageError
        | Code::OffsetNotAvailable
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::FetchSessionIdNotFound
        | Code::InvalidFetchSessionEpoch => Kind::Retriable,
        Code::FencedInstanceId
        | Code::UnknownMemberId
        | Code::IllegalGeneration
        | Code::AssignmentLost
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::TransactionCoordinatorFenced => Kind::Fenced,
        _ => Kind::Fatal,
    }
}

/// Whether the same call may simply be made again.
pub(super) fn is_retriable(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| kind(code) == Kind::Retriable)
}

fn from_code(code: Code, doing: &str, text: &str) -> LogError {
    match kind(code) {
        Kind::Retriable => LogError::Retriable(format!("{doing}: {text}")),
        Kind::Fenced => LogError::Fenced(format!("{doing}: {text}")),
        Kind::Fatal => LogError::Fatal(format!("{doing}: {text}{}", hint(code))),
    }
}

/// What to do about errors that somebody can mend.
fn hint(code: Code) -> &'static str {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "; create the topics with `tidegauge topics apply`, or check the prefix"
        }
        Code::TopicAuthorizationFailed => "; give this principal the rights to the topic",
        Code::GroupAuthorizationFailed => "; give this principal the rights to the group",
        Code::TransactionalIdAuthorizationFailed => {
            "; give this principal the rights to the transactional id"
        }
        Code::SaslAuthenticationFailed | Code::Authentication => "; check user and password of the brokers",
        Code::InvalidSessionTimeout => {
            "; the brokers' group.min.session.timeout.ms or group.max.session.timeout.ms excludes it"
        }
        Code::InvalidTransactionTimeout => "; the brokers' transaction.max.timeout.ms is lower",
        Code::MessageSizeTooLarge => "; raise max.message.bytes of the topic: see `tidegauge topics plan`",
        _ => "",
    }
}

/// `doing` says what was done where, as in `asking for the offsets of tidegauge.log [3]`.
pub(super) fn from_kafka(doing: &str, error: &KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(code) => from_code(code, doing, &error.to_string()),
        None => LogError::Fatal(format!("{doing}: {}", refusal(error))),
    }
}

/// As [`from_kafka`], of a message that one process alone answers for: [`LogError::Fatal`] if it was certainly not written and
/// would not be, [`LogError::Retriable`] if it may have been. Whoever takes the one for the other writes it twice.
pub(super) fn of_delivery(doing: &str, error: &KafkaError) -> LogError {
    let refused = error.rdkafka_error_code().is_some_and(is_refusal);
    match from_kafka(doing, error) {
        LogError::Retriable(text) | LogError::Fenced(text) | LogError::Fatal(text) if !refused => {
            LogError::Retriable(text)
        }
        error => error,
    }
}

/// Whether a message was turned away, by the client or by the brokers, before anything of it was kept. A list of these: of all
/// other codes, those of other versions too, librdkafka may say that the message is possibly persisted.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::TopicAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::InvalidTopic
            | Code::InvalidConfig
    )
}

/// As [`from_kafka`], of the calls made past the crate.
pub(super) fn from_native(doing: &str, error: &NativeError) -> LogError {
    from_code(error.code, doing, &error.text)
}

#[cfg(test)]
mod tests {
    use rdkafka::config::ClientConfig;
    use rdkafka::producer::BaseProducer;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_property_is_told_without_its_value() {
        let made = ClientConfig::new().set("sasl.passwrod", "hunter2").create::<BaseProducer>();
        let told = from_kafka("making a reader", &made.err().expect("no such property")).to_string();
        assert_eq!(told, "making a reader: sasl.passwrod: librdkafka has no such property");
    }

    #[test]
    fn a_message_counts_as_refused_only_where_nothing_of_it_can_have_been_kept() {
        let of = |code| of_delivery("writing", &KafkaError::MessageProduction(code));
        for code in [
            Code::MessageSizeTooLarge,
            Code::TopicAuthorizationFailed,
            Code::UnknownTopic,
            Code::UnknownPartition,
            Code::UnknownTopicOrPartition,
            Code::InvalidTopic,
            Code::InvalidConfig,
        ] {
            assert!(matches!(of(code), LogError::Fatal(_)), "{code:?}: {:?}", of(code));
        }
        for code in [
            Code::OutOfOrderSequenceNumber,
            Code::Fatal,
            Code::Fail,
            Code::Unknown,
            Code::InvalidProducerEpoch,
            Code::MessageTimedOut,
            Code::NotEnoughReplicasAfterAppend,
        ] {
            assert!(matches!(of(code), LogError::Retriable(_)), "{code:?}: {:?}", of(code));
        }
        let without_code = of_delivery("writing", &KafkaError::Canceled);
        assert!(matches!(without_code, LogError::Retriable(_)), "{without_code:?}");
    }

    #[test]
    fn an_error_says_what_can_be_done() {
        let cases = [
            (Code::OperationTimedOut, "asking: away (will be tried again)"),
            (Code::FencedInstanceId, "fenced: asking: away"),
            (Code::InvalidConfig, "asking: away"),
            (
                Code::UnknownTopicOrPartition,
                "asking: away; create the topics with `tidegauge topics apply`, or check the prefix",
            ),
        ];
        for (code, expected) in cases {
            assert_eq!(from_code(code, "asking", "away").to_string(), expected, "{code:?}");
        }
    }
}
