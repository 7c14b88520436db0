//! The book: packages in force, those queued behind them, and what moves them: orders and due times.

use serde::{Deserialize, Serialize};

use super::alerts::Alerts;
use super::burn::{Burn, CycleBurn, Frame, burn};
use super::level::Level;
use super::orders::Orders;
use super::package::{Order, Package, Sale, end_of};
use super::{Ctx, Recharge, Segment, Totals};
use crate::limits::DAY_S;
use crate::meter::exact::Exact;
use crate::meter::maybe::MaybeTime;
use crate::meter::memory::Memory;
use crate::model::{Calendar, Day, EventBody, Mode, PackageData, PackageKind, Per, UnixTime};

/// Cold data of a card that has ever had a package or rules of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Book {
    /// In burn order. Ended ones stay while a day that they pay for is open.
    pub(super) packages: Exact<Package>,
    /// In the order of their purchase.
    pub(super) queue: Exact<Order>,
    pub(super) orders: Orders,
    /// Orders taken.
    seq: u32,
    /// When the next cycle begins; `None` where the calendar does not reach.
    cycle_ends: MaybeTime,
    pub(super) alerts: Alerts,
    /// Burn of closed days by cycle, oldest first.
    closed: Exact<CycleClosed>,
}

/// Final burn of a cycle's closed days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct CycleClosed {
    cycle: Day,
    burnt: u64,
}

impl Book {
    /// Takes an order that was found right: its package comes into force, or is queued.
    pub(super) fn take(&mut self, ctx: &Ctx<'_>, recharge: &Recharge<'_>, out: &mut Vec<EventBody>) {
        self.prune(ctx.open_from);
        self.orders.remember(recharge, ctx.now);
        let order = Order::new(recharge, self.next_seq());
        let starts = match order.sale.mode {
            Mode::Immediate => true,
            Mode::Renewal => !self.has_base(ctx.at),
            Mode::NextCycle => false,
        };
        if starts {
            let expires_at = expiry(&order, ctx);
            self.start(order.sale, expires_at, ctx, out);
        } else {
            out.push(EventBody::PackageQueued(order.sale.data()));
            self.queue.push(order);
        }
        self.note_cycle(ctx);
    }

    /// The number of one more order.
    pub(super) fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.saturating_add(1);
        self.seq
    }

    /// Whether an order waits, or is remembered.
    pub(super) fn has_orders(&self, now: UnixTime) -> bool {
        !self.queue.is_empty() || self.orders.any(now)
    }

    fn start(&mut self, sale: Sale, expires_at: UnixTime, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        let mut package = Package::start(sale, ctx.at, expires_at);
        out.push(EventBody::PackageActivated(package.data(0)));
        if package.sale.pays_overage {
            self.pay_closed_overage(&mut package, ctx);
        }
        self.insert(package);
    }

    pub(super) fn insert(&mut self, package: Package) {
        let at = self.packages.partition_point(|other| other.rank() < package.rank());
        self.packages.insert(at, package);
    }

    /// The package pays the running cycle's overage: that of closed days now and for good, that of open days whenever they
    /// are burnt.
    fn pay_closed_overage(&mut self, package: &mut Package, ctx: &Ctx<'_>) {
        let cycle = ctx.usage.cycle;
        package.pays_from = ctx.calendar.day_start(cycle).min(package.effective_at);
        let in_cycle = |s: &&Segment| s.start >= package.pays_from && ctx.calendar.cycle_at(s.start) == cycle;
        let open = ctx.segments.iter().filter(in_cycle).map(|s| s.bytes);
        let closed = ctx.usage.used.saturating_sub(open.fold(0, u64::saturating_add));
        let overage = closed.saturating_sub(self.cycle_closed(cycle));
        let paid = package.sale.quota().map_or(overage, |quota| quota.min(overage));
        if paid > 0 {
            package.closed.add(cycle, paid);
            self.note_closed(cycle, paid);
        }
    }

    /// All that is due at `ctx.at`: ends first, then hand-over, then what waits for the cycle.
    pub(super) fn fire(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        self.expire(ctx, out);
        self.hand_over(ctx, out);
        if self.cycle_ends.get().is_some_and(|end| end <= ctx.at) {
            self.start_waiting(ctx, out);
        }
        self.note_cycle(ctx);
        self.prune(ctx.open_from);
    }

    fn expire(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        let last = ctx.calendar.cycle_at(ctx.at.saturating_sub(1));
        let burn = self.burn(ctx, last);
        let mut ended: Vec<(u32, PackageData)> = Vec::new();
        for (at, package) in self.packages.iter_mut().enumerate() {
            if !package.ended && package.until <= ctx.at {
                package.ended = true;
                ended.push((package.sale.seq, package.data(burn.of(at, package))));
            }
        }
        ended.sort_by_key(|(seq, _)| *seq);
        out.extend(ended.into_iter().map(|(_, data)| EventBody::PackageExpired(data)));
    }

    /// Renewals start the instant no base is in force. A booster among them starts and lets the next one in.
    pub(super) fn hand_over(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        while !self.has_base(ctx.at) {
            let Some(at) = self.queue.iter().position(|order| order.sale.mode == Mode::Renewal) else {
                return;
            };
            let order = self.queue.remove(at);
            self.start_queued(order, ctx, out);
        }
    }

    fn start_waiting(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        for order in self.queue.extract(|order| order.sale.mode == Mode::NextCycle) {
            self.start_queued(order, ctx, out);
        }
    }

    fn start_queued(&mut self, order: Order, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        let expires_at = end_of(order.validity, ctx.at, ctx.calendar);
        self.start(order.sale, expires_at, ctx, out);
    }

    /// Notes the cycle if none is, or if it is over and nobody waited for its end.
    pub(super) fn renew_cycle(&mut self, ctx: &Ctx<'_>) {
        if self.cycle_ends.get().is_none_or(|end| end <= ctx.at) {
            self.note_cycle(ctx);
        }
    }

    pub(super) fn note_cycle(&mut self, ctx: &Ctx<'_>) {
        let next = ctx.calendar.cycle_of(ctx.calendar.day_of(ctx.at)).map(|(_, next)| next);
        self.cycle_ends = next.map(|day| ctx.calendar.day_start(day)).into();
    }

    pub(super) fn next_due(&self) -> Option<UnixTime> {
        self.next_move().into_iter().chain(self.alerts.due.get()).min()
    }

    /// When a package ends or a cycle begins.
    fn next_move(&self) -> Option<UnixTime> {
        let alive = || self.packages.iter().filter(|package| !package.ended);
        let waits = self.waiting() > 0 || self.alerts.asks_cycle();
        let cycle = self.cycle_ends.get().filter(|_| waits || alive().next().is_some());
        alive().map(|package| package.until).chain(cycle).min()
    }

    /// Whether a package ends or a cycle begins by then.
    pub(super) fn moves_at(&self, at: UnixTime) -> bool {
        self.next_move().is_some_and(|due| due <= at)
    }

    /// What rules are measured by.
    pub(super) fn level<'a>(&self, ctx: &'a Ctx<'a>, totals: &'a Totals, asks_expiry: bool) -> Level<'a> {
        let chain_ends = asks_expiry.then(|| super::view::chain_end(self, ctx)).flatten();
        Level { ctx, totals, chain_ends, heard: self.alerts.heard.as_deref().copied() }
    }

    /// Forgets ended packages that no open day can burn any more.
    fn prune(&mut self, open_from: UnixTime) {
        self.packages.retain(|package| !package.is_past(open_from));
    }

    pub(super) fn has_base(&self, at: UnixTime) -> bool {
        self.packages.iter().any(|p| p.sale.kind == PackageKind::Base && p.covers(at))
    }

    pub(super) fn in_force(&self, at: UnixTime) -> impl Iterator<Item = (usize, &Package)> {
        self.packages.iter().enumerate().filter(move |(_, package)| package.covers(at))
    }

    pub(super) fn burn(&self, ctx: &Ctx<'_>, current: Day) -> Burn {
        burn(&self.packages, ctx.segments, Frame { calendar: ctx.calendar, current })
    }

    pub(super) fn totals(&self, ctx: &Ctx<'_>, burn: &Burn) -> Totals {
        let burnt_in_cycle =
            self.cycle_closed(ctx.usage.cycle).saturating_add(burn.in_cycle(ctx.usage.cycle));
        let overage = ctx.usage.used.saturating_sub(burnt_in_cycle);
        let mut totals = Totals { quota: Some(0), burnt: 0, remaining: Some(0), overage };
        for (at, package) in self.in_force(ctx.at) {
            totals.add(package.sale.quota(), burn.of(at, package));
        }
        totals
    }

    /// Tells of quotas that are burnt to the last byte: once each, whatever a later burn says.
    pub(super) fn exhaust(&mut self, ctx: &Ctx<'_>, burn: &Burn, out: &mut Vec<EventBody>) {
        let cycle = ctx.usage.cycle;
        for (at, package) in self.packages.iter_mut().enumerate() {
            let burnt = burn.of(at, package);
            let full = package.sale.quota().is_some_and(|quota| burnt >= quota);
            if full && package.covers(ctx.at) && !package.told_exhausted(cycle) {
                package.exhausted = Some(cycle);
                let cycle = (package.sale.per == Per::Cycle).then_some(cycle);
                out.push(EventBody::PackageExhausted(PackageData { cycle, ..package.data(burnt) }));
            }
        }
    }

    /// Bytes that can be burnt before a package in force is exhausted or a rule fires.
    pub(super) fn room(&self, burn: &Burn, level: &Level<'_>) -> u64 {
        let ctx = level.ctx;
        let left = self.in_force(ctx.at).filter_map(|(at, package)| {
            package.sale.quota().map(|quota| quota.saturating_sub(burn.of(at, package)))
        });
        // One that was told of may have got something back.
        left.filter(|left| *left > 0).fold(self.alerts.room(level), u64::min)
    }

    /// Makes the burn of a day, the first open one, final.
    pub(super) fn close_day(&mut self, ctx: &Ctx<'_>) {
        let Some(first) = ctx.segments.first() else { return self.prune(ctx.open_from) };
        let cycle = ctx.calendar.cycle_at(first.start);
        let burn = self.burn(ctx, cycle);
        for (at, package) in self.packages.iter_mut().enumerate() {
            package.closed.add(cycle, burn.open_total(at));
        }
        for CycleBurn { cycle, burnt, .. } in burn.cycles {
            self.note_closed(cycle, burnt);
        }
        self.prune(ctx.open_from);
    }

    pub(super) fn note_closed(&mut self, cycle: Day, burnt: u64) {
        match self.closed.last_mut() {
            Some(last) if last.cycle == cycle => last.burnt = last.burnt.saturating_add(burnt),
            _ => {
                self.closed.push(CycleClosed { cycle, burnt });
            }
        }
    }

    /// What a package burnt of closed days is overage after all.
    pub(super) fn unburn_closed(&mut self, cycle: Day, burnt: u64) {
        if let Some(closed) = self.closed.iter_mut().find(|closed| closed.cycle == cycle) {
            closed.burnt = closed.burnt.saturating_sub(burnt);
        }
    }

    pub(super) fn cycle_closed(&self, cycle: Day) -> u64 {
        self.closed.iter().find(|closed| closed.cycle == cycle).map_or(0, |closed| closed.burnt)
    }

    pub(super) fn drop_cycle(&mut self, cycle: Day) -> u64 {
        let burnt = self.cycle_closed(cycle);
        self.closed.retain(|closed| closed.cycle != cycle);
        burnt
    }

    pub(super) fn recall_cycle(&mut self, cycle: Day, burnt: u64) {
        let at = self.closed.partition_point(|closed| closed.cycle < cycle);
        self.closed.insert(at, CycleClosed { cycle, burnt });
    }

    /// Packages that stay when those of closed days are forgotten.
    pub(super) fn kept(&self, open_from: UnixTime) -> usize {
        self.packages.iter().filter(|package| !package.is_past(open_from)).count()
    }

    /// Whether an order waits, or its package has not ended.
    pub(super) fn holds(&self, order: &str) -> bool {
        let alive = self.packages.iter().filter(|package| !package.ended).map(|package| &package.sale);
        alive.chain(self.queue.iter().map(|o| &o.sale)).any(|sale| sale.order() == order)
    }

    /// Packages that wait for the next cycle.
    pub(super) fn waiting(&self) -> usize {
        self.queue.iter().filter(|order| order.sale.mode == Mode::NextCycle).count()
    }

    pub(super) fn awaits_base(&self) -> bool {
        self.queue.iter().any(|order| order.sale.kind == PackageKind::Base)
    }

    pub(super) fn cycle_ends(&self) -> Option<UnixTime> {
        self.cycle_ends.get()
    }

    pub(super) fn add_heap(&self, memory: &mut Memory) {
        let packages = self.packages.bytes();
        let queue = self.queue.bytes();
        let sales = self.packages.iter().map(|p| &p.sale).chain(self.queue.iter().map(|o| &o.sale));
        let texts = sales.map(Sale::heap_bytes).sum();
        let closed = self.closed.bytes();
        let parts: [usize; 5] = [size_of::<Self>(), packages, queue, texts, closed];
        memory.packages += parts.iter().sum::<usize>();
        memory.rules += self.alerts.heap_bytes();
        memory.orders += self.orders.heap_bytes();
    }
}

/// The end of a package that starts at once. An immediate one's validity counts from its payment if that is at most 24 h
/// ago (`docs/rules.md` P1), so that a payment at the month's end buys the month that was paid for, even if the order
/// comes later. If that validity is over before the order is here, it would buy nothing at all: then it counts from now.
fn expiry(order: &Order, ctx: &Ctx<'_>) -> UnixTime {
    let paid = order.sale.paid_at;
    let recent = (0..=DAY_S).contains(&ctx.now.saturating_sub(paid));
    let end = |from, calendar: &Calendar| end_of(order.validity, from, calendar);
    let from_payment = end(paid, ctx.calendar);
    if order.sale.mode == Mode::Immediate && recent && from_payment > ctx.now {
        from_payment
    } else {
        end(ctx.now, ctx.calendar)
    }
}
