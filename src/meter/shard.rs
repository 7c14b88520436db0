//! A shard: some cards of a partition, with their timers and their ledger; the unit of the checkpoint.
//!
//! Invariant 7: a shard's state is a function of the log alone, so that its chunk at one offset and the log from there on
//! give its chunk at a later one, byte for byte. Invariant 3: every record that it folds enters its ledger once.

mod register;

use serde::{Deserialize, Serialize};

use super::Faults;
use super::card::Card;
use super::command;
use super::ctx::{Ctx, Verdict};
use super::due;
use super::effects::{Effects, OwnedRecord, Quarantined};
use super::feeds::Feeds;
use super::index::{CatalogueIndex, Declared, Terms};
use super::life;
use super::memory::Memory;
use super::names::Names;
use super::state::CardState;
use super::step::{self, CardRecord};
use super::table::{Place, Table};
use super::timers::{Order, Timers};
use crate::limits::{DECLARED_HELD_MAX, SWEPT_PER_SECOND, TIMERS_PER_SECOND};
use crate::model::{
    CardCommand, CardId, Day, Input, Ledger, LogOffset, Origin, Outcome, Position, Record, UnixTime,
};
use register::refuse_unknown;

/// Cards, and what was said to all of them.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub table: Table<Card>,
    pub said: Said,
    timers: Timers,
    /// By number of the carrier's name; `None` where the name is no carrier's.
    terms: Vec<Option<Terms>>,
    /// Cards by state.
    pub counts: [u64; CardState::ALL.len()],
    /// Messages before this were folded before the shard was written.
    pub resumes_at: LogOffset,
}

/// The written part of a shard beside its cards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    pub ledger: Ledger,
    pub names: Names,
    /// What settling feeds have declared, in order; those of which every card has heard as one.
    pub declared: Vec<Declared>,
    pub flushed_through: Option<LogOffset>,
    pub sweep: Option<Sweep>,
}

/// A look at all cards that is under way, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sweep {
    /// Place of the next card.
    next: u32,
    why: SweepFor,
}

/// Why cards are looked at. The greater covers the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum SweepFor {
    Declaration,
    Catalogue,
}

/// Where the log is while a shard folds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub position: Position,
    pub now: UnixTime,
    pub index: &'a CatalogueIndex,
    pub feeds: &'a Feeds,
    pub faults: Faults,
}

impl Shard {
    /// As it was written, still without its cards.
    pub(super) fn restored(said: Said, resumes_at: LogOffset) -> Self {
        Self { said, resumes_at, ..Self::default() }
    }

    /// Puts a restored card in its place.
    pub(super) fn restore_card(&mut self, card: Card) {
        self.timers.moved(card.id, Card::NO_TIMER, card.due);
        self.counts[card.state as usize] += 1;
        self.table.insert(card);
    }

    /// A planted fault.
    pub(super) fn forget_alerts(&mut self) {
        self.table.places(0, usize::MAX).for_each(|place| {
            self.table.get_mut(place).account.forget_alerts();
        });
    }

    /// Folds a CDR or a reading. `likely` is where its card was when the record's group was looked up. Another card may be
    /// there by now; `None` = it had no line then, and may have been registered since.
    pub(super) fn usage(
        &mut self,
        record: &Record<'_>,
        likely: Option<Place>,
        moment: &Moment<'_>,
        effects: &mut Effects,
    ) {
        let (card, input, kind, origin, bytes) = match record {
            Record::Cdr(cdr) => {
                (cdr.card, CardRecord::Cdr(cdr), Input::Cdr, cdr.origin, cdr.up.saturating_add(cdr.down))
            }
            Record::Reading(reading) => {
                (reading.card, CardRecord::Reading(reading), Input::Reading, reading.origin, 0)
            }
            _ => unreachable!("only usage comes here"),
        };
        let verdict = match self.table.sure(card, likely) {
            Some(place) => self.step(place, &input, moment, effects),
            None => Verdict::new(Outcome::Unknown, bytes, "no such card"),
        };
        self.said.ledger.add(kind, verdict.outcome, verdict.bytes);
        keep(Some(card), record, &origin, verdict, moment, effects);
    }

    /// Folds a command of a card.
    pub(super) fn command(&mut self, record: &Record<'_>, moment: &Moment<'_>, effects: &mut Effects) {
        let Record::Command { card, json, origin } = record else { unreachable!("only commands come here") };
        let verdict = match command::read(json) {
            Ok(command) if command.card != *card => {
                Verdict::new(Outcome::Rejected, 0, "the command names another card than its record")
            }
            Ok(command) => self.obey(&command, origin, moment, effects),
            Err(verdict) => verdict,
        };
        self.said.ledger.add(Input::Command, verdict.outcome, verdict.bytes);
        keep(Some(*card), record, origin, verdict, moment, effects);
    }

    fn obey(
        &mut self,
        command: &CardCommand,
        origin: &Origin<'_>,
        moment: &Moment<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        self.note_names(command, moment);
        let held = self.table.find(command.card);
        let gone = held.filter(|place| self.is_gone(*place, moment, effects));
        let place = match held.filter(|_| gone.is_none()) {
            Some(place) => place,
            None => match self.new_card(command, gone, moment, effects) {
                Ok(place) => place,
                Err(reason) => return refuse_unknown(command, reason, moment, effects),
            },
        };
        self.step(place, &CardRecord::Command { command, received_ms: origin.received_ms }, moment, effects)
    }

    /// Folds a record into a card. What a new catalogue changes comes before it, though the sweep has not come to the card: rules
    /// that are new are measured by what was used until then (`docs/rules.md` A4).
    fn step(
        &mut self,
        place: Place,
        input: &CardRecord<'_>,
        moment: &Moment<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        let awaits =
            |sweep: Sweep| sweep.why == SweepFor::Catalogue && sweep.next <= Table::<Card>::rank(place);
        if self.said.sweep.is_some_and(awaits) {
            self.with(place, moment, effects, due::adopt);
        }
        self.with(place, moment, effects, |card, ctx, effects| step::step(card, input, ctx, effects))
    }

    /// Does something with a card; its timer and the counts follow.
    fn with<R>(
        &mut self,
        place: Place,
        moment: &Moment<'_>,
        effects: &mut Effects,
        act: impl FnOnce(&mut Card, &Ctx<'_>, &mut Effects) -> R,
    ) -> R {
        let card = self.table.get_mut(place);
        let (due, state) = (card.due, card.state);
        let ctx = ctx(card, &self.said, &self.terms, moment);
        let answer = act(card, &ctx, effects);
        self.timers.moved(card.id, due, card.due);
        if card.state != state {
            self.counts[state as usize] -= 1;
            self.counts[card.state as usize] += 1;
        }
        answer
    }

    /// Looks at a copy of a card as of log time; `None` if it is gone by then.
    pub(super) fn look<R>(
        &self,
        place: Place,
        moment: &Moment<'_>,
        look: impl FnOnce(&Card, &Ctx<'_>) -> R,
    ) -> Option<R> {
        let mut card = self.table.get(place).clone();
        let ctx = ctx(&card, &self.said, &self.terms, moment);
        due::catch_up(&mut card, &ctx, &mut Effects::default());
        (!life::is_gone(&card, moment.now)).then(|| look(&card, &ctx))
    }

    /// Looks at a card as it stands.
    pub(super) fn stored<R>(
        &self,
        place: Place,
        moment: &Moment<'_>,
        look: impl FnOnce(&Card, &Ctx<'_>) -> R,
    ) -> R {
        let card = self.table.get(place);
        look(card, &ctx(card, &self.said, &self.terms, moment))
    }

    /// Log time entered a new second: due timers fire, and a sweep goes on.
    pub(super) fn second(&mut self, moment: &Moment<'_>, effects: &mut Effects) {
        let order = if moment.faults.timers_unordered { Order::Reversed } else { Order::Due };
        for _ in 0..TIMERS_PER_SECOND {
            let Some(card) = self.timers.due(moment.now, order) else { break };
            let place = self.table.find(card).expect("timers name cards of the shard");
            if life::is_gone(self.table.get(place), moment.now) {
                self.remove(place, moment, effects);
            } else {
                self.with(place, moment, effects, due::fire);
            }
        }
        if let Some(sweep) = self.said.sweep {
            self.sweep(sweep, moment, effects);
        }
    }

    fn sweep(&mut self, sweep: Sweep, moment: &Moment<'_>, effects: &mut Effects) {
        let places = self.table.places(sweep.next, SWEPT_PER_SECOND);
        let mut next = sweep.next;
        for place in places {
            self.with(place, moment, effects, |card, ctx, effects| match sweep.why {
                SweepFor::Declaration => due::sweep(card, ctx, effects),
                SweepFor::Catalogue => due::adopt(card, ctx, effects),
            });
            next += 1;
        }
        let done = next as usize >= self.table.lines().len();
        self.said.sweep = (!done).then_some(Sweep { next, ..sweep });
    }

    fn start_sweep(&mut self, why: SweepFor) {
        let why = self.said.sweep.map_or(why, |sweep| sweep.why.max(why));
        self.said.sweep = (!self.table.lines().is_empty()).then_some(Sweep { next: 0, why });
    }

    /// A settling feed has declared days whole, as of a second that may be over.
    pub(super) fn declare(&mut self, feed: u64, through: Day, now: UnixTime, index: &CatalogueIndex) {
        let last = self.said.declared.iter().rev().find(|declared| declared.feed == feed);
        let new = Declared { feed, through, at: last.map_or(now, |last| now.max(last.at)) };
        if !new.says_more(&self.said.declared, index) {
            return;
        }
        if self.said.sweep.is_none() || self.said.declared.len() >= DECLARED_HELD_MAX {
            self.forget_declared();
        }
        self.said.declared.push(new);
        self.renew_terms(index);
        self.start_sweep(SweepFor::Declaration);
    }

    /// Of each feed only what all of its declarations come to: every card has heard of them.
    fn forget_declared(&mut self) {
        let all = std::mem::take(&mut self.said.declared);
        for declared in all {
            match self.said.declared.iter_mut().find(|held| held.feed == declared.feed) {
                Some(held) => (held.through, held.at) = (held.through.max(declared.through), declared.at),
                None => self.said.declared.push(declared),
            }
        }
    }

    /// Another catalogue is in force: every card is looked at, unless the shard was written after it. Days that have closed by
    /// the one before stay closed.
    pub(super) fn adopt(
        &mut self,
        index: &CatalogueIndex,
        offset: LogOffset,
        (before, now): (&CatalogueIndex, UnixTime),
    ) {
        if self.resumes_at > offset {
            return self.renew_terms(index);
        }
        if index.horizon_s > before.horizon_s {
            self.close_unused(before, now);
        }
        self.renew_terms(index);
        self.start_sweep(SweepFor::Catalogue);
    }

    /// A longer horizon is to hold, which opens no day again. A card does not tell for how long its days were open, so all are
    /// told at once.
    fn close_unused(&mut self, index: &CatalogueIndex, now: UnixTime) {
        for card in self.table.lines_mut() {
            let terms = self.terms.get(card.carrier.index()).and_then(Option::as_ref);
            let calendar = &terms.expect("a card's carrier stays in the catalogue").carrier(index).calendar;
            let first_open = calendar.day_of(now.saturating_sub(index.horizon_s));
            card.usage.close_unused(calendar, first_open.saturating_sub(1));
        }
    }

    /// Takes, after it was read back, what is not written: the terms, and the rules that cards share.
    pub(super) fn settle_in(&mut self, index: &CatalogueIndex) {
        self.renew_terms(index);
        for card in self.table.lines_mut() {
            let rules = index.rules(self.said.names.get(card.plan));
            card.account.share(rules);
        }
    }

    /// Takes the terms of the catalogue in force.
    pub(super) fn renew_terms(&mut self, index: &CatalogueIndex) {
        let declared = &self.said.declared;
        self.terms = self.said.names.all().map(|name| Terms::of(index, name, declared)).collect();
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> Memory {
        let (lines, index) = self.table.bytes();
        let mut memory = Memory { lines, index: index + self.timers.bytes(), ..Memory::default() };
        self.table.lines().iter().for_each(|card| card.add_heap(&mut memory));
        memory
    }
}

/// What a card's step is told.
fn ctx<'a>(card: &Card, said: &'a Said, terms: &'a [Option<Terms>], moment: &Moment<'a>) -> Ctx<'a> {
    let terms = terms.get(card.carrier.index()).and_then(Option::as_ref);
    let terms = terms.expect("a card's carrier stays in the catalogue");
    Ctx {
        position: moment.position,
        now: moment.now,
        index: moment.index,
        carrier: terms.carrier(moment.index),
        terms,
        names: &said.names,
        feeds: moment.feeds,
        flushed_through: said.flushed_through,
        faults: moment.faults,
    }
}

/// Hands a record that was not counted to quarantine or dead letter.
pub(super) fn keep(
    card: Option<CardId>,
    record: &Record<'_>,
    origin: &Origin<'_>,
    verdict: Verdict,
    moment: &Moment<'_>,
    effects: &mut Effects,
) {
    effects.received(origin.received_ms);
    if !verdict.is_kept() {
        return;
    }
    let record = OwnedRecord::of(record).expect("records from outside have owned copies");
    effects.quarantined.push(Quarantined {
        outcome: verdict.outcome,
        reason: verdict.reason,
        position: moment.position,
        card,
        record,
        source: origin.source.to_owned(),
        source_partition: origin.partition,
        source_offset: origin.offset,
        received_ms: origin.received_ms,
        log_time: moment.now,
    });
}
