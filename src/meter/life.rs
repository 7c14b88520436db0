//! A card's life beside its usage (`docs/rules.md` S1 to S3): who stopped it and since when, what its carrier has confirmed,
//! usage that should not have been, and how a card that was given up is let go.
//!
//! Invariant: a state changes by [`turn`] alone, and so by an event with its cause.

use serde::{Deserialize, Serialize};

use super::book;
use super::card::Card;
use super::ctx::{Because, Ctx, Verdict};
use super::effects::Effects;
use super::state::{CardState, SuspendedBy};
use crate::codec::time::months_later;
use crate::limits::{
    CANCELLED_AFTER_MONTHS, CYCLE_DAYS_MAX, DAY_S, TOMBSTONE_S, USED_STOPPED_CYCLES_MAX, WARNED_DAYS_BEFORE,
};
use crate::model::{
    Calendar, CardName, CarrierState, Day, DirectoryEntry, EventBody, OpenedState, Outcome, UnixTime,
};

/// What few cards need of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    /// When the card was suspended, cancelled or resumed; 0: nothing of the kind.
    since: UnixTime,
    /// Warnings of its cancellation that are told or not to be told any more.
    warned: u8,
    /// Whether its usage since then has been told.
    used_told: bool,
    confirmed: Option<Confirmed>,
    /// Cycles in which it was used though it was stopped, by their first days.
    used_in: Vec<Day>,
    tombstone: Option<Tombstone>,
}

/// What the carrier's system has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Confirmed {
    pub state: CarrierState,
    /// Log time.
    pub at: UnixTime,
}

/// The tombstone of a cancelled card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Tombstone {
    /// When its last cycle closed.
    since: UnixTime,
    /// When to look again whether ClickHouse has all of it; `None` = what it used is forgotten.
    look_at: Option<UnixTime>,
}

/// A card turns to another state, or is stopped by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Active,
    Suspended(SuspendedBy),
    Cancelled,
}

/// Changes a card's state, and says so with its cause.
pub(super) fn turn(
    card: &mut Card,
    to: Turn,
    cause: String,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let new = card.state == CardState::Registered;
    let (state, by, body) = match to {
        Turn::Active if new => (CardState::Active, SuspendedBy::Nobody, EventBody::CardActivated { cause }),
        Turn::Active => (CardState::Active, SuspendedBy::Nobody, EventBody::CardResumed { cause }),
        Turn::Suspended(by) => (CardState::Suspended, by, EventBody::CardSuspended { cause }),
        Turn::Cancelled => (CardState::Cancelled, SuspendedBy::Nobody, EventBody::CardCancelled { cause }),
    };
    (card.state, card.suspended_by) = (state, by);
    card.note_turn();
    match to {
        Turn::Active => card.forget_stop(if new { 0 } else { because.at }),
        Turn::Suspended(_) | Turn::Cancelled => card.life_mut().stop(because.at),
    }
    ctx.emit(card, because, body, effects);
    match to {
        Turn::Active if !new => book::resume(card, ctx, because.at),
        Turn::Cancelled => book::give_up(card, ctx, because, effects),
        _ => {}
    }
}

/// A card comes in mid-life: what is over of its warnings is told no more.
pub(super) fn open(
    card: &mut Card,
    state: OpenedState,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let cause = "opening".to_owned();
    let OpenedState::Suspended { by, since } = state else {
        return turn(card, Turn::Active, cause, ctx, because, effects);
    };
    turn(card, Turn::Suspended(by.into()), cause, ctx, because, effects);
    let since = since.unwrap_or(because.at);
    let over = steps(ctx.calendar(), since).iter().filter(|due| **due <= because.at).count();
    let life = card.life_mut();
    (life.since, life.warned) = (since, over as u8);
}

impl Life {
    fn stop(&mut self, at: UnixTime) {
        (self.since, self.warned, self.used_told) = (at, 0, false);
    }

    pub(super) fn resume(&mut self, at: UnixTime) {
        self.stop(at);
    }

    pub(super) fn forget_cycles_before(&mut self, cycle: Day) {
        self.used_in.retain(|held| *held >= cycle);
    }

    /// The carrier's system says how it has set the card. Whether that is new: it is too if the card's state is of a later
    /// second than when it said the same.
    pub(super) fn confirm(&mut self, state: CarrierState, now: UnixTime) -> bool {
        if self.confirmed.is_some_and(|held| held.state == state && held.at >= self.since) {
            return false;
        }
        self.confirmed = Some(Confirmed { state, at: now });
        true
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.used_in.capacity() * size_of::<Day>()
    }
}

/// When a suspension by expiry is warned of, and last when it ends in cancellation: three calendar months after it began,
/// at the same time of day.
fn steps(calendar: &Calendar, since: UnixTime) -> [UnixTime; WARNED_DAYS_BEFORE.len() + 1] {
    let last = months_later(calendar.day_of(since), CANCELLED_AFTER_MONTHS);
    let mut steps = [calendar.same_time(since, last); WARNED_DAYS_BEFORE.len() + 1];
    for (step, days) in steps.iter_mut().zip(WARNED_DAYS_BEFORE) {
        *step = calendar.same_time(since, last.saturating_sub(Day::from(days)));
    }
    steps
}

/// When a card that was suspended at a time by expiry is cancelled.
pub(super) fn cancelled_at(calendar: &Calendar, since: UnixTime) -> UnixTime {
    steps(calendar, since).last().copied().unwrap_or(since)
}

/// When [`fire`] has something to do.
pub(super) fn next_due(card: &Card, ctx: &Ctx<'_>) -> Option<UnixTime> {
    match (card.state, card.suspended_by) {
        // Who has bought for the next cycle is not given up meanwhile.
        (CardState::Suspended, SuspendedBy::Expiry) if card.account.awaits_base() => None,
        (CardState::Suspended, SuspendedBy::Expiry) => {
            let life = card.life()?;
            steps(ctx.calendar(), life.since).get(usize::from(life.warned)).copied()
        }
        (CardState::Cancelled, _) => match card.life()?.tombstone {
            // While a cycle is open its close is due, and looked at then.
            None => card.usage.is_closed_throughout().then(|| last_close(card, ctx)),
            Some(going) => going.look_at.into_iter().chain([gone_at(&going)]).min(),
        },
        _ => None,
    }
}

/// Since when a card is suspended or cancelled.
pub(super) fn stopped_at(card: &Card) -> Option<UnixTime> {
    let stopped = matches!(card.state, CardState::Suspended | CardState::Cancelled);
    card.life().filter(|_| stopped).map(|life| life.since)
}

/// When a card was resumed; 0: it is suspended, or never was.
pub(super) fn resumed_at(card: &Card) -> UnixTime {
    card.life().filter(|_| card.state == CardState::Active).map_or(0, |life| life.since)
}

/// When a card that is suspended by expiry will be cancelled.
pub(super) fn to_be_cancelled_at(card: &Card, ctx: &Ctx<'_>) -> Option<UnixTime> {
    let goes_on = card.suspended_by == SuspendedBy::Expiry && !card.account.awaits_base();
    let since = stopped_at(card).filter(|_| goes_on)?;
    Some(cancelled_at(ctx.calendar(), since))
}

/// What the carrier's system has said last.
pub(super) fn confirmed(card: &Card) -> Option<Confirmed> {
    card.life()?.confirmed
}

/// Whether a card was used in a cycle though it was suspended or cancelled.
pub(super) fn was_used_stopped(card: &Card, cycle: Day) -> bool {
    card.life().is_some_and(|life| life.used_in.contains(&cycle))
}

/// When the cycle that a card was cancelled in closes; a later one may follow, if it was used.
fn last_close(card: &Card, ctx: &Ctx<'_>) -> UnixTime {
    let day = ctx.calendar().day_of(card.life().map_or(0, |life| life.since));
    let end = ctx.calendar().cycle_of(day).map_or(day.saturating_add(CYCLE_DAYS_MAX), |(_, next)| next);
    ctx.calendar().day_start(end).saturating_add(ctx.index.horizon_s)
}

fn gone_at(going: &Tombstone) -> UnixTime {
    going.since.saturating_add(TOMBSTONE_S)
}

/// All of it that is due at `because.at`.
pub(super) fn fire(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    match (card.state, card.suspended_by) {
        (CardState::Suspended, SuspendedBy::Expiry) => warn(card, ctx, because, effects),
        (CardState::Cancelled, _) => let_go(card, ctx, because, effects),
        _ => {}
    }
}

/// Warns of the cancellation, and cancels.
fn warn(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    let Some(life) = card.life().filter(|_| !card.account.awaits_base()) else { return };
    let (since, told) = (life.since, usize::from(life.warned));
    let steps = steps(ctx.calendar(), since);
    if steps.get(told).is_none_or(|due| *due > because.at) {
        return;
    }
    card.life_mut().warned += 1;
    match WARNED_DAYS_BEFORE.get(told) {
        Some(days) => {
            let cancelled_at = cancelled_at(ctx.calendar(), since);
            let body = EventBody::CardWarned { days: *days, suspended_at: since, cancelled_at };
            ctx.emit(card, because, body, effects);
        }
        None => turn(card, Turn::Cancelled, "expiry".to_owned(), ctx, because, effects),
    }
}

/// An order was taken back that a card suspended by expiry may have waited for: its months go on. Warnings that were
/// due meanwhile are told no more; a card whose months are over has them anew, and so has one that would be cancelled
/// without its last warning.
pub(super) fn wait_no_more(card: &mut Card, ctx: &Ctx<'_>) {
    let waits = (card.state, card.suspended_by) == (CardState::Suspended, SuspendedBy::Expiry);
    let Some(life) = card.life().filter(|_| waits && !card.account.awaits_base()) else { return };
    let steps = steps(ctx.calendar(), life.since);
    let over = steps.iter().filter(|due| **due <= ctx.now).count();
    let unwarned = over == WARNED_DAYS_BEFORE.len() && usize::from(life.warned) < over;
    let life = card.life_mut();
    if over == steps.len() || unwarned {
        life.stop(ctx.now);
    } else {
        life.warned = life.warned.max(over as u8);
    }
}

/// A cancelled card becomes a tombstone when its last cycle has closed, and forgets its usage once ClickHouse has it.
fn let_go(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    let going = match card.life().and_then(|life| life.tombstone) {
        Some(going) => going,
        None if last_close(card, ctx) <= because.at && card.usage.is_closed_throughout() => {
            card.numbers.release(because.at, card.id, effects);
            Tombstone { since: because.at, look_at: Some(because.at) }
        }
        None => return,
    };
    let look_at = match going.look_at {
        Some(due) if due <= because.at && card.usage.is_empty() => {
            card.strip();
            None
        }
        Some(due) if due <= because.at => Some(because.at.saturating_add(DAY_S)),
        other => other,
    };
    card.life_mut().tombstone = Some(Tombstone { look_at, ..going });
}

/// Whether nothing is left to say about a card: it is no longer known.
pub(super) fn is_gone(card: &Card, now: UnixTime) -> bool {
    card.state == CardState::Cancelled
        && card.life().and_then(|life| life.tombstone).is_some_and(|going| gone_at(&going) <= now)
}

/// Whether a card is cancelled and its last cycle closed.
pub(super) fn is_tombstone(card: &Card) -> bool {
    card.state == CardState::Cancelled && card.life().is_some_and(|life| life.tombstone.is_some())
}

/// What becomes of a record of a card that takes none: it is gone, or a tombstone.
pub(super) fn refusal(card: &Card, now: UnixTime, bytes: u64) -> Option<Verdict> {
    if !is_tombstone(card) {
        return None;
    }
    let gone = is_gone(card, now);
    let reason = if gone { "no such card" } else { "the card is cancelled and its last cycle is closed" };
    Some(Verdict::new(Outcome::Unknown, bytes, reason))
}

/// What the directory is told of a card that is gone.
pub(super) fn leave(card: &Card, now: UnixTime, effects: &mut Effects) {
    let name = CardName::Iccid(card.id);
    let valid_from = card.life().map_or(now, |life| life.since);
    effects.directory.push(DirectoryEntry { name, card: card.id, valid_from, valid_to: Some(now) });
}

/// A record that ends at `last` was counted on a card that is not to be used: told once, and marked in its cycle.
pub(super) fn used(
    card: &mut Card,
    last: UnixTime,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let since = card.life().map_or(UnixTime::MAX, |life| life.since);
    if last <= since {
        return;
    }
    // What ends at midnight was used before it.
    let cycle = ctx.calendar().cycle_at(last.saturating_sub(1));
    let life = card.life_mut();
    if !life.used_in.contains(&cycle) && life.used_in.len() < USED_STOPPED_CYCLES_MAX {
        life.used_in.push(cycle);
    }
    if !std::mem::replace(&mut life.used_told, true) {
        let body = EventBody::CardUsedWhileStopped {
            state: card.state.desired(),
            since,
            used_at: last,
            confirmed: confirmed(card).map(|confirmed| confirmed.state),
        };
        ctx.emit(card, because, body, effects);
    }
}
