//! Windows give the records of the whole file, whatever the form and wherever they end.

use super::*;
use crate::ingest::formats::feed::Feed;
use crate::ingest::formats::{Decoder, Format, Platform};
use crate::limits::{BER_RECORD_BYTES_MAX, FILE_WHOLE_BYTES_MAX};

/// Windows of records as long as a gateway's or a row may be.
const WINDOW: usize = 2 * BER_RECORD_BYTES_MAX;

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Place, bytes and content of a record.
type Found = (usize, Vec<u8>, String);

fn found(record: &FileRecord<'_>) -> Found {
    (record.at, record.bytes.to_vec(), format!("{:?} {:?}", record.content, record.number))
}

fn whole(file: &[u8], decoder: &Decoder) -> Vec<Found> {
    let mut reader = FileReader::new(file, Written::Feed(decoder));
    let mut all = Vec::new();
    while let Some(record) = reader.record() {
        all.push(found(&record));
    }
    all
}

/// Records from a position on, and the positions between windows.
fn streamed(file: &[u8], decoder: &Decoder, window: usize, from: u64) -> (Vec<Found>, Vec<u64>) {
    streamed_by(file, decoder, (window, usize::MAX), from)
}

/// The same in windows of so many bytes and records at most.
fn streamed_by(
    file: &[u8],
    decoder: &Decoder,
    (window, records): (usize, usize),
    from: u64,
) -> (Vec<Found>, Vec<u64>) {
    let mut stream = Stream::new(file, Some(file.len() as u64)).with_window(window).with_records(records);
    stream.skip_to(from, decoder).unwrap();
    let (mut all, mut places) = (Vec::new(), Vec::new());
    while stream.window(decoder, &mut |record| all.push(found(record))).unwrap() {
        places.push(stream.position());
    }
    (all, places)
}

fn same(file: &[u8], decoder: &Decoder, window: usize) {
    let expected = whole(file, decoder);
    assert!(expected.len() > 20);
    let (all, places) = streamed(file, decoder, window, 0);
    assert!(all == expected, "{} records of {}", all.len(), expected.len());
    assert!(places.len() > 3, "{places:?}: the file is longer than a window");
    assert_eq!(places.last(), Some(&(file.len() as u64)));
    // First, last, and some between.
    for place in places.iter().copied().step_by(places.len().div_ceil(4)).chain(places.last().copied()) {
        let rest: Vec<Found> = expected.iter().filter(|found| found.0 as u64 >= place).cloned().collect();
        let (all, _) = streamed(file, decoder, window, place);
        assert!(all == rest, "from {place}: {} records of {}", all.len(), rest.len());
    }
}

#[test]
fn gateways_files_are_the_same_in_windows() {
    let decoder = |format| Decoder::new("f", Format::from_name(format).unwrap());
    for (name, format) in
        [("pgw-32297.cdr", "pgw-cdr"), ("sgw-plain.ber", "sgw-cdr"), ("chf-plain.ber", "chf-cdr")]
    {
        same(&data(&format!("3gpp-cdr/{name}")), &decoder(format), WINDOW);
    }
    // A file whose length is not known is told by its beginning.
    let file = data("3gpp-cdr/pgw-32297.cdr");
    let mut stream = Stream::new(file.as_slice(), None).with_window(WINDOW);
    let (mut all, decoder) = (Vec::new(), decoder("pgw-cdr"));
    while stream.window(&decoder, &mut |record| all.push(found(record))).unwrap() {}
    assert!(all == whole(&file, &decoder));
}

#[test]
fn lines_are_the_same_in_windows() {
    let decoder = Decoder::of("one", Platform::Onence);
    same(&data("platform-feeds/1nce-shape.jsonl"), &decoder, 20_000);
    let line = |n| {
        format!(
            "{{\"id\":{n},\"imsi\":\"1\",\"start_timestamp\":\"2026-08-01T00:00:00Z\",\"end_timestamp\":\
             \"2026-08-01T00:15:00Z\",\"traffic_type\":{{\"id\":5}},\"volume\":{{\"tx\":\"1\",\"rx\":\"2\"}}}}\n"
        )
    };
    let lines: String = (0..500).map(|n| if n % 50 == 7 { "{]\n\n".to_owned() } else { line(n) }).collect();
    same(lines.as_bytes(), &decoder, 2_000);
}

#[test]
fn a_broken_line_costs_itself_wherever_a_window_begins() {
    let decoder = Decoder::of("one", Platform::Onence);
    let line = |n| format!("{{\"id\":{n},\"sim\":{{}}}}\n");
    // A line that opens more than it closes, before and behind others, so that windows begin with it too.
    let broken = "{\"id\":1,\"sim\":{\n";
    let lines: String = (0..400).map(|n| if n % 3 == 0 { broken.to_owned() } else { line(n) }).collect();
    assert_eq!(whole(lines.as_bytes(), &decoder).len(), 400);
    same(lines.as_bytes(), &decoder, 600);
}

#[test]
fn a_line_that_is_longer_than_a_window_is_read_whole() {
    let decoder = Decoder::of("one", Platform::Onence);
    let padded =
        |n: usize, len: usize| format!("{{\"id\":{n},\"sim\":{{}},\"note\":\"{}\"}}\n", "x".repeat(len));
    let lines: String = (0..60).map(|n| padded(n, if n % 7 == 3 { 5_000 } else { 10 })).collect();
    assert_eq!(whole(lines.as_bytes(), &decoder).len(), 60);
    same(lines.as_bytes(), &decoder, 600);
    // The last one, without its end.
    same(lines.trim_end().as_bytes(), &decoder, 600);
}

#[test]
fn a_line_that_is_a_list_is_not_taken_up_within() {
    let decoder = Decoder::of("one", Platform::Onence);
    let list = |n: usize| format!("[{}]\n", vec![format!("{{\"id\":{n},\"sim\":{{}}}}"); 20].join(","));
    let lines: String = (0..10).map(list).collect();
    let expected = whole(lines.as_bytes(), &decoder);
    let (all, places) = streamed_by(lines.as_bytes(), &decoder, (4_000, 7), 0);
    assert!(all == expected, "{} records of {}", all.len(), expected.len());
    let (in_windows, _) = streamed(lines.as_bytes(), &decoder, 600, 0);
    assert!(in_windows == expected, "{} records of {}", in_windows.len(), expected.len());
    assert_eq!(places.len(), 10, "a window each line, as it has more than seven");
}

#[test]
fn a_line_that_is_too_long_is_told_once_and_what_stands_before_it_is_read() {
    use std::io::Read as _;
    let decoder = Decoder::of("one", Platform::Onence);
    let (first, endless) = (b"{\"id\":1,\"sim\":{}}\n", std::io::repeat(b'x'));
    let file = first.chain(endless.take(2 * FILE_WHOLE_BYTES_MAX as u64));
    let mut stream = Stream::new(file, None);
    let mut count = 0;
    let told = loop {
        match stream.window(&decoder, &mut |_| count += 1) {
            Ok(more) => assert!(more, "it ends with what is wrong"),
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!((count, stream.position()), (1, first.len() as u64));
    assert!(told.starts_with("a line of more than 67108864 bytes"), "{told}");
}

fn rows() -> Feed {
    let block = r#"{"id":"rows","format":"mapped-csv","identity":"iccid","identity_kind":"iccid","record_id":"id","start":"from",
        "end":"to","up":"up","down":"down","unit":"B","time":"unix"}"#;
    serde_json::from_str(block).unwrap()
}

#[test]
fn rows_are_the_same_in_windows_each_under_the_header() {
    let feed = rows();
    let row =
        |n: u32| format!("8986001234567890001,\"{n}\n\"\"x\",17855424{:02},1785543300,1,2\r\n", n % 100);
    let rows: String = (0..6_000).map(row).collect();
    let file = format!("iccid,id,from,to,up,down\n{rows}");
    same(file.as_bytes(), &feed.decoder, WINDOW);
}

#[test]
fn windows_end_after_so_many_records_whatever_these_are() {
    let decoder = |format| Decoder::new("f", Format::from_name(format).unwrap());
    for (name, format) in [
        ("3gpp-cdr/pgw-32297.cdr", "pgw-cdr"),
        ("3gpp-cdr/pgw-ff-filled.ber", "pgw-cdr"),
        ("platform-feeds/1nce-shape.jsonl", "1nce"),
    ] {
        let (file, decoder) = (data(name), decoder(format));
        let expected = whole(&file, &decoder);
        let (all, places) = streamed_by(&file, &decoder, (WINDOW, 7), 0);
        assert!(all == expected, "{name}: {} records of {}", all.len(), expected.len());
        assert!(places.len() >= expected.len() / 7, "{name}: {} windows", places.len());
        let (rest, _) = streamed_by(&file, &decoder, (WINDOW, 7), places[2]);
        assert!(rest == all[21..], "{name}: taken up again");
    }
    let feed = rows();
    let text = format!("iccid,id,from,to,up,down\n{}", "no row\n".repeat(500));
    let (all, places) = streamed_by(text.as_bytes(), &feed.decoder, (WINDOW, 7), 0);
    assert_eq!((all.len(), places.len()), (500, 500_usize.div_ceil(7)));
}

#[test]
fn a_text_over_lines_is_one_window() {
    let decoder = Decoder::of("e", Platform::Emnify);
    let file = data("platform-feeds/emnify-shape.json");
    let (all, places) = streamed(&file, &decoder, 20_000, 0);
    assert!(all == whole(&file, &decoder));
    assert_eq!(places, [file.len() as u64]);
}

/// Gives some bytes, then fails: for what is in the file, or for the disk's number.
struct Failing<'a>(&'a [u8], Option<i32>);

impl std::io::Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(self
                .1
                .map_or_else(|| std::io::Error::other("broken"), std::io::Error::from_raw_os_error));
        }
        self.0.read(into)
    }
}

/// What is read up to the failure, and where that was.
fn until_it_fails(mut stream: Stream<Failing<'_>>, decoder: &Decoder) -> (Vec<Found>, u64) {
    let mut all = Vec::new();
    loop {
        match stream.window(decoder, &mut |record| all.push(found(record))) {
            Ok(more) => assert!(more, "it ends with the failure"),
            Err(StreamError::Io(_)) => return (all, stream.position()),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_was_read_before_a_failure_is_handed_over_without_a_row_cut_short() {
    let feed = rows();
    // Cut behind "12" of 1234: with the rest of the row it would be another figure.
    let text = "iccid,id,from,to,up,down\n8986001234567890001,a,1,2,3,4\n8986001234567890001,b,1,2,3,12";
    // A text is one whatever it begins with.
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        let (all, position) =
            until_it_fails(Stream::new(Failing(text.as_bytes(), None), None), &feed.decoder);
        assert_eq!((all.len(), position), (1, text.rfind('\n').unwrap() as u64 + 1), "{text}");
    }
}

#[test]
fn a_file_of_records_that_breaks_off_is_read_to_the_last_whatever_octets_it_holds() {
    let decoder = Decoder::new("f", Format::from_name("pgw-cdr").unwrap());
    let file = data("3gpp-cdr/pgw-32297.cdr");
    let cut = &file[..file.len() - 50];
    let mut expected = whole(cut, &decoder);
    assert!(file[4..].contains(&b'\n') && expected.pop().is_some());
    let (mut all, _) = until_it_fails(Stream::new(Failing(cut, None), Some(file.len() as u64)), &decoder);
    all.truncate(expected.len());
    assert!(all == expected, "{} records of {}", all.len(), expected.len());
}

#[test]
fn a_record_across_which_the_disk_fails_is_read_whole_when_it_answers_again() {
    let decoder = |format| Decoder::new("f", Format::from_name(format).unwrap());
    for (name, format, length) in [
        ("3gpp-cdr/pgw-32297.cdr", "pgw-cdr", 1),
        ("3gpp-cdr/pgw-ff-filled.ber", "pgw-cdr", 1),
        ("platform-feeds/emnify-shape.json", "emnify", 0),
    ] {
        let (file, decoder) = (data(name), decoder(format));
        let expected = whole(&file, &decoder);
        let length = (length == 1).then_some(file.len() as u64);
        for before in [1, 100, file.len() / 3, file.len() - 200] {
            let failing = Failing(&file[..file.len() - before], Some(5));
            let (mut all, position) =
                until_it_fails(Stream::new(failing, length).with_window(WINDOW), &decoder);
            let (rest, _) = streamed(&file, &decoder, WINDOW, position);
            all.extend(rest);
            assert!(all == expected, "{name} -{before}: {} records of {}", all.len(), expected.len());
        }
    }
}
