//! One package: what was sold, when it is in force, and what of its quota is burnt for good.
//!
//! There may be a hundred million of them: texts stand in one piece, no limit is a number, and nothing is kept that the
//! rest tells.

use serde::{Deserialize, Serialize};

use super::Recharge;
use crate::limits::DAY_S;
use crate::model::{
    Calendar, Day, Mode, OpenedPackage, PackageData, PackageKind, PackageSpec, Payment, Per, UnixTime,
    Validity,
};

/// What was ordered and paid, without its validity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sale {
    /// The order's id, the payment's provider and its reference, one after the other.
    texts: Box<str>,
    order_len: u16,
    provider_len: u16,
    /// Bytes; [`Self::UNLIMITED`] = no limit.
    quota: u64,
    pub(super) paid_at: UnixTime,
    /// The how-manieth order of the card: decides between equal purchase times.
    pub(super) seq: u32,
    pub(super) kind: PackageKind,
    pub(super) mode: Mode,
    pub(super) per: Per,
    pub(super) priority: u8,
    /// It also pays what was overage when it came into force (`docs/rules.md` P3).
    pub(super) pays_overage: bool,
}

/// An accepted order, as it waits in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) sale: Sale,
    pub(super) validity: Validity,
}

/// A package that has come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) sale: Sale,
    /// First second whose usage it pays: it then pays what no other package does, until it is in force.
    pub(super) pays_from: UnixTime,
    /// First second in force.
    pub(super) effective_at: UnixTime,
    /// First second no longer in force, as it was sold: decides the burn order.
    pub(super) expires_at: UnixTime,
    /// The same as it came: earlier if it was voided.
    pub(super) until: UnixTime,
    pub(super) closed: Closed,
    /// The cycle whose exhaustion was told last. A quota for the whole validity is told once, whatever the cycle.
    pub(super) exhausted: Option<Day>,
    /// Its end was told.
    pub(super) ended: bool,
}

/// Burn of closed days: final. Days close in order, so one cycle at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Closed {
    /// The cycle of the day closed last.
    pub(super) cycle: Day,
    pub(super) in_cycle: u64,
    total: u64,
}

impl Closed {
    /// Of a package that burnt elsewhere.
    pub(super) fn opened(cycle: Day, in_cycle: u64, total: u64) -> Self {
        Self { cycle, in_cycle, total }
    }

    pub(super) fn add(&mut self, cycle: Day, bytes: u64) {
        if self.cycle != cycle {
            *self = Self { cycle, in_cycle: 0, total: self.total };
        }
        self.in_cycle = self.in_cycle.saturating_add(bytes);
        self.total = self.total.saturating_add(bytes);
    }
}

impl Sale {
    const UNLIMITED: u64 = u64::MAX;

    pub(super) fn new(order: &str, payment: &Payment, spec: &PackageSpec, mode: Mode, seq: u32) -> Self {
        let len = |text: &str| u16::try_from(text.len()).expect("a name is shorter than a command");
        Self {
            texts: [order, &payment.provider, &payment.reference].concat().into_boxed_str(),
            order_len: len(order),
            provider_len: len(&payment.provider),
            quota: spec.quota.unwrap_or(Self::UNLIMITED),
            paid_at: payment.paid_at,
            seq,
            kind: spec.kind,
            mode,
            per: spec.per,
            priority: spec.priority,
            pays_overage: spec.pays_overage,
        }
    }

    /// Of a package that was sold before its card came. It has paid back what it has.
    pub(super) fn opened(package: &OpenedPackage, seq: u32) -> Self {
        let spec = PackageSpec {
            kind: package.kind,
            quota: package.quota,
            // No part of a sale: the package has its dates.
            validity: Validity::Days(0),
            per: package.per,
            priority: package.priority,
            pays_overage: false,
        };
        Self::new(&package.order, &package.payment, &spec, Mode::Immediate, seq)
    }

    fn text(&self, from: u16, len: Option<u16>) -> &str {
        let rest = self.texts.get(usize::from(from)..).unwrap_or_default();
        len.map_or(rest, |len| rest.get(..usize::from(len)).unwrap_or_default())
    }

    /// The order's id.
    pub(super) fn order(&self) -> &str {
        self.text(0, Some(self.order_len))
    }

    pub(super) fn payment(&self) -> Payment {
        Payment {
            provider: self.text(self.order_len, Some(self.provider_len)).to_owned(),
            reference: self.text(self.order_len.saturating_add(self.provider_len), None).to_owned(),
            paid_at: self.paid_at,
        }
    }

    /// Bytes; `None` = unlimited.
    pub(super) fn quota(&self) -> Option<u64> {
        (self.quota != Self::UNLIMITED).then_some(self.quota)
    }

    pub(super) fn data(&self) -> PackageData {
        PackageData {
            order: self.order().to_owned(),
            payment: self.payment(),
            kind: self.kind,
            mode: self.mode,
            quota: self.quota(),
            burnt: 0,
            effective_at: None,
            expires_at: None,
            cycle: None,
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.texts.len()
    }
}

impl Order {
    pub(super) fn new(recharge: &Recharge<'_>, seq: u32) -> Self {
        let sale = Sale::new(recharge.order, recharge.payment, recharge.package, recharge.mode, seq);
        Self { sale, validity: recharge.package.validity }
    }
}

impl Package {
    pub(super) fn start(sale: Sale, effective_at: UnixTime, expires_at: UnixTime) -> Self {
        Self {
            sale,
            pays_from: effective_at,
            effective_at,
            expires_at,
            until: expires_at,
            closed: Closed::default(),
            exhausted: None,
            ended: false,
        }
    }

    /// Whether it is in force at a second, and pays for usage of that second in its turn.
    pub(super) fn covers(&self, time: UnixTime) -> bool {
        self.effective_at <= time && time < self.until
    }

    /// Whether it pays what was overage at a second.
    pub(super) fn pays_back(&self, time: UnixTime) -> bool {
        self.pays_from <= time && time < self.effective_at
    }

    /// Whether its end was told and no open day can burn it any more.
    pub(super) fn is_past(&self, open_from: UnixTime) -> bool {
        self.ended && self.until <= open_from
    }

    /// Burn order (`docs/rules.md` P3): priority, earliest expiry, earliest purchase.
    pub(super) fn rank(&self) -> (u8, UnixTime, UnixTime, u32) {
        (self.sale.priority, self.expires_at, self.sale.paid_at, self.sale.seq)
    }

    /// Burnt for good of the quota that counts in a cycle.
    pub(super) fn closed_burn(&self, cycle: Day) -> u64 {
        match self.sale.per {
            Per::Validity => self.closed.total,
            Per::Cycle if self.closed.cycle == cycle => self.closed.in_cycle,
            Per::Cycle => 0,
        }
    }

    /// Whether the exhaustion of the quota that counts in a cycle was told.
    pub(super) fn told_exhausted(&self, cycle: Day) -> bool {
        match self.sale.per {
            Per::Validity => self.exhausted.is_some(),
            Per::Cycle => self.exhausted == Some(cycle),
        }
    }

    pub(super) fn data(&self, burnt: u64) -> PackageData {
        PackageData {
            burnt,
            effective_at: Some(self.effective_at),
            expires_at: Some(self.expires_at),
            ..self.sale.data()
        }
    }
}

/// The end of a validity that counts from a second (`docs/rules.md` P2): the first second after it.
///
/// A month is the carrier's accounting month, so months and cycles are one measure: the one that holds `from` is the
/// first, and the last ends with its last second. Days are local days: as long after midnight that many days later.
pub(super) fn end_of(validity: Validity, from: UnixTime, calendar: &Calendar) -> UnixTime {
    match validity {
        Validity::Days(days) => {
            calendar.same_time(from, calendar.day_of(from).saturating_add(Day::from(days)))
        }
        Validity::Months(count) | Validity::Cycles(count) => {
            cycle_end(count, from, calendar).unwrap_or_else(|| beyond(count, from, calendar))
        }
    }
}

/// Whether the compiled calendar holds the end of a validity that counts from a second.
pub(super) fn within_calendar(validity: Validity, from: UnixTime, calendar: &Calendar) -> bool {
    match validity {
        Validity::Days(_) => true,
        Validity::Months(count) | Validity::Cycles(count) => cycle_end(count, from, calendar).is_some(),
    }
}

fn cycle_end(count: u16, from: UnixTime, calendar: &Calendar) -> Option<UnixTime> {
    let begun = begun(from, calendar);
    let end = begun.checked_sub(1)?.checked_add(usize::from(count))?;
    calendar.cycle_starts.get(end).map(|day| calendar.day_start(*day))
}

/// A queued package may come into force later than its catalogue saw: never shorter than the calendar would have it.
fn beyond(count: u16, from: UnixTime, calendar: &Calendar) -> UnixTime {
    let known = calendar.cycle_starts.len().saturating_sub(begun(from, calendar));
    let unknown = usize::from(count).saturating_sub(known);
    let last = calendar.cycle_starts.last().map_or(from, |day| calendar.day_start(*day)).max(from);
    last.saturating_add((unknown as i64).saturating_mul(31 * DAY_S))
}

/// How many cycles have begun at a second.
fn begun(from: UnixTime, calendar: &Calendar) -> usize {
    let day = calendar.day_of(from);
    calendar.cycle_starts.partition_point(|start| *start <= day)
}

const _: () = assert!(size_of::<Sale>() <= 48 && size_of::<Package>() <= 120);
