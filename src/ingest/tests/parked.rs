//! Records of unknown cards: parked, delivered, given up.

use super::*;
use crate::model::{CardName, DirectoryEntry, Number, NumberKind};

#[test]
fn a_record_of_an_unknown_identity_is_parked_and_delivered_when_the_directory_names_it() {
    for (value, imsi) in [(by_imsi("a"), Some(IMSI)), (by_iccid(1, "a"), None)] {
        let mut run = Run::new();
        run.put(Topic::Cdr, 0, &value);
        let report = run.settle();
        assert_eq!((report.parked_held, run.count(Topic::Parked), run.logged().len()), (1, 1, 0));
        assert_eq!((run.committed(Topic::Cdr, 0), run.committed(Topic::Parked, 0)), (1, 0));
        run.register(1, imsi);
        let report = run.settle();
        assert_eq!((report.parked_held, run.logged()), (0, texts(&["cdr a"])));
        assert_eq!(run.committed(Topic::Parked, 0), 1);
    }
}

#[test]
fn parked_records_are_delivered_in_the_order_in_which_they_came() {
    let mut run = Run::new();
    for n in 0..9 {
        run.put(Topic::Cdr, 0, &by_imsi(&n.to_string()));
    }
    run.settle();
    run.register(1, Some(IMSI));
    run.settle();
    let partition = crate::model::partition_of(card(1), PARTITIONS);
    let expected: Vec<String> = (0..9).map(|n| format!("cdr {n}")).collect();
    assert_eq!(run.broker.borrow().log(partition), expected);
}

#[test]
fn a_number_held_at_another_time_leaves_the_record_parked() {
    let mut run = Run::new();
    run.put(Topic::Cdr, 0, &by_imsi("a"));
    run.settle();
    let name = CardName::Number(Number { kind: NumberKind::Imsi, digits: IMSI });
    let entry = DirectoryEntry { name, card: card(1), valid_from: 1_785_542_401, valid_to: None };
    run.broker.borrow_mut().append(crate::codec::directory::output(&entry, None));
    assert_eq!(run.settle().parked_held, 1);
}

#[test]
fn a_number_that_was_taken_back_names_its_card_in_the_interval_before_too() {
    const START: i64 = 1_785_542_400;
    let mut run = Run::new();
    run.put(Topic::Cdr, 0, &by_imsi("a"));
    run.settle();
    let name = CardName::Number(Number { kind: NumberKind::Imsi, digits: IMSI });
    let entry = |n, valid_from, valid_to| DirectoryEntry { name, card: card(n), valid_from, valid_to };
    let say = |run: &mut Run, entries: &[DirectoryEntry]| {
        for output in crate::codec::directory::outputs(entries, None) {
            run.broker.borrow_mut().append(output);
        }
    };
    say(&mut run, &[entry(2, START + 50, Some(START + 100))]);
    assert_eq!(run.settle().parked_held, 1);
    say(&mut run, &[entry(1, START - 100, Some(START + 50)), entry(1, START + 100, None)]);
    assert_eq!(run.settle().parked_held, 0);
    let partition = crate::model::partition_of(card(1), PARTITIONS);
    assert_eq!(run.broker.borrow().log(partition), ["cdr a"]);
    assert_eq!(run.count(Topic::FeedEvents), 0, "no two cards held it at one time");
}

#[test]
fn a_record_that_nobody_names_in_a_day_is_quarantined_as_unknown() {
    let mut run = Run::new();
    run.put(Topic::Cdr, 0, &by_imsi("a"));
    run.settle();
    run.broker.borrow_mut().now_ms += DAY_MS - 60_000;
    assert_eq!((run.settle().parked_held, run.count(Topic::Quarantine)), (1, 0));
    run.broker.borrow_mut().now_ms += 120_000;
    assert_eq!((run.settle().parked_held, run.count(Topic::Quarantine)), (0, 1));
    assert_eq!(run.header(Topic::Quarantine, "outcome"), "unknown");
    assert_eq!(run.header(Topic::Quarantine, "source"), "usage.cdr");
    let value = run.broker.borrow().messages(Topic::Quarantine)[0].value.clone();
    assert_eq!(value.unwrap(), by_imsi("a").into_bytes());
    assert_eq!(run.committed(Topic::Parked, 0), 1);
}

#[test]
fn the_day_is_counted_from_the_first_sight_whatever_crashes() {
    let mut run = Run::new();
    run.put(Topic::Cdr, 0, &by_imsi("a"));
    run.settle();
    run.broker.borrow_mut().now_ms += DAY_MS - 60_000;
    let broker = run.broker.clone();
    let mut run = Run::with(&broker, Bounds::default());
    assert_eq!(run.settle().parked_held, 1);
    broker.borrow_mut().now_ms += 120_000;
    run.settle();
    assert_eq!(run.count(Topic::Quarantine), 1);
}

#[test]
fn an_identity_has_so_many_parked_records_and_no_more() {
    let bounds = Bounds { parked_per_identity: 3, ..Bounds::default() };
    let mut run = Run::with(&Broker::new(), bounds);
    for n in 0..5 {
        run.put(Topic::Cdr, 0, &by_imsi(&n.to_string()));
    }
    assert_eq!(run.settle().parked_held, 3);
    assert_eq!(run.count(Topic::Quarantine), 2);
    run.register(1, Some(IMSI));
    run.settle();
    assert_eq!(run.logged(), texts(&["cdr 0", "cdr 1", "cdr 2"]));
    assert_eq!(run.committed(Topic::Parked, 0), 5);
}

#[test]
fn a_full_parking_place_stops_the_parked_topic_alone() {
    let bounds = Bounds { parked_records: 2, poll_records: 1, ..Bounds::default() };
    let mut run = Run::with(&Broker::new(), bounds);
    for n in 0..6 {
        run.put(Topic::Cdr, 0, &cdr("imsi", &(IMSI + n).to_string(), &n.to_string()));
    }
    let report = run.settle();
    assert_eq!((report.parked_held, report.paused, run.count(Topic::Parked)), (2, true, 6));
    assert!(run.log().paused.iter().all(|place| place.topic == Topic::Parked));
    run.register(1, Some(IMSI));
    run.register(2, Some(IMSI + 1));
    run.settle();
    assert_eq!(run.logged(), texts(&["cdr 0", "cdr 1"]));
}
