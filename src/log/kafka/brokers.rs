//! The brokers themselves: who they are, how they are set, which version they run, and what their clocks say.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::config::KafkaConfig;
use super::deadline::Deadline;
use super::error::from_kafka;
use super::group::{PlainContext, log_error, log_line};
use super::repeats::Client;
use crate::log::{LogError, Topic};

/// One broker.
#[derive(Debug, Clone)]
pub struct BrokerFound {
    pub id: i32,
    /// `host:port` as the brokers name it: what a client must be able to reach.
    pub address: String,
    /// As the broker itself answers; an error where it does not.
    pub settings: Result<BTreeMap<String, String>, LogError>,
    /// A partition of [`Topic::Owners`] that it leads.
    pub leads: Option<u32>,
}

/// Every broker of the cluster, each asked for its settings by itself.
///
/// # Errors
/// When none answers.
pub async fn brokers(config: &KafkaConfig) -> Result<Vec<BrokerFound>, LogError> {
    let doing = format!("asking {} for the brokers", config.brokers);
    let client: AdminClient<PlainContext> = config
        .asking()
        .create_with_context(PlainContext)
        .map_err(|e| LogError::Fatal(format!("{doing}: {e}")))?;
    let metadata =
        client.inner().fetch_metadata(None, config.timeouts.request).map_err(|e| from_kafka(&doing, &e))?;
    let owners = config.topic_name(Topic::Owners);
    let owners = metadata.topics().iter().find(|topic| topic.name() == owners);
    let mut found = Vec::new();
    for broker in metadata.brokers() {
        let led = owners.and_then(|topic| topic.partitions().iter().find(|p| p.leader() == broker.id()));
        found.push(BrokerFound {
            id: broker.id(),
            address: format!("{}:{}", broker.host(), broker.port()),
            settings: settings(&client, config, broker.id()).await,
            leads: led.map(|partition| partition.id() as u32),
        });
    }
    Ok(found)
}

async fn settings(
    client: &AdminClient<PlainContext>,
    config: &KafkaConfig,
    id: i32,
) -> Result<BTreeMap<String, String>, LogError> {
    let doing = format!("asking broker {id} for its settings");
    let timeout = Some(config.timeouts.request);
    let options = AdminOptions::new().request_timeout(timeout).operation_timeout(timeout);
    let answers = client
        .describe_configs([&ResourceSpecifier::Broker(id)], &options)
        .await
        .map_err(|e| from_kafka(&doing, &e))?;
    let answer = answers.into_iter().next().ok_or_else(|| LogError::Fatal(format!("{doing}: no answer")))?;
    let resource = answer.map_err(|code| from_kafka(&doing, &KafkaError::AdminOp(code)))?;
    Ok(resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect())
}

/// A broker's clock against this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skew {
    /// The broker's less this machine's.
    pub ahead_ms: i64,
    /// It is as exact as this.
    pub within_ms: i64,
}

/// How often a broker's clock is asked; the quickest answer counts. The first makes the connection.
const ASKED: usize = 3;

/// Has the leader of a partition of [`Topic::Owners`] stamp messages that say nothing: a key that is no partition's, which
/// every reader passes over, and no value, so that compaction removes them. `None` where the writers stamp.
///
/// # Errors
/// As the brokers have them: this may write or not.
pub fn skew(config: &KafkaConfig, partition: u32, clock_ms: fn() -> i64) -> Result<Option<Skew>, LogError> {
    let name = config.topic_name(Topic::Owners);
    let producer: BaseProducer<Stamps> = config
        .producer()
        .create_with_context(Stamps::default())
        .map_err(|e| LogError::Fatal(format!("making a producer for {}: {e}", config.brokers)))?;
    let mut best: Option<Skew> = None;
    for _ in 0..ASKED {
        let sent = clock_ms();
        let Some(stamp) = stamped(&producer, config, (&name, partition))? else { return Ok(None) };
        let got = clock_ms();
        let skew = Skew { ahead_ms: stamp - i64::midpoint(sent, got), within_ms: (got - sent) / 2 + 1 };
        best = best.filter(|best| best.within_ms <= skew.within_ms).or(Some(skew));
    }
    Ok(best)
}

/// One message and its stamp.
fn stamped(
    producer: &BaseProducer<Stamps>,
    config: &KafkaConfig,
    (name, partition): (&str, u32),
) -> Result<Option<i64>, LogError> {
    let doing = format!("writing to {name} [{partition}]");
    let record = BaseRecord::<str, [u8]>::to(name).partition(partition as i32).key("doctor");
    producer.send(record).map_err(|(error, _)| from_kafka(&doing, &error))?;
    let deadline = Deadline::after(config.timeouts.request);
    loop {
        producer.poll(std::time::Duration::from_millis(10));
        match producer.client().context().take() {
            Some(stamp) => return stamp,
            None if deadline.is_over() => {
                return Err(LogError::Retriable(format!(
                    "{doing}: no answer in {:?}",
                    config.timeouts.request
                )));
            }
            None => {}
        }
    }
}

/// The stamp of the last message written.
#[derive(Default)]
struct Stamps(Mutex<Option<Result<Option<i64>, LogError>>>);

impl Stamps {
    fn take(&self) -> Option<Result<Option<i64>, LogError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Stamps {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(Client::Producer, &error, reason);
    }
}

impl ProducerContext for Stamps {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let stamp = match result {
            Ok(message) => Ok(match message.timestamp() {
                Timestamp::LogAppendTime(ms) => Some(ms),
                Timestamp::CreateTime(_) | Timestamp::NotAvailable => None,
            }),
            Err((error, message)) => {
                Err(from_kafka(&format!("writing to {} [{}]", message.topic(), message.partition()), error))
            }
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamp);
    }
}
