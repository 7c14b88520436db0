//! What is in ingest's hands: records taken, placed, parked, given up. Knows the log's messages and none of its calls.

use std::collections::{BTreeMap, BTreeSet};

use super::directory::Directory;
use super::feeds::watched;
use super::formats::Unreadable;
use super::gaps::Gaps;
use super::guarded::guarded;
use super::ledger::{IngestLedger, IngestOutcome, Source};
use super::letters::{self, Raw};
use super::outbox::{Letter, Outbox};
use super::packer::{Packer, When};
use super::parking::{Envelope, Held, Kind, Parking};
use super::place::{Place, Placed};
use super::sources::{Ref, Sources};
use super::{Clock, Options};
use crate::codec::canonical;
use crate::codec::directory as entries;
use crate::codec::json::{self, CommandIn, Scratch};
use crate::limits::{CONFLICTS_DOUBTED_MAX, CONFLICTS_QUEUED_MAX, OUTSIDE_BYTES_MAX};
use crate::log::{Message, Output, Topic, TopicPartition};
use crate::model::{CardName, Number, Origin, Record};

/// See the module.
pub(super) struct Intake<D> {
    directory: D,
    pub sources: Sources,
    pub outbox: Outbox,
    pub parking: Parking,
    pub ledger: IngestLedger,
    pub gaps: Gaps,
    packer: Packer,
    pub options: Options,
    /// Identities that the directory has spoken of and that hold parked records.
    named: BTreeSet<CardName>,
    /// Numbers that two cards seem to hold, and when the last of them said so.
    doubted: BTreeMap<Number, i64>,
    /// The greatest time of an outside message: the only clock of a deployment that supplies it.
    outside_ms: i64,
    scratch: Scratch,
}

/// A message in hand.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub from: Ref,
    pub source: Source,
    pub when: When,
    pub raw: Raw<'a>,
    /// Whether its records' numbers are looked at: not those of batches, nor of what is read again.
    pub numbers: bool,
}

impl<D: Directory> Intake<D> {
    pub(super) fn new(directory: D, options: Options, partitions: u32) -> Self {
        Self {
            directory,
            sources: Sources::default(),
            outbox: Outbox::default(),
            parking: Parking::new(options.bounds),
            ledger: IngestLedger::default(),
            gaps: watched(&options),
            packer: Packer::new(partitions, options.clock, options.bounds.linger_ms),
            options,
            named: BTreeSet::new(),
            doubted: BTreeMap::new(),
            outside_ms: 0,
            scratch: Scratch::default(),
        }
    }

    pub(super) fn add_source(&mut self, at: TopicPartition) {
        if let Some(slot) = self.sources.assign(at) {
            self.parking.forget(slot);
        }
    }

    pub(super) fn drop_source(&mut self, at: TopicPartition) {
        if let Some(slot) = self.sources.drop(at) {
            self.parking.forget(slot);
        }
    }

    /// Takes an entry of the directory.
    pub(super) fn directory_says(&mut self, message: &Message<'_>) {
        let key = message.key.unwrap_or_default();
        let Ok((name, card, held)) = entries::read(key, message.value) else {
            tracing::warn!(
                offset = message.offset.0,
                "a message of the directory cannot be read and is passed"
            );
            return;
        };
        let change = self.directory.set_all(name, card, &held);
        if self.parking.holds(name) {
            self.named.insert(name);
        }
        if let CardName::Number(number) = name
            && !change.overlaps.is_empty()
            && self.doubted.len() < CONFLICTS_DOUBTED_MAX
        {
            self.doubted.insert(number, message.time_ms);
        }
    }

    /// Tells of numbers that two cards hold at the same time. To be called when the directory has been read to its end: the
    /// entry by which a number was released may stand behind the one that claims it.
    pub(super) fn tell_conflicts(&mut self) {
        for (number, time_ms) in std::mem::take(&mut self.doubted) {
            for (a, b) in self.directory.conflicts(number) {
                if self.outbox.len() < CONFLICTS_QUEUED_MAX {
                    self.post(letters::conflict(&self.options.deployment, &a, &b), None, time_ms);
                }
            }
        }
    }

    /// Takes an outside message.
    pub(super) fn take(&mut self, message: &Message<'_>, now_ms: i64) {
        let at = TopicPartition { topic: message.topic, partition: message.partition };
        if self.sources.is_new(at, message.offset) {
            self.add_source(at);
        }
        let bytes = message.value.unwrap_or_default();
        let Some(from) = self.sources.begin(at, message.offset, bytes.len()) else { return };
        self.heard_at(message.time_ms);
        let origin = Origin {
            source: message.topic.name(),
            partition: message.partition,
            offset: message.offset.0,
            received_ms: message.time_ms,
        };
        let (source, kind) = match message.topic {
            Topic::Modem => (Source::Modem, Kind::Reading),
            Topic::Commands => (Source::Commands, Kind::Cdr),
            Topic::Parked => (Source::Parked, Kind::Cdr),
            Topic::Raw(_) => (Source::Feed, Kind::Cdr),
            _ => (Source::Cdr, Kind::Cdr),
        };
        let when = When { now_ms, outside_ms: message.time_ms };
        let taken = Taken { from, source, when, raw: Raw { kind, bytes, origin }, numbers: false };
        self.treat(&taken);
    }

    fn treat(&mut self, taken: &Taken<'_>) {
        let len = taken.raw.bytes.len();
        if len == 0 {
            return self.dead(taken, "the message has no value");
        }
        // A parked record carries its envelope too, which is shorter than the rest of a pack.
        if len > OUTSIDE_BYTES_MAX && taken.source != Source::Parked {
            return self.dead(taken, &format!("the message has {len} bytes, more than {OUTSIDE_BYTES_MAX}"));
        }
        match taken.source {
            Source::Commands => self.command(taken),
            Source::Parked => self.parked(taken),
            Source::Feed => self.feed(taken),
            Source::Cdr | Source::Modem | Source::File | Source::Push => self.usage(taken),
        }
    }

    fn usage(&mut self, taken: &Taken<'_>) {
        match self.place(&taken.raw, taken.from, taken.when) {
            Placed::Logged => self.note(taken, IngestOutcome::Logged),
            Placed::Nameless(name) => self.park(taken, name),
            Placed::Dead(reason) => self.dead(taken, &reason),
        }
    }

    fn place(&mut self, raw: &Raw<'_>, from: Ref, when: When) -> Placed {
        let Self { directory, packer, outbox, scratch, .. } = self;
        Place { directory, packer, outbox, from, when }.raw(raw, scratch)
    }

    fn park(&mut self, taken: &Taken<'_>, name: CardName) {
        let first_seen_ms = self.clock_ms(taken.when);
        match letters::parked(&taken.raw, name, first_seen_ms) {
            Some(letter) => {
                self.post(letter, Some(taken.from), taken.when.outside_ms);
                self.note(taken, IngestOutcome::Parked);
            }
            None => self.dead(taken, "the record is not UTF-8"),
        }
    }

    /// What parked records are timed by.
    pub(super) fn clock_ms(&self, when: When) -> i64 {
        match self.options.clock {
            Clock::Log => when.now_ms,
            Clock::Supplied => self.outside_ms,
        }
    }

    pub(super) fn dead(&mut self, taken: &Taken<'_>, reason: &str) {
        let letter = letters::dead(taken.raw.bytes, reason, taken.raw.origin);
        self.post(letter, Some(taken.from), taken.when.outside_ms);
        self.note(taken, IngestOutcome::DeadLetter);
    }

    fn note(&mut self, taken: &Taken<'_>, outcome: IngestOutcome) {
        self.ledger.note(taken.source, outcome, taken.raw.bytes.len());
    }

    /// Newest time of the outside messages, milliseconds; 0 = none yet.
    pub(super) fn outside_ms(&self) -> i64 {
        self.outside_ms
    }

    /// Notes a time of the outside.
    pub(super) fn heard_at(&mut self, outside_ms: i64) {
        self.outside_ms = self.outside_ms.max(outside_ms);
    }

    pub(super) fn post(&mut self, mut output: Output, from: Option<Ref>, outside_ms: i64) {
        output.time_ms = (self.options.clock == Clock::Supplied).then_some(outside_ms);
        self.outbox.post(Letter { output, carried: from.into_iter().collect() });
    }

    fn command(&mut self, taken: &Taken<'_>) {
        let read = match guarded(|| json::command(taken.raw.bytes)) {
            Ok(read) => read,
            Err(panic) => return self.dead(taken, &Unreadable::Panicked(panic).to_string()),
        };
        let placed = match read {
            Ok(CommandIn::Card(command)) => {
                let (card, json) = (command.card, canonical::to_vec(&command));
                self.put(taken).push(card, &Record::Command { card, json: &json, origin: taken.raw.origin })
            }
            Ok(CommandIn::Broadcast { broadcast, at }) => {
                let mut taken = *taken;
                taken.when.outside_ms = at.map_or(taken.when.outside_ms, |at| at.saturating_mul(1_000));
                self.broadcast(&taken, &canonical::to_vec(&broadcast))
            }
            Err(error) => Placed::Dead(error.to_string()),
        };
        match placed {
            Placed::Dead(reason) => self.dead(taken, &reason),
            Placed::Logged | Placed::Nameless(_) => self.note(taken, IngestOutcome::Logged),
        }
    }

    pub(super) fn put(&mut self, taken: &Taken<'_>) -> Place<'_, D> {
        let Self { directory, packer, outbox, .. } = self;
        Place { directory, packer, outbox, from: taken.from, when: taken.when }
    }

    /// Into every partition: finished when the last one has it.
    fn broadcast(&mut self, taken: &Taken<'_>, json: &[u8]) -> Placed {
        let partitions = self.packer.partitions();
        self.sources.expect(taken.from, partitions);
        let record = Record::Broadcast { json, origin: taken.raw.origin };
        for partition in 0..partitions {
            let placed = self.put(taken).push_to(partition, &record);
            debug_assert_eq!(placed, Placed::Logged, "a command within its bound fits a pack");
        }
        Placed::Logged
    }

    /// A parked record read back: placed, or held until the directory names its card.
    fn parked(&mut self, taken: &Taken<'_>) {
        let envelope: Envelope<'_> = match serde_json::from_slice(taken.raw.bytes) {
            Ok(envelope) => envelope,
            Err(error) => return self.dead(taken, &format!("not a parked record: {error}")),
        };
        let raw = envelope.raw();
        match self.place(&raw, taken.from, taken.when) {
            Placed::Logged => self.note(taken, IngestOutcome::Logged),
            Placed::Dead(reason) => self.dead(taken, &reason),
            Placed::Nameless(name) => {
                self.hold(Held {
                    from: taken.from,
                    name,
                    message: taken.raw.bytes.into(),
                    first_seen_ms: envelope.first_seen_ms,
                    outside_ms: taken.when.outside_ms,
                });
            }
        }
    }

    fn hold(&mut self, held: Held) {
        let from = held.from;
        match self.parking.hold(held) {
            Ok(()) => self.sources.hold(from),
            Err(held) => self.give_up(&held, "as many records of this identity are parked as may be"),
        }
    }

    /// Sends parked records on: those whose card has been named, and those whose time is over.
    pub(super) fn settle_parked(&mut self, now_ms: i64) {
        for name in std::mem::take(&mut self.named) {
            for held in self.parking.take(name) {
                self.sources.release(held.from);
                self.retry(held, now_ms);
            }
        }
        let clock_ms = self.clock_ms(When { now_ms, outside_ms: self.outside_ms });
        for held in self.parking.expired(clock_ms) {
            self.sources.release(held.from);
            self.give_up(&held, "no card had this identity within 24 hours");
        }
    }

    fn retry(&mut self, held: Held, now_ms: i64) {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(&held.message) else { return };
        let raw = envelope.raw();
        let when = When { now_ms, outside_ms: held.outside_ms };
        match self.place(&raw, held.from, when) {
            Placed::Logged => self.ledger.note(Source::Parked, IngestOutcome::Logged, held.message.len()),
            Placed::Nameless(_) | Placed::Dead(_) => self.hold(held),
        }
    }

    fn give_up(&mut self, held: &Held, reason: &str) {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(&held.message) else { return };
        let letter = letters::unknown(&envelope.raw(), held.name, reason);
        self.post(letter, Some(held.from), self.outside_ms);
        self.ledger.note(Source::Parked, IngestOutcome::Unknown, held.message.len());
    }

    /// Sends packs whose time has come; all of them when ingest stops.
    pub(super) fn close_packs(&mut self, now_ms: i64, stopping: bool) {
        let packs = if stopping { self.packer.all() } else { self.packer.due(now_ms) };
        self.outbox.post_all(packs);
    }

    /// Nothing is on its way, and nothing is left to be sent on.
    pub(super) fn is_idle(&self) -> bool {
        self.outbox.len() == 0
            && self.packer.due_ms().is_none()
            && self.named.is_empty()
            && self.sources.pushes.is_idle()
    }

    /// When there is something to do without any message coming.
    pub(super) fn due_ms(&self) -> Option<i64> {
        let parked = self.parking.due_ms().filter(|_| self.options.clock == Clock::Log);
        [self.packer.due_ms(), parked].into_iter().flatten().min()
    }
}
