//! Bad input by the sources as they are, on a real Kafka: each ends as a dead letter with feed, file or offset, byte and
//! reason, and the good records around it are metered.
//!
//! | what is wrong | by |
//! |---|---|
//! | a month of 13, digits that are none, a length beyond the record, a length that covers its neighbour, an end that never comes, a bomb of nesting, a record cut short | a folder, a topic |
//! | a header that is no header, a file half written, archives cut short, a bomb | a folder |
//! | a CSV with another header, a row that ends before its last column | a folder |
//! | a folder that is a file, one without rights, a file replaced while it is read | the folder itself |

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::deployment::{Deployment, Read, Running};
use crate::eventually;
use crate::feeds::{folded, make_topic, used_now};
use crate::fleet::{self, Card};

/// A P-GW's record made with asn1tools: IMSI 460041234567890, opened 2026-08-01 09:30:15 +08:00.
const RECORD: &str = "bf4f818c800155830864001432547698f0a40680040a010204850500cafebabea60680040a0102038d092608010930152b08008e0203848f011191010c920e50475730312d475a2d434d494f549404075bcd1596099168014618325476f897020800bf2225302381010184010188060000000080008c0300bc558d03149d828e092608010930152b0800bf23030a0102";
/// Uplink and downlink in it.
const BYTES: u64 = 48_213 + 1_351_042;
const ICCID: &str = "8986001234567890123";
const IMSI: &str = "460041234567890";
const REGISTERED: (&str, i64) = ("2026-07-20T00:00:00Z", 1_784_505_600_000);
/// 2026-08-02: after the records.
const SENT_MS: i64 = 1_785_628_800_000;
const TOPIC: &str = "carriers.damage";

const CATALOGUE: &str = "version = 1\ncalendar_from = \"2026-07-01\"\nown_channels = [\"web\"]\n[[plans]]\nname = \"standard\"\n\
    [[feeds]]\nname = \"core\"\nrole = \"settling\"\n[[feeds]]\nname = \"sheet\"\nrole = \"estimate\"\n\
    [[carriers]]\nname = \"east\"\nzone = \"Asia/Shanghai\"\nanchor_day = 1\nsettling_feed = \"core\"\n";

/// Where things stand in the record.
const OUTER_LENGTH: usize = 3;
const IMSI_LENGTH: usize = 8;
const IMSI_DIGITS: usize = 9;
const CHARGING_ID: usize = 27;
const OPENING_MONTH: usize = 43;

/// The record with a charging id of its own, so that it is another record.
fn record(charging_id: u32) -> Vec<u8> {
    let octet = |at: usize| u8::from_str_radix(&RECORD[at..at + 2], 16).expect("hexadecimal");
    let mut record: Vec<u8> = (0..RECORD.len()).step_by(2).map(octet).collect();
    record[CHARGING_ID..CHARGING_ID + 4].copy_from_slice(&charging_id.to_be_bytes());
    record
}

fn with(charging_id: u32, at: usize, octet: u8) -> Vec<u8> {
    let mut record = record(charging_id);
    record[at] = octet;
    record
}

/// The record's fields under an outer tag of indefinite length, and what follows them.
fn indefinite(charging_id: u32, end: &[u8]) -> Vec<u8> {
    [&[0xBF, 0x4F, 0x80], &record(charging_id)[4..], end].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("compressed");
    encoder.finish().expect("compressed")
}

/// What can be read of an archive that is cut short.
fn inflated(archive: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let cut = flate2::read::MultiGzDecoder::new(archive).read_to_end(&mut content);
    assert!(cut.is_err(), "it is cut short");
    content
}

/// Something wrong between good records: the octets, how many of the records behind it a length covers that lies, so that
/// they stand in dead letters too, and why.
struct Case {
    name: &'static str,
    octets: Vec<u8>,
    covers: usize,
    reason: &'static str,
}

fn cases() -> Vec<Case> {
    let case = |name, octets, reason| Case { name, octets, covers: 0, reason };
    let bomb = [&[0xBF, 0x4F, 0x80][..], &[0xBF, 0x63, 0x80].repeat(2_000)].concat();
    vec![
        case("month-of-13", with(1, OPENING_MONTH, 0x13), "recordOpeningTime is no time"),
        case("no-digits", with(2, IMSI_DIGITS, 0x6C), "servedIMSI holds something else than digits"),
        case("long-field", with(3, IMSI_LENGTH, 0x7F + 0x10), ""),
        Case { name: "long-record", octets: with(4, OUTER_LENGTH, 0xFF), covers: 1, reason: "" },
        case("endless", indefinite(5, &[]), "is no usage record; skipped to the next one"),
        case("nested", bomb, "is no usage record; skipped to the next one"),
        Case { name: "cut-short", octets: record(6)[..100].to_vec(), covers: 1, reason: "" },
    ]
}

/// A case between two good records, with two more behind it.
fn surrounded(case: &Case, first: u32) -> (Vec<u8>, usize) {
    let good: Vec<Vec<u8>> = (0..4).map(|n| record(first + n)).collect();
    let at = good[0].len() + good[1].len();
    ([good[0].clone(), good[1].clone(), case.octets.clone(), good[2].clone(), good[3].clone()].concat(), at)
}

struct Folders {
    core: PathBuf,
    sheet: PathBuf,
    closed: PathBuf,
}

impl Folders {
    fn make(deployment: &Deployment) -> Self {
        let at = |name: &str| deployment.directory().join(name);
        let folders = Self { core: at("core"), sheet: at("sheet"), closed: at("closed") };
        for folder in [&folders.core, &folders.sheet, &folders.closed] {
            fs::create_dir(folder).expect("a folder");
        }
        fs::set_permissions(&folders.closed, fs::Permissions::from_mode(0o000)).expect("ours");
        deployment.file("a-file", "no folder");
        let block = |id: &str, folder: &Path| {
            format!("[[feeds]]\nid = \"{id}\"\nformat = \"pgw-cdr\"\nfolder = \"{}\"\n", folder.display())
        };
        let sheet = format!(
            "[[feeds]]\nid = \"sheet\"\nformat = \"mapped-csv\"\nfolder = \"{}\"\nidentity = \"card\"\n\
             identity_kind = \"iccid\"\nrecord_id = \"id\"\nstart = \"begin\"\nend = \"begin\"\ntotal = \"kib\"\n\
             unit = \"KiB\"\ntime = \"rfc3339\"\n",
            folders.sheet.display()
        );
        let topic = format!("[[feeds]]\nid = \"by-topic\"\nformat = \"pgw-cdr\"\ntopic = \"{TOPIC}\"\n");
        let blocks = [
            block("core", &folders.core),
            block("no-rights", &folders.closed),
            block("no-folder", &at("a-file")),
            sheet,
            topic,
        ];
        deployment.file("tidegauge.toml", &blocks.concat());
        folders
    }
}

/// Written under another name and renamed once it is whole.
fn put(folder: &Path, name: &str, content: &[u8]) {
    let unfinished = folder.join(format!("{name}.tmp"));
    fs::write(&unfinished, content).expect("a file");
    fs::rename(unfinished, folder.join(name)).expect("renamed");
}

fn begin(deployment: &Deployment) -> Running<'_> {
    let running = deployment.start();
    let card = Card { iccid: ICCID, imsi: Some(IMSI), carrier: "east" };
    fleet::begin(deployment, &running, CATALOGUE, &[card], REGISTERED);
    running
}

/// The dead letters of a source.
fn letters<'l>(all: &'l [Read], source: &str) -> Vec<&'l Read> {
    let mut found: Vec<&Read> = all.iter().filter(|letter| letter.header("source") == source).collect();
    found.sort_by_key(|letter| letter.header("offset").parse::<u64>().expect("a byte"));
    found
}

fn reader(running: &Running<'_>, feed: &str) -> Value {
    let feeds = running.ask("/v1/feeds").json()["feeds"].clone();
    let found = feeds.as_array().expect("feeds").iter().find(|found| found["feed"] == feed).cloned();
    found.unwrap_or_default()["readers"][0].clone()
}

#[test]
fn damage_in_files_is_a_dead_letter_with_its_place_and_the_records_around_it_count() {
    let deployment = Deployment::new("damage").without_override();
    let folders = Folders::make(&deployment);
    let topic = TOPIC;
    make_topic(topic);
    let running = begin(&deployment);

    // By source: byte and what the reason says; and how many good records there are.
    let mut expected: BTreeMap<String, (usize, &str, usize)> = BTreeMap::new();
    let mut good = 0;
    for (n, case) in cases().iter().enumerate() {
        let (file, at) = surrounded(case, 1_000 + n as u32 * 10);
        put(&folders.core, &format!("{}.ber", case.name), &file);
        expected.insert(format!("file:core/{}.ber", case.name), (at, case.reason, 1 + case.covers));
        good += 4 - case.covers as u64;
    }
    // An indefinite length that ends is as good as another.
    let whole: Vec<u8> = [record(2_000), indefinite(2_001, &[0, 0]), record(2_002)].concat();
    put(&folders.core, "indefinite.ber", &whole);
    good += 3;
    // Half a file, an archive cut short, a bomb: what could be read is read.
    let many: Vec<u8> = (0..200).flat_map(|n| record(3_000 + n)).collect();
    let half = &many[..100 * record(0).len() + 50];
    put(&folders.core, "half.ber", half);
    expected.insert("file:core/half.ber".to_owned(), (half.len() - 50, "", 1));
    good += 100;
    let more: Vec<u8> = (0..200).flat_map(|n| record(4_000 + n)).collect();
    let gz = gzip(&more);
    let gz = &gz[..gz.len() / 2];
    let readable = inflated(gz).len() / record(0).len();
    assert!(readable > 10, "some of it can be read: {readable}");
    good += readable as u64;
    put(&folders.core, "cut.ber.gz", gz);
    let zst = zstd::encode_all(record(5_000).as_slice(), 3).expect("compressed");
    put(&folders.core, "cut.ber.zst", &zst[..zst.len() - 7]);
    put(&folders.core, "bomb.ber.gz", &gzip(&vec![0xFF; 96 << 20]));
    // A sheet as described; with another header; with a row that ends before its last column.
    let rows = |header: &str, rows: &[&str]| [&[header], rows].concat().join("\n") + "\n";
    let row = |id: &str| format!("{ICCID},{id},2026-08-01T09:30:15+08:00,2");
    let header = "card,id,begin,kib";
    let short = format!("{ICCID},s3,2026-08-01T09:30:15+08:00");
    put(&folders.sheet, "good.csv", rows(header, &[&row("s1"), &short, &row("s2")]).as_bytes());
    let at = header.len() + 1 + row("s1").len() + 1;
    expected.insert("file:sheet/good.csv".to_owned(), (at, "`kib` is missing", 1));
    let other = "iccid,number,from,volume";
    put(&folders.sheet, "other.csv", rows(other, &[&row("s4")]).as_bytes());
    expected.insert("file:sheet/other.csv".to_owned(), (other.len() + 1, "`card` is no column", 1));
    good += 2;

    eventually("the good records folded", || (folded(&running, "counted") == good).then_some(()));
    eventually("the archives put aside", || {
        let aside = |name: &str| folders.core.join("broken").join(name).exists();
        ["cut.ber.gz", "cut.ber.zst", "bomb.ber.gz"].into_iter().all(aside).then_some(())
    });
    let all = eventually("a dead letter of each", || {
        let all = deployment.messages("usage.dead-letter");
        let archives = ["cut.ber.gz", "cut.ber.zst", "bomb.ber.gz"].map(|name| format!("file:core/{name}"));
        expected.keys().chain(&archives).all(|source| !letters(&all, source).is_empty()).then_some(all)
    });
    for (source, (at, reason, count)) in &expected {
        let found = letters(&all, source);
        assert_eq!(found.len(), *count, "{source}: {found:?}");
        assert_eq!(found[0].header("offset"), at.to_string(), "{source}: {}", found[0].header("reason"));
        assert!(found[0].header("reason").contains(reason), "{source}: {}", found[0].header("reason"));
    }
    for (name, why) in [
        ("cut.ber.gz", "cannot be decompressed"),
        ("cut.ber.zst", "cannot be decompressed"),
        ("bomb.ber.gz", "more than 250 times its size"),
    ] {
        let found = letters(&all, &format!("file:core/{name}"));
        let last = found.last().expect("a letter");
        let (reason, byte) = (last.header("reason"), last.header("offset"));
        assert!(reason.starts_with(&format!("feed core, file {name}: from byte {byte} on: ")), "{reason}");
        assert!(reason.contains(why), "{reason}");
    }
    let (core, sheet) = (good - 2, 2);
    assert_eq!(used_now(&running, ICCID), (core * BYTES).max(sheet * 2_048), "to the byte");
    for outcome in ["duplicate", "conflict", "late", "rejected", "unknown"] {
        assert_eq!(folded(&running, outcome), 0, "{outcome}");
    }

    troubles(&running, &folders);
}

/// What is wrong with a folder is said of it, and is over when it is.
fn troubles(running: &Running<'_>, folders: &Folders) {
    let trouble =
        |feed: &str| reader(running, feed)["folder"]["trouble"].as_str().unwrap_or_default().to_owned();
    assert!(trouble("no-folder").contains("name the folder"), "{}", trouble("no-folder"));
    let closed = trouble("no-rights");
    assert!(closed.contains("Permission denied") && closed.contains("read, write and search"), "{closed}");
    assert_eq!(trouble("core"), "");
    fs::set_permissions(&folders.closed, fs::Permissions::from_mode(0o755)).expect("ours");
    eventually("the folder taken", || trouble("no-rights").is_empty().then_some(()));

    // A file without rights keeps none behind it.
    let (hidden, locked) = (folders.closed.join(".locked.ber"), folders.closed.join("locked.ber"));
    fs::write(&hidden, record(20)).expect("a file");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o000)).expect("ours");
    fs::rename(&hidden, &locked).expect("renamed");
    let said = eventually("its trouble", || Some(trouble("no-rights")).filter(|said| !said.is_empty()));
    assert!(said.contains("locked.ber: Permission denied") && said.contains("are read meanwhile"), "{said}");
    put(&folders.closed, "open.ber", &record(21));
    let done = |name: &str| folders.closed.join("done").join(name).exists().then_some(());
    eventually("the one behind it read", || done("open.ber"));
    assert!(locked.exists() && trouble("no-rights") == said, "{}", trouble("no-rights"));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o644)).expect("ours");
    eventually("it is read too", || done("locked.ber"));
    eventually("no trouble is left", || trouble("no-rights").is_empty().then_some(()));
}

#[test]
fn damage_in_a_topics_messages_is_a_dead_letter_with_its_place_and_the_records_around_it_count() {
    let deployment = Deployment::new("damage-topic");
    let topic = "carriers.damage-topic";
    deployment.file(
        "tidegauge.toml",
        &format!("[[feeds]]\nid = \"core\"\nformat = \"pgw-cdr\"\ntopic = \"{topic}\"\n"),
    );
    make_topic(topic);
    let running = begin(&deployment);
    let cases = cases();
    let mut good = 0;
    for (n, case) in cases.iter().enumerate() {
        let (message, _) = surrounded(case, 1_000 + n as u32 * 10);
        deployment.send_to(topic, [(case.name, message.as_slice(), SENT_MS)]);
        good += 4 - case.covers as u64;
    }
    eventually("the good records folded", || (folded(&running, "counted") == good).then_some(()));
    let all = deployment.messages("usage.dead-letter");
    assert_eq!(all.len(), cases.iter().map(|case| 1 + case.covers).sum::<usize>());
    let at = format!("at byte {} of the message: ", 2 * record(0).len());
    assert_eq!(all.iter().filter(|letter| letter.header("reason").starts_with(&at)).count(), cases.len());
    for letter in &all {
        assert_eq!(letter.header("source"), topic);
        assert!(letter.header("reason").starts_with("at byte "), "{letter:?}");
        assert!(!letter.header("partition").is_empty() && !letter.header("offset").is_empty());
    }
    for case in &cases {
        let of = |letter: &&Read| letter.header("reason").contains(case.reason);
        assert!(all.iter().any(|letter| of(&letter)), "{}", case.name);
    }
    assert_eq!(used_now(&running, ICCID), good * BYTES);
}

/// Read again from its beginning, and what was in the log already is known there.
#[test]
fn a_file_replaced_while_it_is_read_is_said_so_and_the_other_is_read_whole() {
    let deployment = Deployment::new("replaced");
    let folder = deployment.directory().join("core");
    fs::create_dir(&folder).expect("a folder");
    let block =
        format!("[[feeds]]\nid = \"core\"\nformat = \"pgw-cdr\"\nfolder = \"{}\"\n", folder.display());
    deployment.file("tidegauge.toml", &block);
    let running = begin(&deployment);
    // The same few records over and over: windows enough for the other file to come between.
    let few: Vec<u8> = (0..100).flat_map(|n| record(1_000 + n)).collect();
    put(&folder, "large.ber", &few.repeat(4_000));
    eventually("the file in hand", || reader(&running, "core")["folder"]["file"].is_object().then_some(()));
    let other: Vec<u8> = (0..3).flat_map(|n| record(5_000 + n)).collect();
    put(&folder, "large.ber", &other);
    eventually("the change noticed", || {
        deployment.log().contains("was replaced or changed while it was read").then_some(())
    });
    eventually("both counted", || (folded(&running, "counted") == 103).then_some(()));
    eventually("the other put aside", || folder.join("done").join("large.ber").exists().then_some(()));
    assert_eq!(fs::read(folder.join("done").join("large.ber")).expect("a file"), other);
    assert_eq!(used_now(&running, ICCID), 103 * BYTES);
    assert!(deployment.messages("usage.dead-letter").is_empty());
}
