//! Alerts: what was told, once an arming (`docs/rules.md` A3 to A6).
//!
//! An arming is raised by a recharge, when a package comes into force or ends, and with a new cycle. Then every rule is
//! measured silently: one that is reached already is *held*, so that a recharge at 60 % tells no false "50 %", and an
//! alert that is no longer true is resolved. Within an arming a rule fires at most once, whatever corrections do.
//!
//! Some rules have occasions of their own, and each counts as an arming: every day of `used_day_bytes`, every cycle of
//! `used_bytes` (a late record may still reach the one that is over), every silence of `no_data_hours`. What was told or
//! held of an occasion is remembered while records may still change it.

use serde::{Deserialize, Serialize};

use super::level::{LastHeard, Level, Reach, Used};
use super::rules::Watch;
use crate::meter::exact::Exact;
use crate::meter::maybe::MaybeTime;
use crate::model::{AlertData, Day, EventBody, Occasion, Rule, RuleKind};

/// Where the alerts of a card stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alerts {
    /// Counts raises.
    pub(super) arming: u32,
    /// The card's own rules; empty: its plan's, or the fleet's.
    pub(super) own: Exact<Watch>,
    /// One for each rule in force when last looked at, in the rules' order.
    pub(super) states: Exact<State>,
    /// The card's last record, while a rule asks for it, which few do.
    pub(super) heard: Option<Box<LastHeard>>,
    /// When time alone may make a rule reached.
    pub(super) due: MaybeTime,
}

/// One rule's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) watch: Watch,
    pub(super) stance: Stance,
    /// The arming whose alert is told and not resolved.
    told: Maybe,
    /// The arming in which it fired last.
    fired: Maybe,
    /// Of rules that have occasions, once there was one.
    occasions: Option<Box<Occasions>>,
}

/// The number of an arming, or none: half of what an `Option` takes, as there are as many as rules of cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Maybe(u32);

/// What is remembered of a rule's occasions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Occasions {
    /// Of the occasion that was told or held last: its day or cycle; the card's last record before a silence.
    which: i64,
    /// Days or cycles that were told or held, ascending.
    marks: Vec<Mark>,
}

/// An occasion that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    day: Day,
    /// Told, or reached when the arming was raised.
    told: bool,
}

/// What a rule does when it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// Fires.
    Armed,
    /// Was reached when the arming was raised: fires only after usage was below it.
    Held,
    /// Has fired in this arming.
    Fired,
}

impl Alerts {
    /// Rules of a card of which nothing was known: nothing is reached, all fire.
    pub(super) fn begin(&mut self, level: &Level<'_>) {
        self.states = level.ctx.default_rules.iter().cloned().map(State::armed).collect();
    }

    /// Fires what is newly reached, most severe first.
    pub(super) fn evaluate(&mut self, level: &Level<'_>, out: &mut Vec<EventBody>) {
        self.adopt(level, out);
        let arming = self.arming;
        let (mut fired, mut resolved) = (Vec::new(), Vec::new());
        for state in &mut *self.states {
            resolved.extend(state.end_silence(level));
            state.fire(level, arming, &mut fired);
        }
        out.extend(level.by_severity(resolved).map(EventBody::AlertResolved));
        out.extend(level.by_severity(fired).map(EventBody::AlertFired));
        self.schedule(level);
    }

    /// Fires what time alone has made reached. The packages that end at the same second are still as they were.
    pub(super) fn pass(&mut self, level: &Level<'_>, out: &mut Vec<EventBody>) {
        let arming = self.arming;
        let mut fired = Vec::new();
        for state in self.states.iter_mut().filter(|state| is_timed(state.watch.kind)) {
            state.fire(level, arming, &mut fired);
        }
        out.extend(level.by_severity(fired).map(EventBody::AlertFired));
        self.schedule(level);
    }

    /// Raises the arming: measures silently, resolves what is no longer true.
    pub(super) fn raise(&mut self, level: &Level<'_>, out: &mut Vec<EventBody>) {
        self.adopt(level, out);
        self.arming = self.arming.saturating_add(1);
        let mut resolved = Vec::new();
        for state in &mut *self.states {
            state.hold(level);
            let is_over = state.stance == Stance::Armed || !state.holds_still(level);
            if let Some(told) = is_over.then(|| state.told.take()).flatten() {
                resolved.push(level.data(&state.watch, told, state.occasion(level)));
            }
        }
        out.extend(level.by_severity(resolved).map(EventBody::AlertResolved));
        self.schedule(level);
    }

    /// A record of the card has come. Whether it begins or ends something: then look at the alerts.
    pub(super) fn hear(&mut self, heard: LastHeard) -> bool {
        let silent = |state: &State| is_silence(state.watch.kind) && state.stance != Stance::Armed;
        let is_first = self.heard.replace(Box::new(heard)).is_none();
        is_first || self.states.iter().any(silent)
    }

    /// The card may be used again. Its silence counts from now: what was reached while it could not be used was none. One
    /// that was told before goes on, as nothing has come.
    pub(super) fn resume(&mut self, level: &Level<'_>) {
        let untold = |state: &&mut State| is_silence(state.watch.kind) && !state.is_told();
        for state in self.states.iter_mut().filter(untold) {
            state.stance = Stance::Armed;
        }
        self.schedule(level);
    }

    /// Whether a rule asks when the card was last heard of.
    pub(super) fn listens(&self) -> bool {
        self.states.iter().any(|state| is_silence(state.watch.kind))
    }

    /// Whether a rule asks for the end of the base chain.
    pub(super) fn asks_expiry(&self, default_rules: &[Watch]) -> bool {
        let asks = |kind| matches!(kind, RuleKind::ExpiresDays(_));
        self.states.iter().any(|state| asks(state.watch.kind))
            || self.own.iter().any(|watch| asks(watch.kind))
            || default_rules.iter().any(|rule| asks(rule.kind))
    }

    /// Whether it is enough that a cycle begins: without packages nothing else raises the arming.
    pub(super) fn asks_cycle(&self) -> bool {
        self.states.iter().any(|state| state.watch.kind.watches_usage())
    }

    /// Bytes that can be burnt before a rule fires.
    pub(super) fn room(&self, level: &Level<'_>) -> u64 {
        self.states.iter().fold(u64::MAX, |least, state| least.min(state.room(level)))
    }

    fn schedule(&mut self, level: &Level<'_>) {
        if self.listens() {
            // A day whose use was taken away by hand is none.
            let begun =
                level.ctx.usage.used > 0 || level.ctx.segments.iter().any(|segment| segment.bytes > 0);
            let now = LastHeard { at: level.ctx.at, feed: 0 };
            if self.heard.is_none() && begun {
                self.heard = Some(Box::new(now));
            }
        } else {
            self.heard = None;
        }
        let level = Level { heard: self.heard.as_deref().copied(), ..*level };
        let armed = self.states.iter().filter(|state| state.stance == Stance::Armed);
        self.due = armed.filter_map(|state| level.due(state.watch.kind)).min().into();
    }

    /// Brings the states in line with the rules in force. New rules are measured silently; the alert of a rule that is
    /// gone resolves.
    fn adopt(&mut self, level: &Level<'_>, out: &mut Vec<EventBody>) {
        if self.own.is_empty() {
            let rules = level.ctx.default_rules;
            if !(self.states.len() == rules.len()
                && self.states.iter().zip(rules).all(|(s, r)| s.watch == *r))
            {
                self.replace(rules.to_vec(), level, out);
            }
        } else if !self.own.iter().eq(self.states.iter().map(|state| &state.watch)) {
            self.replace(self.own.to_vec(), level, out);
        }
    }

    fn replace(&mut self, rules: Vec<Watch>, level: &Level<'_>, out: &mut Vec<EventBody>) {
        let mut old: Vec<State> = std::mem::take(&mut self.states).into_iter().collect();
        let held = |watch: Watch| {
            if let Some(at) = old.iter().position(|state| state.watch == watch) {
                return old.swap_remove(at);
            }
            let mut state = State::armed(watch);
            state.hold(level);
            state
        };
        self.states = rules.into_iter().map(held).collect();
        if old.iter().any(|state| state.fired == Maybe(self.arming)) {
            // A rule that comes under the name of one that has fired must not fire under its identity: (card, rule, arming).
            self.arming = self.arming.saturating_add(1);
        }
        let resolved = |state: &State| {
            state.told.get().map(|told| level.data(&state.watch, told, state.occasion(level)))
        };
        let gone = old.iter().filter_map(resolved).collect();
        out.extend(level.by_severity(gone).map(EventBody::AlertResolved));
    }

    /// Sets or drops the card's own rules.
    pub(super) fn set(&mut self, rules: &[Rule], level: &Level<'_>, out: &mut Vec<EventBody>) {
        self.own = rules.iter().map(Watch::from).collect();
        self.adopt(level, out);
    }

    /// Lets go of copies of rules that others have.
    pub(super) fn share(&mut self, default_rules: &[Watch]) {
        for state in &mut *self.states {
            state.watch.share(if self.own.is_empty() { default_rules } else { &self.own });
        }
    }

    /// A planted fault.
    pub(super) fn forget(&mut self) {
        for state in &mut *self.states {
            *state = State::armed(state.watch.clone());
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let known = self.states.iter().filter_map(|state| state.occasions.as_ref());
        let marks = known.map(|known| {
            size_of::<Occasions>().saturating_add(known.marks.capacity().saturating_mul(size_of::<Mark>()))
        });
        let states = self.states.bytes();
        let own = self.own.bytes();
        let watched = self.states.iter().map(|state| &state.watch).chain(&*self.own).map(Watch::heap_bytes);
        marks.chain(watched).fold(states.saturating_add(own), usize::saturating_add)
    }
}

impl Maybe {
    const NONE: Self = Self(u32::MAX);

    fn get(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0)
    }

    fn take(&mut self) -> Option<u32> {
        std::mem::replace(self, Self::NONE).get()
    }
}

impl State {
    /// Whether an alert of it is told and not resolved.
    pub(super) fn is_told(&self) -> bool {
        self.told != Maybe::NONE
    }

    fn which(&self) -> i64 {
        self.occasions.as_ref().map_or(0, |occasions| occasions.which)
    }

    fn marks(&self) -> &[Mark] {
        self.occasions.as_ref().map_or(&[], |occasions| &occasions.marks)
    }

    fn armed(watch: Watch) -> Self {
        Self { watch, stance: Stance::Armed, told: Maybe::NONE, fired: Maybe::NONE, occasions: None }
    }

    /// Fires if it is armed and reached, and arms what was held and is so no more.
    fn fire(&mut self, level: &Level<'_>, arming: u32, fired: &mut Vec<AlertData>) {
        let kind = self.watch.kind;
        if has_occasions(kind) {
            return self.fire_occasions(level, arming, fired);
        }
        match (self.stance, level.reach(kind)) {
            (Stance::Armed, Reach::Reached) if is_silence(kind) && !level.ctx.active => {
                // A suspended card is silent because it was told to be.
                self.stance = Stance::Held;
                self.note_silence(level);
            }
            (Stance::Armed, Reach::Reached) => {
                (self.stance, self.told, self.fired) = (Stance::Fired, Maybe(arming), Maybe(arming));
                self.note_silence(level);
                fired.push(level.data(&self.watch, arming, self.occasion(level)));
            }
            (Stance::Held, Reach::Below { .. }) if !is_timed(kind) => self.stance = Stance::Armed,
            _ => {}
        }
    }

    fn fire_occasions(&mut self, level: &Level<'_>, arming: u32, fired: &mut Vec<AlertData>) {
        for used in self.look(level) {
            let (told, day) = (self.is_told(), i64::from(used.day));
            let occasions = self.occasions.get_or_insert_default();
            occasions.marks.push(Mark { day: used.day, told: true });
            self.fired = Maybe(arming);
            if !told || day >= occasions.which {
                (self.told, occasions.which) = (Maybe(arming), day);
            }
            fired.push(level.data_of(&self.watch, arming, used));
        }
        self.settle(level);
    }

    /// The occasions that are reached and neither told nor held; those that were held and are so no more are armed.
    fn look(&mut self, level: &Level<'_>) -> Vec<Used> {
        let (RuleKind::UsedBytes(limit) | RuleKind::UsedDayBytes(limit)) = self.watch.kind else {
            return Vec::new();
        };
        let mut occasions = level.occasions(self.watch.kind);
        let below = |day: Day| occasions.iter().find(|o| o.day == day).is_none_or(|o| o.bytes < limit);
        // A day may have nothing of the source that counts and still be told; it is forgotten when it closes.
        let first = match self.watch.kind {
            RuleKind::UsedDayBytes(_) => level.ctx.calendar.day_of(level.ctx.open_from),
            _ => occasions.first().map_or(Day::MIN, |occasion| occasion.day),
        };
        if let Some(known) = &mut self.occasions {
            known.marks.retain(|mark| if mark.told { mark.day >= first } else { !below(mark.day) });
        }
        occasions.retain(|o| o.bytes >= limit && self.marks().iter().all(|mark| mark.day != o.day));
        occasions
    }

    /// The stance is that of the occasion of now.
    fn settle(&mut self, level: &Level<'_>) {
        if let Some(known) = &mut self.occasions {
            known.marks.sort_unstable_by_key(|mark| mark.day);
        }
        let current = level.current(self.watch.kind);
        self.stance = match self.marks().iter().find(|mark| mark.day == current) {
            None => Stance::Armed,
            Some(mark) if mark.told => Stance::Fired,
            Some(_) => Stance::Held,
        };
    }

    /// Measures silently.
    fn hold(&mut self, level: &Level<'_>) {
        if has_occasions(self.watch.kind) {
            let held = self.look(level).into_iter().map(|used| Mark { day: used.day, told: false });
            if held.len() > 0 {
                self.occasions.get_or_insert_default().marks.extend(held);
            }
            return self.settle(level);
        }
        if is_silence(self.watch.kind) && self.stance != Stance::Armed && !self.is_broken(level) {
            // A silence that was told goes on, whatever its feed does meanwhile.
            self.stance = Stance::Held;
            return;
        }
        self.stance = match level.reach(self.watch.kind) {
            Reach::Reached => Stance::Held,
            Reach::Skips | Reach::Below { .. } => Stance::Armed,
        };
        if self.stance == Stance::Held && !self.is_told() {
            self.note_silence(level);
        }
    }

    /// Whether what was told of a day or a cycle holds still: it is that of now, and as much is used of it.
    fn holds_still(&self, level: &Level<'_>) -> bool {
        let (RuleKind::UsedBytes(limit) | RuleKind::UsedDayBytes(limit)) = self.watch.kind else {
            return true;
        };
        let current = level.current(self.watch.kind);
        let is_used = |used: &Used| used.day == current && used.bytes >= limit;
        self.which() == i64::from(current) && level.occasions(self.watch.kind).iter().any(is_used)
    }

    fn note_silence(&mut self, level: &Level<'_>) {
        if let Some(heard) = level.heard.filter(|_| is_silence(self.watch.kind)) {
            self.occasions.get_or_insert_default().which = heard.at;
        }
    }

    /// A silence that a record has ended: it is armed for the next, and resolved if it was told.
    fn end_silence(&mut self, level: &Level<'_>) -> Option<AlertData> {
        if !is_silence(self.watch.kind) || self.stance == Stance::Armed || !self.is_broken(level) {
            return None;
        }
        self.stance = Stance::Armed;
        let told = self.told.take()?;
        Some(level.data(&self.watch, told, self.occasion(level)))
    }

    /// Whether a record has come since the silence that was told or held.
    fn is_broken(&self, level: &Level<'_>) -> bool {
        level.heard.is_some_and(|heard| heard.at > self.which())
    }

    /// What was told last.
    fn occasion(&self, level: &Level<'_>) -> Occasion {
        match self.watch.kind {
            RuleKind::UsedDayBytes(_) => {
                Occasion { day: Day::try_from(self.which()).ok(), ..Occasion::default() }
            }
            RuleKind::NoDataHours(_) => Occasion { since: Some(self.which()), ..Occasion::default() },
            RuleKind::ExpiresDays(_) => Occasion { expires_at: level.chain_ends, ..Occasion::default() },
            _ => Occasion::default(),
        }
    }

    /// Bytes that can be used before it fires.
    fn room(&self, level: &Level<'_>) -> u64 {
        let free = |used: &Used| self.marks().iter().all(|mark| mark.day != used.day);
        match self.watch.kind {
            RuleKind::UsedDayBytes(limit) => {
                let most = level.occasions(self.watch.kind).iter().filter(|o| free(o)).map(|o| o.bytes).max();
                limit.saturating_sub(most.unwrap_or(0))
            }
            _ if self.stance != Stance::Armed => u64::MAX,
            kind => match level.reach(kind) {
                Reach::Below { room } => room,
                Reach::Skips => u64::MAX,
                Reach::Reached => 0,
            },
        }
    }
}

/// Whether each of its days or cycles is an arming.
fn has_occasions(kind: RuleKind) -> bool {
    matches!(kind, RuleKind::UsedBytes(_) | RuleKind::UsedDayBytes(_))
}

fn is_silence(kind: RuleKind) -> bool {
    matches!(kind, RuleKind::NoDataHours(_))
}

/// Whether time alone makes it reached.
fn is_timed(kind: RuleKind) -> bool {
    matches!(kind, RuleKind::ExpiresDays(_) | RuleKind::NoDataHours(_))
}
