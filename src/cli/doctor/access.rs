//! What this principal may do: on each topic, and as a member of each group. Transactional ids cannot be asked.

use std::collections::BTreeSet;

use super::finding::{Finding, Findings};
use super::patiently;
use super::topics::all;
use crate::cli::kafka::{ingest_group, told};
use crate::config::Config;
use crate::log::Topic;
use crate::log::kafka::{KafkaConfig, KafkaGranted, Operation};

pub(super) struct Access {
    pub(super) findings: Vec<Finding>,
    /// Topics that may not be described: whether they are there is not known.
    pub(super) hidden: BTreeSet<Topic>,
}

pub(super) fn look(config: &Config, client: &KafkaConfig) -> Access {
    let (mut findings, mut hidden) = (Findings::of("access"), BTreeSet::new());
    let granted = match KafkaGranted::new(client) {
        Ok(granted) => granted,
        Err(error) => {
            findings.error("client", told(&error), "mend kafka.properties");
            return Access { findings: findings.done(), hidden };
        }
    };
    for topic in all(config) {
        let name = format!("topic {}", client.topic_name(topic));
        match patiently(|| granted.topic(topic)) {
            // The topics' own check says so.
            Ok(None) => {}
            Ok(Some(may)) => {
                let missing = needed(topic).iter().filter(|operation| !may.contains(operation));
                lacking(&name, missing, &mut findings);
            }
            Err(error) => {
                hidden.insert(topic);
                findings.error(name, told(&error), "give this principal Describe on the topic, or mend it");
            }
        }
    }
    groups(config, client, &granted, &mut findings);
    if findings.clean() {
        let text = "reads and writes what it must; transactional ids cannot be asked: Describe and Write on those that \
                    begin with it are needed too";
        findings.ok(client.group_id(), text);
    }
    Access { findings: findings.done(), hidden }
}

/// Every group that a process of this configuration joins.
fn groups(config: &Config, client: &KafkaConfig, granted: &KafkaGranted, findings: &mut Findings) {
    let history = format!("{}-history", config.kafka.group);
    for group in [config.kafka.group.clone(), ingest_group(config), history] {
        let name = format!("{}{group}", client.prefix);
        match patiently(|| granted.group(&name)) {
            Ok(found) => {
                let missing = [Operation::Read].iter().filter(|o| !found.operations.contains(o)).copied();
                let missing: Vec<_> = missing.collect();
                lacking(&format!("group {name}"), missing.iter(), findings);
            }
            Err(error) => findings.error(
                format!("group {name}"),
                told(&error),
                "give this principal Read and Describe on the group",
            ),
        }
    }
}

fn lacking<'o>(what: &str, missing: impl Iterator<Item = &'o Operation>, findings: &mut Findings) {
    let missing: Vec<&str> = missing.map(|operation| operation.name()).collect();
    if !missing.is_empty() {
        let operations = missing.join(" and ");
        findings.error(
            what,
            format!("{operations} is not allowed"),
            format!("give this principal {operations} on {what}"),
        );
    }
}

/// What the roles together need of a topic.
fn needed(topic: Topic) -> &'static [Operation] {
    match topic {
        Topic::Cdr | Topic::Modem | Topic::Raw(_) => &[Operation::Read],
        Topic::FeedEvents | Topic::DeadLetter => &[Operation::Write],
        Topic::Commands
        | Topic::Alerts
        | Topic::Activations
        | Topic::Lifecycle
        | Topic::Directory
        | Topic::Parked
        | Topic::Quarantine
        | Topic::Log
        | Topic::Checkpoint
        | Topic::Owners => &[Operation::Read, Operation::Write],
    }
}
