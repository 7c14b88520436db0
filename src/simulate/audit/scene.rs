//! How a card's wallet is told of its card: what was used, in event order, and whose terms hold.

use std::collections::BTreeMap;

use super::life::State;
use super::line::{Line, Terms};
use super::wallet::{Scene, Segment, Totals, Wallet};
use crate::model::{Day, UnixTime};

impl Line {
    /// Used bytes in event order, of the source that each day goes by.
    fn segments(&self) -> Vec<Segment> {
        let mut all = Vec::new();
        for day in self.days() {
            let mut by_start: BTreeMap<UnixTime, u64> = BTreeMap::new();
            let (source, _) = self.used_of_day(day);
            for piece in self.uses.iter().filter(|u| u.day == day && u.source == source) {
                *by_start.entry(piece.segment).or_default() += piece.up + piece.down;
            }
            self.correct(day, &mut by_start);
            all.extend(by_start.into_iter().map(|(start, bytes)| Segment { start, bytes }));
        }
        all
    }

    /// Calls the wallet with what it must know as of `at`.
    pub(super) fn with_wallet<R>(
        &mut self,
        terms: Terms<'_>,
        at: UnixTime,
        call: impl FnOnce(&mut Wallet, &Scene<'_>) -> R,
    ) -> R {
        self.know_cycle(terms.zone, terms.zone.day(at));
        self.lend_wallet(terms, at, call)
    }

    /// The same for a look of which nothing may come: then no cycle begins with it.
    pub(super) fn lend_wallet<R>(
        &mut self,
        terms: Terms<'_>,
        at: UnixTime,
        call: impl FnOnce(&mut Wallet, &Scene<'_>) -> R,
    ) -> R {
        let (segments, past) = (self.segments(), self.past(terms, at));
        let mut wallet = std::mem::take(&mut self.wallet);
        let answer = call(&mut wallet, &self.scene(terms, at, &segments, &past));
        self.wallet = wallet;
        answer
    }

    /// Cycles before a second that are not closed: first day, used, settled.
    fn past(&self, terms: Terms<'_>, at: UnixTime) -> Vec<(Day, u64, u64)> {
        let running = terms.zone.cycle_at(at);
        let open = self.cycles.iter().filter(|(first, cycle)| !cycle.closed && **first < running);
        open.map(|(first, _)| {
            let (used, settled) = self.used_of_cycle(terms.zone, *first);
            (*first, used, settled)
        })
        .collect()
    }

    /// When time alone makes a rule reached.
    pub(super) fn next_alert(&self, terms: Terms<'_>) -> Option<UnixTime> {
        self.wallet.next_alert(&self.scene(terms, terms.now, &[], &[]))
    }

    fn scene<'a>(
        &'a self,
        terms: Terms<'a>,
        at: UnixTime,
        segments: &'a [Segment],
        past: &'a [(Day, u64, u64)],
    ) -> Scene<'a> {
        let cycle = terms.zone.cycle_at(at);
        let (used, settled) = self.used_of_cycle(terms.zone, cycle);
        Scene {
            zone: terms.zone,
            now: terms.now,
            at,
            cycle,
            used,
            settled,
            settling: terms.settling(at),
            active: matches!(self.state, State::Registered | State::Active),
            past,
            closed_through: self.closed_through,
            heard: terms.heard,
            settling_feed: terms.carrier.settling_feed.as_deref().unwrap_or("modem"),
            segments,
            open_from: terms
                .zone
                .start(terms.zone.day(at - terms.horizon()).max(self.closed_through.saturating_add(1))),
            plan_rules: terms.rules(&self.plan),
            own_channels: &terms.catalogue.own_channels,
        }
    }

    pub(super) fn totals(&self, terms: Terms<'_>, at: UnixTime) -> Totals {
        let segments = self.segments();
        self.wallet.totals(&self.scene(terms, at, &segments, &[]))
    }

    /// Quota and remaining of a cycle: as of now, or as of its last second with what was used until then.
    pub(super) fn left_of(&self, terms: Terms<'_>, cycle: Day) -> (Option<u64>, Option<u64>) {
        let (mut segments, end) = (self.segments(), terms.zone.cycle_end(cycle));
        if end <= terms.now {
            segments.retain(|segment| segment.start < end);
        }
        let scene = self.scene(terms, terms.now.min(end - 1), &segments, &[]);
        let totals = self.wallet.totals(&Scene { used: u64::MAX, ..scene });
        (totals.quota, totals.remaining)
    }

    pub(super) fn burnt_in(&self, terms: Terms<'_>, cycle: Day) -> u64 {
        let segments = self.segments();
        self.wallet.burnt_in(&self.scene(terms, terms.now, &segments, &[]), cycle)
    }
}
