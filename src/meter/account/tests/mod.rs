//! The account by itself, on a calendar of round numbers: day `d` begins at second `d · 86,400`, a cycle has 30 days.

mod alerts;
mod burning;
mod orders;
mod properties;
mod timers;
mod validity;

use super::*;
use crate::limits::DAY_S;
use crate::model::{OffsetFrom, PackageKind, Per, RuleKind, Validity};

pub(super) fn calendar() -> Calendar {
    Calendar {
        offsets: vec![OffsetFrom { from: 0, offset_s: 0 }],
        cycle_starts: (0..13).map(|cycle| cycle * 30).collect(),
    }
}

pub(super) fn day(day: i64) -> UnixTime {
    day * DAY_S
}

/// A card as the meter keeps it: an account and the segments of its open days.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) account: Account,
    pub(super) calendar: Calendar,
    pub(super) rules: Vec<Watch>,
    pub(super) segments: Vec<Segment>,
    pub(super) closed_used: u64,
    pub(super) open_from: UnixTime,
}

impl Card {
    pub(super) fn new(rules: &[(&str, RuleKind)]) -> Self {
        Self {
            account: Account::default(),
            calendar: calendar(),
            rules: rules
                .iter()
                .map(|(name, kind)| Watch::from(&Rule { name: (*name).to_owned(), kind: *kind }))
                .collect(),
            segments: Vec::new(),
            closed_used: 0,
            open_from: UnixTime::MIN,
        }
    }

    /// Calls the account at a log time with everything it is to be told.
    pub(super) fn at<T>(&mut self, now: UnixTime, call: impl FnOnce(&mut Account, &Ctx<'_>) -> T) -> T {
        let cycle = self.calendar.cycle_at(now);
        let in_cycle = self.segments.iter().filter(|s| self.calendar.cycle_at(s.start) == cycle);
        let used = in_cycle.map(|s| s.bytes).sum::<u64>() + self.closed_used;
        let ctx = Ctx {
            now,
            at: now,
            calendar: &self.calendar,
            own_channels: &["shop".to_owned()],
            default_rules: &self.rules,
            settling: false,
            active: true,
            resumed_at: 0,
            feeds: &Feeds::default(),
            settling_feed: 0,
            past: &[],
            usage: Usage { cycle, used, settled: 0, provisional: used },
            segments: &self.segments,
            open_from: self.open_from,
            faults: Faults::default(),
        };
        call(&mut self.account, &ctx)
    }

    /// Usage of one second, evaluated at once.
    pub(super) fn uses(&mut self, at: UnixTime, bytes: u64) -> Vec<String> {
        let latest = self.segments.last().map_or(at, |last| last.start.max(at));
        self.uses_at(at, bytes, latest)
    }

    /// Usage of one second, evaluated at a later log time.
    pub(super) fn uses_at(&mut self, at: UnixTime, bytes: u64, now: UnixTime) -> Vec<String> {
        self.add(at, bytes);
        self.looks(now)
    }

    pub(super) fn add(&mut self, at: UnixTime, bytes: u64) {
        let place = self.segments.partition_point(|s| s.start < at);
        match self.segments.get_mut(place) {
            Some(segment) if segment.start == at => segment.bytes += bytes,
            _ => self.segments.insert(place, Segment { start: at, bytes }),
        }
    }

    pub(super) fn looks(&mut self, now: UnixTime) -> Vec<String> {
        let mut out = Vec::new();
        self.at(now, |account, ctx| account.evaluate(ctx, &mut out));
        out.iter().map(told).collect()
    }

    pub(super) fn orders(&mut self, now: UnixTime, order: &Ordered) -> (OrderOutcome, Vec<String>) {
        let mut out = Vec::new();
        let outcome = self.at(now, |account, ctx| account.recharge(ctx, &order.recharge(), &mut out));
        (outcome, out.iter().map(told).collect())
    }

    /// An order that must be taken; what was told.
    pub(super) fn buys(&mut self, now: UnixTime, order: &Ordered) -> Vec<String> {
        let (outcome, told) = self.orders(now, order);
        assert_eq!(outcome, OrderOutcome::Applied);
        told
    }

    /// Fires every due time up to `now`, each at its time.
    pub(super) fn passes(&mut self, now: UnixTime) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(due) = self.account.next_due().filter(|due| *due <= now) {
            self.at(due, |account, ctx| account.fire(ctx, &mut out));
        }
        out.iter().map(told).collect()
    }

    pub(super) fn totals(&mut self, now: UnixTime) -> Totals {
        self.at(now, |account, ctx| account.totals(ctx))
    }

    pub(super) fn view(&mut self, now: UnixTime) -> AccountView {
        self.at(now, |account, ctx| account.view(ctx))
    }
}

/// An order in the making: 1,000 bytes for a month, paid when asked for.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) id: String,
    pub(super) channel: &'static str,
    pub(super) payment: Payment,
    pub(super) package: PackageSpec,
    pub(super) mode: Mode,
}

impl Ordered {
    pub(super) fn new(id: &str, quota: u64) -> Self {
        Self {
            id: id.to_owned(),
            channel: "shop",
            payment: Payment { provider: "pay".to_owned(), reference: format!("ref-{id}"), paid_at: 0 },
            package: PackageSpec {
                kind: PackageKind::Base,
                quota: Some(quota),
                validity: Validity::Months(1),
                per: Per::Validity,
                priority: 10,
                pays_overage: false,
            },
            mode: Mode::Immediate,
        }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn recharge(&self) -> Recharge<'_> {
        Recharge {
            order: &self.id,
            channel: self.channel,
            payment: &self.payment,
            package: &self.package,
            mode: self.mode,
        }
    }
}

/// An event in a line.
fn told(event: &EventBody) -> String {
    let package = |what: &str, p: &crate::model::PackageData| {
        let cycle = p.cycle.map(|cycle| format!(" cycle {cycle}")).unwrap_or_default();
        format!("{what} {} burnt {}{cycle}", p.order, p.burnt)
    };
    match event {
        EventBody::AlertFired(alert) => format!("fired {} #{}", alert.rule, alert.arming),
        EventBody::AlertResolved(alert) => format!("resolved {} #{}", alert.rule, alert.arming),
        EventBody::PackageQueued(p) => package("queued", p),
        EventBody::PackageExpired(p) => package("expired", p),
        EventBody::PackageExhausted(p) => package("exhausted", p),
        EventBody::PackageActivated(p) => {
            let at = |time: Option<UnixTime>| {
                time.map(|t| format!("{}", t as f64 / DAY_S as f64)).unwrap_or_default()
            };
            format!("activated {} from day {} to day {}", p.order, at(p.effective_at), at(p.expires_at))
        }
        EventBody::RechargeRefused { order, reason, .. } => format!("refused {order}: {reason}"),
        other => other.kind().to_owned(),
    }
}
