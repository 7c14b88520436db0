//! What time brings to one card: packages that end, days and cycles that close, days that were declared complete.
//!
//! Invariant (`docs/rules.md` T): what is due happens in order of its due time, before any record of the card with a later log
//! time, and as of its due time, however late it is come to. A declaration of the settling feed counts from the log time
//! at which it was made, so that a card does not tell when the sweep came by.

use super::account::Account;
use super::book::{self, Had};
use super::card::Card;
use super::ctx::{Because, Ctx};
use super::effects::Effects;
use super::index::WholeThrough;
use super::life;
use super::state::CardState;
use crate::model::{EventBody, UnixTime};

/// Most timers that one card can have due at once: each open day and cycle, each package twice.
const FIRED_AT_ONCE_MAX: usize = 10_000;

/// Brings a card to log time. What it learns of a declaration may make something due that is over by then.
pub(super) fn catch_up(card: &mut Card, ctx: &Ctx<'_>, effects: &mut Effects) {
    let mut fired = 0;
    loop {
        while card.due <= ctx.now && !life::is_gone(card, card.due) {
            fire(card, ctx, effects);
            fired += 1;
            assert!(
                fired < FIRED_AT_ONCE_MAX,
                "card {}: a timer at {} fires and stays due",
                card.id,
                card.due
            );
        }
        let Some(whole) = news(card, ctx) else { return };
        complete(card, whole, ctx, effects);
    }
}

/// The first that the settling feed has declared and the card does not know of.
fn news(card: &Card, ctx: &Ctx<'_>) -> Option<WholeThrough> {
    let known = card.usage.complete_through();
    // Every record asks, and hardly any finds something.
    if ctx.terms.complete_through > known { ctx.terms.declared_after(known) } else { None }
}

/// Fires what is due first. Days close before packages end: what ended pays for the day that closes in the same second. If
/// a declaration that comes before makes something else due first, that is for the next call.
pub(super) fn fire(card: &mut Card, ctx: &Ctx<'_>, effects: &mut Effects) {
    let because = Because::timer(card.due);
    while let Some(whole) = news(card, ctx).filter(|whole| whole.at <= because.at) {
        complete(card, whole, ctx, effects);
        if card.due != because.at {
            return;
        }
    }
    settle_cycles(card, ctx, because.at);
    close_days(card, ctx, &because);
    if account_due(card).is_some_and(|due| due <= because.at) {
        fire_account(card, ctx, &because, effects);
    }
    close_cycles(card, ctx, &because, effects);
    ctx.changed(card, effects);
    prune(card, ctx);
    life::fire(card, ctx, &because, effects);
    reschedule(card, ctx);
}

fn fire_account(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    if !card.account.moves_at(because.at) {
        return book::pass(card, ctx, because, effects);
    }
    end_cycle(card, ctx, because.at);
    let had = Had::just_before(card, because.at);
    let ((), left) = book::ask(card, ctx, because, effects, Account::fire);
    book::follow(card, ctx, (had, left), because, effects);
}

/// The row of a cycle that ends goes out once more, with what was in force in its last second.
fn end_cycle(card: &mut Card, ctx: &Ctx<'_>, at: UnixTime) {
    let last_second = at.saturating_sub(1);
    let day = ctx.calendar().day_of(last_second);
    if card.usage.cycle(day).is_none_or(|cycle| ctx.calendar().day_start(cycle.end) != at) {
        return;
    }
    if let Some(cycle) = card.usage.open_cycle(ctx.calendar(), day) {
        cycle.changed_at = ctx.position.offset;
    }
}

/// Notes what is left of the cycles that are about to close, while the packages that their last days burn are still there:
/// until now a late record has burnt of it (`docs/rules.md` P3).
fn settle_cycles(card: &mut Card, ctx: &Ctx<'_>, at: UnixTime) {
    let (calendar, horizon_s) = (ctx.calendar(), ctx.index.horizon_s);
    let closing = card.usage.cycles().iter().filter(|cycle| cycle.closes_by(calendar, horizon_s, at));
    let ended: Vec<_> =
        closing.map(|cycle| (cycle.start, book::read_cycle(card, ctx, cycle, Account::totals))).collect();
    for (cycle, totals) in ended {
        card.usage.end_cycle(cycle, totals.quota, totals.remaining);
    }
}

fn close_days(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>) {
    let offset = ctx.position.offset;
    while let Some(day) = card.usage.next_closing(ctx.calendar(), ctx.index.horizon_s, because.at) {
        book::close_day(card, ctx, &day, because);
        card.usage.close_day(&day, offset);
        card.ids.forget_through(day.day);
    }
}

fn close_cycles(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    let (calendar, horizon_s) = (ctx.calendar(), ctx.index.horizon_s);
    while let Some(cycle) = card.usage.close_cycle(calendar, horizon_s, because.at, ctx.position.offset) {
        let cycle = cycle.clone();
        let burnt = book::read(card, ctx, because.at, |account, told| account.cycle_burnt(told, cycle.start));
        let body = EventBody::CycleClosed {
            cycle: cycle.start,
            used: cycle.used,
            settled: cycle.settled,
            estimate: cycle.estimate(),
            overage: cycle.used.saturating_sub(burnt),
            unsettled_days: cycle.unsettled_days,
            revision: cycle.revision,
        };
        ctx.emit(card, because, body, effects);
    }
}

/// Takes what the settling feed has declared, as of its declaration: a package that has ended since is still in force. Where
/// packages move in that very second, they do so first: in between one has ended, and the next is not there yet.
fn complete(card: &mut Card, whole: WholeThrough, ctx: &Ctx<'_>, effects: &mut Effects) {
    if card.usage.complete(ctx.calendar(), whole.through, ctx.position.offset) {
        ctx.changed(card, effects);
        if !card.account.moves_at(whole.at) {
            book::evaluate(card, ctx, &Because::timer(whole.at), effects);
        }
        reschedule(card, ctx);
    }
}

/// Drops what is closed and in `ClickHouse`; cycles that may still be restated are packed away.
fn prune(card: &mut Card, ctx: &Ctx<'_>) {
    let Some(flushed_through) = ctx.flushed_through else { return };
    let alive = !life::is_tombstone(card);
    let closed = card.usage.prune(ctx.calendar(), flushed_through, card.changed_at);
    card.pack(closed, |cycle| alive && cycle.is_restatable(ctx.calendar(), ctx.index.horizon_s, ctx.now));
    if let Some(first) = card.usage.cycles().first().map(|cycle| cycle.start) {
        // One that was restated is among those held again, and may be older than what is packed.
        card.forget_stopped_before(card.first_past().map_or(first, |past| past.min(first)));
    }
}

/// A look at a card that no record asked for: after a declaration or a new catalogue.
pub(super) fn sweep(card: &mut Card, ctx: &Ctx<'_>, effects: &mut Effects) {
    catch_up(card, ctx, effects);
    prune(card, ctx);
}

/// A look at a card after the catalogue changed: rules and horizons may be others. The calendar's past stays.
pub(super) fn adopt(card: &mut Card, ctx: &Ctx<'_>, effects: &mut Effects) {
    sweep(card, ctx, effects);
    if card.state == CardState::Cancelled {
        return reschedule(card, ctx);
    }
    let because = Because::timer(ctx.now);
    book::begin_silently(card, ctx, &because, effects);
    book::evaluate(card, ctx, &because, effects);
    reschedule(card, ctx);
}

/// When the account is due; of a cancelled card nothing is in force and nothing is watched any more.
fn account_due(card: &Card) -> Option<UnixTime> {
    if card.state == CardState::Cancelled { None } else { card.account.next_due() }
}

/// Finds the card's next timer.
pub(super) fn reschedule(card: &mut Card, ctx: &Ctx<'_>) {
    let close = card.usage.next_close(ctx.calendar(), ctx.index.horizon_s);
    let life = life::next_due(card, ctx);
    card.due = close.into_iter().chain(account_due(card)).chain(life).min().unwrap_or(Card::NO_TIMER);
}
