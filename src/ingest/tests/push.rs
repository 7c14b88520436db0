//! Batches that are pushed: kept when the log has them, refused at the bound, and never half told of.

use super::*;
use crate::ingest::formats::{Decoder, Platform};
use crate::ingest::{Kept, Push, Refused, Taking, Ticket};
use crate::limits::PUSH_RECORDS_MAX;

fn run(bounds: Bounds) -> Run {
    let broker = Broker::new();
    let pushed = [Decoder::of("f", Platform::Onence)].into();
    let options = Options { bounds, pushed, ..Options::new("test", Clock::Log) };
    let ingest = Ingest::new(TestLog::new(&broker), PlainDirectory::default(), options);
    Run { broker, ingest }
}

#[test]
fn where_the_clock_is_supplied_a_batch_without_a_time_that_can_be_right_moves_none() {
    let broker = Broker::new();
    let pushed = [Decoder::of("f", Platform::Onence)].into();
    let options = Options { pushed, ..Options::new("test", Clock::Supplied) };
    let ingest = Ingest::new(TestLog::new(&broker), PlainDirectory::default(), options);
    let mut run = Run { broker, ingest };
    run.register(1, None);
    run.settle();
    // Long after the records' own times.
    let received_ms = 1_900_000_000_000;
    let month = record(1, 2, 5).replace("2026-08-01T00:00:00Z", "2026-07-01T00:00:00Z");
    for text in [record(1, 1, 5), month] {
        run.ingest.push(&Push { feed: "f", bytes: text.as_bytes(), received_ms }, 0).unwrap();
        run.settle();
    }
    let broker = run.broker.borrow();
    let times: Vec<i64> = broker.messages(Topic::Log).iter().map(|kept| kept.time_ms).collect();
    // 2026-08-01T00:15:00Z, the first record's end.
    assert_eq!(times, [1_785_543_300_000; 2]);
}

fn record(n: u8, id: u64, traffic: u8) -> String {
    let card = card(n);
    format!(
        r#"{{"id":{id},"sim":{{"iccid":"{card}"}},"start_timestamp":"2026-08-01T00:00:00Z","end_timestamp":"2026-08-01T00:15:00Z","traffic_type":{{"id":{traffic}}},"volume":{{"tx":"0.000001","rx":"0.000002"}}}}"#
    )
}

fn push(run: &mut Run, feed: &str, text: &str) -> Result<Ticket, Refused> {
    run.ingest.push(&Push { feed, bytes: text.as_bytes(), received_ms: 7_000 }, 0)
}

fn outcomes(run: &Run) -> [u64; 4] {
    assert!(run.ingest.ledger().adds_up());
    IngestOutcome::ALL.map(|outcome| run.ingest.ledger().records(Source::Push, outcome))
}

#[test]
fn a_batch_of_more_records_than_are_taken_at_once_is_refused_as_a_whole() {
    let mut run = run(Bounds::default());
    run.settle();
    let batch = format!("{}\n{}", record(1, 1, 5), "x\n".repeat(PUSH_RECORDS_MAX));
    assert_eq!(push(&mut run, "f", &batch), Err(Refused::TooMany(PUSH_RECORDS_MAX + 1)));
    assert_eq!((outcomes(&run), run.settle().in_flight_records), ([0; 4], 0));
}

#[test]
fn a_batch_is_kept_when_the_log_has_each_of_its_records() {
    let mut run = run(Bounds::default());
    run.register(1, None);
    run.settle();
    let broken = record(1, 3, 5).replace("0.000001", "x");
    let first = record(1, 1, 5);
    // A good record, an SMS, a broken record, one of a card that nobody has registered.
    let batch = [first.clone(), record(1, 2, 6), broken.clone(), record(2, 4, 5)].join("\n");
    run.log().acks = Acks::Withheld;
    let ticket = push(&mut run, "f", &batch).unwrap();
    run.steps(60);
    assert!(run.ingest.pushed().is_empty());
    run.log().acks = Acks::Prompt;
    let report = run.settle();
    assert_eq!((report.in_flight_records, report.in_flight_bytes), (0, 0));
    let told = run.ingest.pushed();
    let [(told, kept)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((*told, kept.outcomes, kept.asides, kept.read()), (ticket, [1, 1, 1, 0], 1, 3));
    assert_eq!(outcomes(&run), kept.outcomes);
    assert_eq!(run.logged(), texts(&["cdr 1"]));
    let at = batch.find(&broken).unwrap();
    let [(place, reason)] = kept.problems.as_slice() else { panic!("{kept:?}") };
    assert_eq!(*place, at);
    assert!(reason.starts_with("field `volume.tx`"), "{reason}");
    // The dead letter is the record alone, at its place in the batch.
    assert_eq!(run.header(Topic::DeadLetter, "source"), kept.source);
    assert_eq!(run.header(Topic::DeadLetter, "offset"), at.to_string());
    assert!(run.header(Topic::DeadLetter, "reason").starts_with(&format!("at byte {at} of the message: ")));
    let letter = run.broker.borrow().messages(Topic::DeadLetter)[0].value.clone();
    assert_eq!(letter.as_deref(), Some(broken.as_bytes()));
}

#[test]
fn the_same_batch_again_brings_the_same_ids_and_places() {
    let mut run = run(Bounds::default());
    run.register(1, None);
    run.settle();
    let batch = format!("{}\n{{}}\n", record(1, 1, 5));
    let kept: Vec<Kept> = (0..2)
        .map(|_| {
            push(&mut run, "f", &batch).unwrap();
            run.settle();
            run.ingest.pushed().remove(0).1
        })
        .collect();
    assert_eq!(kept[0], kept[1]);
    let broker = run.broker.borrow();
    let letters = broker.messages(Topic::DeadLetter);
    let qid = |n: usize| letters[n].headers.iter().find(|(name, _)| *name == "qid").unwrap().1.clone();
    assert_eq!((letters.len(), qid(0)), (2, qid(1)));
}

#[test]
fn nothing_is_kept_of_what_is_not_the_feeds_or_of_nobodys_feed() {
    let mut run = run(Bounds::default());
    run.settle();
    let refused = push(&mut run, "f", "<html>\n<p>").unwrap_err().to_string();
    assert!(refused.starts_with("nothing in it can be read as 1nce; first, at byte 0: "), "{refused}");
    assert_eq!(push(&mut run, "g", "{}").unwrap_err(), Refused::Feed("g".to_owned()));
    let report = run.settle();
    assert_eq!((outcomes(&run), report.in_flight_records), ([0; 4], 0));
    assert!(run.broker.borrow().messages(Topic::DeadLetter).is_empty());
}

#[test]
fn a_batch_of_nothing_is_kept_at_once() {
    let mut run = run(Bounds::default());
    run.settle();
    let ticket = push(&mut run, "f", "[]").unwrap();
    let told = run.ingest.pushed();
    assert_eq!((told[0].0, told[0].1.read()), (ticket, 0));
}

#[test]
fn batches_count_against_the_bound_and_are_taken_again_below_half_of_it() {
    let mut run = run(Bounds { in_flight_records: 4, ..Bounds::default() });
    assert_eq!(run.ingest.takes_pushes(), Taking::NotReady, "nobody's card can be told");
    run.register(1, None);
    run.settle();
    assert_eq!(run.ingest.takes_pushes(), Taking::Open);
    run.log().acks = Acks::Withheld;
    let batch: String = (0..4).map(|id| record(1, id, 5) + "\n").collect();
    push(&mut run, "f", &batch).unwrap();
    let report = run.steps(2);
    assert_eq!(run.ingest.takes_pushes(), Taking::Full);
    assert!(report.paused);
    run.log().acks = Acks::Prompt;
    run.settle();
    assert_eq!((run.ingest.takes_pushes(), run.ingest.pushed().len()), (Taking::Open, 1));
}
