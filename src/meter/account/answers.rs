//! What is asked of an account: answers, which change nothing.

use super::view::{self, AccountView};
use super::{Account, Ctx, Totals};
use crate::meter::memory::Memory;
use crate::model::{Day, UnixTime};

impl Account {
    /// Starts and ends of packages, where the segments of a day must be cut. Not sorted, may repeat.
    pub(crate) fn edges(&self) -> impl Iterator<Item = UnixTime> + '_ {
        let packages = self.book.iter().flat_map(|book| &book.packages);
        packages.flat_map(|package| [package.effective_at, package.until])
    }

    /// When [`Self::fire`] must be called next: a package ends, a cycle begins, time makes a rule reached.
    pub(crate) fn next_due(&self) -> Option<UnixTime> {
        self.book.as_ref().and_then(|book| book.next_due())
    }

    /// Whether a package ends or a cycle begins by then.
    pub(crate) fn moves_at(&self, at: UnixTime) -> bool {
        self.book.as_ref().is_some_and(|book| book.moves_at(at))
    }

    /// Whether a base package is in force.
    pub(crate) fn has_base(&self, at: UnixTime) -> bool {
        self.book.as_ref().is_some_and(|book| book.has_base(at))
    }

    /// Whether a base package is bought that has not begun.
    pub(crate) fn awaits_base(&self) -> bool {
        self.book.as_ref().is_some_and(|book| book.awaits_base())
    }

    /// Whether any package is in force.
    pub(crate) fn has_package(&self, at: UnixTime) -> bool {
        self.book.as_ref().is_some_and(|book| book.in_force(at).next().is_some())
    }

    /// Sums over what is in force.
    pub(crate) fn totals(&self, ctx: &Ctx<'_>) -> Totals {
        match &self.book {
            Some(book) => book.totals(ctx, &book.burn(ctx, ctx.usage.cycle)),
            None => Totals { quota: Some(0), burnt: 0, remaining: Some(0), overage: ctx.usage.used },
        }
    }

    /// [`Self::cycle_burnt`] and [`Self::totals`] in one look.
    pub(crate) fn cycle_burnt_and_totals(&self, ctx: &Ctx<'_>, cycle: Day) -> (u64, Totals) {
        let Some(book) = &self.book else { return (0, self.totals(ctx)) };
        let burn = book.burn(ctx, ctx.usage.cycle);
        (book.cycle_closed(cycle).saturating_add(burn.in_cycle(cycle)), book.totals(ctx, &burn))
    }

    /// Burnt of one cycle (past ones too, until they are forgotten); its overage is its used less this.
    pub(crate) fn cycle_burnt(&self, ctx: &Ctx<'_>, cycle: Day) -> u64 {
        self.book
            .as_ref()
            .map_or(0, |book| book.cycle_closed(cycle).saturating_add(book.burn(ctx, cycle).in_cycle(cycle)))
    }

    /// As of `ctx.at`. For a query, fire what is due on a copy first.
    pub(crate) fn view(&self, ctx: &Ctx<'_>) -> AccountView {
        self.book.as_ref().map_or_else(|| view::empty(ctx), |book| view::view(book, ctx))
    }

    /// Whether packages or rules were ever set. Looks at nothing on the heap: every CDR asks.
    pub(crate) fn is_used(&self) -> bool {
        self.book.is_some()
    }

    /// Adds the bytes on the heap.
    pub(crate) fn add_heap(&self, memory: &mut Memory) {
        self.book.iter().for_each(|book| book.add_heap(memory));
    }
}

impl Totals {
    pub(super) fn add(&mut self, quota: Option<u64>, burnt: u64) {
        let left = quota.map(|quota| quota.saturating_sub(burnt));
        self.quota = self.quota.zip(quota).map(|(sum, quota)| sum.saturating_add(quota));
        self.remaining = self.remaining.zip(left).map(|(sum, left)| sum.saturating_add(left));
        self.burnt = self.burnt.saturating_add(burnt);
    }
}
