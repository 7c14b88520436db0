//! Records by hand and by mutation.

use proptest::prelude::*;

use super::*;
use crate::model::NumberKind;

/// A P-GW record made with another encoder: IMSI 460041234567890, charging id 3405691582, sequence 12, uplink 48213,
/// downlink 1351042, opened 2026-08-01 09:30:15 +08:00, 900 s.
const RECORD: &str = "bf4f818c800155830864001432547698f0a40680040a010204850500cafebabea60680040a0102038d09260801093015\
    2b08008e0203848f011191010c920e50475730312d475a2d434d494f549404075bcd1596099168014618325476f897020800bf22253023\
    81010184010188060000000080008c0300bc558d03149d828e092608010930152b0800bf23030a0102";

fn record() -> Vec<u8> {
    (0..RECORD.len()).step_by(2).map(|at| u8::from_str_radix(&RECORD[at..at + 2], 16).unwrap()).collect()
}

fn decoded(bytes: &[u8]) -> Result<UsageRecord, RecordError> {
    let mut out = UsageRecord::default();
    decode(bytes, 0, &mut out).map(|()| out)
}

/// 2026-08-01 09:30:15 +08:00.
const OPENED: UnixTime = 1_785_542_400 + 9 * 3_600 + 30 * 60 + 15 - 8 * 3_600;

#[test]
fn a_record_is_read_to_the_byte() {
    let expected = UsageRecord {
        kind: RecordType::Pgw,
        number: Some(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }),
        id: "85/PGW01-GZ-CMIOT/3405691582/12".to_owned(),
        start: OPENED,
        end: OPENED + 900,
        up: 48_213,
        down: 1_351_042,
        slices: vec![Slice { end: OPENED, up: 48_213, down: 1_351_042 }],
        // 94 04 075BCD15 and 92 0E of the record.
        local_number: Some(0x075B_CD15),
        node: "PGW01-GZ-CMIOT".to_owned(),
    };
    assert_eq!(decoded(&record()), Ok(expected));
}

/// A field of context class.
fn field(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[0x80 | tag, value.len() as u8], value].concat()
}

/// A P-GW record of these fields.
fn pgw(fields: &[Vec<u8>]) -> Vec<u8> {
    let content = fields.concat();
    [&[0xBF, 0x4F, 0x81, content.len() as u8], content.as_slice()].concat()
}

fn list(tag: &[u8], containers: &[Vec<u8>]) -> Vec<u8> {
    let content: Vec<u8> =
        containers.iter().flat_map(|c| [&[0x30, c.len() as u8], c.as_slice()].concat()).collect();
    [tag, &[content.len() as u8], &content].concat()
}

const OPENING: &[u8; 9] = b"\x26\x08\x01\x09\x30\x15+\x08\x00";

#[test]
fn the_service_list_counts_and_the_traffic_volumes_beside_it_do_not() {
    let volumes = list(&[0xAC], &[[field(3, &[9]), field(4, &[9])].concat()]);
    let services = list(&[0xBF, 0x22], &[[field(12, &[1]), field(13, &[2])].concat()]);
    let both = pgw(&[field(13, OPENING), volumes.clone(), services]);
    assert_eq!(decoded(&both).map(|r| (r.up, r.down)), Ok((1, 2)));
    assert_eq!(decoded(&pgw(&[field(13, OPENING), volumes])).map(|r| (r.up, r.down)), Ok((9, 9)));
}

#[test]
fn a_repeated_container_without_new_volume_is_not_counted() {
    let repeated = [field(3, &[9]), field(4, &[9]), field(6, b"\x00\x01\x01\x00\x00\x00-\x02\x00")].concat();
    let fresh = [field(3, &[1]), field(4, &[2]), field(6, OPENING)].concat();
    let record = pgw(&[field(13, OPENING), list(&[0xAC], &[repeated, fresh])]);
    assert_eq!(decoded(&record).map(|r| (r.up, r.down)), Ok((1, 2)));
}

#[test]
fn the_msisdn_names_a_record_without_imsi() {
    let record =
        pgw(&[field(13, OPENING), field(22, &[0x91, 0x68, 0x01, 0x46, 0x18, 0x32, 0x54, 0x76, 0xF8])]);
    let number = Number { kind: NumberKind::Msisdn, digits: 861_064_812_345_678 };
    assert_eq!(decoded(&record).map(|r| r.number), Ok(Some(number)));
    assert_eq!(decoded(&pgw(&[field(13, OPENING)])).map(|r| r.number), Ok(None));
}

#[test]
fn a_record_without_node_is_named_by_its_gateways_address() {
    let address = [&[0xA4, 6], field(0, &[10, 1, 2, 4]).as_slice()].concat();
    let record = pgw(&[address, field(5, &[7]), field(13, OPENING)]);
    assert_eq!(decoded(&record).map(|r| r.id), Ok("85/10.1.2.4/7/0".to_owned()));
}

#[test]
fn what_is_wrong_is_named_with_its_byte() {
    let volumes = |up: &[u8]| pgw(&[field(13, OPENING), list(&[0xAC], &[field(3, up)])]);
    let cases = [
        (volumes(&[0xFF]), "byte 21: uplink volume is negative"),
        (volumes(&[0x01, 0, 0, 0, 0, 0, 1]), "byte 19: volume is more than a bearer can move in seven days"),
        (pgw(&[field(3, &[0xAB])]), "byte 6: servedIMSI holds something else than digits"),
        (pgw(&[]), "byte 4: record without recordOpeningTime"),
        (pgw(&[field(13, &[1])]), "byte 6: recordOpeningTime is no time"),
        (pgw(&[vec![0x8D, 9, 1]]), "byte 4: the element ends before its length says"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decoded(&bytes).unwrap_err().to_string(), expected, "{bytes:02X?}");
    }
}

fn pieces(file: &[u8]) -> Vec<(usize, usize, bool)> {
    Pieces::new(file).map(|piece| (piece.at, piece.bytes.len(), piece.broken.is_none())).collect()
}

#[test]
fn records_stand_one_after_another_with_or_without_filler() {
    let one = record();
    let len = one.len();
    let file = [&[0xFF; 3], one.as_slice(), &one, &[0xFF; 300], &one, &[0xFF]].concat();
    let expected = [(3, len, true), (3 + len, len, true), (303 + 2 * len, len, true)];
    assert_eq!(pieces(&file), expected);
}

#[test]
fn reading_goes_on_after_a_broken_stretch() {
    let one = record();
    let len = one.len();
    let file = [one.as_slice(), b"garbage", &one, &one[..20]].concat();
    let expected = [(0, len, true), (len, 7, false), (len + 7, len, true), (2 * len + 7, 20, false)];
    assert_eq!(pieces(&file), expected);
}

#[test]
fn a_record_of_another_kind_is_refused_alone() {
    let one = record();
    let other = [0xBF, 0x16, 3, 0x80, 1, 22];
    let file = [other.as_slice(), &one].concat();
    let mut pieces = Pieces::new(&file);
    let first = pieces.next().unwrap();
    assert_eq!(first.bytes, other);
    assert!(matches!(decoded(first.bytes), Err(RecordError::Kind { number: 22, .. })));
    assert!(pieces.next().is_some_and(|second| decoded(second.bytes).is_ok()));
}

/// A TS 32.297 file of these records, release 7 with its extension octet in the CDR headers.
fn framed(records: &[&[u8]]) -> Vec<u8> {
    let mut file = vec![0; 50];
    for record in records {
        file.extend((record.len() as u16).to_be_bytes());
        file.extend([0xE0, 0x27, 5]);
        file.extend(*record);
    }
    let length = file.len() as u32;
    file[..4].copy_from_slice(&length.to_be_bytes());
    file[4..8].copy_from_slice(&50u32.to_be_bytes());
    file
}

#[test]
fn a_framed_file_is_read_by_its_headers() {
    let one = record();
    let file = framed(&[&one, b"broken", &one]);
    let expected = [(55, one.len(), true), (60 + one.len(), 6, true), (71 + one.len(), one.len(), true)];
    assert_eq!(pieces(&file), expected);
    let decodes: Vec<bool> = Pieces::new(&file).map(|piece| decoded(piece.bytes).is_ok()).collect();
    assert_eq!(decodes, [true, false, true]);
}

#[test]
fn a_damaged_length_in_a_header_costs_that_record_only() {
    let one = record();
    let mut file = framed(&[&one, &one, &one]);
    let second = 50 + 5 + one.len();
    for (high, low) in [(0xFF, 0xFF), (0, 3), (0, 0)] {
        (file[second], file[second + 1]) = (high, low);
        let len = one.len();
        let expected = [(55, len, true), (second, len + 5, false), (second + len + 10, len, true)];
        assert_eq!(pieces(&file), expected, "{high:02X}{low:02X}");
    }
}

#[test]
fn a_framed_file_whose_length_is_wrong_is_read_by_its_headers_and_says_if_it_should_be_longer() {
    let one = record();
    let whole = framed(&[&one, &one, &one]);
    for end in [50 + 5 + one.len(), whole.len() - 1, whole.len()] {
        let file = &whole[..end];
        assert_eq!(Framing::of(file), Framing::Headers { first: 50 }, "{end}");
        let good = Pieces::new(file).filter(|piece| piece.broken.is_none()).count();
        assert_eq!(good, (end - 50) / (5 + one.len()), "{end}");
        let header = FileHeader::of(file, Framing::of(file)).unwrap();
        let said = header.shortfall(end as u64);
        assert_eq!(said.is_some(), end < whole.len());
        assert!(
            said.is_none_or(|said| said.contains(&format!("has {} bytes, and it has {end}", whole.len())))
        );
    }
    // Longer than it says: what is there is read.
    let longer = [whole.as_slice(), &whole[50..]].concat();
    assert_eq!(Pieces::new(&longer).filter(|piece| piece.broken.is_none()).count(), 6);
}

#[test]
fn a_header_says_how_many_records_were_lost_at_least() {
    let mut file = framed(&[&record()]);
    for (octet, lost) in [
        (0, None),
        (1, Some(1)),
        (127, Some(127)),
        (128, Some(1)),
        (129, Some(1)),
        (254, Some(126)),
        (255, Some(127)),
    ] {
        file[47] = octet;
        let header = FileHeader::of(&file, Framing::of(&file)).unwrap();
        assert_eq!(header.lost(), lost, "{octet}");
    }
}

#[test]
fn a_framed_file_that_is_cut_short_says_so() {
    let one = record();
    let mut file = framed(&[&one, &one]);
    file[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    file.truncate(file.len() - 1);
    let last = Pieces::new(&file).last().unwrap();
    assert_eq!(last.broken, Some(Broken::CutShort));
    assert_eq!(last.at + last.bytes.len(), file.len());
}

proptest! {
    #[test]
    fn no_mutation_of_a_file_makes_it_panic_or_lose_its_place(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        with_headers in any::<bool>(),
    ) {
        let one = record();
        let mut file = if with_headers { framed(&[&one, &one, &one]) } else { one.repeat(3) };
        for (at, octet) in edits {
            let at = at.index(file.len());
            file[at] = octet;
        }
        let mut reached = 0;
        let mut out = UsageRecord::default();
        for piece in Pieces::new(&file) {
            prop_assert!(piece.at >= reached);
            reached = piece.at + piece.bytes.len();
            prop_assert!(reached <= file.len());
            if decode(piece.bytes, piece.at, &mut out).is_ok() {
                let sum: u64 = out.slices.iter().map(|slice| slice.up + slice.down).sum();
                prop_assert_eq!(sum, out.up + out.down);
            }
        }
    }
}
