//! A file into the log: the same packs that its records would have come in by a topic.
//!
//! Idempotent by the records' ids, so an import that was cut off is simply run again. Records of unknown cards are
//! parked as those of topics are; what cannot be read is a dead letter with its byte position; what names nobody is
//! quarantined. Invariant: every record read is in one of these, and the import is done when all are acknowledged.

use super::super::directory::Directory;
use super::super::ledger::{IngestLedger, IngestOutcome, Source};
use super::super::letters::{self, Raw};
use super::super::options::{Clock, Options};
use super::super::outbox::{Letter, Outbox};
use super::super::packer::{Packer, When};
use super::super::parking::Kind;
use super::super::place::{Place, Placed, outside_cdr, outside_reading};
use super::super::sources::Ref;
use super::reader::{Content, FileReader, FileRecord, Written};
use crate::codec::directory as entries;
use crate::ingest::formats::Decoder;
use crate::limits::{CDR_SECONDS_MAX, FILE_RECORDS_PER_STEP, FUTURE_S_MAX, NAME_BYTES_MAX};
use crate::log::{IngestLog, LogError, Output};
use crate::model::{CardName, Origin, UnixTime};

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
    progress: Progress,
}

/// What a record becomes, and by what.
struct Out<D> {
    directory: D,
    packer: Packer,
    outbox: Outbox,
    ledger: IngestLedger,
    clock: Clock,
    in_flight_max: usize,
    /// `file:` and the file's name.
    source: String,
    /// The time of all messages, where the clock is supplied.
    time_ms: i64,
}

impl<'f, D: Directory> FileImport<'f, D> {
    /// An import of a file under a name, as records of a feed, into a log of so many partitions. `now_ms` bounds the time
    /// that the file may set in a deployment with the supplied clock: a record from the future sets none.
    #[must_use]
    pub fn new(file: File<'f>, directory: D, options: &Options, place: (u32, i64)) -> Self {
        let (partitions, now_ms) = place;
        let out = Out {
            directory,
            packer: Packer::new(partitions, options.clock, options.bounds.linger_ms),
            outbox: Outbox::default(),
            ledger: IngestLedger::default(),
            clock: options.clock,
            in_flight_max: options.bounds.in_flight_records / crate::limits::PACK_RECORDS_MAX + 64,
            source: source(file.name),
            time_ms: match options.clock {
                Clock::Log => now_ms,
                Clock::Supplied => last_end_ms(file.bytes, file.written, now_ms),
            },
        };
        let progress = Progress { bytes_of: file.bytes.len(), ..Progress::default() };
        let reader = FileReader::new(file.bytes, file.written);
        Self { reader, out, directory_ready: false, read_all: false, progress }
    }

    /// Reads and sends some records; call it until [`Progress::done`], waiting a little when nothing has moved. The log
    /// should be of a group of its own: an import reads no topic but the directory.
    ///
    /// # Errors
    /// After [`LogError::Retriable`] the step may be tried again; any other error ends the import, to be run again.
    pub fn step(&mut self, log: &mut impl IngestLog, now_ms: i64) -> Result<Progress, LogError> {
        self.out.outbox.collect(log, 0, drop)?;
        if !self.directory_ready {
            self.directory_ready = self.out.read_directory(log)?;
        }
        if self.directory_ready {
            self.read(now_ms);
        }
        self.out.outbox.send(log)?;
        self.progress.waiting = self.out.outbox.len();
        self.progress.done = self.read_all && self.progress.waiting == 0;
        Ok(self.progress)
    }

    /// What became of the records.
    #[must_use]
    pub fn ledger(&self) -> &IngestLedger {
        &self.out.ledger
    }

    fn read(&mut self, now_ms: i64) {
        for _ in 0..FILE_RECORDS_PER_STEP {
            if self.read_all || self.out.outbox.len() >= self.out.in_flight_max {
                return;
            }
            let Some(record) = self.reader.record() else {
                self.read_all = true;
                self.out.ledger.met(self.reader.notes());
                self.progress.bytes = self.progress.bytes_of;
                self.out.outbox.post_all(self.out.packer.all());
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

/// The time of a batch's messages where the clock is supplied.
pub(in crate::ingest) fn supplied_ms(bytes: &[u8], decoder: &Decoder, now_ms: i64) -> i64 {
    last_end_ms(bytes, Written::Feed(decoder), now_ms)
}

fn last_end_ms(bytes: &[u8], written: Written<'_>, now_ms: i64) -> i64 {
    last_end(bytes, written, now_ms / 1_000).map_or(now_ms, |end| end.saturating_mul(1_000))
}

/// The latest end in the file that can be right, up to a little after now.
fn last_end(bytes: &[u8], written: Written<'_>, now: UnixTime) -> Option<UnixTime> {
    let mut reader = FileReader::new(bytes, written);
    let mut last = None;
    while let Some(record) = reader.record() {
        let (start, end) = match &record.content {
            Content::Cdr(cdr) | Content::Nobodys(cdr) => (cdr.start, cdr.end),
            Content::Reading(reading) => (reading.at, reading.at),
            Content::Aside(_) | Content::Broken(_) => continue,
        };
        let sane = end.saturating_sub(start) <= CDR_SECONDS_MAX && end <= now.saturating_add(FUTURE_S_MAX);
        last = last.max(sane.then_some(end));
    }
    last
}

/// The name that records of a file have as their origin, within the bound of names.
fn source(name: &str) -> String {
    let mut source = format!("file:{name}");
    while source.len() > NAME_BYTES_MAX {
        source.pop();
    }
    source
}

impl<D: Directory> Out<D> {
    fn read_directory(&mut self, log: &mut impl IngestLog) -> Result<bool, LogError> {
        log.poll_directory(&mut |message| {
            if let Ok((name, card, entry)) = entries::read(message.key.unwrap_or_default(), message.value) {
                self.directory.set(name, card, entry);
            }
        })
    }

    fn record(&mut self, record: &FileRecord<'_>, now_ms: i64) {
        let source = std::mem::take(&mut self.source);
        let received_ms = if self.clock == Clock::Supplied { self.time_ms } else { now_ms };
        let origin = Origin { source: &source, partition: 0, offset: record.at as u64, received_ms };
        let outcome = match &record.content {
            Content::Aside(_) => {
                self.ledger.aside(Source::File);
                self.source = source;
                return;
            }
            Content::Cdr(cdr) => {
                let placed = self.place(now_ms).cdr(cdr, origin);
                let written = |name| (Kind::Cdr, outside_cdr(cdr, name, origin));
                self.outcome(placed, record.bytes, (origin, now_ms), written)
            }
            Content::Reading(reading) => {
                let placed = self.place(now_ms).reading(reading, origin);
                let written = |name| (Kind::Reading, outside_reading(reading, name, origin));
                self.outcome(placed, record.bytes, (origin, now_ms), written)
            }
            Content::Nobodys(cdr) => {
                let raw = Raw { kind: Kind::Cdr, bytes: record.bytes, origin };
                self.post(letters::nobodys(&raw, cdr));
                IngestOutcome::Unknown
            }
            Content::Broken(reason) => self.dead(record.bytes, reason, origin),
        };
        self.ledger.note(Source::File, outcome, record.bytes.len());
        self.source = source;
    }

    fn place(&mut self, now_ms: i64) -> Place<'_, D> {
        let Self { directory, packer, outbox, time_ms, .. } = self;
        let when = When { now_ms, outside_ms: *time_ms };
        Place { directory: &*directory, packer, outbox, from: Ref::NONE, when }
    }

    /// What became of a record; one without a card is parked in its outside form, as `written` makes it.
    fn outcome(
        &mut self,
        placed: Placed,
        bytes: &[u8],
        (origin, now_ms): (Origin<'_>, i64),
        written: impl Fn(CardName) -> (Kind, Vec<u8>),
    ) -> IngestOutcome {
        let name = match placed {
            Placed::Logged => return IngestOutcome::Logged,
            Placed::Dead(reason) => return self.dead(bytes, &reason, origin),
            Placed::Nameless(name) => name,
        };
        let (kind, bytes) = written(name);
        let first_seen_ms = if self.clock == Clock::Supplied { self.time_ms } else { now_ms };
        match letters::parked(&Raw { kind, bytes: &bytes, origin }, name, first_seen_ms) {
            Some(output) => {
                self.post(output);
                IngestOutcome::Parked
            }
            None => self.dead(&bytes, "the record cannot be parked", origin),
        }
    }

    fn dead(&mut self, bytes: &[u8], reason: &str, origin: Origin<'_>) -> IngestOutcome {
        self.post(letters::dead(bytes, reason, origin));
        IngestOutcome::DeadLetter
    }

    fn post(&mut self, mut output: Output) {
        output.time_ms = (self.clock == Clock::Supplied).then_some(self.time_ms);
        self.outbox.post(Letter { output, carried: Vec::new() });
    }
}
