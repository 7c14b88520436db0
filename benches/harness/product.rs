//! The product as a user runs it, and a consumer of its alerts.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use tidegauge::log::Topic;
use tidegauge::shell::wall_ms;

use crate::broker::PARTITIONS;
use crate::load::DEPLOYMENT;

/// `tidegauge run`, killed when dropped.
pub(crate) struct Product(Child);

impl Product {
    pub(crate) fn start(brokers: &str, prefix: &str) -> anyhow::Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_tidegauge"))
            .args(["run", "--new"])
            .env("TIDEGAUGE_DEPLOYMENT", DEPLOYMENT)
            .env("TIDEGAUGE_KAFKA_BROKERS", brokers)
            .env("TIDEGAUGE_KAFKA_PREFIX", prefix)
            .env("TIDEGAUGE_KAFKA_INSTANCE", "harness")
            .env("TIDEGAUGE_KAFKA_PARTITIONS", PARTITIONS.to_string())
            .env("TIDEGAUGE_API_LISTEN", "127.0.0.1:0")
            .env("TIDEGAUGE_LOG_LEVEL", "warn")
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    /// As kill -9 does it.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// An alert as it arrived.
pub(crate) struct Alert {
    /// The 19 characters.
    pub(crate) iccid: String,
    pub(crate) at_ms: i64,
}

/// Follows `card.alerts` as a `read_committed` consumer, in a thread that ends with the receiver.
pub(crate) fn alerts(brokers: &str, prefix: &str) -> anyhow::Result<mpsc::Receiver<Alert>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("{prefix}alerts"))
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    consumer.subscribe(&[&format!("{prefix}{}", Topic::Alerts.name())])?;
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        loop {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let iccid = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
            if to.send(Alert { iccid, at_ms: wall_ms() }).is_err() {
                return;
            }
        }
    });
    Ok(from)
}
