//! Which files are taken, and when.

use super::*;
use crate::ingest::formats::names::NamePattern;

fn folder(directory: &tempfile::TempDir, done: Done) -> Folder {
    let files = Some(NamePattern::parse("*.dat").unwrap());
    Folder { path: directory.path().to_owned(), done, files }
}

fn put(folder: &Folder, name: &str, content: &str) {
    fs::write(folder.path.join(name), content).unwrap();
}

fn next(scan: &mut Scan, folder: &Folder, now_ms: i64) -> Option<String> {
    scan.look(folder, now_ms).unwrap();
    scan.next(now_ms).map(|(name, _)| name)
}

#[test]
fn only_files_of_the_feed_that_are_complete_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    for name in [".a.dat", "b.dat.tmp", "c.dat.part", "d.csv"] {
        put(&folder, name, "x");
    }
    fs::create_dir(folder.path.join("e.dat")).unwrap();
    let mut scan = Scan::default();
    assert_eq!(next(&mut scan, &folder, 0), None);
    assert_eq!(next(&mut scan, &folder, 60_000), None);
    put(&folder, "f.dat", "x");
    assert_eq!(next(&mut scan, &folder, 60_000), None);
    put(&folder, "f.dat", "xy");
    assert_eq!(next(&mut scan, &folder, 61_999), None, "it grows");
    assert_eq!(next(&mut scan, &folder, 63_998), None);
    assert_eq!(next(&mut scan, &folder, 63_999).as_deref(), Some("f.dat"));
    put_aside(&folder, "f.dat", Aside::Done).unwrap();
    assert_eq!(next(&mut scan, &folder, 70_000), None);
}

#[test]
fn a_file_renamed_into_the_folder_is_whole_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    let mut scan = Scan::default();
    put(&folder, "g.dat", "x");
    scan.renamed("g.dat");
    assert_eq!(next(&mut scan, &folder, 0).as_deref(), Some("g.dat"));
}

#[test]
fn a_file_that_cannot_be_opened_keeps_none_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    let mut scan = Scan::default();
    for name in ["a.dat", "b.dat"] {
        put(&folder, name, "x");
        scan.renamed(name);
    }
    assert_eq!(next(&mut scan, &folder, 0).as_deref(), Some("a.dat"));
    scan.pass_over("a.dat", 5_000, "a.dat: no".to_owned());
    assert_eq!(next(&mut scan, &folder, 10).as_deref(), Some("b.dat"));
    assert_eq!(
        scan.trouble(&folder).as_deref(),
        Some("a.dat: no. Other files of the folder are read meanwhile")
    );
    assert_eq!(next(&mut scan, &folder, 5_000).as_deref(), Some("a.dat"), "it is tried again");
    scan.opens("a.dat");
    assert_eq!(scan.trouble(&folder), None);
    scan.pass_over("a.dat", 9_000, String::new());
    fs::remove_file(folder.path.join("a.dat")).unwrap();
    assert_eq!(next(&mut scan, &folder, 6_000).as_deref(), Some("b.dat"));
    assert_eq!(scan.trouble(&folder), None, "it is gone");
}

#[test]
fn a_file_that_came_whole_and_is_written_over_in_its_place_is_not_whole() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    let mut scan = Scan::default();
    put(&folder, "g.dat", "x");
    scan.renamed("g.dat");
    scan.opened("g.dat", true);
    put(&folder, "g.dat", "half");
    assert_eq!(next(&mut scan, &folder, 0), None);
    // It was being read, and has changed: its writer has it still.
    scan.look_anew("g.dat");
    assert_eq!(next(&mut scan, &folder, 10), None);
    assert_eq!(next(&mut scan, &folder, FOLDER_SETTLE_MS + 10), None);
    scan.closed("g.dat");
    assert_eq!(next(&mut scan, &folder, FOLDER_SETTLE_MS + 20).as_deref(), Some("g.dat"));
}

#[test]
fn a_name_that_was_renamed_into_the_folder_and_away_is_not_whole_when_it_comes_again() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    let mut scan = Scan::default();
    scan.renamed("g.dat");
    assert_eq!(next(&mut scan, &folder, 0), None);
    put(&folder, "g.dat", "half");
    assert_eq!(next(&mut scan, &folder, 100), None, "nobody says that it is whole");
}

#[test]
fn a_file_that_is_open_for_writing_waits_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    let mut scan = Scan::default();
    put(&folder, "j.dat", "half");
    scan.opened("j.dat", false);
    scan.opened("j.dat", true);
    assert_eq!(next(&mut scan, &folder, 0), None);
    assert_eq!(next(&mut scan, &folder, FOLDER_HELD_MS - 1), None);
    scan.closed("j.dat");
    assert_eq!(next(&mut scan, &folder, FOLDER_HELD_MS - 1).as_deref(), Some("j.dat"));
    scan.opened("j.dat", true);
    assert_eq!(next(&mut scan, &folder, FOLDER_HELD_MS).as_deref(), Some("j.dat"), "held for too long");
    // Made and not written: linked in, or waiting for its first bytes.
    scan.opened("j.dat", false);
    scan.missed_news();
    scan.opened("j.dat", false);
    assert_eq!(next(&mut scan, &folder, 5_000).as_deref(), Some("j.dat"));
    put_aside(&folder, "j.dat", Aside::Done).unwrap();
    put(&folder, "k.dat", "");
    scan.opened("k.dat", false);
    assert_eq!(next(&mut scan, &folder, 10_000), None);
    assert_eq!(next(&mut scan, &folder, 15_000), None);
}

#[test]
fn a_file_that_is_marked_stays_and_is_not_taken_again() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Mark);
    let mut scan = Scan::default();
    put(&folder, "h.dat", "x");
    assert_eq!(next(&mut scan, &folder, 0), None);
    assert_eq!(next(&mut scan, &folder, 2_000).as_deref(), Some("h.dat"));
    put_aside(&folder, "h.dat", Aside::Broken).unwrap();
    assert_eq!(next(&mut scan, &folder, 9_000), None);
    assert!(folder.path.join("h.dat").exists());
}

fn bounded(files: usize, marks: usize) -> Scan {
    Scan { bounds: Bounds { files, marks }, ..Scan::default() }
}

#[test]
fn files_that_stay_hold_up_none_that_wait_however_many_they_are() {
    for marks in [100, 3] {
        let directory = tempfile::tempdir().unwrap();
        let folder = folder(&directory, Done::Mark);
        let mut scan = bounded(2, marks);
        for n in 0..40 {
            put(&folder, &format!("{n}.dat"), "x");
            put_aside(&folder, &format!("{n}.dat"), Aside::Done).unwrap();
        }
        assert_eq!(next(&mut scan, &folder, 0), None);
        assert_eq!(scan.waiting(), 0, "of {marks} marks held");
        put(&folder, "new.dat", "x");
        scan.renamed("new.dat");
        assert_eq!(next(&mut scan, &folder, 5_000).as_deref(), Some("new.dat"), "of {marks} marks held");
        assert_eq!(scan.crowded(&folder), None);
    }
}

#[test]
fn of_more_files_than_are_known_the_oldest_come_first_and_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    let mut scan = bounded(2, 2);
    // By age, not by name.
    for (name, age_s) in [("e.dat", 50), ("d.dat", 40), ("a.dat", 30), ("c.dat", 20), ("b.dat", 10)] {
        put(&folder, name, "x");
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000 - age_s);
        fs::File::options().write(true).open(folder.path.join(name)).unwrap().set_modified(time).unwrap();
    }
    let mut order = Vec::new();
    for round in 0..6 {
        scan.look(&folder, round * 10_000).unwrap();
        let (waiting, crowded) = (scan.waiting(), scan.crowded(&folder).is_some());
        assert_eq!((waiting, crowded), ((5 - order.len()).min(2), order.len() < 3));
        scan.look(&folder, round * 10_000 + 5_000).unwrap();
        let Some((name, _)) = scan.next(round * 10_000 + 5_000) else { continue };
        put_aside(&folder, &name, Aside::Done).unwrap();
        scan.forget(&name);
        order.push(name);
    }
    assert_eq!(order, ["e.dat", "d.dat", "a.dat", "c.dat", "b.dat"]);
}

#[test]
fn what_was_put_aside_before_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(&directory, Done::Move);
    for content in ["one", "two"] {
        put(&folder, "i.dat", content);
        put_aside(&folder, "i.dat", Aside::Done).unwrap();
    }
    let done = |name| fs::read_to_string(folder.path.join("done").join(name)).unwrap();
    assert_eq!((done("i.dat"), done("i.dat.1")), ("one".to_owned(), "two".to_owned()));
}
