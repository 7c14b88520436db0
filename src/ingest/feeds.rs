//! Messages of feeds' own topics: each piece of one is a record of its own, and the message is finished by the last of them.
//!
//! A record whose card nobody knows yet is parked in its canonical form, so that whoever reads it back needs no feed's
//! format. Invariant: each piece has one outcome in the ledger, or is counted beside it as none; a message without any is
//! finished at once.

use super::directory::Directory;
use super::formats::{Buffers, Decoder, Piece, Said};
use super::gaps::{Gaps, Watch};
use super::intake::{Intake, Taken};
use super::ledger::IngestOutcome;
use super::letters::{self, Raw};
use super::options::{Clock, Options};
use super::parking::Kind;
use super::place::{Placed, outside_cdr, outside_reading};
use crate::limits::FUTURE_S_MAX;
use crate::log::Topic;
use crate::model::{CardName, UnixTime};

/// When the usage of a record ended, if that can be right.
fn end_of(said: &Said<'_>, outside_ms: i64) -> Option<UnixTime> {
    let end = match said {
        Said::Cdr(cdr) | Said::Nobodys(cdr) => cdr.end,
        Said::Reading(reading) => reading.at,
        Said::Aside(_) => return None,
    };
    (end <= outside_ms / 1_000 + FUTURE_S_MAX).then_some(end)
}

/// The watch over the feeds that come by topics. Where the clock is supplied no time passes while nothing comes.
pub(super) fn watched(options: &Options) -> Gaps {
    let listens = options.clock == Clock::Log;
    let feeds = options.feeds.iter();
    Gaps::new(feeds.map(|feed| (feed.decoder.feed().to_owned(), Watch { listens, ..feed.watch })))
}

impl<D: Directory> Intake<D> {
    /// Partitions of a topic come or go: a feed's rhythm is of those that were read.
    pub(super) fn moved(&mut self, topic: Topic) {
        if let Some(feed) = self.options.feeds.iter().find(|feed| feed.topic == topic) {
            self.gaps.forget(feed.decoder.feed());
        }
    }

    /// Tells what is missing of the feeds. To be called when all that has come was read: what waits is not missing. The
    /// caller's time is told by the same clock as that of messages.
    pub(super) fn watch(&mut self, now_ms: i64) {
        self.gaps.tick(now_ms);
        self.tell_gaps();
    }

    fn tell_gaps(&mut self) {
        for told in self.gaps.take() {
            tracing::warn!(gap = told.name(), change = ?told.change, "a gap of a feed");
            self.post(told.output(&self.options.deployment), None, self.outside_ms());
        }
    }

    /// Takes a message of a feed.
    pub(super) fn feed(&mut self, taken: &Taken<'_>) {
        let feeds = self.options.feeds.clone();
        let feed = feeds.iter().find(|feed| feed.topic.name() == taken.raw.origin.source);
        let Some(feed) = feed else {
            return self.dead(taken, "no feed of the configuration comes by this topic");
        };
        self.gaps.arrival(feed.decoder.feed(), taken.when.outside_ms);
        self.tell_gaps();
        let pieces = feed.decoder.pieces(taken.raw.bytes);
        let Ok(acks) = u32::try_from(pieces.len()) else {
            return self.dead(taken, "more records than can be counted");
        };
        if acks == 0 {
            self.ledger.aside(taken.source);
            return self.sources.finish(taken.from);
        }
        self.sources.expect(taken.from, acks);
        let mut buffers = Buffers::default();
        for piece in &pieces {
            let _ = self.piece(taken, &feed.decoder, piece, &mut buffers);
        }
        self.ledger.met(buffers.notes);
    }

    /// Places one record, or what stands where one should; the letter that carries it finishes it.
    pub(super) fn piece(
        &mut self,
        taken: &Taken<'_>,
        decoder: &Decoder,
        piece: &Piece<'_>,
        buffers: &mut Buffers,
    ) -> Became {
        let origin = taken.raw.origin;
        let said = decoder.read(piece, buffers);
        if let Some(end) = said.as_ref().ok().and_then(|said| end_of(said, taken.when.outside_ms)) {
            self.gaps.record(decoder.feed(), end);
        }
        let became = match said {
            Ok(Said::Aside(_)) => {
                self.ledger.aside(taken.source);
                self.sources.finish(taken.from);
                return Became { outcome: None, reason: None };
            }
            Ok(Said::Cdr(cdr)) => match self.put(taken).cdr(&cdr, origin) {
                Placed::Logged => IngestOutcome::Logged.into(),
                Placed::Nameless(name) => {
                    let bytes = outside_cdr(&cdr, name, origin);
                    self.nameless(taken, piece, name, &Raw { kind: Kind::Cdr, bytes: &bytes, origin })
                }
                Placed::Dead(reason) => self.dead_piece(taken, piece, reason),
            },
            Ok(Said::Reading(reading)) => match self.put(taken).reading(&reading, origin) {
                Placed::Logged => IngestOutcome::Logged.into(),
                Placed::Nameless(name) => {
                    let bytes = outside_reading(&reading, name, origin);
                    self.nameless(taken, piece, name, &Raw { kind: Kind::Reading, bytes: &bytes, origin })
                }
                Placed::Dead(reason) => self.dead_piece(taken, piece, reason),
            },
            Ok(Said::Nobodys(cdr)) => {
                let raw = Raw { kind: Kind::Cdr, bytes: piece.bytes, origin };
                self.post(letters::nobodys(&raw, &cdr), Some(taken.from), taken.when.outside_ms);
                IngestOutcome::Unknown.into()
            }
            Err(error) => self.dead_piece(taken, piece, error.to_string()),
        };
        if let Some(outcome) = became.outcome {
            self.ledger.note(taken.source, outcome, piece.bytes.len());
        }
        became
    }

    /// Parks a record whose card nobody has named yet, in its canonical form.
    fn nameless(&mut self, taken: &Taken<'_>, piece: &Piece<'_>, name: CardName, raw: &Raw<'_>) -> Became {
        match letters::parked(raw, name, self.clock_ms(taken.when)) {
            Some(letter) => {
                self.post(letter, Some(taken.from), taken.when.outside_ms);
                IngestOutcome::Parked.into()
            }
            None => self.dead_piece(taken, piece, "the record cannot be parked".to_owned()),
        }
    }

    fn dead_piece(&mut self, taken: &Taken<'_>, piece: &Piece<'_>, reason: String) -> Became {
        let placed = match piece.at {
            0 => reason.clone(),
            at => format!("at byte {at} of the message: {reason}"),
        };
        let letter = letters::dead_part(piece.bytes, piece.at, &placed, taken.raw.origin);
        self.post(letter, Some(taken.from), taken.when.outside_ms);
        Became { outcome: Some(IngestOutcome::DeadLetter), reason: Some(reason) }
    }
}

/// What became of a piece: no outcome is that of what is no record; a dead letter has its reason.
pub(super) struct Became {
    pub outcome: Option<IngestOutcome>,
    pub reason: Option<String>,
}

impl From<IngestOutcome> for Became {
    fn from(outcome: IngestOutcome) -> Self {
        Self { outcome: Some(outcome), reason: None }
    }
}
