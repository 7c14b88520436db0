//! A deployment of its own on the shared broker, and what a user does with it: commands, messages, questions.

use std::cell::OnceCell;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::http::{self, Response};
use crate::support::{broker, signal, spawn_with_us};
use crate::{PATIENCE, eventually};

/// Partitions of every topic.
pub(crate) const PARTITIONS: u32 = 4;

/// What is configured, and where its files lie.
pub(crate) struct Deployment {
    variables: Vec<(&'static str, String)>,
    prefix: String,
    address: String,
    directory: tempfile::TempDir,
    /// The superuser's right to pass over the rights of files is taken from it.
    bound_by_rights: bool,
    /// Of the other programs, once they have sent something.
    producer: OnceCell<BaseProducer>,
}

/// A message as others read it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) value: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Read {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or_else(|| panic!("no {name}: {self:?}"), |(_, value)| value)
    }
}

impl Deployment {
    /// With the supplied clock: times are those of the records, whenever the test runs.
    pub(crate) fn new(name: &str) -> Self {
        let prefix = format!("{name}.");
        let address = free_address();
        let variables = vec![
            ("TIDEGAUGE_DEPLOYMENT", name.to_owned()),
            ("TIDEGAUGE_CLOCK", "supplied".to_owned()),
            ("TIDEGAUGE_KAFKA_BROKERS", broker().to_owned()),
            ("TIDEGAUGE_KAFKA_PREFIX", prefix.clone()),
            ("TIDEGAUGE_KAFKA_INSTANCE", format!("{name}-1")),
            ("TIDEGAUGE_KAFKA_PARTITIONS", PARTITIONS.to_string()),
            ("TIDEGAUGE_KAFKA_REPLICATION", "1".to_owned()),
            ("TIDEGAUGE_API_LISTEN", address.clone()),
            ("TIDEGAUGE_LOG_FORMAT", "text".to_owned()),
        ];
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { variables, prefix, address, directory, bound_by_rights: false, producer: OnceCell::new() }
    }

    /// The same bound by the rights of files, whoever runs the test.
    pub(crate) fn without_override(mut self) -> Self {
        self.bound_by_rights = true;
        self
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Another instance of the same deployment.
    pub(crate) fn second(&self) -> Self {
        let address = free_address();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (variables, prefix) = (self.variables.clone(), self.prefix.clone());
        let second = Self {
            variables,
            prefix,
            address: address.clone(),
            directory,
            bound_by_rights: self.bound_by_rights,
            producer: OnceCell::new(),
        };
        let name = format!("{}2", self.prefix);
        second.with("TIDEGAUGE_API_LISTEN", &address).with("TIDEGAUGE_KAFKA_INSTANCE", &name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // The kernel ends it with the test.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        // Who is not the superuser is bound anyway, and may not change the set.
        if self.bound_by_rights && is_superuser() {
            command.arg("--bounding-set=-dac_override,-dac_read_search");
        }
        command.arg(env!("CARGO_BIN_EXE_tidegauge"));
        command.args(arguments).current_dir(self.directory.path());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end, whatever that is.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Runs a command that must succeed, for what it prints.
    pub(crate) fn tell(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", self.log());
        String::from_utf8(output.stdout).expect("text")
    }

    /// Starts a command whose output is read as it comes.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(std::process::Stdio::piped());
        spawn_with_us(command)
    }

    /// Starts a command whose errors are read as they come.
    pub(crate) fn spawn_told(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        spawn_with_us(command)
    }

    /// A file in its directory.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("a temporary file");
        path
    }

    /// Where its files lie.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts `tidegauge run`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Running<'_> {
        let mut all = vec!["run"];
        all.extend(arguments);
        let mut command = self.command(&all);
        command.stderr(File::create(self.log_path()).expect("a temporary file"));
        Running { deployment: self, child: spawn_with_us(command) }
    }

    /// Starts it on topics that are there, and waits until it is ready.
    pub(crate) fn start(&self) -> Running<'_> {
        self.tell(&["topics", "apply"]);
        let running = self.run(&["--new"]);
        running.ready();
        running
    }

    /// What the newest instance has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        Path::new(self.directory.path()).join("run.log")
    }

    pub(crate) fn client() -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker()).set("enable.idempotence", "true");
        config
    }

    /// Sends messages as other programs do, each with its time.
    pub(crate) fn send<'m>(&self, topic: &str, messages: impl IntoIterator<Item = (&'m str, &'m [u8], i64)>) {
        self.send_to(&format!("{}{topic}", self.prefix), messages);
    }

    /// The same to a topic that is not ours.
    pub(crate) fn send_to<'m>(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = (&'m str, &'m [u8], i64)>,
    ) {
        let producer = self.producer.get_or_init(|| Self::client().create().expect("producer"));
        for (key, value, time_ms) in messages {
            let record = BaseRecord::to(topic).key(key).payload(value).timestamp(time_ms);
            producer.send(record).map_err(|(error, _)| error).expect("queued");
        }
        producer.flush(PATIENCE).expect("written");
    }

    /// Somebody who reads topics from their beginning, committed messages only.
    pub(crate) fn consumer(&self, topics: &[&str]) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker()).set("group.id", "none");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        config.set("fetch.wait.max.ms", "20");
        let consumer: BaseConsumer = config.create().expect("consumer");
        let mut assigned = TopicPartitionList::new();
        for topic in topics.iter().map(|topic| format!("{}{topic}", self.prefix)) {
            for partition in 0..PARTITIONS {
                assigned
                    .add_partition_offset(&topic, partition as i32, Offset::Beginning)
                    .expect("an offset");
            }
        }
        consumer.assign(&assigned).expect("assigned");
        consumer
    }

    /// All that is in a topic, committed.
    pub(crate) fn messages(&self, topic: &str) -> Vec<Read> {
        let consumer = self.consumer(&[topic]);
        let (mut found, mut ends) = (Vec::new(), 0);
        while ends < PARTITIONS {
            match consumer.poll(Duration::from_secs(20)).expect("the broker answers") {
                Ok(message) => found.push(read(&message)),
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ends += 1,
                Err(error) => panic!("{topic}: {error}"),
            }
        }
        found
    }
}

fn read(message: &rdkafka::message::BorrowedMessage<'_>) -> Read {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Read {
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
    }
}

fn is_superuser() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("this process")) == 0
}

fn is_ours(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("TIDEGAUGE_") && name != "TIDEGAUGE_CACHE")
}

pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").to_string()
}

/// A running instance; killed when dropped.
pub(crate) struct Running<'d> {
    deployment: &'d Deployment,
    child: Child,
}

impl Running<'_> {
    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.deployment.address
    }

    /// What it answers; `None` before it listens.
    pub(crate) fn get(&self, path: &str) -> Option<Response> {
        http::get(&self.deployment.address, path)
    }

    /// A request with a JSON body and headers of its own.
    pub(crate) fn order(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let json = ("Content-Type", "application/json");
        let headers: Vec<_> = headers.iter().copied().chain([json]).collect();
        eventually(path, || http::send(&self.deployment.address, method, path, &headers, body))
    }

    /// Pushes a batch of a feed, again until somebody listens and is ready to take it.
    pub(crate) fn push(&self, path: &str, media: &str, body: &[u8]) -> Response {
        eventually(path, || self.push_once(path, media, body).filter(|answer| answer.status != 503))
    }

    /// The same in a content coding.
    pub(crate) fn push_coded(&self, path: &str, media: &str, coding: &str, body: &[u8]) -> Response {
        let headers = [("Content-Type", media), ("Content-Encoding", coding)];
        let send = || http::send_bytes(&self.deployment.address, "POST", path, &headers, body);
        eventually(path, || send().filter(|answer| answer.status != 503))
    }

    /// Announces a batch of so many bytes, and sends none of them.
    pub(crate) fn announce(&self, path: &str, media: &str, length: usize) -> Response {
        eventually(path, || http::announce(&self.deployment.address, path, media, length))
    }

    /// The same once; `None` while nobody listens.
    pub(crate) fn push_once(&self, path: &str, media: &str, body: &[u8]) -> Option<Response> {
        http::send_bytes(&self.deployment.address, "POST", path, &[("Content-Type", media)], body)
    }

    /// Waits for its answer to a question that it must be able to answer.
    pub(crate) fn ask(&self, path: &str) -> Response {
        eventually(path, || self.get(path))
    }

    pub(crate) fn ready(&self) {
        eventually("ready", || self.get("/health/ready").filter(|answer| answer.status == 200));
    }

    /// The sum of a counter over its series that have all of these labels.
    pub(crate) fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let text = self.ask("/metrics").body;
        let series = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let of = |line: &str| line.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok());
        series.filter(|line| wanted.iter().all(|label| line.contains(label))).filter_map(of).sum()
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        signal(self.child.id(), "TERM");
        eventually("the end after SIGTERM", || self.child.try_wait().expect("the child is ours"))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let counted = std::thread::panicking().then(|| self.get("/metrics").map(|answer| answer.body));
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(counted) = counted.flatten() {
            let moved = counted.lines().filter(|line| line.contains("_total{") && !line.ends_with(" 0"));
            moved.for_each(|line| eprintln!("{line}"));
        }
        if std::thread::panicking() {
            eprintln!("--- the instance's log\n{}---", self.deployment.log());
        }
    }
}
