//! Messages of feeds' own topics: each piece of one is a record of its own, and the message is finished by the last of them.
//!
//! A record whose card nobody knows yet is parked in its canonical form, so that whoever reads it back needs no feed's
//! format. Invariant: each piece has one outcome in the ledger, or is counted beside it as none; a message without any is
//! finished at once.

use super::directory::Directory;
use super::formats::{Buffers, Decoder, Numbered, Piece, Said};
use super::gaps::{self, Gaps, Kept, Seen, Watch};
use super::intake::{Intake, Taken};
use super::ledger::IngestOutcome;
use super::letters::{self, Raw};
use super::packer::When;
use super::parking::Kind;
use super::place::{Placed, outside_cdr, outside_reading};
use super::{Clock, Options};
use crate::limits::{FUTURE_S_MAX, MESSAGE_RECORDS_MAX};
use crate::log::{Committed, Topic, TopicPartition};
use crate::model::{CardName, LogOffset, UnixTime};

/// When the usage of a record ended, if that can be right.
fn end_of(said: &Said<'_>, outside_ms: i64) -> Option<UnixTime> {
    let end = match said {
        Said::Cdr(cdr) | Said::Nobodys(cdr) => cdr.end,
        Said::Reading(reading) => reading.at,
        Said::Aside(_) => return None,
    };
    (end <= outside_ms / 1_000 + FUTURE_S_MAX).then_some(end)
}

fn too_many(records: usize) -> String {
    format!("the message holds {records} records, more than {MESSAGE_RECORDS_MAX}: have it sent as several")
}

/// The watch over the feeds that come by topics. Where the clock is supplied no time passes while nothing comes.
pub(super) fn watched(options: &Options) -> Gaps {
    let listens = options.clock == Clock::Log;
    let feeds = options.feeds.iter();
    Gaps::new(feeds.map(|feed| (feed.decoder.feed().to_owned(), Watch { listens, ..feed.watch })))
}

impl<D: Directory> Intake<D> {
    /// The feed that comes by a topic.
    fn feed_by(&self, topic: Topic) -> Option<&str> {
        let feed = self.options.feeds.iter().find(|feed| feed.topic == topic)?;
        Some(feed.decoder.feed())
    }

    /// A partition of a feed is read from now on: its gaps go on from what stood beside the committed offset.
    pub(super) fn begin_feed(&mut self, at: TopicPartition, committed: Option<&Committed>, now_ms: i64) {
        let Some(feed) = self.feed_by(at.topic).map(str::to_owned) else { return };
        if let Some(committed) = committed {
            self.sources.go_on(at, committed.offset);
        }
        let kept = committed.and_then(|committed| Kept::parse(&committed.metadata));
        self.gaps.begin(&feed, at.partition, kept, now_ms);
    }

    /// A partition of a feed is read no longer.
    pub(super) fn end_feed(&mut self, at: TopicPartition) {
        let Some(feed) = self.feed_by(at.topic).map(str::to_owned) else { return };
        self.gaps.end(&feed, at.partition);
    }

    /// The partitions of feeds whose gaps have changed without a new offset, each with the offset that it has.
    fn changed(&self) -> impl Iterator<Item = (TopicPartition, LogOffset)> {
        self.options.feeds.iter().flat_map(|feed| {
            let parts = self.gaps.changed(feed.decoder.feed()).into_iter();
            let at = |partition| TopicPartition { topic: feed.topic, partition };
            parts.map(at).filter_map(|at| Some((at, self.sources.committable(at)?)))
        })
    }

    /// Offsets to be committed, each of a feed with what is known of its gaps. While an event of a gap is on its way feeds'
    /// wait: what is kept as told must have been told.
    pub(super) fn uncommitted(&self) -> Vec<(TopicPartition, Committed)> {
        let mut next = self.sources.uncommitted();
        let changed = self.changed().filter(|(at, _)| next.iter().all(|(other, _)| other != at));
        next.extend(changed.collect::<Vec<_>>());
        let noted = next.into_iter().filter_map(|(at, offset)| {
            let metadata = match self.feed_by(at.topic) {
                None => String::new(),
                Some(_) if !self.sources.has_told() => return None,
                Some(feed) => self.gaps.kept(feed, at.partition).map(Kept::text).unwrap_or_default(),
            };
            Some((at, Committed { offset, metadata }))
        });
        noted.collect()
    }

    /// Whether there are any that may be committed now.
    pub(super) fn has_uncommitted(&self) -> bool {
        let told = self.sources.has_told();
        self.sources.has_uncommitted(|topic| told || self.feed_by(topic).is_none())
            || (told && self.changed().next().is_some())
    }

    /// Notes that these were committed.
    pub(super) fn committed(&mut self, next: &[(TopicPartition, Committed)]) {
        let offsets: Vec<_> = next.iter().map(|(at, committed)| (*at, committed.offset)).collect();
        self.sources.committed(&offsets);
        for (at, _) in next {
            if let Some(feed) = self.feed_by(at.topic).map(str::to_owned) {
                self.gaps.was_kept(&feed, at.partition);
            }
        }
    }

    /// Tells what is missing of the feeds. To be called when all that has come was read: what waits is not missing. Time
    /// passes by the clock of the messages.
    pub(super) fn watch(&mut self, now_ms: i64) {
        let now_ms = match self.options.clock {
            Clock::Log => now_ms,
            Clock::Supplied => self.outside_ms(),
        };
        self.gaps.tick(now_ms);
        self.tell_gaps();
    }

    /// When a message came: by its own time, unless that is still to come. A sender whose clock runs ahead would have its
    /// feed pass for heard until then.
    fn heard_ms(&self, when: When) -> i64 {
        match self.options.clock {
            Clock::Log => when.outside_ms.min(when.now_ms),
            Clock::Supplied => when.outside_ms,
        }
    }

    fn tell_gaps(&mut self) {
        for told in self.gaps.take() {
            tracing::warn!(gap = told.name(), change = ?told.change, "a gap of a feed");
            let from = self.sources.tell();
            self.post(told.output(&self.options.deployment), Some(from), self.outside_ms());
        }
    }

    /// Takes a message of a feed.
    pub(super) fn feed(&mut self, taken: &Taken<'_>) {
        let feeds = self.options.feeds.clone();
        let feed = feeds.iter().find(|feed| feed.topic.name() == taken.raw.origin.source);
        let Some(feed) = feed else {
            return self.dead(taken, "no feed of the configuration comes by this topic");
        };
        let origin = taken.raw.origin;
        let place = (origin.partition, origin.offset);
        let numbers = self.gaps.message(feed.decoder.feed(), place, self.heard_ms(taken.when));
        let taken = &Taken { numbers, ..*taken };
        let pieces = feed.decoder.pieces(taken.raw.bytes);
        let acks = match u32::try_from(pieces.len()) {
            Ok(acks) if pieces.len() <= MESSAGE_RECORDS_MAX => acks,
            _ => return self.dead(taken, &too_many(pieces.len())),
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
        self.tell_gaps();
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
        let read = decoder.read_numbered(piece, buffers);
        if let Ok((said, number)) = &read {
            self.look_at(taken, decoder.feed(), said, number.as_ref());
        }
        let became = match read.map(|(said, _)| said) {
            Ok(Said::Aside(_)) => {
                self.ledger.aside(taken.source);
                self.sources.finish(taken.from);
                return Became { outcome: None, reason: None };
            }
            Ok(Said::Cdr(cdr)) => {
                let placed = self.put(taken).cdr(&cdr, origin);
                let canonical = |name| (Kind::Cdr, outside_cdr(&cdr, name, origin));
                self.placed(taken, piece, placed, canonical)
            }
            Ok(Said::Reading(reading)) => {
                let placed = self.put(taken).reading(&reading, origin);
                let canonical = |name| (Kind::Reading, outside_reading(&reading, name, origin));
                self.placed(taken, piece, placed, canonical)
            }
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

    /// What a record says beside its usage: when that ended, and its number.
    fn look_at(&mut self, taken: &Taken<'_>, feed: &str, said: &Said<'_>, number: Option<&Numbered<'_>>) {
        if let Some(end) = end_of(said, taken.when.outside_ms) {
            self.gaps.record(feed, end);
        }
        if let (true, Some((node, number)), Said::Cdr(cdr) | Said::Nobodys(cdr)) =
            (taken.numbers, number, said)
        {
            let seen = Seen { kind: gaps::Kind::Records, node, number: *number, at: Some(cdr.start) };
            self.gaps.number_in(feed, taken.raw.origin.partition, seen, self.heard_ms(taken.when));
        }
    }

    /// What became of a record; one whose card nobody has named yet is parked in its canonical form.
    fn placed(
        &mut self,
        taken: &Taken<'_>,
        piece: &Piece<'_>,
        placed: Placed,
        canonical: impl Fn(CardName) -> (Kind, Vec<u8>),
    ) -> Became {
        let name = match placed {
            Placed::Logged => return IngestOutcome::Logged.into(),
            Placed::Dead(reason) => return self.dead_piece(taken, piece, reason),
            Placed::Nameless(name) => name,
        };
        let (kind, bytes) = canonical(name);
        let raw = Raw { kind, bytes: &bytes, origin: taken.raw.origin };
        match letters::parked(&raw, name, self.clock_ms(taken.when)) {
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
