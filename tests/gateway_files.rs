//! Gateway files made by other people's encoders, against totals that two other readers agreed on
//! (`tests/data/3gpp-cdr/SOURCE.md`). Independent of the meter: slices are dated here, by the zone in `cards.csv`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeZone as _;
use serde_json::Value;
use tidegauge::ingest::file::{FileReader, Written};
use tidegauge::ingest::gaps::{Change, Gaps, Kind, Seen, Watch};
use tidegauge::ingest::pgw::{FileHeader, Framing, Pieces, UsageRecord, decode};
use tidegauge::limits::BER_RECORD_BYTES_MAX;
use tidegauge::model::NumberKind;

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/3gpp-cdr").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn expected(file: &str) -> Value {
    let all: Value = serde_json::from_slice(&data("expected.json")).unwrap();
    all[file].clone()
}

/// IMSI → zone.
fn zones() -> BTreeMap<u64, chrono_tz::Tz> {
    let text = String::from_utf8(data("cards.csv")).unwrap();
    let zone = |line: &str| {
        let columns: Vec<&str> = line.split(',').collect();
        (columns[1].parse().unwrap(), columns[6].parse().unwrap())
    };
    text.lines().skip(1).map(zone).collect()
}

/// Uplink, downlink and their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Volume {
    up: u64,
    down: u64,
    total: u64,
}

impl Volume {
    fn add(&mut self, up: u64, down: u64) {
        self.up += up;
        self.down += down;
        self.total += up + down;
    }

    fn of(value: &Value) -> Self {
        let part = |name: &str| value[name].as_u64().unwrap();
        Self { up: part("up"), down: part("down"), total: part("total") }
    }

    /// What is compared: a CHF container may state a total only, so its two directions are not told apart.
    fn compared(self, file: &str) -> (u64, u64, u64) {
        if file.starts_with("chf") { (0, 0, self.total) } else { (self.up, self.down, self.total) }
    }
}

/// All records of a file that decode, and how many repeat another's identity.
fn unique(file: &[u8]) -> (Vec<UsageRecord>, usize) {
    let mut seen = BTreeSet::new();
    let (mut records, mut repeats) = (Vec::new(), 0);
    for piece in Pieces::new(file) {
        assert_eq!(piece.broken, None, "byte {}", piece.at);
        let mut record = UsageRecord::default();
        decode(piece.bytes, piece.at, &mut record).unwrap_or_else(|e| panic!("{e}, record at {}", piece.at));
        if seen.insert((record.id.clone(), record.number, record.start)) {
            records.push(record);
        } else {
            repeats += 1;
        }
    }
    (records, repeats)
}

fn subscriber(record: &UsageRecord) -> String {
    match record.number {
        Some(number) if number.kind == NumberKind::Imsi => number.digits.to_string(),
        _ => "(no imsi)".to_owned(),
    }
}

#[derive(Default)]
struct Totals {
    by_subscriber: BTreeMap<String, Volume>,
    by_day: BTreeMap<(String, String), Volume>,
    by_month: BTreeMap<String, Volume>,
    all: Volume,
}

fn totals(records: &[UsageRecord]) -> Totals {
    let zones = zones();
    let mut totals = Totals::default();
    for record in records {
        let who = subscriber(record);
        totals.by_subscriber.entry(who.clone()).or_default().add(record.up, record.down);
        totals.all.add(record.up, record.down);
        let Some(zone) = record.number.map(|n| zones[&n.digits]) else { continue };
        for slice in &record.slices {
            let end = zone.timestamp_opt(slice.end - 1, 0).unwrap();
            let (day, month) = (end.format("%Y-%m-%d").to_string(), end.format("%Y-%m").to_string());
            totals.by_day.entry((who.clone(), day)).or_default().add(slice.up, slice.down);
            totals.by_month.entry(month).or_default().add(slice.up, slice.down);
        }
    }
    totals
}

const FILES: [&str; 4] = ["pgw-32297.cdr", "pgw-ff-filled.ber", "sgw-plain.ber", "chf-plain.ber"];

#[test]
fn every_record_is_read_and_repeats_are_known_by_their_identity() {
    for file in FILES {
        let (expected, (records, repeats)) = (expected(file), unique(&data(file)));
        assert_eq!(records.len() as u64, expected["records_unique"], "{file}");
        assert_eq!(repeats as u64, expected["duplicates"], "{file}");
        let nameless = records.iter().filter(|record| record.number.is_none()).count();
        assert_eq!(nameless as u64, expected["records_without_imsi"], "{file}");
    }
}

#[test]
fn volumes_by_subscriber_are_those_of_two_other_readers() {
    for file in FILES {
        let (expected, (records, _)) = (expected(file), unique(&data(file)));
        let totals = totals(&records);
        let all = Volume::of(&expected["totals"]);
        assert_eq!(totals.all.compared(file), all.compared(file), "{file}");
        let subscribers = expected["by_subscriber"].as_object().unwrap();
        assert_eq!(totals.by_subscriber.len(), subscribers.len(), "{file}");
        for (who, volume) in subscribers {
            let ours = totals.by_subscriber[who];
            assert_eq!(ours.compared(file), Volume::of(volume).compared(file), "{file} {who}");
        }
    }
}

#[test]
fn volumes_by_subscriber_and_day_are_those_of_two_other_readers() {
    for file in FILES {
        let (expected, (records, _)) = (expected(file), unique(&data(file)));
        let totals = totals(&records);
        let mut days = 0;
        for (who, by_day) in expected["by_subscriber_day_of_container_end_local"].as_object().unwrap() {
            for (day, volume) in by_day.as_object().unwrap() {
                let (volume, key) = (Volume::of(volume), (who.clone(), day.clone()));
                if who == "(no imsi)" || volume.total == 0 {
                    continue;
                }
                let ours = totals.by_day.get(&key).copied().unwrap_or_default();
                assert_eq!(ours.compared(file), volume.compared(file), "{file} {key:?}");
                days += 1;
            }
        }
        assert_eq!(totals.by_day.len(), days, "{file}: a day that the other readers do not have");
    }
}

#[test]
fn volumes_by_month_are_those_of_two_other_readers() {
    for file in FILES {
        let (expected, (records, _)) = (expected(file), unique(&data(file)));
        let mut months = totals(&records).by_month;
        let nameless = &expected["by_subscriber_day_of_container_end_local"]["(no imsi)"];
        for (day, volume) in nameless.as_object().into_iter().flatten() {
            let (month, volume) = (months.entry(day[..7].to_owned()).or_default(), Volume::of(volume));
            month.up += volume.up;
            month.down += volume.down;
            month.total += volume.total;
        }
        let expected = expected["by_month_of_container_end_local"].as_object().unwrap();
        assert_eq!(months.len(), expected.len(), "{file}");
        for (month, volume) in expected {
            assert_eq!(months[month].compared(file), Volume::of(volume).compared(file), "{file} {month}");
        }
    }
}

#[test]
fn a_file_with_headers_is_told_from_plain_records() {
    assert_eq!(Framing::of(&data("pgw-32297.cdr")), Framing::Headers { first: 54 });
    for file in &FILES[1..] {
        assert_eq!(Framing::of(&data(file)), Framing::Plain, "{file}");
    }
}

#[test]
fn a_files_header_says_its_number_and_its_node() {
    let file = data("pgw-32297.cdr");
    let header = FileHeader::of(&file, Framing::of(&file)).unwrap();
    let expected = expected("pgw-32297.cdr")["file_header"].clone();
    assert_eq!(u64::from(header.number), expected["file_sequence"]);
    // ffffffff00000000000000000000ffff0a040205: 10.4.2.5 within IPv6.
    assert!(expected["node_address_hex"].as_str().unwrap().ends_with("0000ffff0a040205"));
    assert_eq!(header.node(), "10.4.2.5");
    let bare = data("sgw-plain.ber");
    assert_eq!(FileHeader::of(&bare, Framing::of(&bare)), None);
}

/// Reads whatever is there; answers how many records decoded.
fn readable(file: &[u8]) -> usize {
    let mut record = UsageRecord::default();
    Pieces::new(file).filter(|piece| decode(piece.bytes, piece.at, &mut record).is_ok()).count()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    /// A few octets changed cost a few records, never the file and never the program.
    #[test]
    fn damage_costs_the_records_that_it_hits(
        which in 0..FILES.len(),
        edits in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 1..4),
    ) {
        let whole = data(FILES[which]);
        let mut damaged = whole.clone();
        for (at, octet) in &edits {
            // The file header of TS 32.297 decides on the framing: it is left whole.
            let at = 54 + at.index(whole.len() - 54);
            damaged[at] = *octet;
        }
        let (before, after) = (readable(&whole), readable(&damaged));
        // A damaged length covers what fits into the longest record that is believed, and the two that it parts.
        let shortest = Pieces::new(&whole).map(|piece| piece.bytes.len()).min().unwrap_or(1);
        let covered = BER_RECORD_BYTES_MAX / shortest + 2;
        proptest::prop_assert!(after + covered * edits.len() >= before, "{before} records, then {after}");
    }
}

#[test]
fn gaps_of_local_sequence_numbers_are_those_that_two_other_readers_found() {
    for file in ["pgw-32297.cdr", "sgw-plain.ber", "chf-plain.ber"] {
        let mut gaps = Gaps::new([("f".to_owned(), Watch::default())]);
        let bytes = data(file);
        let mut reader = FileReader::new(&bytes, Written::Known { feed: "f" });
        while let Some(record) = reader.record() {
            if let (Some((node, number)), Some((start, _))) = (&record.number, record.times()) {
                gaps.number("f", Seen { kind: Kind::Records, node, number: *number, at: Some(start) }, 0);
            }
        }
        gaps.tick(86_400_000);
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for told in gaps.take() {
            assert_eq!(told.change, Change::Opened, "{told:?}");
            found.entry(told.node).or_default().extend(told.first..=told.last);
        }
        let expected = expected(file)["missing_local_sequence_numbers"].clone();
        let expected: BTreeMap<String, Vec<u64>> = serde_json::from_value(expected).unwrap();
        let missing = expected.clone().into_iter().filter(|(_, numbers)| !numbers.is_empty());
        assert_eq!(found, missing.collect(), "{file}");
        assert_eq!(gaps.standing()[0].series, expected.len(), "{file}: every node that numbers is watched");
    }
}
