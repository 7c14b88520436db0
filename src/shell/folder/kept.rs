//! What is kept beside a folder's files: how far the file in hand has come, and what is known of gaps.
//!
//! It stands in `.tidegauge/` within the folder, so that it goes where the files go. Written after the log has
//! acknowledged everything before, by a file renamed into place; what a crash leaves behind is read again, and the meter
//! knows repeats by their ids. A lock there keeps a second process off.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::scan::Aside;
use crate::ingest::gaps::Known;

const FOLDER: &str = ".tidegauge";
const STATE: &str = "state.json";
const NEW: &str = "state.json.new";
const LOCK: &str = "lock";

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub file: Option<Place>,
    pub watch: Known,
}

/// A file, and the byte behind the last record of it that is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub name: String,
    pub look: Look,
    pub position: u64,
    /// What was read before that byte; older versions did not keep it.
    #[serde(default)]
    pub read: Read,
}

/// What was read of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Read {
    pub records: u64,
    /// Those of them that could not be.
    pub broken: u64,
    /// Why no more is read of it: it is to be put aside so.
    pub ended: Option<Aside>,
}

/// What a file looks like from outside: the same while it is the same file, whole and unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    pub inode: u64,
    pub bytes: u64,
    /// When it was changed last, nanoseconds since 1970.
    pub changed_ns: i64,
}

impl Look {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        let changed_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { inode: metadata.ino(), bytes: metadata.len(), changed_ns }
    }
}

/// The place where it is kept, held against others.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    _lock: File,
}

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeptError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is read by another process: it takes over when that one ends", .0.display())]
    Taken(PathBuf),
    #[error("{} cannot be read ({why}): delete it, and what is in the log already is read again as duplicates", path.display())]
    Unreadable { path: PathBuf, why: String },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeptError {
    let path = path.to_owned();
    |error| KeptError::Io { path, error }
}

impl Keeper {
    /// Takes the folder for this process.
    pub(super) fn new(files: &Path) -> Result<Self, KeptError> {
        let folder = files.join(FOLDER);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&folder)(error)),
            _ => {}
        }
        let path = folder.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(KeptError::Taken(files.to_owned())),
            Err(TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }

    /// What was kept last.
    pub(super) fn load(&self) -> Result<Kept, KeptError> {
        let path = self.folder.join(STATE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| KeptError::Unreadable { path, why: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Keeps it, whole or not at all.
    pub(super) fn save(&self, kept: &Kept) -> Result<(), KeptError> {
        let (path, new) = (self.folder.join(STATE), self.folder.join(NEW));
        let bytes = serde_json::to_vec(kept)
            .map_err(|error| KeptError::Unreadable { path: path.clone(), why: error.to_string() })?;
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            fs::rename(&new, &path)
        };
        write().map_err(at(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_version_has_kept_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(directory.path()).unwrap();
        let old = r#"{"file":{"name":"a.dat","look":{"inode":7,"bytes":9,"changed_ns":5},"position":4},"watch":{"rhythm":
            {"first_ms":1,"last_ms":2,"distances":1,"days":[[0,1]],"silent":null},"records":{},"files":{},"newest":3,"forgotten":0}}"#;
        fs::write(directory.path().join(FOLDER).join(STATE), old).unwrap();
        let file = keeper.load().unwrap().file.unwrap();
        assert_eq!((file.name.as_str(), file.position, file.read), ("a.dat", 4, Read::default()));
    }
}
