//! A real Apache Kafka for tests: one broker for the whole test binary, and others for tests that kill theirs.
//!
//! Brokers end with the test process, however it ends: the kernel kills them when the thread that started them is gone,
//! and that thread waits for ever. Data lies under `target/tmp`; what earlier runs left there is removed.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};
use tidegauge::log::kafka::topics::{self, Stamps, Wanted};
use tidegauge::log::kafka::{KafkaConfig, Timeouts};
use tidegauge::log::{Retention, Topic};

/// A broker process.
pub struct Broker {
    port: u16,
    directory: PathBuf,
    properties: String,
    child: Child,
}

/// The broker that all tests of this binary share. Nobody may stop it.
pub fn broker() -> &'static str {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| BROKER.get_or_init(|| Broker::start("shared")).address())
}

impl Broker {
    /// A broker of the caller's own, over an empty directory.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// One with lines of its own in `server.properties`.
    pub fn start_with(name: &str, properties: &[&str]) -> Self {
        remove_leftovers();
        let (port, properties) = (free_ports(), properties.join("\n"));
        let directory = tmp().join(format!("kafka-{}-{name}", std::process::id()));
        let child = spawn(&directory, port, &properties);
        Self { port, directory, properties, child }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("the broker runs");
        self.child.wait().expect("it was started here");
    }

    /// The same broker again, over its data.
    pub fn restart(&mut self) {
        self.child = spawn(&self.directory, self.port, &self.properties);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Freezes the broker: connections stay open and nothing answers.
    pub fn freeze(&self) {
        signal(self.child.id(), "STOP");
    }

    pub fn thaw(&self) {
        signal(self.child.id(), "CONT");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Sends a signal to a process that this one started.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.is_ok_and(|s| s.success()), "kill -{name} {pid}");
}

/// Starts a command that the kernel kills with this process. The thread that starts it must not end before: the signal
/// comes with its end.
pub fn spawn_with_us(mut command: Command) -> Child {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let child = command.spawn();
        let _ = tell.send(child);
        loop {
            std::thread::park();
        }
    });
    told.recv().expect("the thread answers").expect("setpriv and the command are installed")
}

fn spawn(directory: &Path, port: u16, properties: &str) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/dev/kafka-start.sh");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(script).arg(directory).arg(port.to_string());
    command.env("HEAP", "320m").env("PROPERTIES", properties).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = spawn_with_us(command);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let ready = lines.map_while(Result::ok).any(|line| line == "ready");
    assert!(ready, "the broker did not start: see {}", directory.display());
    child
}

/// A port that is free together with the one after it, which the controller takes.
fn free_ports() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

fn tmp() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Removes the data of test processes that are gone.
fn remove_leftovers() {
    for entry in std::fs::read_dir(tmp()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|n| n.strip_prefix("kafka-")?.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Short waits, so that failures show within a test's patience.
pub const TIMEOUTS: Timeouts = Timeouts {
    session: Duration::from_secs(2),
    heartbeat: Duration::from_millis(200),
    request: Duration::from_secs(10),
    stable: Duration::from_millis(300),
    commit: Duration::from_secs(10),
    transaction: Duration::from_mins(1),
    scan_idle: Duration::from_secs(20),
    scan_silent: Duration::from_secs(5),
    scan_barred: Duration::from_millis(100),
    poll: Duration::from_mins(5),
};

/// A deployment of its own on a broker: its topics, under its prefix.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub brokers: String,
    pub prefix: String,
    pub partitions: u32,
    /// Of the topics that do not follow the log.
    pub others: u32,
    pub stamps: Stamps,
}

impl Cluster {
    /// On the shared broker.
    pub fn make(prefix: &str, partitions: u32) -> Self {
        Self::on(broker(), prefix, partitions)
    }

    pub fn on(brokers: &str, prefix: &str, partitions: u32) -> Self {
        let cluster = Self::named(brokers, &format!("{prefix}."), partitions);
        cluster.create();
        cluster
    }

    /// One whose topics are there, or are yet to be created.
    pub fn named(brokers: &str, prefix: &str, partitions: u32) -> Self {
        let (brokers, prefix) = (brokers.to_owned(), prefix.to_owned());
        Self { brokers, prefix, partitions, others: 1, stamps: Stamps::Brokers }
    }

    pub fn create(&self) {
        let left = block_on(topics::apply(&self.config("admin", "0"), &self.wanted())).expect("topics");
        assert_eq!(left, []);
    }

    pub fn wanted(&self) -> Wanted {
        Wanted {
            log_partitions: self.partitions,
            other_partitions: self.others,
            replication: 1,
            stamps: self.stamps,
        }
    }

    pub fn config(&self, group: &str, instance: &str) -> KafkaConfig {
        let mut config = KafkaConfig::new(&self.brokers, group, instance);
        config.prefix.clone_from(&self.prefix);
        config.timeouts = TIMEOUTS;
        config
    }

    /// Writes messages as an outside producer does, and waits for them to be safe.
    pub fn append(&self, topic: Topic, partition: u32, values: &[&str]) {
        let producer: BaseProducer<Written> = self.outside().create_with_context(Written).expect("producer");
        let name = format!("{}{}", self.prefix, topic.name());
        for value in values {
            let mut record = BaseRecord::<str, str>::to(&name).partition(partition as i32).payload(value);
            record.key = (topic.retention() == Retention::Compact).then_some(value);
            producer.send(record).map_err(|(e, _)| e).expect("queued");
        }
        producer.flush(Duration::from_secs(20)).expect("written");
    }

    /// Any other program's client.
    pub fn outside(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("enable.idempotence", "true");
        config
    }
}

/// Sees to it that every message was written.
struct Written;

impl ClientContext for Written {}

impl ProducerContext for Written {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a message was not written: {error}");
        }
    }
}

/// Runs a future to its end, here.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

/// How long a test waits for what must come.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Instant);

impl Patience {
    #[allow(clippy::disallowed_methods, reason = "a test that hangs must fail")]
    pub fn of(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// Waits until it is used up: for outages of a given length, never for something to have happened.
    #[allow(clippy::disallowed_methods, reason = "the length of an outage")]
    pub fn wait(&self) {
        std::thread::sleep(self.0.saturating_duration_since(Instant::now()));
    }

    #[allow(clippy::disallowed_methods, reason = "a test that hangs must fail")]
    pub fn check(&self, waiting_for: &str) {
        assert!(Instant::now() < self.0, "waited too long for {waiting_for}");
    }
}
