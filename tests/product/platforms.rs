//! Platforms' files of `tests/data/platform-feeds` as their carriers bring them, on a real Kafka: emnify's list by a folder,
//! Soracom's points by HTTP, Control Center's polls by a topic. Each comes to what its SOURCE.md says, to the byte.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::{SENT_MS, data, expected_used, folded, make_topic, used_now};
use crate::fleet::{self, Card};

const EMNIFY: &str = "emnify-shape.json";
const SORACOM: &str = "soracom-airstats-by-imsi.json";
const CONTROL_CENTER: &str = "control-center-ctd.jsonl";

/// Before the first record: a number names a card from then on.
const REGISTERED: &str = "2026-07-20T00:00:00Z";
const REGISTERED_MS: i64 = 1_784_505_600_000;

/// A carrier a platform: months by the end of a record in UTC, and Control Center's cycles from the 27th in its zone.
const CATALOGUE: &str = "version = 1\nlate_horizon_days = 35\ncalendar_from = \"2026-06-01\"\nown_channels = [\"web\"]\n\
    [[plans]]\nname = \"standard\"\n\
    [[feeds]]\nname = \"emnify\"\nrole = \"settling\"\n[[feeds]]\nname = \"soracom\"\nrole = \"settling\"\n\
    [[feeds]]\nname = \"unicom\"\nrole = \"settling\"\n\
    [[carriers]]\nname = \"emnify\"\nzone = \"UTC\"\nanchor_day = 1\nsettling_feed = \"emnify\"\nsplit = \"end\"\n\
    [[carriers]]\nname = \"soracom\"\nzone = \"UTC\"\nanchor_day = 1\nsettling_feed = \"soracom\"\n\
    [[carriers]]\nname = \"unicom\"\nzone = \"Asia/Shanghai\"\nanchor_day = 27\nsettling_feed = \"unicom\"\n";

fn figures(file: &str) -> Value {
    expected_used(file).figures
}

fn count(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"))
}

/// The cards of the three files, each with the carrier whose file names it.
fn register(deployment: &Deployment, running: &Running<'_>) -> BTreeMap<String, String> {
    let text = data("cards.csv");
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let (emnify, soracom) = (figures(EMNIFY)["by_iccid"].clone(), figures(SORACOM)["by_imsi"].clone());
    let unicom = figures(CONTROL_CENTER)["by_iccid_and_cycle_start"].clone();
    let carrier = |iccid: &str, imsi: &str| match () {
        () if emnify.get(iccid).is_some() => Some("emnify"),
        () if soracom.get(imsi).is_some() => Some("soracom"),
        () if unicom.get(iccid).is_some() => Some("unicom"),
        () => None,
    };
    let cards: Vec<Card<'_>> = lines
        .iter()
        .filter_map(|line| {
            Some(Card { iccid: line[0], imsi: Some(line[1]), carrier: carrier(line[0], line[1])? })
        })
        .collect();
    fleet::begin(deployment, running, CATALOGUE, &cards, (REGISTERED, REGISTERED_MS));
    lines.iter().map(|line| (line[1].to_owned(), line[0].to_owned())).collect()
}

/// First day of a cycle → settling bytes up and down, of a card.
fn months(running: &Running<'_>, card: &str) -> BTreeMap<String, (u64, u64)> {
    let view = running.ask(&format!("/v1/cards/{card}")).json();
    let months = view["months"].as_array().unwrap_or_else(|| panic!("{view}")).clone();
    let of = |month: &Value| {
        let volume = (count(month, "settling_up"), count(month, "settling_down"));
        assert_eq!(count(month, "used"), volume.0 + volume.1, "what settles is what is used: {month}");
        (month["cycle"].as_str().expect("a date").to_owned(), volume)
    };
    months.iter().map(of).filter(|(_, volume)| *volume != (0, 0)).collect()
}

fn emnify(deployment: &Deployment, running: &Running<'_>) {
    let whole = deployment.directory().join("in").join(EMNIFY);
    let unfinished = whole.with_extension("tmp");
    std::fs::write(&unfinished, data(EMNIFY)).expect("a file");
    std::fs::rename(unfinished, whole).expect("renamed");
    let expected = expected_used(EMNIFY);
    let figures = &expected.figures;
    eventually("emnify's list folded", || {
        (folded(running, "counted") == count(figures, "data_records")).then_some(())
    });
    eventually("its repeats folded", || {
        (folded(running, "duplicate") == count(figures, "duplicates_by_id")).then_some(())
    });
    expected.assert_used(running);
    let mut by_month: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for card in expected.used().keys() {
        for (month, (up, down)) in months(running, card) {
            let sum = by_month.entry(month).or_default();
            *sum = (sum.0 + up, sum.1 + down);
        }
    }
    let theirs = figures["by_month_of_end_utc"].as_object().expect("months");
    let theirs =
        theirs.iter().map(|(month, sums)| (format!("{month}-01"), (count(sums, "up"), count(sums, "down"))));
    assert_eq!(by_month, theirs.collect());
    let input = [("input", "file")];
    eventually("asides told", || {
        (running.counter("tidegauge_ingest_asides_total", &input) == count(figures, "sms")).then_some(())
    });
}

fn soracom(running: &Running<'_>, of: &BTreeMap<String, String>) {
    let before = folded(running, "counted");
    let answer = running.push("/v1/feeds/soracom", "application/json", data(SORACOM).as_bytes());
    assert_eq!(answer.status, 202, "{answer:?}");
    let (told, expected) = (answer.json(), figures(SORACOM));
    assert_eq!((&told["read"], &told["problems"]), (&expected["points"], &Value::Array(vec![])), "{told}");
    eventually("Soracom's points folded", || {
        (folded(running, "counted") == before + count(&expected, "points")).then_some(())
    });
    for (imsi, sums) in expected["by_imsi"].as_object().expect("cards") {
        assert_eq!(used_now(running, &of[imsi]), count(sums, "up") + count(sums, "down"), "{imsi}");
    }
}

/// The sum of a cycle is the last poll in it; each poll below the one before is named once, and so is each card's first.
fn control_center(deployment: &Deployment, running: &Running<'_>, topic: &str) {
    let polls = data(CONTROL_CENTER);
    let card = |line: &str| {
        let poll: Value = serde_json::from_str(line).expect("JSON");
        poll["body"]["iccid"].as_str().unwrap_or_default().to_owned()
    };
    let keyed: Vec<(String, &str)> = polls.lines().map(|line| (card(line), line)).collect();
    deployment.send_to(topic, keyed.iter().map(|(key, line)| (key.as_str(), line.as_bytes(), SENT_MS)));
    let expected = figures(CONTROL_CENTER);
    let readings =
        |outcome| running.counter("tidegauge_records_total", &[("input", "reading"), ("outcome", outcome)]);
    eventually("the polls folded", || (readings("counted") == count(&expected, "polls")).then_some(()));
    let events = |kind| running.counter("tidegauge_events_total", &[("type", kind)]);
    let cards = expected["by_iccid_and_cycle_start"].as_object().expect("cards");
    let lower = count(&expected, "polls_lower_than_the_one_before_in_the_same_cycle");
    assert_eq!((events("counter.lowered"), events("counter.begun")), (lower, cards.len() as u64));
    for (card, cycles) in cards {
        let last = |(start, polls): (&String, &Value)| (start.clone(), (0, count(polls, "last")));
        let expected: BTreeMap<_, _> = cycles.as_object().expect("cycles").iter().map(last).collect();
        assert_eq!(months(running, card), expected, "{card}");
    }
    let input = [("input", "feed")];
    eventually("failed polls told", || {
        let asides = running.counter("tidegauge_ingest_asides_total", &input);
        (asides == count(&expected, "failed_polls")).then_some(())
    });
}

#[test]
fn platforms_files_come_to_their_totals_by_folder_http_and_topic() {
    let deployment = Deployment::new("platforms");
    let (folder, topic) = (deployment.directory().join("in"), "carriers.control-center");
    std::fs::create_dir(&folder).expect("a folder");
    let feeds = format!(
        "[[feeds]]\nid = \"emnify\"\nformat = \"emnify\"\nfolder = \"{}\"\n\
         [[feeds]]\nid = \"soracom\"\nformat = \"soracom\"\n\
         [[feeds]]\nid = \"unicom\"\nformat = \"control-center\"\ntopic = \"{topic}\"\n",
        folder.display()
    );
    deployment.file("tidegauge.toml", &feeds);
    make_topic(topic);
    let running = deployment.start();
    let of = register(&deployment, &running);
    emnify(&deployment, &running);
    soracom(&running, &of);
    control_center(&deployment, &running, topic);
    assert!(deployment.messages("usage.dead-letter").is_empty());
    assert!(deployment.messages("usage.quarantine").is_empty());
}
