//! Answers, good and bad.

use proptest::prelude::*;

use super::*;
use crate::codec::json;

const MODULES: [&str; 7] = ["quectel", "quectel5g", "ublox", "telit", "nordic", "lwm2m", "mm"];

fn read(module: &str, raw: &str) -> (&'static str, u64, u64, u8, String) {
    let answer = decode(module, raw).unwrap();
    (answer.counter, answer.tx, answer.rx, answer.width, answer.session)
}

fn of(
    counter: &'static str,
    tx: u64,
    rx: u64,
    width: u8,
    session: &str,
) -> (&'static str, u64, u64, u8, String) {
    (counter, tx, rx, width, session.to_owned())
}

#[test]
fn every_module_is_read_in_its_units() {
    let cases = [
        ("quectel", "+QGDCNT: 644279,1551482", of("qgdcnt", 644_279, 1_551_482, 0, "")),
        ("quectel", "AT+QGDCNT?\r\r\n+QGDCNT: 1, 2\r\n\r\nOK\r\n", of("qgdcnt", 1, 2, 0, "")),
        (
            "quectel5g",
            "+QGDCNT: 374001,7207745\r\n+QGDNRCNT: 223992,822872",
            of("qgdcnt+qgdnrcnt", 597_993, 8_030_617, 64, ""),
        ),
        ("ublox", "+UGCNTRD: 31,2704,1819,2724,1839", of("ugcntrd.total", 2_724, 1_839, 0, "")),
        ("ublox", "+UGCNTRD: 1, 100, 0, 100, 0\r\n+UGCNTRD: 2,0,0,7,8", of("ugcntrd.total", 107, 8, 0, "")),
        ("telit", "#GDATAVOL: 1,8660850,284545,8376305", of("gdatavol", 284_545, 8_376_305, 0, "")),
        ("nordic", "%XCONNSTAT: 0,0,2003,9770,748,134", of("xconnstat", 2_051_072, 10_004_480, 64, "")),
        ("lwm2m", "/7/0/2=596 /7/0/3=223", of("lwm2m.7", 610_304, 228_352, 64, "")),
        (
            "mm",
            "bearer.stats.start-date : 1784937722\nbearer.stats.bytes-rx   : 183137\nbearer.stats.bytes-tx: 3846",
            of("mm", 3_846, 183_137, 64, "1784937722"),
        ),
    ];
    for (module, raw, expected) in cases {
        assert_eq!(read(module, raw), expected, "{raw}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let said = |module: &str, raw: &str| decode(module, raw).unwrap_err().to_string();
    let cases = [
        (
            "huawei",
            "",
            "module \"huawei\" is not known: quectel, quectel5g, ublox, telit, nordic, lwm2m and mm are",
        ),
        ("quectel", "ERROR", "the answer has no \"+QGDCNT:\""),
        ("quectel5g", "+QGDCNT: 1,2", "the answer has no \"+QGDNRCNT:\""),
        ("quectel", "+QGDCNT: 1,2,3", "\"+QGDCNT:\" is followed by 3 figures, not 2"),
        ("quectel", "+QGDCNT: 1,-2", "\"+QGDCNT:\": \"-2\" is no whole number of 64 bits"),
        ("quectel", "+QGDCNT: 1,", "\"+QGDCNT:\": \"\" is no whole number of 64 bits"),
        (
            "quectel",
            "+QGDCNT: 1,18446744073709551616",
            "\"+QGDCNT:\": \"18446744073709551616\" is no whole number of 64 bits",
        ),
        (
            "ublox",
            "+UGCNTRD: 1,0,0,18446744073709551615,0\n+UGCNTRD: 2,0,0,1,0",
            "\"+UGCNTRD:\": in bytes more than 64 bits hold",
        ),
        (
            "nordic",
            "%XCONNSTAT: 0,0,18014398509481984,0,0,0",
            "\"%XCONNSTAT:\": in bytes more than 64 bits hold",
        ),
        (
            "telit",
            "#GDATAVOL: 2,729407,11,729418",
            "\"#GDATAVOL:\": sent and received do not add up to the total; another module may tell them in another order",
        ),
        ("lwm2m", "/7/0/2=1", "the answer has no \"/7/0/3=\""),
        (
            "mm",
            "bearer.stats.bytes-tx: 1\nbearer.stats.bytes-rx: 2",
            "the answer has no \"bearer.stats.start-date\"",
        ),
    ];
    for (module, raw, expected) in cases {
        assert_eq!(said(module, raw), expected, "{raw}");
    }
}

#[test]
fn a_wrapped_answer_is_a_message_of_usage_modem() {
    let line = br#"{"at":"2026-07-25T00:02:02Z","imei":"860874150572268","iccid":"8986060145283178665","module":"mm","boot":"x","raw":"bearer.stats.start-date: 5\nbearer.stats.bytes-rx: 7\nbearer.stats.bytes-tx: 3"}"#;
    let message = canonical(line).unwrap();
    let text = r#"{"iccid":"8986060145283178665","imei":"860874150572268","counter":"mm","at":"2026-07-25T00:02:02Z","tx":3,"rx":7,"width":64,"session":"5"}"#;
    assert_eq!(std::str::from_utf8(&message), Ok(text));
    let reading = json::reading(&message).unwrap();
    assert_eq!((reading.tx, reading.rx, reading.width, &*reading.session), (3, 7, 64, "5"));
    for broken in [&b"{}"[..], b"", b"[]", b"\xff"] {
        assert!(matches!(canonical(broken), Err(AnswerError::Line(_))));
    }
}

/// What answers are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "+QGDCNT:",
        "+QGDNRCNT:",
        "+UGCNTRD:",
        "#GDATAVOL:",
        "%XCONNSTAT:",
        "/7/0/2=",
        "/7/0/3=",
        "bearer.stats.bytes-tx",
        "bearer.stats.bytes-rx",
        "bearer.stats.start-date",
        ":",
        ",",
        " ",
        "\r\n",
        "\n",
        "0",
        "1",
        "18446744073709551615",
        "18446744073709551616",
        "-",
        "é",
        "\u{0}",
        "\"",
        "OK",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_whatever_makes_a_decoder_panic(text in prop_oneof![pieces(), "\\PC*"]) {
        for module in MODULES {
            let _ = decode(module, &text);
        }
    }

    #[test]
    fn no_bytes_whatever_make_a_line_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = canonical(&bytes);
    }

    #[test]
    fn figures_are_read_as_they_were_written(tx in 0..1u64 << 53, rx in 0..1u64 << 53, session in any::<u64>()) {
        let cases = [
            ("quectel", format!("+QGDCNT: {tx},{rx}"), 1),
            ("quectel5g", format!("+QGDCNT: {tx},{rx}\r\n+QGDNRCNT: {tx},{rx}"), 2),
            ("ublox", format!("+UGCNTRD: 1,5,6,{tx},{rx}"), 1),
            ("telit", format!("#GDATAVOL: 1,{},{tx},{rx}", tx + rx), 1),
            ("nordic", format!("%XCONNSTAT: 1,2,{tx},{rx},3,4"), 1_024),
            ("lwm2m", format!("/7/0/2={tx} /7/0/3={rx}"), 1_024),
            (
                "mm",
                format!("bearer.stats.start-date: {session}\nbearer.stats.bytes-rx: {rx}\nbearer.stats.bytes-tx: {tx}"),
                1,
            ),
        ];
        for (module, raw, unit) in cases {
            let answer = decode(module, &raw).unwrap();
            prop_assert_eq!((answer.tx, answer.rx), (tx * unit, rx * unit));
        }
    }
}
