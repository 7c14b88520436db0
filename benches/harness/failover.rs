//! kill -9 of one of two instances, and the time until the other answers for its cards again, from memory; what is answered
//! meanwhile, from ClickHouse where it can be had.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tidegauge::demo::clickhouse::find_lib;
use tidegauge::log::kafka::topics::Stamps;
use tidegauge::shell::Clocks;

use crate::asking::Asker;
use crate::broker::{Broker, PARTITIONS, make_topics};
use crate::load::{Load, iccid};
use crate::pair::{Pair, not_from_memory, partition};
use crate::product::{Product, Told, sell};
use crate::throughput::median;

/// How many cards, how often, how long a session.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Cards in the state.
    #[arg(long, default_value_t = 20_000)]
    cards: u32,
    /// Kills.
    #[arg(long, default_value_t = 3)]
    kills: u32,
    /// kafka.session_timeout_ms: how long the group waits for a member that says nothing.
    #[arg(long, default_value_t = 6_000)]
    session_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { cards: 20_000, kills: 3, session_ms: 6_000 }
    }
}

/// How long a killed instance's cards may be without an answer.
const BACK_WITHIN_MS: i64 = 60_000;

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let broker = Broker::start()?;
    let (brokers, prefix) = (broker.address.as_str(), "f.");
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let engine = Engine::start()?;
    let url = engine.as_ref().map(|engine| engine.url.as_str());
    let told = |name| Told { name, session_ms: Some(options.session_ms), clickhouse: url };
    if url.is_some() {
        let migrated = Product::command(brokers, prefix, &told("migrate"))
            .arg("migrate")
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(migrated.success(), "ClickHouse's tables were not made");
    }
    let (asker, load) = (Asker::new(0)?, Load::new(brokers, prefix)?);
    let mut pair = Pair::start(brokers, prefix, [&told("harness-a"), &told("harness-b")], &asker)?;
    sell(brokers, prefix, &load, options.cards)?;
    if let Some(url) = url {
        flushed(&asker, url, options.cards)?;
    }
    let (mut first, mut all, mut meanwhile) = (Vec::new(), Vec::new(), BTreeMap::new());
    for _ in 0..options.kills {
        let back = kill(&mut pair, &asker, &mut meanwhile)?;
        first.push(back.first);
        all.push(back.all);
        pair.products[1] = Product::start_as(brokers, prefix, &told("harness-b"))?;
        pair.rest(&asker)?;
    }
    let longest = all.iter().copied().fold(0.0, f64::max);
    println!(
        "failover: {} cards, sessions of {} ms, {} × kill -9 of one of two: its first card is answered from memory after \
         {:.2} s, cards of all its partitions after {:.2} s (medians; longest {longest:.2} s)",
        options.cards,
        options.session_ms,
        options.kills,
        median(first),
        median(all)
    );
    for (answer, count) in &meanwhile {
        println!("failover: meanwhile {count} × {answer}");
    }
    if url.is_none() {
        println!("failover: without ClickHouse, whose engine is not here: deploy/dev/clickhouse-get.sh");
    }
    Ok(())
}

/// Seconds from the kill to an answer from memory: for the first partition, for the last.
struct Back {
    first: f64,
    all: f64,
}

/// Kills the second and asks the first for one card of each of its partitions, over and over.
fn kill(pair: &mut Pair, asker: &Asker, meanwhile: &mut BTreeMap<String, u64>) -> anyhow::Result<Back> {
    let owners = pair.rest(asker)?;
    let mut lost: BTreeSet<u32> =
        (0..PARTITIONS).filter(|partition| owners[*partition as usize] == 1).collect();
    let mut cards = BTreeMap::new();
    for card in 0..PARTITIONS * 16 {
        cards.entry(partition(card)?).or_insert_with(|| iccid(card));
    }
    pair.products[1].kill()?;
    let (clocks, mut first) = (Clocks::start(), None);
    let seconds = || clocks.steady_ms() as f64 / 1_000.0;
    while !lost.is_empty() {
        if clocks.steady_ms() > BACK_WITHIN_MS {
            let held = asker.get(&format!("{}/v1/partitions", pair.products[0].address))?;
            let held = String::from_utf8_lossy(&held.body).into_owned();
            anyhow::bail!("nobody answers for {lost:?}: {meanwhile:?}; {held}");
        }
        for partition in lost.clone() {
            let card = cards.get(&partition).with_context(|| format!("no card of partition {partition}"))?;
            let answer = asker.get(&format!("{}/v1/cards/{card}", pair.products[0].address))?;
            match not_from_memory(answer.status, &answer.body) {
                // Not stale either: the new owner has caught up with the clock.
                None => {
                    lost.remove(&partition);
                    first.get_or_insert_with(seconds);
                }
                Some(other) => *meanwhile.entry(other).or_default() += 1,
            }
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(Back { first: first.unwrap_or_else(seconds), all: seconds() })
}

/// Waits until ClickHouse has been told of all cards.
fn flushed(asker: &Asker, url: &str, cards: u32) -> anyhow::Result<()> {
    let clocks = Clocks::start();
    let count = "SELECT%20uniqExact(card)%20FROM%20tidegauge.card_month_now";
    loop {
        let answer = asker.get(&format!("{url}/?query={count}"))?;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        if said.trim().parse::<u32>().is_ok_and(|told| told >= cards) {
            return Ok(());
        }
        anyhow::ensure!(clocks.steady_ms() < BACK_WITHIN_MS, "ClickHouse was not told of all cards: {said}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// ClickHouse's engine, if it is in the cache.
struct Engine {
    url: String,
    child: Child,
    _data: tempfile::TempDir,
}

impl Engine {
    fn start() -> anyhow::Result<Option<Self>> {
        let (Some(lib), data) = (find_lib(None), tempfile::tempdir()?) else { return Ok(None) };
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegauge"))
            .args(["clickhouse", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .arg("--lib")
            .arg(lib)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        let url =
            line.trim().strip_prefix("ready ").with_context(|| format!("not ready but {line:?}"))?.to_owned();
        Ok(Some(Self { url, child, _data: data }))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
