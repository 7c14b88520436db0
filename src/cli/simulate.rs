//! `simulate`: seeds that must be clean, with what came up in them; or one with its whole trace.

use std::io::{IsTerminal as _, Write as _};
use std::thread::available_parallelism;

use anyhow::anyhow;

use super::args::SimulateArgs;
use super::exit::{Exit, Failed};
use crate::simulate::{self, Fault, Options, Outcome, Progress};
use crate::stdout::{self, say};

/// Failed seeds shown.
const SHOWN: usize = 10;

pub(super) fn run(args: &SimulateArgs) -> Result<Exit, Failed> {
    let fault = args.fault.as_deref().map(fault).transpose()?;
    match args.seed {
        Some(seed) => Ok(one(seed, fault)),
        None => Ok(many(args, fault)),
    }
}

fn fault(name: &str) -> Result<Fault, Failed> {
    let names: Vec<&str> = Fault::ALL.into_iter().map(Fault::name).collect();
    Fault::from_name(name)
        .ok_or_else(|| anyhow!("{name:?} is no fault; there are {}", names.join(", ")).into())
}

fn one(seed: u64, fault: Option<Fault>) -> Exit {
    let (lines, findings) = simulate::trace(seed, fault);
    for line in lines {
        say!("{line}");
    }
    for finding in &findings {
        say!("finding: {finding}");
    }
    if findings.is_empty() { Exit::Done } else { Exit::Failed }
}

fn many(args: &SimulateArgs, fault: Option<Fault>) -> Exit {
    let threads = args.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let options = Options { seeds: args.seeds, first: args.first, fault, threads };
    let summary = simulate::run(&options, &tell);
    eprintln!();
    stdout::raw(summary.coverage.to_string().as_bytes());
    say!("{} seeds, {} outside messages, {} failed", summary.seeds, summary.messages, summary.failed.len());
    summary.failed.iter().take(SHOWN).for_each(|outcome| show(outcome, fault));
    if summary.failed.is_empty() { Exit::Done } else { Exit::Failed }
}

fn tell(progress: Progress) {
    let mut err = std::io::stderr().lock();
    // At once: the rest may take an hour.
    if let Some(seed) = progress.failing {
        drop(writeln!(err, "\rseed {seed} failed; its trace: tidegauge simulate --seed {seed}"));
    }
    if err.is_terminal() || progress.done.is_multiple_of(1_000) {
        drop(write!(err, "\r{} of {} seeds, {} failed", progress.done, progress.of, progress.failed));
    }
}

fn show(outcome: &Outcome, fault: Option<Fault>) {
    for finding in outcome.findings.iter().take(SHOWN) {
        say!("seed {}: {finding}", outcome.seed);
    }
    let fault = fault.map_or(String::new(), |fault| format!(" --fault {}", fault.name()));
    say!("  again, with its trace: tidegauge simulate --seed {}{fault}", outcome.seed);
}
