//! What is known to break decoders, each by itself and with what must be said of it: lengths that lie, nesting, digits that
//! are none, times that do not exist, ends that come early.

use tidegauge::ingest::pgw::{Broken, Framing, Pieces, UsageRecord, decode};
use tidegauge::limits::BER_DEPTH_MAX;

/// A P-GW record that another encoder (asn1tools) made: 48,213 octets up, 1,351,042 down.
const RECORD: &str = "bf4f818c800155830864001432547698f0a40680040a010204850500cafebabea60680040a0102038d09\
    2608010930152b08008e0203848f011191010c920e50475730312d475a2d434d494f549404075bcd15960991680146183254\
    76f897020800bf222530238101018401018806000000008000\
    8c0300bc558d03149d828e092608010930152b0800bf23030a0102";

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn read(bytes: &[u8]) -> Result<(u64, u64), String> {
    let mut record = UsageRecord::default();
    decode(bytes, 0, &mut record).map_err(|error| error.to_string())?;
    Ok((record.up, record.down))
}

const VOLUME: (u64, u64) = (48_213, 1_351_042);

#[test]
fn the_record_itself_is_read() {
    assert_eq!(read(&octets(RECORD)), Ok(VOLUME));
}

#[test]
fn what_is_wrong_in_a_record_is_named() {
    let mut others = Vec::new();
    for (from, to, expected) in [
        // A month of 13, a 30th of February, an hour of 24, a nibble that is no digit, no sign.
        ("8d09260801", "8d09261301", "recordOpeningTime is no time"),
        ("8d09260801", "8d09260230", "recordOpeningTime is no time"),
        ("8d0926080109", "8d0926080124", "recordOpeningTime is no time"),
        ("8d0926080109", "8d092608010a", "recordOpeningTime is no time"),
        ("30152b0800", "3015000800", "recordOpeningTime is no time"),
        ("8e09260801", "8e09261301", "container time is no time"),
        // A shorter time, whose last octet is taken for the next tag.
        ("8d09260801", "8d08260801", "recordOpeningTime is no time"),
        // BCD: a digit of A, filler in the middle, nothing but filler.
        ("64001432", "6400143a", "servedIMSI holds something else than digits"),
        ("64001432", "64f01432", "servedIMSI holds something else than digits"),
        ("64001432547698f0", "ffffffffffffffff", "servedIMSI is empty"),
        ("8c0300bc55", "8c03ffbc55", "uplink volume is negative"),
        ("8c0300bc558d03149d82", "8c086969696969696969", "more than a bearer can move"),
        // Lengths: longer than what is there, of five octets, of a list, of one in it.
        ("bf4f818c", "bf4f818d", "ends before its length says"),
        ("bf4f818c", "bf4f84ffffffff", "ends before its length says"),
        ("bf4f818c", "bf4f850000000001", "a length of more than 4 octets"),
        ("bf2225", "bf2284ffffffff", "ends before its length says"),
        ("bf22253023", "bf22253084", "ends before its length says"),
        ("8c0300bc55", "8c7f00bc55", "ends before its length says"),
        // An end that never comes, and one of something that has no parts.
        ("bf222530", "bf228030", "has no end"),
        ("830864", "838064", "a length of more than 4 octets"),
        // A tag of more octets than are believed.
        ("bf4f818c", "bfffffffff7f818c", "a tag number of more than 28 bits"),
        ("8d092608010930152b0800", "9e092608010930152b0800", "record without recordOpeningTime"),
    ] {
        assert!(RECORD.contains(from), "{from}");
        match read(&octets(&RECORD.replacen(from, to, 1))) {
            Err(error) if error.contains(expected) => {}
            other => others.push((from, to, other)),
        }
    }
    assert_eq!(others, []);
}

#[test]
fn a_record_of_indefinite_length_is_the_same_record() {
    let indefinite = RECORD.replacen("bf4f818c", "bf4f80", 1).replacen("bf222530238101", "bf228030238101", 1);
    let indefinite = indefinite.replacen("bf23030a0102", "0000bf23030a0102", 1) + "0000";
    assert_eq!(read(&octets(&indefinite)), Ok(VOLUME));
}

#[test]
fn nesting_is_bounded_whatever_its_lengths() {
    let bomb = "a180".repeat(10_000);
    let error = read(&octets(&format!("bf4f80{bomb}"))).unwrap_err();
    assert!(error.contains("nested deeper"), "{error}");
    // Of definite lengths: each level says that it holds the rest.
    let mut definite = octets("8000");
    for _ in 0..BER_DEPTH_MAX + 50 {
        let length = (definite.len() as u32).to_be_bytes();
        definite = [&[0xA4, 0x84][..], &length, &definite].concat();
    }
    let length = (definite.len() as u32).to_be_bytes();
    let record = [&[0xBF, 0x4F, 0x84][..], &length, &definite].concat();
    assert!(read(&record).is_err());
}

#[test]
fn a_record_that_ends_early_is_refused_wherever_it_ends() {
    let record = octets(RECORD);
    for end in 0..record.len() {
        assert!(read(&record[..end]).is_err(), "at {end}");
    }
}

/// A file of TS 32.297 whose header says these lengths, with this content.
fn file(says: (u32, u32), content: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 54];
    file[..4].copy_from_slice(&says.0.to_be_bytes());
    file[4..8].copy_from_slice(&says.1.to_be_bytes());
    [file, content.to_vec()].concat()
}

#[test]
fn a_file_is_read_as_far_as_it_goes() {
    let record = octets(RECORD);
    let header = |length: u16, format: u8| [&length.to_be_bytes()[..], &[0x01, format]].concat();
    let one = [header(record.len() as u16, 1 << 5), record.clone()].concat();
    let length = (54 + one.len() + 10) as u32;
    // The second record ends with the file, before its header says.
    let cut = file((length, 54), &[one.as_slice(), &header(500, 1 << 5), &record[..6]].concat());
    let pieces: Vec<_> = Pieces::new(&cut).map(|piece| (piece.at, piece.broken)).collect();
    assert_eq!(pieces, [(58, None), (54 + one.len(), Some(Broken::CutShort))]);
    // Headers that point past the end, or into themselves: no such file, and its octets are no records.
    // A length of the file that lies leaves its CDR headers to be found.
    let (plain, framed) = (Framing::Plain, Framing::Headers { first: 54 });
    let lies = [(length, u32::MAX), (length, 55_555), (length, 8)].map(|says| (says, plain));
    for (says, framing) in lies.into_iter().chain([((17, 54), framed), ((length + 1, 54), framed)]) {
        let odd = file(says, &[one.as_slice(), &[0; 10]].concat());
        assert_eq!(Framing::of(&odd), framing, "{says:?}");
        assert!(Pieces::new(&odd).any(|piece| piece.broken.is_some()), "{says:?}");
        assert!(
            Pieces::new(&odd).any(|piece| read(piece.bytes) == Ok(VOLUME)),
            "{says:?}: the record is found"
        );
    }
}
