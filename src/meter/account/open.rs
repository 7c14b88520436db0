//! Packages that a card brings along in mid-life: in force, and burnt in part.
//!
//! Invariant: what they burnt elsewhere stands where the burn of closed days stands, so that every later byte is paid as if
//! those days had been metered here; what is exhausted or reached already is not told.

use super::book::Book;
use super::package::{Closed, Package, Sale};
use super::{Account, Ctx, Look};
use crate::model::{Day, EventBody, OpenedPackage, UnixTime};

/// What an account is opened with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened<'a> {
    pub(crate) packages: &'a [OpenedPackage],
    pub(crate) cycle: Day,
    /// Burnt in it, by these packages and by some that have ended.
    pub(crate) burnt: u64,
}

impl Account {
    /// Takes packages that are in force. Afterwards as after [`Self::recharge`].
    pub(crate) fn open(&mut self, ctx: &Ctx<'_>, opened: &Opened<'_>, out: &mut Vec<EventBody>) {
        self.book.get_or_insert_default().open(ctx, opened);
        self.look(ctx, Look::Raised, out);
    }

    /// Whether anything was ordered that is remembered.
    pub(crate) fn has_orders(&self, now: UnixTime) -> bool {
        self.book.as_ref().is_some_and(|book| book.has_orders(now))
    }
}

impl Book {
    fn open(&mut self, ctx: &Ctx<'_>, opened: &Opened<'_>) {
        let began = ctx.calendar.day_start(opened.cycle);
        for package in opened.packages {
            let in_cycle = package.in_cycle(began).unwrap_or(package.burnt);
            let sale = Sale::opened(package, self.next_seq());
            let mut held = Package::start(sale, package.effective_at, package.expires_at);
            held.closed = Closed::opened(opened.cycle, in_cycle, package.burnt);
            held.exhausted = (package.quota == Some(package.burnt)).then_some(opened.cycle);
            self.orders.remember_opened(&package.order, ctx.now);
            self.insert(held);
        }
        self.note_closed(opened.cycle, opened.burnt);
        self.note_cycle(ctx);
    }
}
