//! Commands written by this process, one at a time with its place; and topics that it follows for itself.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;

use super::asking::Asking;
use super::config::KafkaConfig;
use super::error::of_delivery;
use super::follow::{Follower, From};
use super::group::PlainContext;
use crate::log::{Appended, CommandLog, CommandPlace, LogError, Message, Places, Tail, Topic};
use crate::model::LogOffset;

type CommandProducer = FutureProducer<PlainContext>;

/// Writes to `card.commands`.
pub struct KafkaCommands {
    config: KafkaConfig,
    /// Replaced when librdkafka has given it up.
    producer: RwLock<CommandProducer>,
    topic: String,
}

impl KafkaCommands {
    /// A producer; nothing is waited for.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings that cannot be right.
    pub fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        let producer = RwLock::new(producer(config)?);
        Ok(Self { config: config.clone(), producer, topic: config.topic_name(Topic::Commands) })
    }

    /// A producer that works, as far as is known.
    fn producer(&self) -> Result<CommandProducer, LogError> {
        let held = self.producer.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((_, why)) = held.client().fatal_error() else { return Ok(held) };
        tracing::warn!(%why, "the producer of commands broke and is replaced");
        let fresh = producer(&self.config)?;
        *self.producer.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        Ok(fresh)
    }
}

fn producer(config: &KafkaConfig) -> Result<CommandProducer, LogError> {
    let wait = config.timeouts.request.as_millis().to_string();
    let producer = config.producer().set("message.timeout.ms", wait).create_with_context(PlainContext);
    producer.map_err(|e| LogError::Fatal(format!("making a producer: {e}")))
}

impl CommandLog for KafkaCommands {
    fn append<'a>(&'a self, card: &'a str, json: &'a [u8], time_ms: i64) -> Appended<'a> {
        Box::pin(async move {
            let producer = self.producer()?;
            let record = FutureRecord::to(&self.topic).key(card).payload(json).timestamp(time_ms);
            match producer.send(record, Timeout::After(Duration::ZERO)).await {
                Ok(at) => Ok(CommandPlace {
                    partition: at.partition as u32,
                    offset: LogOffset(at.offset.max(0) as u64),
                }),
                Err((error, _)) => Err(of_delivery(&format!("writing to {}", self.topic), &error)),
            }
        })
    }
}

/// Topics followed for this process alone.
pub struct KafkaTail(Follower);

impl KafkaTail {
    /// From where the topic ends now.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while the brokers are away; [`LogError::Fatal`] if the topic is missing.
    pub fn from_end(config: &KafkaConfig, topics: &[Topic]) -> Result<Self, LogError> {
        Ok(Self(Follower::start(config, &Asking::new(config)?, topics, &From::End)?))
    }

    /// From where another tail had come to.
    ///
    /// # Errors
    /// As of [`Self::from_end`].
    pub fn from_places(config: &KafkaConfig, topics: &[Topic], places: Places) -> Result<Self, LogError> {
        Ok(Self(Follower::start(config, &Asking::new(config)?, topics, &From::Places(places))?))
    }

    /// All of it, then what comes.
    ///
    /// # Errors
    /// As of [`Self::from_end`].
    pub fn whole(config: &KafkaConfig, topic: Topic) -> Result<Self, LogError> {
        Ok(Self(Follower::start(config, &Asking::new(config)?, &[topic], &From::Beginning)?))
    }
}

impl Tail for KafkaTail {
    fn places(&self) -> Places {
        self.0.places()
    }

    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.0.poll(wait_ms, each)
    }
}
