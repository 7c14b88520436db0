//! What the API answers under load, and what its questions cost the workers: two instances share the partitions, CDRs come at
//! a steady rate, and in every other round cards are asked for at a steady rate too, half of them of the instance that meters
//! them (local), half of the other (forwarded). Orders that wait for their outcome come in all rounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tidegauge::codec::time;
use tidegauge::log::kafka::topics::Stamps;
use tidegauge::shell::{Clocks, wall_ms};

use crate::asking::{Answered, Asker, Latencies, Request, get, post};
use crate::broker::{Broker, make_topics};
use crate::cpu::Cpu;
use crate::load::{Load, iccid};
use crate::pair::{Owners, Pair, not_from_memory, partition};
use crate::product::{Told, sell};
use crate::throughput::median;

/// How fast, how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// CDRs a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Questions about cards a second, in every other round.
    #[arg(long, default_value_t = 1_000)]
    queries: u64,
    /// Recharges a second with `Prefer: wait`, in all rounds.
    #[arg(long, default_value_t = 20)]
    recharges: u64,
    /// Cards.
    #[arg(long, default_value_t = 20_000)]
    cards: u32,
    /// Seconds of a round.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Rounds with questions, and as many without; the CPU's medians are printed.
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Seconds of both before.
    #[arg(long, default_value_t = 40)]
    warm_up: u64,
    /// The niceness of the threads that ask: they stand for programs on other machines. 0 = as all others.
    #[arg(long, default_value_t = -10, allow_negative_numbers = true)]
    asker_nice: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rate: 10_000,
            queries: 1_000,
            recharges: 20,
            cards: 20_000,
            seconds: 20,
            rounds: 4,
            warm_up: 40,
            asker_nice: -10,
        }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let broker = Broker::start()?;
    let (brokers, prefix) = (broker.address.as_str(), "q.");
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let (asker, load) = (Asker::new(options.asker_nice)?, Load::new(brokers, prefix)?);
    let told = |name| Told { name, session_ms: None, clickhouse: None };
    let pair = Pair::start(brokers, prefix, [&told("harness-a"), &told("harness-b")], &asker)?;
    sell(brokers, prefix, &load, options.cards)?;
    let metering = Metering::start(load, options.rate, options.cards);
    let stage = Stage { options, asker: &asker, pair: &pair, metering: &metering };
    stage.round(options.warm_up, true, 0)?;
    let (mut quiet, mut busy) = (Sums::default(), Sums::default());
    for round in 1..=options.rounds as u64 {
        // Neither comes first in every pair.
        for first in [round.is_multiple_of(2), !round.is_multiple_of(2)] {
            let sums = if first { &mut busy } else { &mut quiet };
            sums.take(&stage.round(options.seconds, first, round * 2 + u64::from(first))?);
        }
    }
    match asker.be_nice() {
        Ok(()) => println!("queries: the threads that ask run at nice {}", options.asker_nice),
        Err(error) => println!("queries: the threads that ask run as all others: {error}"),
    }
    busy.latencies.print("queries");
    let (without, with) = (quiet.cpu.medians(), busy.cpu.medians());
    println!(
        "queries: CPU ns a record at {} records/s: workers {:.0} without questions, {:.0} with {} a second ({:+.1} %); \
         whole processes {:.0} and {:.0}",
        options.rate,
        without.0,
        with.0,
        options.queries,
        (with.0 / without.0 - 1.0) * 100.0,
        without.1,
        with.1
    );
    println!(
        "queries: a worker waits {:.0} times a second without questions, {:.0} with them",
        without.2 / 2.0,
        with.2 / 2.0
    );
    Ok(())
}

/// CDRs at a steady rate from a thread of its own, until dropped.
struct Metering {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
}

impl Metering {
    fn start(load: Load, rate: u64, cards: u32) -> Self {
        let (sent, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (sent, stop) = (Arc::clone(&sent), Arc::clone(&stop));
            move || {
                let clocks = Clocks::start();
                while !stop.load(Ordering::Relaxed) {
                    let number = sent.load(Ordering::Relaxed);
                    if (clocks.steady_ms() as u64) * rate / 1_000 <= number {
                        load.poll();
                        std::thread::park_timeout(Duration::from_micros(500));
                        continue;
                    }
                    load.cdr(number, spread(number, cards), 1_000)?;
                    sent.store(number + 1, Ordering::Relaxed);
                }
                Ok(())
            }
        });
        Self { sent, stop, thread: Some(thread) }
    }

    fn sent(&self) -> anyhow::Result<u64> {
        anyhow::ensure!(self.thread.as_ref().is_some_and(|t| !t.is_finished()), "the load has ended");
        Ok(self.sent.load(Ordering::Relaxed))
    }
}

impl Drop for Metering {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// A stride that is prime to the number of cards.
fn spread(number: u64, cards: u32) -> u32 {
    (number.wrapping_mul(7_919) % u64::from(cards)) as u32
}

/// What rounds of one kind have come to.
#[derive(Default)]
struct Sums {
    latencies: Latencies,
    cpu: PerRound,
}

/// Round by round: CPU nanoseconds a record of the workers, of all, and waits of both workers a second.
#[derive(Default)]
struct PerRound(Vec<(f64, f64, f64)>);

impl PerRound {
    fn medians(&self) -> (f64, f64, f64) {
        let of = |f: fn(&(f64, f64, f64)) -> f64| median(self.0.iter().map(f).collect());
        (of(|round| round.0), of(|round| round.1), of(|round| round.2))
    }
}

impl Sums {
    fn take(&mut self, round: &Round) {
        for answered in &round.answers {
            let wrong = match answered.kind {
                RECHARGE => not_applied(answered),
                _ => not_from_memory(answered.status, &answered.body),
            };
            self.latencies.take(answered, wrong.map(|wrong| format!("{}: {wrong}", answered.kind)));
        }
        let per_record = |took: Duration| took.as_nanos() as f64 / round.records as f64;
        let waits = round.cpu.waits as f64 / round.took.as_secs_f64();
        self.cpu.0.push((per_record(round.cpu.workers), per_record(round.cpu.whole), waits));
    }
}

const LOCAL: &str = "a card, of its owner";
const FORWARDED: &str = "a card, of the other instance";
const RECHARGE: &str = "a recharge, until its outcome";

fn not_applied(answered: &Answered) -> Option<String> {
    let said = String::from_utf8_lossy(&answered.body);
    let applied = answered.status == Some(200) && said.contains("\"applied\"");
    (!applied).then(|| format!("status {:?}", answered.status))
}

/// One round.
struct Round {
    answers: Vec<Answered>,
    records: u64,
    cpu: Cpu,
    took: Duration,
}

struct Stage<'a> {
    options: &'a Options,
    asker: &'a Asker,
    pair: &'a Pair,
    metering: &'a Metering,
}

impl Stage<'_> {
    fn round(&self, seconds: u64, asked: bool, number: u64) -> anyhow::Result<Round> {
        let owners = self.pair.rest(self.asker)?;
        let (length, begun) = (Duration::from_secs(seconds), Clocks::instant());
        let (records, cpu) = (self.metering.sent()?, self.cpu()?);
        let (to, answers) = mpsc::channel();
        std::thread::scope(|scope| {
            let recharges = (self.options.recharges, begun, length);
            let buying = scope.spawn({
                let to = to.clone();
                move || self.asker.ask_steadily(recharges, |n| self.recharge(number, n), &to)
            });
            if asked && self.options.queries > 0 {
                let queries = (self.options.queries, begun, length);
                self.asker.ask_steadily(queries, |n| self.query(&owners, n), &to)?;
            }
            buying.join().map_err(|_| anyhow::anyhow!("the buyer has panicked"))?
        })?;
        std::thread::park_timeout(length.saturating_sub(begun.elapsed()));
        let (records, cpu, took) = (self.metering.sent()? - records, self.cpu()?.since(cpu), begun.elapsed());
        drop(to);
        let answers = answers.into_iter().collect();
        anyhow::ensure!(
            self.pair.rest(self.asker)? == owners,
            "partitions have moved in the middle of a round"
        );
        Ok(Round { answers, records, cpu, took })
    }

    fn cpu(&self) -> anyhow::Result<Cpu> {
        let [one, two] = &self.pair.products;
        Ok(Cpu::of(one.pid())? + Cpu::of(two.pid())?)
    }

    /// Every card comes to be asked for, of its owner and of the other in turn.
    fn query(&self, owners: &Owners, number: u64) -> anyhow::Result<(&'static str, Request)> {
        let card = spread(number, self.options.cards);
        let owner = owners[partition(card)? as usize];
        let (kind, at) = if number.is_multiple_of(2) { (LOCAL, owner) } else { (FORWARDED, 1 - owner) };
        let address = &self.pair.products[at].address;
        Ok((kind, get(&format!("{address}/v1/cards/{}", iccid(card)))?))
    }

    fn recharge(&self, round: u64, number: u64) -> anyhow::Result<(&'static str, Request)> {
        // Another card each time: one holds so many packages and no more.
        let a_round = self.options.recharges * self.options.seconds.max(self.options.warm_up);
        let card = iccid(spread(round * a_round + number, self.options.cards));
        let address = &self.pair.products[(number % 2) as usize].address;
        let paid_at = time::text(wall_ms() / 1_000);
        let body = json!({"order": format!("{round}-{number}"), "channel": "own", "mode": "immediate",
            "payment": {"provider": "h", "reference": format!("{round}-{number}"), "paid_at": paid_at},
            "package": {"kind": "base", "quota": "1MiB", "validity": {"days": 20}}});
        let url = format!("{address}/v1/cards/{card}/recharges");
        Ok((RECHARGE, post(&url, &[("prefer", "wait=30")], &body)?))
    }
}
