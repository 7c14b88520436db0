//! The generated sets of tests/data/platform-feeds, to the byte against what its SOURCE.md says of their totals.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::codec::json::CdrIn;

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/platform-feeds/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn expected(name: &str) -> Value {
    serde_json::from_slice::<Value>(&data("expected.json")).unwrap()[name].clone()
}

/// What came of a file.
#[derive(Default)]
struct Totals {
    asides: u64,
    duplicates: u64,
    records: u64,
    up: u64,
    down: u64,
    ends_before: u64,
    by_name: BTreeMap<String, (u64, u64, u64)>,
}

impl Totals {
    fn of(format: Platform, bytes: &[u8]) -> Self {
        let (decoder, mut buffers) = (Decoder::of("f", format), Buffers::default());
        let (mut totals, mut seen) = (Self::default(), BTreeSet::new());
        for piece in decoder.pieces(bytes) {
            match decoder.read(&piece, &mut buffers).unwrap() {
                Said::Cdr(cdr) if seen.insert((name(cdr.card), cdr.id.to_string(), cdr.start)) => {
                    totals.add(&cdr);
                }
                Said::Cdr(_) => totals.duplicates += 1,
                Said::Nobodys(cdr) => panic!("nobody's: {cdr:?}"),
                Said::Aside(_) => totals.asides += 1,
                Said::Reading(reading) => panic!("a reading: {reading:?}"),
            }
        }
        totals
    }

    fn add(&mut self, cdr: &CdrIn<'_>) {
        self.records += 1;
        (self.up, self.down) = (self.up + cdr.up, self.down + cdr.down);
        self.ends_before += u64::from(cdr.end < cdr.start);
        let of = self.by_name.entry(name(cdr.card)).or_default();
        *of = (of.0 + 1, of.1 + cdr.up, of.2 + cdr.down);
    }

    fn assert_names(&self, kind: &str, expected: &Value) {
        let expected: BTreeMap<String, (u64, u64, u64)> = expected
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, of)| {
                let figure = |name: &str| of[name].as_u64().unwrap();
                (format!("{kind}:{id}"), (figure("records"), figure("up"), figure("down")))
            })
            .collect();
        assert_eq!(self.by_name, expected);
    }
}

#[test]
fn the_streams_come_to_their_totals_by_card() {
    for (format, file) in [(Platform::Onence, "1nce-shape.jsonl"), (Platform::Emnify, "emnify-shape.json")] {
        let (totals, expected) = (Totals::of(format, &data(file)), expected(file));
        assert_eq!(
            (totals.up, totals.down),
            (expected["up"].as_u64().unwrap(), expected["down"].as_u64().unwrap())
        );
        assert_eq!(totals.records, expected["data_records"]);
        assert_eq!(totals.ends_before, expected["end_before_start"]);
        let read = totals.records + totals.duplicates + totals.asides;
        assert_eq!(read, expected["records_in_file"], "{file}");
        totals.assert_names("iccid", &expected["by_iccid"]);
    }
}

#[test]
fn the_points_come_to_their_totals_by_imsi() {
    let file = "soracom-airstats-by-imsi.json";
    let (totals, expected) = (Totals::of(Platform::Soracom, &data(file)), expected(file));
    assert_eq!((totals.records, totals.duplicates), (expected["points"].as_u64().unwrap(), 0));
    assert_eq!(
        (totals.up, totals.down),
        (expected["up"].as_u64().unwrap(), expected["down"].as_u64().unwrap())
    );
    totals.assert_names("imsi", &expected["by_imsi"]);
}

/// The cycle that begins on the 27th 00:00 +08:00 before a time, as a date.
fn cycle_of(at: i64) -> String {
    let local = crate::codec::time::text(at + 8 * 3_600);
    let (month, day): (u32, u32) = (local[5..7].parse().unwrap(), local[8..10].parse().unwrap());
    format!("2026-{:02}-27", if day >= 27 { month } else { month - 1 })
}

#[test]
fn the_polls_end_each_cycle_with_its_total() {
    let file = "control-center-ctd.jsonl";
    let (bytes, expected) = (data(file), expected(file));
    let (decoder, mut buffers) = (Decoder::of("f", Platform::ControlCenter), Buffers::default());
    let (mut failed, mut polls) = (0, 0);
    // First, last and how many, by card and cycle; the file is in the order of the polls.
    let mut cycles: BTreeMap<(String, String), (u64, u64, u64)> = BTreeMap::new();
    for piece in decoder.pieces(&bytes) {
        match decoder.read(&piece, &mut buffers).unwrap() {
            Said::Reading(reading) => {
                polls += 1;
                let cycle = cycle_of(reading.at);
                let of = cycles.entry((name(reading.card), cycle)).or_insert((reading.rx, 0, 0));
                *of = (of.0, reading.rx, of.2 + 1);
            }
            Said::Aside(_) => failed += 1,
            Said::Cdr(cdr) | Said::Nobodys(cdr) => panic!("a CDR: {cdr:?}"),
        }
    }
    assert_eq!(
        (polls, failed),
        (expected["polls"].as_u64().unwrap(), expected["failed_polls"].as_u64().unwrap())
    );
    let mut count = 0;
    for (iccid, of_card) in expected["by_iccid_and_cycle_start"].as_object().unwrap() {
        for (cycle, of) in of_card.as_object().unwrap() {
            let found = cycles[&(format!("iccid:{iccid}"), cycle.clone())];
            let figure = |name: &str| of[name].as_u64().unwrap();
            assert_eq!(found, (figure("first"), figure("last"), figure("polls")), "{iccid} {cycle}");
            count += 1;
        }
    }
    assert_eq!(cycles.len(), count);
}
