//! Files: a carrier's records brought in by hand, or looked at without any log.
//!
//! A file's records are those that the same carrier's topic would have brought: the same ids, so that a file imported
//! again, or after its records came another way, is duplicates. [`FileReader`] reads them, [`check()`] looks at them,
//! [`FileImport`] appends them to the log.

mod check;
mod import;
mod out;
mod reader;
mod stream;

pub use check::{Problem, Summary, check};
pub(super) use import::supplied_ms;
pub use import::{File, FileImport, Progress};
pub use out::Out;
pub use reader::{Content, FileReader, FileRecord, Format, Written};
pub use stream::{Stream, StreamError};

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
