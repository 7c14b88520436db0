//! The whole on a real Kafka: CPU a record of ingest and of the meter, each beside its bare floor in the same run; alert
//! latency at a given rate; questions at a given rate; the pause after kill -9; resident bytes a card.
//!
//!     cargo bench --bench harness                      everything, about ten minutes
//!     cargo bench --bench harness -- throughput --records 1000000
//!     cargo bench --bench harness -- latency | queries | restart | failover | memory
//!     cargo bench --bench harness -- folder --records 50000000       files of a gateway; 8 GB of disk
//!     cargo bench --bench harness -- timers --packages 10000000      the meter alone; needs some 10 GB
//!
//! A stage is a child process of its own, so that its CPU time (all threads, librdkafka's too) is its own. Figures are
//! medians of the rounds; absolute times drift with the machine, ratios within a run do not.

mod asking;
mod broker;
#[path = "../../tests/support/counted.rs"]
mod counted;
mod cpu;
mod failover;
mod folder;
mod latency;
mod load;
mod pair;
#[path = "../../tests/support/pgw.rs"]
mod pgw;
mod product;
mod queries;
mod restart;
mod stage;
mod stages;
mod throughput;
mod timers;

use clap::{Args, Parser, Subcommand};

/// The whole on a real Kafka, beside bare floors.
#[derive(Debug, Parser)]
struct Cli {
    /// What to measure [default: everything].
    #[command(subcommand)]
    what: Option<What>,
    /// cargo's own flag; says nothing.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// CPU a record of ingest and of the meter, and of their floors.
    Throughput(Size),
    /// Outside record to alert, at a steady rate.
    Latency(latency::Options),
    /// Questions about cards and orders, of two instances, and what they cost the workers.
    Queries(queries::Options),
    /// kill -9 of one of two instances, and how long until the other answers for its cards.
    Failover(failover::Options),
    /// kill -9 of the only worker, and how long until it goes on.
    Restart(restart::Options),
    /// Resident bytes a card.
    Memory(Size),
    /// Files of P-GW records in a folder: records a CPU second, resident memory, lag.
    Folder(folder::Options),
    /// Packages that end in one second: seconds, packages a second, the greatest step, memory.
    Timers(timers::Options),
    /// One stage, run by the others.
    #[command(hide = true)]
    Stage(stage::Options),
}

/// How much of it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Size {
    /// Cards.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) cards: u32,
    /// CDRs.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) records: u64,
    /// Rounds; the median is printed.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let size = Size { cards: 100_000, records: 1_000_000, rounds: 3 };
    match Cli::parse().what {
        Some(What::Throughput(size)) => throughput::run(size),
        Some(What::Latency(options)) => latency::run(&options),
        Some(What::Queries(options)) => queries::run(&options),
        Some(What::Failover(options)) => failover::run(&options),
        Some(What::Restart(options)) => restart::run(&options),
        Some(What::Memory(size)) => throughput::memory(size),
        Some(What::Folder(options)) => folder::run(&options),
        Some(What::Timers(options)) => timers::run(&options),
        Some(What::Stage(options)) => stage::run(&options),
        None => {
            throughput::run(size)?;
            throughput::memory(Size { cards: 1_000_000, ..size })?;
            latency::run(&latency::Options::default())?;
            queries::run(&queries::Options::default())?;
            restart::run(&restart::Options::default())?;
            failover::run(&failover::Options::default())
        }
    }
}
