//! Alert rules of one card, by the words of `docs/rules.md` A: what is reached, what was told, what is due.

use std::collections::BTreeMap;

use super::terms::{alert, reached};
use super::wallet::{Scene, Totals};
use crate::model::{AlertData, Day, EventBody, Occasion, Rule, RuleKind, UnixTime};

/// What a rule does when it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stance {
    Armed,
    Held,
    Fired,
}

/// When the feeds of a partition were heard of: last, and since when without a gap.
pub(super) type Heard = BTreeMap<String, Fresh>;

#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh {
    pub(super) last: UnixTime,
    pub(super) since: UnixTime,
    pub(super) may_be_silent: i64,
}

#[derive(Debug, Clone)]
struct Watch {
    rule: Rule,
    stance: Stance,
    /// The arming of the alert that is not resolved, and its day, cycle or silence.
    told: Option<(u32, i64)>,
    /// The arming in which it fired last.
    fired_in: Option<u32>,
    /// The record after which a silence began that is told or held.
    silent_since: UnixTime,
    /// Days or cycles that were reached: told, or held.
    reached: BTreeMap<Day, bool>,
}

/// All rules of a card.
#[derive(Debug, Clone, Default)]
pub(super) struct Watches {
    own: Vec<Rule>,
    list: Vec<Watch>,
    arming: u32,
    /// The card's last record and its feed.
    last: Option<(UnixTime, Option<String>)>,
    looked_at: UnixTime,
    /// When the card last was resumed.
    resumed: UnixTime,
}

/// Why rules are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Why {
    Usage,
    Raise,
    Time,
}

fn speaks_of_days(kind: RuleKind) -> bool {
    matches!(kind, RuleKind::UsedDayBytes(_) | RuleKind::UsedBytes(_))
}

fn of_silence(watch: &Watch) -> Option<i64> {
    match watch.rule.kind {
        RuleKind::NoDataHours(hours) => Some(i64::from(hours) * 3_600),
        _ => None,
    }
}

impl Watches {
    pub(super) fn set(&mut self, rules: &[Rule]) {
        self.own = rules.to_vec();
    }

    /// Rules of a card that is used for the first time: nothing of it was reached before.
    pub(super) fn begin(&mut self, rules: &[Rule]) {
        self.list = rules.iter().map(|rule| Watch::new(rule.clone())).collect();
    }

    pub(super) fn wants_cycles(&self) -> bool {
        let wants = |w: &Watch| speaks_of_days(w.rule.kind) || of_silence(w).is_some();
        self.list.iter().any(wants)
    }

    /// A record of the card; whether it is the first, or may end a silence.
    pub(super) fn hear(&mut self, now: UnixTime, feed: &str) -> bool {
        let (asks, first) = (self.list.iter().any(|w| of_silence(w).is_some()), self.last.is_none());
        if asks {
            self.last = Some((now, Some(feed.to_owned())));
        }
        let silent = |w: &Watch| of_silence(w).is_some() && w.stance != Stance::Armed;
        asks && (first || self.list.iter().any(silent))
    }

    /// The card may be used again: a silence counts from now, and what it was silent before says nothing of it. One that
    /// was told is told.
    pub(super) fn resume(&mut self, now: UnixTime) {
        self.resumed = now;
        for watch in self.list.iter_mut().filter(|w| of_silence(w).is_some() && w.told.is_none()) {
            watch.stance = Stance::Armed;
        }
    }

    /// When time alone makes a rule reached, as far as is known.
    pub(super) fn next_due(&self, scene: &Scene<'_>, chain_end: Option<UnixTime>) -> Option<UnixTime> {
        let armed = self.list.iter().filter(|w| w.stance == Stance::Armed);
        let due = armed.filter_map(|w| match w.rule.kind {
            RuleKind::ExpiresDays(days) => Some(warning(scene, chain_end?, days)),
            RuleKind::NoDataHours(_) => self.silence_due(scene, of_silence(w)?),
            _ => None,
        });
        due.filter(|due| *due > self.looked_at).min()
    }

    /// The end of a silence during which the feed was there all the time.
    fn silence_due(&self, scene: &Scene<'_>, wait: i64) -> Option<UnixTime> {
        let (last, feed) = self.last.as_ref()?;
        let feed = scene.heard.get(feed.as_deref().unwrap_or(scene.settling_feed))?;
        let due = (*last).max(feed.since).max(self.resumed) + wait;
        (feed.last + feed.may_be_silent >= due).then_some(due)
    }

    /// Looks at all rules.
    pub(super) fn look(
        &mut self,
        scene: &Scene<'_>,
        totals: &Totals,
        chain_end: Option<UnixTime>,
        why: Why,
        out: &mut Vec<EventBody>,
    ) {
        if why != Why::Time {
            self.adopt(scene, totals, chain_end, out);
        }
        if why == Why::Raise {
            self.arming += 1;
        }
        let mut list = std::mem::take(&mut self.list);
        for watch in &mut list {
            let sight = Sight { scene, totals, chain_end, watches: self };
            match why {
                Why::Raise => sight.raise(watch, out),
                Why::Usage => sight.again(watch, out),
                Why::Time if watch.is_of_time() => sight.fire(watch, out),
                Why::Time => {}
            }
        }
        self.list = list;
        self.looked_at = scene.at;
        self.note_first(scene);
    }

    /// A silence counts from when a rule first asks, if the card has been used.
    fn note_first(&mut self, scene: &Scene<'_>) {
        let asks = self.list.iter().any(|w| of_silence(w).is_some());
        let used = scene.used > 0 || scene.open_days().any(|(_, bytes)| bytes > 0);
        if !asks {
            self.last = None;
        } else if self.last.is_none() && used {
            self.last = Some((scene.at, None));
        }
    }

    /// New rules are measured in silence; alerts of rules that are gone resolve.
    fn adopt(
        &mut self,
        scene: &Scene<'_>,
        totals: &Totals,
        chain_end: Option<UnixTime>,
        out: &mut Vec<EventBody>,
    ) {
        let rules = if self.own.is_empty() { scene.plan_rules.to_vec() } else { self.own.clone() };
        if rules.iter().eq(self.list.iter().map(|watch| &watch.rule)) {
            return;
        }
        let before = std::mem::take(&mut self.list);
        let sight = Sight { scene, totals, chain_end, watches: self };
        let known = |rule: &Rule| before.iter().find(|watch| watch.rule == *rule).cloned();
        let list = rules.iter().map(|rule| {
            known(rule).unwrap_or_else(|| {
                let mut watch = Watch::new(rule.clone());
                sight.measure(&mut watch);
                watch
            })
        });
        let list = list.collect();
        for gone in before.iter().filter(|watch| !rules.contains(&watch.rule)) {
            if let Some(told) = gone.told {
                out.push(EventBody::AlertResolved(sight.resolved(gone, told)));
            }
        }
        self.list = list;
        let fired = |w: &&Watch| w.fired_in == Some(self.arming);
        if before.iter().filter(fired).any(|watch| !rules.contains(&watch.rule)) {
            // A rule under the name of one that has fired and is gone fires other alerts.
            self.arming += 1;
        }
    }
}

/// What a rule is judged by.
struct Sight<'a> {
    scene: &'a Scene<'a>,
    totals: &'a Totals,
    chain_end: Option<UnixTime>,
    watches: &'a Watches,
}

impl Sight<'_> {
    /// Whether a rule holds now; `None`: it has nothing to speak of.
    fn holds(&self, watch: &Watch) -> Option<bool> {
        match watch.rule.kind {
            RuleKind::ExpiresDays(days) => Some(warning(self.scene, self.chain_end?, days) <= self.scene.at),
            RuleKind::NoDataHours(_) => {
                let (at, (_, feed)) = (self.scene.at, self.watches.last.as_ref()?);
                if !self.scene.active {
                    // It is silent because it was told to be.
                    return Some(false);
                }
                let feed = self.scene.heard.get(feed.as_deref().unwrap_or(self.scene.settling_feed));
                let is_there = feed.is_some_and(|feed| feed.last + feed.may_be_silent >= at);
                let due = self.watches.silence_due(self.scene, of_silence(watch)?);
                Some(is_there && due.is_some_and(|due| due <= at))
            }
            kind => reached(kind, self.totals),
        }
    }

    fn again(&self, watch: &mut Watch, out: &mut Vec<EventBody>) {
        if of_silence(watch).is_some() && watch.stance != Stance::Armed && self.is_broken(watch) {
            watch.stance = Stance::Armed;
            if let Some(told) = watch.told.take() {
                out.push(EventBody::AlertResolved(self.resolved(watch, told)));
            }
        }
        self.fire(watch, out);
    }

    fn is_broken(&self, watch: &Watch) -> bool {
        self.watches.last.as_ref().is_some_and(|(last, _)| *last > watch.silent_since)
    }

    fn fire(&self, watch: &mut Watch, out: &mut Vec<EventBody>) {
        let arming = self.watches.arming;
        if speaks_of_days(watch.rule.kind) {
            for (day, used) in self.newly_reached(watch) {
                watch.reached.insert(day, true);
                watch.fired_in = Some(arming);
                if watch.told.is_none_or(|(_, which)| i64::from(day) >= which) {
                    watch.told = Some((arming, i64::from(day)));
                }
                out.push(EventBody::AlertFired(self.of_day(watch, arming, day, used)));
            }
            return;
        }
        match (watch.stance, self.holds(watch)) {
            (Stance::Armed, Some(true)) => {
                (watch.stance, watch.fired_in) = (Stance::Fired, Some(arming));
                self.note_silence(watch);
                watch.told = Some((arming, watch.silent_since));
                let occasion = self.occasion(watch, watch.silent_since);
                out.push(EventBody::AlertFired(alert(
                    &watch.rule,
                    arming,
                    self.scene,
                    self.totals,
                    occasion,
                )));
            }
            (Stance::Held, Some(false)) if !watch.is_of_time() => watch.stance = Stance::Armed,
            _ => {}
        }
    }

    fn raise(&self, watch: &mut Watch, out: &mut Vec<EventBody>) {
        self.measure(watch);
        let Some(told) = watch.told else { return };
        let is_over = if speaks_of_days(watch.rule.kind) {
            // Another day or cycle has begun, or less was used of this one than was told.
            told.1 != i64::from(self.today(watch.rule.kind)) || !self.is_used_now(watch.rule.kind)
        } else {
            watch.stance == Stance::Armed
        };
        if is_over {
            watch.told = None;
            out.push(EventBody::AlertResolved(self.resolved(watch, told)));
        }
    }

    /// What is reached is held, without a word.
    fn measure(&self, watch: &mut Watch) {
        if speaks_of_days(watch.rule.kind) {
            for (day, _) in self.newly_reached(watch) {
                watch.reached.insert(day, false);
            }
            return;
        }
        if of_silence(watch).is_some() && watch.stance != Stance::Armed && !self.is_broken(watch) {
            watch.stance = Stance::Held;
            return;
        }
        watch.stance = if self.holds(watch) == Some(true) { Stance::Held } else { Stance::Armed };
        if watch.stance == Stance::Held && watch.told.is_none() {
            self.note_silence(watch);
        }
    }

    fn note_silence(&self, watch: &mut Watch) {
        if let (Some(_), Some((last, _))) = (of_silence(watch), self.watches.last.as_ref()) {
            watch.silent_since = *last;
        }
    }

    /// Days or cycles over the figure of which nothing is known; held ones that fell below it are forgotten.
    fn newly_reached(&self, watch: &mut Watch) -> Vec<(Day, u64)> {
        let (limit, all): (u64, Vec<(Day, u64)>) = match watch.rule.kind {
            RuleKind::UsedDayBytes(limit) => (limit, self.scene.open_days().collect()),
            RuleKind::UsedBytes(limit) => {
                let past = self.scene.past.iter().map(|(cycle, used, _)| (*cycle, *used));
                (limit, past.chain([(self.scene.cycle, self.scene.used)]).collect())
            }
            _ => return Vec::new(),
        };
        let over = |day: &Day| all.iter().any(|(d, used)| d == day && *used >= limit);
        watch.reached.retain(|day, told| *told || over(day));
        all.into_iter().filter(|(day, used)| *used >= limit && !watch.reached.contains_key(day)).collect()
    }

    fn today(&self, kind: RuleKind) -> Day {
        match kind {
            RuleKind::UsedDayBytes(_) => self.scene.zone.day(self.scene.at),
            _ => self.scene.cycle,
        }
    }

    /// Whether as much as the rule says was used of today, or of the running cycle.
    fn is_used_now(&self, kind: RuleKind) -> bool {
        match kind {
            RuleKind::UsedDayBytes(limit) => {
                self.scene.open_days().any(|(day, used)| day == self.today(kind) && used >= limit)
            }
            RuleKind::UsedBytes(limit) => self.scene.used >= limit,
            _ => false,
        }
    }

    fn occasion(&self, watch: &Watch, which: i64) -> Occasion {
        match watch.rule.kind {
            RuleKind::UsedDayBytes(_) => Occasion { day: Some(which as Day), ..Occasion::default() },
            RuleKind::NoDataHours(_) => Occasion { since: Some(which), ..Occasion::default() },
            RuleKind::ExpiresDays(_) => Occasion { expires_at: self.chain_end, ..Occasion::default() },
            _ => Occasion::default(),
        }
    }

    fn resolved(&self, watch: &Watch, (arming, which): (u32, i64)) -> AlertData {
        alert(&watch.rule, arming, self.scene, self.totals, self.occasion(watch, which))
    }

    fn of_day(&self, watch: &Watch, arming: u32, day: Day, used: u64) -> AlertData {
        let mut occasion = self.occasion(watch, i64::from(day));
        occasion.day_used = occasion.day.map(|_| used);
        let data = alert(&watch.rule, arming, self.scene, self.totals, occasion);
        if day >= self.scene.cycle {
            return data;
        }
        let of = self.scene.past.iter().rev().find(|(cycle, ..)| *cycle <= day);
        let (cycle, used, settled) = of.copied().unwrap_or((day, 0, 0));
        let provisional = used - settled;
        AlertData { late: true, cycle, used, settled, provisional, overage: 0, forecast: None, ..data }
    }
}

impl Watch {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            stance: Stance::Armed,
            told: None,
            fired_in: None,
            silent_since: 0,
            reached: BTreeMap::new(),
        }
    }

    fn is_of_time(&self) -> bool {
        matches!(self.rule.kind, RuleKind::ExpiresDays(_) | RuleKind::NoDataHours(_))
    }
}

/// The same time of the day, so many days earlier.
fn warning(scene: &Scene<'_>, end: UnixTime, days: u16) -> UnixTime {
    let (day, first) = (scene.zone.day(end), scene.zone.day(end) - Day::from(days));
    (scene.zone.start(first) + (end - scene.zone.start(day))).min(scene.zone.end(first))
}
