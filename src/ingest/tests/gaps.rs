//! Gaps of feeds that come by topics, over restarts and rebalances: what is known stands beside the committed offsets.

use super::broker::RAW;
use super::*;
use crate::ingest::formats::feed::Feed;

/// A feed in CSV that says who numbers and how, keyed by node.
fn block() -> serde_json::Value {
    serde_json::json!({
        "id": "f", "format": "mapped-csv", "topic": "onelink.raw", "columns": ["card", "node", "n", "at", "kb"],
        "identity": "card", "identity_kind": "iccid", "record_id": ["node", "n"], "start": "at", "end": "at",
        "total": "kb", "unit": "KiB", "time": "unix", "number": "n", "node": "node", "record_numbers": [1, 9999],
        "keyed_by_node": true, "gap_after_minutes": 0, "silence_minutes": 1,
    })
}

fn begin(broker: &Shared) -> Run {
    let feed: Feed = serde_json::from_value(block()).unwrap();
    let feed = RawFeed { topic: RAW, decoder: feed.decoder, watch: feed.watch };
    let options = Options { feeds: vec![feed].into(), ..Options::new("test", Clock::Log) };
    let ingest = Ingest::new(TestLog::new(broker), PlainDirectory::default(), options);
    Run { broker: broker.clone(), ingest }
}

impl Run {
    /// A message with records of a node, numbered so.
    fn numbered(&self, partition: u32, node: &str, numbers: impl IntoIterator<Item = u64>) {
        let row = |n: u64| format!("{},{node},{n},{},1\n", card(1), 1_785_000_000 + n);
        self.put(RAW, partition, &numbers.into_iter().map(row).collect::<String>());
    }

    /// A second goes by, which is how often gaps are looked for and offsets committed.
    fn second(&mut self) {
        self.broker.borrow_mut().now_ms += 2_000;
        self.settle();
    }

    /// Ids of what was told of gaps, in order, each as often as it was.
    fn told(&self) -> Vec<String> {
        let broker = self.broker.borrow();
        let events = broker.messages(Topic::FeedEvents).into_iter();
        let id = |headers: &[(&'static str, Vec<u8>)]| {
            let found = headers.iter().find(|(name, _)| *name == "ce_id").unwrap();
            String::from_utf8(found.1.clone()).unwrap().replace("feed.gap.", "")
        };
        events.map(|kept| id(&kept.headers)).collect()
    }
}

#[test]
fn records_lost_while_ingest_was_down_are_named_once_and_their_gap_is_closed_after_another_restart() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    run.numbered(0, "a", 9_990..=9_995);
    run.numbered(1, "b", 1..=3);
    run.second();
    let mut run = begin(&run.broker);
    run.numbered(0, "a", [9_998, 9_999, 1]);
    run.second();
    assert_eq!(run.told(), ["opened/f/records/a/0/9996"]);
    for _ in 0..2 {
        run = begin(&run.broker);
        run.second();
        run.numbered(1, "b", [4]);
        run.second();
    }
    assert_eq!(run.told(), ["opened/f/records/a/0/9996"], "it is open already");
    let open = run.ingest.standing()[0].open.clone();
    assert_eq!(
        (open.len(), open[0].first, open[0].last, run.ingest.standing()[0].series),
        (1, 9_996, 9_997, 2)
    );
    run.numbered(0, "a", [9_997, 9_996, 2]);
    run.second();
    assert_eq!(run.told(), ["opened/f/records/a/0/9996", "closed/f/records/a/0/9996"]);
}

#[test]
fn what_is_read_again_after_a_crash_is_no_gap_and_no_beginning() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    run.numbered(0, "a", 1..=40);
    run.second();
    run.numbered(0, "a", 41..=50);
    run.steps(5);
    // The log has those; when their offset is committed others have been looked at that it has not.
    run.log().acks = Acks::Withheld;
    run.numbered(0, "a", 51..=60);
    run.broker.borrow_mut().now_ms += 2_000;
    run.steps(2);
    let note = run.broker.borrow().notes[&at(RAW, 0)].clone();
    assert!(run.committed(RAW, 0) == 2 && note.contains("\"s\":3"), "{} {note}", run.committed(RAW, 0));
    let mut again = begin(&run.broker);
    again.second();
    again.numbered(0, "a", 61..=62);
    again.second();
    assert_eq!(again.told(), [""; 0]);
    assert_eq!(again.ingest.standing()[0].unreliable, 0);
}

#[test]
fn an_event_that_the_log_has_not_is_not_kept_as_told() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    run.numbered(0, "a", 1..=2);
    run.second();
    run.log().acks = Acks::Withheld;
    run.numbered(0, "a", [5]);
    run.broker.borrow_mut().now_ms += 2_000;
    let report = run.steps(10);
    assert_eq!(run.told(), [""; 0]);
    let now_ms = run.broker.borrow().now_ms;
    assert!(
        report.due_ms.is_none_or(|due_ms| due_ms > now_ms),
        "nothing is due while the log does not answer"
    );
    assert!(!report.idle);
    let mut again = begin(&run.broker);
    again.second();
    assert_eq!(again.told(), ["opened/f/records/a/0/3"]);
}

#[test]
fn a_silence_is_ended_under_its_name_by_whoever_reads_after_a_restart() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    run.numbered(0, "a", [1]);
    run.settle();
    let since_ms = run.broker.borrow().messages(RAW)[0].time_ms;
    run.broker.borrow_mut().now_ms += 61_000;
    run.second();
    run.second();
    let mut run = begin(&run.broker);
    run.second();
    assert_eq!(run.told(), [format!("opened/f/silence/{since_ms}")]);
    assert_eq!(run.ingest.standing()[0].silent_since_ms, Some(since_ms));
    run.numbered(1, "b", [1]);
    run.second();
    let mut run = begin(&run.broker);
    run.second();
    let both = ["opened", "closed"].map(|change| format!("{change}/f/silence/{since_ms}"));
    assert_eq!(run.told(), both);
}

#[test]
fn a_message_whose_time_is_still_to_come_does_not_hide_that_nothing_follows() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    run.settle();
    let ahead_ms = 1_000_000_000;
    run.broker.borrow_mut().now_ms += ahead_ms;
    run.numbered(0, "a", [1]);
    run.broker.borrow_mut().now_ms -= ahead_ms;
    run.settle();
    run.broker.borrow_mut().now_ms += 61_000;
    run.second();
    run.second();
    let told = run.told();
    assert!(told.len() == 1 && told[0].starts_with("opened/f/silence/"), "{told:?}");
}

#[test]
fn a_silence_is_told_while_other_topics_wait_and_behind_the_ends_of_transactions() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    let silent = |run: &mut Run, number, waits| {
        run.numbered(0, "a", [number]);
        run.second();
        run.broker.borrow_mut().now_ms += 61_000;
        run.log().lag = waits;
        run.second();
    };
    silent(&mut run, 1, (0, 200_000));
    assert_eq!(run.told().len(), 1);
    // It is resumed; whether those are messages is not known at first, and none comes.
    silent(&mut run, 2, (2, 0));
    assert_eq!(run.told().len(), 2);
    (0..6).for_each(|_| run.second());
    assert_eq!(run.told().len(), 3);
    // Nor do others wait for what other topics bring.
    silent(&mut run, 3, (2, 0));
    for n in 10..16 {
        run.register(n, None);
        run.second();
    }
    assert_eq!(run.told().len(), 5);
    // So many are no ends of transactions.
    silent(&mut run, 4, (1_000, 0));
    (0..9).for_each(|_| run.second());
    assert_eq!(run.told().len(), 6);
}

#[test]
fn a_partition_that_moves_takes_its_numbers_with_it() {
    let mut run = begin(&Broker::new());
    run.register(1, None);
    run.numbered(0, "a", 1..=5);
    run.numbered(1, "b", 1..=5);
    run.second();
    run.log().change = IngestPolled { dropped: vec![at(RAW, 0)], ..IngestPolled::default() };
    run.second();
    assert_eq!(run.ingest.standing()[0].series, 1);
    run.numbered(0, "a", [8]);
    run.log().change = IngestPolled { assigned: vec![at(RAW, 0)], ..IngestPolled::default() };
    run.second();
    assert_eq!(run.told(), ["opened/f/records/a/0/6"]);
}

#[test]
fn numbers_of_a_topic_that_is_not_keyed_by_node_are_not_watched() {
    let mut block = block();
    block["keyed_by_node"] = false.into();
    let feed: Feed = serde_json::from_value(block).unwrap();
    let feed = RawFeed { topic: RAW, decoder: feed.decoder, watch: feed.watch };
    let options = Options { feeds: vec![feed].into(), ..Options::new("test", Clock::Log) };
    let broker = Broker::new();
    let ingest = Ingest::new(TestLog::new(&broker), PlainDirectory::default(), options);
    let mut run = Run { broker, ingest };
    run.register(1, None);
    run.numbered(0, "a", [1, 5]);
    run.second();
    assert_eq!((run.told().len(), run.ingest.standing()[0].series), (0, 0));
    assert_eq!(run.logged().len(), 2);
}
