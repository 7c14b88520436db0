//! The part of a block `[[feeds]]` about where files are dropped, and how the feed is watched.

use std::path::PathBuf;

use super::names::NamePattern;
use crate::ingest::gaps::{Numbers, Pace, Watch};
use crate::limits::{
    GAP_AFTER_MIN_DEFAULT, GAP_AFTER_MIN_MAX, GAP_WINDOW_DEFAULT, NUMBERS_SPAN_MAX, SILENCE_MIN_MAX,
};

/// A folder into which a feed's files are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub path: PathBuf,
    pub done: Done,
    /// Which files are the feed's; `None`: all.
    pub files: Option<NamePattern>,
}

/// What becomes of a file once everything of it is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// It goes to `done/`, or to `broken/`, in the folder.
    #[default]
    Move,
    /// It stays, with an empty file beside it whose name ends with `.done`, or `.broken`.
    Mark,
}

/// What stands in the block.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub(super) struct FolderSaid {
    folder: Option<PathBuf>,
    done: Option<Done>,
    files: Option<String>,
    file_numbers: Option<[u64; 2]>,
    record_numbers: Option<[u64; 2]>,
    keyed_by_node: Option<bool>,
    silence_minutes: Option<i64>,
    gap_after_minutes: Option<i64>,
    gap_window: Option<u64>,
}

impl FolderSaid {
    /// What is meant by it.
    pub(super) fn meant(&self) -> Result<(Option<Folder>, Watch), String> {
        if self.folder.is_none() && (self.done.is_some() || self.files.is_some()) {
            return Err("done and files are of a folder: say which".to_owned());
        }
        let files = self.files.as_deref().map(NamePattern::parse).transpose()?;
        let done = self.done.unwrap_or_default();
        let folder = self.folder.clone().map(|path| Folder { path, done, files });
        Ok((folder, self.watch()?))
    }

    /// Refuses what nothing would heed: of a feed that comes by HTTP alone there is no place where it could be watched.
    pub(super) fn check(&self, has_topic: bool) -> Result<(), String> {
        if self.folder.is_none() && self.file_numbers.is_some() {
            return Err("file_numbers is of a folder: say which".to_owned());
        }
        let watched = [
            ("silence_minutes", self.silence_minutes.is_some()),
            ("gap_after_minutes", self.gap_after_minutes.is_some()),
            ("gap_window", self.gap_window.is_some()),
            ("record_numbers", self.record_numbers.is_some()),
        ];
        match watched.into_iter().find(|(_, is_said)| *is_said && !has_topic && self.folder.is_none()) {
            Some((key, _)) => {
                Err(format!("{key} is of a topic or a folder: what comes by HTTP alone is not watched"))
            }
            None => Ok(()),
        }
    }

    fn watch(&self) -> Result<Watch, String> {
        let minutes = |key, said: Option<i64>, most: i64, least: i64| match said {
            Some(said) if !(least..=most).contains(&said) => {
                Err(format!("{key}: {said} is not within {least}..={most}"))
            }
            said => Ok(said),
        };
        let silence = minutes("silence_minutes", self.silence_minutes, SILENCE_MIN_MAX, 1)?;
        let after = minutes("gap_after_minutes", self.gap_after_minutes, GAP_AFTER_MIN_MAX, 0)?;
        let numbers = |key, said: Option<[u64; 2]>| match said {
            Some([first, last]) if first >= last => {
                Err(format!("{key}: the last, {last}, is not greater than the first, {first}"))
            }
            Some([first, last]) if last - first > NUMBERS_SPAN_MAX => {
                Err(format!("{key}: {first} to {last} are more than 2^60 numbers"))
            }
            Some([first, last]) => Ok(Numbers { first, last }),
            None => Ok(Numbers::U32),
        };
        let files = numbers("file_numbers", self.file_numbers)?;
        let records = numbers("record_numbers", self.record_numbers)?;
        let pace = Pace {
            after_ms: after.unwrap_or(GAP_AFTER_MIN_DEFAULT) * 60_000,
            window: self.gap_window.unwrap_or(GAP_WINDOW_DEFAULT).max(1),
        };
        let (silence_ms, keyed) =
            (silence.map(|minutes| minutes * 60_000), self.keyed_by_node.unwrap_or_default());
        Ok(Watch { silence_ms, listens: true, pace, files, records, keyed })
    }
}
