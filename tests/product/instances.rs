//! Two instances on a real Kafka: each answers for every card, and the one that is left answers for all.

use serde_json::json;
use tidegauge::shell::Clocks;

use crate::deployment::{Deployment, Running};
use crate::events::Client;
use crate::eventually;

const CATALOGUE: &str = "version = 1\nown_channels = [\"web\"]\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\n\
    anchor_day = 1\n[[plans]]\nname = \"standard\"\n";
/// Enough for every partition to have some.
const CARDS: u64 = 24;

fn iccid(card: u64) -> String {
    format!("{}", 8_986_000_000_000_000_000 + card)
}

fn imsi(card: u64) -> String {
    format!("{}", 460_000_000_000_000 + card)
}

/// Those of the first card are the IMSI of the second.
fn msisdn(card: u64) -> String {
    if card == 0 { imsi(1) } else { format!("{}", 8_613_800_000_000 + card) }
}

fn register(running: &Running<'_>, card: u64) {
    let body = json!({"card": iccid(card), "channel": "web", "carrier": "east", "plan": "standard",
        "imsi": imsi(card), "msisdn": msisdn(card)});
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

    for running in [&one, &two] {
        by_number(running);
        fleet(running);
    }

    events(&one, &two);

    let missing = two.ask("/v1/cards/8986009999999999999");
    assert_eq!(missing.status, 404, "the owner's answer, whoever was asked: {missing:?}");

    drop(two);
    let killed = Clocks::start();
    eventually("the first to answer for all cards", || answers(&one).then_some(()));
    println!("an instance killed: its cards are answered again after {} ms", killed.steady_ms());
}

/// Who follows at the second, which began behind the ends of the transactions that the first heard the events of, goes on at
/// the first though nothing further happens.
fn events(one: &Running<'_>, two: &Running<'_>) {
    let no_place = [("Accept", "text/event-stream"), ("Last-Event-ID", "none")];
    let begun = || two.order("GET", "/v1/events", &no_place, "").status == 400;
    eventually("the second to hear events", || begun().then_some(()));
    let place = Client::open(two, "/v1/events", None).place().to_owned();
    Client::open(one, "/v1/events", Some(&place));
}

/// Every card goes by its numbers too, but for one that could mean two cards.
fn by_number(running: &Running<'_>) {
    let named = |name: &str| running.ask(&format!("/v1/cards/{name}"));
    for card in 1..CARDS {
        for name in [format!("imsi:{}", imsi(card)), format!("msisdn:%2B{}", msisdn(card)), msisdn(card)] {
            let answer = named(&name);
            assert_eq!(
                (answer.status, &answer.json()["card"]),
                (200, &json!(iccid(card))),
                "{name}: {answer:?}"
            );
        }
    }
    let ambiguous = named(&imsi(1));
    let problem = ambiguous.json();
    assert_eq!((ambiguous.status, &problem["type"]), (409, &json!("urn:tidegauge:problem:ambiguous")));
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains(&iccid(0)) && detail.contains(&iccid(1)), "{detail}");
    assert_eq!(named(&format!("msisdn:{}", imsi(1))).json()["card"], json!(iccid(0)));
    assert_eq!(named("imsi:1").status, 404);
    let key = [("Idempotency-Key", "by-number"), ("Prefer", "wait=30")];
    let path = format!("/v1/cards/imsi:{}/credits", imsi(2));
    let given = running.order("POST", &path, &key, "{\"credits\": 1}");
    assert_eq!(given.json()["card"], json!(iccid(2)), "{given:?}");
}

/// All cards are in the sums, whoever is asked.
fn fleet(running: &Running<'_>) {
    let fleet = running.ask("/v1/fleet").json();
    let registered = json!({"registered": CARDS, "active": 0, "suspended": 0, "cancelled": 0});
    assert_eq!(fleet["cards"], registered, "{fleet}");
    assert_eq!(fleet["partitions"], json!({"all": 4, "answered": 4, "stale": 0, "missing": []}), "{fleet}");
    assert_eq!((&fleet["away"], &fleet["usage"]), (&json!([]), &json!(null)), "{fleet}");
}
