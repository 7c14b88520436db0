//! Start in mid-life (`docs/rules.md`): a card that was sold and used elsewhere comes with what it has used in the running
//! cycle, its packages with what they have burnt, its state and its credits.
//!
//! What it brings counts as closed: it is final, is no source's, and burns no more. The cycles before are the other
//! system's: their records are late here. Invariant: burnt + overage = used from the first record on, and what holds
//! already is held in silence (A4).

use super::book;
use super::card::Card;
use super::command::Refusal;
use super::ctx::{Because, Ctx};
use super::effects::Effects;
use super::life;
use super::state::CardState;
use crate::limits::{
    CREDITS_MAX, DAY_S, OPENED_PACKAGE_S_MAX, PACKAGES_IN_FORCE_MAX, QUOTA_BYTES_MAX, VALIDITY_DAYS_MAX,
};
use crate::model::{
    Calendar, Catalogue, Day, EventBody, Mode, OpenedPackage, OpenedState, Opening, PackageData, PackageKind,
    Register, Stopped, UnixTime,
};

/// What an opening is looked over by.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub catalogue: &'a Catalogue,
    pub calendar: &'a Calendar,
    /// The command's own time, and log time.
    pub said_at: UnixTime,
    pub now: UnixTime,
}

/// The figures of an opening in the running cycle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// First day of the cycle.
    pub cycle: Day,
    pub used: u64,
    /// Of it: burnt, by the packages here and by some that have ended.
    pub burnt: u64,
}

/// Finds the figures of an opening, and all that can be wrong with it whatever the card is.
///
/// # Errors
/// What is wrong, for a support agent.
pub(super) fn look_over(
    register: &Register,
    opening: &Opening,
    terms: Terms<'_>,
) -> Result<Figures, Refusal> {
    let (calendar, now) = (terms.calendar, terms.now);
    let Some((cycle, _)) = calendar.cycle_of(calendar.day_of(now)) else {
        return Err("the carrier's calendar does not hold today".to_owned());
    };
    if calendar.cycle_at(terms.said_at) != cycle {
        return Err(
            "its `at` is of another cycle than the running one, and so is what it says was used".to_owned()
        );
    }
    at_most(opening.used, "used bytes")?;
    if opening.packages.len() > PACKAGES_IN_FORCE_MAX {
        return Err(format!(
            "{} packages: at most {PACKAGES_IN_FORCE_MAX} are in force",
            opening.packages.len()
        ));
    }
    if opening.credits > CREDITS_MAX {
        return Err(format!("{} credits: a card has at most {CREDITS_MAX}", opening.credits));
    }
    for (at, package) in opening.packages.iter().enumerate() {
        let earlier = opening.packages.get(..at).unwrap_or_default();
        if earlier.iter().any(|other| other.order == package.order) {
            return Err(format!("order {:?} stands there twice", package.order));
        }
        check_package(register, package, terms)?;
    }
    check_state(opening, terms)?;
    figures(opening, cycle, calendar.day_start(cycle))
}

fn at_most(bytes: u64, what: &str) -> Result<(), Refusal> {
    if bytes > QUOTA_BYTES_MAX { Err(format!("{bytes} {what}: at most {QUOTA_BYTES_MAX}")) } else { Ok(()) }
}

fn check_package(register: &Register, package: &OpenedPackage, terms: Terms<'_>) -> Result<(), Refusal> {
    let order = &package.order;
    let channel = if package.channel.is_empty() { &register.channel } else { &package.channel };
    if !terms.catalogue.own_channels.contains(channel) {
        return Err(format!(
            "order {order:?}: channel {channel:?} is not one of the vendor's own: only these may sell packages for its cards"
        ));
    }
    if package.quota == Some(0) {
        return Err(format!("order {order:?}: a quota of 0 bytes"));
    }
    let quota = package.quota.unwrap_or(QUOTA_BYTES_MAX);
    at_most(quota, "bytes of quota").map_err(|reason| format!("order {order:?}: {reason}"))?;
    if package.burnt > quota {
        return Err(format!("order {order:?}: {} bytes burnt of {quota}", package.burnt));
    }
    let text = crate::codec::time::text;
    if package.effective_at > terms.now {
        let from = text(package.effective_at);
        return Err(format!("order {order:?} is in force from {from} on: send it as a recharge afterwards"));
    }
    if package.expires_at <= terms.now {
        return Err(format!(
            "order {order:?} ended at {}: leave it out, and say what is overage",
            text(package.expires_at)
        ));
    }
    let longest = |from: UnixTime, to: UnixTime| to.saturating_sub(from) > OPENED_PACKAGE_S_MAX + DAY_S;
    if longest(package.effective_at, terms.now) || longest(terms.now, package.expires_at) {
        return Err(format!("order {order:?}: a package lasts at most {VALIDITY_DAYS_MAX} days"));
    }
    Ok(())
}

fn check_state(opening: &Opening, terms: Terms<'_>) -> Result<(), Refusal> {
    let OpenedState::Suspended { by, since } = opening.state else { return Ok(()) };
    let since = since.unwrap_or(terms.now);
    if since > terms.now {
        return Err("its suspension has not begun".to_owned());
    }
    if terms.now.saturating_sub(since) > OPENED_PACKAGE_S_MAX {
        return Err("it was suspended more than ten years ago".to_owned());
    }
    if by != Stopped::Expiry {
        return Ok(());
    }
    if opening.packages.iter().any(|package| package.kind == PackageKind::Base) {
        return Err("it is suspended by expiry, and a base package is in force".to_owned());
    }
    if life::cancelled_at(terms.calendar, since) <= terms.now {
        return Err("it was suspended by expiry so long ago that it would be cancelled".to_owned());
    }
    Ok(())
}

fn figures(opening: &Opening, cycle: Day, began: UnixTime) -> Result<Figures, Refusal> {
    let mut burnt = 0u64;
    for package in &opening.packages {
        let order = &package.order;
        let Some(in_cycle) = package.in_cycle(began) else {
            return Err(format!(
                "order {order:?} began before the running cycle: say in `burnt_in_cycle` what it burnt since"
            ));
        };
        let (said, in_all) = (package.burnt_in_cycle.unwrap_or(in_cycle), package.burnt);
        if said != in_cycle {
            return Err(format!(
                "order {order:?}: all {in_all} bytes that it burnt are of the running cycle, not {said}"
            ));
        }
        if in_cycle > in_all {
            return Err(format!(
                "order {order:?}: {in_cycle} bytes burnt in the running cycle, and {in_all} in all"
            ));
        }
        burnt = burnt.saturating_add(in_cycle);
    }
    let overage = opening.overage.unwrap_or(opening.used.saturating_sub(burnt));
    if burnt.saturating_add(overage) > opening.used {
        return Err(format!(
            "{} bytes were used, and {burnt} burnt with {overage} of overage are more",
            opening.used
        ));
    }
    Ok(Figures { cycle, used: opening.used, burnt: opening.used.saturating_sub(overage) })
}

/// Whether anything has happened to the card that an opening must come before.
///
/// # Errors
/// What has, for a support agent.
pub(super) fn check_fresh(card: &Card, opening: &Opening, now: UnixTime) -> Result<(), Refusal> {
    const ONCE: &str = "what it brings along is taken once, before anything else happens to it";
    if card.state != CardState::Registered {
        return Err(format!("the card is {} already: {ONCE}", card.state.name()));
    }
    if !card.usage.is_untouched() {
        return Err(format!("the card has been used, or a cycle of it has closed: {ONCE}"));
    }
    if card.account.has_orders(now) {
        return Err(format!("the card has orders: {ONCE}"));
    }
    if card.purse_shown().0.saturating_add(opening.credits) > CREDITS_MAX {
        return Err(format!("with {} credits more it would have over {CREDITS_MAX}", opening.credits));
    }
    Ok(())
}

/// Takes what a card brings along, which has been looked over and may be taken.
pub(super) fn open(
    card: &mut Card,
    opening: &Opening,
    figures: Figures,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    card.usage.open(ctx.calendar(), figures.cycle, figures.used, ctx.position.offset);
    card.note_opening();
    if opening.credits > 0 {
        let added = card.purse().add(opening.credits);
        assert!(added.is_ok(), "credits were looked over");
    }
    ctx.emit(card, because, told(opening, figures), effects);
    life::open(card, opening.state, ctx, because, effects);
    book::open(card, opening, figures, ctx, because, effects);
}

fn told(opening: &Opening, figures: Figures) -> EventBody {
    let package = |package: &OpenedPackage| PackageData {
        order: package.order.clone(),
        payment: package.payment.clone(),
        kind: package.kind,
        mode: Mode::Immediate,
        quota: package.quota,
        burnt: package.burnt,
        effective_at: Some(package.effective_at),
        expires_at: Some(package.expires_at),
        cycle: None,
    };
    EventBody::CardOpened {
        cycle: figures.cycle,
        used: figures.used,
        overage: figures.used.saturating_sub(figures.burnt),
        credits: opening.credits,
        packages: opening.packages.iter().map(package).collect(),
    }
}
