//! A deployment with everything real, and two questions to it: has it come to rest, and what does it hold.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use tidegauge::log::Topic;
use tidegauge::rollup::{Client, Server, Timeouts};

use crate::engine::Engine;
use crate::fleet::{Fleet, Message, iccid};
use crate::process::{Process, Variables};
use crate::seen;
use crate::support::{Cluster, Patience, block_on, broker};

const PARTITIONS: u32 = 4;

/// Used bytes by card and first day (of a cycle, or the day itself).
pub(crate) type Used = BTreeMap<(String, i64), u64>;

pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    pub(crate) engine: Engine,
    pub(crate) variables: Variables,
    producer: BaseProducer,
}

impl Place {
    /// Topics, tables, no process yet. `None` without the ClickHouse engine.
    pub(crate) fn make(name: &str) -> Option<Self> {
        let engine = Engine::start()?;
        let mut cluster = Cluster::named(broker(), &format!("{name}."), PARTITIONS);
        cluster.others = PARTITIONS;
        let variables = Variables(vec![
            ("TIDEGAUGE_DEPLOYMENT", name.to_owned()),
            ("TIDEGAUGE_KAFKA_BROKERS", cluster.brokers.clone()),
            ("TIDEGAUGE_KAFKA_PREFIX", cluster.prefix.clone()),
            ("TIDEGAUGE_KAFKA_PARTITIONS", PARTITIONS.to_string()),
            ("TIDEGAUGE_KAFKA_REPLICATION", "1".to_owned()),
            ("TIDEGAUGE_KAFKA_SESSION_TIMEOUT_MS", "2000".to_owned()),
            ("TIDEGAUGE_WORKER_REPLAY_DEBT_RECORDS", "1000".to_owned()),
            ("TIDEGAUGE_CLICKHOUSE_URL", engine.url.clone()),
            ("TIDEGAUGE_LOG_FORMAT", "text".to_owned()),
        ]);
        variables.run(&["topics", "apply"]);
        variables.run(&["migrate"]);
        let producer = cluster.outside().create().expect("a producer");
        Some(Self { cluster, engine, variables, producer })
    }

    /// Applies the catalogue, which the running processes must show.
    pub(crate) fn apply(&self, catalogue: &str) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), catalogue).expect("written");
        self.variables.run(&["catalogue", "apply", file.path().to_str().expect("text")]);
    }

    /// Writes as outside producers do, keyed by card, and waits until it is safe.
    pub(crate) fn send(&self, messages: &[Message]) {
        self.hand_over(messages);
        self.producer.flush(Duration::from_mins(1)).expect("written");
    }

    /// Writes without waiting.
    pub(crate) fn hand_over(&self, messages: &[Message]) {
        for (topic, key, value) in messages {
            let name = seen::name(&self.cluster, *topic);
            let mut record = BaseRecord::to(&name).key(key).payload(value);
            while let Err((_, back)) = self.producer.send(record) {
                record = back;
                self.producer.poll(Duration::from_millis(10));
            }
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until everything sent has been folded, committed and written to ClickHouse.
    pub(crate) fn rest(&self, processes: &[Process], within: Duration) {
        let config = self.cluster.config("tidegauge-ingest", "spectator");
        let group = seen::consumer(&self.cluster, &config.group_id());
        let patience = Patience::of(within);
        loop {
            let trouble = if seen::has_read_all(&self.cluster, &group) {
                let ends = seen::ends(&self.cluster, &group, Topic::Log);
                block_on(unrest(processes, &ends))
            } else {
                "ingest has not read all".to_owned()
            };
            if trouble.is_empty() {
                return;
            }
            patience.check(&trouble);
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// `card_month_now`.
    pub(crate) fn months(&self) -> Used {
        let server = Server {
            url: self.engine.url.clone(),
            database: "tidegauge".to_owned(),
            user: "default".to_owned(),
            password: String::new(),
        };
        let sql = "SELECT toString(card), toInt64(toUInt16(cycle)), used FROM card_month_now WHERE used > 0";
        let client = Client::new(&server, Timeouts::default());
        let rows = block_on(client.rows::<(String, i64, u64)>(sql)).expect("ClickHouse answers");
        rows.into_iter().map(|(card, cycle, used)| ((card, cycle), used)).collect()
    }
}

/// What is not at rest yet; empty when all is.
async fn unrest(processes: &[Process], ends: &[i64]) -> String {
    let mut held = BTreeMap::new();
    for process in processes {
        let Some(Value::Array(list)) = process.get("/v1/partitions").await else { continue };
        held.extend(list.into_iter().map(|one| (one["partition"].as_u64().unwrap_or(u64::MAX), one)));
    }
    let at_rest = |partition: usize, end: i64| {
        held.get(&(partition as u64)).is_some_and(|one| {
            one["state"] == "running" && one["committed"].as_i64() >= Some(end) && one["dirty_cards"] == 0
        })
    };
    let rests = ends.iter().enumerate().all(|(partition, end)| at_rest(partition, *end));
    if rests { String::new() } else { format!("ends {ends:?}, partitions {held:?}") }
}

/// What HTTP answers of every card: cycles, days, burnt bytes of those with a first package.
pub(crate) struct Answers {
    pub(crate) months: Used,
    pub(crate) days: Used,
    pub(crate) burnt: BTreeMap<String, u64>,
}

pub(crate) fn ask(processes: &[Process], fleet: &Fleet) -> Answers {
    block_on(async {
        let mut answers = Answers { months: BTreeMap::new(), days: BTreeMap::new(), burnt: BTreeMap::new() };
        for card in (0..fleet.cards).map(iccid) {
            let answer = card_of(processes, &card).await;
            answers.months.extend(used(&card, &answer["months"], "cycle"));
            answers.days.extend(used(&card, &answer["days"], "day"));
            let packages = answer["packages"].as_array().expect("packages");
            for package in packages.iter().filter(|package| package["order"] == "first") {
                answers.burnt.insert(card.clone(), package["burnt"].as_u64().expect("bytes"));
            }
        }
        answers
    })
}

/// A process that came back may be given partitions just now: while one moves, both answer that it is not ready, or with
/// what ClickHouse was told last. Memory is what is asked about here.
async fn card_of(processes: &[Process], card: &str) -> Value {
    let patience = Patience::of(Duration::from_secs(30));
    loop {
        for process in processes {
            match process.get(&format!("/v1/cards/{card}")).await {
                Some(answer) if answer["source"] == "memory" => return answer,
                _ => (),
            }
        }
        patience.check(&format!("card {card}: nobody answers for it from memory"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn used<'a>(card: &'a str, rows: &'a Value, key: &'a str) -> impl Iterator<Item = ((String, i64), u64)> + 'a {
    let rows = rows.as_array().expect("rows").iter();
    let rows = rows.map(move |row| ((card.to_owned(), days_since_1970(&row[key])), row["used"].as_u64()));
    rows.filter_map(|(key, used)| Some((key, used.filter(|bytes| *bytes > 0)?)))
}

fn days_since_1970(date: &Value) -> i64 {
    let date: chrono::NaiveDate = date.as_str().and_then(|date| date.parse().ok()).expect("a date");
    date.signed_duration_since(chrono::NaiveDate::default()).num_days()
}
