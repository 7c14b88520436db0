//! Messages of feeds' own topics: each piece of one is a record of its own, and the message is finished by the last of them.
//!
//! A record whose card nobody knows yet is parked in its canonical form, so that whoever reads it back needs no feed's
//! format. Invariant: each piece has one outcome in the ledger, or is counted beside it as none; a message without any is
//! finished at once.

use super::directory::Directory;
use super::formats::{Decoder, Notes, Piece, Said};
use super::intake::{Intake, Taken};
use super::ledger::IngestOutcome;
use super::letters::{self, Raw};
use super::parking::Kind;
use super::place::{Placed, outside_cdr, outside_reading};
use crate::log::Output;

impl<D: Directory> Intake<D> {
    /// Takes a message of a feed.
    pub(super) fn feed(&mut self, taken: &Taken<'_>) {
        let feeds = self.options.feeds.clone();
        let feed = feeds.iter().find(|feed| feed.topic.name() == taken.raw.origin.source);
        let Some(feed) = feed else {
            return self.dead(taken, "no feed of the configuration comes by this topic");
        };
        let pieces = feed.decoder.pieces(taken.raw.bytes);
        let Ok(acks) = u32::try_from(pieces.len()) else {
            return self.dead(taken, "more records than can be counted");
        };
        if acks == 0 {
            self.ledger.aside(taken.source);
            return self.sources.finish(taken.from);
        }
        self.sources.expect(taken.from, acks);
        let mut notes = Notes::default();
        for piece in &pieces {
            self.piece(taken, &feed.decoder, piece, &mut notes);
        }
        self.ledger.met(notes);
    }

    fn piece(&mut self, taken: &Taken<'_>, decoder: &Decoder, piece: &Piece<'_>, notes: &mut Notes) {
        let origin = taken.raw.origin;
        let outcome = match decoder.read(piece, notes) {
            Ok(Said::Aside(_)) => {
                self.ledger.aside(taken.source);
                return self.sources.finish(taken.from);
            }
            Ok(Said::Cdr(cdr)) => match self.put(taken).cdr(&cdr, origin) {
                Placed::Logged => IngestOutcome::Logged,
                Placed::Nameless(name) => {
                    let bytes = outside_cdr(&cdr, name, origin);
                    let raw = Raw { kind: Kind::Cdr, bytes: &bytes, origin };
                    let letter = letters::parked(&raw, name, self.clock_ms(taken.when));
                    self.parked_or_dead(taken, piece, letter)
                }
                Placed::Dead(reason) => self.dead_piece(taken, piece, &reason),
            },
            Ok(Said::Reading(reading)) => match self.put(taken).reading(&reading, origin) {
                Placed::Logged => IngestOutcome::Logged,
                Placed::Nameless(name) => {
                    let bytes = outside_reading(&reading, name, origin);
                    let raw = Raw { kind: Kind::Reading, bytes: &bytes, origin };
                    let letter = letters::parked(&raw, name, self.clock_ms(taken.when));
                    self.parked_or_dead(taken, piece, letter)
                }
                Placed::Dead(reason) => self.dead_piece(taken, piece, &reason),
            },
            Err(error) => self.dead_piece(taken, piece, &error.to_string()),
        };
        self.ledger.note(taken.source, outcome, piece.bytes.len());
    }

    fn parked_or_dead(
        &mut self,
        taken: &Taken<'_>,
        piece: &Piece<'_>,
        letter: Option<Output>,
    ) -> IngestOutcome {
        match letter {
            Some(letter) => {
                self.post(letter, Some(taken.from), taken.when.outside_ms);
                IngestOutcome::Parked
            }
            None => self.dead_piece(taken, piece, "the record cannot be parked"),
        }
    }

    fn dead_piece(&mut self, taken: &Taken<'_>, piece: &Piece<'_>, reason: &str) -> IngestOutcome {
        let reason = match piece.at {
            0 => reason.to_owned(),
            at => format!("at byte {at} of the message: {reason}"),
        };
        let letter = letters::dead_part(piece.bytes, piece.at, &reason, taken.raw.origin);
        self.post(letter, Some(taken.from), taken.when.outside_ms);
        IngestOutcome::DeadLetter
    }
}
