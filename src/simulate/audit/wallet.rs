//! Packages, burn and alerts of one card, worked out from everything that ever happened to it (`domain.md` P, A).
//!
//! Nothing is closed, cached or skipped here: the burn of a card is always worked out from its first byte on.

use std::collections::BTreeMap;

use super::terms::{admit, alert, data, end, first_end, reached};
use super::zone::Zone;
use crate::model::{
    Day, EventBody, Mode, PackageData, PackageKind, PackageSpec, Payment, Per, Rule, RuleKind, UnixTime,
};

/// An order as it was taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) channel: String,
    pub(super) payment: Payment,
    pub(super) spec: PackageSpec,
    pub(super) mode: Mode,
}

/// A package that has begun.
#[derive(Debug, Clone)]
struct Package {
    order: Order,
    seq: usize,
    from: UnixTime,
    to: UnixTime,
    expired: bool,
    /// Cycles whose exhaustion was told; of a quota for the whole validity any.
    exhausted: Vec<Day>,
}

/// What a rule does when it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stance {
    Armed,
    Held,
    Fired,
}

#[derive(Debug, Clone)]
struct Watch {
    rule: Rule,
    stance: Stance,
    told: Option<u32>,
}

/// Everything about packages and alerts of a card.
#[derive(Debug, Clone, Default)]
pub(super) struct Wallet {
    packages: Vec<Package>,
    queue: Vec<(usize, Order)>,
    orders: Vec<(Order, UnixTime)>,
    taken: usize,
    cycle_edge: Option<UnixTime>,
    own: Vec<Rule>,
    watches: Vec<Watch>,
    arming: u32,
    /// Whether it ever had an order or rules.
    pub(super) begun: bool,
}

/// Used bytes from a second on, until the next edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) start: UnixTime,
    pub(super) bytes: u64,
}

/// What the wallet is told of its card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) zone: &'a Zone,
    pub(super) now: UnixTime,
    pub(super) at: UnixTime,
    /// Of the cycle that holds `at`.
    pub(super) cycle: Day,
    pub(super) used: u64,
    pub(super) settled: u64,
    pub(super) settling: bool,
    /// Of the card's whole life, in event order.
    pub(super) segments: &'a [Segment],
    pub(super) plan_rules: &'a [Rule],
    pub(super) own_channels: &'a [String],
}

/// Who paid what.
#[derive(Debug, Clone, Default)]
struct Burn {
    /// By place of the package and cycle.
    by_package: BTreeMap<(usize, Day), u64>,
    by_cycle: BTreeMap<Day, u64>,
}

/// Sums over the packages in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) quota: Option<u64>,
    pub(super) burnt: u64,
    pub(super) remaining: Option<u64>,
    pub(super) overage: u64,
}

impl Wallet {
    fn burn(&self, scene: &Scene<'_>) -> Burn {
        let mut order: Vec<usize> = (0..self.packages.len()).collect();
        order.sort_by_key(|at| {
            let p = &self.packages[*at];
            (p.order.spec.priority, p.to, p.order.payment.paid_at, p.seq)
        });
        let mut burn = Burn::default();
        for segment in scene.segments {
            let cycle = scene.zone.cycle_at(segment.start);
            let mut rest = segment.bytes;
            for &at in &order {
                let package = &self.packages[at];
                if package.from <= segment.start && segment.start < package.to {
                    let quota = package.order.spec.quota.unwrap_or(u64::MAX);
                    let taken = rest.min(quota - burn.of(at, package, cycle));
                    *burn.by_package.entry((at, cycle)).or_default() += taken;
                    *burn.by_cycle.entry(cycle).or_default() += taken;
                    rest -= taken;
                }
            }
        }
        burn
    }

    /// Burnt in a cycle by all packages.
    pub(super) fn burnt_in(&self, scene: &Scene<'_>, cycle: Day) -> u64 {
        self.burn(scene).by_cycle.get(&cycle).copied().unwrap_or_default()
    }

    pub(super) fn totals(&self, scene: &Scene<'_>) -> Totals {
        let burn = self.burn(scene);
        let (mut quota, mut remaining, mut burnt) = (Some(0), Some(0), 0);
        for (at, package) in self.packages.iter().enumerate().filter(|(_, p)| p.covers(scene.at)) {
            let own = burn.of(at, package, scene.cycle);
            burnt += own;
            quota = quota.zip(package.order.spec.quota).map(|(sum, q): (u64, u64)| sum + q);
            remaining = remaining.zip(package.order.spec.quota).map(|(sum, q): (u64, u64)| sum + (q - own));
        }
        let in_cycle = burn.by_cycle.get(&scene.cycle).copied().unwrap_or_default();
        Totals { quota, burnt, remaining, overage: scene.used - in_cycle }
    }

    pub(super) fn has_base(&self, at: UnixTime) -> bool {
        self.packages.iter().any(|p| p.order.spec.kind == PackageKind::Base && p.covers(at))
    }

    pub(super) fn has_package(&self, at: UnixTime) -> bool {
        self.packages.iter().any(|p| p.covers(at))
    }

    /// Starts and ends of all packages that have begun.
    pub(super) fn edges(&self) -> Vec<UnixTime> {
        self.packages.iter().flat_map(|p| [p.from, p.to]).collect()
    }

    /// Takes an order: `Ok(true)` applied, `Ok(false)` a repeat.
    pub(super) fn recharge(
        &mut self,
        scene: &Scene<'_>,
        order: Order,
        cancelled: bool,
        out: &mut Vec<EventBody>,
    ) -> Result<bool, String> {
        let remembered = |at: UnixTime| at >= scene.now - 90 * 86_400;
        if let Some((held, _)) = self.orders.iter().find(|(held, at)| held.id == order.id && remembered(*at))
        {
            return if *held == order { Ok(false) } else { Err("order reused".to_owned()) };
        }
        admit(scene, &order, cancelled)?;
        self.begun = true;
        self.taken += 1;
        self.orders.push((order.clone(), scene.now));
        let starts = match order.mode {
            Mode::Immediate => true,
            Mode::Renewal => !self.has_base(scene.at),
            Mode::NextCycle => false,
        };
        if starts {
            let to = first_end(&order, scene);
            self.begin(order, self.taken, (scene.at, to), out);
        } else {
            out.push(EventBody::PackageQueued(data(&order, 0, None)));
            self.queue.push((self.taken, order));
        }
        self.note_edge(scene);
        if starts {
            self.look(scene, true, out);
        }
        Ok(true)
    }

    fn begin(
        &mut self,
        order: Order,
        seq: usize,
        (from, to): (UnixTime, UnixTime),
        out: &mut Vec<EventBody>,
    ) {
        out.push(EventBody::PackageActivated(data(&order, 0, Some((from, to)))));
        self.packages.push(Package { order, seq, from, to, expired: false, exhausted: Vec::new() });
    }

    fn note_edge(&mut self, scene: &Scene<'_>) {
        let next = scene.zone.cycle(scene.zone.day(scene.at)).map(|(_, next)| next);
        self.cycle_edge = next.map(|day| scene.zone.start(day));
    }

    /// When time changes something: a package ends, or a cycle begins for packages that live or wait.
    pub(super) fn next_due(&self) -> Option<UnixTime> {
        let alive: Vec<_> = self.packages.iter().filter(|p| !p.expired).map(|p| p.to).collect();
        let waits = self.queue.iter().any(|(_, order)| order.mode == Mode::NextCycle);
        let edge = self.cycle_edge.filter(|_| waits || !alive.is_empty());
        alive.into_iter().chain(edge).min()
    }

    /// What is due at `scene.at`.
    pub(super) fn time(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        let burn = self.burn(scene);
        let last = scene.zone.cycle_at(scene.at - 1);
        for (at, package) in self.packages.iter_mut().enumerate() {
            if !package.expired && package.to <= scene.at {
                package.expired = true;
                let burnt = burn.of(at, package, last);
                out.push(EventBody::PackageExpired(data(
                    &package.order,
                    burnt,
                    Some((package.from, package.to)),
                )));
            }
        }
        self.hand_over(scene, out);
        if self.cycle_edge.is_some_and(|edge| edge <= scene.at) {
            let (waiting, rest) = self.queue.drain(..).partition(|(_, order)| order.mode == Mode::NextCycle);
            self.queue = rest;
            let waiting: Vec<(usize, Order)> = waiting;
            for (seq, order) in waiting {
                self.begin_queued(seq, order, scene, out);
            }
        }
        self.note_edge(scene);
        self.look(scene, true, out);
    }

    fn hand_over(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        while !self.has_base(scene.at) {
            let Some(first) = self.queue.iter().position(|(_, order)| order.mode == Mode::Renewal) else {
                return;
            };
            let (seq, order) = self.queue.remove(first);
            self.begin_queued(seq, order, scene, out);
        }
    }

    fn begin_queued(&mut self, seq: usize, order: Order, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        let to = end(order.spec.validity, scene.at, scene.zone);
        self.begin(order, seq, (scene.at, to), out);
    }

    /// The card's own rules.
    pub(super) fn set_rules(
        &mut self,
        scene: &Scene<'_>,
        rules: &[Rule],
        out: &mut Vec<EventBody>,
    ) -> Result<(), String> {
        let wrong = |rule: &Rule| match rule.kind {
            RuleKind::BurntPercent(p) => p == 0 || p > 100,
            RuleKind::RemainingPercent(p) => p > 99,
            RuleKind::RemainingBytes(_) => false,
        };
        if rules.iter().any(wrong) || rules.len() > 16 {
            return Err("rules".to_owned());
        }
        if self.begun || !rules.is_empty() {
            self.begun = true;
            self.own = rules.to_vec();
            self.look(scene, false, out);
        }
        Ok(())
    }

    /// Tells of what is exhausted or reached. Raising re-arms in silence and resolves.
    pub(super) fn look(&mut self, scene: &Scene<'_>, raise: bool, out: &mut Vec<EventBody>) {
        if !self.begun {
            return;
        }
        self.exhaust(scene, out);
        let totals = self.totals(scene);
        self.adopt(scene, &totals, out);
        if raise {
            self.arming += 1;
        }
        let arming = self.arming;
        for watch in &mut self.watches {
            let reached = reached(watch.rule.kind, &totals);
            if raise {
                watch.stance = if reached == Some(true) { Stance::Held } else { Stance::Armed };
                if let Some(told) = watch.told.filter(|_| watch.stance == Stance::Armed) {
                    watch.told = None;
                    out.push(EventBody::AlertResolved(alert(&watch.rule, told, scene, &totals)));
                }
            } else if watch.stance == Stance::Armed && reached == Some(true) {
                watch.stance = Stance::Fired;
                watch.told = Some(arming);
                out.push(EventBody::AlertFired(alert(&watch.rule, arming, scene, &totals)));
            } else if watch.stance == Stance::Held && reached == Some(false) {
                watch.stance = Stance::Armed;
            }
        }
    }

    fn exhaust(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        let burn = self.burn(scene);
        for (at, package) in self.packages.iter_mut().enumerate().filter(|(_, p)| p.covers(scene.at)) {
            let burnt = burn.of(at, package, scene.cycle);
            let told = match package.order.spec.per {
                Per::Validity => !package.exhausted.is_empty(),
                Per::Cycle => package.exhausted.contains(&scene.cycle),
            };
            if package.order.spec.quota == Some(burnt) && !told {
                package.exhausted.push(scene.cycle);
                let cycle = (package.order.spec.per == Per::Cycle).then_some(scene.cycle);
                let data = data(&package.order, burnt, Some((package.from, package.to)));
                out.push(EventBody::PackageExhausted(PackageData { cycle, ..data }));
            }
        }
    }

    /// New rules are measured in silence; alerts of rules that are gone resolve.
    fn adopt(&mut self, scene: &Scene<'_>, totals: &Totals, out: &mut Vec<EventBody>) {
        let rules = if self.own.is_empty() { scene.plan_rules } else { &self.own };
        if rules.iter().eq(self.watches.iter().map(|watch| &watch.rule)) {
            return;
        }
        let before = std::mem::take(&mut self.watches);
        self.watches = rules
            .iter()
            .map(|rule| {
                let silent =
                    if reached(rule.kind, totals) == Some(true) { Stance::Held } else { Stance::Armed };
                let new = || Watch { rule: rule.clone(), stance: silent, told: None };
                before.iter().find(|watch| watch.rule == *rule).cloned().unwrap_or_else(new)
            })
            .collect();
        if before.iter().any(|watch| watch.stance == Stance::Fired && !rules.contains(&watch.rule)) {
            // A rule under the name of one that has fired and is gone fires other alerts.
            self.arming += 1;
        }
        for gone in before.iter().filter(|watch| !rules.contains(&watch.rule)) {
            if let Some(told) = gone.told {
                out.push(EventBody::AlertResolved(alert(&gone.rule, told, scene, totals)));
            }
        }
    }
}

impl Burn {
    /// Burnt of the quota that counts in a cycle.
    fn of(&self, at: usize, package: &Package, cycle: Day) -> u64 {
        match package.order.spec.per {
            Per::Cycle => self.by_package.get(&(at, cycle)).copied().unwrap_or_default(),
            Per::Validity => {
                self.by_package.range((at, Day::MIN)..=(at, Day::MAX)).map(|(_, bytes)| bytes).sum()
            }
        }
    }
}

impl Package {
    fn covers(&self, at: UnixTime) -> bool {
        self.from <= at && at < self.to
    }
}
