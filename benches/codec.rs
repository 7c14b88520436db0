//! What a record costs on its way in: decode its JSON, write it to a pack, read it from a pack.
//!
//! Each figure is of one record; packs are of 1,000 records, checksum and dictionary included.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tidegauge::codec::json::{self, Scratch};
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::codec::time;
use tidegauge::model::{CardId, Cdr, FeedName, Origin, Record, Slices};

const CDR: &[u8] = br#"{"iccid":"8986001234567890123","feed":"cmcc-pgw-1","id":"85/10.1.2.3/3405691582/12","start":"2026-08-01T09:30:15+08:00","end":"2026-08-01T09:45:15+08:00","up":48213,"down":1351042}"#;
const READING: &[u8] = br#"{"iccid":"8986001234567890123","imei":"860000000000011","counter":"qgdcnt","at":"2026-08-01T09:35:00+08:00","tx":1200300,"rx":99000123}"#;
const RECORDS: usize = 1_000;

fn outside(c: &mut Criterion) {
    let mut group = c.benchmark_group("json");
    group.throughput(Throughput::Bytes(CDR.len() as u64));
    let mut scratch = Scratch::default();
    group.bench_function("read a CDR", |b| {
        b.iter(|| json::cdr(black_box(CDR), &mut scratch).map(|cdr| cdr.up));
    });
    group.throughput(Throughput::Bytes(READING.len() as u64));
    group.bench_function("read a reading", |b| b.iter(|| json::reading(black_box(READING)).map(|r| r.tx)));
    group.finish();
    c.bench_function("time/parse", |b| b.iter(|| time::parse(black_box("2026-08-01T09:30:15+08:00"))));
}

fn cdr(id: &str, offset: u64) -> Record<'_> {
    Record::Cdr(Cdr {
        card: CardId::from_wire([(offset % 251) as u8; 10]),
        feed: FeedName { name: "cmcc-pgw-1", hash: 0 },
        id,
        start: 1_785_547_815,
        end: 1_785_548_715,
        up: 48_213,
        down: 1_351_042 + offset,
        slices: Slices::default(),
        number: None,
        origin: Origin { source: "usage.cdr", partition: 0, offset, received_ms: 1_785_547_815_123 },
    })
}

fn fill(writer: &mut PackWriter) -> Vec<u8> {
    for offset in 0..RECORDS as u64 {
        let fits = writer.push(black_box(&cdr("85/10.1.2.3/3405691582/12", offset)));
        assert!(fits, "1,000 records of 115 bytes fit a pack");
    }
    writer.finish()
}

fn sum(bytes: &[u8]) -> u64 {
    let Ok(pack) = Pack::read(bytes) else { return 0 };
    pack.records().map(|record| if let Ok(Record::Cdr(cdr)) = record { cdr.down } else { 0 }).sum()
}

fn packs(c: &mut Criterion) {
    let mut group = c.benchmark_group("pack");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("write", |b| b.iter_batched_ref(PackWriter::new, fill, BatchSize::SmallInput));
    let bytes = fill(&mut PackWriter::new());
    group.bench_function("read", |b| b.iter(|| sum(black_box(&bytes))));
    group
        .bench_function("checksum only", |b| b.iter(|| Pack::read(black_box(&bytes)).map(|pack| pack.len())));
    group.finish();
}

criterion_group!(benches, outside, packs);
criterion_main!(benches);
