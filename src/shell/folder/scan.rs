//! Which files of a folder are complete: renamed into it, or unchanged for a while.
//!
//! Names that begin with a dot, or end as names of files that are being written do, are nobody's business. What is left
//! is the feed's by its pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::kept::Look;
use crate::ingest::formats::folder::{Done, Folder};
use crate::limits::{FOLDER_FILES_MAX, FOLDER_SETTLE_MS};

/// Endings of files that are being written.
const UNFINISHED: [&str; 3] = [".tmp", ".part", ".filepart"];
/// Endings of the marks beside files that are done.
pub(super) const MARKS: [&str; 2] = [".done", ".broken"];

/// What the last looks have shown.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Files that are waiting, how they look, and since when they look so.
    seen: BTreeMap<String, (Look, i64)>,
    /// Files that were renamed into the folder since the last look: they are whole.
    renamed: BTreeSet<String>,
}

impl Scan {
    /// A file was renamed into the folder.
    pub(super) fn renamed(&mut self, name: &str) {
        if self.renamed.len() < FOLDER_FILES_MAX {
            self.renamed.insert(name.to_owned());
        }
    }

    /// Looks at the folder.
    pub(super) fn look(&mut self, folder: &Folder, now_ms: i64) -> io::Result<()> {
        let mut found = BTreeMap::new();
        let names = names(folder)?;
        for name in names.iter().filter(|name| is_ours(folder, name, &names)) {
            // A file that goes away between the two calls is none.
            let Ok(metadata) = fs::symlink_metadata(folder.path.join(name)) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let look = Look::of(&metadata);
            let since_ms =
                self.seen.get(name).filter(|(before, _)| *before == look).map_or(now_ms, |seen| seen.1);
            found.insert(name.clone(), (look, since_ms));
        }
        self.seen = found;
        Ok(())
    }

    /// The complete file that was changed first, and by name among those.
    pub(super) fn next(&mut self, now_ms: i64) -> Option<(String, Look)> {
        let complete = self.seen.iter().filter(|(name, (_, since_ms))| {
            self.renamed.contains(*name) || now_ms.saturating_sub(*since_ms) >= FOLDER_SETTLE_MS
        });
        let (name, look) = complete
            .map(|(name, (look, _))| (name, look))
            .min_by_key(|(name, look)| (look.changed_ns, *name))?;
        Some((name.clone(), *look))
    }

    /// Forgets a file: it is gone, or is to be looked at anew.
    pub(super) fn forget(&mut self, name: &str) {
        self.seen.remove(name);
        self.renamed.remove(name);
    }

    /// Files that wait, complete or not.
    pub(super) fn waiting(&self) -> usize {
        self.seen.len()
    }
}

fn names(folder: &Folder) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&folder.path)?.take(FOLDER_FILES_MAX) {
        // A name that is no text cannot be told of; it stays.
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

fn is_ours(folder: &Folder, name: &str, names: &BTreeSet<String>) -> bool {
    let unfinished = UNFINISHED.iter().any(|ending| name.ends_with(ending));
    let is_mark = MARKS.iter().any(|ending| name.ends_with(ending));
    let marked = folder.done == Done::Mark && MARKS.iter().any(|end| names.contains(&format!("{name}{end}")));
    let matches = || folder.files.as_ref().is_none_or(|files| files.read(name).is_some());
    !name.starts_with('.') && !unfinished && !is_mark && !marked && matches()
}

/// Puts a file aside: into a folder of its own, or by a mark beside it. Nothing is overwritten.
pub(super) fn put_aside(folder: &Folder, name: &str, what: Aside) -> io::Result<()> {
    let from = folder.path.join(name);
    match folder.done {
        Done::Mark => fs::File::create(folder.path.join(format!("{name}.{}", what.name()))).map(drop),
        Done::Move => {
            let aside = folder.path.join(what.name());
            match fs::create_dir(&aside) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            fs::rename(from, free(&aside, name))
        }
    }
}

/// A file of the same name may have come before.
fn free(folder: &Path, name: &str) -> std::path::PathBuf {
    let numbered = |n: u32| if n == 0 { folder.join(name) } else { folder.join(format!("{name}.{n}")) };
    (0..u32::MAX).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

/// What a file was put aside as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    Done,
    Broken,
}

impl Aside {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
        }
    }
}

#[cfg(test)]
mod tests {
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
}
