//! One card, as `docs/rules.md` has it: every record ever counted is kept, and all totals are sums over them.

use std::collections::{BTreeMap, BTreeSet};

use super::corrections::{Correction, References, Restated};
use super::credits::Credits;
use super::dating;
use super::life::Stop;
pub(super) use super::life::{By, State};
use super::logbook::Cdr;
use super::opening::Brought;
use super::totals::Told;
use super::wallet::Wallet;
use super::watch::Heard;
use super::zone::Zone;
use crate::model::{
    Carrier, CarrierState, Catalogue, Day, EventBody, FeedRole, Number, Outcome, Rule, UnixTime,
};

/// Whose figures a piece of usage is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Settling,
    /// The estimating feed, by the order in which the card met it.
    Estimate(usize),
}

/// A counted piece of usage.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) source: Source,
    pub(super) day: Day,
    /// Where the piece of the day began when it was counted.
    pub(super) segment: UnixTime,
    pub(super) up: u64,
    pub(super) down: u64,
}

/// What makes a repeat a duplicate rather than a conflict.
type Content = (UnixTime, u64, u64, Vec<(UnixTime, u64, u64)>);

/// A cycle of which anything is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Cycle {
    pub(super) next: Day,
    pub(super) closed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) key: (String, u64, String),
    pub(super) session: String,
    pub(super) at: UnixTime,
    pub(super) figures: (u64, u64),
}

/// What became of a usage record.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// Bytes for the ledger.
    pub(super) bytes: u64,
}

/// The card.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) iccid: String,
    pub(super) carrier: String,
    pub(super) plan: String,
    pub(super) channel: String,
    pub(super) state: State,
    pub(super) numbers: Vec<(Number, UnixTime, Option<UnixTime>)>,
    pub(super) wallet: Wallet,
    /// Whether the packages in force held anything when they were last looked at.
    pub(super) holds_some: bool,
    pub(super) credits: Credits,
    /// Of a card that came in mid-life.
    pub(super) brought: Option<Brought>,
    pub(super) corrections: Vec<Correction>,
    pub(super) references: References,
    /// Closed cycles that were given other figures.
    pub(super) restated: BTreeMap<Day, Restated>,
    pub(super) commands: BTreeMap<String, (Vec<u8>, UnixTime)>,
    pub(super) cycles: BTreeMap<Day, Cycle>,
    /// Quota and remaining of cycles that have closed.
    pub(super) left_at_close: BTreeMap<Day, (Option<u64>, Option<u64>)>,
    pub(super) closed_through: Day,
    pub(super) complete_through: Day,
    /// Days that closed, and whether they were complete then.
    pub(super) closed_days: BTreeMap<Day, bool>,
    estimates: Vec<String>,
    ids: BTreeMap<(String, String, UnixTime), Content>,
    pub(super) uses: Vec<Use>,
    /// How often anything was counted or taken back.
    pub(super) moves: usize,
    pub(super) counters: Vec<Counter>,
    /// Totals that carriers told.
    pub(super) totals: Vec<Told>,
    /// Which feed told the last total of a source.
    pub(super) by_totals: BTreeMap<Source, String>,
    /// What readings gave cause to publish.
    pub(super) said: Vec<EventBody>,
    cuts: BTreeSet<UnixTime>,
    pub(super) stop: Stop,
    /// How often its state has turned.
    pub(super) turns: usize,
    pub(super) confirmed: Option<CarrierState>,
    pub(super) confirmed_at: UnixTime,
    /// Cycles in which it was used though it was suspended or cancelled.
    pub(super) used_stopped: BTreeSet<Day>,
    /// When the last cycle of a cancelled card closed.
    pub(super) tombstone: Option<UnixTime>,
}

/// The catalogue's terms for a card.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) carrier: &'a Carrier,
    pub(super) zone: &'a Zone,
    pub(super) now: UnixTime,
    pub(super) heard: &'a Heard,
}

impl<'a> Terms<'a> {
    pub(super) fn horizon(&self) -> i64 {
        i64::from(self.catalogue.late_horizon_days) * 86_400
    }

    pub(super) fn rules(&self, plan: &str) -> &'a [Rule] {
        let plan = self.catalogue.plans.iter().find(|p| p.name == plan);
        plan.map(|p| p.rules.as_slice()).filter(|r| !r.is_empty()).unwrap_or(&self.catalogue.default_rules)
    }

    pub(super) fn settling(&self, at: UnixTime) -> bool {
        let day = self.zone.day(at);
        self.zone.cycle(day).is_some_and(|(first, next)| {
            day - first < Day::from(self.carrier.settling_days_first)
                || next - day <= Day::from(self.carrier.settling_days_last)
        })
    }
}

impl Line {
    pub(super) fn new(carrier: String, plan: String, channel: String) -> Self {
        Self {
            iccid: String::new(),
            carrier,
            plan,
            channel,
            state: State::Registered,
            numbers: Vec::new(),
            wallet: Wallet::default(),
            holds_some: false,
            credits: Credits::default(),
            brought: None,
            corrections: Vec::new(),
            references: References::new(),
            restated: BTreeMap::new(),
            commands: BTreeMap::new(),
            cycles: BTreeMap::new(),
            left_at_close: BTreeMap::new(),
            closed_through: Day::MIN,
            complete_through: Day::MIN,
            closed_days: BTreeMap::new(),
            estimates: Vec::new(),
            ids: BTreeMap::new(),
            uses: Vec::new(),
            moves: 0,
            counters: Vec::new(),
            totals: Vec::new(),
            by_totals: BTreeMap::new(),
            said: Vec::new(),
            cuts: BTreeSet::new(),
            stop: Stop::default(),
            turns: 0,
            confirmed: None,
            confirmed_at: 0,
            used_stopped: BTreeSet::new(),
            tombstone: None,
        }
    }

    /// Judges a CDR and counts it if it counts.
    pub(super) fn cdr(&mut self, cdr: &Cdr, terms: Terms<'_>) -> Verdict {
        let bytes = cdr.up + cdr.down;
        if self.tombstone.is_some() {
            return Verdict { outcome: Outcome::Unknown, bytes };
        }
        let outcome = self.judge_cdr(cdr, terms).unwrap_or_else(|source| {
            self.count_cdr(cdr, &source, terms);
            Outcome::Counted
        });
        Verdict { outcome, bytes }
    }

    /// `Ok`: it is not counted, and why. `Err`: it counts, as this source's.
    fn judge_cdr(&self, cdr: &Cdr, terms: Terms<'_>) -> Result<Outcome, Source> {
        let last = cdr.slices.iter().map(|s| s.end).chain([cdr.start, cdr.end]).max().unwrap_or(cdr.end);
        let sum = cdr.slices.iter().fold((0, 0), |(up, down), s| (up + s.up, down + s.down));
        if last > terms.now + 600 || !cdr.slices.is_empty() && sum != (cdr.up, cdr.down) {
            return Ok(Outcome::Rejected);
        }
        let settles = terms.carrier.settling_feed.as_ref() == Some(&cdr.feed);
        let source = if settles { Some(Source::Settling) } else { self.estimate(&cdr.feed, terms.catalogue) };
        let Some(source) = source.filter(|source| self.by_totals.get(source) != Some(&cdr.feed)) else {
            return Ok(Outcome::Rejected);
        };
        if !self.holds(cdr.number, cdr.start) {
            return Ok(Outcome::Unknown);
        }
        if last - cdr.start > 7 * 86_400 {
            return Ok(Outcome::Flood);
        }
        if !self.is_open(terms.zone.day(cdr.start), terms) {
            return Ok(Outcome::Late);
        }
        match self.ids.get(&(cdr.feed.clone(), cdr.id.clone(), cdr.start)) {
            Some(held) if *held == content(cdr) => Ok(Outcome::Duplicate),
            Some(_) => Ok(Outcome::Conflict),
            None => Err(source),
        }
    }

    fn count_cdr(&mut self, cdr: &Cdr, source: &Source, terms: Terms<'_>) {
        self.ids.insert((cdr.feed.clone(), cdr.id.clone(), cdr.start), content(cdr));
        self.meet(&cdr.feed, source);
        if cdr.slices.is_empty() {
            return self.spread(source, (cdr.start, cdr.end), (cdr.up, cdr.down), terms);
        }
        let mut from = cdr.start;
        for slice in &cdr.slices {
            self.spread(source, (from, slice.end), (slice.up, slice.down), terms);
            from = from.max(slice.end);
        }
    }

    pub(super) fn meet(&mut self, feed: &str, source: &Source) {
        if matches!(source, Source::Estimate(at) if *at == self.estimates.len()) {
            self.estimates.push(feed.to_owned());
        }
    }

    /// The card goes to another carrier: whoever told of it was the one's before.
    pub(super) fn forget_feeds(&mut self) {
        self.estimates.clear();
    }

    /// The place of an estimating feed on this card; `None` if it cannot count.
    pub(super) fn estimate(&self, feed: &str, catalogue: &Catalogue) -> Option<Source> {
        let role = catalogue.feeds.iter().find(|f| f.name == feed).map(|f| f.role);
        let role = role.or_else(|| (feed == "modem").then_some(FeedRole::Estimate));
        let place = self.estimates.iter().position(|held| held == feed).unwrap_or(self.estimates.len());
        (role == Some(FeedRole::Estimate) && place < 2).then_some(Source::Estimate(place))
    }

    pub(super) fn holds(&self, number: Option<Number>, at: UnixTime) -> bool {
        number.is_none_or(|number| {
            self.numbers
                .iter()
                .any(|(held, from, to)| *held == number && *from <= at && to.is_none_or(|to| at < to))
        })
    }

    pub(super) fn is_open(&self, day: Day, terms: Terms<'_>) -> bool {
        day > self.closed_through && terms.now < terms.zone.end(day) + terms.horizon()
    }

    /// Dates bytes and adds them to what was used.
    pub(super) fn spread(
        &mut self,
        source: &Source,
        interval: (UnixTime, UnixTime),
        bytes: (u64, u64),
        terms: Terms<'_>,
    ) {
        let zone = terms.zone;
        let first = zone.day(interval.0);
        let days = (first..=zone.day(interval.1.max(interval.0))).map(|day| zone.start(day));
        let edges: Vec<UnixTime> = days.chain(self.cuts.iter().copied()).collect();
        for share in dating::share(terms.carrier.split, interval, bytes, &edges) {
            let day = zone.day(share.from);
            let segment = self.segment_of(day, share.from, zone);
            self.know_cycle(zone, day);
            self.moves += 1;
            self.uses.push(Use { source: source.clone(), day, segment, up: share.up, down: share.down });
        }
    }

    /// Where the piece of a day that holds a second begins.
    pub(super) fn segment_of(&self, day: Day, at: UnixTime, zone: &Zone) -> UnixTime {
        self.cuts.range(..=at).next_back().copied().unwrap_or(i64::MIN).max(zone.start(day))
    }

    pub(super) fn know_cycle(&mut self, zone: &Zone, day: Day) {
        if let Some((first, next)) = zone.cycle(day) {
            self.cycles.entry(first).or_insert(Cycle { next, closed: false });
        }
    }

    /// Days are cut where packages begin and end.
    pub(super) fn cut(&mut self) {
        self.cuts.extend(self.wallet.edges());
    }

    /// Up and down of a day by source.
    pub(super) fn of_day(&self, day: Day) -> BTreeMap<Source, (u64, u64)> {
        let mut out = BTreeMap::new();
        for piece in self.uses.iter().filter(|u| u.day == day) {
            let sum: &mut (u64, u64) = out.entry(piece.source.clone()).or_default();
            *sum = (sum.0 + piece.up, sum.1 + piece.down);
        }
        out
    }

    /// Whether it has days or cycles.
    pub(super) fn is_known(&self) -> bool {
        !(self.days().is_empty() && self.cycles.is_empty())
    }

    pub(super) fn days(&self) -> BTreeSet<Day> {
        self.uses.iter().map(|u| u.day).chain(self.corrected_days()).collect()
    }

    pub(super) fn is_complete(&self, day: Day) -> bool {
        self.closed_days.get(&day).copied().unwrap_or(day <= self.complete_through)
    }

    /// Whose total is the day's, and the total (`docs/rules.md` C4).
    pub(super) fn used_of_day(&self, day: Day) -> (Source, u64) {
        let of = self.of_day(day);
        let total = |source: &Source| of.get(source).map_or(0, |(up, down)| up + down);
        let mut best = (Source::Settling, total(&Source::Settling));
        if !self.is_complete(day) {
            for source in [Source::Estimate(0), Source::Estimate(1)] {
                if total(&source) > best.1 {
                    best = (source.clone(), total(&source));
                }
            }
        }
        best.1 = self.corrected(day, best.1);
        best
    }

    /// Used and settled of a cycle.
    pub(super) fn used_of_cycle(&self, zone: &Zone, cycle: Day) -> (u64, u64) {
        let days =
            self.days().into_iter().filter(|day| zone.cycle(*day).is_some_and(|(first, _)| first == cycle));
        let brought = self.brought.filter(|brought| brought.cycle == cycle).map_or(0, |brought| brought.used);
        let sums = days.fold((brought, 0), |(used, settled), day| {
            let of_day = self.used_of_day(day).1;
            (used + of_day, settled + if self.is_complete(day) { of_day } else { 0 })
        });
        self.restated.get(&cycle).map_or(sums, |restated| restated.of(sums))
    }

    /// Up and down of a cycle by source.
    pub(super) fn of_cycle(&self, zone: &Zone, cycle: Day) -> BTreeMap<Source, (u64, u64)> {
        let mut out: BTreeMap<Source, (u64, u64)> = BTreeMap::new();
        for day in
            self.days().into_iter().filter(|day| zone.cycle(*day).is_some_and(|(first, _)| first == cycle))
        {
            for (source, (up, down)) in self.of_day(day) {
                let sum = out.entry(source).or_default();
                *sum = (sum.0 + up, sum.1 + down);
            }
        }
        out
    }

    /// When the next day or cycle closes.
    pub(super) fn next_close(&self, terms: Terms<'_>) -> Option<UnixTime> {
        let day = self.first_open_day().map(|day| terms.zone.end(day));
        let cycle = self.cycles.values().filter(|c| !c.closed).map(|c| terms.zone.start(c.next)).min();
        day.into_iter().chain(cycle).min().map(|end| end + terms.horizon())
    }

    pub(super) fn first_open_day(&self) -> Option<Day> {
        self.days().into_iter().find(|day| *day > self.closed_through)
    }

    /// A longer horizon comes: days that have closed by the one before stay closed.
    pub(super) fn close_by(&mut self, zone: &Zone, horizon: i64, now: UnixTime) {
        if self.is_known() {
            self.closed_through = self.closed_through.max(zone.day(now - horizon) - 1);
        }
    }

    /// Closes the first open day.
    pub(super) fn close_day(&mut self, day: Day) {
        self.closed_days.insert(day, day <= self.complete_through);
        self.closed_through = day;
    }

    /// Days of a cycle that closed without having been complete.
    pub(super) fn unsettled(&self, zone: &Zone, cycle: Day) -> u16 {
        let of_cycle = |day: &Day| zone.cycle(*day).is_some_and(|(first, _)| first == cycle);
        self.closed_days.iter().filter(|(day, complete)| of_cycle(day) && !**complete).count() as u16
    }

    /// The estimating feeds met.
    pub(super) fn estimates(&self) -> &[String] {
        &self.estimates
    }
}

fn content(cdr: &Cdr) -> Content {
    (cdr.end, cdr.up, cdr.down, cdr.slices.iter().map(|s| (s.end, s.up, s.down)).collect())
}
