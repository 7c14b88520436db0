//! Many seeds on several threads, and one seed with its trace.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::world::World;
use super::{Coverage, Fault, Finding, audit};
use crate::log::sim::Trace;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many seeds.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// A fault to plant.
    pub fault: Option<Fault>,
    /// At least one.
    pub threads: usize,
}

/// What one seed came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    /// Hash of everything that happened at the log.
    pub trace: u64,
    /// Outside messages sent.
    pub messages: usize,
    pub findings: Vec<Finding>,
    /// What came up.
    pub coverage: Coverage,
}

/// What all seeds came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub seeds: u64,
    pub messages: u64,
    /// Seeds with findings, ascending.
    pub failed: Vec<Outcome>,
    /// What came up in any of them.
    pub coverage: Coverage,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub done: u64,
    pub failed: u64,
    pub of: u64,
    /// The seed that was just run, if it failed.
    pub failing: Option<u64>,
}

/// Runs seeds; `progress` is called after each, from any thread.
pub fn run(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Summary {
    let (next, summary) = (AtomicU64::new(0), Mutex::new(Summary::default()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= options.seeds {
                return;
            }
            let outcome = run_seed(options.first.wrapping_add(at), options.fault);
            let failing = (!outcome.findings.is_empty()).then_some(outcome.seed);
            let mut sum = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            sum.add(outcome);
            let failed = sum.failed.len() as u64;
            progress(Progress { done: sum.seeds, failed, of: options.seeds, failing });
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.failed.sort_by_key(|outcome| outcome.seed);
    summary
}

impl std::fmt::Display for Outcome {
    /// The command that replays it, and what was found.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tidegauge simulate --seed {}", self.seed)?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n    {finding}"))
    }
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.messages += outcome.messages as u64;
        self.coverage.merge(&outcome.coverage);
        if !outcome.findings.is_empty() {
            self.failed.push(outcome);
        }
    }
}

/// Runs one world and audits it.
#[must_use]
pub fn run_seed(seed: u64, fault: Option<Fault>) -> Outcome {
    let evidence = World::new(seed, fault, Trace::default()).run();
    let findings = audit::judge(&evidence);
    let coverage = Coverage::of(&evidence);
    Outcome { seed, trace: evidence.sim.trace_hash(), messages: evidence.sent.len(), findings, coverage }
}

/// Runs one world and gives everything that happened, line by line, and what the auditor finds.
#[must_use]
pub fn trace(seed: u64, fault: Option<Fault>) -> (Vec<String>, Vec<Finding>) {
    let evidence = World::new(seed, fault, Trace::with_lines()).run();
    (evidence.sim.trace_lines(), audit::judge(&evidence))
}
