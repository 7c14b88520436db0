//! Files into the log in memory.

use std::collections::BTreeSet;

use super::*;
use crate::ingest::tests::{Broker, PARTITIONS, Shared, TestLog};
use crate::ingest::{Clock, IngestOutcome, Options, PlainDirectory, Source};
use crate::log::Topic;
use crate::model::CardId;

const NOW_MS: i64 = 1_790_000_000_000;
const PGW: Written<'_> = Written::Known { feed: "pgw" };
const END: i64 = 1_785_542_400 + 900;

fn card() -> CardId {
    CardId::parse("8986001234567890001").unwrap()
}

fn line(imsi: u64, id: &str) -> String {
    format!(
        "{{\"imsi\":\"{imsi}\",\"feed\":\"f\",\"id\":\"{id}\",\"start\":\"2026-08-01T00:00:00Z\",\
         \"end\":\"2026-08-01T00:15:00Z\",\"up\":1,\"down\":2}}\n"
    )
}

/// Two records of a known card, one of an unknown one, one broken.
fn lines() -> String {
    [line(46_000, "a"), line(46_000, "b"), "\n".to_owned(), line(46_001, "c"), "{]\n".to_owned()].concat()
}

#[test]
fn a_byte_order_mark_before_canonical_lines_changes_nothing() {
    let broker = Broker::new();
    broker.borrow_mut().register(card(), Some(46_000));
    assert_eq!(import(&broker, format!("\u{feff}{}", lines()).as_bytes(), Clock::Log), [2, 1, 1, 0]);
    let text = format!("\u{feff}\n{}", line(46_000, "a"));
    let mut reader = FileReader::new(text.as_bytes(), PGW);
    let at = reader.record().map(|record| (record.at, matches!(record.content, Content::Cdr(_))));
    assert_eq!((reader.format(), at), (Format::Lines, Some((4, true))));
}

fn gateway_file() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/3gpp-cdr/pgw-32297.cdr");
    std::fs::read(path).unwrap()
}

fn import(broker: &Shared, bytes: &[u8], clock: Clock) -> [u64; 4] {
    let options = Options::new("test", clock);
    let file = File { name: "x.cdr", bytes, written: PGW };
    let mut import = FileImport::new(file, PlainDirectory::default(), &options, (PARTITIONS, NOW_MS));
    let mut log = TestLog::new(broker);
    for _ in 0..10_000 {
        if import.step(&mut log, NOW_MS).unwrap().done {
            assert!(import.ledger().adds_up());
            return IngestOutcome::ALL.map(|outcome| import.ledger().records(Source::File, outcome));
        }
    }
    panic!("the import comes to no end");
}

#[test]
fn a_file_of_lines_comes_into_the_log_and_each_record_has_one_outcome() {
    let broker = Broker::new();
    broker.borrow_mut().register(card(), Some(46_000));
    assert_eq!(import(&broker, lines().as_bytes(), Clock::Log), [2, 1, 1, 0]);
    let logged: BTreeSet<String> = ["cdr a", "cdr b"].map(str::to_owned).into();
    assert_eq!(broker.borrow().logged(), logged);
    assert_eq!(broker.borrow().messages(Topic::Parked).len(), 1);
    let dead = broker.borrow().messages(Topic::DeadLetter)[0].clone();
    let offset = dead.headers.iter().find(|(name, _)| *name == "offset").unwrap();
    assert_eq!(offset.1, lines().find("{]").unwrap().to_string().into_bytes());
}

#[test]
fn what_a_file_parks_is_delivered_like_the_rest() {
    let broker = Broker::new();
    import(&broker, line(46_001, "c").as_bytes(), Clock::Log);
    broker.borrow_mut().register(card(), Some(46_001));
    let mut ingest = crate::ingest::Ingest::new(
        TestLog::new(&broker),
        PlainDirectory::default(),
        Options::new("t", Clock::Log),
    );
    for n in 0..20 {
        ingest.step(NOW_MS + n * 10).unwrap();
    }
    assert!(broker.borrow().logged().contains("cdr c"));
}

#[test]
fn an_import_again_brings_the_same_ids() {
    let broker = Broker::new();
    broker.borrow_mut().register(card(), Some(46_000));
    import(&broker, lines().as_bytes(), Clock::Log);
    let once = broker.borrow().logged();
    import(&broker, lines().as_bytes(), Clock::Log);
    assert_eq!(broker.borrow().logged(), once);
}

#[test]
fn with_the_supplied_clock_all_messages_have_the_last_end_that_can_be_right() {
    let broker = Broker::new();
    broker.borrow_mut().register(card(), Some(46_000));
    let future = line(46_000, "future").replace("2026-08-01T00:15", "2099-08-01T00:15");
    import(&broker, (lines() + &future).as_bytes(), Clock::Supplied);
    for topic in [Topic::Log, Topic::Parked, Topic::DeadLetter] {
        let times: Vec<i64> = broker.borrow().messages(topic).iter().map(|kept| kept.time_ms).collect();
        assert_eq!(times, [END * 1_000], "{topic}");
    }
}

#[test]
fn a_gateways_file_comes_in_whole_with_those_who_name_nobody_set_aside() {
    // Counts of tests/data/3gpp-cdr/expected.json: 2076 records in the file, 6 of them without IMSI.
    let broker = Broker::new();
    assert_eq!(import(&broker, &gateway_file(), Clock::Log), [0, 2_070, 0, 6]);
    assert_eq!(broker.borrow().messages(Topic::Quarantine).len(), 6);
}

#[test]
fn a_look_at_a_file_counts_what_is_in_it() {
    // Values of tests/data/3gpp-cdr/expected.json.
    let summary = check(&gateway_file(), PGW);
    assert_eq!(summary.format, Format::GatewayFramed);
    assert_eq!((summary.records, summary.repeats, summary.nobodys), (2_076, 50, 6));
    assert_eq!((summary.up, summary.down), (19_057_735_798, 40_970_842_342));
    assert_eq!((summary.names, summary.broken), (138, 0));
}

#[test]
fn a_look_at_a_broken_file_says_where_it_is_broken() {
    let mut file = gateway_file();
    let (start, len) = (54 + 5, 4 + 0xC2); // the first record, behind file header and CDR header
    file[start + 3] = 0xFF;
    let summary = check(&file, PGW);
    assert_eq!((summary.records, summary.broken), (2_075, 1));
    assert_eq!(summary.broken_bytes, len);
    assert_eq!(summary.problems[0].at, start);
    assert!(summary.to_string().contains("at byte 59 (line "), "{summary}");
}

#[test]
fn a_look_at_lines_says_whose_feeds_they_are_of() {
    let line = |feed: &str, id: &str| {
        format!(
            "{{\"iccid\":\"8986001234567890123\",\"feed\":\"{feed}\",\"id\":\"{id}\",\"start\":\"2026-08-01T00:00:00Z\",\
             \"end\":\"2026-08-01T00:15:00Z\",\"up\":1,\"down\":2}}\n"
        )
    };
    let file = [line("f", "1"), line("g", "2"), line("f", "3")].concat();
    let summary = check(file.as_bytes(), Written::Known { feed: "f" });
    assert_eq!((summary.records, summary.broken, summary.other_feeds), (3, 0, 1));
    assert_eq!(summary.feeds, [("f".to_owned(), 2), ("g".to_owned(), 1)].into());
    let said = summary.to_string();
    assert!(said.contains("feeds     f 2, g 1\n  1 records name another feed than --feed"), "{said}");
    let whole = check(file.replace("\"g\"", "\"f\"").as_bytes(), Written::Known { feed: "f" });
    assert_eq!((whole.other_feeds, whole.to_string().contains("another feed")), (0, false));
}
