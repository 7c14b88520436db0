//! Where Kafka is and how to speak to it; what librdkafka is told follows from it.
//!
//! Three layers, later ones win: defaults that are a matter of speed, the operator's raw properties, and the settings
//! that the invariants rest on. So no raw property can switch off a fence.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::log::Topic;

/// Who a client is comes from [`KafkaConfig`]'s own fields only: a client that should have none of these must not get it.
const IDENTITY: [&str; 3] = ["group.id", "group.instance.id", "transactional.id"];

/// How the program reaches Kafka, as one member of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Stands before the name of every topic, group and transactional id of the deployment.
    pub prefix: String,
    /// The consumer group, without prefix.
    pub group: String,
    /// This member, unique in the group and the same after a restart: the member goes on where it was, at once.
    pub instance: String,
    /// Raw librdkafka properties: TLS, SASL, buffers. What the invariants rest on cannot be changed here.
    pub extra: BTreeMap<String, String>,
    pub timeouts: Timeouts,
}

/// How long to wait for what. The defaults were measured on real brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// After this silence the group gives the member's partitions to others: the time of a failover.
    pub session: Duration,
    pub heartbeat: Duration,
    /// One request: metadata, offsets, watermarks, initialising a producer.
    pub request: Duration,
    /// How long [`stable_offset`](crate::log::WorkerLog::stable_offset) waits for an open transaction to end.
    pub stable: Duration,
    /// A commit without an answer for this long, and longer by its messages, is unresolved, and its producer is given up.
    pub commit: Duration,
    /// The broker ends a transaction that is open for longer. Less than a broker takes to come back fences workers that
    /// are well (10 s did).
    pub transaction: Duration,
    /// A scan that gets nothing for this long fails.
    pub scan_idle: Duration,
    /// A scan by a worker that gets nothing for this long fails: its broker is away. The next of the same partition that gets
    /// nothing has twice as long, and so on up to four times, so that brokers that are slow are heard.
    pub scan_silent: Duration,
    /// A scan by a worker whose partition ends for now before its stretch does fails after this: an open transaction bars
    /// the way, or a marker that is still to come. The worker has others to serve, and asks again.
    pub scan_barred: Duration,
    /// A member that does not poll for this long leaves the group.
    pub poll: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            session: Duration::from_secs(6),
            heartbeat: Duration::from_millis(500),
            request: Duration::from_secs(10),
            stable: Duration::from_millis(250),
            commit: Duration::from_secs(15),
            transaction: Duration::from_mins(1),
            scan_idle: Duration::from_mins(1),
            scan_silent: Duration::from_secs(1),
            scan_barred: Duration::from_millis(100),
            poll: Duration::from_mins(5),
        }
    }
}

impl Timeouts {
    /// How long a commit of so many messages may take: brokers take twenty thousand a second when they are slow.
    pub(super) fn commit_of(&self, messages: usize) -> Duration {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.commit + MESSAGE.saturating_mul(messages).min(MESSAGES_MOST)
    }
}

/// What a message adds to the time of a commit ...
const MESSAGE: Duration = Duration::from_micros(50);
/// ... and all of them at most: the worker's own watchdog comes after.
const MESSAGES_MOST: Duration = Duration::from_secs(14);

/// What a group member does where the group has no offset, or one that is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    /// Say so: the caller decides.
    Error,
    Earliest,
}

impl KafkaConfig {
    /// For member `instance` of `group` at `brokers`; the rest as usual.
    #[must_use]
    pub fn new(brokers: &str, group: &str, instance: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            prefix: String::new(),
            group: group.to_owned(),
            instance: instance.to_owned(),
            extra: BTreeMap::new(),
            timeouts: Timeouts::default(),
        }
    }

    /// The topic's name on the brokers.
    #[must_use]
    pub fn topic_name(&self, topic: Topic) -> String {
        match topic {
            Topic::Raw(name) => name.to_owned(),
            topic => format!("{}{}", self.prefix, topic.name()),
        }
    }

    /// The group's name on the brokers.
    #[must_use]
    pub fn group_id(&self) -> String {
        format!("{}{}", self.prefix, self.group)
    }

    /// `group.instance.id` and `transactional.id`. The latter is one name space for the whole cluster, so prefix and
    /// group are in it.
    #[must_use]
    pub fn member_id(&self) -> String {
        format!("{}{}.{}", self.prefix, self.group, self.instance)
    }

    /// A member of the group, with partitions assigned by it.
    pub(super) fn member(&self, reset: Reset) -> ClientConfig {
        let mut config = self.reader();
        // A member asks all of its partitions each time (librdkafka has no fetch sessions), which costs the broker more
        // than what it answers: not for every message anew, then, but at most a hundred times a second.
        for (property, value) in [("fetch.min.bytes", "65536"), ("fetch.wait.max.ms", "10")] {
            if !self.extra.contains_key(property) {
                config.set(property, value);
            }
        }
        set(
            &mut config,
            &[
                ("group.protocol", "classic"),
                ("partition.assignment.strategy", "cooperative-sticky"),
                ("group.instance.id", &self.member_id()),
                ("auto.offset.reset", if reset == Reset::Error { "error" } else { "earliest" }),
            ],
        );
        config
    }

    /// A consumer of what is committed that is told what to read. The group is named for its committed offsets and for
    /// access rights; it is never joined.
    pub(super) fn reader(&self) -> ClientConfig {
        let t = &self.timeouts;
        let mut config = self.base(&[
            ("session.timeout.ms", &ms(t.session)),
            ("heartbeat.interval.ms", &ms(t.heartbeat)),
            ("max.poll.interval.ms", &ms(t.poll.max(t.session))),
            // The defaults stall for a second on few partitions.
            ("fetch.queue.backoff.ms", "1"),
            ("fetch.wait.max.ms", "50"),
            ("fetch.error.backoff.ms", "50"),
            // Little at a time: what was fetched is folded while it is still in the processor's cache, and librdkafka's
            // buffers are used again instead of being given back and cleared anew. With its defaults (50 MiB, 1 MiB,
            // 100,000 messages a partition) reading cost twice the processor time a record.
            ("fetch.max.bytes", "2097152"),
            ("fetch.message.max.bytes", "131072"),
            ("queued.min.messages", "5000"),
            ("queued.max.messages.kbytes", "16384"),
        ]);
        set(
            &mut config,
            &[
                ("group.id", &self.group_id()),
                ("isolation.level", "read_committed"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                // librdkafka takes that news in a batch for a message: a pause after it would lose one.
                ("enable.partition.eof", "false"),
                ("auto.offset.reset", "error"),
            ],
        );
        config
    }

    /// An idempotent producer that waits for all replicas.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.base(&[
            ("linger.ms", "0"),
            ("retry.backoff.ms", "1"),
            ("retry.backoff.max.ms", "5"),
            // Cuts a hang of minutes in a transaction call to seconds when a coordinator dies.
            ("connections.max.idle.ms", "4000"),
            ("queue.buffering.max.kbytes", "262144"),
        ]);
        set(
            &mut config,
            &[
                ("enable.idempotence", "true"),
                ("acks", "all"),
                // Java's: the same key is on the same partition, whoever wrote it.
                ("partitioner", "murmur2_random"),
            ],
        );
        config
    }

    /// A producer of transactions under `id`.
    pub(super) fn transactional(&self, id: &str) -> ClientConfig {
        let mut config = self.producer();
        set(
            &mut config,
            &[
                ("transactional.id", id),
                ("transaction.timeout.ms", &ms(self.timeouts.transaction)),
                // A report that waits to be polled would count as in flight: see `ffi::drained`.
                ("delivery.report.only.error", "true"),
            ],
        );
        config
    }

    /// A client that only asks. Reading uncommitted, it is told the high watermark; others get the last stable offset.
    pub(super) fn asking(&self) -> ClientConfig {
        let mut config = self.base(&[]);
        set(&mut config, &[("isolation.level", "read_uncommitted")]);
        config
    }

    fn base(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        set(
            &mut config,
            &[
                ("client.id", &self.member_id()),
                ("reconnect.backoff.ms", "20"),
                ("reconnect.backoff.max.ms", "500"),
                ("socket.nagle.disable", "true"),
            ],
        );
        set(&mut config, defaults);
        for (property, value) in
            self.extra.iter().filter(|(property, _)| !IDENTITY.contains(&property.as_str()))
        {
            config.set(property, value);
        }
        set(&mut config, &[("bootstrap.servers", &self.brokers), ("allow.auto.create.topics", "false")]);
        config
    }
}

/// The raw properties that librdkafka does not take, each with why.
#[must_use]
pub fn not_taken(properties: &BTreeMap<String, String>) -> Vec<String> {
    let asked = |(name, value): (&String, &String)| {
        let config: ClientConfig = [(name.clone(), value.clone())].into_iter().collect();
        config.create_native_config().err().map(|error| refusal(&error))
    };
    properties.iter().filter_map(asked).collect()
}

/// Why a property is not taken, without its value: that may be a secret, of a name that is misspelt too.
pub(super) fn refusal(error: &KafkaError) -> String {
    let KafkaError::ClientConfig(_, said, name, _) = error else {
        return format!("{error}{}", without_tls(&error.to_string()));
    };
    if said.starts_with("No such configuration property") {
        return format!("{name}: librdkafka has no such property");
    }
    let without = without_tls(said);
    if without.is_empty() {
        return format!("{name}: librdkafka does not take what is said there");
    }
    format!("{name}{without}")
}

/// What to do where librdkafka lacks what this program can be built with.
fn without_tls(said: &str) -> &'static str {
    if said.contains("not available at build time") || said.contains("recompile librdkafka") {
        ": this program was built without TLS and SCRAM: build it with `cargo build --release --features tls`"
    } else {
        ""
    }
}

fn set(config: &mut ClientConfig, properties: &[(&str, &str)]) {
    for (property, value) in properties {
        config.set(*property, *value);
    }
}

fn ms(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_property_cannot_switch_off_a_fence() {
        let mut config = KafkaConfig::new("b:9092", "meter", "w0");
        for (property, value) in [
            ("isolation.level", "read_uncommitted"),
            ("enable.auto.commit", "true"),
            ("auto.offset.reset", "latest"),
            ("acks", "1"),
            ("enable.idempotence", "false"),
            ("transactional.id", "other"),
            ("group.instance.id", "other"),
        ] {
            config.extra.insert(property.to_owned(), value.to_owned());
        }
        let member = config.member(Reset::Error);
        let producer = config.transactional(&config.member_id());
        for (client, property, value) in [
            (&member, "isolation.level", "read_committed"),
            (&member, "enable.auto.commit", "false"),
            (&member, "auto.offset.reset", "error"),
            (&member, "group.instance.id", "meter.w0"),
            (&producer, "acks", "all"),
            (&producer, "enable.idempotence", "true"),
            (&producer, "transactional.id", "meter.w0"),
        ] {
            assert_eq!(client.get(property), Some(value), "{property}");
        }
    }

    #[test]
    fn what_librdkafka_does_not_take_is_named_without_what_was_said() {
        let of = |name: &str, value: &str| not_taken(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
        assert_eq!(of("sasl.password", "hunter2"), [""; 0]);
        assert_eq!(of("sasl.passwrod", "hunter2"), ["sasl.passwrod: librdkafka has no such property"]);
        assert_eq!(
            of("security.protocol", "hunter2"),
            ["security.protocol: librdkafka does not take what is said there"]
        );
        let tls = of("security.protocol", "sasl_ssl");
        if cfg!(feature = "tls") {
            assert_eq!(tls, [""; 0]);
        } else {
            assert!(
                tls[0].starts_with("security.protocol: ") && tls[0].contains("--features tls"),
                "{tls:?}"
            );
        }
    }

    #[test]
    fn a_raw_property_changes_what_is_a_matter_of_speed() {
        let mut config = KafkaConfig::new("b:9092", "meter", "w0");
        config.extra.insert("fetch.wait.max.ms".to_owned(), "7".to_owned());
        config.extra.insert("compression.type".to_owned(), "lz4".to_owned());
        assert_eq!(config.reader().get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(config.producer().get("compression.type"), Some("lz4"));
    }

    #[test]
    fn the_prefix_keeps_two_deployments_on_one_cluster_apart() {
        let mut config = KafkaConfig::new("b:9092", "meter", "w0");
        config.prefix = "eu.".to_owned();
        assert_eq!(config.topic_name(Topic::Log), "eu.tidegauge.log");
        assert_eq!(config.group_id(), "eu.meter");
        assert_eq!(config.member_id(), "eu.meter.w0");
    }
}
