//! Messages as the codecs write them → rows worked out by hand.

use super::*;
use crate::codec::quarantine::{Entry, output as quarantined};
use crate::codec::{event, pack::PackWriter};
use crate::log::Output;
use crate::model::{
    AlertData, CardId, Cdr, Event, EventBody, FeedName, Mode, Occasion, Origin, Outcome, PackageData,
    PackageKind, Payment, Position, Record, RuleKind, Slices, Tick,
};
use crate::rollup::rows::{NO_CARD, Raw};

const ICCID: &str = "8986001234567890123";
const CARD: [u8; 19] = *b"8986001234567890123";
/// 2026-08-01T01:30:15Z, and its day.
const AT: i64 = 1_785_547_815;
const AUGUST: u16 = 20_666;
const ORIGIN: Origin<'_> = Origin { source: "usage.cdr", partition: 2, offset: 41, received_ms: 5 };

fn card() -> CardId {
    CardId::parse(ICCID).unwrap()
}

fn message(output: &Output) -> HistoryRows {
    let headers: Vec<_> = output.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
    rows_of(Message {
        topic: output.topic,
        partition: 4,
        offset: LogOffset(90),
        time_ms: 1_785_547_816_250,
        key: Some(&output.key),
        value: output.value.as_deref(),
        headers: &headers,
    })
}

fn rows_of(message: Message<'_>) -> HistoryRows {
    let mut rows = HistoryRows::default();
    rows.add(&message);
    rows
}

fn event_rows(id: &str, body: EventBody) -> HistoryRows {
    let iccid = format!("{ICCID}6");
    let event = Event { card: card(), iccid, id: id.to_owned(), at: AT, log_time: AT + 1, cause: None, body };
    message(&event::output(&event, "d", None))
}

fn payment() -> Payment {
    Payment { provider: "wechat".to_owned(), reference: "p-9".to_owned(), paid_at: AT - 60 }
}

#[test]
fn an_alert_becomes_its_row() {
    let rows = event_rows(
        "a/burnt-80/3",
        EventBody::AlertFired(AlertData {
            rule: "burnt-80".to_owned(),
            kind: RuleKind::BurntPercent(80),
            arming: 3,
            used: 90,
            settled: 50,
            provisional: 40,
            quota: Some(100),
            burnt: 80,
            remaining: Some(20),
            overage: 1,
            settling: true,
            cycle: i32::from(AUGUST),
            forecast: None,
            late: false,
            occasion: Occasion::default(),
            delivery: None,
        }),
    );
    let [mut alert] = <[_; 1]>::try_from(rows.alerts).unwrap();
    let data: serde_json::Value = serde_json::from_str(&std::mem::take(&mut alert.data)).unwrap();
    assert_eq!(data["kind"], serde_json::json!({ "burnt_percent": 80 }), "what has no column is in the data");
    let expected = Alert {
        card: CARD,
        at: AT as u32,
        id: "a/burnt-80/3".to_owned(),
        r#type: "alert.fired".to_owned(),
        iccid: "89860012345678901236".to_owned(),
        rule: "burnt-80".to_owned(),
        arming: 3,
        cycle: AUGUST,
        used: 90,
        settled: 50,
        provisional: 40,
        quota: Some(100),
        burnt: 80,
        remaining: 20,
        overage: 1,
        settling: true,
        data: String::new(),
        topic_partition: 4,
        topic_offset: 90,
    };
    assert_eq!(alert, expected);
}

#[test]
fn a_package_becomes_its_row_with_the_payment_spread_out() {
    let package = PackageData {
        order: "o-1".to_owned(),
        payment: payment(),
        kind: PackageKind::Base,
        mode: Mode::NextCycle,
        quota: None,
        burnt: 7,
        effective_at: None,
        expires_at: Some(AT + 100),
        cycle: None,
    };
    let rows = event_rows("a/o-1/queued", EventBody::PackageQueued(package));
    let [mut row] = <[_; 1]>::try_from(rows.activations).unwrap();
    row.data.clear();
    let text = str::to_owned;
    let expected = Activation {
        card: CARD,
        at: AT as u32,
        id: text("a/o-1/queued"),
        r#type: text("package.queued"),
        iccid: text("89860012345678901236"),
        order_id: text("o-1"),
        provider: text("wechat"),
        reference: text("p-9"),
        paid_at: Some(AT as u32 - 60),
        kind: text("base"),
        mode: text("next_cycle"),
        quota: None,
        burnt: 7,
        effective_at: None,
        expires_at: Some(AT as u32 + 100),
        reason: String::new(),
        data: String::new(),
        topic_partition: 4,
        topic_offset: 90,
    };
    assert_eq!(row, expected);
}

#[test]
fn lifecycle_rows_hold_what_their_event_has() {
    let closed = EventBody::CycleClosed {
        cycle: i32::from(AUGUST),
        used: 5,
        settled: 4,
        estimate: 3,
        overage: 2,
        unsettled_days: 1,
        revision: 6,
    };
    let [row] = <[_; 1]>::try_from(event_rows("a/closed", closed).lifecycle).unwrap();
    assert_eq!((row.cycle, row.used, row.settled, row.estimate), (Some(AUGUST), 5, 4, 3));
    assert_eq!((row.overage, row.unsettled_days, row.revision, &*row.r#type), (2, 1, 6, "cycle.closed"));

    let refused = EventBody::CommandRefused { command: "c-1".to_owned(), reason: "queue full".to_owned() };
    let [row] = <[_; 1]>::try_from(event_rows("a/c-1", refused).lifecycle).unwrap();
    assert_eq!((&*row.command, &*row.reason, row.cycle), ("c-1", "queue full", None));
}

#[test]
fn an_event_of_a_newer_program_is_kept_with_what_is_known_of_it() {
    let json = format!(
        r#"{{"specversion":"1.0","id":"x","source":"s","type":"io.tidegauge.card.moved.v2","subject":"{ICCID}",
        "time":"2026-08-01T01:30:15Z","datacontenttype":"application/json","dataschema":"d","data":{{"to":"z","used":"many"}}}}"#
    );
    let rows = rows_of(Message {
        topic: Topic::Lifecycle,
        partition: 0,
        offset: LogOffset(1),
        time_ms: 0,
        key: None,
        value: Some(json.as_bytes()),
        headers: &[],
    });
    let [row] = <[_; 1]>::try_from(rows.lifecycle).unwrap();
    assert_eq!((&*row.r#type, row.used, &*row.iccid), ("card.moved.v2", 0, ICCID));
    assert_eq!(row.data, r#"{"to":"z","used":"many"}"#);
}

fn cdr<'a>() -> Cdr<'a> {
    Cdr {
        card: card(),
        feed: FeedName::new("cmcc-pgw-1"),
        id: "85/1",
        start: AT,
        end: AT + 900,
        up: 48_213,
        down: 1_351_042,
        slices: Slices::default(),
        number: None,
        origin: ORIGIN,
    }
}

#[test]
fn a_late_record_becomes_a_row_that_says_why_and_where_from() {
    let position = Position { partition: 3, offset: LogOffset(77), index: 5 };
    let entry = Entry::of(Record::Cdr(cdr()), Outcome::Late, "its day is closed", position).unwrap();
    let output = quarantined(&entry, None);
    let [row] = <[_; 1]>::try_from(message(&output).quarantine).unwrap();
    let text = str::to_owned;
    let expected = Quarantine {
        card: CARD,
        id: entry.qid.to_string(),
        seen: 1_785_547_816_250,
        outcome: text("late"),
        reason: text("its day is closed"),
        source: text("usage.cdr"),
        source_partition: 2,
        source_offset: 41,
        log_position: text("3/77/5"),
        record: Raw(output.value.unwrap()),
        topic: text("usage.quarantine"),
        topic_partition: 4,
        topic_offset: 90,
    };
    assert_eq!(row, expected);
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_came() {
    let entry = Entry::unreadable(b"\xff\x00\xfe", "no JSON", ORIGIN);
    let [row] = <[_; 1]>::try_from(message(&quarantined(&entry, None)).quarantine).unwrap();
    assert_eq!((row.card, &*row.record.0, &*row.topic), (NO_CARD, &b"\xff\x00\xfe"[..], "usage.dead-letter"));
}

#[test]
fn a_message_that_cannot_be_read_is_a_row_not_a_stop() {
    for topic in [Topic::Alerts, Topic::Activations, Topic::Lifecycle, Topic::Log] {
        let rows = rows_of(Message {
            topic,
            partition: 4,
            offset: LogOffset(90),
            time_ms: 7,
            key: Some(&CARD),
            value: Some(b"nonsense"),
            headers: &[],
        });
        let [row] = <[_; 1]>::try_from(rows.quarantine).unwrap();
        assert_eq!((&*row.outcome, row.id), ("unreadable", format!("{topic}/4/90")));
        assert_eq!((row.record.0, row.card, &*row.source), (b"nonsense".to_vec(), CARD, topic.name()));
        assert!(!row.reason.is_empty());
    }
}

fn pack_message(offset: u64, pack: &[u8]) -> Message<'_> {
    Message {
        topic: Topic::Log,
        partition: 3,
        offset: LogOffset(offset),
        time_ms: 1_785_547_816_250,
        key: None,
        value: Some(pack),
        headers: &[],
    }
}

#[test]
fn the_cdrs_of_a_pack_become_usage_records_and_the_first_place_of_a_repeat_stays() {
    let mut writer = PackWriter::new();
    assert!(writer.push(&Record::Tick(Tick { flushed_through: None })));
    assert!(writer.push(&Record::Cdr(cdr())));
    assert!(writer.push(&Record::Cdr(Cdr { down: 1, ..cdr() })));
    assert!(writer.push(&Record::Cdr(cdr())));
    let pack = writer.finish();
    let mut rows = HistoryRows::default();
    rows.add(&pack_message(8, &pack));
    rows.add(&pack_message(7, &pack));
    assert_eq!(rows.usage_records.len(), 6);
    let kept = rows.sealed().usage_records;
    let mut places: Vec<_> = kept.iter().map(|r| (r.down, r.log_offset, r.log_index)).collect();
    places.sort_unstable();
    assert_eq!(places, [(1, 7, 2), (1_351_042, 7, 1)], "other content under the same id is another row");
    let row = kept.iter().find(|r| r.down > 1).unwrap();
    assert_eq!(
        (&*row.feed, &*row.id, row.start, row.end),
        ("cmcc-pgw-1", "85/1", AT as u32, AT as u32 + 900)
    );
    assert_eq!((row.card, row.up, row.log_time, row.log_partition), (CARD, 48_213, AT as u32 + 1, 3));
}

#[test]
fn offsets_follow_the_messages_and_forget_partitions_that_went() {
    let mut round = Round::default();
    let tick = |topic, partition, offset| Message {
        topic,
        partition,
        offset: LogOffset(offset),
        time_ms: 0,
        key: None,
        value: None,
        headers: &[],
    };
    for message in [tick(Topic::Alerts, 0, 5), tick(Topic::Alerts, 0, 9), tick(Topic::Alerts, 1, 3)] {
        round.add(&message);
    }
    let at = |partition| TopicPartition { topic: Topic::Alerts, partition };
    assert_eq!(round.next(), [(at(0), LogOffset(10)), (at(1), LogOffset(4))]);
    round.forget(&[at(0)]);
    assert_eq!(round.next(), [(at(1), LogOffset(4))]);
}

#[test]
fn two_records_of_one_id_that_began_at_different_seconds_are_two() {
    let mut writer = PackWriter::new();
    for start in [AT, AT + 1] {
        assert!(writer.push(&Record::Cdr(Cdr { start, ..cdr() })));
    }
    let kept = rows_of(pack_message(7, &writer.finish())).sealed().usage_records;
    let starts: Vec<_> = kept.iter().map(|record| i64::from(record.start)).collect();
    assert_eq!(starts, [AT, AT + 1], "in the order of the table");
}
