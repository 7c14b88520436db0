//! A file into the log: the same packs that its records would have come in by a topic.
//!
//! Idempotent by the records' ids, so an import that was cut off is simply run again. Records of unknown cards are
//! parked as those of topics are; what cannot be read is a dead letter with its byte position; what names nobody is
//! quarantined. Invariant: every record read is in one of these, and the import is done when all are acknowledged.

use super::super::directory::Directory;
use super::super::ledger::IngestLedger;
use super::super::{Clock, Options};
use super::check::header_of;
use super::out::Out;
use super::reader::{FileReader, Written};
use crate::ingest::formats::Decoder;
use crate::limits::FILE_RECORDS_PER_STEP;
use crate::log::{IngestLog, LogError};
use crate::model::UnixTime;

/// How far an import has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file behind the last record read.
    pub bytes: usize,
    pub bytes_of: usize,
    pub records: usize,
    /// Messages not yet acknowledged.
    pub waiting: usize,
    /// Everything is read and acknowledged.
    pub done: bool,
}

/// One file on its way into the log.
pub struct FileImport<'f, D> {
    reader: FileReader<'f>,
    out: Out<D>,
    directory_ready: bool,
    read_all: bool,
    /// What its header says against its length.
    cut_short: Option<String>,
    progress: Progress,
}

impl<'f, D: Directory> FileImport<'f, D> {
    /// An import of a file under a name, as records of a feed, into a log of so many partitions. `now_ms` bounds the time
    /// that the file may set in a deployment with the supplied clock: a record from the future sets none.
    #[must_use]
    pub fn new(file: File<'f>, directory: D, options: &Options, place: (u32, i64)) -> Self {
        let (partitions, now_ms) = place;
        let mut out = Out::new(directory, options, partitions);
        let time_ms = match options.clock {
            Clock::Log => now_ms,
            Clock::Supplied => last_end_ms(file.bytes, file.written, now_ms),
        };
        out.begin(file.name, time_ms);
        let progress = Progress { bytes_of: file.bytes.len(), ..Progress::default() };
        let header = header_of(file.bytes, file.written);
        let cut_short = header.and_then(|header| header.shortfall(file.bytes.len() as u64));
        let reader = FileReader::new(file.bytes, file.written);
        Self { reader, out, directory_ready: false, read_all: false, cut_short, progress }
    }

    /// Reads and sends some records; call it until [`Progress::done`], waiting a little when nothing has moved. The log
    /// should be of a group of its own: an import reads no topic but the directory.
    ///
    /// # Errors
    /// After [`LogError::Retriable`] the step may be tried again; any other error ends the import, to be run again.
    pub fn step(&mut self, log: &mut impl IngestLog, now_ms: i64) -> Result<Progress, LogError> {
        self.out.collect(log, 0)?;
        if !self.directory_ready {
            self.directory_ready = self.out.read_directory(log)?;
        }
        if self.directory_ready {
            self.read(now_ms);
        }
        self.out.send(log)?;
        self.progress.waiting = self.out.waiting();
        self.progress.done = self.read_all && self.progress.waiting == 0;
        Ok(self.progress)
    }

    /// What became of the records.
    #[must_use]
    pub fn ledger(&self) -> &IngestLedger {
        self.out.ledger()
    }

    fn read(&mut self, now_ms: i64) {
        for _ in 0..FILE_RECORDS_PER_STEP {
            if self.read_all || self.out.is_full() {
                return;
            }
            let Some(record) = self.reader.record() else {
                self.read_all = true;
                self.out.met(self.reader.notes());
                if let Some(why) = &self.cut_short {
                    self.out.broken_off(self.progress.bytes_of as u64, why, now_ms);
                }
                self.progress.bytes = self.progress.bytes_of;
                self.out.close();
                return;
            };
            self.progress.records += 1;
            self.progress.bytes = record.at + record.bytes.len();
            self.out.record(&record, now_ms);
        }
    }
}

/// A file to import.
#[derive(Debug, Clone, Copy)]
pub struct File<'f> {
    pub name: &'f str,
    pub bytes: &'f [u8],
    /// How it is to be read, and as whose records.
    pub written: Written<'f>,
}

/// The time of a batch's messages where the clock is supplied: the latest end in it that can be right by now.
pub(in crate::ingest) fn supplied_ms(bytes: &[u8], decoder: &Decoder, now_ms: i64) -> Option<i64> {
    last_end(bytes, Written::Feed(decoder), now_ms / 1_000).map(|end| end.saturating_mul(1_000))
}

fn last_end_ms(bytes: &[u8], written: Written<'_>, now_ms: i64) -> i64 {
    last_end(bytes, written, now_ms / 1_000).map_or(now_ms, |end| end.saturating_mul(1_000))
}

/// The latest end in the file that can be right, up to a little after now.
fn last_end(bytes: &[u8], written: Written<'_>, now: UnixTime) -> Option<UnixTime> {
    let mut reader = FileReader::new(bytes, written);
    let mut last = None;
    while let Some(record) = reader.record() {
        last = last.max(record.end_by(now));
    }
    last
}
