//! Messages to the brokers, and what became of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::config::KafkaConfig;
use super::deadline::Deadline;
use super::error::{from_kafka, is_retriable};
use super::group::{log_error, log_line};
use super::repeats::Client;
use crate::log::{LogError, Output, Topic};

/// A producer whose deliveries are noted under the token they were sent with.
pub(super) type Producer = BaseProducer<Deliveries>;

// A token travels as a pointer's worth of bits.
const _: () = assert!(usize::BITS == u64::BITS);

/// What became of messages, as it is told.
#[derive(Default)]
pub(super) struct Deliveries {
    done: Mutex<Vec<(u64, Result<(), LogError>)>>,
}

impl Deliveries {
    pub(super) fn take(&self) -> Vec<(u64, Result<(), LogError>)> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(Client::Producer, &error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, token: usize) {
        use rdkafka::Message as _;
        let result = match result {
            Ok(_) => Ok(()),
            Err((error, message)) => {
                Err(from_kafka(&format!("writing to {} [{}]", message.topic(), message.partition()), error))
            }
        };
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push((token as u64, result));
    }
}

/// Makes a producer; nothing is waited for.
pub(super) fn create(config: &KafkaConfig, client: &ClientConfig) -> Result<Producer, LogError> {
    client.create_with_context(Deliveries::default()).map_err(|e| {
        LogError::Fatal(format!("making a producer for {}: {e}; check the Kafka settings", config.brokers))
    })
}

/// Queues one message.
pub(super) fn send(
    producer: &Producer,
    config: &KafkaConfig,
    output: &Output,
    token: u64,
) -> Result<(), KafkaError> {
    let topic = config.topic_name(output.topic);
    let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&topic, token as usize);
    record.partition = output.partition.map(|p| p as i32);
    record.payload = output.value.as_deref();
    record.key = (!output.key.is_empty()).then_some(output.key.as_slice());
    // The library takes 0 for "now": the beginning of time is its first millisecond.
    record.timestamp = output.time_ms.map(|ms| ms.max(1));
    record.headers = headers(output);
    producer.send(record).map_err(|(error, _)| error)
}

fn headers(output: &Output) -> Option<OwnedHeaders> {
    let start =
        (!output.headers.is_empty()).then(|| OwnedHeaders::new_with_capacity(output.headers.len()))?;
    Some(
        output
            .headers
            .iter()
            .fold(start, |all, (key, value)| all.insert(Header { key, value: Some(value.as_slice()) })),
    )
}

/// A producer under a transactional id, which ends whatever a former one under this id left open.
///
/// Blocks for `wait` if that does not go through. The producer is given back then, to be asked again: its initialisation
/// goes on where it was.
pub(super) fn initialise(
    config: &KafkaConfig,
    id: &str,
    started: Option<Producer>,
    wait: Duration,
) -> Initialised {
    let producer = match started.map_or_else(|| create(config, &config.transactional(id)), Ok) {
        Ok(producer) => producer,
        Err(error) => return Initialised::Failed(error, None),
    };
    let deadline = Deadline::after(wait);
    // Connected first: the look-up of the coordinator, made before there is a connection, is repeated after 500 ms.
    let connected = producer.client().fetch_metadata(Some(&config.topic_name(Topic::Log)), wait).map(drop);
    match connected.and_then(|()| producer.init_transactions(deadline.left())) {
        Ok(()) => Initialised::Ready(producer),
        Err(error) => {
            let doing = format!("initialising transactional id {id} at {}", config.brokers);
            failed(&doing, &error, producer, deadline)
        }
    }
}

/// The end of [`initialise`].
pub(super) enum Initialised {
    Ready(Producer),
    /// With the producer, if the same call on it may succeed later.
    Failed(LogError, Option<Producer>),
}

fn failed(doing: &str, error: &KafkaError, producer: Producer, deadline: Deadline) -> Initialised {
    let again = match error {
        KafkaError::Transaction(inner) => inner.is_retriable(),
        other => is_retriable(other),
    };
    if again {
        // Some failures come at once; the time is spent all the same, serving librdkafka's log lines.
        producer.poll(deadline.left());
        return Initialised::Failed(LogError::Retriable(format!("{doing}: {error}")), Some(producer));
    }
    match from_kafka(doing, error) {
        // Somebody else initialised the id between two steps of ours. A new handle settles who is last; whether the
        // member is lost is told by the group alone.
        LogError::Fenced(text) => Initialised::Failed(LogError::Retriable(text), None),
        other => Initialised::Failed(other, None),
    }
}
