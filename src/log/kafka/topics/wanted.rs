//! What each topic should be, from a few numbers of the deployment. Pure.

use std::collections::BTreeMap;

use super::Difference;
use crate::limits::DAY_MS;
use crate::log::{Retention, Topic};

/// Whose time the messages carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    /// The brokers': `LogAppendTime`. Production.
    Brokers,
    /// The writers': `CreateTime`. Deployments with the supplied clock; their times may be years from today, so nothing
    /// is deleted by age and nothing is refused for being ahead.
    Writers,
}

/// What a deployment wants of its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Of the log and of the checkpoint.
    pub log_partitions: u32,
    /// Of every other topic.
    pub other_partitions: u32,
    pub replication: u16,
    pub stamps: Stamps,
}

/// One topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub topic: Topic,
    pub partitions: u32,
    pub replication: u16,
    pub settings: BTreeMap<&'static str, Setting>,
}

/// A topic setting as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    Exactly(String),
    /// A bound: more does no harm. -1 is without bound.
    AtLeast(i64),
}

/// A topic as the brokers have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub partitions: u32,
    pub replication: u16,
    pub settings: BTreeMap<String, String>,
}

/// The brokers' own default: 1 MiB and a batch's overhead. Packs and chunk parts are smaller by design.
const MESSAGE_BYTES_MAX: i64 = 1_048_588;
/// Small segments, so that compaction gets at old chunks soon and a restore reads little that is dead.
const COMPACTED_SEGMENT_BYTES: i64 = 32 * 1_024 * 1_024;

const _: () = assert!((crate::limits::PACK_BYTES_MAX as i64) < MESSAGE_BYTES_MAX);

impl Wanted {
    /// Every topic of the deployment.
    #[must_use]
    pub fn topics(&self) -> Vec<TopicSpec> {
        Topic::ALL.into_iter().map(|topic| self.topic(topic)).collect()
    }

    fn topic(&self, topic: Topic) -> TopicSpec {
        let partitions = if topic.follows_log() { self.log_partitions } else { self.other_partitions };
        TopicSpec { topic, partitions, replication: self.replication, settings: self.settings(topic) }
    }

    fn settings(&self, topic: Topic) -> BTreeMap<&'static str, Setting> {
        let exactly = |text: &str| Setting::Exactly(text.to_owned());
        let mut settings = BTreeMap::from([
            ("max.message.bytes", Setting::AtLeast(MESSAGE_BYTES_MAX)),
            // A write is safe when it survives the loss of a broker; one copy cannot promise that.
            ("min.insync.replicas", Setting::AtLeast(i64::from(self.replication.min(2)))),
        ]);
        match topic.retention() {
            Retention::Days(days) => {
                settings.insert("cleanup.policy", exactly("delete"));
                settings.insert("retention.ms", Setting::AtLeast(self.retention_ms(days)));
            }
            Retention::Compact => {
                settings.insert("cleanup.policy", exactly("compact"));
                settings.insert("segment.bytes", exactly(&COMPACTED_SEGMENT_BYTES.to_string()));
                settings.insert("min.cleanable.dirty.ratio", exactly("0.3"));
            }
        }
        match self.stamps {
            Stamps::Brokers => {
                settings.insert("message.timestamp.type", exactly("LogAppendTime"));
            }
            Stamps::Writers => {
                settings.insert("message.timestamp.type", exactly("CreateTime"));
                settings.insert("message.timestamp.after.max.ms", exactly(&i64::MAX.to_string()));
            }
        }
        settings
    }

    fn retention_ms(&self, days: u32) -> i64 {
        match self.stamps {
            Stamps::Brokers => i64::from(days) * DAY_MS,
            Stamps::Writers => -1,
        }
    }
}

impl Setting {
    /// The value to set.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Exactly(text) => text.clone(),
            Self::AtLeast(number) => number.to_string(),
        }
    }

    fn holds(&self, is: Option<&str>) -> bool {
        match self {
            Self::Exactly(text) => is == Some(text.as_str()),
            Self::AtLeast(least) => is
                .and_then(|is| is.parse::<i64>().ok())
                .is_some_and(|is| is == -1 || (*least != -1 && is >= *least)),
        }
    }
}

impl TopicSpec {
    /// How the topic on the brokers differs from this.
    #[must_use]
    pub fn compare(&self, found: Option<&Found>) -> Vec<Difference> {
        let topic = self.topic;
        let Some(found) = found else { return vec![Difference::Missing(self.clone())] };
        let mut differences = Vec::new();
        // Only the log's partitions carry meaning; others may have been chosen otherwise.
        if found.partitions != self.partitions && topic.follows_log() {
            differences.push(Difference::Partitions { topic, is: found.partitions, should: self.partitions });
        }
        if found.replication < self.replication {
            differences.push(Difference::Replication {
                topic,
                is: found.replication,
                should: self.replication,
            });
        }
        for (name, setting) in &self.settings {
            let is = found.settings.get(*name);
            if !setting.holds(is.map(String::as_str)) {
                differences.push(Difference::Setting {
                    topic,
                    name,
                    is: is.cloned(),
                    should: setting.value(),
                });
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCTION: Wanted =
        Wanted { log_partitions: 16, other_partitions: 12, replication: 3, stamps: Stamps::Brokers };

    fn as_wanted(spec: &TopicSpec) -> Found {
        Found {
            partitions: spec.partitions,
            replication: spec.replication,
            settings: spec.settings.iter().map(|(name, s)| ((*name).to_owned(), s.value())).collect(),
        }
    }

    fn with(topic: Topic, change: impl FnOnce(&mut Found)) -> Vec<String> {
        let spec = PRODUCTION.topic(topic);
        let mut found = as_wanted(&spec);
        change(&mut found);
        spec.compare(Some(&found)).iter().map(ToString::to_string).collect()
    }

    fn set(name: &'static str, value: &'static str) -> impl FnOnce(&mut Found) {
        move |found| {
            found.settings.insert(name.to_owned(), value.to_owned());
        }
    }

    #[test]
    fn a_topic_as_wanted_has_no_differences() {
        for spec in PRODUCTION.topics() {
            assert_eq!(spec.compare(Some(&as_wanted(&spec))), [], "{}", spec.topic);
        }
    }

    #[test]
    fn more_than_wanted_is_no_difference_and_less_is() {
        // 40 days are 3,456,000,000 ms.
        let cases: [(&'static str, &'static str, &[&str]); 6] = [
            ("retention.ms", "3456000001", &[]),
            ("retention.ms", "-1", &[]),
            (
                "retention.ms",
                "604800000",
                &["tidegauge.log: retention.ms is 604800000, should be 3456000000"],
            ),
            ("min.insync.replicas", "3", &[]),
            ("min.insync.replicas", "1", &["tidegauge.log: min.insync.replicas is 1, should be 2"]),
            (
                "message.timestamp.type",
                "CreateTime",
                &["tidegauge.log: message.timestamp.type is CreateTime, should be LogAppendTime"],
            ),
        ];
        for (name, value, expected) in cases {
            assert_eq!(with(Topic::Log, set(name, value)), expected, "{name} = {value}");
        }
    }

    #[test]
    fn partitions_matter_where_they_carry_meaning() {
        assert_eq!(with(Topic::Cdr, |found| found.partitions = 3), Vec::<String>::new());
        let differences = with(Topic::Checkpoint, |found| found.partitions = 3);
        assert_eq!(differences.len(), 1);
        assert!(
            differences[0].starts_with("tidegauge.checkpoint: 3 partitions, should be 16"),
            "{differences:?}"
        );
    }

    #[test]
    fn a_supplied_clock_deletes_nothing_by_age_and_refuses_no_time() {
        let spec = Wanted { stamps: Stamps::Writers, ..PRODUCTION }.topic(Topic::Log);
        assert_eq!(spec.settings["retention.ms"].value(), "-1");
        assert_eq!(spec.settings["message.timestamp.type"].value(), "CreateTime");
        assert_eq!(spec.settings["message.timestamp.after.max.ms"].value(), "9223372036854775807");
        let week = Found {
            settings: [("retention.ms".to_owned(), "604800000".to_owned())].into(),
            ..as_wanted(&spec)
        };
        assert!(spec.compare(Some(&week)).contains(&Difference::Setting {
            topic: Topic::Log,
            name: "retention.ms",
            is: Some("604800000".to_owned()),
            should: "-1".to_owned(),
        }));
    }

    #[test]
    fn what_is_missing_is_created_whole() {
        let spec = PRODUCTION.topic(Topic::Directory);
        assert_eq!(spec.compare(None), [Difference::Missing(spec.clone())]);
        assert_eq!(spec.settings["cleanup.policy"].value(), "compact");
    }
}
