//! A CHF's records by a topic of their own on a real Kafka, many a message with filler between, metered to the byte; two of
//! their offsets are of Newfoundland, which leaves summer time among them.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegauge::ingest::pgw::Pieces;

use crate::carrier::{self, FEED, Month};
use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::make_topic;
use crate::gateway::{counts, records, register};

const FILE: &str = "chf-plain.ber";
/// 2026-11-06: after the newest record, and within the horizon of the oldest.
const SENT_MS: i64 = 1_793_923_200_000;
const RECORDS_A_MESSAGE: usize = 20;

/// What two other readers found by card and month: a container may state a total alone, so the sum of both directions.
fn expected() -> BTreeMap<Month, u64> {
    let cards: BTreeMap<String, String> = carrier::cards().into_iter().map(|c| (c.imsi, c.iccid)).collect();
    let subscribers = carrier::expected(FILE)["by_subscriber_day_of_container_end_local"].clone();
    let mut months: BTreeMap<Month, u64> = BTreeMap::new();
    for (imsi, days) in
        subscribers.as_object().expect("subscribers").iter().filter(|(who, _)| *who != "(no imsi)")
    {
        for (day, volume) in days.as_object().expect("days") {
            let month = (cards[imsi].clone(), format!("{}-01", &day[..7]));
            *months.entry(month).or_default() += volume["total"].as_u64().expect("bytes");
        }
    }
    months.retain(|_, total| *total > 0);
    months
}

fn answered(running: &Running<'_>) -> BTreeMap<Month, u64> {
    let mut months = BTreeMap::new();
    for card in carrier::cards() {
        let answer = running.ask(&format!("/v1/cards/{}", card.iccid)).json();
        for month in answer["months"].as_array().expect("months") {
            let first = month["cycle"].as_str().expect("a date").to_owned();
            months.insert((card.iccid.clone(), first), month["used"].as_u64().expect("bytes"));
        }
    }
    months.retain(|_, used| *used > 0);
    months
}

#[test]
fn a_chfs_topic_is_metered_to_the_byte() {
    let deployment = Deployment::new("chf-topic");
    let topic = "carriers.chf-topic";
    let feeds = format!("[[feeds]]\nid = \"{FEED}\"\nformat = \"chf-cdr\"\ntopic = \"{topic}\"\n");
    deployment.file("tidegauge.toml", &feeds);
    make_topic(topic);
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", &carrier::catalogue());
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment, &running);

    let file = std::fs::read(carrier::path(FILE)).expect("test data");
    let all: Vec<&[u8]> = Pieces::new(&file).map(|piece| piece.bytes).collect();
    let messages: Vec<Vec<u8>> =
        all.chunks(RECORDS_A_MESSAGE).map(|records| records.join(&[0xFF; 3][..])).collect();
    deployment.send_to(topic, messages.iter().map(|message| ("", message.as_slice(), SENT_MS)));
    eventually("the topic folded", || (counts(&running).counted == records(FILE)).then_some(()));
    eventually("every card's months", || (answered(&running) == expected()).then_some(()));

    let expected: Value = carrier::expected(FILE);
    let outcome = |name: &str| {
        running.counter("tidegauge_ingest_records_total", &[("input", "feed"), ("outcome", name)])
    };
    eventually("ingest's ledger told", || {
        let kept = outcome("logged") + outcome("parked");
        let told = (kept + outcome("unknown"), outcome("unknown"), outcome("dead_letter"));
        let file = (&expected["records_in_file"], &expected["records_without_imsi"]);
        let file = (file.0.as_u64().expect("a count"), file.1.as_u64().expect("a count"), 0);
        (told == file).then_some(())
    });
}
