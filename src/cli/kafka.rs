//! From the configuration to a client of Kafka.

use std::time::Duration;

use crate::checkpoint::{Clock, Expected, New};
use crate::config::Config;
use crate::log::kafka::KafkaConfig;

/// A member of a group: its name is this process's and the part's.
pub(super) fn member(config: &Config, group: &str, part: &str) -> KafkaConfig {
    let said = &config.kafka;
    let mut kafka = KafkaConfig::new(&said.brokers, group, &format!("{}-{part}", said.instance));
    kafka.prefix.clone_from(&said.prefix);
    kafka.extra.clone_from(&said.properties);
    kafka.timeouts.session = Duration::from_millis(u64::from(said.session_timeout_ms));
    kafka.timeouts.heartbeat = kafka.timeouts.heartbeat.min(kafka.timeouts.session / 3);
    kafka
}

/// The group that reads the outside topics.
pub(super) fn ingest_group(config: &Config) -> String {
    format!("{}-ingest", config.kafka.group)
}

/// What a worker of this configuration expects of every head.
pub(super) fn expected(config: &Config) -> Expected {
    Expected {
        deployment: config.deployment.clone(),
        generation: 0,
        clock: if config.clock_supplied { Clock::Supplied } else { Clock::Log },
        partitions: config.kafka.partitions,
        new: New::Refused,
        faults: crate::meter::Faults::default(),
    }
}
