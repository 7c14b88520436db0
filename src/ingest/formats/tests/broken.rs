//! What cannot be read: each fault names its field and its place, and takes nothing else with it.

use proptest::prelude::*;

use super::documents::{PAGE, POINTS, POLL, STREAMED};
use super::*;

/// The text with one thing in it changed, and what is then said.
fn said(format: Platform, text: &str, (from, to): (&str, &str)) -> String {
    assert!(text.contains(from), "{from} is not in the record");
    lines(format, text.replacen(from, to, 1).as_bytes()).remove(0)
}

/// A format, a record of it, what is changed in it, and what is then said.
type Case<'a> = (Platform, &'a str, (&'a str, &'a str), &'a str);

fn assert_named(cases: &[Case<'_>]) {
    for (format, text, change, expected) in cases {
        let found = said(*format, text, *change);
        assert!(found.starts_with("error: ") && found.contains(expected), "{change:?}: {found}");
    }
}

#[test]
fn a_wrong_field_of_a_stream_is_named_with_what_it_is_and_what_was_expected() {
    use Platform::Onence;
    let cases = [
        (Onence, STREAMED, ("\"tx\":\"0.033486\",", ""), "field `volume.tx` is missing; expected MB"),
        (
            Onence,
            STREAMED,
            ("\"0.033486\"", "\"0.0334865\""),
            "`volume.tx` is the text \"0.0334865\", which is no whole",
        ),
        (Onence, STREAMED, ("\"0.033486\"", "\"-1\""), "`volume.tx` is the text \"-1\", which is no decimal"),
        (
            Onence,
            STREAMED,
            ("\"0.033486\"", "\"1 MB\""),
            "`volume.tx` is the text \"1 MB\", which is no decimal",
        ),
        (Onence, STREAMED, ("\"0.033486\"", "[1]"), "`volume.tx` is a list"),
        (Onence, STREAMED, ("\"0.033486\"", "1e12"), "`volume.tx` is 1000000000000000000 bytes; the most is"),
        (Onence, STREAMED, ("\"0.033486\"", "1e99"), "`volume.tx` is 1e99, which is more than 2^64 bytes"),
        (
            Onence,
            STREAMED,
            ("0.092628", "0.092629"),
            "`volume.total` is 92629 bytes, and up and down are 92628",
        ),
        (
            Onence,
            STREAMED,
            ("\"id\":5,", "\"id\":7,"),
            "`traffic_type.id` is 7; expected 5 (data) or 6 (SMS)",
        ),
        (
            Onence,
            STREAMED,
            ("\"traffic_type\":{", "\"traffic\":{"),
            "`traffic_type` is missing; expected an object",
        ),
        (
            Onence,
            STREAMED,
            ("\"id\":4500839666911", "\"id\":\"x\""),
            "`id` is the text \"x\"; expected a whole number",
        ),
        (Onence, STREAMED, ("\"id\":4500839666911", "\"id\":1.5"), "`id` is 1.5; expected a whole number"),
        (
            Onence,
            STREAMED,
            ("2026-07-25T00:11:32Z", "2026-07-25 11:32"),
            "`start_timestamp` is \"2026-07-25 11:32\"",
        ),
        (Onence, STREAMED, ("\"8981109757931274797\"", "\"8981\""), "`sim.iccid` is \"8981\""),
        (Onence, STREAMED, ("\"8981109757931274797\"", "8981109757931274797"), "`sim.iccid` is the number"),
        (Onence, STREAMED, ("\"sim\":{", "\"sim\":5,\"was\":{"), "`sim` is 5; expected an object"),
        (Onence, STREAMED, ("\"imsi\":\"440100836166473\"", "\"imsi\":[]"), "`imsi` is a list"),
    ];
    assert_named(&cases);
}

#[test]
fn a_wrong_field_of_an_answer_is_named_with_what_it_is_and_what_was_expected() {
    use Platform::{ControlCenter, Soracom, SuperSim};
    let cases = [
        (Soracom, POINTS, ("440103929795636", "nobody"), "`name of the points` is \"nobody\""),
        (
            Soracom,
            POINTS,
            ("193", "-193"),
            "`dataTrafficStatsMap.s1.slow.uploadByteSizeTotal` is the number -193",
        ),
        (
            Soracom,
            POINTS,
            ("193", "281474976710657"),
            "s1.slow.uploadByteSizeTotal` is 281474976710657; the most",
        ),
        (
            Soracom,
            POINTS,
            ("193", "281474976710656"),
            "`dataTrafficStatsMap` is 281474976712157 bytes; the most",
        ),
        (Soracom, POINTS, ("1784944200", "1784944200000"), "`unixtime` is 1784944200000; expected seconds"),
        (Soracom, POINTS, ("\"unixtime\":1784944200,", ""), "`unixtime` is missing"),
        (
            SuperSim,
            PAGE,
            ("\"iccid\":\"89883070000000000017\",", ""),
            "`iccid` is missing; expected the ICCID",
        ),
        (SuperSim, PAGE, ("89883070000000000017", "8988"), "`iccid of the page` is \"8988\""),
        (SuperSim, PAGE, ("150000", "\"150000\""), "`data_upload` is the text \"150000\"; expected a whole"),
        (SuperSim, PAGE, ("400000", "400001"), "`data_total` is 400001 bytes, and up and down are 400000"),
        (SuperSim, PAGE, ("\"end_time\"", "\"end\""), "`period.end_time` is missing"),
        (
            SuperSim,
            PAGE,
            ("150000", "999999999999999999"),
            "`data_upload` is 999999999999999999; the most is",
        ),
        (ControlCenter, POLL, ("4738774", "-1"), "`body.ctdDataUsage` is the number -1"),
        (
            ControlCenter,
            POLL,
            ("4738774", "1152921504606846977"),
            "`body.ctdDataUsage` is 1152921504606846977; the",
        ),
        (ControlCenter, POLL, ("\"polledAt\"", "\"polled\""), "`polledAt` is missing; expected RFC 3339"),
        (ControlCenter, POLL, ("\"body\"", "\"answer\""), "`body` is missing; expected an object"),
        (ControlCenter, POLL, ("\"imsi\"", "\"iccid\""), "`body.iccid` stands there twice"),
    ];
    assert_named(&cases);
}

#[test]
fn a_fault_says_at_which_byte_it_is() {
    let text = STREAMED.replace("2026-07-25T00:11:32Z", "yesterday");
    let at = text.find("\"yesterday\"").unwrap();
    assert!(lines(Platform::Onence, text.as_bytes())[0].ends_with(&format!("(at byte {at})")));
}

#[test]
fn a_broken_line_takes_no_other_with_it() {
    let good = STREAMED.replace('\n', "");
    let text = format!("{good}\n{{\"id\":1\n\n{{]\r\n  {good}\n");
    let decoder = Decoder::of("f", Platform::Onence);
    let found: Vec<_> = decoder
        .pieces(text.as_bytes())
        .iter()
        .map(|p| (p.at, decoder.read(p, &mut Buffers::default()).is_ok()))
        .collect();
    let (second, third) = (good.len() + 1, good.len() + 10);
    assert_eq!(found, [(0, true), (second, false), (third, false), (third + 6, true)]);
}

#[test]
fn a_first_line_that_breaks_off_takes_no_other_with_it() {
    let good = STREAMED.replace('\n', "");
    for broken in [good.split_at(60).0, "{\"id\":1,\"sim\":{", "{\"id\":1,", "{\"id\":[1", "{\"id\":\"x,"] {
        let found = lines(Platform::Onence, format!("{broken}\n{good}\n{good}\n").as_bytes());
        let are: Vec<bool> = found.iter().map(|line| line.starts_with("cdr ")).collect();
        assert_eq!(are, [false, true, true], "{found:?}");
    }
    // A text over several lines whose second line is an object too.
    for text in [
        "{\"a\":[\n{\"id\":1}\n]}",
        "{\"a\":[1,\n{\"id\":1}\n]}",
        "{\"a\":\n{\"id\":1}\n}",
        "[{\"id\":1},\n{\"id\":2}\n]",
    ] {
        let decoder = Decoder::of("f", Platform::Onence);
        assert!(decoder.pieces(text.as_bytes()).iter().all(|piece| piece.fault.is_none()), "{text}");
    }
}

#[test]
fn of_a_list_that_is_cut_off_the_whole_records_are_read() {
    let text = format!("[{STREAMED},{STREAMED}");
    let found = lines(Platform::Onence, text.as_bytes());
    assert_eq!(found.len(), 3);
    assert!(found[0].starts_with("cdr ") && found[1].starts_with("cdr "), "{found:?}");
    assert_eq!(found[2], "error: a JSON value does not end");
    let cut = format!("[{STREAMED},{}", STREAMED.split_at(50).0);
    let found = lines(Platform::Onence, cut.as_bytes());
    assert!(found[0].starts_with("cdr "), "{found:?}");
    assert_eq!(found[1..], ["error: a JSON value does not end"]);
}

#[test]
fn points_that_nobody_owns_are_refused() {
    let found = lines(Platform::Soracom, br#"[{"unixtime":1,"dataTrafficStatsMap":{}}]"#);
    assert!(found[0].contains("points that are not under their card's IMSI"), "{found:?}");
}

#[test]
fn every_truncated_message_is_read_or_refused() {
    let all = [
        (Platform::Onence, STREAMED),
        (Platform::Soracom, POINTS),
        (Platform::SuperSim, PAGE),
        (Platform::ControlCenter, POLL),
    ];
    for (format, text) in all {
        for len in 0..text.len() {
            let found = lines(format, &text.as_bytes()[..len]);
            let whole = found.iter().filter(|line| !line.starts_with("error")).count();
            assert!(whole < lines(format, text.as_bytes()).len(), "{format:?} at {len}: {found:?}");
        }
    }
}

/// Every byte that is in no piece is a space, or holds pieces together.
fn assert_covered(format: Platform, bytes: &[u8]) {
    let decoder = Decoder::of("f", format);
    let mut end = 0;
    for piece in decoder.pieces(bytes) {
        assert!(piece.at >= end, "{format:?}: pieces overlap or go back");
        assert_eq!(bytes.get(piece.at..piece.at + piece.bytes.len()), Some(piece.bytes));
        end = piece.at + piece.bytes.len();
        let _ = decoder.read(&piece, &mut Buffers::default());
    }
}

fn any_format() -> impl Strategy<Value = Platform> {
    proptest::sample::select(Platform::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(format in any_format(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        assert_covered(format, &bytes);
    }

    #[test]
    fn no_json_like_text_makes_it_panic(format in any_format(), text in r#"[\[\]{}:,"\\ \n0-9a-z.e-]{0,120}"#) {
        assert_covered(format, text.as_bytes());
    }

    /// A good message with some bytes of it changed.
    #[test]
    fn no_damage_makes_it_panic(
        format in any_format(),
        which in 0..4_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = [STREAMED, POINTS, PAGE, POLL][which].as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        assert_covered(format, &bytes);
    }
}
