//! A broker for one run, tuned to run and not to start: it ends with the harness.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use tidegauge::log::kafka::KafkaConfig;
use tidegauge::log::kafka::topics::{self, Stamps, Wanted};

/// Partitions of every topic.
pub(crate) const PARTITIONS: u32 = 16;

/// A running broker over a directory that goes with it.
pub(crate) struct Broker {
    pub(crate) address: String,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Broker {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// One with lines of its own in `server.properties`.
    pub(crate) fn start_with(properties: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = free_ports()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/dev/kafka-start.sh");
        let mut child = Command::new(script)
            .arg(directory.path())
            .arg(port.to_string())
            .env("HEAP", "1g")
            .env("FOR", "measuring")
            .env("PROPERTIES", properties.join("\n"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context(script)?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        anyhow::ensure!(line.trim() == "ready", "the broker did not start: {line:?}");
        Ok(Self { address: format!("127.0.0.1:{port}"), child, _directory: directory })
    }
}

/// A port that is free together with the one after it, which the controller takes.
fn free_ports() -> anyhow::Result<u16> {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A client: `prefix` keeps the rounds apart.
pub(crate) fn client(brokers: &str, prefix: &str, group: &str, instance: &str) -> KafkaConfig {
    let mut config = KafkaConfig::new(brokers, group, instance);
    prefix.clone_into(&mut config.prefix);
    config
}

/// Makes the topics of a round.
pub(crate) fn make_topics(brokers: &str, prefix: &str, stamps: Stamps) -> anyhow::Result<()> {
    let wanted = Wanted { log_partitions: PARTITIONS, other_partitions: PARTITIONS, replication: 1, stamps };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(topics::apply(&client(brokers, prefix, "harness", "admin"), &wanted))?;
    Ok(())
}
