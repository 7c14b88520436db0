//! Whatever the program writes is valid.

use serde_json::Value;
use tidegauge::codec::{canonical, directory, event, json::write, quarantine};
use tidegauge::ingest::gaps::{Change, Gaps, Kind, Lost, Seen, Watch};
use tidegauge::log::Output;
use tidegauge::model::{
    Broadcast, CardName, CommandBody, CounterKind, DirectoryEntry, Event, Outcome, Reading, Record, Slice,
    Slices,
};

use super::files::{assert_valid, validator};
use super::sample_events::events;
use super::samples::{NUMBERS, ORIGIN, POSITION, bodies, card, cdr, command, reading};

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn records_written_are_valid() {
    let (cdrs, readings) = (validator("cdr.json"), validator("reading.json"));
    let mut buffer = Vec::new();
    let slices = Slices::pack(&[Slice { end: 7, up: 4, down: 6 }], &mut buffer);
    for number in NUMBERS {
        for slices in [slices, Slices::default()] {
            assert_valid(&cdrs, &value(&write::cdr(&cdr(number, slices))), "cdr");
        }
        for (width, session) in [(0, ""), (32, "s"), (64, "")] {
            assert_valid(&readings, &value(&write::reading(&reading(number, width, session))), "reading");
        }
        for (counter, session) in [("day-total", ""), ("cycle-total", "2026-08-01")] {
            let total = Reading { counter: CounterKind(counter), ..reading(number, 0, session) };
            assert_valid(&readings, &value(&write::reading(&total)), counter);
        }
    }
}

#[test]
fn commands_written_are_valid() {
    let commands = validator("command.json");
    for body in bodies() {
        assert_valid(&commands, &value(&write::command(&command(body))), "command");
    }
    let complete = Broadcast::FeedComplete { id: "f".into(), feed: "cmcc".into(), day: 20_666 };
    assert_valid(&commands, &value(&write::broadcast(&complete, None)), "feed.complete");
    let clock = Broadcast::ClockAdvance { id: "t".into() };
    assert_valid(&commands, &value(&write::broadcast(&clock, Some(7))), "clock.advance");
}

#[test]
fn events_written_are_valid_and_come_back() {
    for cause in [None, Some(POSITION)] {
        for body in events() {
            let kind = body.kind();
            let given = Event {
                card: card(),
                iccid: "89860012345678901236".into(),
                id: format!("{}/{kind}/1", card()),
                at: 7,
                log_time: 8,
                cause,
                body,
            };
            let written = event::output(&given, "prod-1", None).value.unwrap();
            assert_valid(&validator(&format!("event/{kind}.v1.json")), &value(&written), kind);
            assert_eq!(event::read(&written), Ok(given));
        }
    }
}

#[test]
fn every_kind_of_event_is_written_here() {
    let written: std::collections::BTreeSet<_> =
        events().iter().map(|body| format!("{}.v1.json", body.kind())).collect();
    let folder = super::files::root().join("event");
    let described: std::collections::BTreeSet<_> = super::files::json_files(&folder)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "identity.conflict.v1.json" && !name.starts_with("feed."))
        .collect();
    assert_eq!(written, described);
}

#[test]
fn what_is_told_of_gaps_is_valid() {
    let watch = Watch { silence_ms: Some(60_000), ..Watch::default() };
    let mut gaps = Gaps::new([("f".to_owned(), watch)]);
    let see = |gaps: &mut Gaps, kind, number| {
        gaps.number("f", Seen { kind, node: "n", number, at: Some(5) }, 0);
    };
    for number in [1, 3] {
        see(&mut gaps, Kind::Records, number);
        see(&mut gaps, Kind::Files, number);
    }
    gaps.lost("f", Lost { node: "n".to_owned(), number: 7, opened: 1, count: 2, noticed_ms: 0 });
    gaps.arrival("f", 0);
    gaps.tick(86_400_000);
    see(&mut gaps, Kind::Records, 2);
    gaps.tick(86_400_000_000);
    gaps.arrival("f", 86_400_000_000);
    let told = gaps.take();
    let reasons = told.iter().filter(|told| matches!(told.change, Change::Closed(_))).count();
    assert_eq!((told.len(), reasons), (8, 4), "{told:?}");
    for told in told {
        let written = value(told.output("prod-1").value.as_deref().unwrap());
        let kind = if told.change == Change::Opened { "opened" } else { "closed" };
        assert_valid(&validator(&format!("event/feed.gap.{kind}.v1.json")), &written, &told.name());
        assert_eq!(written["id"], format!("feed.gap.{kind}/{}", told.name()));
    }
}

fn headers(message: &Output) -> Value {
    let text = |bytes: &[u8]| Value::from(String::from_utf8(bytes.to_vec()).unwrap());
    message.headers.iter().map(|(name, value)| (*name, text(value))).collect()
}

#[test]
fn quarantined_records_are_valid_with_their_headers() {
    let described = validator("quarantine.json");
    let command = canonical::to_vec(&command(CommandBody::Resume));
    let records = [
        (Record::Cdr(cdr(NUMBERS[1], Slices::default())), "cdr.json"),
        (Record::Reading(reading(None, 0, "")), "reading.json"),
        (Record::Command { card: card(), json: &command, origin: ORIGIN }, "command.json"),
    ];
    let outcomes = [Outcome::Conflict, Outcome::Late, Outcome::Flood, Outcome::Unknown, Outcome::Rejected];
    for (record, schema) in records {
        for outcome in outcomes {
            let entry = quarantine::Entry::of(record, outcome, "why", POSITION).unwrap();
            let message = quarantine::output(&entry, None);
            assert_valid(&described, &headers(&message), outcome.name());
            assert_valid(&validator(schema), &value(message.value.as_deref().unwrap()), schema);
        }
    }
    let long = vec![b'x'; 600_000];
    let message = quarantine::output(&quarantine::Entry::unreadable(&long, "not JSON", ORIGIN), None);
    assert_valid(&described, &headers(&message), "unreadable");
}

#[test]
fn entries_of_the_directory_are_valid() {
    let described = validator("directory.json");
    for valid_to in [None, Some(9)] {
        let entry = DirectoryEntry { name: CardName::Iccid(card()), card: card(), valid_from: 7, valid_to };
        assert_valid(&described, &value(&directory::output(&entry, None).value.unwrap()), "directory");
        // Taken back as often as a card may be known to.
        let earlier = |n: i64| DirectoryEntry { valid_from: n - 100, valid_to: Some(n - 99), ..entry };
        let entries: Vec<DirectoryEntry> = (0..20).map(earlier).chain([entry]).collect();
        let message = directory::outputs(&entries, None).next().unwrap();
        assert_valid(&described, &value(&message.value.unwrap()), "directory");
    }
}
