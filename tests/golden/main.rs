//! Golden scripts: what the meter does, command by command, as a specification that a person can check.
//!
//! A script under `tests/golden/` is a list of commands, each with the exact trace that must follow it; the comments
//! say why the figures are right. The figures were worked out by hand from `docs/rules.md`, not taken from the program, and so
//! there is no switch that writes them anew. Every command is one message of the log and goes through a pack's bytes.
//!
//! After each script the whole log is folded again from every checkpoint that could have been taken on the way, and must
//! give the same chunks, byte for byte; every event id must be unique; the ledger must add up after every message.
//!
//! The logs of all scripts are also the recorded logs by which a change of the fold is noticed: `folds.txt`.

mod catalogue;
mod folds;
mod opening;
mod rules;
mod script;
mod show;
mod words;
mod world;

use std::path::{Path, PathBuf};

use script::Script;
use world::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn holds(name: &str) {
    let path = folder().join(format!("{name}.script"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut world = World::new();
    let mut wrong = Vec::new();
    for step in Script::parse(&text).steps {
        let trace = world.run(&step.command).unwrap_or_else(|problem| {
            panic!("{}:{}: {}: {problem}", path.display(), step.line, step.command)
        });
        if trace != step.expected {
            wrong.push(format!("{name}.script:{}: > {}\n  expected", step.line, step.command));
            wrong.extend(step.expected.iter().map(|line| format!("    {line}")));
            wrong.push("  got".to_owned());
            wrong.extend(trace.iter().map(|line| format!("    {line}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    world.replays_from_every_checkpoint();
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { holds(stringify!($name)); })*

        fn names() -> impl Iterator<Item = &'static str> {
            [$(stringify!($name)),*].into_iter()
        }

        #[test]
        fn every_script_is_run() {
            let listed: Vec<_> = names().collect();
            for entry in std::fs::read_dir(folder()).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "script") {
                    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                    assert!(listed.contains(&name.as_str()), "{name}.script is not listed in main.rs");
                }
            }
        }
    };
}

scripts! {
    split_over_midnight
    split_in_summer_time
    identity
    bounds
    lateness
    used_of_a_day
    closing
    calendars
    whole_by_rule
    whole_as_a_cycle_begins
    declared
    declared_in_time
    whole_in_two_zones
    corrections
    restated
    restated_when_idle
    restated_without_line
    longer_horizon
    restated_mark
    posted_before_close
    left_at_the_end
    opening
    opening_past
    opening_refused
    opened_then_idle
    burn_in_event_order
    cut_near_now
    alerts
    alert_kinds
    alerts_by_time
    rules_anew
    rules_at_once
    silent_for_long
    silent_while_stopped
    silent_or_not
    silent_and_lowered
    forecast
    credits
    recharges
    long_lived
    renewals
    chain_with_a_gap
    warned_at_a_hand_over
    quota_each_cycle
    timers
    readings
    falls
    day_totals
    cycle_totals
    one_source
    told_days
    told_cycles
    told_while_stopped
    another_carrier
    commands
    states
    stopped_when_empty
    suspended_by_expiry
    bought_for_the_next_cycle
    same_second
    carrier_confirms
    cancelled
    cancelled_corrected
    voids
    overage_paid_back
    overage_of_its_cycle
}
