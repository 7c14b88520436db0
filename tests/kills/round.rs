//! The round: processes die under load, and at the end every number and every event is there once.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use tidegauge::log::Topic;
use tidegauge::shell::wall_ms;

use crate::Size;
use crate::fleet::Fleet;
use crate::place::{Place, ask};
use crate::process::Process;
use crate::seen;
use crate::support::Patience;

const SEED: u64 = 7;
const REST: Duration = Duration::from_mins(3);
/// Longer than the session of a member.
const AWAY: Duration = Duration::from_secs(3);
/// Of the load between two kills.
const SLICES: u64 = 8;

#[test]
fn killed_processes_count_everything_once_and_tell_everything_once() {
    let size = Size::chosen();
    let Some(place) = Place::make("kills") else {
        println!("SKIPPED: no ClickHouse engine here");
        return;
    };
    let mut fleet = Fleet::new(size.cards, size.records, SEED, wall_ms() / 1000);
    let mut processes = ["a", "b"].map(|name| Process::start(&place.variables, name));
    born(&place, &fleet, &processes);
    let begun = wall_ms();
    kill_under_load(&place, &mut fleet, &mut processes, size);
    let sent = wall_ms();
    place.rest(&processes, REST);
    println!(
        "{} records, {} kills: sent within {} ms, at rest {} ms later",
        fleet.load.len(),
        size.kills,
        sent - begun,
        wall_ms() - sent
    );
    judge(&place, &fleet, &processes);
    processes.iter_mut().for_each(Process::stop);
    let verified = place.variables.run(&["verify"]);
    println!("{verified}");
    assert!(!verified.contains("NOT CLEAN"));
}

/// Registers the fleet and waits for its first packages.
fn born(place: &Place, fleet: &Fleet, processes: &[Process]) {
    place.apply(&fleet.catalogue());
    place.send(&fleet.birth());
    place.rest(processes, REST);
    assert!(wall_ms() / 1000 < fleet.born_by(), "too slow: usage would come before its package");
}

/// Sends the load in slices at an uneven pace. In each part of it, one or the other process dies between two slices: it is
/// back at once, or so late that the other has taken its partitions.
fn kill_under_load(place: &Place, fleet: &mut Fleet, processes: &mut [Process; 2], size: Size) {
    let load = std::mem::take(&mut fleet.load);
    for (part_number, part) in load.chunks(load.len().div_ceil(size.kills)).enumerate() {
        let (victim, fatal) = (fleet.dice(2) as usize, fleet.dice(SLICES));
        for (number, slice) in (0..).zip(part.chunks(part.len().div_ceil(SLICES as usize))) {
            let pause = Patience::of(Duration::from_millis(fleet.dice(2 * size.pause_ms / SLICES)));
            place.send(slice);
            pause.wait();
            if number == fatal {
                processes[victim].kill();
                if part_number % 2 == 1 {
                    Patience::of(AWAY).wait();
                }
                processes[victim].restart();
            }
        }
    }
    fleet.load = load;
}

fn judge(place: &Place, fleet: &Fleet, processes: &[Process]) {
    let answers = ask(processes, fleet);
    let mut months = fleet.months();
    months.retain(|_, used| *used > 0);
    same("cycles as HTTP answers", &answers.months, &months);
    let mut days = fleet.days();
    days.retain(|_, used| *used > 0);
    same("days as HTTP answers", &answers.days, &days);
    same("burnt bytes", &answers.burnt, &fleet.burnt());
    let mut events = seen::events(&place.cluster, Topic::Alerts);
    events.extend(seen::events(&place.cluster, Topic::Activations));
    same("alerts and activations", &seen::counted(&events), &fleet.events());
    same("card_month_now", &place.months(), &months);
}

/// Says what differs, not all there is.
fn same<K: Ord + Debug, V: PartialEq + Debug>(what: &str, found: &BTreeMap<K, V>, expected: &BTreeMap<K, V>) {
    assert!(!expected.is_empty(), "{what}: nothing is expected");
    let keys = found.keys().chain(expected.keys().filter(|key| !found.contains_key(*key)));
    let differ = keys.filter(|key| found.get(*key) != expected.get(*key));
    let differ: Vec<_> = differ.map(|key| (key, found.get(key), expected.get(key))).collect();
    let some = &differ[..differ.len().min(10)];
    assert!(differ.is_empty(), "{what}: {} differ (key, found, expected): {some:#?}", differ.len());
    println!("{what}: {} as expected", expected.len());
}
