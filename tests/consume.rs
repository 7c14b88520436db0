//! The programs of `docs/consume`, as they stand there, on a real Kafka: each prints what was committed, once, and goes on
//! after a `kill -9` where it was. A language whose runtime or client is not here says SKIPPED.

#![cfg(feature = "full")]

#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use support::{Patience, block_on, broker, spawn_with_us};

/// A virtual machine that compiles first, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The example of the schema, about another card.
fn alert(card: u64) -> Vec<u8> {
    let example = std::fs::read(at("schemas/examples/event/alert.fired.v1.json")).expect("an example");
    let mut event: Value = serde_json::from_slice(&example).expect("JSON");
    event["subject"] = iccid(card).into();
    event["id"] = format!("{}/alert.fired/burnt-80/3", iccid(card)).into();
    event.to_string().into_bytes()
}

fn iccid(card: u64) -> String {
    format!("{}", 8_986_000_000_000_000_000 + card)
}

/// A topic with one partition, and who writes to it in transactions.
struct Alerts {
    topic: String,
    producer: BaseProducer,
}

impl Alerts {
    fn new(language: &str) -> Self {
        let topic = format!("consume.{language}.card.alerts");
        let admin: AdminClient<DefaultClientContext> = client().create().expect("an admin client");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let wanted = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        let made = block_on(admin.create_topics([&wanted], &options));
        assert!(made.expect("an answer").iter().all(Result::is_ok));
        let producer: BaseProducer = client().set("transactional.id", &topic).create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("transactions");
        Self { topic, producer }
    }

    /// A transaction with an alert of each card.
    fn write(&self, cards: &[u64], commit: bool) {
        self.producer.begin_transaction().expect("begun");
        for card in cards {
            let (key, value) = (iccid(*card), alert(*card));
            let record = BaseRecord::to(&self.topic).key(&key).payload(&value);
            self.producer.send(record).map_err(|(error, _)| error).expect("queued");
        }
        if commit {
            self.producer.commit_transaction(PATIENCE).expect("committed");
        } else {
            self.producer.flush(PATIENCE).expect("written");
            self.producer.abort_transaction(PATIENCE).expect("aborted");
        }
    }

    /// What the group has committed.
    fn committed(&self) -> i64 {
        let asking: BaseConsumer = client().set("group.id", &self.topic).create().expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, 0);
        let list = asking.committed_offsets(list, PATIENCE).expect("an answer");
        match list.elements().first().map(rdkafka::topic_partition_list::TopicPartitionListElem::offset) {
            Some(Offset::Offset(offset)) => offset,
            _ => 0,
        }
    }
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker());
    config
}

/// A consumer under way; killed when dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command, alerts: &Alerts) -> Self {
        command.env("KAFKA_BROKERS", broker()).env("TOPIC", &alerts.topic).env("GROUP", &alerts.topic);
        let mut child = spawn_with_us({
            command.stdout(Stdio::piped());
            command
        });
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok();
        });
        Self { child, lines }
    }

    /// The next lines are about these cards.
    fn tells(&self, cards: &[u64]) {
        for card in cards {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("card {card}: {e}"));
            assert!(line.contains(&iccid(*card)) && line.contains("burnt-80"), "card {card}: {line}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What every consumer must do, whatever it is written in.
fn consumes(language: &str, command: impl Fn() -> Command) {
    let alerts = Alerts::new(language);
    alerts.write(&[1, 2], true);
    alerts.write(&[3], false);
    // The first again, as somebody may have copied it: the same id.
    alerts.write(&[1, 4], true);
    let running = Running::start(command(), &alerts);
    running.tells(&[1, 2, 4]);
    // Two and a marker, one and a marker, two: the last stands at 6.
    let patience = Patience::of(PATIENCE);
    while alerts.committed() < 7 {
        patience.check("the work to be committed");
        std::thread::park_timeout(LOOK_EVERY);
    }
    drop(running);
    alerts.write(&[5], true);
    let again = Running::start(command(), &alerts);
    again.tells(&[5]);
}

/// Where `deploy/dev/consumers-get.sh` has put a language's client.
fn fetched(language: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("TIDEGAUGE_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/tidegauge"));
    let folder = cache.or_else(home)?.join("consumers-1");
    folder.join(format!("{language}.done")).exists().then(|| folder.join(language))
}

#[test]
fn python() {
    let Some(folder) = fetched("python") else {
        println!("SKIPPED: no client for Python: deploy/dev/consumers-get.sh");
        return;
    };
    consumes("python", || {
        let mut command = Command::new(folder.join("bin/python3"));
        command.arg(at("docs/consume/alerts.py"));
        command
    });
}

#[test]
fn node() {
    let Some(folder) = fetched("node") else {
        println!("SKIPPED: no client for Node: deploy/dev/consumers-get.sh");
        return;
    };
    // Node looks for modules beside the script.
    let place = tempfile::tempdir().expect("a temporary directory");
    std::os::unix::fs::symlink(folder.join("node_modules"), place.path().join("node_modules"))
        .expect("a link");
    let script = place.path().join("alerts.mjs");
    std::fs::copy(at("docs/consume/alerts.mjs"), &script).expect("a copy");
    consumes("node", || {
        let mut command = Command::new("node");
        command.arg(&script);
        command
    });
}

#[test]
fn java() {
    let libs = Command::new(at("deploy/dev/kafka-get.sh")).output().expect("Kafka is here").stdout;
    let libs = format!("{}/*", String::from_utf8(libs).expect("text").trim());
    consumes("java", || {
        let mut command = Command::new("java");
        command
            .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", &libs])
            .arg(at("docs/consume/Alerts.java"));
        command
    });
}

#[test]
fn rust() {
    // `cargo test` builds it; a test run by its name alone does not.
    let program = std::env::current_exe().expect("a path");
    let program = program.ancestors().nth(2).expect("target/…/deps").join("examples/consume_alerts");
    if !program.exists() {
        println!("SKIPPED: {} is not built: cargo build --example consume_alerts", program.display());
        return;
    }
    consumes("rust", || Command::new(&program));
}
