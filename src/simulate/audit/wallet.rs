//! Packages, burn and alerts of one card, worked out from everything that ever happened to it (`docs/rules.md` P, A).
//!
//! Nothing is closed, cached or skipped here: the burn of a card is always worked out from its first byte on.

use std::collections::BTreeMap;

use super::opening::Brought;
use super::terms::{admit, data, end, first_end, has_room};
use super::watch::{Heard, Watches, Why};
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
pub(super) struct Package {
    pub(super) order: Order,
    pub(super) seq: usize,
    pub(super) from: UnixTime,
    pub(super) to: UnixTime,
    /// It no longer is in force from here on, if it was voided before its end.
    pub(super) until: UnixTime,
    /// First second whose payers were not final yet when it began.
    pub(super) final_before: UnixTime,
    pub(super) void: Option<Voided>,
    pub(super) expired: bool,
    /// Cycles whose exhaustion was told; of a quota for the whole validity any.
    pub(super) exhausted: Vec<Day>,
    /// What it had burnt when its card brought it along: in that cycle, and before.
    pub(super) brought: Option<(u64, u64)>,
}

/// A package taken back whose burn becomes overage: what closed days had burnt of it stays so in cycles that were closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voided {
    /// First second of the first open day.
    pub(super) open_from: UnixTime,
    /// Packages begun until then.
    pub(super) begun: usize,
}

/// Everything about packages and alerts of a card.
#[derive(Debug, Clone, Default)]
pub(super) struct Wallet {
    pub(super) packages: Vec<Package>,
    pub(super) queue: Vec<(usize, Order)>,
    pub(super) orders: Vec<(Order, UnixTime)>,
    /// Orders taken back, with the reference.
    pub(super) voids: Vec<(String, String, UnixTime)>,
    pub(super) taken: usize,
    cycle_edge: Option<UnixTime>,
    pub(super) watches: Watches,
    /// Whether it ever had an order or rules.
    pub(super) begun: bool,
    pub(super) brought: Option<Brought>,
    /// Orders that the card brought along.
    pub(super) opened: Vec<(String, UnixTime)>,
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
    /// Whether the card may be used.
    pub(super) active: bool,
    /// Cycles before this one that are not closed: first day, used, settled.
    pub(super) past: &'a [(Day, u64, u64)],
    /// Days through this one are closed.
    pub(super) closed_through: Day,
    pub(super) heard: &'a Heard,
    /// The feed that a card of which no record is known is expected by.
    pub(super) settling_feed: &'a str,
    /// Of the card's whole life, in event order.
    pub(super) segments: &'a [Segment],
    /// First second of the first open day.
    pub(super) open_from: UnixTime,
    pub(super) plan_rules: &'a [Rule],
    pub(super) own_channels: &'a [String],
}

/// How long orders and commands are remembered: as long as their time may be said, to either side of now.
pub(super) const LIFE_S: i64 = 90 * 86_400 + 600;
impl Scene<'_> {
    /// Used bytes of the days that are not closed.
    pub(super) fn open_days(&self) -> impl Iterator<Item = (Day, u64)> + use<> {
        let mut days: BTreeMap<Day, u64> = BTreeMap::new();
        for segment in self.segments {
            *days.entry(self.zone.day(segment.start)).or_default() += segment.bytes;
        }
        let closed_through = self.closed_through;
        days.into_iter().filter(move |(day, _)| *day > closed_through)
    }

    /// First second of the first day that is not closed, whatever its horizon.
    fn first_open(&self) -> UnixTime {
        if self.closed_through == Day::MIN { UnixTime::MIN } else { self.zone.start(self.closed_through + 1) }
    }
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

    /// Whether a base is bought that has not begun.
    pub(super) fn awaits_base(&self) -> bool {
        self.queue.iter().any(|(_, order)| order.spec.kind == PackageKind::Base)
    }

    pub(super) fn has_package(&self, at: UnixTime) -> bool {
        self.packages.iter().any(|p| p.covers(at))
    }

    /// Starts and ends of all packages that have begun.
    pub(super) fn edges(&self) -> Vec<UnixTime> {
        self.packages.iter().flat_map(|p| [p.from, p.until]).collect()
    }

    /// Takes an order: `Ok(true)` applied, `Ok(false)` a repeat.
    pub(super) fn recharge(
        &mut self,
        scene: &Scene<'_>,
        order: Order,
        out: &mut Vec<EventBody>,
    ) -> Result<bool, String> {
        let remembered = |at: UnixTime| at >= scene.now - LIFE_S;
        if let Some((held, _)) = self.orders.iter().find(|(held, at)| held.id == order.id && remembered(*at))
        {
            return if *held == order { Ok(false) } else { Err("order reused".to_owned()) };
        }
        let opened = self.opened.iter().any(|(held, at)| *held == order.id && remembered(*at));
        if opened || self.holds(&order.id) {
            return Err("order reused".to_owned());
        }
        admit(scene, &order)?;
        let in_force = self.packages.iter().filter(|p| p.covers(scene.at)).count();
        has_room(
            order.mode,
            self.has_base(scene.at),
            in_force,
            self.queue.iter().map(|(_, held)| held.mode),
        )?;
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
            self.begin(order, self.taken, (scene.at, to), scene, out);
        } else {
            out.push(EventBody::PackageQueued(data(&order, 0, None)));
            self.queue.push((self.taken, order));
        }
        self.note_edge(scene);
        self.look(scene, Why::Raise, out);
        Ok(true)
    }

    fn begin(
        &mut self,
        order: Order,
        seq: usize,
        (from, to): (UnixTime, UnixTime),
        scene: &Scene<'_>,
        out: &mut Vec<EventBody>,
    ) {
        out.push(EventBody::PackageActivated(data(&order, 0, Some((from, to)))));
        let (expired, exhausted) = (false, Vec::new());
        self.packages.push(Package {
            order,
            seq,
            from,
            to,
            until: to,
            final_before: scene.first_open(),
            void: None,
            expired,
            exhausted,
            brought: None,
        });
    }

    pub(super) fn note_edge(&mut self, scene: &Scene<'_>) {
        let next = scene.zone.cycle(scene.zone.day(scene.at)).map(|(_, next)| next);
        self.cycle_edge = next.map(|day| scene.zone.start(day));
    }

    /// When time changes something: a package ends, or a cycle begins for packages that live or wait.
    pub(super) fn next_due(&self) -> Option<UnixTime> {
        let alive: Vec<_> = self.packages.iter().filter(|p| !p.expired).map(|p| p.until).collect();
        let waits = self.queue.iter().any(|(_, order)| order.mode == Mode::NextCycle);
        let waits = waits || self.watches.wants_cycles();
        let edge = self.cycle_edge.filter(|_| waits || !alive.is_empty());
        alive.into_iter().chain(edge).min()
    }

    /// First second without a base package, if none of the queue is lost.
    fn chain_end(&self, scene: &Scene<'_>) -> Option<UnixTime> {
        self.chain_from(scene, |package| package.covers(scene.at))
    }

    fn chain_from(&self, scene: &Scene<'_>, lives: impl Fn(&Package) -> bool) -> Option<UnixTime> {
        let bases = self.packages.iter().filter(|p| p.order.spec.kind == PackageKind::Base);
        let mut chain = bases.filter(|p| lives(p)).map(|p| p.to).max()?;
        let queued = |mode| self.queue.iter().map(|(_, order)| order).filter(move |order| order.mode == mode);
        let ends = |order: &Order, from: UnixTime, chain: UnixTime| match order.spec.kind {
            PackageKind::Base => chain.max(end(order.spec.validity, from, scene.zone)),
            PackageKind::Booster => chain,
        };
        let (mut edge, mut renewals) = (self.cycle_edge, queued(Mode::Renewal));
        // What comes first: the end of the last base, or the next cycle. In one second the renewal does.
        loop {
            let order = if edge.is_some_and(|edge| edge < chain) { None } else { renewals.next() };
            match (order, edge.take_if(|_| order.is_none())) {
                (Some(order), _) => chain = ends(order, chain, chain),
                // After a gap nothing of it is part of the chain.
                (None, Some(edge)) if edge > chain => {}
                (None, Some(edge)) => {
                    chain = queued(Mode::NextCycle).fold(chain, |chain, order| ends(order, edge, chain));
                }
                (None, None) => break,
            }
        }
        Some(chain)
    }

    /// When time alone makes a rule reached.
    pub(super) fn next_alert(&self, scene: &Scene<'_>) -> Option<UnixTime> {
        self.watches.next_due(scene, self.chain_from(scene, |package| !package.expired))
    }

    /// Whether a package ends or a cycle begins by then.
    pub(super) fn moves_at(&self, at: UnixTime) -> bool {
        self.next_due().is_some_and(|due| due <= at)
    }

    /// What is due at `scene.at`: alerts first, by what was in force until then.
    pub(super) fn time(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        let until = Scene { at: scene.at - 1, ..*scene };
        let (totals, chain_end) = (self.totals(&until), self.chain_end(&until));
        self.watches.look(scene, &totals, chain_end, Why::Time, out);
        if self.moves_at(scene.at) {
            self.move_on(scene, out);
        }
    }

    fn move_on(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        let burn = self.burn(scene);
        let last = scene.zone.cycle_at(scene.at - 1);
        for (at, package) in self.packages.iter_mut().enumerate() {
            if !package.expired && package.until <= scene.at {
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
        self.look(scene, Why::Raise, out);
    }

    pub(super) fn hand_over(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
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
        self.begin(order, seq, (scene.at, to), scene, out);
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
            RuleKind::UsedBytes(bytes) | RuleKind::UsedDayBytes(bytes) => bytes == 0,
            RuleKind::ExpiresDays(days) => days == 0 || days > 90,
            RuleKind::NoDataHours(hours) => hours == 0 || hours > 31 * 24,
            RuleKind::RemainingBytes(_) | RuleKind::Exhausted(_) => false,
        };
        let twice = |at: usize| rules[..at].iter().any(|other| other.name == rules[at].name);
        if rules.iter().any(wrong) || rules.len() > 16 || (0..rules.len()).any(twice) {
            return Err("rules".to_owned());
        }
        if self.begun || !rules.is_empty() {
            self.begun = true;
            self.watches.set(rules);
            self.look(scene, Why::Usage, out);
        }
        Ok(())
    }

    /// The card's first usage, and its plan's rules watch more than packages.
    pub(super) fn watch(&mut self, scene: &Scene<'_>) {
        self.begun = true;
        self.watches.begin(scene.plan_rules);
    }

    /// Tells of what is exhausted or reached. Raising re-arms in silence and resolves.
    pub(super) fn look(&mut self, scene: &Scene<'_>, why: Why, out: &mut Vec<EventBody>) {
        if !self.begun {
            return;
        }
        self.exhaust(scene, out);
        if self.cycle_edge.is_none_or(|edge| edge <= scene.at) {
            self.note_edge(scene);
        }
        let (totals, chain_end) = (self.totals(scene), self.chain_end(scene));
        self.watches.look(scene, &totals, chain_end, why, out);
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
}

impl Package {
    pub(super) fn covers(&self, at: UnixTime) -> bool {
        self.void.is_none() && self.from <= at && at < self.until
    }

    /// Whether it pays for usage of a second in its turn.
    pub(super) fn pays(&self, at: UnixTime) -> bool {
        self.from <= at && at < self.until && self.void.is_none_or(|void| at < void.open_from)
    }

    /// Whether it pays what was overage at a second of a cycle, when it came.
    pub(super) fn pays_back(&self, at: UnixTime, cycle: Day, zone: &Zone) -> bool {
        self.order.spec.pays_overage
            && at < self.from
            && zone.cycle_at(self.from) == cycle
            && self.void.is_none_or(|void| at < void.open_from)
    }
}
