//! `simulate`: seeds that must be clean, with what came up in them; or one with its whole trace.

use std::io::{IsTerminal as _, Write as _};
use std::thread::available_parallelism;

use anyhow::anyhow;
use serde_json::{Map, Value, json};

use super::args::SimulateArgs;
use super::exit::{Exit, Failed};
use crate::simulate::{self, Coverage, Fault, Finding, Group, Options, Outcome, Progress, Summary};
use crate::stdout::{self, say};

/// Failed seeds shown.
const SHOWN: usize = 10;

pub(super) fn run(args: &SimulateArgs, json: bool) -> Result<Exit, Failed> {
    let fault = args.fault.as_deref().map(fault).transpose()?;
    match args.seed {
        Some(seed) => Ok(one(seed, fault, json)),
        None => Ok(many(args, fault, json)),
    }
}

fn fault(name: &str) -> Result<Fault, Failed> {
    let names: Vec<&str> = Fault::ALL.into_iter().map(Fault::name).collect();
    let no_fault = || Failed::usage(anyhow!("{name:?} is no fault; there are {}", names.join(", ")));
    Fault::from_name(name).ok_or_else(no_fault)
}

fn one(seed: u64, fault: Option<Fault>, json: bool) -> Exit {
    let (lines, findings) = simulate::trace(seed, fault);
    if json {
        say!("{}", json!({ "seed": seed, "trace": lines, "findings": texts(&findings) }));
    } else {
        for line in &lines {
            say!("{line}");
        }
        for finding in &findings {
            say!("finding: {finding}");
        }
    }
    if findings.is_empty() { Exit::Done } else { Exit::Failed }
}

fn many(args: &SimulateArgs, fault: Option<Fault>, json: bool) -> Exit {
    let threads = args.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let options = Options { seeds: args.seeds, first: args.first, fault, threads };
    let summary = simulate::run(&options, &tell);
    eprintln!();
    if json {
        say!("{:#}", document(&summary));
    } else {
        stdout::raw(summary.coverage.to_string().as_bytes());
        say!(
            "{} seeds, {} outside messages, {} failed",
            summary.seeds,
            summary.messages,
            summary.failed.len()
        );
        summary.failed.iter().take(SHOWN).for_each(|outcome| show(outcome, fault));
    }
    if summary.failed.is_empty() { Exit::Done } else { Exit::Failed }
}

fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// What the run came to, for programs.
fn document(summary: &Summary) -> Value {
    let failed =
        summary.failed.iter().map(|one| json!({ "seed": one.seed, "findings": texts(&one.findings) }));
    json!({
        "seeds": summary.seeds, "messages": summary.messages, "failed": failed.collect::<Vec<_>>(),
        "seen": by_group(|group| counts(&summary.coverage, group).into()),
        "never_seen": by_group(|group| json!(summary.coverage.missing(group))),
    })
}

fn counts(coverage: &Coverage, group: Group) -> Map<String, Value> {
    coverage.counts(group).map(|(name, times)| (name.to_owned(), times.into())).collect()
}

fn by_group(of: impl Fn(Group) -> Value) -> Value {
    let key = |group| match group {
        Group::Event => "events",
        Group::Outcome => "meter_outcomes",
        Group::Ingest => "ingest_outcomes",
        Group::Refusal => "refusals",
        Group::SetAside => "set_aside",
    };
    Group::ALL.into_iter().map(|group| (key(group).to_owned(), of(group))).collect::<Map<_, _>>().into()
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
