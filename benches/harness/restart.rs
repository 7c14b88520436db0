//! kill -9 of the only instance, and the time from its start under the same name to the next alert.

use std::time::Duration;

use clap::Args;
use tidegauge::log::Topic;
use tidegauge::log::kafka::topics::Stamps;
use tidegauge::shell::Clocks;

use crate::broker::{Broker, make_topics};
use crate::load::{Load, iccid};
use crate::product::{Product, follow, sell};
use crate::throughput::median;

/// How many cards, how often.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Cards in the state.
    #[arg(long, default_value_t = 100_000)]
    cards: u32,
    /// Kills.
    #[arg(long, default_value_t = 5)]
    kills: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { cards: 100_000, kills: 5 }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let broker = Broker::start()?;
    let (brokers, prefix) = (broker.address.as_str(), "k.");
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let load = Load::new(brokers, prefix)?;
    let mut product = Product::start(brokers, prefix)?;
    sell(brokers, prefix, &load, options.cards)?;
    load.cdrs(options.cards, u64::from(options.cards))?;
    let seen = follow(brokers, prefix, Topic::Alerts)?;
    let cross = |card: u32| -> anyhow::Result<()> {
        load.crossing(u64::MAX / 2 + u64::from(card), card)?;
        load.flush()
    };
    cross(0)?;
    while seen.next(Duration::from_mins(2))?.iccid != iccid(0) {}
    let mut pauses = Vec::new();
    for kill in 1..=options.kills {
        product.kill()?;
        cross(kill)?;
        let clocks = Clocks::start();
        product = Product::start(brokers, prefix)?;
        while seen.next(Duration::from_mins(2))?.iccid != iccid(kill) {}
        pauses.push(clocks.steady_ms() as f64 / 1_000.0);
    }
    let longest = pauses.iter().copied().fold(0.0, f64::max);
    println!(
        "restart: {} cards, {} × kill -9: goes on {:.1} s after its start (median; longest {longest:.1} s)",
        options.cards,
        options.kills,
        median(pauses)
    );
    Ok(())
}
