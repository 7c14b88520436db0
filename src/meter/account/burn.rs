//! Burn: which package pays which byte (`docs/rules.md` P3). A pure function of packages and segments in event order, so
//! that an older record changes exactly what it would have changed had it come in time.
//!
//! Invariant: burnt + overage = used, segment by segment; no package burns more than its quota.

use smallvec::SmallVec;

use super::Segment;
use super::package::Package;
use crate::model::{Calendar, Day, Per};

/// What the open days burn, beside the closed burn that the packages hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Burn {
    /// In the order of the packages.
    lines: SmallVec<[Line; 4]>,
    /// In the order of time.
    pub(super) cycles: SmallVec<[CycleBurn; 2]>,
    current: Day,
}

/// One package's burn.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Line {
    /// The cycle met last, and the burn in it.
    cycle: Day,
    in_cycle: u64,
    in_current: u64,
    total: u64,
}

/// Burn and overage of one cycle, all packages together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CycleBurn {
    pub(super) cycle: Day,
    pub(super) burnt: u64,
    pub(super) overage: u64,
}

/// Which quotas of per-cycle packages the burn is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) calendar: &'a Calendar,
    pub(super) current: Day,
}

/// Burns segments from packages, which stand in burn order.
pub(super) fn burn(packages: &[Package], segments: &[Segment], frame: Frame<'_>) -> Burn {
    let lines = SmallVec::from_elem(Line::default(), packages.len());
    let mut out = Burn { lines, cycles: SmallVec::new(), current: frame.current };
    for segment in segments.iter().filter(|s| s.bytes > 0) {
        let cycle = frame.calendar.cycle_at(segment.start);
        let overage = out.pay(packages, segment, cycle);
        out.note(CycleBurn { cycle, burnt: segment.bytes.saturating_sub(overage), overage });
    }
    out
}

impl Burn {
    /// Takes a segment's bytes from the packages; what they do not cover is overage.
    fn pay(&mut self, packages: &[Package], segment: &Segment, cycle: Day) -> u64 {
        let mut rest = segment.bytes;
        for (package, line) in packages.iter().zip(&mut self.lines) {
            if rest == 0 {
                break;
            }
            if package.covers(segment.start) {
                rest = rest.saturating_sub(line.take(package, cycle, rest, self.current));
            }
        }
        if rest > 0 && packages.iter().any(|package| package.pays_back(segment.start)) {
            rest = self.pay_back(packages, segment, cycle, rest);
        }
        rest
    }

    /// What would be overage is paid by packages bought later that say so, in the order of their purchase.
    fn pay_back(&mut self, packages: &[Package], segment: &Segment, cycle: Day, mut rest: u64) -> u64 {
        let mut payers: Vec<_> = packages.iter().zip(&mut self.lines).collect();
        payers.retain(|(package, _)| package.pays_back(segment.start));
        payers.sort_by_key(|(package, _)| package.sale.seq);
        for (package, line) in payers {
            rest = rest.saturating_sub(line.take(package, cycle, rest, self.current));
        }
        rest
    }

    fn note(&mut self, part: CycleBurn) {
        match self.cycles.last_mut() {
            Some(last) if last.cycle == part.cycle => {
                last.burnt = last.burnt.saturating_add(part.burnt);
                last.overage = last.overage.saturating_add(part.overage);
            }
            _ => self.cycles.push(part),
        }
    }

    /// What is burnt of the quota of the `at`th package that counts in the current cycle, closed days included.
    pub(super) fn of(&self, at: usize, package: &Package) -> u64 {
        let open = self.lines.get(at).map_or(0, |line| match package.sale.per {
            Per::Validity => line.total,
            Per::Cycle => line.in_current,
        });
        package.closed_burn(self.current).saturating_add(open)
    }

    /// What the open days burn of the `at`th package.
    pub(super) fn open_total(&self, at: usize) -> u64 {
        self.lines.get(at).map_or(0, |line| line.total)
    }

    /// What the open days of a cycle burn.
    pub(super) fn in_cycle(&self, cycle: Day) -> u64 {
        self.cycles.iter().filter(|c| c.cycle == cycle).fold(0, |sum, c| sum.saturating_add(c.burnt))
    }
}

impl Line {
    fn take(&mut self, package: &Package, cycle: Day, wanted: u64, current: Day) -> u64 {
        if self.cycle != cycle {
            self.cycle = cycle;
            self.in_cycle = 0;
        }
        let taken = match package.sale.quota() {
            None => wanted,
            Some(quota) => quota.saturating_sub(self.burnt(package)).min(wanted),
        };
        self.in_cycle = self.in_cycle.saturating_add(taken);
        self.total = self.total.saturating_add(taken);
        if cycle == current {
            self.in_current = self.in_current.saturating_add(taken);
        }
        taken
    }

    /// Of the quota that counts in the cycle met last.
    fn burnt(&self, package: &Package) -> u64 {
        let open = match package.sale.per {
            Per::Validity => self.total,
            Per::Cycle => self.in_cycle,
        };
        package.closed_burn(self.cycle).saturating_add(open)
    }
}
