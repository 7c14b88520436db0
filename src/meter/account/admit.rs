//! Whether an order is taken (`docs/rules.md` P5). Every refusal is readable: the payer must be refunded because of it.
//!
//! In this order: known before, channel, quota, validity, room. So the reason told is the one that matters most.

use super::book::Book;
use super::orders::Known;
use super::package::within_calendar;
use super::{Ctx, Recharge};
use crate::limits::{
    ORDER_DAYS, ORDERS_MAX, PACKAGES_IN_FORCE_MAX, PACKAGES_KEPT_MAX, QUEUED_PACKAGES_MAX, QUOTA_BYTES_MAX,
    VALIDITY_DAYS_MAX, VALIDITY_MONTHS_MAX,
};
use crate::model::{Mode, UnixTime, Validity};

/// How an order that is not refused stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    New,
    Repeated,
}

/// Looks an order over; `book` is missing on a card that has none yet.
pub(super) fn admit(book: Option<&Book>, ctx: &Ctx<'_>, recharge: &Recharge<'_>) -> Result<Admitted, String> {
    match book.map_or(Known::No, |book| book.orders.look(recharge, ctx.now)) {
        Known::Same => return Ok(Admitted::Repeated),
        Known::Other => return Err(reused(recharge)),
        Known::Full => return Err(too_many()),
        Known::No if book.is_some_and(|book| book.holds(recharge.order)) => return Err(reused(recharge)),
        Known::No => {}
    }
    let problem = channel(ctx, recharge)
        .or_else(|| quota(recharge))
        .or_else(|| validity(ctx, recharge))
        .or_else(|| book.and_then(|book| room(book, ctx, recharge.mode)));
    problem.map_or(Ok(Admitted::New), Err)
}

pub(super) fn too_many() -> String {
    format!("the card has {ORDERS_MAX} orders within {ORDER_DAYS} days already")
}

fn reused(recharge: &Recharge<'_>) -> String {
    format!(
        "order {:?} was used for another recharge of this card: send this one under an order id of its own",
        recharge.order
    )
}

fn channel(ctx: &Ctx<'_>, recharge: &Recharge<'_>) -> Option<String> {
    let foreign = !ctx.own_channels.iter().any(|own| own == recharge.channel);
    foreign.then(|| {
        format!(
            "channel {:?} is not one of the vendor's own: only these may recharge its cards",
            recharge.channel
        )
    })
}

fn quota(recharge: &Recharge<'_>) -> Option<String> {
    match recharge.package.quota {
        Some(0) => {
            Some("a quota of 0 bytes: order at least one byte, or no quota for an unlimited one".to_owned())
        }
        Some(bytes) if bytes > QUOTA_BYTES_MAX => {
            Some(format!("a quota of {bytes} bytes: a package has at most {QUOTA_BYTES_MAX}"))
        }
        _ => None,
    }
}

fn validity(ctx: &Ctx<'_>, recharge: &Recharge<'_>) -> Option<String> {
    let validity = recharge.package.validity;
    let (count, unit) = match validity {
        Validity::Months(count) => (count, "months"),
        Validity::Days(count) => (count, "days"),
        Validity::Cycles(count) => (count, "cycles"),
    };
    if count == 0 {
        return Some(format!("a validity of 0 {unit}: order at least 1"));
    }
    let most = match validity {
        Validity::Days(_) => VALIDITY_DAYS_MAX,
        Validity::Months(_) | Validity::Cycles(_) => VALIDITY_MONTHS_MAX,
    };
    if count > most {
        return Some(format!("a validity of {count} {unit}: a package lasts at most ten years"));
    }
    (!within_calendar(validity, ctx.now, ctx.calendar)).then(|| {
        format!("a validity of {count} {unit} ends after the carrier's calendar: order a shorter one")
    })
}

fn room(book: &Book, ctx: &Ctx<'_>, mode: Mode) -> Option<String> {
    let kept = book.kept(ctx.open_from).saturating_add(book.queue.len());
    if kept >= PACKAGES_KEPT_MAX {
        return Some(format!(
            "the card holds {PACKAGES_KEPT_MAX} packages, those of its open days included: order again when they are closed"
        ));
    }
    let now_or_then = match mode {
        Mode::Renewal if book.has_base(ctx.at) => 0,
        Mode::Immediate | Mode::Renewal => in_force(book, ctx.at),
        Mode::NextCycle => in_force(book, ctx.at).saturating_add(book.waiting()),
    };
    if now_or_then >= PACKAGES_IN_FORCE_MAX {
        return Some(format!(
            "{PACKAGES_IN_FORCE_MAX} packages are in force: order again when one has expired"
        ));
    }
    let queues = mode != Mode::Immediate && book.queue.len() >= QUEUED_PACKAGES_MAX;
    queues.then(|| format!("{QUEUED_PACKAGES_MAX} packages are queued: order again when one has started"))
}

fn in_force(book: &Book, at: UnixTime) -> usize {
    book.in_force(at).count()
}
