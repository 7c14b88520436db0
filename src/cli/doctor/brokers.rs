//! The brokers: each answers, runs what is needed, is set so that the guarantees hold, and its clock is right.

use std::collections::BTreeMap;

use super::QUESTION_WITHIN;
use super::finding::{Finding, Findings};
use crate::cli::kafka::told;
use crate::config::Config;
use crate::limits::{CLOCK_AHEAD_MAX_S, GAPS_KEPT_BYTES_MAX, STALE_AFTER_S};
use crate::log::kafka::{
    BrokerFound, BrokerVersion, KafkaConfig, Skew, broker_version, brokers, is_newest_known, release, skew,
};
use crate::shell::wall_ms;

pub(super) struct Brokers {
    pub(super) findings: Vec<Finding>,
    /// Whether anybody answers at all.
    pub(super) answered: bool,
}

pub(super) async fn look(config: &Config, client: &KafkaConfig) -> Brokers {
    let mut findings = Findings::of("brokers");
    let found = match brokers(client).await {
        Ok(found) => found,
        Err(error) => {
            let fix = "start Kafka, or mend kafka.brokers and the security properties; topics, state and rights were not looked at";
            findings.away(config.kafka.brokers.clone(), told(&error), fix);
            return Brokers { findings: findings.done(), answered: false };
        }
    };
    for broker in &found {
        one(config, client, broker, &mut findings);
    }
    if found.len() < usize::from(config.kafka.replication) {
        let text = format!("{} brokers, kafka.replication is {}", found.len(), config.kafka.replication);
        findings.error("cluster", text, "more brokers, or fewer copies: topics cannot be made so");
    }
    let mut findings = findings.done();
    findings.extend(clocks(config, client, &found));
    Brokers { findings, answered: true }
}

fn one(config: &Config, client: &KafkaConfig, broker: &BrokerFound, findings: &mut Findings) {
    let name = format!("{} ({})", broker.address, broker.id);
    match &broker.settings {
        Err(error) => findings.away(
            name,
            told(error),
            "is it down, or does it advertise an address that cannot be reached from here (advertised.listeners)? \
             Without DescribeConfigs on the cluster its settings cannot be asked",
        ),
        Ok(settings) => {
            let before = findings.clean();
            set(config, client, &name, settings, findings);
            if before {
                findings.ok(name, format!("answers; {}", version(config, broker)));
            }
        }
    }
}

/// Settings of a broker that a deployment rests on.
fn set(
    config: &Config,
    client: &KafkaConfig,
    name: &str,
    settings: &BTreeMap<String, String>,
    findings: &mut Findings,
) {
    let number = |key: &str| settings.get(key).and_then(|value| value.parse::<u128>().ok());
    let transaction = client.timeouts.transaction.as_millis();
    if let Some(most) = number("transaction.max.timeout.ms").filter(|most| *most < transaction) {
        let text = format!(
            "transaction.max.timeout.ms is {most}: no worker can begin a transaction of {transaction} ms"
        );
        findings.error(name, text, format!("transaction.max.timeout.ms={transaction} at least"));
    }
    let session = u128::from(config.kafka.session_timeout_ms);
    let (least, most) = (number("group.min.session.timeout.ms"), number("group.max.session.timeout.ms"));
    if least.is_some_and(|least| session < least) || most.is_some_and(|most| session > most) {
        let (least, most) = (least.unwrap_or(0), most.unwrap_or(0));
        let text = format!(
            "sessions of {least} to {most} ms, kafka.session_timeout_ms is {session}: no member can join"
        );
        findings.error(name, text, "another kafka.session_timeout_ms, or other bounds of the brokers");
    }
    if settings.get("auto.create.topics.enable").is_some_and(|on| on == "true") {
        findings.warning(
            name,
            "auto.create.topics.enable is true: a misspelt prefix makes topics with the brokers' defaults",
            "auto.create.topics.enable=false; `tidegauge topics apply` makes the topics",
        );
    }
    if let Some(minutes) = number("offsets.retention.minutes").filter(|minutes| *minutes < 10_080) {
        findings.warning(
            name,
            format!("offsets.retention.minutes is {minutes}: a deployment that stands still for longer loses its offsets and does not start"),
            "offsets.retention.minutes=10080 (a week) at least",
        );
    }
    let by_topics = config.feeds.iter().any(|feed| feed.topic.is_some());
    if by_topics {
        notes(name, number("offset.metadata.max.bytes"), findings);
    }
}

/// What is known of the gaps of feeds that come by topics stands beside their offsets.
fn notes(name: &str, most: Option<u128>, findings: &mut Findings) {
    if let Some(most) = most.filter(|most| *most < GAPS_KEPT_BYTES_MAX as u128) {
        findings.warning(
            name,
            format!(
                "offset.metadata.max.bytes is {most}: what is known of feeds' gaps does not fit beside an offset, and is \
                 forgotten at each restart"
            ),
            "offset.metadata.max.bytes=4096, as brokers have it unless told otherwise",
        );
    }
}

/// Asked over a plain socket where there is one.
fn version(config: &Config, broker: &BrokerFound) -> String {
    let protocol = config.kafka.properties.get("security.protocol").map_or("plaintext", String::as_str);
    if !protocol.eq_ignore_ascii_case("plaintext") {
        return format!("its version cannot be asked over {protocol}");
    }
    match broker_version(&broker.address, QUESTION_WITHIN) {
        Ok(BrokerVersion { software: Some(software), in_force }) => {
            let more = if is_newest_known(software) { " or newer" } else { "" };
            let agreed = in_force.map_or_else(String::new, |level| format!(", in force {level}"));
            format!("Kafka {}{more} (metadata.version {software}{agreed})", release(software))
        }
        Ok(_) => "Kafka with ZooKeeper, or before 3.3".to_owned(),
        Err(error) => format!("its version could not be asked: {error}"),
    }
}

/// Each broker's clock, by a stamp.
fn clocks(config: &Config, client: &KafkaConfig, found: &[BrokerFound]) -> Vec<Finding> {
    let mut findings = Findings::of("clock");
    if config.clock_supplied {
        findings.ok("brokers", "not looked at: the records' own times count");
        return findings.done();
    }
    for broker in found {
        let Some(partition) = broker.leads else { continue };
        let name = format!("{} ({})", broker.address, broker.id);
        match skew(client, partition, wall_ms) {
            Ok(Some(skew)) => judge(name, skew, &mut findings),
            Ok(None) => findings.warning(
                name,
                "does not stamp the messages of tidegauge.owners",
                "`tidegauge topics apply` sets message.timestamp.type=LogAppendTime",
            ),
            Err(error) => findings.error(
                name,
                told(&error),
                "give this principal Write on the topic, or mend the broker",
            ),
        }
    }
    findings.done()
}

fn judge(name: String, skew: Skew, findings: &mut Findings) {
    let Skew { ahead_ms, within_ms } = skew;
    let text = match ahead_ms {
        0.. => format!("{ahead_ms} ms ahead of this machine's, within {within_ms} ms"),
        _ => format!("{} ms behind this machine's, within {within_ms} ms", -ahead_ms),
    };
    let off_s = (ahead_ms.abs() - within_ms) / 1_000;
    let fix = "keep time with NTP on the brokers and here";
    if ahead_ms > 0 && off_s >= CLOCK_AHEAD_MAX_S {
        findings.error(name, format!("{text}: workers halt at {CLOCK_AHEAD_MAX_S} s"), fix);
    } else if off_s >= STALE_AFTER_S {
        findings.warning(name, format!("{text}: answers are marked stale, or late records rejected"), fix);
    } else {
        findings.ok(name, text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_broker_that_keeps_too_little_beside_an_offset_is_named() {
        for (most, named) in [(None, false), (Some(4_096), false), (Some(3_499), true), (Some(0), true)] {
            let mut findings = Findings::of("brokers");
            notes("b", most, &mut findings);
            let found = findings.done();
            assert_eq!(found.iter().any(|one| one.level == Level::Warning), named, "{most:?}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_what_it_does_to_the_meter() {
        for (ahead_ms, expected) in [
            (0, Level::Ok),
            (-4_000, Level::Ok),
            (5_500, Level::Warning),
            (-70_000, Level::Warning),
            (61_000, Level::Error),
        ] {
            let mut findings = Findings::of("clock");
            judge("b".to_owned(), Skew { ahead_ms, within_ms: 3 }, &mut findings);
            assert_eq!(findings.done()[0].level, expected, "{ahead_ms}");
        }
    }
}
