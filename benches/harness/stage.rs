//! One stage as a child process: runs to its goal and prints what it took.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};

use crate::stages;

/// Which stage, over which topics, to which goal.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Which.
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    #[arg(long)]
    pub(crate) brokers: String,
    #[arg(long)]
    pub(crate) prefix: String,
    /// Records to take up before the stage ends.
    #[arg(long)]
    pub(crate) goal: u64,
}

/// The stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Ingest as it is.
    Ingest,
    /// Batch consume + JSON decode + pack + produce.
    IngestFloor,
    /// A worker as it is.
    Meter,
    /// Consume packs + decode + one table add.
    MeterFloor,
}

/// What a stage took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Took {
    pub(crate) records: u64,
    /// CPU of all threads, nanoseconds.
    pub(crate) cpu_ns: u64,
    pub(crate) wall_ns: u64,
    /// Resident memory at the end, bytes.
    pub(crate) resident: u64,
}

impl Took {
    pub(crate) fn cpu_per_record(&self) -> f64 {
        self.cpu_ns as f64 / self.records.max(1) as f64
    }

    pub(crate) fn records_per_s(&self) -> f64 {
        self.records as f64 * 1e9 / self.wall_ns.max(1) as f64
    }
}

/// Runs a stage in a child.
pub(crate) fn spawn(kind: Kind, brokers: &str, prefix: &str, goal: u64) -> anyhow::Result<Took> {
    let name = clap::ValueEnum::to_possible_value(&kind).context("every stage has a name")?;
    let output = Command::new(std::env::current_exe()?)
        .args([
            "stage",
            name.get_name(),
            "--brokers",
            brokers,
            "--prefix",
            prefix,
            "--goal",
            &goal.to_string(),
        ])
        .stderr(Stdio::inherit())
        .output()?;
    anyhow::ensure!(output.status.success(), "stage {} failed", name.get_name());
    serde_json::from_slice(&output.stdout).context("what the stage prints")
}

/// Runs a stage here, and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let took = match options.kind {
        Kind::Ingest => stages::ingest(options)?,
        Kind::IngestFloor => stages::ingest_floor(options)?,
        Kind::Meter => stages::meter(options)?,
        Kind::MeterFloor => stages::meter_floor(options)?,
    };
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

/// From now on.
pub(crate) struct Watch {
    cpu: ProcessTime,
    wall: std::time::Instant,
}

impl Watch {
    #[allow(clippy::disallowed_methods, reason = "a harness measures")]
    pub(crate) fn start() -> Self {
        Self { cpu: ProcessTime::now(), wall: std::time::Instant::now() }
    }

    pub(crate) fn took(&self, records: u64) -> Took {
        Took {
            records,
            cpu_ns: self.cpu.elapsed().as_nanos() as u64,
            wall_ns: self.wall.elapsed().as_nanos() as u64,
            resident: resident(),
        }
    }
}

/// Of this process, bytes.
pub(crate) fn resident() -> u64 {
    resident_of("self")
}

/// Of a process by its number, bytes; 0 when it is gone.
pub(crate) fn resident_of(process: &str) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}
