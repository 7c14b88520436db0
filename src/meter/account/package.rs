//! One package: what was ordered, when it is in force, and what of its quota is burnt for good.

use serde::{Deserialize, Serialize};

use crate::limits::DAY_S;
use crate::model::{Calendar, Day, Mode, PackageData, PackageSpec, Payment, Per, UnixTime, Validity};

/// An accepted order, as it waits in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) payment: Payment,
    pub(super) spec: PackageSpec,
    pub(super) mode: Mode,
    /// The how-manieth order of the card: decides between equal purchase times.
    pub(super) seq: u32,
}

/// A package that has come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) order: Order,
    /// First second in force, and first whose usage it pays.
    pub(super) effective_at: UnixTime,
    /// First second no longer in force.
    pub(super) expires_at: UnixTime,
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
    cycle: Day,
    in_cycle: u64,
    total: u64,
}

impl Closed {
    pub(super) fn add(&mut self, cycle: Day, bytes: u64) {
        if self.cycle != cycle {
            *self = Self { cycle, in_cycle: 0, total: self.total };
        }
        self.in_cycle = self.in_cycle.saturating_add(bytes);
        self.total = self.total.saturating_add(bytes);
    }
}

impl Package {
    pub(super) fn start(order: Order, effective_at: UnixTime, expires_at: UnixTime) -> Self {
        Self { order, effective_at, expires_at, closed: Closed::default(), exhausted: None, ended: false }
    }

    /// Whether it is in force at a second, or pays for usage of that second.
    pub(super) fn covers(&self, time: UnixTime) -> bool {
        self.effective_at <= time && time < self.expires_at
    }

    /// Whether its end was told and no open day can burn it any more.
    pub(super) fn is_past(&self, open_from: UnixTime) -> bool {
        self.ended && self.expires_at <= open_from
    }

    /// Burn order (`domain.md` P3): priority, earliest expiry, earliest purchase.
    pub(super) fn rank(&self) -> (u8, UnixTime, UnixTime, u32) {
        (self.order.spec.priority, self.expires_at, self.order.payment.paid_at, self.order.seq)
    }

    /// Burnt for good of the quota that counts in a cycle.
    pub(super) fn closed_burn(&self, cycle: Day) -> u64 {
        match self.order.spec.per {
            Per::Validity => self.closed.total,
            Per::Cycle if self.closed.cycle == cycle => self.closed.in_cycle,
            Per::Cycle => 0,
        }
    }

    /// Whether the exhaustion of the quota that counts in a cycle was told.
    pub(super) fn told_exhausted(&self, cycle: Day) -> bool {
        match self.order.spec.per {
            Per::Validity => self.exhausted.is_some(),
            Per::Cycle => self.exhausted == Some(cycle),
        }
    }

    pub(super) fn data(&self, burnt: u64) -> PackageData {
        PackageData {
            burnt,
            effective_at: Some(self.effective_at),
            expires_at: Some(self.expires_at),
            ..self.order.data()
        }
    }
}

impl Order {
    pub(super) fn data(&self) -> PackageData {
        PackageData {
            order: self.id.clone(),
            payment: self.payment.clone(),
            kind: self.spec.kind,
            mode: self.mode,
            quota: self.spec.quota,
            burnt: 0,
            effective_at: None,
            expires_at: None,
            cycle: None,
        }
    }
}

/// The end of a validity that counts from a second (`domain.md` P2): the first second after it.
///
/// A month is the carrier's accounting month, so months and cycles are one measure: the one that holds `from` is the
/// first, and the last ends with its last second. Days are local days: as long after midnight that many days later.
pub(super) fn end_of(validity: Validity, from: UnixTime, calendar: &Calendar) -> UnixTime {
    match validity {
        Validity::Days(days) => {
            let day = calendar.day_of(from);
            let since_midnight = from.saturating_sub(calendar.day_start(day));
            let last = day.saturating_add(Day::from(days));
            calendar.day_start(last).saturating_add(since_midnight).min(calendar.day_end(last))
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
