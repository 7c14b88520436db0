//! The documented layout of packs: a pack made by `tests/data/pack/v1.py` from `docs/pack.md`, without this program.
//! It never changes: logs of years hold such packs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::model::{
    CardId, Cdr, CounterKind, FeedName, LogOffset, Number, NumberKind, Origin, Reading, Record, Slice,
    Slices, Tick,
};

fn golden() -> Vec<u8> {
    let digits: Vec<u8> =
        include_bytes!("data/pack/v1.hex").iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn origin(source: &str, partition: u32, offset: u64, received_ms: i64) -> Origin<'_> {
    Origin { source, partition, offset, received_ms }
}

fn records(slices: Slices<'_>) -> [Record<'_>; 6] {
    let card = CardId::parse("8986001234567890ABC").unwrap();
    let commands = origin("card.commands", 1, 5, 1_785_547_815_123);
    [
        Record::Cdr(Cdr {
            card,
            feed: FeedName::new("cmcc-pgw-1"),
            id: "85/10.1.2.3/3405691582/12",
            start: 1_785_547_815,
            end: 1_785_548_715,
            up: 48_213,
            down: 1_351_042,
            slices,
            number: Some(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }),
            origin: origin("usage.cdr", 3, 77, 1_785_547_815_123),
        }),
        Record::Reading(Reading {
            card,
            feed: FeedName::new("modem"),
            imei: 860_000_000_000_011,
            counter: CounterKind("qgdcnt"),
            at: -1,
            tx: u64::MAX,
            rx: 99_000_123,
            width: 32,
            session: "Sitzung-ü",
            number: None,
            origin: origin("usage.modem", 0, 1 << 63, 0),
        }),
        Record::Command { card, json: br#"{"id":"c-1"}"#, origin: commands },
        Record::Broadcast { json: br#"{"id":"f-1"}"#, origin: commands },
        Record::Catalogue { json: br#"{"version":1}"# },
        Record::Tick(Tick { flushed_through: Some(LogOffset(12_345)) }),
    ]
}

const SLICES: [Slice; 2] = [
    Slice { end: 1_785_548_400, up: 8_213, down: 1_000_000 },
    Slice { end: 1_785_548_715, up: 40_000, down: 351_042 },
];

#[test]
fn a_pack_made_from_the_document_is_read() {
    let (bytes, mut buffer) = (golden(), Vec::new());
    let pack = Pack::read(&bytes).unwrap();
    let read: Vec<Record<'_>> = pack.records().map(Result::unwrap).collect();
    assert_eq!(read, records(Slices::pack(&SLICES, &mut buffer)));
}

#[test]
fn the_program_writes_the_documented_bytes() {
    let (mut writer, mut buffer) = (PackWriter::new(), Vec::new());
    for record in records(Slices::pack(&SLICES, &mut buffer)) {
        assert!(writer.push(&record));
    }
    assert_eq!(writer.finish(), golden());
}
