//! Batches that are pushed: a feed's messages that come by no topic, from whoever waits to hear that they are kept.
//!
//! A batch is cut and read like a message of the feed's own topic, and each record has one outcome in the ledger. It is
//! finished when the log has acknowledged every letter that carries a record of it: until then its sender knows of nothing,
//! and sends it again after a failure; records are told apart by their ids, so that adds nothing. Invariant: what is in
//! flight of batches counts against the same bound as what topics bring.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::Clock;
use super::directory::Directory;
use super::formats::{Buffers, Decoder, Piece};
use super::frontier::Load;
use super::intake::{Intake, Taken};
use super::ledger::{IngestOutcome, Source};
use super::letters::{self, Raw};
use super::packer::When;
use super::parking::Kind;
use super::sources::Ref;
use crate::limits::{FILE_PROBLEMS_SHOWN, PUSH_RECORDS_MAX};
use crate::model::Origin;

/// One batch.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    pub feed: &'a str,
    pub bytes: &'a [u8],
    /// When it came, milliseconds since 1970.
    pub received_ms: i64,
}

/// By which a batch is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why a batch is not taken. Nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no feed {0:?} is described in a block [[feeds]] of the configuration")]
    Feed(String),
    /// Not one record in it can be read: it is something else than what the feed's block says.
    #[error("nothing in it can be read as {format}; first, at byte {at}: {reason}")]
    Unreadable { format: &'static str, at: usize, reason: String },
    #[error("it holds {0} records, and at most {PUSH_RECORDS_MAX} are taken at once: send it in parts")]
    TooMany(usize),
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What origins, dead letters and quarantine call it: the same batch has the same name.
    pub source: String,
    /// Records by [`IngestOutcome::ALL`].
    pub outcomes: [u64; IngestOutcome::ALL.len()],
    /// What is no record of usage.
    pub asides: u64,
    /// The first few records that cannot be read: byte in the batch, and why.
    pub problems: Vec<(usize, String)>,
}

impl Kept {
    /// All records read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.outcomes.iter().sum()
    }
}

/// A batch whose letters are on their way.
#[derive(Debug)]
struct Waiting {
    acks: usize,
    load: Load,
    kept: Kept,
}

/// The batches in flight.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    taken: u64,
    waiting: BTreeMap<u64, Waiting>,
    done: Vec<(Ticket, Kept)>,
}

impl Pushes {
    /// Takes one acknowledgement; answers with the batch's load when that was the last.
    pub(super) fn finish(&mut self, ticket: u64) -> Option<Load> {
        let waiting = self.waiting.get_mut(&ticket)?;
        waiting.acks = waiting.acks.saturating_sub(1);
        if waiting.acks > 0 {
            return None;
        }
        let Waiting { load, kept, .. } = self.waiting.remove(&ticket)?;
        self.done.push((Ticket(ticket), kept));
        Some(load)
    }

    fn begin(&mut self, load: Load) -> u64 {
        self.taken += 1;
        // One more than its records: the last is given when all of them have been looked at.
        let waiting = Waiting { acks: load.records + 1, load, kept: Kept::default() };
        self.waiting.insert(self.taken, waiting);
        self.taken
    }

    fn set(&mut self, ticket: u64, kept: Kept) {
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.kept = kept;
        }
    }

    /// Batches that are kept by now.
    pub(super) fn done(&mut self) -> Vec<(Ticket, Kept)> {
        std::mem::take(&mut self.done)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl<D: Directory> Intake<D> {
    /// Takes a batch.
    pub(super) fn push(&mut self, push: &Push<'_>, now_ms: i64) -> Result<Ticket, Refused> {
        let decoders = self.options.pushed.clone();
        let decoder = decoders.iter().find(|decoder| decoder.feed() == push.feed);
        let decoder = decoder.ok_or_else(|| Refused::Feed(push.feed.to_owned()))?;
        let pieces = decoder.pieces(push.bytes);
        if pieces.len() > PUSH_RECORDS_MAX {
            return Err(Refused::TooMany(pieces.len()));
        }
        check(decoder, &pieces)?;
        let when = When { now_ms, outside_ms: self.outside_ms_of(push, decoder) };
        self.heard_at(when.outside_ms);
        let load = Load { records: pieces.len(), bytes: push.bytes.len() };
        self.sources.load_more(load);
        let ticket = self.sources.pushes.begin(load);
        let kept = self.keep(push, (decoder, &pieces), when, ticket);
        self.sources.pushes.set(ticket, kept);
        self.sources.finish(Ref::pushed(ticket));
        Ok(Ticket(ticket))
    }

    fn keep(
        &mut self,
        push: &Push<'_>,
        (decoder, pieces): (&Decoder, &[Piece<'_>]),
        when: When,
        ticket: u64,
    ) -> Kept {
        let mut kept = Kept { source: source(push), ..Kept::default() };
        let (from, received_ms) = (Ref::pushed(ticket), when.outside_ms);
        let mut buffers = Buffers::default();
        for piece in pieces {
            let origin = Origin { source: &kept.source, partition: 0, offset: piece.at as u64, received_ms };
            let raw = Raw { kind: Kind::Cdr, bytes: piece.bytes, origin };
            let taken = Taken { from, source: Source::Push, when, raw, numbers: false };
            let became = self.piece(&taken, decoder, piece, &mut buffers);
            match became.outcome {
                Some(outcome) => kept.outcomes[outcome as usize] += 1,
                None => kept.asides += 1,
            }
            if let Some(reason) = became.reason.filter(|_| kept.problems.len() < FILE_PROBLEMS_SHOWN) {
                kept.problems.push((piece.at, reason));
            }
        }
        self.ledger.met(buffers.notes);
        kept
    }

    /// The time that the batch's messages have: when it came; where the clock is supplied, the last end in it that can
    /// be right, and in a batch without any, the newest time known: nobody's clock moves by what cannot be right.
    fn outside_ms_of(&self, push: &Push<'_>, decoder: &Decoder) -> i64 {
        match self.options.clock {
            Clock::Log => push.received_ms,
            Clock::Supplied => {
                let known = Some(self.outside_ms()).filter(|known| *known > 0).unwrap_or(push.received_ms);
                super::file::supplied_ms(push.bytes, decoder, push.received_ms).unwrap_or(known)
            }
        }
    }
}

/// A batch of which nothing can be read is refused as a whole; the first readable piece decides.
fn check(decoder: &Decoder, pieces: &[Piece<'_>]) -> Result<(), Refused> {
    let mut buffers = Buffers::default();
    let mut first = None;
    for piece in pieces {
        match decoder.read(piece, &mut buffers) {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or(Some((piece.at, error.to_string()))),
        }
    }
    match first {
        Some((at, reason)) => Err(Refused::Unreadable { format: decoder.format(), at, reason }),
        None => Ok(()),
    }
}

/// `push:`, the batch's hash and its feed: the same batch sent again has the same places.
fn source(push: &Push<'_>) -> String {
    letters::source_name(format!("push:{:016x}/{}", xxh3_64(push.bytes), push.feed))
}
