//! A feed by a topic of its own on a real Kafka: 1NCE's stream, as its carrier sends it, metered to the byte.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::fleet::{self, Card};
use crate::support::block_on;

/// After the newest record, and within the horizon of the oldest.
pub(crate) const SENT_MS: i64 = 1_787_184_000_000;
pub(crate) const SENT: &str = "2026-08-20T00:00:00Z";
pub(crate) const FILE: &str = "1nce-shape.jsonl";
pub(crate) const CATALOGUE: &str = "version = 1\nlate_horizon_days = 35\ncalendar_from = \"2026-06-01\"\nown_channels = [\"web\"]\n\
    [[feeds]]\nname = \"one\"\nrole = \"settling\"\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\nanchor_day = 1\n\
    settling_feed = \"one\"\nsplit = \"end\"\n[[plans]]\nname = \"standard\"\n";

pub(crate) fn data(name: &str) -> String {
    let path = format!("{}/tests/data/platform-feeds/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Makes the carrier's topic: it is none of ours.
pub(crate) fn make_topic(topic: &str) {
    let admin: AdminClient<DefaultClientContext> = Deployment::client().create().expect("a client");
    let topic = NewTopic::new(topic, 2, TopicReplication::Fixed(1));
    let made = block_on(admin.create_topics([&topic], &AdminOptions::new())).expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

pub(crate) fn register(deployment: &Deployment, running: &Running<'_>) {
    let cards = data("cards.csv");
    let cards: Vec<Vec<&str>> = cards.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let cards: Vec<Card<'_>> =
        cards.iter().map(|card| Card { iccid: card[0], imsi: Some(card[1]), carrier: "east" }).collect();
    fleet::register(deployment, running, &cards, (SENT, SENT_MS));
}

pub(crate) fn folded(running: &Running<'_>, outcome: &str) -> u64 {
    running.counter("tidegauge_records_total", &[("input", "cdr"), ("outcome", outcome)])
}

/// What a file comes to, found by other readers (SOURCE.md).
pub(crate) struct Expected {
    pub(crate) figures: Value,
}

pub(crate) fn expected_used(file: &str) -> Expected {
    let expected: Value = serde_json::from_str(&data("expected.json")).expect("JSON");
    Expected { figures: expected[file].clone() }
}

impl Expected {
    /// Bytes by card.
    pub(crate) fn used(&self) -> BTreeMap<String, u64> {
        let bytes = |sums: &Value, name: &str| sums[name].as_u64().expect("bytes");
        let cards = self.figures["by_iccid"].as_object().expect("cards").iter();
        cards.map(|(card, sums)| (card.clone(), bytes(sums, "up") + bytes(sums, "down"))).collect()
    }

    /// Every card has used what the file says of it.
    pub(crate) fn assert_used(&self, running: &Running<'_>) {
        for (card, used) in self.used() {
            assert_eq!(used_now(running, &card), used, "{card}");
        }
    }
}

/// What a card has used in all of its months.
pub(crate) fn used_now(running: &Running<'_>, card: &str) -> u64 {
    let view = running.ask(&format!("/v1/cards/{card}")).json();
    let months = view["months"].as_array().unwrap_or_else(|| panic!("{view}")).iter();
    months.map(|month| month["used"].as_u64().expect("bytes")).sum()
}

#[test]
fn a_carriers_own_topic_is_metered_to_the_byte() {
    let deployment = Deployment::new("raw-feed");
    let topic = "carriers.raw-feed";
    let feeds = format!("[[feeds]]\nid = \"one\"\nformat = \"1nce\"\ntopic = \"{topic}\"\n");
    deployment.file("tidegauge.toml", &feeds);
    make_topic(topic);
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment, &running);

    let stream = data(FILE);
    deployment.send_to(topic, stream.lines().map(|line| ("", line.as_bytes(), SENT_MS)));
    let all = expected_used(FILE);
    let count = |name: &str| all.figures[name].as_u64().expect("a count");
    eventually("the stream folded", || (folded(&running, "counted") == count("data_records")).then_some(()));
    let bytes = running.counter("tidegauge_bytes_total", &[("input", "cdr"), ("outcome", "counted")]);
    assert_eq!(bytes, count("up") + count("down"));
    eventually("its repeats folded", || {
        let repeats = count("records_in_file") - count("data_records") - count("sms");
        (folded(&running, "duplicate") == repeats).then_some(())
    });
    all.assert_used(&running);
    let read = running.counter("tidegauge_ingest_read_total", &[("input", "feed")]);
    let became = running.counter("tidegauge_ingest_records_total", &[("input", "feed")]);
    assert_eq!(read, became, "ingest's ledger adds up");
}
