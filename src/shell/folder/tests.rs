//! One folder, window by window, as if the log had acknowledged everything: what becomes of a file across restarts.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use serde::Deserialize as _;

use super::one::{One, Reach};
use super::{Folders, News};
use crate::ingest::file::Out;
use crate::ingest::formats::feed::Feed;
use crate::ingest::gaps::{Change, Gaps, Kind};
use crate::ingest::{Clock, IngestOutcome, Options, PANICS, Source};
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
        Self::start_as(folder, "1nce", "*.jsonl")
    }

    fn start_as(folder: &Path, format: &str, files: &str) -> Self {
        let said =
            format!("id = 'one'\nformat = '{format}'\nfolder = '{}'\nfiles = '{files}'", folder.display());
        let feed = Feed::deserialize(said.parse::<toml::Table>().unwrap()).unwrap();
        let gaps = Gaps::new([("one".to_owned(), feed.watch)]);
        let out = Out::new(SharedDirectory::default(), &Options::new("test", Clock::Log), 4);
        let own = feed.folder.clone().unwrap();
        Self { one: One::new(feed, own), out, gaps, now_ms: 1_785_000_000_000, troubles: Vec::new() }
    }

    /// So many turns, each long after the one before.
    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn_after(10_000);
        }
    }

    /// A turn so long after the one before.
    fn turn_after(&mut self, ms: i64) {
        self.now_ms += ms;
        let (out, gaps) = (&mut self.out, &mut self.gaps);
        let moved = self.one.step(&mut Reach { out, gaps, now_ms: self.now_ms, supplied: false });
        if moved {
            self.one.settle(&self.gaps, self.now_ms);
        }
        self.troubles.extend(self.one.trouble.clone());
    }

    /// What was handed over is thrown away, and all begins anew, as after a panic.
    fn after_a_panic(&mut self) {
        self.one.condemn("as told", self.now_ms);
        self.one.anew();
        self.out = Out::new(SharedDirectory::default(), &Options::new("test", Clock::Log), 4);
        self.gaps = Gaps::new([("one".to_owned(), self.one.feed.watch)]);
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

/// A line of a record, and one that a decoder panics on as it reads it.
fn good_and_bad() -> (String, String) {
    let records = include_str!("../../../tests/data/platform-feeds/1nce-shape.jsonl");
    let told = String::from_utf8(PANICS[1].to_vec()).unwrap();
    (format!("{}\n", records.lines().next().unwrap()), format!("{{\"no\":\"{told}\"}}\n"))
}

#[test]
fn a_record_that_a_decoder_panics_on_is_a_dead_letter_and_the_others_of_the_file_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (good, bad) = good_and_bad();
    fs::write(path("a.jsonl"), [good.as_str(), &bad, &good, &bad, &good].concat()).unwrap();
    let mut process = Process::start(directory.path());
    process.turns(10);
    assert_eq!((process.troubles.as_slice(), path("done/a.jsonl").exists()), (&[][..], true));
    let of = |outcome| process.out.ledger().records(Source::File, outcome);
    assert_eq!((of(IngestOutcome::DeadLetter), of(IngestOutcome::Parked)), (2, 3));
}

#[test]
fn a_file_that_panics_as_it_is_cut_is_broken_and_the_next_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (good, _) = good_and_bad();
    fs::write(path("a.jsonl"), [good.as_bytes(), PANICS[0], b"\n"].concat()).unwrap();
    fs::write(path("b.jsonl"), good).unwrap();
    let mut process = Process::start(directory.path());
    process.turns(20);
    assert!(path("broken/a.jsonl").exists() && path("done/b.jsonl").exists(), "{:?}", process.troubles);
    assert_eq!(process.dead(), 1);
}

#[test]
fn a_file_whose_reading_panicked_is_set_aside_unread_with_a_dead_letter() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (good, _) = good_and_bad();
    fs::write(path("a.jsonl"), good.repeat(2 * crate::limits::FILE_WINDOW_BYTES / good.len())).unwrap();
    let mut process = Process::start(directory.path());
    while process.one.in_hand().is_none() {
        process.turns(1);
    }
    process.after_a_panic();
    assert!(process.one.trouble.as_ref().is_some_and(|said| said.contains("panicked (as told)")));
    process.turns(10);
    assert!(path("broken/a.jsonl").exists(), "{:?}", process.troubles);
    let of = |outcome| process.out.ledger().records(Source::File, outcome);
    assert_eq!((of(IngestOutcome::DeadLetter), process.out.ledger().read(Source::File)), (1, 1));
    // The same again is read: it was the turn that panicked, and may not again.
    fs::rename(path("broken/a.jsonl"), path("a.jsonl")).unwrap();
    process.turns(10);
    assert!(path("done/a.jsonl").exists(), "{:?}", process.troubles);
}

#[test]
fn a_file_that_grows_is_not_taken_before_it_has_settled_though_nobody_tells_of_its_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (good, _) = good_and_bad();
    let mut file = fs::File::create(path("a.jsonl")).unwrap();
    let mut process = Process::start(directory.path());
    // A record each second for a while, each torn at its middle as it is looked at.
    let (half, rest) = good.split_at(good.len() / 2);
    for second in 0..20 {
        file.write_all(half.as_bytes()).unwrap();
        for _ in 0..10 {
            process.turn_after(100);
            assert!(path("a.jsonl").exists() && process.one.in_hand().is_none(), "second {second}");
        }
        file.write_all(rest.as_bytes()).unwrap();
    }
    // Of whatever age the last look is, it is taken two seconds after the last byte, or one look later.
    let settled_ms = crate::limits::FOLDER_SETTLE_MS;
    for _ in 0..settled_ms / 100 - 1 {
        process.turn_after(100);
    }
    assert!(path("a.jsonl").exists());
    for _ in 0..settled_ms / 100 + 5 {
        process.turn_after(100);
    }
    assert!(path("done/a.jsonl").exists(), "{:?}", process.troubles);
    assert_eq!((process.out.ledger().read(Source::File), process.dead()), (20, 0));
}

#[test]
fn a_file_in_hand_is_read_on_after_a_restart_whatever_older_ones_have_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (good, _) = good_and_bad();
    let count = 2 * crate::limits::FILE_WINDOW_BYTES / good.len();
    fs::write(path("b.jsonl"), good.repeat(count)).unwrap();
    let mut process = Process::start(directory.path());
    while process.one.in_hand().is_none_or(|hand| hand.byte == 0) {
        process.turns(1);
    }
    let read = process.out.ledger().read(Source::File);
    drop(process);
    fs::write(path("a.jsonl"), good).unwrap();
    let older =
        fs::metadata(path("b.jsonl")).unwrap().modified().unwrap() - std::time::Duration::from_secs(61);
    fs::File::options().write(true).open(path("a.jsonl")).unwrap().set_modified(older).unwrap();

    let mut process = Process::start(directory.path());
    process.turns(20);
    assert!(path("done/a.jsonl").exists() && path("done/b.jsonl").exists(), "{:?}", process.troubles);
    assert_eq!(read + process.out.ledger().read(Source::File), count as u64 + 1, "none is read twice");
}

#[test]
fn a_folder_that_was_made_anew_is_watched_as_the_one_before_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("drop");
    fs::create_dir(&path).unwrap();
    let feed = Process::start(&path).one.feed;
    let (tell, told) = sync_channel(16);
    let mut folders = Folders::new(&[feed], tell);
    folders.watch();
    fs::remove_dir(&path).unwrap();
    folders.watch();
    fs::create_dir(&path).unwrap();
    folders.watch();
    fs::write(path.join("a.jsonl"), "x").unwrap();
    loop {
        let told = told.recv_timeout(std::time::Duration::from_secs(20)).expect("news of it");
        if told.path.ends_with("a.jsonl") {
            break;
        }
    }
}

#[test]
fn what_is_written_here_is_open_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let feed = Process::start(directory.path()).one.feed;
    let (tell, told) = sync_channel(16);
    let mut folders = Folders::new(&[feed], tell);
    folders.watch();
    let hear_until = |folders: &mut Folders, news: News| {
        loop {
            let told = told.recv_timeout(std::time::Duration::from_secs(20)).expect("news");
            folders.hear(&told);
            if told.news == news {
                break;
            }
        }
    };
    let taken = |folders: &mut Folders| {
        let folder = folders.ones[0].folder().clone();
        folders.ones[0].scan.look(&folder, 0).unwrap();
        folders.ones[0].scan.next(60_000).map(|(name, _)| name)
    };
    let mut file = fs::File::create(directory.path().join("a.jsonl")).unwrap();
    file.write_all(b"half a li").unwrap();
    hear_until(&mut folders, News::Written);
    assert_eq!(taken(&mut folders), None);
    drop(file);
    hear_until(&mut folders, News::Closed);
    assert_eq!(taken(&mut folders).as_deref(), Some("a.jsonl"));

    // More than is heard meanwhile: nobody is taken to have anything open.
    let mut file = fs::File::create(directory.path().join("b.jsonl")).unwrap();
    while !folders.missed.load(std::sync::atomic::Ordering::Relaxed) {
        file.write_all(b"half").unwrap();
        file.set_len(0).unwrap();
        std::thread::yield_now();
    }
    while let Ok(told) = told.try_recv() {
        folders.hear(&told);
    }
    folders.hear_what_was_missed();
    let a = directory.path().join("a.jsonl");
    fs::remove_file(a).unwrap();
    assert_eq!(taken(&mut folders).as_deref(), Some("b.jsonl"));
}

#[test]
fn what_the_header_of_a_file_says_was_lost_or_is_missing_of_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut file = include_bytes!("../../../tests/data/3gpp-cdr/pgw-32297.cdr").to_vec();
    // The lost-CDR indicator.
    file[47] = 3;
    fs::write(path("a.cdr"), &file).unwrap();
    let mut process = Process::start_as(directory.path(), "pgw-cdr", "*.cdr");
    process.turns(10);
    assert!(path("done/a.cdr").exists(), "{:?}", process.troubles);
    let whole = process.out.ledger().read(Source::File);
    let told: Vec<_> = process.gaps.take().into_iter().filter(|told| told.kind == Kind::Lost).collect();
    assert_eq!(
        told.iter().map(|told| (told.missing, told.change)).collect::<Vec<_>>(),
        [(3, Change::Opened)]
    );
    drop(process);

    // Half of it, and nobody has counted what of it the node has lost before.
    fs::write(path("b.cdr"), &file[..file.len() / 2]).unwrap();
    let mut process = Process::start_as(directory.path(), "pgw-cdr", "*.cdr");
    process.turns(10);
    assert!(path("broken/b.cdr").exists(), "{:?}", process.troubles);
    assert_eq!(
        process.gaps.take().into_iter().filter(|told| told.kind == Kind::Lost).count(),
        0,
        "as before"
    );
    let (read, dead) = (process.out.ledger().read(Source::File), process.dead());
    // The record in which it is cut, and the file itself.
    assert!(
        (1..=2).contains(&dead) && (whole / 3..whole * 2 / 3).contains(&read),
        "{read} of {whole}, {dead} dead"
    );
}
