//! From the configuration to a client of Kafka.

use std::fmt::Display;
use std::time::Duration;

use crate::checkpoint::{Expected, New};
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
        clock: config.clock(),
        partitions: config.kafka.partitions,
        new: New::Refused,
        faults: crate::meter::Faults::default(),
    }
}

/// What an error of the log promises, which only `run` keeps.
const AGAIN: &str = " (will be tried again)";
/// What to do about what would be tried again.
pub(super) const MEND: &str = "start Kafka, or mend kafka.brokers (`tidegauge doctor` looks)";

/// What an error of the log says, where nothing is tried again and what to do stands beside it.
pub(super) fn told(error: &impl Display) -> String {
    error.to_string().replace(AGAIN, "")
}

/// The same where a command ends with it: with what to do.
pub(super) fn ended(error: &impl Display) -> String {
    let said = error.to_string();
    if said.contains(AGAIN) { format!("{}; {MEND}", told(error)) } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Refused, Why};
    use crate::log::LogError;

    #[test]
    fn where_a_command_ends_nothing_is_promised_but_what_to_do_is_said() {
        let away = LogError::Retriable("asking b:9092: timed out".to_owned());
        assert_eq!(told(&away), "asking b:9092: timed out");
        assert_eq!(ended(&away), format!("asking b:9092: timed out; {MEND}"));
        let refused = Refused { partition: 3, why: Why::Log(away.to_string()) };
        assert_eq!(ended(&refused), format!("partition 3: asking b:9092: timed out; {MEND}"));
        let wrong = LogError::Fatal("no such topic".to_owned());
        assert_eq!((told(&wrong), ended(&wrong)), ("no such topic".to_owned(), "no such topic".to_owned()));
    }
}
