//! Seeded crashes of the whole program, judged by an auditor that shares no code with it.

use tidegauge::model::EventBody;
use tidegauge::simulate::{self, Coverage, Fault, Group, Options, Summary};

/// Seeds of one run of the tests; `make simulate` runs more.
const SEEDS: u64 = 300;
/// Kinds of reasons that may be missing in so few: `tidegauge simulate --seeds 2000` sees them all, and names those it does not.
const RARE: usize = 12;
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
    everything_came_up(&summary.coverage);
}

/// An auditor that finds nothing proves nothing of what never happened. Seeds are what they are: what came up in them once
/// comes up always.
fn everything_came_up(coverage: &Coverage) {
    println!("{coverage}");
    for group in [Group::Event, Group::Outcome, Group::Ingest] {
        assert_eq!(coverage.missing(group), <[String; 0]>::default(), "never seen in {SEEDS} seeds");
    }
    for group in Group::ALL {
        assert_eq!(
            coverage.unlisted(group),
            <[&str; 0]>::default(),
            "{group:?} has no kind in simulate/coverage"
        );
    }
    let missing = [Group::Refusal, Group::SetAside].map(|group| coverage.missing(group).len());
    assert!(missing.iter().sum::<usize>() <= RARE, "{coverage}");
}

#[test]
fn every_event_of_the_schemas_is_looked_for() {
    let schemas =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/event")).expect("it is there");
    let named = schemas.map(|entry| entry.expect("it can be read").file_name().into_string().expect("text"));
    let mut named: Vec<String> = named.map(|name| name.trim_end_matches(".v1.json").to_owned()).collect();
    // Ingest's own events, which are of no card.
    named.retain(|name| name != "identity.conflict" && !name.starts_with("feed."));
    named.sort_unstable();
    let mut listed = EventBody::KINDS.to_vec();
    listed.sort_unstable();
    assert_eq!(listed, named);
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
