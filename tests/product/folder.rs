//! Files dropped into a folder on a real Kafka: plain, compressed and broken, with a kill between, metered to the byte.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::{CATALOGUE, FILE, data, expected_used, register, used_now};

/// A folder, as its carrier uses it.
struct Drop(PathBuf);

impl Drop {
    /// Written under another name and renamed once it is whole.
    fn put(&self, name: &str, content: &[u8]) {
        let unfinished = self.0.join(format!("{name}.tmp"));
        fs::write(&unfinished, content).expect("a file");
        fs::rename(unfinished, self.0.join(name)).expect("renamed");
    }

    fn names(&self, within: &str) -> BTreeSet<String> {
        let Ok(entries) = fs::read_dir(self.0.join(within)) else { return BTreeSet::new() };
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("text");
        entries.map(|entry| name(entry.expect("an entry"))).filter(|name| name != ".tidegauge").collect()
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("compressed");
    encoder.finish().expect("compressed")
}

/// The records in four files.
fn parts() -> Vec<Vec<u8>> {
    let text = data(FILE);
    let lines: Vec<&str> = text.lines().collect();
    let part = |lines: &[&str]| lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into_bytes();
    lines.chunks(lines.len().div_ceil(4)).map(part).collect()
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "[[feeds]]\nid = \"one\"\nformat = \"1nce\"\nfolder = \"{folder}\"\nfiles = \"one_{{number}}.jsonl\"\n\
         gap_after_minutes = 0\n[[feeds]]\nid = \"nowhere\"\nformat = \"pgw-cdr\"\nfolder = \"{folder}/nowhere\"\n"
    )
}

/// Type, id and first number of what was told of gaps.
fn told(deployment: &Deployment) -> Vec<(String, String, Value)> {
    let messages = deployment.messages("feed.events");
    let event = |value: &[u8]| serde_json::from_slice::<Value>(value).expect("JSON");
    let text = |event: &Value, name: &str| event[name].as_str().expect("text").to_owned();
    let events = messages.iter().map(|message| event(&message.value));
    events.map(|event| (text(&event, "type"), text(&event, "id"), event["data"].clone())).collect()
}

fn feed(running: &Running<'_>, name: &str) -> Value {
    let feeds = running.ask("/v1/feeds").json()["feeds"].clone();
    let feeds = feeds.as_array().expect("feeds").clone();
    feeds.into_iter().find(|feed| feed["feed"] == name).unwrap_or_default()
}

#[test]
fn files_dropped_are_metered_to_the_byte_whatever_their_form_and_whenever_it_is_killed() {
    let deployment = Deployment::new("folder");
    let drop = Drop(deployment.directory().join("in"));
    fs::create_dir(&drop.0).expect("a folder");
    deployment.file("tidegauge.toml", &configuration(&drop.0));
    let parts = parts();
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment, &running);

    // The third does not come yet; the fifth breaks off within, and what is not of the feed stays.
    drop.put("one_0001.jsonl", &parts[0]);
    drop.put("one_0002.jsonl.gz", &gzip(&parts[1]));
    drop.put("one_0004.jsonl.zst", &zstd::encode_all(parts[3].as_slice(), 3).expect("compressed"));
    let broken = gzip(&parts[1]);
    drop.put("one_0005.jsonl.gz", &broken[..broken.len() / 2]);
    drop.put("other.txt", b"of another");
    let read = || running.counter("tidegauge_ingest_read_total", &[("input", "file")]);
    eventually("something read", || (read() > 0).then_some(()));
    std::mem::drop(running);

    let running = deployment.run(&[]);
    running.ready();
    let opened =
        |feed: &Value| Some(feed["readers"][0]["gaps_open"].as_array()?.len()).filter(|count| *count > 0);
    eventually("the third file missed", || opened(&feed(&running, "one")));
    assert_eq!(feed(&running, "one")["readers"][0]["gaps_open"][0]["first"], 3);
    drop.put("one_0003.jsonl", &parts[2]);
    let (done, aside) = (
        ["one_0001.jsonl", "one_0002.jsonl.gz", "one_0003.jsonl", "one_0004.jsonl.zst"],
        "one_0005.jsonl.gz",
    );
    eventually("the files put aside", || {
        (drop.names("done").len() + drop.names("broken").len() == 5).then_some(())
    });
    assert_eq!(drop.names("done"), done.map(str::to_owned).into());
    assert_eq!(drop.names("broken"), [aside.to_owned()].into());
    assert_eq!(drop.names(""), ["broken", "done", "other.txt"].map(str::to_owned).into());

    for (card, used) in expected_used(FILE).used() {
        eventually(&card, || (used_now(&running, &card) == used).then_some(()));
    }
    let ledger = |name, labels: &[(&str, &str)]| running.counter(name, labels);
    let input = [("input", "file")];
    assert_eq!(
        ledger("tidegauge_ingest_read_total", &input),
        ledger("tidegauge_ingest_records_total", &input)
    );

    let told = told(&deployment);
    let names = |kind: &str| -> BTreeSet<String> {
        let of_kind = told.iter().filter(|(told, _, _)| *told == format!("io.tidegauge.feed.gap.{kind}.v1"));
        of_kind.map(|(_, id, _)| id.replace(&format!("feed.gap.{kind}/"), "")).collect()
    };
    assert_eq!(names("opened"), ["one/files//0/3".to_owned()].into());
    assert_eq!(names("closed"), names("opened"));
    assert_eq!(
        told.iter().find(|(kind, _, _)| kind.contains("closed")).expect("closed").2["reason"],
        "filled"
    );
    let letters = deployment.messages("usage.dead-letter");
    let letter = letters
        .iter()
        .find(|letter| letter.header("source") == format!("file:one/{aside}"))
        .expect("a letter");
    let reason = letter.header("reason");
    assert!(reason.starts_with(&format!("feed one, file {aside}: from byte ")), "{reason}");
    assert!(letter.header("offset").parse::<usize>().expect("a byte") <= parts[1].len(), "{letter:?}");
    let trouble = feed(&running, "nowhere")["readers"][0]["folder"]["trouble"].clone();
    assert!(trouble.as_str().is_some_and(|said| said.contains("make it, or mount")), "{trouble}");
    assert_eq!(running.counter("tidegauge_feed_gaps_total", &[("feed", "nowhere")]), 0);
}
