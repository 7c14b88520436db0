//! Two instances on a real Kafka: each answers for every card, and the one that is left answers for all.

use serde_json::json;
use tidegauge::shell::Clocks;

use crate::deployment::{Deployment, Running};
use crate::eventually;

const CATALOGUE: &str = "version = 1\nown_channels = [\"web\"]\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\n\
    anchor_day = 1\n[[plans]]\nname = \"standard\"\n";
/// Enough for every partition to have some.
const CARDS: u64 = 24;

fn iccid(card: u64) -> String {
    format!("{}", 8_986_000_000_000_000_000 + card)
}

fn register(running: &Running<'_>, card: u64) {
    let body = json!({"card": iccid(card), "channel": "web", "carrier": "east", "plan": "standard"});
    let taken = running.order("POST", "/v1/cards", &[("Prefer", "wait=30")], &body.to_string());
    assert_eq!(taken.status, 200, "{taken:?}");
}

/// Whether an instance answers for all cards, from memory.
fn answers(running: &Running<'_>) -> bool {
    (0..CARDS).all(|card| {
        let answer = running.get(&format!("/v1/cards/{}", iccid(card)));
        let usage = running.get(&format!("/v1/cards/{}/usage?from=2026-01-01&to=2026-01-31", iccid(card)));
        answer.is_some_and(|answer| answer.status == 200 && answer.json()["source"] == "memory")
            && usage.is_some_and(|usage| usage.status == 200 && usage.json()["memory"]["stale"] == false)
    })
}

fn holds(running: &Running<'_>) -> usize {
    let partitions = running.ask("/v1/partitions").json();
    let running = |partition: &&serde_json::Value| partition["state"] == "running";
    partitions.as_array().map_or(0, |all| all.iter().filter(running).count())
}

#[test]
fn every_instance_answers_for_every_card() {
    let first = Deployment::new("instances").with("TIDEGAUGE_CLOCK", "log");
    let first = first.with("TIDEGAUGE_KAFKA_SESSION_TIMEOUT_MS", "2000");
    let catalogue = first.file("catalogue.toml", CATALOGUE);
    let one = first.start();
    first.tell(&["catalogue", "apply", "--no-wait", &catalogue.to_string_lossy()]);
    (0..CARDS).for_each(|card| register(&one, card));
    let second = first.second();
    let two = second.run(&[]);
    eventually("both to hold partitions", || (holds(&one) > 0 && holds(&two) > 0).then_some(()));
    eventually("both to answer for all cards", || (answers(&one) && answers(&two)).then_some(()));
    assert!(holds(&one) < 4, "no instance holds all, so some answers came from the other");

    let missing = two.ask("/v1/cards/8986009999999999999");
    assert_eq!(missing.status, 404, "the owner's answer, whoever was asked: {missing:?}");

    drop(two);
    let killed = Clocks::start();
    eventually("the first to answer for all cards", || answers(&one).then_some(()));
    println!("an instance killed: its cards are answered again after {} ms", killed.steady_ms());
}
