//! The topics: what `topics plan` finds, the topics of feeds, and settings that `topics apply` leaves to the operator.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, Findings};
use crate::cli::kafka::told;
use crate::config::Config;
use crate::limits::DAY_MS;
use crate::log::kafka::KafkaConfig;
use crate::log::kafka::topics::{Difference, Found, found};
use crate::log::{Retention, Topic};

/// Kept at least so long, so that a deployment that stood still for a weekend and more has missed nothing.
const INPUT_DAYS: i64 = 7;

pub(super) struct Topics {
    pub(super) findings: Vec<Finding>,
    pub(super) there: BTreeMap<Topic, Found>,
}

/// Of the contract, and of feeds in formats of their own.
pub(super) fn all(config: &Config) -> Vec<Topic> {
    Topic::ALL.into_iter().chain(feeds(config)).collect()
}

pub(super) async fn look(config: &Config, client: &KafkaConfig, hidden: &BTreeSet<Topic>) -> Topics {
    let mut findings = Findings::of("topics");
    let mut all = all(config);
    all.retain(|topic| !hidden.contains(topic));
    let there = match found(client, &all).await {
        Ok(there) => there,
        Err(error) => {
            findings.error(
                "all",
                told(&error),
                "give this principal Describe and DescribeConfigs on the topics",
            );
            return Topics { findings: findings.done(), there: BTreeMap::new() };
        }
    };
    let wanted = crate::cli::topics::wanted(config).topics();
    for spec in wanted.into_iter().filter(|spec| all.contains(&spec.topic)) {
        let name = client.topic_name(spec.topic);
        for difference in spec.compare(there.get(&spec.topic)) {
            differs(&name, &difference, &mut findings);
        }
        if let Some(found) = there.get(&spec.topic) {
            beside(&name, spec.topic, found, &mut findings);
        }
    }
    for topic in all.iter().copied().filter(|topic| matches!(topic, Topic::Raw(_))) {
        feed(topic, there.get(&topic), &mut findings);
    }
    if findings.clean() {
        findings.ok(format!("{} topics", there.len()), "as they should be");
    }
    Topics { findings: findings.done(), there }
}

/// Topics of feeds in formats of their own.
fn feeds(config: &Config) -> Vec<Topic> {
    config.feeds.iter().filter_map(|feed| feed.topic.as_deref()).map(Topic::raw).collect()
}

fn differs(name: &str, difference: &Difference, findings: &mut Findings) {
    let text = difference.to_string();
    // What the difference says of the topic's name stands beside it.
    let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest).to_owned();
    match difference {
        Difference::Partitions { is, .. } => {
            findings.error(name, text, format!("kafka.partitions = {is}: what the log was made with"));
        }
        Difference::Replication { .. } => {
            findings.warning(name, text, "kafka-reassign-partitions.sh, or another kafka.replication");
        }
        Difference::Setting { name: setting, .. } if is_of_speed(setting) => {
            findings.warning(name, text, "`tidegauge topics apply`");
        }
        Difference::Missing(_) | Difference::Setting { .. } => {
            findings.error(name, text, "`tidegauge topics apply`");
        }
    }
}

/// Settings without which all holds, only more slowly.
fn is_of_speed(setting: &str) -> bool {
    matches!(setting, "segment.bytes" | "min.cleanable.dirty.ratio")
}

/// Settings that nobody asked for and that take away what is promised.
fn beside(name: &str, topic: Topic, found: &Found, findings: &mut Findings) {
    let is = |key: &str| found.settings.get(key).map(String::as_str);
    if matches!(topic.retention(), Retention::Days(_))
        && let Some(bytes) = is("retention.bytes").filter(|bytes| *bytes != "-1")
    {
        findings.warning(
            name,
            format!("retention.bytes is {bytes}: a busy day deletes what retention.ms promises to keep"),
            format!("kafka-configs.sh --alter --topic {name} --add-config retention.bytes=-1"),
        );
    }
    if topic.follows_log() && is("unclean.leader.election.enable") == Some("true") {
        findings.error(
            name,
            "unclean.leader.election.enable is true: a broker that lags behind may become leader and cut the log short",
            format!("kafka-configs.sh --alter --topic {name} --add-config unclean.leader.election.enable=false"),
        );
    }
}

fn feed(topic: Topic, found: Option<&Found>, findings: &mut Findings) {
    let name = topic.name();
    let Some(found) = found else {
        findings.error(name, "a feed comes by it, and it is not there", "make it, or mend feeds[].topic");
        return;
    };
    let kept = found.settings.get("retention.ms").and_then(|ms| ms.parse::<i64>().ok());
    if let Some(ms) = kept.filter(|ms| *ms != -1 && *ms < INPUT_DAYS * DAY_MS) {
        findings.warning(
            name,
            format!("retention.ms is {ms}: what is not read within that time is never counted"),
            format!("retention.ms={} ({INPUT_DAYS} days) at least", INPUT_DAYS * DAY_MS),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Found {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Found { partitions: 1, replication: 1, settings }
    }

    #[test]
    fn what_would_delete_or_cut_the_log_is_found() {
        let levels = |topic, settings: &[(&str, &str)]| {
            let mut findings = Findings::of("topics");
            beside("t", topic, &with(settings), &mut findings);
            findings.done().iter().map(|f| f.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(Topic::Log, &[("retention.bytes", "-1")]), []);
        assert_eq!(levels(Topic::Log, &[("retention.bytes", "1000000000")]), [Level::Warning]);
        assert_eq!(levels(Topic::Checkpoint, &[("unclean.leader.election.enable", "true")]), [Level::Error]);
        assert_eq!(levels(Topic::Checkpoint, &[("retention.bytes", "1000000000")]), [], "compacted");
    }

    #[test]
    fn a_feeds_topic_is_there_and_kept_for_a_week() {
        let levels = |found: Option<&Found>| {
            let mut findings = Findings::of("topics");
            feed(Topic::Raw("carrier.x"), found, &mut findings);
            findings.done().iter().map(|f| f.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(None), [Level::Error]);
        assert_eq!(levels(Some(&with(&[("retention.ms", "86400000")]))), [Level::Warning]);
        assert_eq!(levels(Some(&with(&[("retention.ms", "604800000")]))), []);
        assert_eq!(levels(Some(&with(&[("retention.ms", "-1")]))), []);
    }
}
