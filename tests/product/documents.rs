//! The examples of platforms' own documents (see SOURCE.md beside them) on a real Kafka, as whoever asks sends them on: with
//! the ICCID that was asked for put beside. They are not kept here; where `TIDEGAUGE_PLATFORM_DOCS` names no folder with
//! them the tests say so.
//!
//! Where the meter's figure is not the document's, both stand in the test with the rule that parts them.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::{folded, used_now};
use crate::fleet::{self, Card};

/// What Wireless answers has no format of its own: its fields are described.
const FEEDS: &str = r#"
[[feeds]]
id = "super"
format = "super-sim"
[[feeds]]
id = "wireless"
format = "mapped-json"
records = "/usage_records"
identity = "/iccid"
identity_kind = "iccid"
record_id = ["/sim_sid", "/period/end"]
start = "/period/start"
end = "/period/end"
up = "/data/upload"
down = "/data/download"
unit = "B"
time = "rfc3339"
[[feeds]]
id = "emnify"
format = "emnify"
"#;

fn catalogue(calendar_from: &str, feed: &str) -> String {
    format!(
        "version = 1\nlate_horizon_days = 35\ncalendar_from = \"{calendar_from}\"\nown_channels = [\"web\"]\n\
         [[plans]]\nname = \"standard\"\n[[feeds]]\nname = \"{feed}\"\nrole = \"settling\"\n\
         [[carriers]]\nname = \"east\"\nzone = \"UTC\"\nanchor_day = 1\nsettling_feed = \"{feed}\"\n"
    )
}

/// A document's example; `None` where the documents are not.
fn document(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("TIDEGAUGE_PLATFORM_DOCS").map(PathBuf::from) else {
        println!("SKIPPED: TIDEGAUGE_PLATFORM_DOCS names no folder with the documents' examples");
        return None;
    };
    let path = folder.join(name);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(serde_json::from_slice(&text).expect("JSON"))
}

/// A deployment that knows these cards at a time.
fn begin<'d>(
    deployment: &'d Deployment,
    (calendar_from, feed): (&str, &str),
    cards: &[String],
    at: (&str, i64),
) -> Running<'d> {
    deployment.file("tidegauge.toml", FEEDS);
    let running = deployment.start();
    let cards: Vec<Card<'_>> =
        cards.iter().map(|iccid| Card { iccid, imsi: None, carrier: "east" }).collect();
    fleet::begin(deployment, &running, &catalogue(calendar_from, feed), &cards, at);
    running
}

/// Pushes a page that must be kept; answers with what is told of it.
fn kept(running: &Running<'_>, feed: &str, page: &Value) -> Value {
    let answer = running.push(&format!("/v1/feeds/{feed}"), "application/json", page.to_string().as_bytes());
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

fn quarantined(deployment: &Deployment, outcome: &str, reason: &str) -> usize {
    let messages = deployment.messages("usage.quarantine");
    let of = messages.iter().filter(|message| message.header("outcome") == outcome);
    of.inspect(|message| assert!(message.header("reason").contains(reason), "{message:?}")).count()
}

/// Thirteen answers of Super SIM, each to a question about another card.
#[test]
fn twilio_super_sims_answers_are_metered_and_months_are_too_long() {
    let Some(document) = document("twilio-supersim-usage-records.json") else { return };
    let pages = document.as_object().expect("pages");
    let cards: Vec<String> = (0..pages.len()).map(|n| format!("898830700000000{n:04}")).collect();
    let deployment = Deployment::new("document-super-sim");
    // 2019-05-05, after the newest day among them.
    let running =
        begin(&deployment, ("2019-04-01", "super"), &cards, ("2019-05-05T00:00:00Z", 1_557_014_400_000));
    let mut expected: Vec<u64> = Vec::new();
    let (mut counted, mut too_long) = (0, 0);
    for (card, (name, page)) in cards.iter().zip(pages) {
        let records = page["usage_records"].as_array().expect("records");
        let mut page = page.clone();
        page["iccid"] = card.as_str().into();
        let told = kept(&running, "super", &page);
        let (read, dead) = (&told["read"], &told["outcomes"]["dead_letter"]);
        assert_eq!((read, dead), (&records.len().into(), &0.into()), "{name}");
        let total = records.iter().map(|record| record["data_total"].as_u64().expect("bytes")).sum::<u64>();
        // The document's figure is `total`. Of the month of 2015 nothing counts: a record is of seven days at most (C2).
        let is_month = records.iter().any(|record| record["period"]["start_time"] == "2015-05-01T20:00:00Z");
        too_long += usize::from(is_month);
        counted += if is_month { 0 } else { records.len() as u64 };
        expected.push(if is_month { 0 } else { total });
    }
    assert_eq!(too_long, 2, "readAll and readAllNoBilling");
    eventually("the pages folded", || (folded(&running, "counted") == counted).then_some(()));
    eventually("the months refused", || (folded(&running, "flood") == too_long as u64).then_some(()));
    for (card, used) in cards.iter().zip(&expected) {
        assert_eq!(used_now(&running, card), *used, "{card}");
    }
    eventually("the months in quarantine", || {
        (quarantined(&deployment, "flood", "seven days") == too_long).then_some(())
    });
}

/// Wireless, described by a mapping. Of its examples only the first record of a list says anything, and what is of an
/// account names no SIM: it is refused as a whole.
#[test]
fn twilio_wireless_answers_are_metered_by_a_mapping_and_empty_records_are_dead_letters() {
    let Some(document) = document("twilio-wireless-usage-records.json") else { return };
    let cards = ["8988307000000009001".to_owned()];
    let deployment = Deployment::new("document-wireless");
    let running =
        begin(&deployment, ("2015-07-01", "wireless"), &cards, ("2015-08-01T00:00:00Z", 1_438_387_200_000));
    let page = |path: &str| {
        let mut page = document[path]["fetch"].clone();
        for record in page["usage_records"].as_array_mut().expect("records") {
            record["iccid"] = cards[0].as_str().into();
        }
        page
    };
    let of_sim = page("/v1/Sims/{SimSid}/UsageRecords");
    let told = kept(&running, "wireless", &of_sim);
    assert_eq!((&told["read"], &told["outcomes"]["dead_letter"]), (&2.into(), &1.into()), "{told}");
    let reason = told["problems"][0]["reason"].as_str().expect("text");
    assert!(reason.contains("/data/upload") && reason.contains("missing"), "`data` is empty in it: {told}");
    eventually("the record folded", || (folded(&running, "counted") == 1).then_some(()));
    let total = of_sim["usage_records"][0]["data"]["total"].as_u64().expect("bytes");
    assert_eq!(used_now(&running, &cards[0]), total);
    let of_account = page("/v1/UsageRecords").to_string();
    let refused = running.push("/v1/feeds/wireless", "application/json", of_account.as_bytes());
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("`/sim_sid` is missing"), "{refused:?}");
    // Sessions say packets and no bytes: there is nothing in them to meter, and they are refused by that.
    let mut sessions =
        json!({ "usage_records": document["/v1/Sims/{SimSid}/DataSessions"]["fetch"]["data_sessions"] });
    for record in sessions["usage_records"].as_array_mut().expect("sessions") {
        record["iccid"] = cards[0].as_str().into();
        record["period"] = json!({ "start": record["start"], "end": record["last_updated"] });
    }
    let path = "/v1/feeds/wireless";
    let refused = running.push(path, "application/json", sessions.to_string().as_bytes());
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("/data/upload"), "{refused:?}");
}

/// emnify's example of a record spans 22 months: 219,933 bytes say the document, nothing counts by C2. Between the days that
/// it names no byte is lost: it is in quarantine, from where an operator may post it.
#[test]
fn emnifys_examples_are_taken_and_22_months_are_too_long() {
    let (Some(data), Some(sms)) = (document("emnify-usage-data.json"), document("emnify-usage-sms.json"))
    else {
        return;
    };
    let card = data[0]["sim"]["iccid"].as_str().expect("an ICCID").to_owned();
    let deployment = Deployment::new("document-emnify");
    let cards = [card];
    // 2024-02-16, after the record's end.
    let running =
        begin(&deployment, ("2024-02-01", "emnify"), &cards, ("2024-02-16T00:00:00Z", 1_708_041_600_000));
    let told = kept(&running, "emnify", &data);
    // Parked, if its card's name was not heard of yet.
    let outcomes = &told["outcomes"];
    assert_eq!(
        (&outcomes["dead_letter"], &outcomes["unknown"], &told["read"]),
        (&0.into(), &0.into(), &1.into())
    );
    let told = kept(&running, "emnify", &sms);
    assert_eq!((&told["read"], &told["asides"]), (&0.into(), &1.into()), "an SMS is no usage: {told}");
    eventually("the record refused", || (folded(&running, "flood") == 1).then_some(()));
    let bytes = running.counter("tidegauge_bytes_total", &[("input", "cdr"), ("outcome", "flood")]);
    assert_eq!((bytes, used_now(&running, &cards[0])), (219_933, 0));
    eventually("the record in quarantine", || {
        (quarantined(&deployment, "flood", "seven days") == 1).then_some(())
    });
}
