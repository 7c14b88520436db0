//! The line of one card: all that the meter holds of it. `step` sees this and nothing beside it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::counters::Counters;
use super::cycle::{Cycle, Source};
use super::ids::Ids;
use super::life::Life;
use super::memory::Memory;
use super::names::NameId;
use super::numbers::Numbers;
use super::past::{Past, PastCycle};
use super::purse::Purse;
use super::seen::SeenCommands;
use super::state::{CardState, SuspendedBy};
use super::table::Line;
use super::totals::Totals;
use super::usage::Usage;
use crate::limits::ESTIMATES_MAX;
use crate::model::{CardId, Day, LogOffset, Recipient, UnixTime};

/// One card. Encoded as it stands here: a change of this struct is a change of the chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Card {
    pub id: CardId,
    /// Log offset of the last change; [`Self::NEVER`] before the first.
    pub changed_at: LogOffset,
    /// When its next timer is due; [`Self::NO_TIMER`] if it has none.
    pub due: UnixTime,
    /// The 20th character of its ICCID, 0 if it was never said.
    check_digit: u8,
    pub state: CardState,
    pub suspended_by: SuspendedBy,
    pub carrier: NameId,
    pub plan: NameId,
    pub channel: NameId,
    /// Hashes of the estimating feeds met, in the order of their first record; 0 = none.
    estimates: [u64; ESTIMATES_MAX],
    /// Sources whose feeds tell totals of this card, not records, a bit each; [`Self::TURNED`]; and [`Self::OPENED`].
    marks: u8,
    pub usage: Usage,
    pub ids: Ids,
    pub account: Account,
    pub numbers: Numbers,
    /// Where its open days are cut, ascending (`docs/rules.md` P3).
    cuts: Box<[UnixTime]>,
    /// What few records need.
    cold: Option<Box<Cold>>,
}

/// The part of a card that a CDR does not touch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cold {
    pub counters: Counters,
    /// Only of cards whose carrier tells totals.
    pub totals: Option<Box<Totals>>,
    pub commands: SeenCommands,
    life: Option<Box<Life>>,
    /// What may be restated of closed cycles.
    pub past: Past,
    /// References of adjustments and postings.
    pub references: SeenCommands,
    /// Credits and recipients.
    pub purse: Option<Box<Purse>>,
}

/// Names of a new card.
#[derive(Debug, Clone, Copy)]
pub(super) struct SoldAs {
    pub carrier: NameId,
    pub plan: NameId,
    pub channel: NameId,
}

impl Card {
    pub(super) const NEVER: LogOffset = LogOffset(u64::MAX);
    pub(super) const NO_TIMER: UnixTime = UnixTime::MAX;
    /// Came in mid-life, and the cycle in which it did is held.
    const OPENED: u8 = 1 << 7;
    /// How often its state has turned, a few bits of it: tells turns that are as of one second apart.
    const TURNED: u8 = 0b1111 << Self::TURNED_SHIFT;
    const TURNED_SHIFT: u32 = 3;

    pub(super) fn new(id: CardId, sold: SoldAs) -> Self {
        Self {
            id,
            changed_at: Self::NEVER,
            due: Self::NO_TIMER,
            check_digit: 0,
            state: CardState::Registered,
            suspended_by: SuspendedBy::Nobody,
            carrier: sold.carrier,
            plan: sold.plan,
            channel: sold.channel,
            estimates: [0; ESTIMATES_MAX],
            marks: 0,
            usage: Usage::default(),
            ids: Ids::default(),
            account: Account::default(),
            numbers: Numbers::default(),
            cuts: Box::default(),
            cold: None,
        }
    }

    /// The ICCID as it is displayed: 20 characters if the check digit was ever said.
    pub(super) fn iccid(&self) -> String {
        let mut text = self.id.to_string();
        if self.check_digit != 0 {
            text.push(char::from(self.check_digit));
        }
        text
    }

    /// Remembers the check digit of a full ICCID.
    pub(super) fn note_iccid(&mut self, iccid: &str) {
        if let Some(digit) = iccid.as_bytes().get(19) {
            self.check_digit = digit.to_ascii_uppercase();
        }
    }

    pub(super) fn cuts(&self) -> &[UnixTime] {
        &self.cuts
    }

    /// Brings what a CDR will need of the line from memory, without waiting for it.
    pub(super) fn warm(&self) {
        std::hint::black_box((self.id, self.changed_at, self.due, self.state, self.estimates));
        std::hint::black_box((self.account.is_quiet(0), self.cuts.len(), self.numbers.is_empty()));
        self.usage.warm();
        self.ids.warm();
    }

    /// Brings what a CDR will need of the heap; the line should be there.
    pub(super) fn warm_heap(&self) {
        std::hint::black_box(self.cuts.first().copied());
        self.usage.warm_heap();
        self.ids.warm_heap();
    }

    /// The cuts, lent out while the rest of the card is written.
    pub(super) fn take_cuts(&mut self) -> Box<[UnixTime]> {
        std::mem::take(&mut self.cuts)
    }

    pub(super) fn put_cuts(&mut self, cuts: Box<[UnixTime]>) {
        self.cuts = cuts;
    }

    pub(super) fn counters(&self) -> Option<&Counters> {
        self.cold.as_ref().map(|cold| &cold.counters)
    }

    pub(super) fn totals(&self) -> Option<&Totals> {
        self.cold.as_ref().and_then(|cold| cold.totals.as_deref())
    }

    /// References of adjustments and postings.
    pub(super) fn references(&self) -> Option<&SeenCommands> {
        self.cold.as_ref().map(|cold| &cold.references)
    }

    /// Closed cycles that are packed away, oldest first.
    pub(super) fn past(&self) -> Vec<PastCycle> {
        self.cold.as_ref().map(|cold| cold.past.cycles()).unwrap_or_default()
    }

    /// The first cycle of them.
    pub(super) fn first_past(&self) -> Option<Day> {
        self.cold.as_ref()?.past.first()
    }

    /// The cycle of a day, packed away or not.
    pub(super) fn cycle_or_past(&self, day: Day) -> Option<Cow<'_, Cycle>> {
        let held = self.usage.cycle(day).map(Cow::Borrowed);
        held.or_else(|| Some(Cow::Owned(self.cold.as_ref()?.past.of(day)?)))
    }

    /// The first cycle whose figures are held, packed away or not.
    fn first_held(&self) -> Option<Day> {
        let held = self.usage.cycles().first().map(|cycle| cycle.start);
        held.into_iter().chain(self.first_past()).min()
    }

    /// It came in mid-life: the cycles before are another system's.
    pub(super) fn note_opening(&mut self) {
        self.marks |= Self::OPENED;
    }

    /// Whether a cycle of which nothing is held is the card's own.
    pub(super) fn owns(&self, cycle: Day) -> bool {
        self.marks & Self::OPENED == 0 || self.first_held().is_none_or(|first| first < cycle)
    }

    /// Brings the packed cycle of a day back, if there is one.
    pub(super) fn unpack(&mut self, day: Day) {
        if let Some(PastCycle { cycle, burnt }) = self.cold.as_mut().and_then(|cold| cold.past.take(day)) {
            self.account.recall_cycle(cycle.start, burnt);
            self.usage.recall(cycle);
        }
    }

    /// Packs away what is closed and flushed and `stays`, and drops what no longer does.
    pub(super) fn pack(&mut self, closed: Vec<Cycle>, stays: impl Fn(&Cycle) -> bool) {
        let mut is_final = closed.iter().any(|cycle| !stays(cycle));
        if let Some(cold) = &mut self.cold {
            is_final |= cold.past.retain(&stays);
        }
        if is_final {
            // So are all before it, and with them those before an opening.
            self.marks &= !Self::OPENED;
        }
        let past =
            closed.into_iter().map(|cycle| PastCycle { burnt: self.account.drop_cycle(cycle.start), cycle });
        let packed: Vec<_> = past.filter(|past| stays(&past.cycle)).collect();
        if !packed.is_empty() {
            self.cold().past.add(packed);
        }
    }

    pub(super) fn cold(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// What is told of its life, if anything.
    pub(super) fn life(&self) -> Option<&Life> {
        self.cold.as_ref()?.life.as_deref()
    }

    pub(super) fn life_mut(&mut self) -> &mut Life {
        self.cold().life.get_or_insert_default()
    }

    /// Its state turns.
    pub(super) fn note_turn(&mut self) {
        self.marks = self.marks & !Self::TURNED | (self.turned() + 1) << Self::TURNED_SHIFT & Self::TURNED;
    }

    /// How often its state has turned, modulo 16.
    pub(super) fn turned(&self) -> u8 {
        (self.marks & Self::TURNED) >> Self::TURNED_SHIFT
    }

    /// The card is active; 0: it is so for the first time.
    pub(super) fn forget_stop(&mut self, resumed_at: UnixTime) {
        if let Some(life) = self.cold.as_mut().and_then(|cold| cold.life.as_mut()) {
            life.resume(resumed_at);
        }
    }

    pub(super) fn forget_stopped_before(&mut self, cycle: Day) {
        if let Some(life) = self.cold.as_mut().and_then(|cold| cold.life.as_mut()) {
            life.forget_cycles_before(cycle);
        }
    }

    /// Forgets everything but who the card is and how it ended; its totals are in ClickHouse.
    pub(super) fn strip(&mut self) {
        self.ids = Ids::default();
        self.account = Account::default();
        self.cuts = Box::default();
        let cold = self.cold();
        (cold.counters, cold.past) = (Counters::default(), Past::default());
    }

    /// It goes to another carrier without usage: what the one before declared and told is of that one's days.
    pub(super) fn leave_carrier(&mut self) {
        self.usage.forget_declared();
        self.estimates = [0; ESTIMATES_MAX];
        if let Some(cold) = &mut self.cold {
            cold.totals = None;
        }
    }

    /// Its credits and recipients, if it ever had any.
    pub(super) fn purse_mut(&mut self) -> Option<&mut Purse> {
        self.cold.as_mut()?.purse.as_deref_mut()
    }

    /// The same, made if there are none.
    pub(super) fn purse(&mut self) -> &mut Purse {
        self.cold().purse.get_or_insert_default()
    }

    /// Credits and recipients to show.
    pub(super) fn purse_shown(&self) -> (u32, Vec<Recipient>) {
        let purse = self.cold.as_ref().and_then(|cold| cold.purse.as_ref());
        purse.map(|purse| (purse.credits(), purse.recipients())).unwrap_or_default()
    }

    /// The place of an estimating feed, or the one that it would take; `None` when other feeds hold all. One that no longer
    /// `estimates` leaves its place when nothing open was told by it.
    pub(super) fn estimate(&self, feed: u64, estimates: impl Fn(u64) -> bool) -> Option<Source> {
        let held = self.estimates.iter().position(|held| *held == feed || *held == 0);
        let left = |place: &usize| {
            let gone = self.estimates.get(*place).is_some_and(|held| !estimates(*held));
            gone && Source::estimate(*place).is_some_and(|source| !self.usage.is_open_by(source))
        };
        Source::estimate(held.or_else(|| (0..ESTIMATES_MAX).find(left))?)
    }

    /// Gives an estimating feed the place that [`Self::estimate`] named.
    pub(super) fn hold_estimate(&mut self, feed: u64, source: Source) {
        for (place, held) in self.estimates.iter_mut().enumerate() {
            if Source::estimate(place) == Some(source) {
                *held = feed;
            }
        }
    }

    /// The estimating feeds met, by place.
    pub(super) fn estimates(&self) -> [u64; ESTIMATES_MAX] {
        self.estimates
    }

    /// Whether a feed tells totals of this card: records of it would count twice.
    pub(super) fn is_by_totals(&self, source: Source, feed: u64) -> bool {
        self.marks & 1 << source as u8 != 0 && self.totals().is_some_and(|totals| totals.are_by(source, feed))
    }

    pub(super) fn note_totals(&mut self, source: Source) {
        self.marks |= 1 << source as u8;
    }

    /// Whether packages or own rules were ever set: without, nothing can burn or alert.
    pub(super) fn has_account(&self) -> bool {
        self.account.is_used()
    }

    /// Adds the bytes on the heap.
    pub(super) fn add_heap(&self, memory: &mut Memory) {
        let (days, cycles) = self.usage.bytes();
        memory.days += days + size_of_val(&*self.cuts);
        memory.cycles += cycles;
        memory.ids += self.ids.heap_bytes();
        memory.rest += self.numbers.bytes();
        self.account.add_heap(memory);
        self.cold.iter().for_each(|cold| cold.add_heap(memory));
    }
}

impl Line for Card {
    fn card(&self) -> CardId {
        self.id
    }
}

impl Cold {
    fn add_heap(&self, memory: &mut Memory) {
        let totals = self.totals.as_ref().map_or(0, |totals| totals.bytes());
        let purse = self.purse.as_ref().map_or(0, |purse| purse.bytes());
        let life = self.life.as_ref().map_or(0, |life| life.bytes());
        memory.cycles += self.past.bytes();
        memory.rest += size_of::<Self>() + self.counters.bytes() + totals + purse + life;
        memory.orders += self.commands.bytes() + self.references.bytes();
    }
}
