//! The product as a user runs it, and a consumer of its events.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use tidegauge::log::Topic;
use tidegauge::shell::wall_ms;

use crate::broker::PARTITIONS;
use crate::load::{DEPLOYMENT, Load};

/// `tidegauge run`, killed when dropped.
pub(crate) struct Product {
    child: Child,
    /// Where it answers, `http://` and all.
    pub(crate) address: String,
}

/// What one instance of several is told beside the deployment.
#[derive(Debug, Clone)]
pub(crate) struct Told<'a> {
    pub(crate) name: &'a str,
    /// How long the group waits for it; `None`: the product's own default.
    pub(crate) session_ms: Option<u32>,
    pub(crate) clickhouse: Option<&'a str>,
}

impl Told<'_> {
    /// The only instance.
    pub(crate) const ALONE: Self = Self { name: "harness", session_ms: None, clickhouse: None };
}

impl Product {
    pub(crate) fn start(brokers: &str, prefix: &str) -> anyhow::Result<Self> {
        Self::start_as(brokers, prefix, &Told::ALONE)
    }

    pub(crate) fn start_as(brokers: &str, prefix: &str, told: &Told<'_>) -> anyhow::Result<Self> {
        Self::spawn(Self::command(brokers, prefix, told).args(["run", "--new"]))
    }

    /// Some of the roles in a process of their own, by a file of configuration.
    pub(crate) fn start_roles(
        (brokers, prefix): (&str, &str),
        told: &Told<'_>,
        roles: &str,
        config: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Self::command(brokers, prefix, told);
        command.args(["run", "--new", "--roles", roles]).env("TIDEGAUGE_CONFIG", config);
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        command.env("TIDEGAUGE_API_LISTEN", listen.to_string());
        let child = command.stdout(Stdio::null()).spawn()?;
        Ok(Self { child, address: format!("http://{listen}") })
    }

    /// The program, configured, without its arguments.
    pub(crate) fn command(brokers: &str, prefix: &str, told: &Told<'_>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegauge"));
        command
            .env("TIDEGAUGE_DEPLOYMENT", DEPLOYMENT)
            .env("TIDEGAUGE_KAFKA_BROKERS", brokers)
            .env("TIDEGAUGE_KAFKA_PREFIX", prefix)
            .env("TIDEGAUGE_KAFKA_INSTANCE", told.name)
            .env("TIDEGAUGE_KAFKA_PARTITIONS", PARTITIONS.to_string())
            .env("TIDEGAUGE_LOG_LEVEL", "warn");
        if let Some(session_ms) = told.session_ms {
            command.env("TIDEGAUGE_KAFKA_SESSION_TIMEOUT_MS", session_ms.to_string());
        }
        if let Some(url) = told.clickhouse {
            command.env("TIDEGAUGE_CLICKHOUSE_URL", url);
        }
        command
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As kill -9 does it.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// An event as it arrived.
pub(crate) struct Seen {
    /// The 19 characters.
    pub(crate) iccid: String,
    pub(crate) at_ms: i64,
}

/// A consumer's end. The consumer ends with it: one left over would go on asking the broker.
pub(crate) struct Followed {
    seen: mpsc::Receiver<Seen>,
    _wanted: Arc<()>,
}

impl Followed {
    /// The next event.
    pub(crate) fn next(&self, wait: Duration) -> anyhow::Result<Seen> {
        Ok(self.seen.recv_timeout(wait)?)
    }
}

/// Follows a topic of events as a `read_committed` consumer, in a thread of its own.
pub(crate) fn follow(brokers: &str, prefix: &str, topic: Topic) -> anyhow::Result<Followed> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("{prefix}{}", topic.name()))
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "10")
        // Of topics just made not all partitions may be known when they are shared out.
        .set("topic.metadata.refresh.interval.ms", "1000")
        .create()?;
    consumer.subscribe(&[&format!("{prefix}{}", topic.name())])?;
    let (to, seen) = mpsc::channel();
    let wanted = Arc::new(());
    let still = Arc::downgrade(&wanted);
    std::thread::spawn(move || {
        while still.strong_count() > 0 {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let iccid = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
            if to.send(Seen { iccid, at_ms: wall_ms() }).is_err() {
                return;
            }
        }
    });
    Ok(Followed { seen, _wanted: wanted })
}

/// Registers cards with the running product and buys each a package, and waits for both: an order that overtakes its
/// card's registration would be parked, and usage could overtake the order.
pub(crate) fn sell(brokers: &str, prefix: &str, load: &Load, cards: u32) -> anyhow::Result<()> {
    let (registered, activated) =
        (follow(brokers, prefix, Topic::Lifecycle)?, follow(brokers, prefix, Topic::Activations)?);
    load.catalogue()?;
    load.cards(cards)?;
    wait_for_all(&registered, cards)?;
    load.packages(cards)?;
    wait_for_all(&activated, cards)
}

fn wait_for_all(seen: &Followed, cards: u32) -> anyhow::Result<()> {
    let mut named = HashSet::new();
    while named.len() < cards as usize {
        named.insert(seen.next(Duration::from_mins(2))?.iccid);
    }
    Ok(())
}
