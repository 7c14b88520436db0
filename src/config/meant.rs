//! What is meant: checked, typed, with the defaults filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::complaint::Complaint;
use super::said::{self, Said};
use crate::ingest::formats::feed::Feed;
use crate::limits::{PARTITIONS_DEFAULT, REPLAY_DEBT_RECORDS_MAX, REPLAY_DEBT_S_MAX};
use crate::log::Topic;
use crate::log::kafka::not_taken;
use crate::model::Clock;

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
    /// Where metrics are, if not there too.
    pub api_operations: Option<SocketAddr>,
    /// Where other instances reach this one.
    pub api_address: String,
    /// A file of tokens; see `config::tokens`.
    pub api_tokens: Option<PathBuf>,
    pub log_level: String,
    pub log_format: Option<LogFormat>,
    /// Feeds in formats of their own.
    pub feeds: Vec<Feed>,
    /// Variables of our prefix that say nothing.
    pub unread: Vec<Complaint>,
    pub said_in: SaidIn,
}

/// Where a configuration was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaidIn {
    /// `None`: no file was named, and none stands where they are looked for.
    pub file: Option<PathBuf>,
    /// Those that say something, in order.
    pub variables: Vec<String>,
}

/// A key that was said, or was not, and cannot be meant so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Unmeant {
    pub key: &'static str,
    pub problem: String,
}

/// Notes what cannot be meant, so that all of it can be told.
#[derive(Default)]
struct Notes(Vec<Unmeant>);

impl Notes {
    fn note<T>(&mut self, meant: Result<T, Unmeant>) -> Option<T> {
        meant.map_err(|unmeant| self.0.push(unmeant)).ok()
    }
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
        let url = without_login(&self.url);
        write!(f, "{url} as {} in {} (password not shown)", self.user, self.database)
    }
}

impl Config {
    /// Whose time the log carries.
    #[must_use]
    pub fn clock(&self) -> Clock {
        if self.clock_supplied { Clock::Supplied } else { Clock::Log }
    }

    /// Checks what was said.
    ///
    /// # Errors
    /// Every key that cannot be meant so.
    pub fn from_said(said: Said) -> Result<Self, Vec<Unmeant>> {
        let mut notes = Notes::default();
        match Self::meant(said, &mut notes) {
            Some(config) if notes.0.is_empty() => Ok(config),
            _ => Err(notes.0),
        }
    }

    /// `None` when something was noted.
    fn meant(said: Said, notes: &mut Notes) -> Option<Self> {
        let prefix = said.kafka.prefix.clone().unwrap_or_default();
        let deployment = notes.note(deployment(said.deployment));
        let clock = notes.note(one_of("clock", said.clock, &[("log", false), ("supplied", true)]));
        let kafka = kafka(said.kafka, notes);
        let ingest_threads = notes.note(within("ingest.threads", said.ingest.threads, 1, 1..=64));
        let worker_threads = notes.note(within("worker.threads", said.worker.threads, 1, 1..=256));
        let debt = (said.worker.replay_debt_records, said.worker.replay_debt_s);
        let records = within("worker.replay_debt_records", debt.0, REPLAY_DEBT_RECORDS_MAX, 1_000..=u64::MAX);
        let records = notes.note(records);
        let seconds = notes.note(within("worker.replay_debt_s", debt.1, REPLAY_DEBT_S_MAX, 1..=i64::MAX));
        let clickhouse = notes.note(clickhouse(said.clickhouse));
        let listen = notes.note(listen(said.api.listen.as_deref()));
        let operations =
            said.api.operations.as_deref().map(|said| socket("api.operations", said)).transpose();
        let operations = notes.note(operations.and_then(|operations| apart(operations, listen)));
        let address = listen.and_then(|listen| notes.note(address(said.api.address, listen)));
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let log_format = notes.note(one_of("log.format", said.log.format, &formats));
        let feeds = notes.note(feeds(said.feeds).and_then(|feeds| not_ours(feeds, &prefix)));
        Some(Self {
            deployment: deployment?,
            clock_supplied: clock?.unwrap_or(false),
            kafka: kafka?,
            ingest_threads: ingest_threads?,
            worker_threads: worker_threads?,
            replay_debt_records: records?,
            replay_debt_s: seconds?,
            clickhouse: clickhouse?,
            api_listen: listen?,
            api_operations: operations?,
            api_address: address?,
            api_tokens: said.api.tokens,
            log_level: said.log.level.unwrap_or_else(|| "info".to_owned()),
            log_format: log_format?,
            feeds: feeds?,
            unread: Vec::new(),
            said_in: SaidIn::default(),
        })
    }
}

/// Each feed by itself was checked where it was read.
pub(super) fn feeds(said: Vec<Feed>) -> Result<Vec<Feed>, Unmeant> {
    let (mut ids, mut topics, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
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
        if let Some(folder) = &feed.folder
            && !folders.insert(&folder.path)
        {
            let path = folder.path.display();
            return Err(value("feeds[].folder", format!("two feeds come by {path}: give each a folder")));
        }
    }
    Ok(said)
}

/// A topic of the contract has the contract's format.
fn not_ours(feeds: Vec<Feed>, prefix: &str) -> Result<Vec<Feed>, Unmeant> {
    let is_ours = |name: &str| name.strip_prefix(prefix).is_some_and(|name| Topic::from_name(name).is_some());
    match feeds.iter().filter_map(|feed| feed.topic.as_deref()).find(|name| is_ours(name)) {
        Some(name) => Err(value("feeds[].topic", format!("{name:?} is a topic of this deployment's own"))),
        None => Ok(feeds),
    }
}

fn value(key: &'static str, problem: impl Into<String>) -> Unmeant {
    Unmeant { key, problem: problem.into() }
}

fn deployment(said: Option<String>) -> Result<String, Unmeant> {
    let name = said.ok_or_else(|| {
        value(
            "deployment",
            "required: name this deployment in tidegauge.toml or TIDEGAUGE_DEPLOYMENT, e.g. \"prod-eu\"",
        )
    })?;
    name_like("deployment", name)
}

/// Names go into topic names, group ids and URIs.
fn name_like(key: &'static str, name: String) -> Result<String, Unmeant> {
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
) -> Result<T, Unmeant> {
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
) -> Result<Option<T>, Unmeant> {
    let Some(said) = said else { return Ok(None) };
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let found = choices.iter().find(|(name, _)| *name == said);
    found
        .map(|(_, meant)| Some(*meant))
        .ok_or_else(|| value(key, format!("{said:?} is none of {}", names.join(", "))))
}

fn kafka(said: said::Kafka, notes: &mut Notes) -> Option<Kafka> {
    let prefix = match said.prefix {
        Some(prefix) if !prefix.is_empty() => notes.note(name_like("kafka.prefix", prefix)),
        _ => Some(String::new()),
    };
    let brokers = match said.brokers {
        Some(brokers) if brokers.trim().is_empty() => {
            Err(value("kafka.brokers", "no broker is named: host:port, several with commas"))
        }
        said => Ok(said.unwrap_or_else(|| "127.0.0.1:9092".to_owned())),
    };
    let brokers = notes.note(brokers);
    let group = notes.note(name_like("kafka.group", said.group.unwrap_or_else(|| "tidegauge".to_owned())));
    let instance = notes.note(name_like("kafka.instance", said.instance.unwrap_or_else(host_name)));
    let partitions = notes.note(within("kafka.partitions", said.partitions, PARTITIONS_DEFAULT, 1..=1024));
    let replication = notes.note(within("kafka.replication", said.replication, 3, 1..=7));
    let session =
        notes.note(within("kafka.session_timeout_ms", said.session_timeout_ms, 6_000, 500..=300_000));
    let properties = notes.note(secured(said.properties, said.password_file.as_deref()));
    for refused in properties.as_ref().map(not_taken).unwrap_or_default() {
        notes.0.push(value("kafka.properties", refused));
    }
    Some(Kafka {
        brokers: brokers?,
        prefix: prefix?,
        group: group?,
        instance: instance?,
        partitions: partitions?,
        replication: replication?,
        session_timeout_ms: session?,
        properties: properties?,
    })
}

/// Raw properties, with the password that stands in a file.
fn secured(
    mut properties: BTreeMap<String, String>,
    password_file: Option<&Path>,
) -> Result<BTreeMap<String, String>, Unmeant> {
    const KEY: &str = "kafka.password_file";
    if let Some(path) = password_file
        && properties.insert("sasl.password".to_owned(), secret(KEY, path)?).is_some()
    {
        return Err(value(KEY, "kafka.properties has a sasl.password too: keep one of them"));
    }
    Ok(properties)
}

/// What stands in a file, without the end of its line.
fn secret(key: &'static str, path: &Path) -> Result<String, Unmeant> {
    let text = std::fs::read_to_string(path).map_err(|e| value(key, format!("{}: {e}", path.display())))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.contains('\n') {
        return Err(value(key, format!("{}: one line is expected, the password", path.display())));
    }
    Ok(secret.to_owned())
}

/// The kernel's name of this host: in a container its id, so name instances there.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "tidegauge".to_owned() } else { name.to_owned() }
}

fn clickhouse(said: said::ClickHouse) -> Result<Option<ClickHouse>, Unmeant> {
    let Some(url) = said.url else { return Ok(None) };
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        let problem = format!("{:?} does not begin with http:// or https://", without_login(&url));
        return Err(value("clickhouse.url", problem));
    }
    if without_login(&url) != url {
        // It would not be sent, and is shown with the address wherever that is.
        let problem = "a name and a password in the address are not used: say clickhouse.user and clickhouse.password_file";
        return Err(value("clickhouse.url", problem));
    }
    let password = match (said.password, said.password_file) {
        (Some(_), Some(_)) => {
            return Err(value(
                "clickhouse.password_file",
                "clickhouse.password is set too: keep one of them",
            ));
        }
        (None, Some(path)) => secret("clickhouse.password_file", &path)?,
        (password, None) => password.unwrap_or_default(),
    };
    Ok(Some(ClickHouse {
        url,
        database: name_like("clickhouse.database", said.database.unwrap_or_else(|| "tidegauge".to_owned()))?,
        user: said.user.unwrap_or_else(|| "default".to_owned()),
        password,
        usage_records: said.usage_records.unwrap_or(true),
    }))
}

/// An address without the name and password that may stand in it.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.find("://").map_or(("", url), |at| url.split_at(at + 3));
    rest.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, host)| format!("{scheme}…@{host}"))
}

pub(super) fn listen(said: Option<&str>) -> Result<SocketAddr, Unmeant> {
    socket("api.listen", said.unwrap_or("127.0.0.1:8080"))
}

/// Two doors need two addresses; of port 0 the system gives each its own.
fn apart(operations: Option<SocketAddr>, listen: Option<SocketAddr>) -> Result<Option<SocketAddr>, Unmeant> {
    match operations {
        Some(address) if operations == listen && address.port() != 0 => {
            let problem = format!(
                "{address} is api.listen too: name another, or leave it out and the API's address has metrics as well"
            );
            Err(value("api.operations", problem))
        }
        operations => Ok(operations),
    }
}

fn socket(key: &'static str, said: &str) -> Result<SocketAddr, Unmeant> {
    let wrong = || value(key, format!("{said:?} is not an address and port, e.g. \"127.0.0.1:8080\""));
    said.parse().map_err(|_| wrong())
}

/// Of an instance that listens everywhere the host's name is what others know.
fn address(said: Option<String>, listen: SocketAddr) -> Result<String, Unmeant> {
    match said {
        None if listen.ip().is_unspecified() => Ok(format!("http://{}:{}", host_name(), listen.port())),
        None => Ok(format!("http://{listen}")),
        Some(said) if said.starts_with("http://") && said.len() > "http://".len() => {
            Ok(said.trim_end_matches('/').to_owned())
        }
        Some(said) => Err(value("api.address", format!("{said:?} does not begin with http:// and a host"))),
    }
}
