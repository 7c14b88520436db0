//! Every file of the sets that others made, and the test that brings it through the real Kafka into the meter.
//!
//! | set | file | test | by |
//! |---|---|---|---|
//! | `3gpp-cdr` | `pgw-32297.cdr`, `pgw-ff-filled.ber` | `a_gateways_files_are_metered_to_the_byte_and_once` | `ingest file` |
//! | | `sgw-plain.ber`, with `pgw-32297.cdr` | `a_session_seen_by_two_nodes_is_never_added_up` | HTTP, `ingest file` |
//! | | `chf-plain.ber` | `a_chfs_topic_is_metered_to_the_byte` | a topic |
//! | | `pgw-32297.cdr` | `what_is_lost_of_a_topic_while_ingest_is_away_is_named_once_and_stays_open_over_restarts` | a topic |
//! | `platform-feeds` | `1nce-shape.jsonl` | `a_carriers_own_topic_is_metered_to_the_byte` | a topic |
//! | | | `batches_are_kept_to_the_byte_and_once` | HTTP |
//! | | | `files_dropped_are_metered_to_the_byte_whatever_their_form_and_whenever_it_is_killed` | a folder |
//! | | `emnify-shape.json` | `platforms_files_come_to_their_totals_by_folder_http_and_topic` | a folder |
//! | | `soracom-airstats-by-imsi.json` | the same | HTTP |
//! | | `control-center-ctd.jsonl` | the same | a topic |
//! | `modem` | `readings.jsonl` | `modems_answers_are_metered_within_both_plain_rules_and_each_difference_is_told` | `usage.modem` |
//! | `platform-docs` | `emnify-usage-data.json`, `emnify-usage-sms.json` | `emnifys_examples_are_taken_and_22_months_are_too_long` | HTTP |
//! | | `twilio-supersim-usage-records.json` | `twilio_super_sims_answers_are_metered_and_months_are_too_long` | HTTP |
//! | | `twilio-wireless-usage-records.json` | `twilio_wireless_answers_are_metered_by_a_mapping_and_empty_records_are_dead_letters` | HTTP |
//!
//! Beside them `cards.csv` says whose the numbers are, `expected.json` what the files come to, SOURCE.md by which rules. The
//! table is [`TAKEN`]; a file that it does not name fails the test here, and so does a test that is none or names no such file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Set, file, test, and the source of the test.
const TAKEN: [(&str, &str, &str, &str); 13] = [
    ("3gpp-cdr", "pgw-32297.cdr", "a_gateways_files_are_metered_to_the_byte_and_once", "gateway"),
    ("3gpp-cdr", "pgw-ff-filled.ber", "a_gateways_files_are_metered_to_the_byte_and_once", "gateway"),
    ("3gpp-cdr", "sgw-plain.ber", "a_session_seen_by_two_nodes_is_never_added_up", "precedence"),
    ("3gpp-cdr", "chf-plain.ber", "a_chfs_topic_is_metered_to_the_byte", "nodes"),
    ("platform-feeds", "1nce-shape.jsonl", "a_carriers_own_topic_is_metered_to_the_byte", "feeds"),
    ("platform-feeds", "emnify-shape.json", PLATFORMS, "platforms"),
    ("platform-feeds", "soracom-airstats-by-imsi.json", PLATFORMS, "platforms"),
    ("platform-feeds", "control-center-ctd.jsonl", PLATFORMS, "platforms"),
    ("modem", "readings.jsonl", MODEMS, "counters"),
    ("platform-docs", "emnify-usage-data.json", EMNIFY, "documents"),
    ("platform-docs", "emnify-usage-sms.json", EMNIFY, "documents"),
    ("platform-docs", "twilio-supersim-usage-records.json", SUPER_SIM, "documents"),
    ("platform-docs", "twilio-wireless-usage-records.json", WIRELESS, "documents"),
];
const PLATFORMS: &str = "platforms_files_come_to_their_totals_by_folder_http_and_topic";
const MODEMS: &str = "modems_answers_are_metered_within_both_plain_rules_and_each_difference_is_told";
const EMNIFY: &str = "emnifys_examples_are_taken_and_22_months_are_too_long";
const SUPER_SIM: &str = "twilio_super_sims_answers_are_metered_and_months_are_too_long";
const WIRELESS: &str = "twilio_wireless_answers_are_metered_by_a_mapping_and_empty_records_are_dead_letters";
/// What stands beside the records.
const BESIDE: [&str; 3] = ["SOURCE.md", "cards.csv", "expected.json"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Records' files of a set.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    names.filter(|name| !BESIDE.contains(&name.as_str()) && !name.starts_with("LICENSE")).collect()
}

fn taken(set: &str) -> BTreeSet<String> {
    TAKEN.iter().filter(|(of, ..)| *of == set).map(|(_, file, ..)| (*file).to_owned()).collect()
}

#[test]
fn every_file_of_a_set_is_taken_by_a_test() {
    for set in ["3gpp-cdr", "platform-feeds", "modem"] {
        assert_eq!(files(&root().join("data").join(set)), taken(set), "{set}");
    }
    match std::env::var_os("TIDEGAUGE_PLATFORM_DOCS").map(PathBuf::from) {
        Some(folder) => assert_eq!(files(&folder), taken("platform-docs")),
        None => println!("SKIPPED: TIDEGAUGE_PLATFORM_DOCS names no folder with the documents' examples"),
    }
}

#[test]
fn every_test_that_is_named_is_there_and_names_its_file() {
    for (_, file, test, source) in TAKEN {
        let path = root().join("product").join(format!("{source}.rs"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(text.contains(&format!("#[test]\nfn {test}(")), "{}: no test {test}", path.display());
        assert!(text.contains(&format!("\"{file}\"")), "{}: {file} is not in it", path.display());
    }
}
