//! Alerts: what was told, once an arming (`domain.md` A3 to A5).
//!
//! An arming is raised when a package comes into force or ends, and with a new cycle. Then every rule is measured
//! silently: one that is reached already is *held*, so that a recharge at 60 % tells no false "50 %", and an alert that is
//! no longer true is resolved. Within an arming a rule fires at most once, whatever corrections do.

use serde::{Deserialize, Serialize};

use super::rules::{Reach, Watch, reach, threshold};
use super::{Ctx, Totals};
use crate::model::{AlertData, EventBody, Rule};

/// Where the alerts of a card stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alerts {
    /// Counts raises.
    pub(super) arming: u32,
    /// The card's own rules; empty: its plan's, or the fleet's.
    pub(super) own: Vec<Watch>,
    /// One for each rule in force when last looked at, in the rules' order.
    pub(super) states: Vec<State>,
}

/// One rule's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) watch: Watch,
    pub(super) stance: Stance,
    /// The arming whose alert is told and not resolved; 0 = none.
    pub(super) told: u32,
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

/// What rules are measured by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level<'a> {
    pub(super) ctx: &'a Ctx<'a>,
    pub(super) totals: &'a Totals,
}

impl Alerts {
    /// Fires what is newly reached, most severe first.
    pub(super) fn evaluate(&mut self, level: Level<'_>, out: &mut Vec<EventBody>) {
        self.adopt(level, out);
        let arming = self.arming;
        let mut fired = Vec::new();
        for state in &mut self.states {
            match (state.stance, reach(state.watch.kind, level.totals)) {
                (Stance::Armed, Reach::Reached) => {
                    state.stance = Stance::Fired;
                    state.told = arming;
                    fired.push(level.data(&state.watch, arming));
                }
                (Stance::Held, Reach::Below { .. }) => state.stance = Stance::Armed,
                _ => {}
            }
        }
        out.extend(level.by_severity(fired).map(EventBody::AlertFired));
    }

    /// Raises the arming: measures silently, resolves what is no longer true.
    pub(super) fn raise(&mut self, level: Level<'_>, out: &mut Vec<EventBody>) {
        self.adopt(level, out);
        self.arming = self.arming.saturating_add(1);
        let mut resolved = Vec::new();
        for state in &mut self.states {
            state.stance = level.silently(&state.watch);
            if state.stance == Stance::Armed && state.told > 0 {
                resolved.push(level.data(&state.watch, state.told));
                state.told = 0;
            }
        }
        out.extend(level.by_severity(resolved).map(EventBody::AlertResolved));
    }

    /// Bytes that can be burnt before a rule fires.
    pub(super) fn room(&self, totals: &Totals) -> u64 {
        let armed = self.states.iter().filter(|state| state.stance == Stance::Armed);
        armed.fold(u64::MAX, |least, state| match reach(state.watch.kind, totals) {
            Reach::Below { room } => least.min(room),
            Reach::Skips => least,
            Reach::Reached => 0,
        })
    }

    /// Brings the states in line with the rules in force. New rules are measured silently; the alert of a rule that is
    /// gone resolves.
    fn adopt(&mut self, level: Level<'_>, out: &mut Vec<EventBody>) {
        if self.own.is_empty() {
            let rules = level.ctx.default_rules;
            if !(self.states.len() == rules.len()
                && self.states.iter().zip(rules).all(|(s, r)| s.watch == *r))
            {
                self.replace(rules.iter().map(Watch::from).collect(), level, out);
            }
        } else if !self.own.iter().eq(self.states.iter().map(|state| &state.watch)) {
            self.replace(self.own.clone(), level, out);
        }
    }

    fn replace(&mut self, rules: Vec<Watch>, level: Level<'_>, out: &mut Vec<EventBody>) {
        let mut old = std::mem::take(&mut self.states);

        self.states.extend(rules.into_iter().map(|watch| {
            match old.iter().position(|state| state.watch == watch) {
                Some(at) => old.swap_remove(at),
                None => State { stance: level.silently(&watch), watch, told: 0 },
            }
        }));
        if old.iter().any(|state| state.stance == Stance::Fired) {
            // A rule that comes under the name of one that has fired must not fire under its identity: (card, rule, arming).
            self.arming = self.arming.saturating_add(1);
        }
        let gone = old.iter().filter(|state| state.told > 0);
        let gone = gone.map(|state| level.data(&state.watch, state.told)).collect();
        out.extend(level.by_severity(gone).map(EventBody::AlertResolved));
    }

    /// Sets or drops the card's own rules.
    pub(super) fn set(&mut self, rules: &[Rule], level: Level<'_>, out: &mut Vec<EventBody>) {
        self.own = rules.iter().map(Watch::from).collect();
        self.adopt(level, out);
    }
}

impl Level<'_> {
    fn silently(self, watch: &Watch) -> Stance {
        match reach(watch.kind, self.totals) {
            Reach::Reached => Stance::Held,
            Reach::Skips | Reach::Below { .. } => Stance::Armed,
        }
    }

    /// Most severe first: the rule that leaves the least; equal ones by name.
    fn by_severity(self, mut alerts: Vec<AlertData>) -> impl Iterator<Item = AlertData> {
        alerts.sort_by(|a, b| {
            let left = |alert: &AlertData| threshold(alert.kind, self.totals).unwrap_or(u64::MAX);
            left(a).cmp(&left(b)).then_with(|| a.rule.cmp(&b.rule))
        });
        alerts.into_iter()
    }

    fn data(self, watch: &Watch, arming: u32) -> AlertData {
        let usage = self.ctx.usage;
        AlertData {
            rule: watch.name.clone(),
            kind: watch.kind,
            arming,
            used: usage.used,
            settled: usage.settled,
            provisional: usage.provisional,
            quota: self.totals.quota.unwrap_or(0),
            burnt: self.totals.burnt,
            remaining: self.totals.remaining.unwrap_or(0),
            overage: self.totals.overage,
            settling: self.ctx.settling,
            cycle: usage.cycle,
        }
    }
}
