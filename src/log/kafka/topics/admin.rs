//! Asking the brokers for the topics as they are, and changing them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;

use super::wanted::Found;
use super::{Difference, Remedy, TopicSpec, Wanted};
use crate::log::kafka::asking::Asking;
use crate::log::kafka::config::KafkaConfig;
use crate::log::kafka::deadline::Deadline;
use crate::log::kafka::error::from_kafka;
use crate::log::kafka::group::PlainContext;
use crate::log::{LogError, Topic};

/// The differences between what is wanted and what is there.
///
/// # Errors
/// As the brokers have them.
pub async fn plan(config: &KafkaConfig, wanted: &Wanted) -> Result<Vec<Difference>, LogError> {
    let found = found(config, &Topic::ALL).await?;
    Ok(wanted.topics().iter().flat_map(|spec| spec.compare(found.get(&spec.topic))).collect())
}

/// Those of the topics that are there, as the brokers have them.
///
/// # Errors
/// As the brokers have them.
pub async fn found(config: &KafkaConfig, topics: &[Topic]) -> Result<BTreeMap<Topic, Found>, LogError> {
    Admin::connect(config)?.found(topics).await
}

/// Creates what is missing and sets what differs; answers what is left to be done by hand. To be repeated at will.
///
/// # Errors
/// As the brokers have them; what was done before stays done.
pub async fn apply(config: &KafkaConfig, wanted: &Wanted) -> Result<Vec<Difference>, LogError> {
    let admin = Admin::connect(config)?;
    let differences = plan(config, wanted).await?;
    let missing: Vec<_> = differences
        .iter()
        .filter_map(|d| if let Difference::Missing(spec) = d { Some(spec) } else { None })
        .collect();
    admin.create(&missing).await?;
    admin.set(&differences).await?;
    Ok(differences.into_iter().filter(|d| d.remedy() == Remedy::ByHand).collect())
}

/// How often a new topic is asked whether it is served.
const SERVED_EVERY: Duration = Duration::from_millis(20);

struct Admin<'a> {
    config: &'a KafkaConfig,
    client: AdminClient<PlainContext>,
}

impl<'a> Admin<'a> {
    fn connect(config: &'a KafkaConfig) -> Result<Self, LogError> {
        let client = config
            .asking()
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("making an admin client for {}: {e}", config.brokers)))?;
        Ok(Self { config, client })
    }

    fn options(&self) -> AdminOptions {
        let timeout = Some(self.config.timeouts.request);
        AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
    }

    async fn found(&self, topics: &[Topic]) -> Result<BTreeMap<Topic, Found>, LogError> {
        let mut found = self.partitions(topics)?;
        let names: Vec<_> = found.keys().map(|topic| self.config.topic_name(*topic)).collect();
        let asked: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        if asked.is_empty() {
            return Ok(found);
        }
        let doing = "asking for the topics' settings";
        let answers =
            self.client.describe_configs(&asked, &self.options()).await.map_err(|e| from_kafka(doing, &e))?;
        for (found, answer) in found.values_mut().zip(answers) {
            let resource = answer.map_err(|code| LogError::Fatal(format!("{doing}: {code}")))?;
            found.settings =
                resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect();
        }
        Ok(found)
    }

    fn partitions(&self, topics: &[Topic]) -> Result<BTreeMap<Topic, Found>, LogError> {
        let metadata = self
            .client
            .inner()
            .fetch_metadata(None, self.config.timeouts.request)
            .map_err(|e| from_kafka(&format!("asking {} for its topics", self.config.brokers), &e))?;
        let ours = |name: &str| topics.iter().copied().find(|t| self.config.topic_name(*t) == name);
        Ok(metadata
            .topics()
            .iter()
            .filter_map(|topic| {
                let copies = topic.partitions().iter().map(|p| p.replicas().len()).min().unwrap_or(0);
                Some((
                    ours(topic.name())?,
                    Found {
                        partitions: topic.partitions().len() as u32,
                        replication: copies as u16,
                        settings: BTreeMap::new(),
                    },
                ))
            })
            .collect())
    }

    async fn create(&self, missing: &[&TopicSpec]) -> Result<(), LogError> {
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|spec| self.config.topic_name(spec.topic)).collect();
        let values: Vec<Vec<_>> = missing
            .iter()
            .map(|spec| spec.settings.iter().map(|(name, s)| (*name, s.value())).collect())
            .collect();
        let topics: Vec<_> = missing
            .iter()
            .zip(&names)
            .zip(&values)
            .map(|((spec, name), values)| new_topic(spec, name, values))
            .collect();
        let results = self
            .client
            .create_topics(&topics, &self.options())
            .await
            .map_err(|e| from_kafka("creating topics", &e))?;
        for (name, code) in results.into_iter().filter_map(Result::err) {
            // Another instance may have been quicker.
            if code != RDKafkaErrorCode::TopicAlreadyExists {
                return Err(LogError::Fatal(format!("creating topic {name}: {code}")));
            }
        }
        self.await_served(missing).await
    }

    /// The controller answers before the brokers have heard of it: waits until every partition can be asked.
    async fn await_served(&self, created: &[&TopicSpec]) -> Result<(), LogError> {
        let asking = Asking::new(self.config)?;
        let deadline = Deadline::after(self.config.timeouts.request);
        for spec in created {
            for partition in 0..spec.partitions {
                while let Err(error) = asking.bounds(spec.topic, partition) {
                    if deadline.is_over() {
                        return Err(error);
                    }
                    tokio::time::sleep(SERVED_EVERY).await;
                }
            }
        }
        Ok(())
    }

    /// Sets what differs. The request replaces all of a topic's own settings, so those that it has go along.
    async fn set(&self, differences: &[Difference]) -> Result<(), LogError> {
        let mut changed: BTreeMap<Topic, BTreeMap<&str, &str>> = BTreeMap::new();
        for difference in differences {
            if let Difference::Setting { topic, name, should, .. } = difference {
                changed.entry(*topic).or_default().insert(name, should);
            }
        }
        for (topic, settings) in changed {
            let name = self.config.topic_name(topic);
            let own = self.own_settings(&name).await?;
            let mut alter = AlterConfig::new(ResourceSpecifier::Topic(&name));
            for (key, value) in own.iter().filter(|(key, _)| !settings.contains_key(key.as_str())) {
                alter = alter.set(key, value);
            }
            for (key, value) in settings {
                alter = alter.set(key, value);
            }
            let doing = format!("setting topic {name}");
            let results = self
                .client
                .alter_configs([&alter], &self.options())
                .await
                .map_err(|e| from_kafka(&doing, &e))?;
            if let Some((_, code)) = results.into_iter().find_map(Result::err) {
                return Err(LogError::Fatal(format!("{doing}: {code}")));
            }
        }
        Ok(())
    }

    /// The settings that were made for this topic, as against the brokers' defaults.
    async fn own_settings(&self, name: &str) -> Result<BTreeSet<(String, String)>, LogError> {
        let doing = format!("asking for the settings of topic {name}");
        let answers = self
            .client
            .describe_configs([&ResourceSpecifier::Topic(name)], &self.options())
            .await
            .map_err(|e| from_kafka(&doing, &e))?;
        let mut own = BTreeSet::new();
        for answer in answers {
            let resource = answer.map_err(|code| LogError::Fatal(format!("{doing}: {code}")))?;
            own.extend(
                resource
                    .entries
                    .into_iter()
                    .filter(|entry| entry.source == ConfigSource::DynamicTopic)
                    .filter_map(|entry| Some((entry.name, entry.value?))),
            );
        }
        Ok(own)
    }
}

fn new_topic<'a>(spec: &TopicSpec, name: &'a str, settings: &'a [(&'a str, String)]) -> NewTopic<'a> {
    let replication = TopicReplication::Fixed(i32::from(spec.replication));
    let topic = NewTopic::new(name, spec.partitions as i32, replication);
    settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
}
