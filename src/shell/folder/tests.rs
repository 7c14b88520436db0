//! One folder, window by window, as if the log had acknowledged everything: what becomes of a file across restarts.

use std::fs;
use std::path::Path;

use serde::Deserialize as _;

use super::one::{One, Reach};
use crate::ingest::file::Out;
use crate::ingest::formats::feed::Feed;
use crate::ingest::gaps::Gaps;
use crate::ingest::{Clock, IngestOutcome, Options, Source};
use crate::shell::SharedDirectory;

/// A process that reads a folder.
struct Process {
    one: One,
    out: Out<SharedDirectory>,
    gaps: Gaps,
    now_ms: i64,
    /// All that was wrong on the way.
    troubles: Vec<String>,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let said = format!("id = 'one'\nformat = '1nce'\nfolder = '{}'\nfiles = '*.jsonl'", folder.display());
        let feed = Feed::deserialize(said.parse::<toml::Table>().unwrap()).unwrap();
        let gaps = Gaps::new([("one".to_owned(), feed.watch)]);
        let out = Out::new(SharedDirectory::default(), &Options::new("test", Clock::Log), 4);
        let own = feed.folder.clone().unwrap();
        Self { one: One::new(feed, own), out, gaps, now_ms: 1_785_000_000_000, troubles: Vec::new() }
    }

    /// So many turns, each long after the one before.
    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.now_ms += 10_000;
            let (out, gaps) = (&mut self.out, &mut self.gaps);
            let moved = self.one.step(&mut Reach { out, gaps, now_ms: self.now_ms, supplied: false });
            if moved {
                self.one.settle(&self.gaps, self.now_ms);
            }
            self.troubles.extend(self.one.trouble.clone());
        }
    }

    fn dead(&self) -> u64 {
        self.out.ledger().records(Source::File, IngestOutcome::DeadLetter)
    }
}

#[test]
fn a_file_that_could_not_be_put_aside_goes_where_it_belongs_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("a.jsonl"), "{\"no\": 1}\n{\"no\": 2}\n").unwrap();
    // Where the folder of what is broken belongs.
    fs::write(path("broken"), "in the way").unwrap();
    let mut process = Process::start(directory.path());
    process.turns(10);
    assert!(process.troubles.iter().any(|said| said.contains("a.jsonl")), "{:?}", process.troubles);
    assert_eq!((path("a.jsonl").exists(), process.dead()), (true, 2));
    drop(process);

    fs::remove_file(path("broken")).unwrap();
    let mut process = Process::start(directory.path());
    process.turns(10);
    assert_eq!(process.troubles, Vec::<String>::new());
    assert!(path("broken/a.jsonl").exists() && !path("done").exists());
    assert_eq!(process.dead(), 0, "it is not read again");
    assert!(process.one.in_hand().is_none());
}

#[test]
fn a_file_of_which_something_was_read_is_done_though_it_was_before_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    // A record, then some windows of lines that are none.
    let records = include_str!("../../../tests/data/platform-feeds/1nce-shape.jsonl");
    let record = records.lines().next().unwrap();
    let line = format!("{{\"no\": \"{}\"}}\n", "x".repeat(1_000));
    let lines = crate::limits::FILE_WINDOW_BYTES / 1_000 * 5 / 2;
    fs::write(path("a.jsonl"), format!("{record}\n{}", line.repeat(lines))).unwrap();
    let mut process = Process::start(directory.path());
    while process.one.in_hand().is_none_or(|hand| hand.byte == 0) {
        process.turns(1);
    }
    let told = process.dead();
    assert!(told > 0 && path("a.jsonl").exists(), "{told} lines are read");
    drop(process);

    let mut process = Process::start(directory.path());
    process.turns(20);
    assert!(path("done/a.jsonl").exists(), "{:?}", process.troubles);
    assert_eq!(told + process.dead(), lines as u64, "what was read before is not read again");
}
