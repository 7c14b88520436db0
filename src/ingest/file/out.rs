//! What the records of files become: packs, parked records, dead letters, on their way into the log.
//!
//! Invariant 3: each record has one outcome in the ledger. What is here and not acknowledged is bounded: whoever reads
//! stops while [`Out::is_full`].

use super::super::directory::Directory;
use super::super::ledger::{IngestLedger, IngestOutcome, Source};
use super::super::letters::{self, Raw};
use super::super::outbox::{Letter, Outbox};
use super::super::packer::{Packer, When};
use super::super::parking::Kind;
use super::super::place::{Place, Placed, outside_cdr, outside_reading};
use super::super::sources::Ref;
use super::super::{Clock, Options};
use super::reader::{Content, FileRecord};
use crate::codec::directory as entries;
use crate::ingest::formats::Notes;
use crate::limits::PACK_RECORDS_MAX;
use crate::log::{IngestLog, LogError, Output};
use crate::model::{CardName, Origin};

/// What a record becomes, and by what.
pub struct Out<D> {
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

impl<D: Directory> Out<D> {
    /// Into a log of so many partitions.
    #[must_use]
    pub fn new(directory: D, options: &Options, partitions: u32) -> Self {
        Self {
            directory,
            packer: Packer::new(partitions, options.clock, options.bounds.linger_ms),
            outbox: Outbox::default(),
            ledger: IngestLedger::default(),
            clock: options.clock,
            in_flight_max: options.bounds.in_flight_records / PACK_RECORDS_MAX + 64,
            source: String::new(),
            time_ms: 0,
        }
    }

    /// Records that follow are of this file; where the clock is supplied they are appended at this time.
    pub fn begin(&mut self, name: &str, time_ms: i64) {
        (self.source, self.time_ms) = (letters::source_name(format!("file:{name}")), time_ms);
    }

    /// The time of what was appended last, where the clock is supplied; `None` before anything was.
    #[must_use]
    pub fn time_ms(&self) -> Option<i64> {
        (self.clock == Clock::Supplied && self.time_ms > 0).then_some(self.time_ms)
    }

    /// Takes up what was met on the way.
    pub fn met(&mut self, notes: Notes) {
        self.ledger.met(notes);
    }

    /// Sends all packs as they are.
    pub fn close(&mut self) {
        self.outbox.post_all(self.packer.all());
    }

    /// Hands messages to the log until its queue is full.
    ///
    /// # Errors
    /// As the log has them.
    pub fn send(&mut self, log: &mut impl IngestLog) -> Result<(), LogError> {
        self.outbox.send(log)
    }

    /// Takes acknowledgements, waiting up to `wait_ms` for a first one; answers how many came.
    ///
    /// # Errors
    /// As the log has them.
    pub fn collect(&mut self, log: &mut impl IngestLog, wait_ms: u64) -> Result<usize, LogError> {
        self.outbox.collect(log, wait_ms, drop)
    }

    /// Messages not yet acknowledged.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting() >= self.in_flight_max
    }

    /// What became of the records.
    #[must_use]
    pub fn ledger(&self) -> &IngestLedger {
        &self.ledger
    }

    /// What makes a file unreadable from a byte on, as a dead letter of its own: the file itself is kept.
    pub fn broken_off(&mut self, at: u64, reason: &str, now_ms: i64) {
        let source = std::mem::take(&mut self.source);
        let received_ms = if self.clock == Clock::Supplied { self.time_ms } else { now_ms };
        let outcome =
            self.dead(&[], reason, Origin { source: &source, partition: 0, offset: at, received_ms });
        self.ledger.note(Source::File, outcome, 0);
        self.source = source;
    }

    /// Follows the directory; answers whether it has been read to the end that it had at the start.
    ///
    /// # Errors
    /// As the log has them.
    pub fn read_directory(&mut self, log: &mut impl IngestLog) -> Result<bool, LogError> {
        log.poll_directory(&mut |message| {
            if let Ok((name, card, held)) = entries::read(message.key.unwrap_or_default(), message.value) {
                self.directory.set_all(name, card, &held);
            }
        })
    }

    /// Takes a record.
    pub fn record(&mut self, record: &FileRecord<'_>, now_ms: i64) {
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
        self.post(letters::dead_in_file(bytes, reason, origin));
        IngestOutcome::DeadLetter
    }

    /// Sends a message beside the records.
    pub fn post(&mut self, mut output: Output) {
        output.time_ms = (self.clock == Clock::Supplied).then_some(self.time_ms);
        self.outbox.post(Letter { output, carried: Vec::new() });
    }
}
