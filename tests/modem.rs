//! The readings of `tests/data/modem` (see its SOURCE.md) as canonical JSON: every line is read, goes through a pack, and
//! what arrives gives the sums that the data's generator worked out for its plain rules, to the byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegauge::codec::json::{self, ReadingIn};
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::model::{CardId, CardName, CounterKind, FeedName, Origin, Reading, Record};

const LINES: &str = include_str!("data/modem/readings.jsonl");

fn expected() -> Value {
    serde_json::from_str(include_str!("data/modem/expected.json")).unwrap()
}

/// The numbers after a mark, up to the line's end.
fn numbers(raw: &str, mark: &str) -> Vec<u64> {
    let Some((_, rest)) = raw.split_once(mark) else { return Vec::new() };
    let line = rest.lines().next().unwrap_or_default();
    line.split(',').map(|number| number.trim().parse().unwrap()).collect()
}

/// Sent and received bytes of an answer, by the table of SOURCE.md.
fn counters(module: &str, raw: &str) -> (u64, u64) {
    match module {
        "quectel" | "quectel5g" => {
            let sums = |mark| numbers(raw, mark);
            let (lte, nr) = (sums("+QGDCNT: "), sums("+QGDNRCNT: "));
            let of = |at: usize| lte[at] + nr.get(at).copied().unwrap_or_default();
            (of(0), of(1))
        }
        "ublox" => (numbers(raw, "+UGCNTRD: ")[3], numbers(raw, "+UGCNTRD: ")[4]),
        "telit" => (numbers(raw, "#GDATAVOL: ")[2], numbers(raw, "#GDATAVOL: ")[3]),
        "nordic" => (numbers(raw, "%XCONNSTAT: ")[2] * 1_024, numbers(raw, "%XCONNSTAT: ")[3] * 1_024),
        "lwm2m" => {
            let resource = |mark| raw.split_once(mark).unwrap().1.split(' ').next().unwrap().parse::<u64>();
            (resource("/7/0/2=").unwrap() * 1_024, resource("/7/0/3=").unwrap() * 1_024)
        }
        "mm" => (numbers(raw, "bytes-tx: ")[0], numbers(raw, "bytes-rx: ")[0]),
        other => panic!("module {other}"),
    }
}

/// A line in the outside form of `usage.modem`.
fn canonical(line: &str) -> Vec<u8> {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |field: &str| line[field].as_str().unwrap();
    let (tx, rx) = counters(text("module"), text("raw"));
    let mut out = json!({
        "iccid": text("iccid"), "imei": text("imei"), "counter": text("module"), "at": text("at"), "tx": tx, "rx": rx,
    });
    if text("module") == "mm" {
        let start = numbers(text("raw"), "start-date: ")[0];
        out["session"] = start.to_string().into();
    }
    serde_json::to_vec(&out).unwrap()
}

fn record<'a>(read: &'a ReadingIn<'a>, offset: u64) -> Record<'a> {
    let CardName::Iccid(card) = read.card else { panic!("every line has an ICCID") };
    Record::Reading(Reading {
        card,
        feed: FeedName::new(&read.feed),
        imei: read.imei,
        counter: CounterKind(&read.counter),
        at: read.at,
        tx: read.tx,
        rx: read.rx,
        width: read.width,
        session: &read.session,
        number: None,
        origin: Origin { source: "usage.modem", partition: 0, offset, received_ms: 0 },
    })
}

/// The packs of the whole file.
fn packs() -> Vec<Vec<u8>> {
    let (mut writer, mut packs) = (PackWriter::new(), Vec::new());
    for (offset, line) in LINES.lines().enumerate() {
        let bytes = canonical(line);
        let read = json::reading(&bytes).unwrap_or_else(|e| panic!("line {offset}: {e}"));
        let record = record(&read, offset as u64);
        if !writer.push(&record) {
            packs.push(writer.finish());
            assert!(writer.push(&record));
        }
    }
    packs.push(writer.finish());
    packs
}

/// Readings of each card by time; of one time the first.
type ByCard = BTreeMap<CardId, BTreeMap<i64, (u64, u64)>>;

fn by_card(packs: &[Vec<u8>]) -> (usize, ByCard) {
    let (mut lines, mut cards) = (0, ByCard::new());
    for bytes in packs {
        for record in Pack::read(bytes).unwrap().records() {
            let Record::Reading(reading) = record.unwrap() else { panic!("only readings were packed") };
            cards.entry(reading.card).or_default().entry(reading.at).or_insert((reading.tx, reading.rx));
            lines += 1;
        }
    }
    (lines, cards)
}

/// Sums of both directions by two rules: increases only, and a fall counted from zero.
fn sums(readings: &BTreeMap<i64, (u64, u64)>) -> [u64; 4] {
    let mut sums = [0; 4];
    let values: Vec<_> = readings.values().collect();
    for pair in values.windows(2) {
        for (at, (before, now)) in [(pair[0].0, pair[1].0), (pair[0].1, pair[1].1)].into_iter().enumerate() {
            sums[at] += now.saturating_sub(before);
            sums[at + 2] += if now < before { now } else { now - before };
        }
    }
    sums
}

#[test]
fn every_reading_is_read_and_arrives() {
    let (lines, cards) = by_card(&packs());
    let expected = expected();
    assert_eq!(lines as u64, expected["readings_in_file"]);
    assert_eq!(cards.len() as u64, expected["devices"]);
    assert_eq!(cards.values().map(BTreeMap::len).sum::<usize>() as u64, expected["unique_by_iccid_and_time"]);
}

#[test]
fn what_arrives_gives_the_generators_sums() {
    let (_, cards) = by_card(&packs());
    let expected = expected();
    for (iccid, card) in expected["by_iccid"].as_object().unwrap() {
        let arrived = sums(&cards[&CardId::parse(iccid).unwrap()]);
        let fields = ["lower_tx", "lower_rx", "from_zero_tx", "from_zero_rx"];
        assert_eq!(arrived.map(Value::from), fields.map(|field| card[field].clone()), "{iccid}");
    }
}
