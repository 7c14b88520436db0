//! The log of one process in one directory: what `demo` and a small vendor use. Nothing to install, nothing to tune.
//!
//! Same contract as on Kafka, with what follows from one process: a commit is one atomic, synced batch of the embedded
//! store, so its end is always known; there is one generation, and nobody to be fenced by but a lock on the directory.
//! Members share partitions by number: member `i` of `n` has those with `partition % n == i`.

mod commands;
mod ingest;
mod reader;
mod record;
mod replay;
mod store;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

pub use commands::{FileCommands, FileTail};
pub use ingest::FileIngestLog;
pub use reader::FileReader;
pub use replay::FileReplay;
pub use store::{GroupOffset, Store};
pub use worker::FileWorkerLog;

/// The store's clock: milliseconds since 1970.
pub type Stamp = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why the directory cannot serve as a log.
#[derive(Debug, thiserror::Error)]
pub enum FileLogError {
    #[error("cannot use {0}: {1}")]
    Directory(PathBuf, String),
    #[error("another process has {0} open: stop it first, or name another directory")]
    InUse(PathBuf),
    #[error(
        "the log was made with {made} partitions, not {wanted}: they never change; name another directory"
    )]
    Partitions { made: String, wanted: u32 },
    #[error("the log's store: {0}; what was acknowledged before is safe, see the disk")]
    Store(#[from] fjall::Error),
    #[error("a message of the log's store cannot be read: {0}")]
    Record(String),
}

/// Member `number` of `members`, each with its share of the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub number: u32,
    pub members: u32,
}

impl Member {
    /// One alone.
    pub const ONLY: Self = Self { number: 0, members: 1 };

    fn share(self, partitions: u32) -> Vec<u32> {
        (0..partitions).filter(|p| p % self.members.max(1) == self.number).collect()
    }
}
