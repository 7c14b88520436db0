//! Modems' answers of `tests/data/modem` by `usage.modem` on a real Kafka: of each card what the two plain rules of its
//! SOURCE.md bound, and every byte by which the meter differs from either is in an event on `card.lifecycle`.
//!
//! Why not the figures of one rule: `lower` loses what a module counted after a restart, `from_zero` counts anew what a
//! counter had before it rolled back. The meter takes the first for a fall to an eighth or less, or for a session that says
//! that it begins, and neither for any other fall (`docs/rules.md` R2).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegauge::ingest::modem;

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::{SENT, SENT_MS};
use crate::fleet::{self, Card};

const CATALOGUE: &str = "version = 1\nlate_horizon_days = 35\ncalendar_from = \"2026-06-01\"\nown_channels = [\"web\"]\n\
    [[plans]]\nname = \"standard\"\n\
    [[carriers]]\nname = \"east\"\nzone = \"Asia/Shanghai\"\nanchor_day = 1\n";

/// Bytes sent and received.
type Both = [u64; 2];

fn data(name: &str) -> String {
    let path = format!("{}/tests/data/modem/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn figures(data: &Value, names: [&str; 2]) -> Both {
    names.map(|name| data[name].as_u64().unwrap_or_else(|| panic!("{name}: {data}")))
}

fn add(sum: &mut Both, more: Both) {
    *sum = [sum[0] + more[0], sum[1] + more[1]];
}

/// The answers as whoever polls modems sends them: ICCID and message.
fn messages() -> Vec<(String, Vec<u8>)> {
    let message = |line: &str| {
        let wrapped: Value = serde_json::from_str(line).expect("JSON");
        let message = modem::canonical(line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line}"));
        (wrapped["iccid"].as_str().expect("text").to_owned(), message)
    };
    data("readings.jsonl").lines().map(message).collect()
}

/// What sessions add that begin below the one before: they say themselves that they begin at zero.
fn begun(messages: &[(String, Vec<u8>)]) -> BTreeMap<String, Both> {
    let mut by_card: BTreeMap<&str, BTreeMap<String, (Both, String)>> = BTreeMap::new();
    for (card, message) in messages {
        let reading: Value = serde_json::from_slice(message).expect("JSON");
        let text = |name: &str| reading[name].as_str().unwrap_or_default().to_owned();
        let told = (figures(&reading, ["tx", "rx"]), text("session"));
        by_card.entry(card).or_default().entry(text("at")).or_insert(told);
    }
    let mut sums = BTreeMap::new();
    for (card, readings) in by_card {
        let told: Vec<_> = readings.values().collect();
        let sum: &mut Both = sums.entry(card.to_owned()).or_default();
        for pair in told.windows(2).filter(|pair| pair[0].1 != pair[1].1) {
            add(sum, [0, 1].map(|way| if pair[1].0[way] < pair[0].0[way] { pair[1].0[way] } else { 0 }));
        }
    }
    sums
}

/// How many are older than one that came before of the same card.
fn out_of_order(messages: &[(String, Vec<u8>)]) -> u64 {
    let (mut newest, mut late) = (BTreeMap::<&str, String>::new(), 0);
    for (card, message) in messages {
        let reading: Value = serde_json::from_slice(message).expect("JSON");
        let at = reading["at"].as_str().expect("a time").to_owned();
        let newest = newest.entry(card).or_default();
        late += u64::from(at < *newest);
        *newest = at.max(std::mem::take(newest));
    }
    late
}

/// What events of one kind say of each card's registers that fell: what they showed then.
fn fallen(deployment: &Deployment, kind: &str) -> BTreeMap<String, Both> {
    let mut sums: BTreeMap<String, Both> = BTreeMap::new();
    for message in deployment.messages("card.lifecycle") {
        let event: Value = serde_json::from_slice(&message.value).expect("JSON");
        if event["type"] != format!("io.tidegauge.counter.{kind}.v1") {
            continue;
        }
        let data = &event["data"];
        let (now, before) = (figures(data, ["tx", "rx"]), figures(data, ["before_tx", "before_rx"]));
        let card = event["subject"].as_str().expect("a card").to_owned();
        add(
            sums.entry(card).or_default(),
            [0, 1].map(|way| if now[way] < before[way] { now[way] } else { 0 }),
        );
    }
    sums
}

fn counted(running: &Running<'_>, card: &str) -> Both {
    let view = running.ask(&format!("/v1/cards/{card}")).json();
    let months = view["months"].as_array().unwrap_or_else(|| panic!("{view}"));
    let mut sum = [0; 2];
    for month in months {
        add(&mut sum, figures(month, ["modem_up", "modem_down"]));
    }
    sum
}

#[test]
fn modems_answers_are_metered_within_both_plain_rules_and_each_difference_is_told() {
    let deployment = Deployment::new("counters");
    let running = deployment.start();
    let (messages, expected) =
        (messages(), serde_json::from_str::<Value>(&data("expected.json")).expect("JSON"));
    let cards = expected["by_iccid"].as_object().expect("cards");
    let fleet: Vec<Card<'_>> =
        cards.keys().map(|iccid| Card { iccid, imsi: None, carrier: "east" }).collect();
    fleet::begin(&deployment, &running, CATALOGUE, &fleet, (SENT, SENT_MS));
    let send = |part: &[&(String, Vec<u8>)]| {
        deployment.send("usage.modem", part.iter().map(|(card, m)| (card.as_str(), m.as_slice(), SENT_MS)));
    };
    let readings = |outcome: Option<&str>| {
        let labels: Vec<_> =
            [("input", "reading")].into_iter().chain(outcome.map(|name| ("outcome", name))).collect();
        running.counter("tidegauge_records_total", &labels)
    };
    assert_eq!(expected["readings_in_file"], messages.len());
    // The first of each card before the others: once they are folded every card is known by name, and nothing waits for
    // that and comes behind what was sent after it.
    let mut met = BTreeSet::new();
    let (first, others): (Vec<_>, Vec<_>) = messages.iter().partition(|(card, _)| met.insert(card.clone()));
    send(&first);
    eventually("every card known", || (readings(None) == cards.len() as u64).then_some(()));
    send(&others);
    eventually("the readings folded", || (readings(None) == messages.len() as u64).then_some(()));
    let unique = expected["unique_by_iccid_and_time"].as_u64().expect("a count");
    let (repeats, late) = (messages.len() as u64 - unique, out_of_order(&messages));
    let found = ["counted", "duplicate", "late"].map(|name| readings(Some(name)));
    assert_eq!(found, [unique - late, repeats, late]);

    let (begun, restarted) = (begun(&messages), fallen(&deployment, "restarted"));
    let unexplained = fallen(&deployment, "unexplained");
    assert!(fallen(&deployment, "wrapped").is_empty(), "no counter of the data comes near 2^32");
    let of = |sums: &BTreeMap<String, Both>, card: &str| sums.get(card).copied().unwrap_or_default();
    for (card, figures_of) in cards {
        let (lower, zero) = (
            figures(figures_of, ["lower_tx", "lower_rx"]),
            figures(figures_of, ["from_zero_tx", "from_zero_rx"]),
        );
        let found = counted(&running, card);
        let (mut above, below) = (of(&restarted, card), of(&unexplained, card));
        add(&mut above, of(&begun, card));
        for way in 0..2 {
            assert_eq!(found[way], lower[way] + above[way], "{card}: above what increases alone come to");
            assert_eq!(
                found[way],
                zero[way] - below[way],
                "{card}: below counting from zero after each fall"
            );
        }
    }
    assert!(restarted.len() > 10 && unexplained.len() > 10, "both kinds of falls are in the file");
    assert!(deployment.messages("usage.dead-letter").is_empty());
}
