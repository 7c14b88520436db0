//! Gaps of nodes' numbers in a topic on a real Kafka, with the instance away while records are lost: each is named once,
//! and what is open stays open, as two other readers found it in the file (`expected.json`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegauge::ingest::pgw::{Pieces, UsageRecord, decode};

use crate::carrier;
use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::make_topic;

const FILE: &str = "pgw-32297.cdr";
const TOPIC: &str = "carriers.numbers";
/// 2026-08-06: after the newest record.
const SENT_MS: i64 = 1_785_974_400_000;
/// Whose records are lost while nobody reads, and how many.
const NODE: &str = "PGW01-GZ";
const LOST: usize = 5;

/// Numbers missing by node.
type Missing = BTreeMap<String, BTreeSet<u64>>;

fn core(running: &Running<'_>) -> Value {
    let feeds = running.ask("/v1/feeds").json()["feeds"].clone();
    let feed = feeds.as_array().expect("feeds").iter().find(|feed| feed["feed"] == "core").cloned();
    feed.unwrap_or_default()
}

/// The numbers of gaps that are open, those in them included that have come since.
fn open(running: &Running<'_>) -> Missing {
    let mut missing = Missing::new();
    for gap in core(running)["readers"][0]["gaps_open"].as_array().into_iter().flatten() {
        let number = |name: &str| gap[name].as_u64().expect("a number");
        let node = gap["node"].as_str().expect("a node").to_owned();
        missing.entry(node).or_default().extend(number("first")..=number("last"));
    }
    missing
}

/// How many numbers are missing in all.
fn still_missing(running: &Running<'_>) -> u64 {
    let reader = core(running)["readers"][0].clone();
    let gaps = reader["gaps_open"].as_array().into_iter().flatten();
    gaps.map(|gap| gap["missing"].as_u64().expect("a count")).sum()
}

/// Whether just these are missing.
fn is_open(running: &Running<'_>, expected: &Missing) -> bool {
    let open = open(running);
    let is_in =
        |(node, numbers): (&String, &BTreeSet<u64>)| open.get(node).is_some_and(|o| o.is_superset(numbers));
    expected.iter().all(is_in)
        && still_missing(running) == expected.values().map(|n| n.len() as u64).sum::<u64>()
}

/// Ids of what was told, each as often as it was.
fn told(deployment: &Deployment, kind: &str) -> Vec<String> {
    let id = |value: &[u8]| {
        let event: Value = serde_json::from_slice(value).expect("JSON");
        event["id"].as_str().expect("text").to_owned()
    };
    let messages = deployment.messages("feed.events");
    let ids = messages.iter().map(|message| id(&message.value));
    ids.filter_map(|id| id.strip_prefix(&format!("feed.gap.{kind}/")).map(str::to_owned)).collect()
}

fn once(ids: &[String]) -> BTreeSet<String> {
    let set: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "something was told twice: {ids:?}");
    set
}

#[test]
fn what_is_lost_of_a_topic_while_ingest_is_away_is_named_once_and_stays_open_over_restarts() {
    let deployment = Deployment::new("numbers");
    let block = format!(
        "[[feeds]]\nid = \"core\"\nformat = \"pgw-cdr\"\ntopic = \"{TOPIC}\"\nkeyed_by_node = true\ngap_after_minutes = 0\n"
    );
    deployment.file("tidegauge.toml", &block);
    make_topic(TOPIC);
    let file = std::fs::read(carrier::path(FILE)).expect("test data");
    let mut record = UsageRecord::default();
    let mut all: Vec<(String, Option<u64>, &[u8])> = Vec::new();
    for piece in Pieces::new(&file) {
        decode(piece.bytes, piece.at, &mut record).expect("a record");
        all.push((record.node.clone(), record.local_number, piece.bytes));
    }
    let missing = carrier::expected(FILE)["missing_local_sequence_numbers"].clone();
    let mut expected: Missing = serde_json::from_value(missing).expect("numbers by node");
    expected.retain(|_, numbers| !numbers.is_empty());

    // Of the second half some are lost: the first of a node that come once, and not beside a number that is missing anyway.
    let (first, second) = all.split_at(all.len() / 2);
    let counts = |number: u64| all.iter().filter(|(node, n, _)| node == NODE && *n == Some(number)).count();
    let seen: BTreeSet<u64> =
        first.iter().filter(|(node, ..)| node == NODE).filter_map(|(_, n, _)| *n).collect();
    let newest = seen.last().copied().expect("its records");
    let lost: BTreeSet<u64> = (newest + 3..).filter(|number| counts(*number) == 1).take(LOST).collect();
    expected.entry(NODE.to_owned()).or_default().extend(&lost);
    let second = second.iter().filter(|(node, n, _)| node != NODE || n.is_none_or(|n| !lost.contains(&n)));

    let running = deployment.start();
    let bring = |records: &mut dyn Iterator<Item = &(String, Option<u64>, &[u8])>| {
        let messages: Vec<(&str, &[u8], i64)> =
            records.map(|(node, _, bytes)| (node.as_str(), *bytes, SENT_MS)).collect();
        let count = messages.len() as u64;
        deployment.send_to(TOPIC, messages);
        count
    };
    let read = |running: &Running<'_>| running.counter("tidegauge_ingest_read_total", &[("input", "feed")]);
    let sent = bring(&mut first.iter());
    eventually("the first half read", || (read(&running) == sent).then_some(()));
    assert_eq!(running.terminate().code(), Some(0), "{}", deployment.log());
    let sent = bring(&mut second.into_iter());
    let running = deployment.run(&[]);
    running.ready();
    eventually("the second half read", || (read(&running) == sent).then_some(()));
    eventually("the gaps", || is_open(&running, &expected).then_some(()));
    let opened = once(&told(&deployment, "opened"));
    let closed = once(&told(&deployment, "closed"));
    assert!(opened.is_superset(&closed), "nothing is closed that was not opened");
    assert_eq!(running.terminate().code(), Some(0), "{}", deployment.log());

    let running = deployment.run(&[]);
    running.ready();
    eventually("the gaps after another restart", || is_open(&running, &expected).then_some(()));
    // A record of those lost comes after all: its gap shrinks or is filled, and nothing is told anew.
    let late = *lost.first().expect("one was lost");
    bring(&mut all.iter().filter(|(node, n, _)| node == NODE && *n == Some(late)));
    let left: u64 = expected.values().map(|numbers| numbers.len() as u64).sum::<u64>() - 1;
    eventually("the late record taken out", || (still_missing(&running) == left).then_some(()));
    assert_eq!(once(&told(&deployment, "opened")), opened);
}
