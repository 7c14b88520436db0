//! The decoders, each with good inputs to begin from and with what must hold of whatever it gives.

use std::path::Path;

use serde_json::json;
use tidegauge::codec::json::{self as outside, CdrIn, ReadingIn, Scratch};
use tidegauge::codec::pack::Pack;
use tidegauge::ingest::ber::Reader;
use tidegauge::ingest::formats::feed::Feed;
use tidegauge::ingest::formats::{Buffers, Decoder, Format, Said};
use tidegauge::ingest::gaps::{Change, Gaps, Kept, Kind, Numbers, Pace, Seen, Watch};
use tidegauge::ingest::modem;
use tidegauge::ingest::pgw::{Pieces, UsageRecord, decode};
use tidegauge::limits::{CARD_BYTES_MAX, GAPS_KEPT_BYTES_MAX, NAME_BYTES_MAX, RECORD_BYTES_MAX, SLICES_MAX};

/// One decoder.
pub struct Target {
    pub name: &'static str,
    pub is_binary: bool,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics where something does not hold.
    pub check: fn(&[u8]),
}

const fn binary(name: &'static str, seeds: fn() -> Vec<Vec<u8>>, check: fn(&[u8])) -> Target {
    Target { name, is_binary: true, seeds, check }
}

const fn text(name: &'static str, seeds: fn() -> Vec<Vec<u8>>, check: fn(&[u8])) -> Target {
    Target { name, is_binary: false, seeds, check }
}

pub const TARGETS: [Target; 16] = [
    binary("ber", nodes_records, ber),
    binary("node-record", nodes_records, node_record),
    binary("node-file", nodes_files, node_file),
    binary("pgw-cdr", nodes_files, |bytes| format("pgw-cdr", bytes)),
    binary("sgw-cdr", nodes_files, |bytes| format("sgw-cdr", bytes)),
    binary("chf-cdr", nodes_files, |bytes| format("chf-cdr", bytes)),
    binary("pack", packs, pack),
    text("1nce", || lines("platform-feeds/1nce-shape.jsonl"), |bytes| format("1nce", bytes)),
    text("emnify", emnify, |bytes| format("emnify", bytes)),
    text("soracom", soracom, |bytes| format("soracom", bytes)),
    text("super-sim", super_sim, |bytes| format("super-sim", bytes)),
    text(
        "control-center",
        || lines("platform-feeds/control-center-ctd.jsonl"),
        |bytes| format("control-center", bytes),
    ),
    text("mapped", mapped_seeds, mapped),
    text("canonical", canonical_seeds, canonical),
    text("gaps-kept", kept_seeds, gaps_kept),
    text("modem", || lines("modem/readings.jsonl"), |bytes| drop(modem::canonical(bytes))),
];

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn lines(name: &str) -> Vec<Vec<u8>> {
    let file = data(name);
    file.split(|octet| *octet == b'\n')
        .filter(|line| !line.is_empty())
        .take(200)
        .map(<[u8]>::to_vec)
        .collect()
}

const NODES: [&str; 4] = ["pgw-32297.cdr", "sgw-plain.ber", "chf-plain.ber", "pgw-ff-filled.ber"];

fn nodes_files() -> Vec<Vec<u8>> {
    NODES.map(|file| data(&format!("3gpp-cdr/{file}"))).to_vec()
}

/// Some records of every file.
pub fn nodes_records() -> Vec<Vec<u8>> {
    let files = nodes_files();
    let some =
        |file: &Vec<u8>| Pieces::new(file).take(100).map(|piece| piece.bytes.to_vec()).collect::<Vec<_>>();
    files.iter().flat_map(some).collect()
}

fn packs() -> Vec<Vec<u8>> {
    let hex = String::from_utf8(data("pack/v1.hex")).unwrap();
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    vec![digits.chunks_exact(2).map(octet).collect()]
}

/// The first elements of a list, one by one.
fn emnify() -> Vec<Vec<u8>> {
    let decoder = Decoder::new("f", Format::from_name("emnify").unwrap());
    let file = data("platform-feeds/emnify-shape.json");
    decoder.pieces(&file).iter().take(100).map(|piece| piece.bytes.to_vec()).collect()
}

fn soracom() -> Vec<Vec<u8>> {
    let point = |n: u64| {
        json!({"unixtime": 1_784_944_200 + 300 * n, "date": "202607250150", "dataTrafficStatsMap":
            {"s1.slow": {"uploadByteSizeTotal": n, "downloadByteSizeTotal": 83, "uploadPacketSizeTotal": 3}}})
    };
    let answer = json!({"440103929795636": [point(0), point(1)], "8981109757931274797": [point(2)]});
    vec![answer.to_string().into_bytes()]
}

fn super_sim() -> Vec<Vec<u8>> {
    let page = json!({"iccid": "89883070000000000017", "usage_records": [{
        "period": {"start_time": "2026-07-25T01:00:00Z", "end_time": "2026-07-25T02:00:00Z"},
        "sim_sid": "HS0123456789abcdef0123456789abcdef", "network_sid": null, "iso_country": "DE",
        "data_upload": 150_000, "data_download": 250_000, "data_total": 400_000}], "meta": {"page": 0}});
    vec![page.to_string().into_bytes()]
}

const CSV: &str = "iccid,session,begin,finish,kb\n8986001234567890123,a,2026-10-25 02:30:00,2026-10-25 04:30:00,1.5\n\
    \"8986001234567890124\",\"b\"\"c\",2026-03-29 02:30:00,2026-03-29 04:30:00,2\n";
const ANSWER: &str = r#"{"result":[{"iccid":"8986001234567890123","polledAt":"20260801093000","dataAmount":"12.5KB"},
    {"iccid":"8986001234567890124","polledAt":"20260801093000","dataAmount":"1GB20MB"}]}"#;

fn mapped_seeds() -> Vec<Vec<u8>> {
    [CSV, ANSWER].map(|text| text.as_bytes().to_vec()).to_vec()
}

fn canonical_seeds() -> Vec<Vec<u8>> {
    let examples = [
        r#"{"iccid":"8986001234567890123","feed":"f","id":"85/a/1/12","start":"2026-08-01T09:30:15+08:00","end":"2026-08-01T09:45:15+08:00","up":48213,"down":1351042,"slices":[{"end":"2026-08-01T09:45:15+08:00","up":48213,"down":1351042}]}"#,
        r#"{"iccid":"8986001234567890123","imei":"860000000000011","counter":"qgdcnt","at":"2026-08-01T09:35:00+08:00","tx":1200300,"rx":99000123,"width":32}"#,
        r#"{"id":"o-1","card":"8986001234567890123","type":"recharge","at":"2026-08-01T09:30:00+08:00","order":"o-1","channel":"web","mode":"immediate","payment":{"provider":"p","reference":"r","paid_at":"2026-08-01T09:29:50+08:00"},"package":{"kind":"base","quota":"1GiB","validity":{"days":30}}}"#,
    ];
    examples.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// Each element lies within what was read, and the walk ends.
fn ber(bytes: &[u8]) {
    fn walk(mut reader: Reader<'_>, bytes: &[u8]) -> usize {
        let mut elements = 0;
        while let Ok(Some(tlv)) = reader.element() {
            assert_eq!(bytes.get(tlv.at..tlv.at + tlv.value.len()), Some(tlv.value), "an index past the end");
            elements += 1 + reader.inside(&tlv).map_or(0, |inside| walk(inside, bytes));
        }
        elements
    }
    let elements = walk(Reader::new(bytes, 0), bytes);
    // Two octets an element, on each of at most so many levels.
    assert!(elements <= bytes.len() * tidegauge::limits::BER_DEPTH_MAX);
}

fn assert_record(record: &UsageRecord) {
    assert!(record.id.len() <= NAME_BYTES_MAX, "{record:?}");
    assert!(record.slices.len() <= SLICES_MAX, "{record:?}");
    assert!(record.slices.is_sorted_by_key(|slice| slice.end), "{record:?}");
    let sum = |of: fn(&tidegauge::model::Slice) -> u64| record.slices.iter().map(of).sum::<u64>();
    assert_eq!((sum(|s| s.up), sum(|s| s.down)), (record.up, record.down));
    assert!(record.up.max(record.down) <= RECORD_BYTES_MAX, "{record:?}");
}

/// Every way in which a record of a node is refused.
pub const REFUSALS: [&str; 14] = [
    "ends before its length says",
    "more than 28 bits",
    "more than 4 octets",
    "has no end",
    "nested deeper",
    "is no P-GW, S-GW or CHF record",
    "without recordOpeningTime",
    "without content",
    "is empty",
    "is negative",
    "does not fit 64 bits",
    "more than a bearer can move",
    "something else than digits",
    "is no time",
];

/// Why a record is refused, if it is.
pub fn refusal(bytes: &[u8]) -> Option<String> {
    decode(bytes, 0, &mut UsageRecord::default()).err().map(|error| error.to_string())
}

fn node_record(bytes: &[u8]) {
    let mut record = UsageRecord::default();
    if decode(bytes, 0, &mut record).is_ok() {
        assert_record(&record);
    }
}

/// Pieces and filler cover the file.
fn node_file(bytes: &[u8]) {
    let (mut record, mut end) = (UsageRecord::default(), 0);
    for piece in Pieces::new(bytes) {
        assert!(piece.at >= end && !piece.bytes.is_empty(), "pieces overlap, go back or are nothing");
        end = piece.at + piece.bytes.len();
        assert_eq!(bytes.get(piece.at..end), Some(piece.bytes));
        if piece.broken.is_none() && decode(piece.bytes, piece.at, &mut record).is_ok() {
            assert_record(&record);
        }
    }
}

fn assert_cdr(cdr: &CdrIn<'_>) {
    assert!(cdr.up.max(cdr.down) <= RECORD_BYTES_MAX && cdr.slices.len() <= SLICES_MAX, "{cdr:?}");
    assert!(cdr.id.len() <= NAME_BYTES_MAX && cdr.feed.len() <= NAME_BYTES_MAX, "{cdr:?}");
}

fn assert_reading(reading: &ReadingIn<'_>) {
    assert!(
        reading.session.len() <= NAME_BYTES_MAX && reading.counter.len() <= NAME_BYTES_MAX,
        "{reading:?}"
    );
    let _ = reading.tx.checked_add(reading.rx);
}

/// Pieces go forward within the message, and each is read or refused in words.
fn read_all(decoder: &Decoder, bytes: &[u8]) {
    let (mut buffers, mut end) = (Buffers::default(), 0);
    for piece in decoder.pieces(bytes) {
        assert!(piece.at >= end, "pieces overlap or go back");
        end = piece.at + piece.bytes.len();
        assert_eq!(bytes.get(piece.at..end), Some(piece.bytes));
        match decoder.read(&piece, &mut buffers) {
            Ok(Said::Cdr(cdr) | Said::Nobodys(cdr)) => assert_cdr(&cdr),
            Ok(Said::Reading(reading)) => {
                assert_reading(&reading);
                assert!(reading.tx.max(reading.rx) <= CARD_BYTES_MAX, "{reading:?}");
            }
            Ok(Said::Aside(_)) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn format(name: &str, bytes: &[u8]) {
    read_all(&Decoder::new("f", Format::from_name(name).unwrap()), bytes);
}

fn mapped(bytes: &[u8]) {
    let csv = json!({"id": "f", "format": "mapped-csv", "identity": "iccid", "identity_kind": "iccid",
        "record_id": ["session", "begin"], "start": "begin", "end": "finish", "total": "kb", "unit": "KiB",
        "time": "%Y-%m-%d %H:%M:%S", "zone": "Europe/Berlin"});
    let json = json!({"id": "f", "format": "mapped-json", "kind": "cycle-total", "records": "/result",
        "identity": "/iccid", "identity_kind": "iccid", "at": "/polledAt", "total": "/dataAmount",
        "unit": "said-1024", "blank": "zero", "time": "%Y%m%d%H%M%S", "zone": "Asia/Shanghai"});
    for block in [csv, json] {
        let feed: Feed = serde_json::from_value(block).unwrap();
        read_all(&feed.decoder, bytes);
    }
}

fn canonical(bytes: &[u8]) {
    let mut scratch = Scratch::default();
    if let Ok(cdr) = outside::cdr(bytes, &mut scratch) {
        assert_cdr(&cdr);
    }
    if let Ok(reading) = outside::reading(bytes) {
        assert_reading(&reading);
    }
    drop(outside::command(bytes));
}

/// A pack that does not prove itself is refused whole; of one that does each record is read or refused.
fn pack(bytes: &[u8]) {
    if let Ok(pack) = Pack::read(bytes) {
        assert!(pack.records().count() <= pack.len());
    }
}

const KEYED: Watch = Watch {
    silence_ms: Some(60_000),
    listens: true,
    pace: Pace { after_ms: 1_000, window: 100 },
    files: Numbers::U32,
    records: Numbers::U32,
    keyed: true,
};

/// What stands beside offsets: nodes with gaps open and filled in part, a silence.
fn kept_seeds() -> Vec<Vec<u8>> {
    let mut gaps = Gaps::new([("f".to_owned(), KEYED)]);
    gaps.begin("f", 0, None, 0);
    let mut seeds = Vec::new();
    for (offset, number) in [1, 2, 9, 12, 5, 30, 7, 4_000_000_000, 1, 2].into_iter().enumerate() {
        let now_ms = offset as i64 * 10_000;
        gaps.message("f", (0, offset as u64), now_ms);
        for node in ["a", "b"] {
            gaps.number_in("f", 0, Seen { kind: Kind::Records, node, number, at: Some(now_ms) }, now_ms);
        }
        gaps.tick(now_ms + if offset % 4 == 3 { 100_000 } else { 0 });
        seeds.extend(gaps.kept("f", 0).map(|kept| kept.text().into_bytes()));
    }
    seeds
}

/// Whatever stands there, gaps go on: numbers are taken, time passes, and what is told of can be told.
fn gaps_kept(bytes: &[u8]) {
    let kept = std::str::from_utf8(bytes).ok().and_then(Kept::parse);
    let mut gaps = Gaps::new([("f".to_owned(), KEYED)]);
    gaps.begin("f", 0, kept, 50_000);
    let last = u64::from(u32::MAX);
    for (turn, number) in [3, 13, 14, 9, last, 0, 1].into_iter().enumerate() {
        let now_ms = 60_000 + turn as i64 * 1_000;
        gaps.message("f", (0, u64::MAX - 8 + turn as u64), now_ms);
        gaps.number_in("f", 0, Seen { kind: Kind::Records, node: "a", number, at: Some(now_ms) }, now_ms);
        gaps.tick(now_ms);
    }
    let standing = gaps.standing();
    for told in gaps.take().iter().chain(&standing[0].open) {
        assert!(!told.name().is_empty() && told.data().is_object());
        assert!(told.kind == Kind::Silence || told.missing > 0 || told.change != Change::Opened, "{told:?}");
    }
    let text = gaps.kept("f", 0).unwrap().text();
    assert!(text.len() <= GAPS_KEPT_BYTES_MAX && Kept::parse(&text).is_some(), "{text}");
}
