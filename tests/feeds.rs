//! `tidegauge ingest check` on feeds in formats of their own: the program itself, on the generated sets and on what others
//! document.
#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Where the documents' own examples are (not kept here: their licences are others'); see docs/feeds.md.
const EXAMPLES: Option<&str> = option_env!("TIDEGAUGE_PLATFORM_DOCS");

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/platform-feeds").join(name)
}

fn expected(name: &str) -> Value {
    let text = std::fs::read(data("expected.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()[name].clone()
}

/// Runs `ingest check` in a folder.
fn check(folder: &Path, args: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegauge"))
        .current_dir(folder)
        .args(["ingest", "check", "--json"])
        .args(args)
        .arg(file)
        .output()
        .unwrap()
}

fn summary(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    value["summary"].clone()
}

#[test]
fn the_generated_streams_come_to_their_totals() {
    let folder = tempfile::tempdir().unwrap();
    for (format, file) in [("1nce", "1nce-shape.jsonl"), ("emnify", "emnify-shape.json")] {
        let output = check(folder.path(), &["--feed", "f", "--format", format], &data(file));
        let (found, expected) = (summary(&output), expected(file));
        let count = |name: &str| found[name].as_u64().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(found["format"], format);
        assert_eq!((&found["up"], &found["down"]), (&expected["up"], &expected["down"]));
        assert_eq!(count("records") - count("repeats"), expected["data_records"].as_u64().unwrap());
        assert_eq!(count("records") + count("asides"), expected["records_in_file"].as_u64().unwrap());
        assert_eq!(count("names"), expected["by_iccid"].as_object().unwrap().len() as u64);
    }
}

#[test]
fn points_and_polls_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = "soracom-airstats-by-imsi.json";
    let found = summary(&check(folder.path(), &["--feed", "f", "--format", "soracom"], &data(file)));
    let points = expected(file);
    assert_eq!((&found["records"], &found["up"]), (&points["points"], &points["up"]));
    let file = "control-center-ctd.jsonl";
    let found = summary(&check(folder.path(), &["--feed", "f", "--format", "control-center"], &data(file)));
    let polls = expected(file);
    assert_eq!((&found["readings"], &found["asides"]), (&polls["polls"], &polls["failed_polls"]));
    assert_eq!(found["up"], 0, "a total is no volume to be added up");
}

const CONFIGURATION: &str = "
[[feeds]]
id = 'sessions'
format = 'mapped-csv'
identity = 'iccid'
identity_kind = 'iccid'
record_id = ['session', 'begin']
start = 'begin'
end = 'finish'
total = 'kb'
unit = 'KiB'
time = '%Y-%m-%d %H:%M:%S'
zone = 'Europe/Berlin'
";

const SESSIONS: &str = "iccid,session,begin,finish,kb
8986001234567890123,a,2026-10-25 02:30:00,2026-10-25 04:30:00,1.5
8986001234567890123,a,2026-10-25 02:30:00,2026-10-25 04:30:00,1.5
8986001234567890123,b,2026-03-29 02:30:00,2026-03-29 04:30:00,2
8986001234567890123,c,yesterday,2026-03-29 04:30:00,2
";

#[test]
fn a_feed_of_the_configuration_needs_no_code_and_what_is_broken_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegauge.toml"), CONFIGURATION).unwrap();
    let file = folder.path().join("sessions.csv");
    std::fs::write(&file, SESSIONS).unwrap();
    let output = check(folder.path(), &["--feed", "sessions"], &file);
    let found = summary(&output);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(
        (&found["format"], &found["records"], &found["repeats"]),
        (&"mapped-csv".into(), &3.into(), &1.into())
    );
    assert_eq!(found["down"], 3_584); // 1.5 KiB and 2 KiB
    // The repeat's start comes twice too.
    assert_eq!(found["local_times"], serde_json::json!({"twice": 2, "skipped": 1}));
    let problem = &found["problems"][0];
    let at = SESSIONS.find("8986001234567890123,c").unwrap();
    assert_eq!((&problem["at"], &problem["line"]), (&at.into(), &5.into()));
    assert!(problem["reason"].as_str().unwrap().contains("field `begin` is \"yesterday\""), "{problem}");
}

#[test]
fn a_format_that_nobody_described_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["mapped-csv", "xml"] {
        let output = check(folder.path(), &["--feed", "f", "--format", format], &data("1nce-shape.jsonl"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let names = "is none of 1nce, emnify, soracom, super-sim, control-center, pgw-cdr, sgw-cdr, chf-cdr";
        assert!(said.contains(names), "{said}");
    }
}

#[test]
fn the_documents_own_examples_are_read() {
    let Some(examples) = EXAMPLES.map(Path::new).filter(|folder| folder.is_dir()) else {
        println!("SKIPPED: TIDEGAUGE_PLATFORM_DOCS names no folder with the documents' examples");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let args = ["--feed", "f", "--format", "emnify"];
    // 0.219933 MB, of which 0.047085 up and 0.172848 down.
    let found = summary(&check(folder.path(), &args, &examples.join("emnify-usage-data.json")));
    assert_eq!(
        (&found["records"], &found["up"], &found["down"]),
        (&1.into(), &47_085.into(), &172_848.into())
    );
    let found = summary(&check(folder.path(), &args, &examples.join("emnify-usage-sms.json")));
    assert_eq!((&found["records"], &found["broken"]), (&0.into(), &0.into()));
}

/// The documented pages name no ICCID: as they stand each record is refused by name; with one beside them, as whoever asks
/// puts it there, each is read.
#[test]
fn the_documents_own_pages_are_read_once_they_say_whose_they_are() {
    let Some(examples) = EXAMPLES.map(Path::new).filter(|folder| folder.is_dir()) else {
        println!("SKIPPED: TIDEGAUGE_PLATFORM_DOCS names no folder with the documents' examples");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let args = ["--feed", "f", "--format", "super-sim"];
    let text = std::fs::read(examples.join("twilio-supersim-usage-records.json")).unwrap();
    let pages: serde_json::Map<String, Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(pages.len(), 13);
    for (n, (name, page)) in pages.iter().enumerate() {
        let records = page["usage_records"].as_array().unwrap();
        let file = folder.path().join("page.json");
        std::fs::write(&file, page.to_string()).unwrap();
        let found = summary(&check(folder.path(), &args, &file));
        assert_eq!((&found["records"], &found["broken"]), (&0.into(), &records.len().into()), "{name}");
        assert!(found["problems"][0]["reason"].as_str().unwrap().contains("`iccid` is missing"), "{found}");

        let mut page = page.clone();
        page["iccid"] = format!("898830700000000{n:04}").into();
        std::fs::write(&file, page.to_string()).unwrap();
        let found = summary(&check(folder.path(), &args, &file));
        assert_eq!((&found["records"], &found["broken"]), (&records.len().into(), &0.into()), "{name}");
        let up: u64 = records.iter().map(|record| record["data_upload"].as_u64().unwrap()).sum();
        assert_eq!((&found["up"], &found["repeats"]), (&up.into(), &0.into()), "{name}");
    }
    // Another product of the same vendor, with other fields: refused by the field, not guessed at.
    let text = std::fs::read(examples.join("twilio-wireless-usage-records.json")).unwrap();
    let wireless: Value = serde_json::from_slice(&text).unwrap();
    let file = folder.path().join("wireless.json");
    std::fs::write(&file, wireless["/v1/UsageRecords"]["fetch"].to_string()).unwrap();
    let found = summary(&check(folder.path(), &args, &file));
    assert_eq!(found["records"], 0, "{found}");
    assert!(
        found["problems"][0]["reason"].as_str().unwrap().contains("`period.start_time` is missing"),
        "{found}"
    );
}

/// Files of 3GPP nodes: by the format that is named, or by content, and never two nodes' added up.
#[test]
fn nodes_files_are_read_by_their_format() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/3gpp-cdr").join(name);
    let text = std::fs::read(gateway("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    let files = [("pgw-cdr", "pgw-32297.cdr"), ("sgw-cdr", "sgw-plain.ber"), ("chf-cdr", "chf-plain.ber")];
    for (format, file) in files {
        let expected = &expected[file];
        let output = check(folder.path(), &["--feed", "f", "--format", format], &gateway(file));
        let found = summary(&output);
        assert_eq!((output.status.code(), &found["format"]), (Some(0), &format.into()));
        assert_eq!(found["records"], expected["records_in_file"], "{file}");
        assert_eq!(found["repeats"], expected["duplicates"], "{file}");
        assert_eq!(found["nobodys"], expected["records_without_imsi"], "{file}");
        let bytes = found["up"].as_u64().unwrap() + found["down"].as_u64().unwrap();
        assert_eq!(bytes, expected["totals"]["total"], "{file}");
        let told = summary(&check(folder.path(), &["--feed", "f"], &gateway(file)));
        assert_eq!((&told["up"], &told["down"], &told["broken"]), (&found["up"], &found["down"], &0.into()));
    }
    // Two nodes in one file, of which nothing is said: the first decides, the other's records are refused.
    let both = ["pgw-ff-filled.ber", "sgw-plain.ber"].map(|file| std::fs::read(gateway(file)).unwrap());
    let file = folder.path().join("both.ber");
    std::fs::write(&file, both.concat()).unwrap();
    let output = check(folder.path(), &["--feed", "f"], &file);
    let found = summary(&output);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(found["records"], expected["pgw-ff-filled.ber"]["records_in_file"]);
    assert_eq!(found["broken"], expected["sgw-plain.ber"]["records_in_file"]);
}
