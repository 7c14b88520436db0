//! The field types of TS 32.298 that matter: TBCD digits, timestamps, integers, addresses.

use std::fmt::Write as _;

use super::{FieldProblem, RecordError};
use crate::codec::time;
use crate::ingest::ber::Tlv;
use crate::model::{Number, NumberKind, UnixTime};

/// Characters of a node's name in a record's id: with the numbers beside it the id keeps within its bound.
const NAME_MAX: usize = 80;
/// Seconds of 1970 to 2000.
const Y2000: i64 = 946_684_800;

/// A BER INTEGER that must not be negative.
pub(super) fn unsigned(tlv: &Tlv<'_>, field: &'static str) -> Result<u64, RecordError> {
    let fail = |problem| RecordError::field(tlv.at, field, problem);
    match tlv.value {
        [] => Err(fail(FieldProblem::Empty)),
        [first, ..] if first & 0x80 != 0 => Err(fail(FieldProblem::Negative)),
        [0, rest @ ..] | rest if rest.len() <= 8 => Ok(big_endian(rest)),
        _ => Err(fail(FieldProblem::TooLarge)),
    }
}

/// A duration in seconds. It may be negative where a clock was set; beyond a century either way it is cut, which leaves
/// it to the meter to refuse the record as too long.
pub(super) fn seconds(tlv: &Tlv<'_>) -> Result<i64, RecordError> {
    const CENTURY: i64 = 36_525 * crate::limits::DAY_S;
    let first = *tlv.value.first().ok_or(RecordError::field(tlv.at, "duration", FieldProblem::Empty))?;
    if tlv.value.len() > 8 {
        return Err(RecordError::field(tlv.at, "duration", FieldProblem::TooLarge));
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    let value = tlv.value.iter().fold(sign, |sum: i64, octet| sum << 8 | i64::from(*octet));
    Ok(value.clamp(-CENTURY, CENTURY))
}

/// An identifier: any octets, of which the last four count. Encoders disagree on its sign.
pub(super) fn identifier(tlv: &Tlv<'_>) -> u64 {
    let from = tlv.value.len().saturating_sub(4);
    big_endian(tlv.value.get(from..).unwrap_or_default())
}

/// `LocalSequenceNumber`, 0 to 2^32 - 1, by which gaps are told and nothing else: no record is refused for its sake.
pub(super) fn local_number(tlv: &Tlv<'_>) -> Option<u64> {
    (!tlv.value.is_empty()).then(|| identifier(tlv))
}

fn big_endian(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet))
}

/// Two digits in an octet, high nibble first, as a number; [`NO_DIGITS`] where a nibble is none.
const BCD: [u8; 256] = {
    let mut table = [NO_DIGITS; 256];
    let mut number = 0;
    while number < 100 {
        table[((number / 10) << 4) | (number % 10)] = number as u8;
        number += 1;
    }
    table
};
const NO_DIGITS: u8 = u8::MAX;

/// Octets of TBCD that hold digits which 64 bits can hold, whatever they are.
const TBCD_OCTETS: usize = 9;

/// TBCD: two digits an octet, low nibble first, F fills up. Octets of two digits are read as such; what follows them,
/// digit by digit.
fn tbcd(octets: &[u8]) -> Result<u64, FieldProblem> {
    let pair = |octet: &u8| BCD[usize::from(octet.rotate_left(4))];
    let pairs = octets.iter().take(TBCD_OCTETS).take_while(|octet| pair(octet) != NO_DIGITS).count();
    let (pairs, rest) = octets.split_at(pairs);
    let digits = pairs.iter().fold(0, |digits, octet| digits * 100 + u64::from(pair(octet)));
    tbcd_end(rest, digits, 2 * pairs.len())
}

/// Goes on behind so many digits.
fn tbcd_end(octets: &[u8], mut digits: u64, mut count: usize) -> Result<u64, FieldProblem> {
    let nibbles = octets.iter().flat_map(|octet| [octet & 0xF, octet >> 4]);
    let mut ended = false;
    for nibble in nibbles {
        match nibble {
            0xF => ended = true,
            0..=9 if !ended && count < 19 => {
                digits = digits * 10 + u64::from(nibble);
                count += 1;
            }
            _ => return Err(FieldProblem::Digits),
        }
    }
    if count == 0 { Err(FieldProblem::Empty) } else { Ok(digits) }
}

/// servedIMSI.
pub(super) fn imsi(tlv: &Tlv<'_>) -> Result<Number, RecordError> {
    let digits = tbcd(tlv.value).map_err(|p| RecordError::field(tlv.at, "servedIMSI", p))?;
    Ok(Number { kind: NumberKind::Imsi, digits })
}

/// servedMSISDN: an octet of number type and plan, then TBCD.
pub(super) fn msisdn(tlv: &Tlv<'_>) -> Result<Number, RecordError> {
    let octets = tlv.value.get(1..).unwrap_or_default();
    let digits = tbcd(octets).map_err(|p| RecordError::field(tlv.at, "servedMSISDN", p))?;
    Ok(Number { kind: NumberKind::Msisdn, digits })
}

/// A SUPI or IMSI as text: digits, or `imsi-` and digits.
pub(super) fn imsi_text(tlv: &Tlv<'_>) -> Result<Number, RecordError> {
    let fail = |problem| RecordError::field(tlv.at, "subscriberIdentifier", problem);
    let text = std::str::from_utf8(tlv.value).map_err(|_| fail(FieldProblem::Digits))?;
    let digits = text.strip_prefix("imsi-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fail(FieldProblem::Digits));
    }
    let digits = digits.parse().map_err(|_| fail(FieldProblem::TooLarge))?;
    Ok(Number { kind: NumberKind::Imsi, digits })
}

/// A `TimeStamp` of nine octets, YYMMDDhhmmss in BCD, `+` or `-`, hhmm: as UTC seconds, `None` for the zero value
/// (2000-01-01 00:00:00) by which some vendors say that there is none.
pub(super) fn time(tlv: &Tlv<'_>, field: &'static str) -> Result<Option<UnixTime>, RecordError> {
    moment(tlv.value).map_err(|problem| RecordError::field(tlv.at, field, problem))
}

fn moment(octets: &[u8]) -> Result<Option<UnixTime>, FieldProblem> {
    let &[y, mo, d, h, mi, s, sign, zh, zm] = octets else { return Err(FieldProblem::Time) };
    // Where an octet is no digits, it is more than any of these may be.
    let two = |octet: u8| u32::from(BCD[usize::from(octet)]);
    let year = Some(two(y)).filter(|year| *year < 100).ok_or(FieldProblem::Time)?;
    let local = time::seconds([2_000 + year, two(mo), two(d)], [two(h), two(mi), two(s)]);
    let local = local.ok_or(FieldProblem::Time)?;
    let (zone_h, zone_m) = (two(zh), two(zm));
    if zone_h > 14 || zone_m > 59 {
        return Err(FieldProblem::Time);
    }
    let zone = i64::from(zone_h * 3_600 + zone_m * 60);
    match sign {
        _ if local == Y2000 => Ok(None),
        b'+' => Ok(Some(local - zone)),
        b'-' => Ok(Some(local + zone)),
        _ => Err(FieldProblem::Time),
    }
}

/// Appends a whole number.
pub(super) fn push_number(out: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        (*digit, number) = (b'0' + (number % 10) as u8, number / 10);
        len += 1;
        if number == 0 {
            break;
        }
    }
    let (_, digits) = digits.split_at(digits.len() - len);
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

/// Appends text of a node's name: what is not printable, or would read as a separator, is written in hexadecimal.
pub(super) fn push_text(out: &mut String, octets: &[u8]) {
    let is_plain = |octet: &u8| octet.is_ascii_graphic() && *octet != b'/';
    if octets.len() <= NAME_MAX && octets.iter().all(is_plain) {
        return out.push_str(std::str::from_utf8(octets).unwrap_or_default());
    }
    let most = out.len() + NAME_MAX;
    for octet in octets {
        if out.len() >= most {
            return;
        }
        if is_plain(octet) {
            out.push(char::from(*octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
}

/// Appends an IP address in its usual form, from the octets of TS 32.298 `IPBinaryAddress`.
pub(super) fn push_address(out: &mut String, octets: &[u8]) {
    let _ = if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        write!(out, "{}", std::net::Ipv4Addr::from(v4))
    } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
        write!(out, "{}", std::net::Ipv6Addr::from(v6))
    } else {
        push_text(out, octets);
        Ok(())
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::ber::Tag;

    fn tlv(value: &[u8]) -> Tlv<'_> {
        Tlv { tag: Tag::context(0), value, at: 7 }
    }

    #[test]
    fn digits_come_low_nibble_first_and_f_fills_up() {
        let cases: [(&[u8], Result<u64, FieldProblem>); 13] = [
            (&[0x64, 0x00, 0x14, 0x32, 0x54, 0x76, 0x98, 0xF0], Ok(460_041_234_567_890)),
            (&[0x21, 0x43], Ok(1_234)),
            (&[0x21, 0xF3], Ok(123)),
            (&[0x21, 0x3F], Err(FieldProblem::Digits)),
            (&[0xA1], Err(FieldProblem::Digits)),
            (&[0xFF], Err(FieldProblem::Empty)),
            (&[], Err(FieldProblem::Empty)),
            (&[0x21, 0xFF, 0xF3], Err(FieldProblem::Digits)),
            (&[0x21, 0xFF, 0xFF], Ok(12)),
            (&[0x21, 0x1A], Err(FieldProblem::Digits)),
            // Nineteen digits, and twenty.
            (&[0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0xF9], Ok(9_999_999_999_999_999_999)),
            (&[0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00], Err(FieldProblem::Digits)),
            (&[0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xF1, 0xFF], Ok(1)),
        ];
        for (octets, expected) in cases {
            assert_eq!(tbcd(octets), expected, "{octets:02X?}");
        }
    }

    #[test]
    fn a_timestamp_is_read_with_its_zone() {
        // 2026-08-01 00:00:00 UTC = 1785542400.
        let cases: [(&[u8; 9], Option<Option<i64>>); 8] = [
            (b"\x26\x08\x01\x09\x30\x15+\x08\x00", Some(Some(1_785_542_400 + 9 * 3_600 + 1_815 - 8 * 3_600))),
            (b"\x26\x08\x01\x00\x00\x00-\x03\x30", Some(Some(1_785_542_400 + 3 * 3_600 + 1_800))),
            (b"\x26\x08\x01\x00\x00\x00+\x00\x00", Some(Some(1_785_542_400))),
            (b"\x00\x01\x01\x00\x00\x00-\x02\x00", Some(None)),
            (b"\x26\x02\x29\x00\x00\x00+\x00\x00", None),
            (b"\x26\x08\x01\x24\x00\x00+\x00\x00", None),
            (b"\x26\x08\x0A\x00\x00\x00+\x00\x00", None),
            (b"\x26\x08\x01\x00\x00\x00Z\x00\x00", None),
        ];
        for (octets, expected) in cases {
            assert_eq!(time(&tlv(octets), "t").ok(), expected, "{octets:02X?}");
        }
    }

    /// Every value of every octet, against what another library makes of the date.
    #[test]
    fn a_timestamp_with_any_octet_is_chronos() {
        let good = *b"\x24\x02\x28\x19\x30\x15+\x08\x00";
        for (at, octet) in (0..good.len()).flat_map(|at| (0..=u8::MAX).map(move |octet| (at, octet))) {
            let mut octets = good;
            octets[at] = octet;
            let [y, mo, d, h, mi, s, sign, zh, zm] = octets;
            let digits = format!("20{y:02x}-{mo:02x}-{d:02x}T{h:02x}:{mi:02x}:{s:02x}");
            let zone =
                format!("{}{zh:02x}:{zm:02x}", if sign == b'+' || sign == b'-' { sign as char } else { '?' });
            let time = chrono::DateTime::parse_from_rfc3339(&format!("{digits}{zone}"));
            // No zone is so far east, and no minute has a second 60 here.
            let time = time.ok().filter(|_| zh <= 0x14 && s < 0x60);
            let expected = time.map(|time| Some(time.timestamp())).ok_or(FieldProblem::Time);
            assert_eq!(moment(&octets), expected, "{octets:02X?}");
        }
    }

    #[test]
    fn a_number_is_written_as_the_language_writes_it() {
        for number in [0, 7, 10, 99, 100, 3_405_691_582, u64::from(u32::MAX), u64::MAX] {
            let mut out = "x".to_owned();
            push_number(&mut out, number);
            assert_eq!(out, format!("x{number}"));
        }
    }

    #[test]
    fn an_integer_is_read_as_an_encoder_must_write_it() {
        let cases: [(&[u8], Option<u64>); 6] = [
            (&[0x00], Some(0)),
            (&[0x7F], Some(127)),
            (&[0x00, 0x80], Some(128)),
            (&[0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Some(u64::MAX)),
            (&[0x80], None),
            (&[], None),
        ];
        for (octets, expected) in cases {
            assert_eq!(unsigned(&tlv(octets), "v").ok(), expected, "{octets:02X?}");
        }
    }

    #[test]
    fn a_sequence_number_is_read_whatever_its_sign() {
        for (octets, number) in [
            (&[0x05][..], Some(5)),
            (&[0x80, 0, 0, 0], Some(1 << 31)),
            (&[0, 0xFF, 0xFF, 0xFF, 0xFF], Some(u64::from(u32::MAX))),
            (&[], None),
        ] {
            assert_eq!(local_number(&tlv(octets)), number, "{octets:02X?}");
        }
    }

    #[test]
    fn a_duration_may_be_negative_and_is_cut_at_a_century() {
        let century = 36_525 * crate::limits::DAY_S;
        let cases: [(&[u8], Option<i64>); 7] = [
            (&[0x03, 0x84], Some(900)),
            (&[0xFF], Some(-1)),
            (&[0xFF, 0x7F], Some(-129)),
            (&[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Some(century)),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0], Some(-century)),
            (&[0; 9], None),
            (&[], None),
        ];
        for (octets, expected) in cases {
            assert_eq!(seconds(&tlv(octets)).ok(), expected, "{octets:02X?}");
        }
    }

    #[test]
    fn a_subscriber_is_digits_with_or_without_prefix() {
        let cases: [(&[u8], Option<u64>); 4] = [
            (b"460041234567890", Some(460_041_234_567_890)),
            (b"imsi-460041234567890", Some(460_041_234_567_890)),
            (b"nai-a@b", None),
            (b"", None),
        ];
        for (text, expected) in cases {
            assert_eq!(imsi_text(&tlv(text)).ok().map(|n| n.digits), expected);
        }
    }

    #[test]
    fn a_name_cannot_forge_a_separator() {
        let mut out = String::new();
        push_text(&mut out, b"a/b\x00c");
        assert_eq!(out, "a%2Fb%00c");
        out.clear();
        push_text(&mut out, &[b'x'; 500]);
        assert_eq!(out.len(), NAME_MAX);
    }
}
