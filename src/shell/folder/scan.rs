//! Which files of a folder are complete: renamed into it, or unchanged for a while and open for writing to nobody here.
//!
//! Names that begin with a dot, or end as names of files that are being written do, are nobody's business. What is left
//! is the feed's by its pattern.
//!
//! Invariant 5: at most [`FOLDER_FILES_MAX`] files that wait are known, those that were changed first, whatever else the
//! folder holds. Every look sees all of it, so none that waits is held up by files that are done and have stayed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kept::Look;
use crate::ingest::formats::folder::{Done, Folder};
use crate::limits::{FOLDER_FILES_MAX, FOLDER_HELD_MS, FOLDER_SETTLE_MS};

/// Endings of files that are being written.
const UNFINISHED: [&str; 3] = [".tmp", ".part", ".filepart"];
/// Endings of the marks beside files that are done.
pub(super) const MARKS: [&str; 2] = [".done", ".broken"];

/// What the last looks have shown.
#[derive(Debug)]
pub(super) struct Scan {
    /// Files that are waiting, by when they were changed and by name; how they look, and since when they look so.
    seen: BTreeMap<(i64, String), (Look, i64)>,
    /// Files that wait beyond those, by the last look.
    beyond: usize,
    /// Files that were renamed into the folder and are not taken yet: they are whole.
    renamed: BTreeSet<String>,
    /// Files that were made or written and not closed yet, as far as was told; and whether anything was written.
    open: BTreeMap<String, bool>,
    /// Files that could not be opened: until when they are passed over, and why.
    passed_over: BTreeMap<String, (i64, String)>,
    bounds: Bounds,
}

/// How much is held of a folder.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    files: usize,
    marks: usize,
}

impl Default for Scan {
    fn default() -> Self {
        let bounds = Bounds { files: FOLDER_FILES_MAX, marks: FOLDER_FILES_MAX };
        let (seen, passed_over) = (BTreeMap::new(), BTreeMap::new());
        Self { seen, beyond: 0, renamed: BTreeSet::new(), open: BTreeMap::new(), passed_over, bounds }
    }
}

impl Scan {
    /// A file was renamed into the folder.
    pub(super) fn renamed(&mut self, name: &str) {
        self.open.remove(name);
        if self.renamed.len() < self.bounds.files {
            self.renamed.insert(name.to_owned());
        }
    }

    /// Whether a file is whole by its renaming, however it looks.
    pub(super) fn is_renamed(&self, name: &str) -> bool {
        self.renamed.contains(name)
    }

    /// A file was made, or written (and has bytes to show for it): somebody has it open.
    pub(super) fn opened(&mut self, name: &str, written: bool) {
        if written {
            // It was whole when it came, and is written over in its place.
            self.renamed.remove(name);
        }
        if self.open.len() < self.bounds.files {
            *self.open.entry(name.to_owned()).or_default() |= written;
        }
    }

    /// It was closed.
    pub(super) fn closed(&mut self, name: &str) {
        self.open.remove(name);
    }

    /// Not all was told: who has what open is not known.
    pub(super) fn missed_news(&mut self) {
        self.open.clear();
    }

    /// Looks at the folder.
    pub(super) fn look(&mut self, folder: &Folder, now_ms: i64) -> io::Result<()> {
        let marks = Marks::of(folder, self.bounds.marks)?;
        let (mut found, mut beyond) = (BTreeMap::new(), 0);
        for name in names(folder)? {
            let name = name?;
            if !is_ours(folder, &name) || marks.has(folder, &name) {
                continue;
            }
            // A file that goes away between the two calls is none.
            let Ok(metadata) = fs::symlink_metadata(folder.path.join(&name)) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let look = Look::of(&metadata);
            let place = (look.changed_ns, name);
            let since_ms =
                self.seen.get(&place).filter(|(before, _)| *before == look).map_or(now_ms, |seen| seen.1);
            found.insert(place, (look, since_ms));
            if found.len() > self.bounds.files {
                found.pop_last();
                beyond += 1;
            }
        }
        // What is gone, or is none of ours, must not pass for whole when its name comes again.
        if !self.renamed.is_empty() || !self.open.is_empty() || !self.passed_over.is_empty() {
            let names: HashSet<&String> = found.keys().map(|(_, name)| name).collect();
            self.passed_over.retain(|name, _| names.contains(name));
            self.renamed.retain(|name| names.contains(name));
            self.open.retain(|name, _| names.contains(name));
        }
        (self.seen, self.beyond) = (found, beyond);
        Ok(())
    }

    /// Whether a file still waits, and looks as it did.
    pub(super) fn waits(&self, name: &str, look: Look) -> bool {
        self.seen.get(&(look.changed_ns, name.to_owned())).is_some_and(|(seen, _)| *seen == look)
    }

    /// Whether a file is whole by now, as it has looked since then.
    fn is_complete(&self, name: &str, (look, since_ms): (Look, i64), now_ms: i64) -> bool {
        // A file that was linked in was made and never opened; an empty one may get its first bytes yet.
        let is_open = self.open.get(name).is_some_and(|written| *written || look.bytes == 0);
        let settled_ms = if is_open { FOLDER_HELD_MS } else { FOLDER_SETTLE_MS };
        self.is_renamed(name) || now_ms.saturating_sub(since_ms) >= settled_ms
    }

    /// The complete file that was changed first, and by name among those.
    pub(super) fn next(&mut self, now_ms: i64) -> Option<(String, Look)> {
        let is_passed = |name| self.passed_over.get(name).is_some_and(|(until_ms, _)| now_ms < *until_ms);
        let complete = self
            .seen
            .iter()
            .find(|((_, name), seen)| !is_passed(name) && self.is_complete(name, **seen, now_ms));
        complete.map(|((_, name), (look, _))| (name.clone(), *look))
    }

    /// A file cannot be opened: those behind it are not to wait for it.
    pub(super) fn pass_over(&mut self, name: &str, until_ms: i64, why: String) {
        self.passed_over.insert(name.to_owned(), (until_ms, why));
    }

    /// It can be opened after all.
    pub(super) fn opens(&mut self, name: &str) {
        self.passed_over.remove(name);
    }

    /// Forgets a file that is gone.
    pub(super) fn forget(&mut self, name: &str) {
        self.look_anew(name);
        self.passed_over.remove(name);
        self.open.remove(name);
    }

    /// Another file has its name by now, or it was written to: whoever does so may not be done.
    pub(super) fn look_anew(&mut self, name: &str) {
        self.seen.retain(|(_, seen), _| seen != name);
        self.renamed.remove(name);
    }

    /// Files that wait, complete or not, as far as they are known.
    pub(super) fn waiting(&self) -> usize {
        self.seen.len()
    }

    /// What is to be told of a folder: of files that cannot be opened, or of more that wait than are known.
    pub(super) fn trouble(&self, folder: &Folder) -> Option<String> {
        let first = self.passed_over.values().next().map(|(_, why)| match self.passed_over.len() {
            1 => format!("{why}. Other files of the folder are read meanwhile"),
            files => format!("{why}. So {files} files wait; others of the folder are read meanwhile"),
        });
        first.or_else(|| self.crowded(folder))
    }

    fn crowded(&self, folder: &Folder) -> Option<String> {
        (self.beyond > 0).then(|| {
            format!(
                "{}: more than {} files wait: those that were changed first are read first, the others are taken up as \
                 these are done. If it goes on so, split the feed over several folders",
                folder.path.display(),
                self.bounds.files
            )
        })
    }
}

/// The names in a folder, one after another: not all are held.
fn names(folder: &Folder) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let name = |entry: io::Result<fs::DirEntry>| match entry {
        // A name that is no text cannot be told of; it stays.
        Ok(entry) => entry.file_name().into_string().ok().map(Ok),
        Err(error) => Some(Err(error)),
    };
    Ok(fs::read_dir(&folder.path)?.filter_map(name))
}

fn is_ours(folder: &Folder, name: &str) -> bool {
    let unfinished = UNFINISHED.iter().any(|ending| name.ends_with(ending));
    let is_mark = MARKS.iter().any(|ending| name.ends_with(ending));
    let matches = || folder.files.as_ref().is_none_or(|files| files.read(name).is_some());
    !name.starts_with('.') && !unfinished && !is_mark && matches()
}

/// The files of a folder that are marked: what tells them from those that wait where files stay.
struct Marks {
    held: HashSet<String>,
    /// Whether these are all; else the folder is asked for those that are not held.
    all: bool,
}

impl Marks {
    fn of(folder: &Folder, most: usize) -> io::Result<Self> {
        let mut marks = Self { held: HashSet::new(), all: true };
        if folder.done == Done::Move {
            return Ok(marks);
        }
        for name in names(folder)? {
            let name = name?;
            let Some(marked) = MARKS.iter().find_map(|ending| name.strip_suffix(ending)) else { continue };
            marks.all = marks.held.len() < most;
            if !marks.all {
                break;
            }
            marks.held.insert(marked.to_owned());
        }
        Ok(marks)
    }

    fn has(&self, folder: &Folder, name: &str) -> bool {
        let stands = |ending| fs::symlink_metadata(folder.path.join(format!("{name}{ending}"))).is_ok();
        self.held.contains(name) || (!self.all && MARKS.iter().any(stands))
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[path = "scan_tests.rs"]
mod tests;
