//! Outside record to alert at a steady rate: from the record's Kafka time to a `read_committed` consumer's hands.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use tidegauge::log::Topic;
use tidegauge::log::kafka::topics::Stamps;
use tidegauge::shell::{Clocks, wall_ms};

use crate::broker::{Broker, make_topics};
use crate::load::{Load, iccid};
use crate::product::{Product, follow, sell};

/// How fast, how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// CDRs a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Seconds at the same rate before: the broker compiles itself while it runs.
    #[arg(long, default_value_t = 40)]
    warm_up: u64,
    /// One record in so many makes an alert.
    #[arg(long, default_value_t = 100)]
    alert_every: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rate: 10_000, seconds: 30, warm_up: 40, alert_every: 100 }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let broker = Broker::start()?;
    let (brokers, prefix) = (broker.address.as_str(), "l.");
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let load = Load::new(brokers, prefix)?;
    let records = options.rate * (options.warm_up + options.seconds);
    let crossings = (records / options.alert_every) as u32;
    let _product = Product::start(brokers, prefix)?;
    sell(brokers, prefix, &load, crossings + 1)?;
    let seen = follow(brokers, prefix, Topic::Alerts)?;
    // The consumer is there once it has seen the last card's alert.
    load.crossing(u64::MAX / 2, crossings)?;
    load.flush()?;
    while seen.next(Duration::from_mins(2))?.iccid != iccid(crossings) {}
    let sent = send(options, &load, crossings)?;
    let (mut latencies, mut alerts) = (Vec::with_capacity(sent.len()), 0);
    while alerts < sent.len() {
        let alert = seen.next(Duration::from_mins(1))?;
        let Some(sent) = sent.get(&alert.iccid) else { continue };
        alerts += 1;
        latencies.extend(sent.measured.then(|| alert.at_ms - sent.at_ms));
    }
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    println!(
        "latency: {} alerts at {} records/s: p50 {} ms, p99 {} ms, greatest {} ms",
        latencies.len(),
        options.rate,
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}

/// When a card's threshold was crossed.
struct Sent {
    at_ms: i64,
    /// After the warm-up.
    measured: bool,
}

/// Sends at the rate; when each card crossed.
fn send(options: &Options, load: &Load, crossings: u32) -> anyhow::Result<HashMap<String, Sent>> {
    let clocks = Clocks::start();
    let mut sent = HashMap::new();
    for number in 0..options.rate * (options.warm_up + options.seconds) {
        while (clocks.steady_ms() as u64) * options.rate / 1_000 <= number {
            load.poll();
            std::thread::park_timeout(Duration::from_micros(500));
        }
        let card = (number / options.alert_every) as u32;
        if number.is_multiple_of(options.alert_every) && card < crossings {
            let measured = number >= options.rate * options.warm_up;
            sent.insert(iccid(card), Sent { at_ms: wall_ms(), measured });
            load.crossing(number, card)?;
        } else {
            load.cdr(number, (number % u64::from(crossings)) as u32, 1_000)?;
        }
    }
    load.flush()?;
    Ok(sent)
}
