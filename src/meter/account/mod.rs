//! The account of one card: packages, orders, burn and alerts. PURE, and a value by itself: it sees its card's segments
//! and usage through `Ctx` and nothing else.
//!
//! What was burnt is never kept for open days: it is a function of the packages and of the open days' segments in event
//! order, worked out anew whenever it is asked for (`docs/rules.md` P3). Kept is only what is final: the burn of closed
//! days, which events have been told, and where the alerts' armings stand. So nothing here can go stale.

mod admit;
mod alerts;
mod answers;
mod book;
mod burn;
mod level;
mod open;
mod orders;
mod package;
mod quiet;
mod rules;
#[cfg(test)]
mod tests;
mod view;
mod void;

pub use alerts::Stance;
pub(crate) use rules::Watch;
pub use view::{AccountView, PackageView, RuleView};

use serde::{Deserialize, Serialize};

use admit::{Admitted, admit};
use book::Book;
use burn::Burn;
use level::{LastHeard, Level};
pub(crate) use open::Opened;
use orders::Known;
use quiet::Quiet;

use crate::meter::Faults;
use crate::meter::feeds::Feeds;
use crate::model::{
    BurntBecomes, Calendar, Day, EventBody, Mode, PackageSpec, Payment, Rule, RuleKind, UnixTime,
    rules_problem,
};

/// Everything about packages and alerts of one card. Empty, it is 16 bytes of the card's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    book: Option<Box<Book>>,
    /// See [`Account::is_quiet`] and [`Account::listens`].
    quiet: Quiet,
}

/// What a card's account is told at each call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ctx<'a> {
    /// Log time.
    pub(crate) now: UnixTime,
    /// Effective time: a timer's due time, else log time.
    pub(crate) at: UnixTime,
    pub(crate) calendar: &'a Calendar,
    pub(crate) own_channels: &'a [String],
    /// The plan's rules, else the fleet's: taken when the card has none of its own.
    pub(crate) default_rules: &'a [Watch],
    /// Whether the carrier is settling these days.
    pub(crate) settling: bool,
    /// Whether the card may be used: a silence of one that is suspended is none.
    pub(crate) active: bool,
    /// When it last came to be so after it had been suspended; 0: it has not been.
    pub(crate) resumed_at: UnixTime,
    /// How fresh the feeds of the partition are.
    pub(crate) feeds: &'a Feeds,
    /// Hash of the feed that settles for the card's carrier, or that estimates where none does.
    pub(crate) settling_feed: u64,
    pub(crate) usage: Usage,
    /// Usage of the cycles before, as long as records may still change it, oldest first.
    pub(crate) past: &'a [Usage],
    /// All segments of the open days, ascending, none over a day's edge.
    pub(crate) segments: &'a [Segment],
    /// First second of the first open day: no segment before it will be handed over again.
    pub(crate) open_from: UnixTime,
    pub(crate) faults: Faults,
}

/// Usage of a cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// First day of the cycle.
    pub(crate) cycle: Day,
    pub(crate) used: u64,
    pub(crate) settled: u64,
    pub(crate) provisional: u64,
}

/// Used bytes of a piece of an open day, in the source that was chosen for the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: UnixTime,
    pub(crate) bytes: u64,
}

/// A recharge as it reaches the account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recharge<'a> {
    pub(crate) order: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) payment: &'a Payment,
    pub(crate) package: &'a PackageSpec,
    pub(crate) mode: Mode,
}

/// An order taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Void<'a> {
    pub(crate) order: &'a str,
    /// Names the taking back in the vendor's books.
    pub(crate) reference: &'a str,
    pub(crate) burnt: BurntBecomes,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderOutcome {
    /// In force, or queued.
    Applied,
    /// The same order with the same content was applied before: nothing happens again.
    Repeated,
    /// Why not, for the payer; `recharge.refused` is among the events. Leaves no trace in the account.
    Refused(String),
}

/// Sums over the packages in force at [`Ctx::at`], bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// `None` = unlimited; 0 without any package.
    pub(crate) quota: Option<u64>,
    pub(crate) burnt: u64,
    /// `None` = unlimited.
    pub(crate) remaining: Option<u64>,
    /// Of the cycle: used, but not burnt from any package.
    pub(crate) overage: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self { book: None, quiet: Quiet::always() }
    }
}

/// How to look at the alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Usage has changed: fire.
    Again,
    /// The packages or the cycle have changed: raise the arming, silently.
    Raised,
}

impl Account {
    /// Takes an order (`docs/rules.md` P1, P2, P5). Afterwards cut the segments at [`Self::edges`] and reschedule
    /// [`Self::next_due`].
    pub(crate) fn recharge(
        &mut self,
        ctx: &Ctx<'_>,
        recharge: &Recharge<'_>,
        out: &mut Vec<EventBody>,
    ) -> OrderOutcome {
        match admit(self.book.as_deref(), ctx, recharge) {
            Ok(Admitted::Repeated) => OrderOutcome::Repeated,
            Ok(Admitted::New) => {
                self.book.get_or_insert_default().take(ctx, recharge, out);
                let look = if ctx.faults.recharge_raises_nothing { Look::Again } else { Look::Raised };
                self.look(ctx, look, out);
                OrderOutcome::Applied
            }
            Err(reason) => {
                out.push(EventBody::RechargeRefused {
                    order: recharge.order.to_owned(),
                    payment: recharge.payment.clone(),
                    reason: reason.clone(),
                });
                OrderOutcome::Refused(reason)
            }
        }
    }

    /// Takes an order back (`docs/rules.md` P6). Afterwards as after [`Self::recharge`].
    pub(crate) fn void(&mut self, ctx: &Ctx<'_>, void: &Void<'_>, out: &mut Vec<EventBody>) -> OrderOutcome {
        let Some(book) = &mut self.book else { return OrderOutcome::Refused(void::nothing_left(void)) };
        let known = book.orders.look_void(void, ctx.now);
        let done = match known {
            Known::Same => return OrderOutcome::Repeated,
            Known::Other => Err(format!("order {:?} was voided under another reference", void.order)),
            Known::Full => Err(admit::too_many()),
            Known::No => book.void(ctx, void, out),
        };
        match done {
            Ok(()) => {
                book.orders.remember_void(void, ctx.now);
                self.look(ctx, Look::Raised, out);
                OrderOutcome::Applied
            }
            Err(reason) => OrderOutcome::Refused(reason),
        }
    }

    /// The card is cancelled: nothing of it is in force any more.
    pub(crate) fn give_up(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        if let Some(book) = &mut self.book {
            book.give_up(ctx, out);
            self.look(ctx, Look::Raised, out);
        }
    }

    /// Whether an order was taken with this very content.
    pub(crate) fn has_taken(&self, recharge: &Recharge<'_>, now: UnixTime) -> bool {
        self.book.as_ref().is_some_and(|book| book.orders.look(recharge, now) == Known::Same)
    }

    /// A planted fault: what was told is not remembered.
    pub(crate) fn forget_alerts(&mut self) {
        if let Some(book) = &mut self.book {
            book.alerts.forget();
            self.quiet = self.quiet.no_more();
        }
    }

    /// Replaces the card's own rules; an empty list gives it back to its plan's. New rules that hold at once are armed
    /// only when usage falls below them; the alert of a rule that is gone resolves.
    ///
    /// # Errors
    /// What is wrong with them, readable; the old rules stay.
    pub(crate) fn set_rules(
        &mut self,
        ctx: &Ctx<'_>,
        rules: &[Rule],
        out: &mut Vec<EventBody>,
    ) -> Result<(), String> {
        if let Some(problem) = rules_problem(rules) {
            return Err(problem);
        }
        if self.book.is_some() || !rules.is_empty() {
            let book = self.book.get_or_insert_default();
            let burn = book.burn(ctx, ctx.usage.cycle);
            let totals = book.totals(ctx, &burn);
            let asked = rules.iter().any(|rule| matches!(rule.kind, RuleKind::ExpiresDays(_)));
            let level = book.level(ctx, &totals, asked || book.alerts.asks_expiry(ctx.default_rules));
            book.alerts.set(rules, &level, out);
            self.look(ctx, Look::Again, out);
        }
        Ok(())
    }

    /// The card is used for the first time, and its plan's rules watch the usage of cards without packages too.
    pub(crate) fn begin(&mut self, ctx: &Ctx<'_>) {
        let book = self.book.get_or_insert_default();
        let burn = book.burn(ctx, ctx.usage.cycle);
        let totals = book.totals(ctx, &burn);
        let level = book.level(ctx, &totals, false);
        book.alerts.begin(&level);
        self.quiet = self.quiet.no_more().listening(book.alerts.listens());
    }

    /// The same of a card that has been used before: what is reached is held.
    pub(crate) fn begin_silently(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        self.book.get_or_insert_default();
        self.look(ctx, Look::Again, out);
    }

    /// Looks at everything anew: exhausted packages, alerts (A1 to A5). Call it after every change of usage that is not
    /// [quiet](Self::is_quiet), and when the default rules have changed.
    pub(crate) fn evaluate(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        self.look(ctx, Look::Again, out);
    }

    fn look(&mut self, ctx: &Ctx<'_>, look: Look, out: &mut Vec<EventBody>) {
        let Some(book) = &mut self.book else { return };
        let burn = book.burn(ctx, ctx.usage.cycle);
        let totals = book.totals(ctx, &burn);
        book.exhaust(ctx, &burn, out);
        book.renew_cycle(ctx);
        let level = book.level(ctx, &totals, book.alerts.asks_expiry(ctx.default_rules));
        match look {
            Look::Again => book.alerts.evaluate(&level, out),
            Look::Raised => book.alerts.raise(&level, out),
        }
        self.measure(ctx, &burn, &totals);
    }

    /// Finds how long nothing happens.
    fn measure(&mut self, ctx: &Ctx<'_>, burn: &Burn, totals: &Totals) {
        if let Some(book) = &self.book {
            let room = book.room(burn, &book.level(ctx, totals, false));
            let until = ctx.usage.used.saturating_add(room);
            let spent = totals.remaining == Some(0);
            self.quiet = Quiet::new(until).listening(book.alerts.listens()).spent(spent);
        }
    }

    /// Whether [`Self::evaluate`] would do nothing; `used` is the cycle's.
    ///
    /// Exact while, since the last evaluation, segments of the current cycle only grew and none shrank (no change of the
    /// day's source, no new cut). Why: bytes added to one segment add at most as many to each package's burn. Taken in
    /// burn order, a package serves its segments in event order up to its quota, so what it is asked beyond grows by
    /// the rest of what was added and falls nowhere, and the next package sees no more than that. So a quota and a
    /// threshold come nearer by at most what was added, which the cycle's used counts.
    pub(crate) fn is_quiet(&self, used: u64) -> bool {
        used < self.quiet.until()
    }

    /// Whether a rule asks when the card was last heard of: then tell [`Self::hear`] of each record. Looks at nothing on
    /// the heap: every CDR asks.
    pub(crate) fn listens(&self) -> bool {
        self.quiet.listens()
    }

    /// A record of the card has come by a feed. Whether to [evaluate](Self::evaluate).
    pub(crate) fn hear(&mut self, feed: u64, now: UnixTime) -> bool {
        self.book.as_mut().is_some_and(|book| book.alerts.hear(LastHeard { at: now, feed }))
    }

    /// Whether nothing was left of the packages in force when they were last looked at, or none was: what of it has been
    /// burnt since is less than would be noticed.
    pub(crate) fn is_spent(&self) -> bool {
        self.quiet.is_spent()
    }

    /// The card may be used again: its silence counts from now, as [`Ctx::resumed_at`] says. Then reschedule.
    pub(crate) fn resume(&mut self, ctx: &Ctx<'_>) {
        if let Some(book) = &mut self.book {
            let burn = book.burn(ctx, ctx.usage.cycle);
            let totals = book.totals(ctx, &burn);
            let level = book.level(ctx, &totals, book.alerts.asks_expiry(ctx.default_rules));
            book.alerts.resume(&level);
        }
    }

    /// Makes the burn of the first open day final. `ctx.segments` are this day's only; days close in order.
    pub(crate) fn close_day(&mut self, ctx: &Ctx<'_>) {
        if let Some(book) = &mut self.book {
            book.close_day(ctx);
        }
    }

    /// Expires, hands over, starts a cycle: all that is due at `ctx.at`, which is [`Self::next_due`]; then reschedule.
    /// Ask [`Self::has_base`] afterwards: a base that ended without a successor suspends the card (S1).
    pub(crate) fn fire(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        self.pass(ctx, out);
        if let Some(book) = &mut self.book {
            book.fire(ctx, out);
            self.look(ctx, Look::Raised, out);
        }
    }

    /// Looks only at what time has made reached: to be called instead of [`Self::fire`] when nothing
    /// [moves](Self::moves_at).
    pub(crate) fn pass(&mut self, ctx: &Ctx<'_>, out: &mut Vec<EventBody>) {
        let Some(book) =
            self.book.as_mut().filter(|book| book.alerts.due.get().is_some_and(|due| due <= ctx.at))
        else {
            return;
        };
        let burn = book.burn(ctx, ctx.usage.cycle);
        // What ends in this second is still in force, and what comes after it is not yet.
        let until = Ctx { at: ctx.at.saturating_sub(1), ..*ctx };
        let totals = book.totals(&until, &burn);
        let level = book.level(&until, &totals, book.alerts.asks_expiry(ctx.default_rules));
        book.alerts.pass(&Level { ctx, ..level }, out);
    }

    /// Hands over what was burnt of a cycle that is closed: from now on it is the caller's to keep.
    pub(crate) fn drop_cycle(&mut self, cycle: Day) -> u64 {
        self.book.as_mut().map_or(0, |book| book.drop_cycle(cycle))
    }

    /// Takes the burn of a cycle back that was dropped.
    pub(crate) fn recall_cycle(&mut self, cycle: Day, burnt: u64) {
        if let Some(book) = self.book.as_mut().filter(|_| burnt > 0) {
            book.recall_cycle(cycle, burnt);
        }
    }

    /// Lets go of copies of rules that others have.
    pub(crate) fn share(&mut self, default_rules: &[Watch]) {
        self.book.iter_mut().for_each(|book| book.alerts.share(default_rules));
    }
}

const _: () = assert!(size_of::<Account>() <= 16);
