//! CDRs and readings.

use std::borrow::Cow;

use super::super::*;
use super::{CDR, READING, card, imsi};
use crate::model::{CardName, Number, NumberKind, Slice, Slices};

fn cdr_error(json: &str) -> String {
    cdr(json.as_bytes(), &mut Scratch::default()).unwrap_err().to_string()
}

#[test]
fn the_contracts_cdr_is_read() {
    let mut scratch = Scratch::default();
    let expected = CdrIn {
        card: CardName::Iccid(card()),
        feed: "cmcc-pgw-1".into(),
        id: "85/10.1.2.3/3405691582/12".into(),
        start: 1_785_547_815,
        end: 1_785_548_715,
        up: 48_213,
        down: 1_351_042,
        slices: Slices::default(),
    };
    let read = cdr(CDR.as_bytes(), &mut scratch).unwrap();
    assert_eq!(read, expected);
    assert!(matches!((read.feed, read.id), (Cow::Borrowed(_), Cow::Borrowed(_))), "nothing is copied");
}

#[test]
fn the_contracts_reading_is_read() {
    let expected = ReadingIn {
        card: CardName::Iccid(card()),
        feed: "modem".into(),
        imei: 860_000_000_000_011,
        counter: "qgdcnt".into(),
        at: 1_785_548_100,
        tx: 1_200_300,
        rx: 99_000_123,
        width: 0,
        session: "".into(),
    };
    assert_eq!(reading(READING.as_bytes()), Ok(expected));
}

#[test]
fn a_card_may_go_by_its_numbers() {
    let named = |names: &str| {
        let json = CDR.replacen(r#""iccid":"8986001234567890123""#, names, 1);
        cdr(json.as_bytes(), &mut Scratch::default()).map(|cdr| cdr.card)
    };
    let msisdn = CardName::Number(Number { kind: NumberKind::Msisdn, digits: 861_440_000_000_123 });
    let imei = CardName::Number(Number { kind: NumberKind::Imei, digits: 860_000_000_000_011 });
    let cases = [
        (r#""imsi":"460041234567890""#, CardName::Number(imsi())),
        (r#""msisdn":"861440000000123""#, msisdn),
        (r#""msisdn":"+861440000000123""#, msisdn),
        (r#""imsi":"460041234567890","msisdn":"861440000000123""#, CardName::Number(imsi())),
        (r#""imsi":"460041234567890","iccid":"89860012345678901236""#, CardName::Iccid(card())),
        (r#""iccid":null,"imsi":"460041234567890""#, CardName::Number(imsi())),
        (r#""imei":"860000000000011""#, imei),
        (r#""imei":"860000000000011","msisdn":"861440000000123""#, msisdn),
    ];
    for (names, expected) in cases {
        assert_eq!(named(names), Ok(expected), "{names}");
    }
}

#[test]
fn texts_with_escapes_are_unescaped() {
    let json = CDR.replace("85/10", r"85\/\u0031\u0030");
    assert_eq!(cdr(json.as_bytes(), &mut Scratch::default()).unwrap().id, "85/10.1.2.3/3405691582/12");
}

#[test]
fn unknown_fields_are_ignored_and_optional_ones_may_be_null() {
    let json = CDR.replacen('{', r#"{"x":{"up":[1,{"down":2}]},"slices":null,"imei":null,"apn":"iot","plmn":"46000","rat":"6","rating_group":10,"#, 1);
    assert_eq!(cdr(json.as_bytes(), &mut Scratch::default()).unwrap().up, 48_213);
    let json = READING.replacen('{', r#"{"session":null,"width":null,"feed":null,"#, 1);
    assert_eq!(reading(json.as_bytes()).unwrap().session, "");
}

#[test]
fn slices_are_packed_in_the_order_of_their_ends() {
    let first = r#"{"end":"2026-08-01T01:40:00Z","up":8213,"down":1000000}"#;
    let second = r#"{"end":"2026-08-01T01:45:15Z","up":40000,"down":351042,"x":1}"#;
    let expected = [
        Slice { end: 1_785_548_400, up: 8_213, down: 1_000_000 },
        Slice { end: 1_785_548_715, up: 40_000, down: 351_042 },
    ];
    let mut scratch = Scratch::default();
    for slices in [format!("[{first},{second}]"), format!("[{second},{first}]")] {
        let json = CDR.replacen('{', &format!(r#"{{"slices":{slices},"#), 1);
        let read: Vec<Slice> = cdr(json.as_bytes(), &mut scratch).unwrap().slices.iter().collect();
        assert_eq!(read, expected, "{slices}");
    }
    assert!(cdr(CDR.as_bytes(), &mut scratch).unwrap().slices.is_empty(), "the next record has none of them");
}

#[test]
fn faults_of_a_cdr_are_named() {
    let slices = |slices: &str| (r#"{"iccid""#, format!(r#"{{"slices":{slices},"iccid""#));
    let cases = [
        (
            ("up\":48213", "up\":-1".into()),
            "field `up` is the number -1; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":\"48213\"".into()),
            "field `up` is the text \"48213\"; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":1.5".into()),
            "field `up` is the number 1.5; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":281474976710657".into()),
            "field `up` is 281474976710657; the most is 281474976710656 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":true".into()),
            "field `up` is true; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":[]".into()),
            "field `up` is a list; expected a whole number from 0 (at byte 159)",
        ),
        (("\"up\":48213,", String::new()), "field `up` is missing; expected a whole number from 0"),
        (
            ("down\":1351042", "down\":null".into()),
            "field `down` is null; expected a whole number from 0 (at byte 172)",
        ),
        (
            ("down\":1351042", "up\":1".into()),
            "field `up` stands there twice; expected each field once (at byte 168)",
        ),
        (
            ("15+08:00", "15".into()),
            "field `start` is \"2026-08-01T09:30:15\", which is no time; expected RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00 (at byte 92)",
        ),
        (
            ("\"end\":\"2026", "\"end\":{}, \"x\":\"2026".into()),
            "field `end` is an object; expected RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00 (at byte 126)",
        ),
        (
            ("cmcc-pgw-1", String::new()),
            "field `feed` has 0 bytes; expected text of 1 to 128 bytes (at byte 38)",
        ),
        (
            ("cmcc-pgw-1", "f".repeat(129)),
            "field `feed` has 129 bytes; expected text of 1 to 128 bytes (at byte 38)",
        ),
        (
            ("\"85/10.1.2.3/3405691582/12\"", "7".into()),
            "field `id` is the number 7; expected text of 1 to 128 bytes (at byte 56)",
        ),
        (
            ("8986001234567890123", "898600".into()),
            "field `iccid` is \"898600\": an ICCID has 19 or 20 characters, this has 6 (at byte 9)",
        ),
        (
            ("\"8986001234567890123\"", "8986001234567890123".into()),
            "field `iccid` is the number 8986001234567890123; expected text of 19 or 20 characters 0-9 and A-F (at byte 9)",
        ),
        (
            ("iccid", "ICCID".into()),
            "field `iccid` is missing; expected iccid, or imsi, msisdn or imei in its place",
        ),
        (
            ("iccid\":\"8986001234567890123", "imsi\":\"46004x".into()),
            "field `imsi` is \"46004x\"; expected text of 1 to 16 digits (at byte 8)",
        ),
        (
            ("\"feed\"", "\"rat\":6,\"feed\"".into()),
            "field `rat` is the number 6; expected text of 1 to 128 bytes (at byte 37)",
        ),
        (slices("{}"), "field `slices` is no list of slices; expected [{end, up, down}, ...] (at byte 10)"),
        (slices("[7]"), "field `slices[0]` not a JSON object (at byte 10)"),
        (slices("[[\"2026-08-01T01:40:00Z\",1,2]]"), "field `slices[0]` not a JSON object (at byte 10)"),
        (
            slices("[{\"end\":\"2026-08-01T01:40:00Z\",\"up\":1}]"),
            "field `slices[0].down` is missing; expected a whole number from 0 (at byte 10)",
        ),
        (
            slices("[{\"end\":\"2026-08-01T01:40:00Z\",\"up\":1,\"down\":2}]"),
            "field `slices` add up to 1 up and 2 down, not to the record's (at byte 10)",
        ),
    ];
    for ((from, to), said) in cases {
        assert_eq!(cdr_error(&CDR.replacen(from, &to, 1)), said);
    }
}

#[test]
fn more_slices_than_the_bound_are_refused() {
    let of = |count: usize| {
        let slice = r#"{"end":"2026-08-01T01:40:00Z","up":0,"down":0}"#;
        let list = vec![slice; count].join(",");
        let json = CDR.replace("48213", "0").replace("1351042", "0");
        json.replacen('{', &format!(r#"{{"slices":[{list}],"#), 1)
    };
    assert_eq!(cdr(of(64).as_bytes(), &mut Scratch::default()).unwrap().slices.len(), 64);
    assert_eq!(cdr_error(&of(65)), "field `slices` holds more than 64 slices (at byte 10)");
}

#[test]
fn what_is_no_json_object_is_said() {
    let cases = [
        ("", "not JSON: EOF while parsing a value (at byte 0)"),
        ("{\"iccid\":", "not JSON: EOF while parsing a value (at byte 8)"),
        ("[]", "not a JSON object"),
        ("\"x\"", "not a JSON object"),
        ("{}{}", "not JSON: trailing characters (at byte 2)"),
        ("{\n \"up\": 01}", "not JSON: invalid number (at byte 10)"),
    ];
    for (json, said) in cases {
        let error = cdr_error(json);
        assert!(error.starts_with(said), "{json}: {error}");
    }
}

#[test]
fn a_value_is_shown_in_part_only() {
    let error = cdr_error(&CDR.replace("2026-08-01T09:30:15+08:00", &"é".repeat(100)));
    assert!(error.contains(&format!("is \"{}\"..., which is no time", "é".repeat(40))), "{error}");
}

#[test]
fn faults_of_a_reading_are_named() {
    let cases = [
        ("\"imei\":\"860000000000011\",", "", "field `imei` is missing; expected text of 1 to 16 digits"),
        ("\"counter\":\"qgdcnt\",", "", "field `counter` is missing; expected text of 1 to 128 bytes"),
        ("\"tx\"", "\"width\":16,\"tx\"", "field `width` is the number 16; expected 32 or 64 (at byte 116)"),
        (
            "\"tx\"",
            "\"session\":1,\"tx\"",
            "field `session` is the number 1; expected text of 1 to 128 bytes (at byte 118)",
        ),
        (
            "99000123",
            "18446744073709551616",
            "field `rx` is the number 18446744073709552000; expected a whole number from 0 (at byte 126)",
        ),
    ];
    for (from, to, said) in cases {
        assert_eq!(reading(READING.replacen(from, to, 1).as_bytes()).unwrap_err().to_string(), said);
    }
}
