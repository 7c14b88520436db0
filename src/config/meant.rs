//! What is meant: checked, typed, with the defaults filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::ConfigError;
use super::said::{self, Said};
use crate::ingest::formats::feed::Feed;
use crate::limits::{PARTITIONS_DEFAULT, REPLAY_DEBT_RECORDS_MAX, REPLAY_DEBT_S_MAX};
use crate::log::Topic;

/// The whole configuration of a process.
#[derive(Debug, Clone)]
pub struct Config {
    pub deployment: String,
    /// Whether the log's time is supplied by the records (`CreateTime`) instead of the broker's.
    pub clock_supplied: bool,
    pub kafka: Kafka,
    pub ingest_threads: u16,
    pub worker_threads: u16,
    pub replay_debt_records: u64,
    /// Seconds of log time.
    pub replay_debt_s: i64,
    /// `None`: rollups are off.
    pub clickhouse: Option<ClickHouse>,
    pub api_listen: SocketAddr,
    /// Where other instances reach this one.
    pub api_address: String,
    /// A file of tokens; see `config::tokens`.
    pub api_tokens: Option<PathBuf>,
    pub log_level: String,
    pub log_format: Option<LogFormat>,
    pub demo_directory: PathBuf,
    /// Feeds in formats of their own.
    pub feeds: Vec<Feed>,
}

/// The brokers, and who we are to them.
#[derive(Debug, Clone)]
pub struct Kafka {
    pub brokers: String,
    pub prefix: String,
    pub group: String,
    pub instance: String,
    pub partitions: u32,
    pub replication: u16,
    pub session_timeout_ms: u32,
    pub properties: BTreeMap<String, String>,
}

/// The server for rollups and history.
#[derive(Clone)]
pub struct ClickHouse {
    pub url: String,
    pub database: String,
    pub user: String,
    pub password: String,
    pub usage_records: bool,
}

/// The form of the program's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl std::fmt::Debug for ClickHouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {} in {} (password not shown)", self.url, self.user, self.database)
    }
}

impl Config {
    /// Checks what was said.
    ///
    /// # Errors
    /// The first key that cannot be meant so.
    pub fn from_said(said: Said) -> Result<Self, ConfigError> {
        let prefix = said.kafka.prefix.clone().unwrap_or_default();
        Ok(Self {
            deployment: deployment(said.deployment)?,
            clock_supplied: one_of("clock", said.clock, &[("log", false), ("supplied", true)])?
                .unwrap_or(false),
            kafka: kafka(said.kafka)?,
            ingest_threads: within("ingest.threads", said.ingest.threads, 1, 1..=64)?,
            worker_threads: within("worker.threads", said.worker.threads, 1, 1..=256)?,
            replay_debt_records: within(
                "worker.replay_debt_records",
                said.worker.replay_debt_records,
                REPLAY_DEBT_RECORDS_MAX,
                1_000..=u64::MAX,
            )?,
            replay_debt_s: within(
                "worker.replay_debt_s",
                said.worker.replay_debt_s,
                REPLAY_DEBT_S_MAX,
                1..=i64::MAX,
            )?,
            clickhouse: clickhouse(said.clickhouse)?,
            api_listen: listen(said.api.listen.as_deref())?,
            api_address: address(said.api.address, listen(said.api.listen.as_deref())?)?,
            api_tokens: said.api.tokens,
            log_level: said.log.level.unwrap_or_else(|| "info".to_owned()),
            log_format: one_of(
                "log.format",
                said.log.format,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            demo_directory: said.log.directory.unwrap_or_else(|| PathBuf::from(".demo")),
            feeds: feeds(said.feeds).and_then(|feeds| not_ours(feeds, &prefix))?,
        })
    }
}

/// Each feed by itself was checked where it was read.
pub(super) fn feeds(said: Vec<Feed>) -> Result<Vec<Feed>, ConfigError> {
    let (mut ids, mut topics) = (BTreeSet::new(), BTreeSet::new());
    for feed in &said {
        let id = feed.decoder.feed();
        if !ids.insert(id) {
            return Err(value("feeds[].id", format!("{id:?} is the name of two feeds")));
        }
        if let Some(topic) = &feed.topic
            && !topics.insert(topic)
        {
            return Err(value("feeds[].topic", format!("two feeds come by {topic:?}: one of them is read")));
        }
    }
    Ok(said)
}

/// A topic of the contract has the contract's format.
fn not_ours(feeds: Vec<Feed>, prefix: &str) -> Result<Vec<Feed>, ConfigError> {
    let is_ours = |name: &str| name.strip_prefix(prefix).is_some_and(|name| Topic::from_name(name).is_some());
    match feeds.iter().filter_map(|feed| feed.topic.as_deref()).find(|name| is_ours(name)) {
        Some(name) => Err(value("feeds[].topic", format!("{name:?} is a topic of this deployment's own"))),
        None => Ok(feeds),
    }
}

fn value(key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, problem: problem.into() }
}

fn deployment(said: Option<String>) -> Result<String, ConfigError> {
    let name = said.ok_or_else(|| {
        value(
            "deployment",
            "required: name this deployment in tidegauge.toml or TIDEGAUGE_DEPLOYMENT, e.g. \"prod-eu\"",
        )
    })?;
    name_like("deployment", name)
}

/// Names go into topic names, group ids and URIs.
fn name_like(key: &'static str, name: String) -> Result<String, ConfigError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 100 || !name.chars().all(fits) {
        return Err(value(key, format!("{name:?} is not 1 to 100 of letters, digits, '.', '_', '-'")));
    }
    Ok(name)
}

fn within<T: PartialOrd + Display>(
    key: &'static str,
    said: Option<T>,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    let number = said.unwrap_or(default);
    if range.contains(&number) {
        return Ok(number);
    }
    Err(value(key, format!("{number} is not within {}..={}", range.start(), range.end())))
}

fn one_of<T: Copy>(
    key: &'static str,
    said: Option<String>,
    choices: &[(&str, T)],
) -> Result<Option<T>, ConfigError> {
    let Some(said) = said else { return Ok(None) };
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let found = choices.iter().find(|(name, _)| *name == said);
    found
        .map(|(_, meant)| Some(*meant))
        .ok_or_else(|| value(key, format!("{said:?} is none of {}", names.join(", "))))
}

fn kafka(said: said::Kafka) -> Result<Kafka, ConfigError> {
    Ok(Kafka {
        brokers: said.brokers.unwrap_or_else(|| "127.0.0.1:9092".to_owned()),
        prefix: match said.prefix {
            Some(prefix) if !prefix.is_empty() => name_like("kafka.prefix", prefix)?,
            _ => String::new(),
        },
        group: name_like("kafka.group", said.group.unwrap_or_else(|| "tidegauge".to_owned()))?,
        instance: name_like("kafka.instance", said.instance.unwrap_or_else(host_name))?,
        partitions: within("kafka.partitions", said.partitions, PARTITIONS_DEFAULT, 1..=1024)?,
        replication: within("kafka.replication", said.replication, 3, 1..=7)?,
        session_timeout_ms: within(
            "kafka.session_timeout_ms",
            said.session_timeout_ms,
            6_000,
            500..=300_000,
        )?,
        properties: said.properties,
    })
}

/// The kernel's name of this host: in a container its id, so name instances there.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "tidegauge".to_owned() } else { name.to_owned() }
}

fn clickhouse(said: said::ClickHouse) -> Result<Option<ClickHouse>, ConfigError> {
    let Some(url) = said.url else { return Ok(None) };
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(value("clickhouse.url", format!("{url:?} does not begin with http:// or https://")));
    }
    Ok(Some(ClickHouse {
        url,
        database: name_like("clickhouse.database", said.database.unwrap_or_else(|| "tidegauge".to_owned()))?,
        user: said.user.unwrap_or_else(|| "default".to_owned()),
        password: said.password.unwrap_or_default(),
        usage_records: said.usage_records.unwrap_or(true),
    }))
}

fn listen(said: Option<&str>) -> Result<SocketAddr, ConfigError> {
    let said = said.unwrap_or("127.0.0.1:8080");
    said.parse().map_err(|_| {
        value("api.listen", format!("{said:?} is not an address and port, e.g. \"127.0.0.1:8080\""))
    })
}

/// Of an instance that listens everywhere the host's name is what others know.
fn address(said: Option<String>, listen: SocketAddr) -> Result<String, ConfigError> {
    match said {
        None if listen.ip().is_unspecified() => Ok(format!("http://{}:{}", host_name(), listen.port())),
        None => Ok(format!("http://{listen}")),
        Some(said) if said.starts_with("http://") && said.len() > "http://".len() => {
            Ok(said.trim_end_matches('/').to_owned())
        }
        Some(said) => Err(value("api.address", format!("{said:?} does not begin with http:// and a host"))),
    }
}
