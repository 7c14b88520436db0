//! What a record costs at the edge, by format: cut it out of its message or file and decode it, to canonical terms.
//!
//! Each figure is of a whole sample (tests/data); criterion prints the time of the sample and its MB/s, and the name says how
//! many records it holds: time divided by records is CPU ns a record. The group `ber` takes 3GPP records apart: their
//! framing, a walk over their fields alone, the whole record, and the same record by the `rasn` crate with types
//! (`tests/support/rasn_pgw.rs`). Where the machine is busy, the least time of several runs is nearest to the truth,
//! and ratios within one run are better than times.

#[path = "../tests/support/pgw.rs"]
mod pgw;
#[path = "../tests/support/rasn_pgw.rs"]
mod rasn_pgw;

use std::hint::black_box;
use std::path::Path;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use tidegauge::ingest::ber::Reader;
use tidegauge::ingest::formats::feed::Feed;
use tidegauge::ingest::formats::{Buffers, Decoder, Format, Said, Unreadable};
use tidegauge::ingest::pgw::{Pieces, UsageRecord, decode};

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Decodes all of a message; answers with bytes metered, so that nothing is optimised away.
fn decoded(decoder: &Decoder, bytes: &[u8], buffers: &mut Buffers) -> u64 {
    decoder.pieces(bytes).iter().map(|piece| volume(decoder.read(piece, buffers))).sum()
}

fn volume(said: Result<Said<'_>, Unreadable>) -> u64 {
    match said {
        Ok(Said::Cdr(cdr) | Said::Nobodys(cdr)) => cdr.up + cdr.down,
        Ok(Said::Reading(reading)) => reading.rx,
        Ok(Said::Aside(_)) => 0,
        Err(error) => panic!("a sample is good: {error}"),
    }
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, decoder: &Decoder, bytes: &[u8]) {
    measure_as(group, decoder.format(), decoder, bytes);
}

fn measure_as(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, decoder: &Decoder, bytes: &[u8]) {
    let records = decoder.pieces(bytes).len();
    let mut buffers = Buffers::default();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(format!("{name}, {records} records"), |b| {
        b.iter(|| decoded(decoder, black_box(bytes), &mut buffers));
    });
}

fn formats(c: &mut Criterion) {
    let mut group = c.benchmark_group("formats");
    for (format, file) in [
        ("pgw-cdr", "3gpp-cdr/pgw-32297.cdr"),
        ("sgw-cdr", "3gpp-cdr/sgw-plain.ber"),
        ("chf-cdr", "3gpp-cdr/chf-plain.ber"),
        ("1nce", "platform-feeds/1nce-shape.jsonl"),
        ("emnify", "platform-feeds/emnify-shape.json"),
        ("soracom", "platform-feeds/soracom-airstats-by-imsi.json"),
        ("control-center", "platform-feeds/control-center-ctd.jsonl"),
    ] {
        let Some(format) = Format::from_name(format) else { continue };
        measure(&mut group, &Decoder::new("f", format), &data(file));
    }
    let pgw = Format::from_name("pgw-cdr").unwrap_or_else(|| panic!("a format"));
    measure_as(&mut group, "pgw-cdr of 436 bytes", &Decoder::new("f", pgw), &made());
    measure(&mut group, &Decoder::new("f", super_sim()), page(1_000).as_bytes());
    measure(&mut group, &mapped(), rows(1_000).as_bytes());
    group.finish();
}

/// A file of a thousand P-GW records of 436 bytes, two containers in each.
fn made() -> Vec<u8> {
    let read = || {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("made.cdr");
        pgw::Gateway::new(1, 200, 1_785_600_000).drop_file(&path, 0..1_000)?;
        std::fs::read(path)
    };
    read().unwrap_or_else(|error: std::io::Error| panic!("a temporary file: {error}"))
}

fn super_sim() -> Format {
    Format::from_name("super-sim").unwrap_or_else(|| panic!("a format"))
}

/// An answer of so many hours.
fn page(records: u32) -> String {
    let record = |n| {
        format!(
            r#"{{"period":{{"start_time":"2026-07-25T01:00:00Z","end_time":"2026-07-25T02:00:00Z"}},"account_sid":"ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sim_sid":"HS{n:032}","network_sid":null,"iso_country":"DE","data_upload":{n},"data_download":250000,"data_total":{}}}"#,
            n + 250_000
        )
    };
    let records: Vec<String> = (0..records).map(record).collect();
    format!(r#"{{"iccid":"89883070000000000017","usage_records":[{}]}}"#, records.join(","))
}

fn mapped() -> Decoder {
    let block = serde_json::json!({"id": "f", "format": "mapped-csv", "identity": "iccid", "identity_kind": "iccid",
        "record_id": ["session", "begin"], "start": "begin", "end": "finish", "up": "up", "down": "down",
        "unit": "KiB", "time": "%Y-%m-%d %H:%M:%S", "zone": "Europe/Berlin"});
    let feed: Result<Feed, _> = serde_json::from_value(block);
    feed.unwrap_or_else(|error| panic!("{error}")).decoder
}

/// A CSV file of so many rows.
fn rows(records: u32) -> String {
    let row = |n| {
        format!("8986001234567{:06},s-{n},2026-08-01 10:00:00,2026-08-01 10:15:00,{n}.5,{n}\n", n % 1_000)
    };
    let rows: String = (0..records).map(row).collect();
    format!("iccid,session,begin,finish,up,down\n{rows}")
}

/// The record and its fields, not their parts.
fn walk(bytes: &[u8]) -> usize {
    let mut reader = Reader::new(bytes, 0);
    let Ok(Some(outer)) = reader.element() else { return 0 };
    let Ok(mut fields) = reader.inside(&outer) else { return 0 };
    std::iter::from_fn(|| fields.element().ok().flatten()).count()
}

fn ber(c: &mut Criterion) {
    let mut group = c.benchmark_group("ber");
    let sample = |name: &'static str| (name, data(&format!("3gpp-cdr/{name}")));
    let samples = ["pgw-32297.cdr", "sgw-plain.ber", "chf-plain.ber"].map(sample);
    for (file, bytes) in samples.into_iter().chain([("pgw of 436 bytes", made())]) {
        let pieces: Vec<&[u8]> = Pieces::new(&bytes).map(|piece| piece.bytes).collect();
        let records = pieces.len();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("framing of {file}, {records} records"), |b| {
            b.iter(|| Pieces::new(black_box(&bytes)).count());
        });
        group.bench_function(format!("fields of {file}, {records} records"), |b| {
            b.iter(|| pieces.iter().map(|piece| walk(black_box(piece))).sum::<usize>());
        });
        let mut record = UsageRecord::default();
        group.bench_function(format!("records of {file}, {records} records"), |b| {
            b.iter(|| pieces.iter().filter(|piece| decode(black_box(piece), 0, &mut record).is_ok()).count());
        });
        if file.starts_with("pgw") {
            group.bench_function(format!("records of {file} by rasn, {records} records"), |b| {
                b.iter(|| pieces.iter().filter(|piece| rasn_pgw::decode(black_box(piece)).is_ok()).count());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, formats, ber);
criterion_main!(benches);
