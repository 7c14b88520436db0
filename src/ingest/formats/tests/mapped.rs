//! Feeds that only configuration describes: what carriers' consoles export, in shapes made after their field lists.

use proptest::prelude::*;

use super::*;
use crate::ingest::formats::feed::Feed;

fn feed(block: serde_json::Value) -> Result<Feed, String> {
    serde_json::from_value(block).map_err(|error| error.to_string())
}

fn said(block: serde_json::Value, bytes: &[u8]) -> (Vec<String>, Notes) {
    let feed = feed(block).unwrap();
    let mut buffers = Buffers::default();
    let pieces = feed.decoder.pieces(bytes);
    (pieces.iter().map(|piece| line(&feed.decoder.read(piece, &mut buffers))).collect(), buffers.notes)
}

/// A session export in CSV, local times, volumes in KB of 1024.
fn sessions() -> serde_json::Value {
    serde_json::json!({
        "id": "ctwing", "format": "mapped-csv", "identity": "iccid", "identity_kind": "iccid",
        "record_id": ["iccid", "session", "begin"], "start": "begin", "end": "finish", "up": "up_kb", "down": "down_kb",
        "unit": "KiB", "time": "%Y-%m-%d %H:%M:%S", "zone": "Asia/Shanghai", "blank": "zero",
    })
}

const SESSIONS: &str = "\u{feff}iccid,session,begin,finish,up_kb,down_kb,remark\r\n\
    89860012345678901230,s1,2026-08-01 09:30:15,2026-08-01 09:45:15,1.5,\"2,0\",x\r\n\
    89860012345678901230,s1,2026-08-01 09:30:15,2026-08-01 09:45:15,1.5,2,\"a\n\"\"b\"\"\"\r\n\
    89860012345678901230,s2,2026-08-01 09:45:15,2026-08-01 09:40:00,,7\r\n";

/// Daily totals as an interface answers them, blank for none.
fn totals() -> serde_json::Value {
    serde_json::json!({
        "id": "onelink", "format": "mapped-json", "kind": "day-total", "records": "/result/0/list",
        "identity": "/msisdn", "identity_kind": "msisdn", "at": "/at", "day": "/day", "total": "/dataAmount",
        "unit": "KiB", "time": "%Y%m%d%H%M%S", "zone": "+08:00", "blank": "zero",
    })
}

const TOTALS: &str = r#"{"status":"0","result":[{"list":[
    {"msisdn":"+861064800000001","dataAmount":"12.5","day":"20260801","at":"20260802000000"},
    {"msisdn":"1064800000002","dataAmount":"","day":"2026-08-01","at":20260802000000},
    {"msisdn":"1064800000003","dataAmount":"7MB","day":"20260801","at":"20260802000000"}]}]}"#;

#[test]
fn a_csv_of_sessions_is_cdrs() {
    let (found, notes) = said(sessions(), SESSIONS.as_bytes());
    let id = "8986001234567890123 89860012345678901230/s1/2026-08-01 09:30:15";
    let expected = [
        "error: field `down_kb` is \"2,0\", which is no decimal number from 0 (at byte 68)".to_owned(),
        format!("cdr iccid:{id} 2026-08-01T01:30:15Z 2026-08-01T01:45:15Z up 1536 down 2048"),
        "cdr iccid:8986001234567890123 89860012345678901230/s2/2026-08-01 09:45:15 \
         2026-08-01T01:45:15Z 2026-08-01T01:40:00Z up 0 down 7168"
            .to_owned(),
    ];
    assert_eq!(found, expected);
    assert_eq!(notes, Notes::default());
}

#[test]
fn records_that_are_no_usage_of_data_are_set_aside() {
    use serde_json::json;
    let only = json!({"field": "traffic_type_id", "values": ["5", "7"]});
    let block = changed(sessions(), &json!({"only": only, "unit": "MB", "record_id": "session"}));
    // A number of SMS is no volume, and neither card nor time of such a row is read.
    let text = "iccid,session,begin,finish,up_kb,down_kb,traffic_type_id\n\
        89860012345678901230,s1,2026-08-01 09:30:15,2026-08-01 09:45:15,1.5,2, 5\n\
        89860012345678901230,s2,2026-08-01 09:30:15,2026-08-01 09:45:15,1.0,0,6\n\
        nobody,s3,never,never,,,55\n\
        89860012345678901230,s4,2026-08-01 09:30:15,2026-08-01 09:45:15,1.0,0,\n\
        89860012345678901230,s5,2026-08-01 09:30:15,2026-08-01 09:45:15,1.0,0\n";
    let (found, _) = said(block.clone(), text.as_bytes());
    assert!(found[0].ends_with("up 1500000 down 2000000"), "{}", found[0]);
    assert_eq!(found[1..3], ["aside: left out by `only`"; 2]);
    let missing = "error: field `traffic_type_id` is missing";
    assert_eq!(
        found[3..],
        [
            format!("{missing}; expected what says whether this is usage of data (`only`)"),
            format!("{missing}: the row ends before it; expected as many fields as there are columns")
        ]
    );
    let (found, _) = said(block, SESSIONS.as_bytes());
    assert_eq!(found[0], "error: field `traffic_type_id` is no column");

    let block = changed(totals(), &json!({"only": {"field": "/type/id", "values": ["5"]}}));
    let of = |id: &str| TOTALS.replace("\"day\"", &format!("\"type\":{{\"id\":{id}}},\"day\""));
    let asides =
        |text: &str| said(block.clone(), text.as_bytes()).0.iter().filter(|l| l.starts_with("aside")).count();
    assert_eq!((asides(&of("5")), asides(&of("6")), asides(&of("\"5\"")), asides(TOTALS)), (0, 3, 0, 0));
    assert!(said(block, TOTALS.as_bytes()).0.iter().all(|line| line.starts_with("error: field `/type/id`")));
}

#[test]
fn a_csv_without_a_header_has_its_columns_named() {
    let mut block = sessions();
    block["delimiter"] = "|".into();
    block["columns"] = serde_json::json!(["iccid", "session", "begin", "finish", "up_kb", "down_kb"]);
    block["zone"] = "Europe/Berlin".into();
    let rows = "8986001234567890123|a|2026-10-25 02:30:00|2026-10-25 03:30:00|1|2\n8986|b\n";
    let (found, notes) = said(block, rows.as_bytes());
    assert!(
        found[0].ends_with("2026-10-25T00:30:00Z 2026-10-25T02:30:00Z up 1024 down 2048"),
        "{}",
        found[0]
    );
    assert!(found[1].starts_with("error: field `iccid` is \"8986\""), "{}", found[1]);
    assert_eq!(notes, Notes { twice: 1, skipped: 0 });
}

#[test]
fn totals_of_days_are_readings_that_replace() {
    let (found, _) = said(totals(), TOTALS.as_bytes());
    let expected = [
        "day-total msisdn:861064800000001 2026-08-01T16:00:00Z tx 0 rx 12800",
        "day-total msisdn:1064800000002 2026-08-01T16:00:00Z tx 0 rx 0",
    ];
    assert_eq!(found[..2], expected);
    assert!(
        found[2].starts_with("error: field `/dataAmount` is \"7MB\", which is no decimal"),
        "{}",
        found[2]
    );
    let feed = feed(totals()).unwrap();
    let (pieces, mut buffers) = (feed.decoder.pieces(TOTALS.as_bytes()), Buffers::default());
    for piece in &pieces[..2] {
        let Ok(Said::Reading(reading)) = feed.decoder.read(piece, &mut buffers) else { panic!() };
        assert_eq!(
            (reading.session.as_ref(), reading.imei, reading.feed.as_ref()),
            ("2026-08-01", 0, "onelink")
        );
    }
}

#[test]
fn units_that_stand_with_the_figure_are_added_up() {
    let mut block = totals();
    block["unit"] = "said-1024".into();
    let text = TOTALS.replace("12.5", "1GB2MB3KB");
    let (found, _) = said(block, text.as_bytes());
    assert!(found[0].ends_with("rx 1075842048"), "{}", found[0]); // 2^30 + 2 * 2^20 + 3 * 2^10
    assert!(found[2].ends_with("rx 7340032"), "{}", found[2]);
}

#[test]
fn a_wrong_field_is_named() {
    let cases = [
        (
            "\"at\":20260802000000",
            "\"at\":20261302000000",
            "field `/at` is \"20261302000000\", which is no time",
        ),
        ("\"at\":20260802000000", "\"on\":1", "field `/at` is missing; expected a time"),
        ("\"2026-08-01\"", "\"yesterday\"", "field `/day` is \"yesterday\", which is no date"),
        ("1064800000002", "nobody", "field `/msisdn` is \"nobody\"; expected text of 1 to 16 digits"),
        ("\"dataAmount\":\"\"", "\"dataAmount\":\"-1\"", "field `/dataAmount` is \"-1\""),
        ("\"dataAmount\":\"\"", "\"dataAmount\":[]", "field `/dataAmount` is a list"),
        ("\"dataAmount\":\"\"", "\"dataAmount\":\"99999999999999999\"", "more than 2^64"),
        (
            "\"dataAmount\":\"\"",
            "\"dataAmount\":\"1200000000000000\"",
            "field `volume` is 1228800000000000000 bytes",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(TOTALS.contains(from));
        let (found, _) = said(totals(), TOTALS.replace(from, to).as_bytes());
        assert!(found[1].starts_with("error: ") && found[1].contains(expected), "{to}: {}", found[1]);
    }
    let (found, _) = said(totals(), br#"{"status":"1","message":"busy"}"#);
    assert_eq!(found, ["error: no list of records where the mapping points"]);
}

/// The block with some keys set, or taken away where they are null.
fn changed(block: serde_json::Value, changes: &serde_json::Value) -> serde_json::Value {
    let mut block = block;
    for (key, value) in changes.as_object().unwrap() {
        match value {
            serde_json::Value::Null => drop(block.as_object_mut().unwrap().remove(key)),
            value => block[key] = value.clone(),
        }
    }
    block
}

#[test]
fn a_mapping_that_cannot_be_meant_is_refused_by_name() {
    use serde_json::json;
    let cases = [
        (json!({"unit": "KB"}), "unknown variant `KB`"),
        (json!({"unit": null}), "unit is missing: B, kB, MB"),
        (json!({"zone": null}), "name the zone"),
        (json!({"zone": "Shanghai"}), "zone \"Shanghai\" is no zone"),
        (json!({"time": "iso"}), "time \"iso\" is none of"),
        (json!({"time": "rfc3339"}), "says where it is: leave it out"),
        (json!({"time": "%Y%m%d%H"}), "says no moment"),
        (json!({"silence_minutes": 5}), "what comes by HTTP alone is not watched"),
        (json!({"topic": "t", "file_numbers": [1, 9]}), "file_numbers is of a folder"),
        (json!({"time": null}), "time is missing"),
        (json!({"identity": null}), "identity is missing"),
        (json!({"identity_kind": null}), "identity_kind is missing"),
        (json!({"identity_kind": "eid"}), "unknown variant `eid`"),
        (json!({"record_id": null}), "record_id is missing"),
        (json!({"record_id": []}), "record_id: one to four fields"),
        (json!({"start": null}), "start is missing"),
        (json!({"down": null}), "either up and down, or total"),
        (json!({"total": "t"}), "either up and down, or total"),
        (json!({"at": "t"}), "at is of totals"),
        (json!({"kind": "day-total"}), "start is of a cdr"),
        (json!({"records": "/x"}), "records is of mapped-json"),
        (json!({"delimiter": "\""}), "delimiter: one ASCII character"),
        (json!({"columns": ["iccid"]}), "\"begin\" is none of the columns"),
        (json!({"format": "mapped-json"}), "\"iccid\" is no JSON pointer: write \"/iccid\""),
        (json!({"format": "1nce"}), "only mapped formats take more keys"),
        (json!({"format": "xml"}), "is none of 1nce, emnify"),
        (json!({"id": "a b"}), "id \"a b\" is not 1 to 128"),
        (json!({"topic": "a/b"}), "topic \"a/b\" is not"),
        (json!({"record_numbers": [0, u64::MAX]}), "are more than 2^60 numbers"),
        (json!({"colour": "red"}), "unknown field `colour`"),
        (json!({"only": {"field": "t", "values": []}}), "only: 1 to 64 values"),
        (json!({"only": {"field": "t", "values": ["5 "]}}), "only: no record has the value \"5 \""),
        (json!({"only": {"field": "t", "values": [5]}}), "expected a string"),
        (json!({"only": {"field": "t", "value": ["5"]}}), "unknown field `value`"),
        (json!({"only": {"field": "t", "values": ["5"]}, "number": "n"}), "would be told as missing"),
        (
            json!({"columns": ["iccid", "session", "begin", "finish", "up_kb", "down_kb"], "only": {"field": "t", "values": ["5"]}}),
            "\"t\" is none of the columns",
        ),
        (
            json!({"format": "1nce", "only": {"field": "t", "values": ["5"]}}),
            "only mapped formats take more keys",
        ),
    ];
    for (changes, expected) in cases {
        let error = feed(changed(sessions(), &changes)).unwrap_err();
        assert!(error.contains(expected), "{changes}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_a_mapping_panic(
        csv in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (block, text) = if csv { (sessions(), SESSIONS) } else { (totals(), TOTALS) };
        let mut bytes = [text.as_bytes(), &tail].concat();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        said(block, &bytes);
    }

    #[test]
    fn no_csv_like_text_makes_it_panic(text in "[\",\\n\\r a0-9.]{0,200}") {
        said(sessions(), format!("iccid,session,begin,finish,up_kb,down_kb\n{text}").as_bytes());
    }
}
