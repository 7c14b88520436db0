//! The state machine over a log in memory, driven step by step.

mod broker;

mod crashes;
mod feeds;
mod gaps;
mod parked;
mod push;

use std::collections::BTreeSet;

use broker::{Acks, at};
pub(super) use broker::{Broker, PARTITIONS, Shared, TestLog};

use super::*;
use crate::log::{IngestPolled, Topic};
use crate::model::{CardId, CardName, DirectoryEntry, Number, NumberKind};

const IMSI: u64 = 460_041_234_567_890;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn card(n: u8) -> CardId {
    CardId::parse(&format!("898600123456789{n:04}")).unwrap()
}

/// A CDR that names its card by `field`.
fn cdr(field: &str, name: &str, id: &str) -> String {
    format!(
        r#"{{"{field}":"{name}","feed":"f","id":"{id}","start":"2026-08-01T00:00:00Z","end":"2026-08-01T00:15:00Z","up":1,"down":2}}"#
    )
}

fn by_iccid(n: u8, id: &str) -> String {
    cdr("iccid", &card(n).to_string(), id)
}

fn by_imsi(id: &str) -> String {
    cdr("imsi", &IMSI.to_string(), id)
}

fn recharge(n: u8, id: &str) -> String {
    format!(r#"{{"id":"{id}","card":"{}","type":"card.resume","at":"2026-08-01T00:00:00Z"}}"#, card(n))
}

/// A broker, an ingest on it, and the hand on both.
struct Run {
    broker: Shared,
    ingest: Ingest<TestLog>,
}

impl Run {
    fn new() -> Self {
        Self::with(&Broker::new(), Bounds::default())
    }

    fn with(broker: &Shared, bounds: Bounds) -> Self {
        let options = Options { bounds, ..Options::new("test", Clock::Log) };
        let ingest = Ingest::new(TestLog::new(broker), PlainDirectory::default(), options);
        Self { broker: broker.clone(), ingest }
    }

    fn put(&self, topic: Topic, partition: u32, value: &str) {
        self.put_bytes(topic, partition, value.as_bytes());
    }

    fn put_bytes(&self, topic: Topic, partition: u32, value: &[u8]) {
        self.broker.borrow_mut().put(topic, partition, value);
    }

    fn register(&self, n: u8, imsi: Option<u64>) {
        self.broker.borrow_mut().register(card(n), imsi);
    }

    fn log(&mut self) -> &mut TestLog {
        self.ingest.log_mut()
    }

    /// One step, a few milliseconds later.
    fn step(&mut self) -> Report {
        let now_ms = {
            let mut broker = self.broker.borrow_mut();
            broker.now_ms += 10;
            broker.now_ms
        };
        self.ingest.step(now_ms).unwrap()
    }

    fn steps(&mut self, count: usize) -> Report {
        (0..count).map(|_| self.step()).last().unwrap()
    }

    /// Steps until nothing has been done for a few steps.
    fn settle(&mut self) -> Report {
        let mut quiet = 0;
        for _ in 0..500 {
            let report = self.step();
            let still = report.idle && report.read == 0 && report.acked == 0;
            quiet = if still { quiet + 1 } else { 0 };
            if quiet == 4 {
                return report;
            }
        }
        panic!("not idle after 500 steps: {:?}", self.step());
    }

    fn committed(&self, topic: Topic, partition: u32) -> u64 {
        self.broker.borrow().committed.get(&at(topic, partition)).copied().unwrap_or(0)
    }

    fn logged(&self) -> BTreeSet<String> {
        self.broker.borrow().logged()
    }

    fn count(&self, topic: Topic) -> usize {
        self.broker.borrow().messages(topic).len()
    }

    fn header(&self, topic: Topic, name: &str) -> String {
        let broker = self.broker.borrow();
        let messages = broker.messages(topic);
        let header = messages.first().unwrap().headers.iter().find(|(n, _)| *n == name);
        String::from_utf8(header.unwrap().1.clone()).unwrap()
    }
}

fn texts(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn records_of_all_topics_reach_the_packs_of_their_cards_partitions() {
    let mut run = Run::new();
    run.register(1, Some(IMSI));
    run.put(Topic::Cdr, 0, &by_iccid(1, "a"));
    run.put(Topic::Cdr, 1, &by_imsi("b"));
    run.put(Topic::Commands, 0, &recharge(1, "c"));
    let reading = format!(
        r#"{{"iccid":"{}","imei":"860000000000011","counter":"qgdcnt","at":"1970-01-01T00:00:09Z","tx":1,"rx":2}}"#,
        card(1)
    );
    run.put(Topic::Modem, 0, &reading);
    run.settle();
    let partition = crate::model::partition_of(card(1), PARTITIONS);
    let there: BTreeSet<_> = run.broker.borrow().log(partition).into_iter().collect();
    assert_eq!(there, texts(&["cdr a", "cdr b", "command c", "reading qgdcnt 9"]));
    assert_eq!(run.logged(), there);
}

#[test]
fn a_pack_waits_for_its_linger_and_no_longer() {
    let mut run = Run::new();
    run.register(1, None);
    run.put(Topic::Cdr, 0, &by_iccid(1, "a"));
    run.steps(2);
    let now = run.broker.borrow().now_ms;
    let report = run.ingest.step(now + 1).unwrap();
    assert!(report.due_ms.is_none_or(|due| due > now));
    run.settle();
    assert_eq!(run.count(Topic::Log), 1);
}

#[test]
fn the_committed_offset_never_passes_a_record_that_is_not_acknowledged() {
    let mut run = Run::new();
    run.register(1, None);
    for id in ["a", "b", "c"] {
        run.put(Topic::Cdr, 0, &by_iccid(1, id));
    }
    run.log().acks = Acks::Withheld;
    let report = run.steps(60);
    assert_eq!((report.in_flight_records, run.committed(Topic::Cdr, 0)), (3, 0));
    run.log().acks = Acks::Prompt;
    let report = run.settle();
    assert_eq!((report.in_flight_records, report.in_flight_bytes), (0, 0));
    assert_eq!(run.committed(Topic::Cdr, 0), 3);
}

#[test]
fn what_the_log_loses_is_sent_again_in_order() {
    let mut run = Run::new();
    run.register(1, None);
    run.log().acks = Acks::Withheld;
    let ids: Vec<String> = (0..9).map(|n| format!("c{n}")).collect();
    for id in &ids {
        run.put(Topic::Commands, 0, &recharge(1, id));
        run.steps(3);
    }
    assert!(run.log().queue.len() > 1, "several packs are under way");
    run.log().acks = Acks::LostOnce;
    run.settle();
    let partition = crate::model::partition_of(card(1), PARTITIONS);
    let expected: Vec<String> = ids.iter().map(|id| format!("command {id}")).collect();
    assert_eq!(run.broker.borrow().log(partition), expected);
    assert_eq!(run.committed(Topic::Commands, 0), 9);
}

#[test]
fn nothing_is_read_before_the_directory_is_known() {
    let mut run = Run::new();
    run.register(1, Some(IMSI));
    run.put(Topic::Cdr, 0, &by_imsi("a"));
    run.log().directory_behind = true;
    let report = run.steps(5);
    assert_eq!((report.directory_ready, report.read, run.count(Topic::Parked)), (false, 0, 0));
    run.log().directory_behind = false;
    run.settle();
    assert_eq!((run.logged(), run.count(Topic::Parked)), (texts(&["cdr a"]), 0));
}

#[test]
fn a_command_without_a_card_goes_to_every_partition_and_is_finished_by_the_last() {
    let mut run = Run::new();
    let command =
        r#"{"id":"x","type":"feed.complete","feed":"f","day":"2026-08-01","at":"2026-08-02T00:00:00Z"}"#;
    run.put(Topic::Commands, 0, command);
    run.log().acks = Acks::Withheld;
    run.steps(60);
    assert_eq!(run.committed(Topic::Commands, 0), 0);
    run.log().acks = Acks::Prompt;
    run.settle();
    for partition in 0..PARTITIONS {
        assert_eq!(run.broker.borrow().log(partition), ["command x"], "{partition}");
    }
    assert_eq!(run.committed(Topic::Commands, 0), 1);
}

#[test]
fn nothing_is_read_at_the_bound_and_it_goes_on_at_half_of_it() {
    let bounds = Bounds { in_flight_records: 4, poll_records: 1, ..Bounds::default() };
    let mut run = Run::with(&Broker::new(), bounds);
    run.register(1, None);
    for n in 0..20 {
        run.put(Topic::Cdr, 0, &by_iccid(1, &n.to_string()));
    }
    run.log().acks = Acks::Withheld;
    let report = run.steps(30);
    assert_eq!((report.in_flight_records, report.paused), (4, true));
    // Nothing is paused at the log, which would throw away what it has fetched.
    assert!(run.log().paused.is_empty());
    run.log().acks = Acks::Prompt;
    let report = run.settle();
    assert_eq!((report.in_flight_records, report.in_flight_bytes, report.paused), (0, 0, false));
    assert_eq!(run.logged().len(), 20);
}

#[test]
fn what_cannot_be_read_is_a_dead_letter_that_says_where_it_was_and_why() {
    let mut run = Run::new();
    let unreadable = cdr("iccid", "8986", "x");
    run.put(Topic::Cdr, 1, &unreadable);
    run.settle();
    assert_eq!(run.count(Topic::DeadLetter), 1);
    assert_eq!(run.header(Topic::DeadLetter, "outcome"), "rejected");
    assert_eq!(run.header(Topic::DeadLetter, "source"), "usage.cdr");
    assert_eq!(run.header(Topic::DeadLetter, "partition"), "1");
    assert_eq!(run.header(Topic::DeadLetter, "offset"), "0");
    assert!(run.header(Topic::DeadLetter, "reason").contains("iccid"));
    let value = run.broker.borrow().messages(Topic::DeadLetter)[0].value.clone();
    assert_eq!(value.unwrap(), unreadable.into_bytes());
    assert_eq!(run.committed(Topic::Cdr, 1), 1);
}

#[test]
fn every_kind_of_unreadable_message_is_a_dead_letter_and_blocks_nothing() {
    let mut run = Run::new();
    run.register(1, None);
    let absurd = by_iccid(1, "x").replace("\"up\":1", "\"up\":999999999999999999");
    let long = by_iccid(1, "x") + &" ".repeat(crate::limits::OUTSIDE_BYTES_MAX);
    let cases = [
        (Topic::Cdr, String::new()),
        (Topic::Cdr, "not json".to_owned()),
        (Topic::Cdr, absurd),
        (Topic::Cdr, long),
        (Topic::Modem, by_iccid(1, "x")),
        (Topic::Commands, r#"{"id":"x","type":"card.teleport"}"#.to_owned()),
        (Topic::Parked, "{}".to_owned()),
    ];
    for (topic, value) in &cases {
        run.put(*topic, 0, value);
    }
    run.put(Topic::Cdr, 0, &by_iccid(1, "good"));
    run.settle();
    assert_eq!(run.count(Topic::DeadLetter), cases.len());
    assert_eq!(run.logged(), texts(&["cdr good"]));
    assert_eq!(run.committed(Topic::Cdr, 0), 5);
}

#[test]
fn a_partition_that_is_dropped_gives_its_budget_back_and_is_not_committed() {
    let mut run = Run::new();
    run.register(1, None);
    run.put(Topic::Cdr, 0, &by_iccid(1, "a"));
    run.put(Topic::Cdr, 1, &by_iccid(1, "b"));
    run.log().acks = Acks::Withheld;
    assert_eq!(run.steps(5).in_flight_records, 2);
    run.log().change = IngestPolled { dropped: vec![at(Topic::Cdr, 0)], ..IngestPolled::default() };
    assert_eq!(run.steps(2).in_flight_records, 1);
    run.log().acks = Acks::Prompt;
    let report = run.settle();
    assert_eq!((report.in_flight_records, report.in_flight_bytes), (0, 0));
    assert_eq!((run.committed(Topic::Cdr, 0), run.committed(Topic::Cdr, 1)), (0, 1));
}

#[test]
fn two_cards_with_one_number_are_told_once_however_often_the_directory_is_read() {
    let broker = Broker::new();
    broker.borrow_mut().register(card(1), Some(IMSI));
    broker.borrow_mut().register(card(2), Some(IMSI));
    let ids = || -> BTreeSet<String> {
        let broker = broker.borrow();
        let event =
            |value: &[u8]| serde_json::from_slice::<serde_json::Value>(value).unwrap()["id"].to_string();
        broker.messages(Topic::FeedEvents).iter().map(|kept| event(kept.value.as_ref().unwrap())).collect()
    };
    Run::with(&broker, Bounds::default()).settle();
    let first = ids();
    Run::with(&broker, Bounds::default()).settle();
    assert_eq!((first.len(), ids()), (1, first));
}

#[test]
fn the_ledger_adds_up_and_names_what_became_of_each_record() {
    let mut run = Run::new();
    run.register(1, None);
    run.put(Topic::Cdr, 0, &by_iccid(1, "a"));
    run.put(Topic::Cdr, 0, &by_imsi("b"));
    run.put(Topic::Cdr, 0, "broken");
    run.settle();
    run.broker.borrow_mut().now_ms += DAY_MS + 60_000;
    run.settle();
    let ledger = run.ingest.ledger();
    assert!(ledger.adds_up());
    let of = |source, outcome| ledger.records(source, outcome);
    assert_eq!(of(Source::Cdr, IngestOutcome::Logged), 1);
    assert_eq!(of(Source::Cdr, IngestOutcome::Parked), 1);
    assert_eq!(of(Source::Cdr, IngestOutcome::DeadLetter), 1);
    assert_eq!(of(Source::Parked, IngestOutcome::Unknown), 1);
    assert_eq!((ledger.read(Source::Cdr), ledger.read(Source::Parked)), (3, 1));
    let bytes = by_iccid(1, "a").len() + by_imsi("b").len() + "broken".len();
    assert_eq!(ledger.read_bytes(Source::Cdr), bytes as u64);
}

#[test]
fn with_the_supplied_clock_a_pack_has_the_time_of_its_records_and_one_second_only() {
    let broker = Broker::new();
    let options = Options::new("test", Clock::Supplied);
    let ingest = Ingest::new(TestLog::new(&broker), PlainDirectory::default(), options);
    let mut run = Run { broker: broker.clone(), ingest };
    run.register(1, None);
    let start = broker.borrow().now_ms;
    for (id, later_ms) in [("a", 0), ("b", 400), ("c", 3_000)] {
        broker.borrow_mut().now_ms = start + later_ms;
        run.put(Topic::Cdr, 0, &by_iccid(1, id));
    }
    run.settle();
    let times: Vec<i64> =
        broker.borrow().messages(Topic::Log).iter().map(|kept| kept.time_ms - start).collect();
    assert_eq!(times, [400, 3_000]);
}

#[test]
fn ingest_that_stops_finishes_what_it_has_and_reads_no_more() {
    let mut run = Run::new();
    run.register(1, None);
    run.put(Topic::Cdr, 0, &by_iccid(1, "a"));
    run.steps(2);
    run.ingest.stop();
    run.step();
    run.put(Topic::Cdr, 0, &by_iccid(1, "b"));
    let report = run.steps(5);
    assert!(report.idle);
    assert_eq!((run.logged(), run.committed(Topic::Cdr, 0)), (texts(&["cdr a"]), 1));
}

#[test]
fn a_number_that_was_released_before_it_was_claimed_is_no_conflict_in_whatever_order_that_is_read() {
    let mut run = Run::new();
    let number = Number { kind: NumberKind::Imsi, digits: IMSI };
    let say = |run: &mut Run, n, valid_from, valid_to| {
        let entry = DirectoryEntry { name: CardName::Number(number), card: card(n), valid_from, valid_to };
        run.broker.borrow_mut().append(crate::codec::directory::output(&entry, None));
    };
    // The claim stands before the release, which stands in another partition.
    say(&mut run, 2, 20, None);
    say(&mut run, 1, 0, None);
    say(&mut run, 1, 0, Some(20));
    run.settle();
    assert_eq!(run.count(Topic::FeedEvents), 0);
    say(&mut run, 3, 10, None);
    run.settle();
    assert_eq!(run.count(Topic::FeedEvents), 2, "one with each");
}
