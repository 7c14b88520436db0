//! Seeded crashes of the whole program, judged by an auditor that shares no code with it.

use tidegauge::simulate::{self, Fault, Options, Summary};

/// Seeds of one run of the tests; `make simulate` runs more.
const SEEDS: u64 = 300;
/// Seeds within which each planted fault must be found.
const SEEDS_A_FAULT: u64 = 200;

fn run(options: Options) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    simulate::run(&Options { threads, ..options }, &|_| ())
}

#[test]
fn no_seed_loses_doubles_or_invents_anything() {
    let summary = run(Options { seeds: SEEDS, first: 1, fault: None, threads: 1 });
    for outcome in &summary.failed {
        println!("{outcome}");
    }
    assert_eq!(summary.seeds, SEEDS);
    assert!(summary.failed.is_empty(), "{} of {SEEDS} seeds fail", summary.failed.len());
}

#[test]
fn every_planted_fault_is_found() {
    let missed: Vec<&str> = Fault::ALL
        .into_iter()
        .filter(|fault| {
            let found = |seed| !simulate::run_seed(seed, Some(*fault)).findings.is_empty();
            !(1..=SEEDS_A_FAULT).any(found)
        })
        .map(Fault::name)
        .collect();
    assert!(missed.is_empty(), "not found within {SEEDS_A_FAULT} seeds: {missed:?}");
}

#[test]
fn one_seed_makes_one_world() {
    for seed in [1, 7, 42] {
        let (first, second) = (simulate::run_seed(seed, None), simulate::run_seed(seed, None));
        assert_eq!(first, second, "tidegauge simulate --seed {seed}");
    }
}
