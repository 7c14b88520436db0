//! Recorded logs: each script's, and a sum over the bytes of the state that it leaves.
//!
//! `folds.txt` says under which [`FOLD_VERSION`] and [`STATE_LAYOUT`] the bytes are these. It is no specification: it notices
//! that a restore by another program would not give the state that was checkpointed.

use std::fmt::Write as _;

use tidegauge::meter::{FOLD_VERSION, STATE_LAYOUT};

use crate::script::Script;
use crate::world::World;
use crate::{folder, names};

/// Says by its presence that the sums are to be noted anew.
const NOTE: &str = "TIDEGAUGE_NOTE_FOLDS";

#[test]
fn the_state_has_the_bytes_that_its_versions_stand_for() {
    let versions = format!("fold version {FOLD_VERSION}, layout {STATE_LAYOUT}\n");
    let mut found = versions.clone();
    for name in names() {
        writeln!(found, "{:08x} {name}", fingerprint(name)).expect("memory takes text");
    }
    let path = folder().join("folds.txt");
    let noted = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os(NOTE).is_some() {
        std::fs::write(&path, found).expect("written");
        return;
    }
    let changed: Vec<&str> =
        found.lines().filter(|line| !noted.lines().any(|known| known == *line)).collect();
    assert!(
        changed.is_empty(),
        "another state than was noted: {changed:?}. If the same log now gives another state, raise FOLD_VERSION; if it is \
         only written otherwise, raise STATE_LAYOUT; if a script is another, neither. Then note the sums: {NOTE}=1"
    );
}

fn fingerprint(name: &str) -> u32 {
    let text = std::fs::read_to_string(folder().join(format!("{name}.script"))).expect("a script");
    let mut world = World::new();
    for step in Script::parse(&text).steps {
        world.run(&step.command).unwrap_or_else(|problem| panic!("{name}:{}: {problem}", step.line));
    }
    world.fingerprint()
}
