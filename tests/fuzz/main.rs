//! What others send, damaged: each decoder on mutated messages, files and records, and on what has broken one before.
//!
//! Mutations are seeded and printed, so a finding can be had again; it is also written to `tests/fuzz/corpus`, whose files every
//! ordinary run reads. `make fuzz` runs each target for a minute (`FUZZ_SECONDS`, `FUZZ_SEED`, `FUZZ_ONLY=ber,pack`),
//! the ordinary tests for some thousand mutations. Invariant: no octets whatever make a decoder panic, or give what
//! [`targets`] says it never gives.

#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

mod cases;
mod mutate;
mod targets;

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mutate::Mutator;
use targets::{TARGETS, Target};

/// Mutations of each target in the ordinary tests.
const SOME: u64 = 3_000;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

/// Runs one input; what it breaks is kept as a file, and named.
fn run(target: &Target, input: &[u8], seed: u64) {
    let (check, input) = (target.check, input.to_vec());
    let Err(panic) = catch_unwind(|| check(&input)) else { return };
    let path = corpus().join(format!("{}-{seed:016x}", target.name));
    std::fs::write(&path, &input).unwrap();
    eprintln!("{} with seed {seed}: kept as {}", target.name, path.display());
    std::panic::resume_unwind(panic);
}

/// Mutates until told to stop; answers how many there were.
fn fuzz(target: &Target, seed: u64, mut go_on: impl FnMut(u64) -> bool) -> u64 {
    let seeds = (target.seeds)();
    let mut mutator = Mutator::new(seed, target.is_binary);
    let mut count = 0;
    while go_on(count) {
        let input = mutator.mutated(&seeds);
        run(target, input, seed);
        count += 1;
    }
    count
}

#[test]
fn what_has_broken_a_decoder_once_does_not_again() {
    for file in std::fs::read_dir(corpus()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some((of, _)) = name.rsplit_once('-') else { continue };
        let target = TARGETS.iter().find(|target| target.name == of);
        let target = target.unwrap_or_else(|| panic!("{name} is of no target"));
        (target.check)(&std::fs::read(&path).unwrap());
    }
}

#[test]
fn no_mutation_breaks_a_decoder() {
    for target in &TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for seed in &seeds {
            run(target, seed, 0);
        }
        fuzz(target, 1, |count| count < SOME);
    }
}

/// Mutations that only make noise would prove nothing: these meet every way in which a record of a node is refused.
#[test]
fn mutations_meet_every_refusal() {
    let mut unmet: Vec<&str> = targets::REFUSALS.to_vec();
    let (seeds, mut mutator) = (targets::nodes_records(), Mutator::new(7, true));
    let mut read = 0;
    for _ in 0..20 * SOME {
        match targets::refusal(mutator.mutated(&seeds)) {
            Some(refusal) => unmet.retain(|kind| !refusal.contains(kind)),
            None => read += 1,
        }
    }
    assert_eq!(unmet, [""; 0], "not met in {} mutations", 20 * SOME);
    assert!(read > SOME, "most are to be read, or little of the decoder is: {read}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a run of so many seconds, as the caller says")]
#[ignore = "a minute a target: make fuzz"]
fn no_mutation_breaks_a_decoder_for_long() {
    let number = |name: &str, unsaid: u64| {
        std::env::var(name).map_or(unsaid, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    let time = Duration::from_secs(number("FUZZ_SECONDS", 60));
    let seed = number("FUZZ_SEED", u64::from(std::process::id()));
    let only = std::env::var("FUZZ_ONLY").unwrap_or_default();
    let only: Vec<&str> = only.split(',').filter(|name| !name.is_empty()).collect();
    for name in &only {
        assert!(TARGETS.iter().any(|target| target.name == *name), "FUZZ_ONLY: no target {name:?}");
    }
    for target in TARGETS.iter().filter(|target| only.is_empty() || only.contains(&target.name)) {
        let begun = Instant::now();
        let count = fuzz(target, seed, |_| begun.elapsed() < time);
        println!("{:<16} seed {seed}: {count} executions in {} s", target.name, time.as_secs());
    }
}
