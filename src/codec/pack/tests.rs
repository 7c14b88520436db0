//! Packs are judged against bytes put together by hand, against random records, and against damage.

use proptest::prelude::*;

use super::*;
use crate::limits::{PACK_BYTES_MAX, PACK_RECORDS_MAX};
use crate::model::{
    CardId, Cdr, CounterKind, FeedName, LogOffset, Number, NumberKind, Origin, Reading, Record, Slice,
    Slices, Tick,
};

fn card() -> CardId {
    CardId::parse("8986001234567890123").unwrap()
}

fn origin(source: &str) -> Origin<'_> {
    Origin { source, partition: 3, offset: 77, received_ms: 1_785_547_815_123 }
}

fn cdr<'a>(id: &'a str, slices: Slices<'a>) -> Record<'a> {
    Record::Cdr(Cdr {
        card: card(),
        feed: FeedName::new("cmcc-pgw-1"),
        id,
        start: 1_785_547_815,
        end: 1_785_548_715,
        up: 48_213,
        down: 1_351_042,
        slices,
        number: Some(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }),
        origin: origin("usage.cdr"),
    })
}

fn reading(session: &str) -> Record<'_> {
    Record::Reading(Reading {
        card: card(),
        feed: FeedName::new("modem"),
        imei: 860_000_000_000_011,
        counter: CounterKind("qgdcnt"),
        at: 1_785_548_100,
        tx: 1_200_300,
        rx: 99_000_123,
        width: 32,
        session,
        number: None,
        origin: origin("usage.modem"),
    })
}

fn all_kinds(slices: Slices<'_>) -> [Record<'_>; 8] {
    [
        cdr("85/10.1.2.3/3405691582/12", slices),
        cdr("", Slices::default()),
        reading("4711"),
        Record::Command { card: card(), json: b"{\"id\":\"c1\"}", origin: origin("card.commands") },
        Record::Broadcast { json: b"{}", origin: origin("card.commands") },
        Record::Catalogue { json: b"{\"version\":1}" },
        Record::Tick(Tick { flushed_through: Some(LogOffset(0)) }),
        Record::Tick(Tick { flushed_through: None }),
    ]
}

const SLICES: [Slice; 2] = [
    Slice { end: 1_785_548_000, up: 8_213, down: 1_000_000 },
    Slice { end: 1_785_548_715, up: 40_000, down: 351_042 },
];

fn pack_of(records: &[Record<'_>]) -> Vec<u8> {
    let mut writer = PackWriter::new();
    assert!(records.iter().all(|record| writer.push(record)));
    let bytes = writer.bytes();
    let pack = writer.finish();
    assert_eq!(pack.len(), bytes, "bytes() foretells the size");
    pack
}

fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = crc32c::crc32c(&body);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

#[test]
fn every_kind_comes_back_as_it_was() {
    let mut buffer = Vec::new();
    let records = all_kinds(Slices::pack(&SLICES, &mut buffer));
    let bytes = pack_of(&records);
    let pack = Pack::read(&bytes).unwrap();
    assert_eq!(pack.len(), 8);
    let back: Vec<_> = pack.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(back, records);
}

#[test]
fn a_tick_has_the_documented_bytes() {
    let mut expected = Vec::new();
    expected.extend_from_slice(b"TGPK\x01\0\x01\0"); // magic, version, zero, one record
    expected.extend_from_slice(&[0; 4]); // no names
    expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0]); // no dictionary, no text, 48 bytes of records
    expected.extend_from_slice(&[6, 1, 0, 0, 48, 0, 0, 0]); // a tick, flushed_through said, 48 bytes
    expected.extend_from_slice(&[0; 32]);
    expected.extend_from_slice(&[0x39, 0x30, 0, 0, 0, 0, 0, 0]); // 12345
    let written = pack_of(&[Record::Tick(Tick { flushed_through: Some(LogOffset(12_345)) })]);
    assert_eq!(written, sealed(expected));
}

#[test]
fn an_empty_pack_is_a_pack() {
    let bytes = PackWriter::new().finish();
    assert_eq!(bytes.len(), 28);
    assert!(Pack::read(&bytes).unwrap().is_empty());
}

#[test]
fn a_writer_begins_anew_after_finish() {
    let mut writer = PackWriter::new();
    assert!(writer.push(&cdr("a", Slices::default())));
    let first = writer.finish();
    assert!(writer.is_empty());
    assert!(writer.push(&cdr("a", Slices::default())));
    assert_eq!(writer.finish(), first);
}

#[test]
fn a_full_pack_refuses_by_count() {
    let mut writer = PackWriter::new();
    let tick = Record::Tick(Tick { flushed_through: None });
    for _ in 0..PACK_RECORDS_MAX {
        assert!(writer.push(&tick));
    }
    assert!(!writer.push(&tick));
    assert_eq!(writer.len(), PACK_RECORDS_MAX);
    assert_eq!(Pack::read(&writer.finish()).unwrap().records().count(), PACK_RECORDS_MAX);
}

#[test]
fn a_full_pack_refuses_by_bytes_and_is_unchanged() {
    let json = vec![b'x'; PACK_BYTES_MAX - 28 - 40 - 100];
    let mut writer = PackWriter::new();
    assert!(writer.push(&Record::Catalogue { json: &json }));
    let before = writer.bytes();
    assert!(!writer.push(&cdr("85/10.1.2.3/3405691582/12", Slices::default())));
    assert_eq!((writer.bytes(), writer.len()), (before, 1));
    assert!(writer.finish().len() <= PACK_BYTES_MAX);
}

#[test]
fn what_fits_no_pack_is_refused_by_an_empty_writer() {
    let mut writer = PackWriter::new();
    assert!(!writer.push(&Record::Catalogue { json: &vec![0; PACK_BYTES_MAX] }));
    assert!(!writer.push(&cdr(&"x".repeat(70_000), Slices::default())));
    assert!(writer.is_empty());
}

#[test]
fn every_cut_is_an_error() {
    let mut buffer = Vec::new();
    let bytes = pack_of(&all_kinds(Slices::pack(&SLICES, &mut buffer)));
    for len in 0..bytes.len() {
        assert!(Pack::read(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    let mut buffer = Vec::new();
    let mut bytes = pack_of(&all_kinds(Slices::pack(&SLICES, &mut buffer)));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Pack::read(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let tick = pack_of(&[Record::Tick(Tick { flushed_through: None })]);
    let body = |at: usize, value: u8| {
        let mut body = tick[..tick.len() - 4].to_vec();
        body[at] = value;
        sealed(body)
    };
    let cases: [(Vec<u8>, &str); 8] = [
        (b"TG".to_vec(), "2 bytes are too few for a pack"),
        (body(0, b'X'), "not a pack: it does not begin with TGPK"),
        (body(4, 2), "pack version 2: this program reads version 1; fold it with the version that wrote it"),
        (body(12, 1), "the pack says that it has 77 bytes, it has 76"),
        (body(7, 0xFF), "the pack claims 65281 records, at most 4096 are allowed"),
        (body(8, 1), "dictionary entry 0 is cut off or no UTF-8"),
        (body(24, 99), "record 0: is of no known kind"),
        (body(6, 0), "record 0: bytes follow the last record"),
    ];
    for (bytes, said) in cases {
        let error = match Pack::read(&bytes) {
            Err(error) => error,
            Ok(pack) => pack.records().find_map(Result::err).unwrap(),
        };
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn after_an_error_there_are_no_more_records() {
    let good = pack_of(&[Record::Tick(Tick { flushed_through: None }); 3]);
    let mut body = good[..good.len() - 4].to_vec();
    body[24 + 48] = 0; // the second record's kind
    let bytes = sealed(body);
    let outcomes: Vec<bool> = Pack::read(&bytes).unwrap().records().map(|record| record.is_ok()).collect();
    assert_eq!(outcomes, [true, false]);
}

/// Reads everything there is; the only claim is that nothing panics and the iterator ends.
fn exhaust(bytes: &[u8]) {
    if let Ok(pack) = Pack::read(bytes) {
        assert!(pack.records().count() <= pack.len() + 1);
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/.-]{0,24}", "\\PC{0,12}"]
}

prop_compose! {
    fn any_cdr()(
        wire in any::<[u8; 10]>(), feed in any_text(), id in any_text(), source in any_text(),
        times in any::<(i64, i64)>(), bytes in any::<(u64, u64)>(), number in any::<Option<(u8, u64)>>(),
        slices in prop::collection::vec(any::<(i64, u64, u64)>(), 0..5), place in any::<(u32, u64, i64)>(),
    ) -> OwnedCdr {
        OwnedCdr { wire, feed, id, source, times, bytes, number, slices, place }
    }
}

#[derive(Debug, Clone)]
struct OwnedCdr {
    wire: [u8; 10],
    feed: String,
    id: String,
    source: String,
    times: (i64, i64),
    bytes: (u64, u64),
    number: Option<(u8, u64)>,
    slices: Vec<(i64, u64, u64)>,
    place: (u32, u64, i64),
}

impl OwnedCdr {
    fn record<'a>(&'a self, buffer: &'a mut Vec<u8>) -> Record<'a> {
        let slices: Vec<Slice> = self.slices.iter().map(|&(end, up, down)| Slice { end, up, down }).collect();
        let kinds = [NumberKind::Imsi, NumberKind::Msisdn, NumberKind::Imei];
        Record::Cdr(Cdr {
            card: CardId::from_wire(self.wire),
            feed: FeedName::new(&self.feed),
            id: &self.id,
            start: self.times.0,
            end: self.times.1,
            up: self.bytes.0,
            down: self.bytes.1,
            slices: Slices::pack(&slices, buffer),
            number: self.number.map(|(kind, digits)| Number { kind: kinds[usize::from(kind) % 3], digits }),
            origin: Origin {
                source: &self.source,
                partition: self.place.0,
                offset: self.place.1,
                received_ms: self.place.2,
            },
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cdrs_come_back(owned in prop::collection::vec(any_cdr(), 0..20)) {
        let mut buffers = vec![Vec::new(); owned.len()];
        let records: Vec<Record<'_>> =
            owned.iter().zip(&mut buffers).map(|(cdr, buffer)| cdr.record(buffer)).collect();
        let bytes = pack_of(&records);
        let pack = Pack::read(&bytes).unwrap();
        let back: Vec<Record<'_>> = pack.records().map(Result::unwrap).collect();
        prop_assert_eq!(back, records);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exhaust(&bytes);
        exhaust(&sealed([b"TGPK\x01".as_slice(), &bytes].concat()));
    }

    /// The checksum is made right again, so that damage reaches the sections and the records.
    #[test]
    fn damage_under_a_right_checksum_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut buffer = Vec::new();
        let bytes = pack_of(&all_kinds(Slices::pack(&SLICES, &mut buffer)));
        let mut body = bytes[..bytes.len() - 4].to_vec();
        for (at, value) in edits {
            let at = at.index(body.len());
            body[at] = value;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        exhaust(&sealed(body));
    }
}
