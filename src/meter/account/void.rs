//! Packages taken back: an order that is voided (`docs/rules.md` P6), and what a cancelled card leaves behind.
//!
//! Invariant: conservation holds whatever is taken back: what a voided package does not pay is paid by another that was in
//! force, or is overage.

use super::book::Book;
use super::{Ctx, Void};
use crate::model::{BurntBecomes, EventBody, UnixTime, VoidData};

/// Where a voided order stood.
enum Stood {
    Queued(usize),
    InForce(usize),
}

pub(super) fn nothing_left(void: &Void<'_>) -> String {
    format!("order {:?} is neither queued nor in force: nothing is left of it to void", void.order)
}

impl Book {
    /// Takes an order back; a renewal starts if that leaves the card without a base.
    ///
    /// # Errors
    /// Why not, for a support agent.
    pub(super) fn void(
        &mut self,
        ctx: &Ctx<'_>,
        void: &Void<'_>,
        out: &mut Vec<EventBody>,
    ) -> Result<(), String> {
        let stood = self.stands(void.order, ctx.at).ok_or_else(|| nothing_left(void))?;
        let told = |package| VoidData {
            package,
            cause: "command".to_owned(),
            reference: Some(void.reference.to_owned()),
            burnt_becomes: None,
        };
        match stood {
            Stood::Queued(at) => {
                let order = self.queue.remove(at);
                out.push(EventBody::PackageVoided(told(order.sale.data())));
            }
            Stood::InForce(at) => {
                let data = told(self.void_in_force(at, void.burnt, ctx));
                out.push(EventBody::PackageVoided(VoidData { burnt_becomes: Some(void.burnt), ..data }));
                self.hand_over(ctx, out);
            }
        }
        self.note_cycle(ctx);
        Ok(())
    }

    fn stands(&self, order: &str, at: UnixTime) -> Option<Stood> {
        let queued = self.queue.iter().position(|held| held.sale.order() == order).map(Stood::Queued);
        let in_force = || self.packages.iter().position(|p| p.covers(at) && p.sale.order() == order);
        queued.or_else(|| in_force().map(Stood::InForce))
    }

    /// Ends a package; answers what is told of it. Waived, it still pays what was used before. Else it pays nothing: open
    /// days burn anew without it, and its share of closed days becomes overage as long as their cycle is open.
    fn void_in_force(&mut self, at: usize, burnt: BurntBecomes, ctx: &Ctx<'_>) -> crate::model::PackageData {
        let burn = self.burn(ctx, ctx.usage.cycle);
        let package = &mut self.packages[at];
        let data = package.data(burn.of(at, package));
        if burnt == BurntBecomes::Waived {
            package.until = ctx.at;
            package.ended = true;
        } else {
            let package = self.packages.remove(at);
            let cycle = package.closed.cycle;
            let ends = ctx.calendar.cycle_of(cycle).map(|(_, next)| ctx.calendar.day_start(next));
            if ends.is_some_and(|end| end > ctx.open_from) {
                self.unburn_closed(cycle, package.closed.in_cycle);
            }
        }
        data
    }

    /// The card is cancelled: all that waits is voided, and what is in force ends now.
    pub(super) fn give_up(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        let burn = self.burn(ctx, ctx.usage.cycle);
        let cancelled = |package, burnt_becomes| {
            let cause = "cancelled".to_owned();
            EventBody::PackageVoided(VoidData { package, cause, reference: None, burnt_becomes })
        };
        for (at, package) in self.packages.iter_mut().enumerate().filter(|(_, p)| !p.ended) {
            out.push(cancelled(package.data(burn.of(at, package)), Some(BurntBecomes::Waived)));
            (package.until, package.ended) = (ctx.at, true);
        }
        for order in std::mem::take(&mut self.queue) {
            out.push(cancelled(order.sale.data(), None));
        }
    }
}
