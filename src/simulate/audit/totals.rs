//! Totals that carriers tell (`docs/rules.md` R3): of a day, or of a cycle to date. They replace, never add.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::line::{Line, Source, Terms, Use, Verdict};
use super::logbook::Reading;
use super::readings::of_reading;
use crate::model::{CounterData, Day, EventBody, Outcome, UnixTime};

/// A day or a cycle: its first day, and the first after it.
type Period = (Day, Day);

/// The total of a period, as it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    source: Source,
    counter: String,
    period: Period,
    at: UnixTime,
    figures: (u64, u64),
}

/// Whether a reading is a carrier's total.
pub(super) fn is_total(reading: &Reading) -> bool {
    ["day-total", "cycle-total"].contains(&reading.counter.as_str())
}

impl Line {
    /// Judges a total and makes it what the card has.
    pub(super) fn total(&mut self, reading: &Reading, terms: Terms<'_>) -> Verdict {
        match self.judge_total(reading, terms) {
            Err(outcome) => Verdict { outcome, bytes: 0 },
            Ok((source, period)) => {
                let bytes = self.count_total(reading, &source, period, terms);
                Verdict { outcome: Outcome::Counted, bytes }
            }
        }
    }

    fn judge_total(&self, reading: &Reading, terms: Terms<'_>) -> Result<(Source, Period), Outcome> {
        let too_much = reading.width == 32 && reading.tx.max(reading.rx) >= 1 << 32;
        if reading.at > terms.now + 600 || too_much || reading.feed == "modem" {
            return Err(Outcome::Rejected);
        }
        let settles = terms.carrier.settling_feed.as_ref() == Some(&reading.feed);
        let source =
            if settles { Some(Source::Settling) } else { self.estimate(&reading.feed, terms.catalogue) };
        let source = source.ok_or(Outcome::Rejected)?;
        let period = period(reading, terms).ok_or(Outcome::Rejected)?;
        if reading.at <= terms.zone.start(period.0) {
            return Err(Outcome::Rejected);
        }
        let last_second = reading.at.min(terms.zone.start(period.1)) - 1;
        if !self.holds(reading.number, last_second) {
            return Err(Outcome::Unknown);
        }
        if !self.is_open(terms.zone.day(last_second), terms) {
            return Err(Outcome::Late);
        }
        match self.told(&source, &reading.counter, period) {
            Some(told) if told.at == reading.at && told.figures == (reading.tx, reading.rx) => {
                Err(Outcome::Duplicate)
            }
            Some(told) if told.at >= reading.at => Err(Outcome::Late),
            _ => Ok((source, period)),
        }
    }

    fn told(&self, source: &Source, counter: &str, period: Period) -> Option<&Told> {
        let is_it = |told: &&Told| told.source == *source && told.counter == counter && told.period == period;
        self.totals.iter().find(is_it)
    }

    fn count_total(&mut self, reading: &Reading, source: &Source, period: Period, terms: Terms<'_>) -> u64 {
        let before = self.told(source, &reading.counter, period).map(|told| (told.at, told.figures));
        let of_cycles = |told: &Told| told.source == *source && told.counter == "cycle-total";
        let begins = reading.counter == "cycle-total" && !self.totals.iter().any(of_cycles);
        let figures = (reading.tx, reading.rx);
        let told = Told {
            source: source.clone(),
            counter: reading.counter.clone(),
            period,
            at: reading.at,
            figures,
        };
        self.totals
            .retain(|t| (&t.source, &t.counter, t.period) != (&told.source, &told.counter, told.period));
        self.totals.push(told);
        if *source != Source::Settling {
            self.meet(&reading.feed, source);
        }
        self.by_totals.insert(source.clone(), reading.feed.clone());
        let had = self.of_days(source, period);
        if had == figures {
            return 0;
        }
        let more = (figures.0.saturating_sub(had.0), figures.1.saturating_sub(had.1));
        let less = (had.0.saturating_sub(figures.0), had.1.saturating_sub(figures.1));
        let (start, until) = (terms.zone.start(period.0), reading.at.min(terms.zone.start(period.1)));
        let is_day = reading.counter == "day-total";
        let taken = if is_day && before.is_none() {
            self.empty(source, period.0);
            self.spread_reading(source, (start, until), figures, terms);
            less
        } else {
            let taken = self.take_back(source, period, less, terms);
            let held = before.map(|(at, _)| at).filter(|at| !is_day || *at < terms.zone.start(period.1));
            let since = if begins { until - 1 } else { held.unwrap_or(start) };
            let from = since.max(start).max(self.open_from(terms)).min(until - 1);
            if more != (0, 0) {
                self.spread_reading(source, (from, until), more, terms);
            }
            taken
        };
        self.say_total(reading, period, &Change { before, begins, had, more, taken });
        more.0 + more.1
    }

    /// Up and down of a source from a day to before another.
    fn of_days(&self, source: &Source, (first, next): (Day, Day)) -> (u64, u64) {
        let of = self.uses.iter().filter(|u| u.source == *source && (first..next).contains(&u.day));
        of.fold((0, 0), |sum, u| (sum.0 + u.up, sum.1 + u.down))
    }

    /// Nothing of a source is left of a day.
    fn empty(&mut self, source: &Source, day: Day) {
        self.moves += 1;
        for piece in self.uses.iter_mut().filter(|u| u.source == *source && u.day == day) {
            (piece.up, piece.down) = (0, 0);
        }
    }

    /// Takes from the newest open segments of a source between two days, and answers what it found.
    fn take_back(
        &mut self,
        source: &Source,
        (first, next): (Day, Day),
        (up, down): (u64, u64),
        terms: Terms<'_>,
    ) -> (u64, u64) {
        self.moves += 1;
        let is_open: BTreeSet<Day> = (first..next).filter(|day| self.is_open(*day, terms)).collect();
        let mut newest_first: Vec<&mut Use> =
            self.uses.iter_mut().filter(|u| u.source == *source && is_open.contains(&u.day)).collect();
        newest_first.sort_by_key(|u| std::cmp::Reverse(u.segment));
        let mut rest = (up, down);
        for piece in newest_first {
            let part = (piece.up.min(rest.0), piece.down.min(rest.1));
            (piece.up, piece.down) = (piece.up - part.0, piece.down - part.1);
            rest = (rest.0 - part.0, rest.1 - part.1);
        }
        (up - rest.0, down - rest.1)
    }

    fn say_total(&mut self, reading: &Reading, period: Period, change: &Change) {
        let is_day = reading.counter == "day-total";
        let data = CounterData {
            day: is_day.then_some(period.0),
            cycle: (!is_day).then_some(period.0),
            before_at: change.before.map(|(at, _)| at),
            before_tx: change.had.0,
            before_rx: change.had.1,
            up: change.more.0,
            down: change.more.1,
            taken_up: change.taken.0,
            taken_down: change.taken.1,
            ..of_reading(reading)
        };
        if change.begins && change.more != (0, 0) {
            self.said.push(EventBody::CounterBegun(data.clone()));
        }
        let last = change.before.map_or(change.had, |(_, figures)| figures);
        if change.taken != (0, 0) || reading.tx < last.0 || reading.rx < last.1 {
            self.said.push(EventBody::CounterLowered(data));
        }
    }
}

/// What a total changes.
struct Change {
    before: Option<(UnixTime, (u64, u64))>,
    begins: bool,
    had: (u64, u64),
    more: (u64, u64),
    taken: (u64, u64),
}

/// Until when a total says that the card was used: its time, at most the end of its day or cycle.
pub(super) fn used_until(reading: &Reading, terms: Terms<'_>) -> UnixTime {
    period(reading, terms).map_or(reading.at, |(_, next)| reading.at.min(terms.zone.start(next)))
}

/// The day or cycle that a total is of.
fn period(reading: &Reading, terms: Terms<'_>) -> Option<Period> {
    let day = if reading.session.is_empty() {
        terms.zone.day(reading.at - 1)
    } else {
        let date: NaiveDate = reading.session.parse().ok()?;
        date.signed_duration_since(NaiveDate::default()).num_days() as Day
    };
    let cycle = terms.zone.cycle(day)?;
    Some(if reading.counter == "day-total" { (day, day + 1) } else { cycle })
}
