//! One outside record → its card's pack: decode, resolve, push. Shared by topics, parked records and files.

use super::directory::{Directory, resolve};
use super::formats::Unreadable;
use super::guarded::guarded;
use super::letters::Raw;
use super::outbox::Outbox;
use super::packer::{Packer, TooLarge, When};
use super::parking::Kind;
use super::sources::Ref;
use crate::codec::json::{self, CdrIn, ReadingIn, Scratch};
use crate::codec::time;
use crate::limits::DAY_S;
use crate::model::{
    CardId, CardName, Cdr, CounterKind, FeedName, Number, Origin, Reading, Record, TotalOf, UnixTime,
    partition_of,
};

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is in a pack, and finished by that pack's acknowledgement.
    Logged,
    /// The directory does not say whose it is.
    Nameless(CardName),
    /// It cannot be read.
    Dead(String),
}

/// What placing a record needs.
pub(super) struct Place<'a, D> {
    pub directory: &'a D,
    pub packer: &'a mut Packer,
    pub outbox: &'a mut Outbox,
    pub from: Ref,
    pub when: When,
}

impl<D: Directory> Place<'_, D> {
    /// Places a record in outside JSON.
    pub(super) fn raw(&mut self, raw: &Raw<'_>, scratch: &mut Scratch) -> Placed {
        let panicked = |panic: String| Placed::Dead(Unreadable::Panicked(panic).to_string());
        let placed = match raw.kind {
            Kind::Cdr => match guarded(move || json::cdr(raw.bytes, scratch)) {
                Ok(read) => read.map(|cdr| self.cdr(&cdr, raw.origin)),
                Err(panic) => return panicked(panic),
            },
            Kind::Reading => match guarded(|| json::reading(raw.bytes)) {
                Ok(read) => read.map(|reading| self.reading(&reading, raw.origin)),
                Err(panic) => return panicked(panic),
            },
        };
        placed.unwrap_or_else(|error| Placed::Dead(error.to_string()))
    }

    /// Places a CDR.
    pub(super) fn cdr(&mut self, cdr: &CdrIn<'_>, origin: Origin<'_>) -> Placed {
        let Some(card) = resolve(self.directory, cdr.card, cdr.start) else {
            return Placed::Nameless(cdr.card);
        };
        self.push(card, &Record::Cdr(canonical(cdr, card, origin)))
    }

    /// Places a reading.
    pub(super) fn reading(&mut self, reading: &ReadingIn<'_>, origin: Origin<'_>) -> Placed {
        let Some(card) = resolve(self.directory, reading.card, named_at(reading)) else {
            return Placed::Nameless(reading.card);
        };
        self.push(card, &Record::Reading(canonical_reading(reading, card, origin)))
    }

    /// Puts a record into its card's pack.
    pub(super) fn push(&mut self, card: CardId, record: &Record<'_>) -> Placed {
        self.push_to(partition_of(card, self.packer.partitions()), record)
    }

    /// Puts a record into a partition's pack.
    pub(super) fn push_to(&mut self, partition: u32, record: &Record<'_>) -> Placed {
        match self.packer.push((partition, record), self.from, self.when, self.outbox) {
            Ok(()) => Placed::Logged,
            Err(TooLarge) => Placed::Dead("the record fits no pack".to_owned()),
        }
    }
}

/// The time at which the card that a reading is of went by its number. A carrier's total is of the time before it; one that names
/// its day is of that day, of whose seconds noon is on it in every zone. The meter, which knows the zone, checks the last one.
fn named_at(reading: &ReadingIn<'_>) -> UnixTime {
    let Some(of) = CounterKind(&reading.counter).total() else { return reading.at };
    let before = reading.at.saturating_sub(1);
    let day = time::parse_day(&reading.session).filter(|_| of == TotalOf::Day);
    day.map_or(before, |day| (i64::from(day) * DAY_S + DAY_S / 2).min(before))
}

/// The canonical form of a CDR, once its card is known.
fn canonical<'a>(cdr: &'a CdrIn<'_>, card: CardId, origin: Origin<'a>) -> Cdr<'a> {
    Cdr {
        card,
        feed: FeedName::new(&cdr.feed),
        id: &cdr.id,
        start: cdr.start,
        end: cdr.end,
        up: cdr.up,
        down: cdr.down,
        slices: cdr.slices,
        number: number(cdr.card),
        origin,
    }
}

/// The same of a reading.
fn canonical_reading<'a>(reading: &'a ReadingIn<'_>, card: CardId, origin: Origin<'a>) -> Reading<'a> {
    Reading {
        card,
        feed: FeedName::new(&reading.feed),
        imei: reading.imei,
        counter: CounterKind(&reading.counter),
        at: reading.at,
        tx: reading.tx,
        rx: reading.rx,
        width: reading.width,
        session: &reading.session,
        number: number(reading.card),
        origin,
    }
}

/// A CDR of no card yet in its outside form, in which it is parked.
pub(super) fn outside_cdr(cdr: &CdrIn<'_>, name: CardName, origin: Origin<'_>) -> Vec<u8> {
    json::write::cdr(&canonical(cdr, card_of(name), origin))
}

/// The same of a reading.
pub(super) fn outside_reading(reading: &ReadingIn<'_>, name: CardName, origin: Origin<'_>) -> Vec<u8> {
    json::write::reading(&canonical_reading(reading, card_of(name), origin))
}

/// The card that a name is, or stands in for where it is not known.
fn card_of(name: CardName) -> CardId {
    match name {
        CardName::Iccid(card) => card,
        CardName::Number(_) => CardId::from_wire([0; 10]),
    }
}

fn number(name: CardName) -> Option<Number> {
    match name {
        CardName::Iccid(_) => None,
        CardName::Number(number) => Some(number),
    }
}
