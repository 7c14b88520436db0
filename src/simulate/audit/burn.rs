//! Who pays which byte of a card (`docs/rules.md` P3), from its first byte on, and from what it brought along.

use std::collections::BTreeMap;

use super::opening::Brought;
use super::wallet::{Package, Scene, Segment, Wallet};
use crate::model::{Day, Per, UnixTime};

/// Who paid what.
#[derive(Debug, Clone, Default)]
pub(super) struct Burn {
    /// By place of the package and cycle.
    by_package: BTreeMap<(usize, Day), u64>,
    pub(super) by_cycle: BTreeMap<Day, u64>,
}

/// What is to be paid of one second's use.
struct Bill {
    at: UnixTime,
    cycle: Day,
    rest: u64,
    /// Bytes that a package paid which was then taken back, by the packages begun until then.
    owed: Vec<(usize, u64)>,
}

impl Wallet {
    pub(super) fn burn(&self, scene: &Scene<'_>) -> Burn {
        let mut order: Vec<usize> = (0..self.packages.len()).collect();
        order.sort_by_key(|at| {
            let p = &self.packages[*at];
            (p.order.spec.priority, p.to, p.order.payment.paid_at, p.seq)
        });
        let mut burn = Burn::default();
        if let Some(brought) = self.brought {
            self.pay_brought(brought, scene, &mut burn);
        }
        for segment in scene.segments {
            self.pay(&order, segment, scene, &mut burn);
        }
        burn
    }

    fn pay(&self, order: &[usize], segment: &Segment, scene: &Scene<'_>, burn: &mut Burn) {
        let (cycle, at) = (scene.zone.cycle_at(segment.start), segment.start);
        let in_force = order.iter().copied().filter(|p| self.packages[*p].pays(at));
        let mut bill = Bill { at, cycle, rest: segment.bytes, owed: Vec::new() };
        for p in in_force.chain(self.back_payers(at, cycle, scene)) {
            self.charge(p, &mut bill, scene, burn);
        }
    }

    /// What was paid elsewhere is paid; what was overage then may still be paid back.
    fn pay_brought(&self, brought: Brought, scene: &Scene<'_>, burn: &mut Burn) {
        let (cycle, at) = (brought.cycle, scene.zone.start(brought.cycle) - 1);
        *burn.by_cycle.entry(cycle).or_default() += brought.paid_by_ended;
        let mut bill = Bill { at, cycle, rest: brought.overage, owed: Vec::new() };
        for (p, package) in self.packages.iter().enumerate() {
            if let Some((now, before)) = package.brought {
                *burn.by_package.entry((p, Day::MIN)).or_default() += before;
                self.note_paid(p, now, &mut bill, scene, burn);
            }
        }
        for p in self.back_payers(at, cycle, scene) {
            self.charge(p, &mut bill, scene, burn);
        }
    }

    fn back_payers(&self, at: UnixTime, cycle: Day, scene: &Scene<'_>) -> Vec<usize> {
        let mut back: Vec<usize> = (0..self.packages.len()).collect();
        back.retain(|p| self.packages[*p].pays_back(at, cycle, scene.zone));
        // Of a day that was final already what was left goes to whoever comes next; else the order of purchase counts.
        back.sort_by_key(|p| match &self.packages[*p] {
            package if at < package.final_before => (true, *p),
            package => (false, package.seq),
        });
        back
    }

    /// A package pays what it can.
    fn charge(&self, p: usize, bill: &mut Bill, scene: &Scene<'_>, burn: &mut Burn) {
        let package = &self.packages[p];
        let mut free = package.order.spec.quota.unwrap_or(u64::MAX) - burn.of(p, package, bill.cycle);
        let mut paid = bill.rest.min(free);
        (bill.rest, free) = (bill.rest - paid, free - paid);
        let at = bill.at;
        for (_, bytes) in bill.owed.iter_mut().filter(|(begun, _)| p >= *begun && at < package.from) {
            let more = free.min(*bytes);
            (*bytes, free, paid) = (*bytes - more, free - more, paid + more);
        }
        self.note_paid(p, paid, bill, scene, burn);
    }

    fn note_paid(&self, p: usize, paid: u64, bill: &mut Bill, scene: &Scene<'_>, burn: &mut Burn) {
        *burn.by_package.entry((p, bill.cycle)).or_default() += paid;
        match self.packages[p].void {
            // Its cycle is over and done with.
            Some(void) if scene.zone.cycle_end(bill.cycle) > void.open_from => {
                bill.owed.push((void.begun, paid));
            }
            _ => *burn.by_cycle.entry(bill.cycle).or_default() += paid,
        }
    }
}

impl Burn {
    /// Burnt of the quota that counts in a cycle.
    pub(super) fn of(&self, at: usize, package: &Package, cycle: Day) -> u64 {
        match package.order.spec.per {
            Per::Cycle => self.by_package.get(&(at, cycle)).copied().unwrap_or_default(),
            Per::Validity => {
                self.by_package.range((at, Day::MIN)..=(at, Day::MAX)).map(|(_, bytes)| bytes).sum()
            }
        }
    }
}
