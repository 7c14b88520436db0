//! Counting: dated parts of a record go into days and cycles, and whoever depends on them is told.

use super::book;
use super::card::Card;
use super::ctx::{Because, Ctx};
use super::cycle::Source;
use super::dates::{DaySpan, Part, Ruler, Span, Volume};
use super::due;
use super::effects::Effects;
use super::life::{self, Turn};
use super::state::CardState;
use super::usage::Moved;
use crate::model::UnixTime;

/// One record's way into its card.
pub(super) struct Counting<'a, 'c> {
    pub card: &'a mut Card,
    pub ctx: &'a Ctx<'c>,
    pub source: Source,
    moved: Moved,
    /// Whether a part went to another cycle than the last.
    past_cycle: bool,
    /// The greatest time at which it says that the card was used; `None`: it only takes back.
    last: Option<UnixTime>,
}

impl<'a, 'c> Counting<'a, 'c> {
    pub(super) fn new(card: &'a mut Card, ctx: &'a Ctx<'c>, source: Source, last: Option<UnixTime>) -> Self {
        Self { card, ctx, source, moved: Moved::default(), past_cycle: false, last }
    }

    /// Spreads a volume over a span in proportion to time.
    pub(super) fn spread(&mut self, span: Span, volume: Volume) {
        let cuts = self.card.take_cuts();
        let ruler = Ruler { calendar: self.ctx.calendar(), cuts: &cuts };
        ruler.cut(span, volume, &mut |part| self.add(&part));
        self.card.put_cuts(cuts);
    }

    /// Makes a volume all that the source has of a day: spread over a span within it.
    pub(super) fn replace(&mut self, day: &DaySpan, span: Span, volume: Volume) {
        self.card.usage.clear(day, self.source, self.ctx.position.offset);
        self.moved.source_changed = true;
        self.spread(span, volume);
    }

    /// Takes a volume from the newest that the source has within a span, and answers how much there was to take.
    pub(super) fn take_newest(&mut self, within: Span, volume: Volume) -> Volume {
        let offset = self.ctx.position.offset;
        self.moved.source_changed = true;
        self.card.usage.take_newest(self.ctx.calendar(), within, self.source, volume, offset)
    }

    fn add(&mut self, part: &Part) {
        let opened = self.card.usage.open_cycle(self.ctx.calendar(), part.day.day);
        assert!(opened.is_some(), "a record is counted only in months that the calendar knows");
        let moved = self.card.usage.add(part, self.source, self.ctx.position.offset);
        self.moved.source_changed |= moved.source_changed;
        self.moved.new_piece |= moved.new_piece;
        let last = self.card.usage.cycles().last();
        self.past_cycle |= last.is_some_and(|cycle| part.day.day < cycle.start);
    }

    /// All parts are in: states, alerts and timers follow.
    pub(super) fn finish(mut self, received_ms: i64, effects: &mut Effects) {
        let because = self.ctx.record(received_ms);
        self.ctx.changed(self.card, effects);
        match self.card.state {
            CardState::Active => {}
            CardState::Registered => {
                let cause = "usage".to_owned();
                life::turn(self.card, Turn::Active, cause, self.ctx, &because, effects);
            }
            CardState::Suspended | CardState::Cancelled => {
                if let Some(last) = self.last {
                    life::used(self.card, last, self.ctx, &because, effects);
                }
            }
        }
        if self.card.state != CardState::Cancelled {
            self.hear(&because, effects);
        }
        if self.card.has_account() && !self.is_quiet() {
            book::evaluate(self.card, self.ctx, &because, effects);
        }
        if self.moved.new_piece {
            due::reschedule(self.card, self.ctx);
        }
    }

    /// The alerts that are not about packages. Most fleets have none: two branches that always go one way.
    fn hear(&mut self, because: &Because<'_>, effects: &mut Effects) {
        if self.ctx.index.watches_usage && !self.card.has_account() {
            book::begin(self.card, self.ctx, because, effects);
        }
        // What only takes back is no sign of life.
        if self.last.is_some() && self.card.account.listens() {
            let feed = match self.source {
                Source::Settling => self.ctx.terms.settling.unwrap_or_default(),
                Source::FirstEstimate => self.card.estimates()[0],
                Source::SecondEstimate => self.card.estimates()[1],
            };
            book::hear(self.card, self.ctx, feed, because, effects);
        }
    }

    /// Whether the account knows beforehand that nothing happens: the running cycle only grew, and not far enough.
    fn is_quiet(&self) -> bool {
        let calendar = self.ctx.calendar();
        !self.moved.source_changed
            && !self.past_cycle
            && self.card.usage.cycles().last().is_some_and(|cycle| {
                let running = calendar.day_start(cycle.start) <= self.ctx.now
                    && self.ctx.now < calendar.day_start(cycle.end);
                running && self.card.account.is_quiet(cycle.used)
            })
    }
}
