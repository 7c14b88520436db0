//! Feeds by topics of their own: many records a message, each with an outcome of its own.

use super::broker::RAW;
use super::*;
use crate::ingest::formats::feed::Feed;
use crate::ingest::formats::{Decoder, Format, Platform};
use crate::ingest::gaps::Watch;
use crate::ingest::pgw::{Pieces, UsageRecord, decode};
use crate::model::{Number, NumberKind};

impl Run {
    /// An ingest that reads [`RAW`] as a platform's messages.
    fn with_feed(platform: Platform) -> Self {
        Self::on(&Broker::new(), Format::Platform(platform))
    }

    fn on(broker: &Shared, format: Format) -> Self {
        let watch = Watch { silence_ms: Some(60_000), ..Watch::default() };
        let feed = RawFeed { topic: RAW, decoder: Decoder::new("f", format), watch };
        let options = Options { feeds: vec![feed].into(), ..Options::new("test", Clock::Log) };
        let ingest = Ingest::new(TestLog::new(broker), PlainDirectory::default(), options);
        Self { broker: broker.clone(), ingest }
    }

    fn outcomes(&self) -> [u64; 4] {
        let ledger = self.ingest.ledger();
        assert!(ledger.adds_up());
        IngestOutcome::ALL.map(|outcome| ledger.records(Source::Feed, outcome))
    }
}

/// A record of a stream: `card` is `"sim":{"iccid":…}` or `"imsi":…`.
fn streamed(card: &str, id: u64, traffic: u8) -> String {
    format!(
        r#"{{"id":{id},{card},"start_timestamp":"2026-08-01T00:00:00Z","end_timestamp":"2026-08-01T00:15:00Z","traffic_type":{{"id":{traffic}}},"volume":{{"tx":"0.000001","rx":"0.000002"}}}}"#
    )
}

fn of_card(id: u64) -> String {
    streamed(&format!(r#""sim":{{"iccid":"{}"}}"#, card(1)), id, 5)
}

fn of_number(id: u64) -> String {
    streamed(&format!(r#""imsi":"{IMSI}""#), id, 5)
}

fn sms(id: u64) -> String {
    streamed(&format!(r#""imsi":"{IMSI}""#), id, 6)
}

#[test]
fn a_message_of_many_records_is_finished_by_the_last_and_each_has_one_outcome() {
    let mut run = Run::with_feed(Platform::Onence);
    run.register(1, None);
    let damaged = of_card(9).replace("0.000001", "x");
    let records =
        [of_card(1), sms(2), of_number(3), damaged.clone(), of_card(4), of_card(9).replace("0.000002", "y")];
    run.put(RAW, 1, &format!("[{}]", records.join(",")));
    run.log().acks = Acks::Withheld;
    run.steps(60);
    assert_eq!(run.committed(RAW, 1), 0);
    run.log().acks = Acks::Prompt;
    let report = run.settle();
    assert_eq!((report.in_flight_records, report.in_flight_bytes), (0, 0));
    assert_eq!(run.committed(RAW, 1), 1);
    assert_eq!(run.logged(), texts(&["cdr 1", "cdr 4"]));
    assert_eq!(run.outcomes(), [2, 1, 2, 0]);
    assert_eq!(run.ingest.ledger().asides(Source::Feed), 1);
    // The dead letter is the record alone, and says where in which message it stood.
    assert_eq!(run.header(Topic::DeadLetter, "source"), "onelink.raw");
    assert_eq!(run.header(Topic::DeadLetter, "partition"), "1");
    let reason = run.header(Topic::DeadLetter, "reason");
    let at = 1 + records[..3].iter().map(|record| record.len() + 1).sum::<usize>();
    assert!(reason.starts_with(&format!("at byte {at} of the message: field `volume.tx`")), "{reason}");
    let broker = run.broker.borrow();
    let letters = broker.messages(Topic::DeadLetter);
    assert_eq!(letters[0].value.as_deref(), Some(damaged.as_bytes()));
    let qid = |n: usize| letters[n].headers.iter().find(|(name, _)| *name == "qid").unwrap().1.clone();
    assert_ne!(qid(0), qid(1));
}

#[test]
fn what_a_decoder_panics_on_is_a_dead_letter_and_nothing_else_is_held_up() {
    let mut run = Run::with_feed(Platform::Onence);
    run.register(1, None);
    let [cutting, reading] =
        crate::ingest::guarded::PANICS.map(|told| String::from_utf8(told.to_vec()).unwrap());
    run.put(RAW, 0, &format!("[{},{{\"no\":\"{reading}\"}},{}]", of_card(1), of_card(2)));
    run.put(RAW, 0, &format!("[{},\"{cutting}\"]", of_card(3)));
    run.put(RAW, 0, &of_card(4));
    run.settle();
    assert_eq!((run.outcomes(), run.committed(RAW, 0)), ([3, 0, 2, 0], 3));
    assert_eq!(run.logged(), texts(&["cdr 1", "cdr 2", "cdr 4"]));
    assert!(
        run.header(Topic::DeadLetter, "reason").contains("the program panicked as it read this (as told)")
    );
}

#[test]
fn a_message_of_more_records_than_any_is_one_dead_letter() {
    let mut run = Run::with_feed(Platform::Onence);
    let message = "1,".repeat(crate::limits::MESSAGE_RECORDS_MAX);
    run.put(RAW, 0, &format!("[{message}1]"));
    run.put(RAW, 0, &of_card(1));
    run.register(1, None);
    run.settle();
    assert_eq!((run.outcomes(), run.committed(RAW, 0)), ([1, 0, 1, 0], 2));
    assert!(run.header(Topic::DeadLetter, "reason").contains("holds 16385 records, more than 16384"));
}

#[test]
fn a_record_of_an_unknown_number_waits_in_its_canonical_form() {
    let mut run = Run::with_feed(Platform::Onence);
    run.put(RAW, 0, &of_number(7));
    run.settle();
    assert_eq!((run.outcomes(), run.committed(RAW, 0)), ([0, 1, 0, 0], 1));
    let parked = run.broker.borrow().messages(Topic::Parked)[0].value.clone().unwrap();
    let parked: serde_json::Value = serde_json::from_slice(&parked).unwrap();
    assert_eq!(parked["source"], "onelink.raw");
    let record = serde_json::json!({
        "imsi": IMSI.to_string(), "feed": "f", "id": "7", "start": "2026-08-01T00:00:00Z",
        "end": "2026-08-01T00:15:00Z", "up": 1, "down": 2,
    });
    assert_eq!(parked["record"], record);
    run.register(1, Some(IMSI));
    run.settle();
    assert_eq!(run.logged(), texts(&["cdr 7"]));
}

#[test]
fn a_poll_is_a_reading_and_one_of_an_unknown_card_waits() {
    let mut run = Run::with_feed(Platform::ControlCenter);
    let poll = format!(
        r#"{{"polledAt":"1970-01-01T00:00:09Z","status":200,"body":{{"imsi":"{IMSI}","ctdDataUsage":5}}}}"#
    );
    run.put(RAW, 0, &poll);
    run.settle();
    assert_eq!(run.outcomes(), [0, 1, 0, 0]);
    run.register(1, Some(IMSI));
    run.settle();
    assert_eq!(run.logged(), texts(&["reading cycle-total 10"]));
}

#[test]
fn a_device_names_the_card_that_it_is_registered_with() {
    let block = serde_json::json!({
        "id": "f", "format": "mapped-json", "kind": "cycle-total", "identity": "/device", "identity_kind": "imei",
        "at": "/at", "total": "/used", "unit": "B", "time": "unix",
    });
    let feed: Feed = serde_json::from_value(block).unwrap();
    let watch = Watch { silence_ms: Some(60_000), ..Watch::default() };
    let feed = RawFeed { topic: RAW, decoder: feed.decoder, watch };
    let (broker, options) = (Broker::new(), Options::new("test", Clock::Log));
    let options = Options { feeds: vec![feed].into(), ..options };
    let ingest = Ingest::new(TestLog::new(&broker), PlainDirectory::default(), options);
    let mut run = Run { broker, ingest };
    run.put(RAW, 0, r#"{"device":"860000000000011","at":9,"used":5}"#);
    run.settle();
    assert_eq!(run.outcomes(), [0, 1, 0, 0]);
    // What waits still says whose it is.
    let parked = run.broker.borrow().messages(Topic::Parked)[0].value.clone().unwrap();
    let parked: serde_json::Value = serde_json::from_slice(&parked).unwrap();
    let names = ["iccid", "imsi", "msisdn", "imei"].map(|name| parked["record"][name].as_str());
    assert_eq!(names, [None, None, None, Some("860000000000011")]);
    let device = Number { kind: NumberKind::Imei, digits: 860_000_000_000_011 };
    run.broker.borrow_mut().register_by(card(1), Some(device));
    run.settle();
    assert_eq!(run.logged(), texts(&["reading cycle-total 9"]));
}

#[test]
fn messages_without_any_record_hold_nothing_up() {
    let mut run = Run::with_feed(Platform::Onence);
    for value in ["[]", " \n", &sms(1)] {
        run.put(RAW, 0, value);
    }
    run.put(RAW, 0, "");
    run.put(RAW, 0, &" ".repeat(crate::limits::OUTSIDE_BYTES_MAX + 1));
    let report = run.settle();
    assert_eq!((run.committed(RAW, 0), report.in_flight_records), (5, 0));
    assert_eq!((run.outcomes(), run.ingest.ledger().asides(Source::Feed)), ([0, 0, 2, 0], 3));
}

#[test]
fn a_topic_that_no_feed_comes_by_is_set_aside() {
    let mut run = Run::new();
    run.put(RAW, 0, "{}");
    run.settle();
    assert_eq!(run.outcomes(), [0, 0, 1, 0]);
    assert!(run.header(Topic::DeadLetter, "reason").contains("no feed of the configuration"));
}

#[test]
fn a_message_read_again_after_a_crash_brings_the_same_ids() {
    let mut run = Run::with_feed(Platform::Onence);
    run.register(1, None);
    run.put(RAW, 0, &format!("{}\n{}\n", of_card(1), of_card(2)));
    run.log().acks = Acks::Withheld;
    run.steps(20);
    run.log().write_untold();
    let mut again = Run::on(&run.broker, Format::Platform(Platform::Onence));
    again.settle();
    assert_eq!((again.logged(), again.committed(RAW, 0)), (texts(&["cdr 1", "cdr 2"]), 1));
}

/// The first records of a file of tests/data/3gpp-cdr, one after another.
fn nodes_records(file: &str, count: usize) -> Vec<u8> {
    let path = format!("{}/tests/data/3gpp-cdr/{file}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    Pieces::new(&file).take(count).flat_map(|piece| piece.bytes.to_vec()).collect()
}

#[test]
fn a_message_of_nodes_records_with_filler_is_as_many_records_and_another_nodes_are_refused() {
    let mut run = Run::on(&Broker::new(), Format::from_name("pgw-cdr").unwrap());
    let own = nodes_records("pgw-32297.cdr", 3);
    let message = [own.as_slice(), &[0xFF; 7], &nodes_records("sgw-plain.ber", 1)].concat();
    run.put_bytes(RAW, 0, &message);
    run.settle();
    // Nobody holds these numbers: they wait.
    assert_eq!((run.outcomes(), run.committed(RAW, 0)), ([0, 3, 1, 0], 1));
    let reason = run.header(Topic::DeadLetter, "reason");
    assert!(reason.starts_with(&format!("at byte {} of the message: ", own.len() + 7)), "{reason}");
    assert!(reason.contains("a record of a S-GW in a feed of P-GW records"), "{reason}");
}

#[test]
fn a_record_that_names_nobody_is_quarantined_and_the_message_goes_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/3gpp-cdr/pgw-32297.cdr");
    let mut run = Run::on(&Broker::new(), Format::from_name("pgw-cdr").unwrap());
    let file = std::fs::read(path).unwrap();
    let (mut record, mut message) = (UsageRecord::default(), nodes_records("pgw-32297.cdr", 2));
    for piece in Pieces::new(&file) {
        decode(piece.bytes, piece.at, &mut record).unwrap();
        if record.number.is_none() {
            message.extend(piece.bytes);
        }
    }
    run.put_bytes(RAW, 0, &message);
    run.settle();
    // tests/data/3gpp-cdr/expected.json: 6 of the records are without IMSI.
    assert_eq!((run.outcomes(), run.committed(RAW, 0)), ([0, 2, 0, 6], 1));
    assert_eq!(run.broker.borrow().messages(Topic::Quarantine).len(), 6);
}

#[test]
fn a_topic_that_falls_silent_is_told_once_and_closed_by_the_next_message() {
    let mut run = Run::with_feed(Platform::Onence);
    run.register(1, None);
    run.put(RAW, 0, &of_card(1));
    run.settle();
    let since_ms = run.broker.borrow().messages(RAW)[0].time_ms;
    run.broker.borrow_mut().now_ms = since_ms + 59_000;
    run.settle();
    assert_eq!(run.count(Topic::FeedEvents), 0);
    for _ in 0..3 {
        run.broker.borrow_mut().now_ms += 60_000;
        run.settle();
    }
    assert_eq!(run.header(Topic::FeedEvents, "ce_id"), format!("feed.gap.opened/f/silence/{since_ms}"));
    assert_eq!(run.count(Topic::FeedEvents), 1);
    run.put(RAW, 0, &of_card(2));
    run.settle();
    let ids: Vec<String> = {
        let broker = run.broker.borrow();
        let events = broker.messages(Topic::FeedEvents).into_iter();
        let id = |headers: &[(&'static str, Vec<u8>)]| {
            let found = headers.iter().find(|(name, _)| *name == "ce_id").unwrap();
            String::from_utf8(found.1.clone()).unwrap()
        };
        events.map(|kept| id(&kept.headers)).collect()
    };
    let expected = ["opened", "closed"].map(|change| format!("feed.gap.{change}/f/silence/{since_ms}"));
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected.into());
}
