//! The card's account is told of what happened: usage, time, orders. What it answers becomes events, states and timers.
//!
//! Invariant: the account sees the segments of the open days in event order, each day by the source that C4 chose for it,
//! so that burnt + overage = used whatever order records came in.

use smallvec::SmallVec;

use super::account::{self, Account, Opened, Segment};
use super::card::Card;
use super::ctx::{Because, Ctx};
use super::cycle::Cycle;
use super::dates::DaySpan;
use super::due;
use super::effects::Effects;
use super::index::modem_hash;
use super::life::{self, Turn};
use super::notify;
use super::opening::Figures;
use super::state::{CardState, SuspendedBy};
use crate::limits::{FUTURE_S_MAX, SEGMENTS_MAX};
use crate::model::{Day, EventBody, Opening, UnixTime};

/// What a call has done to what is left of the packages in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The last of it: burnt, ended or taken back.
    Gone,
    /// There is something again.
    Again,
    AsBefore,
}

/// Calls the account with what it must know at `because.at`, and publishes what it says. Whoever changes packages must
/// [`follow`].
pub(super) fn ask<R>(
    card: &mut Card,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
    call: impl FnOnce(&mut Account, &account::Ctx<'_>, &mut Vec<EventBody>) -> R,
) -> (R, Left) {
    let segments = segments(card, ctx);
    if card.usage.cycle(ctx.calendar().day_of(because.at)).is_none() {
        // A cycle begins with this look, and has a row from now on.
        ctx.changed(card, effects);
    }
    let usage = usage_now(card, ctx, because.at);
    let past = past_usage(card, usage.cycle);
    let mut said = Vec::new();
    let told = account_ctx(card, ctx, because.at, Seen { usage, past: &past, segments: &segments });
    let was_spent = card.account.is_spent();
    let answer = call(&mut card.account, &told, &mut said);
    let exhausted = said.iter().any(|body| matches!(body, EventBody::PackageExhausted(_)));
    notify::deliver(card, ctx, because, &mut said);
    for body in said {
        ctx.emit(card, because, body, effects);
    }
    let left = match (was_spent, card.account.is_spent()) {
        (true, false) => Left::Again,
        // What is bought may be gone at once, for overage.
        (was, true) if (exhausted || !was) && card.account.has_package(because.at) => Left::Gone,
        _ => Left::AsBefore,
    };
    (answer, left)
}

/// The same of a call that changes no package: the card's state follows what is left.
pub(super) fn tell<R>(
    card: &mut Card,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
    call: impl FnOnce(&mut Account, &account::Ctx<'_>, &mut Vec<EventBody>) -> R,
) -> R {
    let (answer, left) = ask(card, ctx, because, effects, call);
    heed(card, left, "correction", ctx, because, effects);
    answer
}

/// A plan may say that a card stops when nothing is left of its packages (`docs/rules.md` S1): then it goes on when there is.
fn heed(
    card: &mut Card,
    left: Left,
    again: &str,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let stops = || ctx.index.plan(ctx.names.get(card.plan)).is_some_and(|plan| plan.suspend_on_exhaustion);
    let (to, cause) = match (left, card.state, card.suspended_by) {
        (Left::Gone, CardState::Active, _) if stops() => {
            (Turn::Suspended(SuspendedBy::Exhaustion), "exhaustion")
        }
        (Left::Again, CardState::Suspended, SuspendedBy::Exhaustion) => (Turn::Active, again),
        _ => return,
    };
    life::turn(card, to, cause.to_owned(), ctx, because, effects);
}

/// The card may be used again: its silence counts from now.
pub(super) fn resume(card: &mut Card, ctx: &Ctx<'_>, at: UnixTime) {
    if card.account.listens() {
        let (segments, usage) = (segments(card, ctx), usage_at(card, ctx, at));
        let told = account_ctx(card, ctx, at, Seen { usage, past: &[], segments: &segments });
        card.account.resume(&told);
        due::reschedule(card, ctx);
    }
}

/// A cancelled card has no use for packages: what waits and what is left of those in force is voided, each with its event.
pub(super) fn give_up(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    if card.has_account() {
        ask(card, ctx, because, effects, Account::give_up);
        recut(card, ctx, because.at);
    }
}

/// The card comes with packages in force: days are cut where they began and will end.
pub(super) fn open(
    card: &mut Card,
    opening: &Opening,
    figures: Figures,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let watched = card.has_account() || ctx.index.watches(ctx.names.get(card.plan));
    if watched || figures.burnt > 0 || !opening.packages.is_empty() {
        let (packages, Figures { cycle, burnt, .. }) = (&opening.packages, figures);
        let opened = Opened { packages, cycle, burnt };
        // It comes in the state that it comes in.
        ask(card, ctx, because, effects, |account, told, out| account.open(told, &opened, out));
        recut(card, ctx, because.at);
    }
}

/// Looks at packages and alerts anew; of a cancelled card nobody asks.
pub(super) fn evaluate(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    if card.has_account() && card.state != CardState::Cancelled {
        tell(card, ctx, because, effects, Account::evaluate);
    }
}

/// A usage record of the card has come. Its plan's rules may watch it though it has no packages; a rule may ask when it
/// was last heard of.
pub(super) fn hear(card: &mut Card, ctx: &Ctx<'_>, feed: u64, because: &Because<'_>, effects: &mut Effects) {
    if card.state != CardState::Cancelled && card.account.listens() && card.account.hear(feed, ctx.now) {
        tell(card, ctx, because, effects, Account::evaluate);
        due::reschedule(card, ctx);
    }
}

/// The card may be watched from its first usage on.
pub(super) fn begin(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    if ctx.index.watches(ctx.names.get(card.plan)) {
        tell(card, ctx, because, effects, |account, told, _| account.begin(told));
    }
}

/// The same when its rules become others.
pub(super) fn begin_silently(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    if !card.has_account() && card.usage.is_known() && ctx.index.watches(ctx.names.get(card.plan)) {
        tell(card, ctx, because, effects, Account::begin_silently);
    }
}

/// Time may have made a rule reached. If nothing comes of it, nothing of the card is another.
pub(super) fn pass(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, effects: &mut Effects) {
    let segments = segments(card, ctx);
    let usage = usage_at(card, ctx, because.at);
    let past = past_usage(card, usage.cycle);
    let told = account_ctx(card, ctx, because.at, Seen { usage, past: &past, segments: &segments });
    let mut said = Vec::new();
    card.account.pass(&told, &mut said);
    if !said.is_empty() {
        usage_now(card, ctx, because.at);
        notify::deliver(card, ctx, because, &mut said);
    }
    for body in said {
        ctx.emit(card, because, body, effects);
    }
}

/// Makes the burn of a day that closed final.
pub(super) fn close_day(card: &mut Card, ctx: &Ctx<'_>, day: &DaySpan, because: &Because<'_>) {
    if card.has_account() {
        let segments: Vec<Segment> = segments_of(card, day).collect();
        // A cancelled card's line is to end: no cycle begins for it.
        let usage = if card.state == CardState::Cancelled {
            usage_at(card, ctx, because.at)
        } else {
            usage_now(card, ctx, because.at)
        };
        let told = account_ctx(card, ctx, because.at, Seen { usage, past: &[], segments: &segments });
        card.account.close_day(&told);
    }
}

/// What the account shows as of `at`, with the card's own context.
pub(super) fn read<R>(
    card: &Card,
    ctx: &Ctx<'_>,
    at: UnixTime,
    read: impl FnOnce(&Account, &account::Ctx<'_>) -> R,
) -> R {
    let segments = segments(card, ctx);
    let seen = Seen { usage: usage_at(card, ctx, at), past: &[], segments: &segments };
    let told = account_ctx(card, ctx, at, seen);
    read(&card.account, &told)
}

/// What the account shows of a cycle: as of now, or as of its last second once it is over. What is used later burns later,
/// and is left out.
pub(super) fn read_cycle<R>(
    card: &Card,
    ctx: &Ctx<'_>,
    cycle: &Cycle,
    read: impl FnOnce(&Account, &account::Ctx<'_>) -> R,
) -> R {
    let (mut segments, end) = (segments(card, ctx), ctx.calendar().day_start(cycle.end));
    if end <= ctx.now {
        segments.retain(|segment| segment.start < end);
    }
    let seen = Seen { usage: usage_of(cycle), past: &[], segments: &segments };
    read(&card.account, &account_ctx(card, ctx, ctx.now.min(end.saturating_sub(1)), seen))
}

/// After the packages changed: days are cut where they begin and end, and the card's state follows them.
pub(super) fn follow(
    card: &mut Card,
    ctx: &Ctx<'_>,
    (had, left): (Had, Left),
    because: &Because<'_>,
    effects: &mut Effects,
) {
    recut(card, ctx, because.at);
    let has_base = card.account.has_base(because.at);
    let turn = match (card.state, card.suspended_by) {
        (CardState::Registered, _) if card.account.has_package(because.at) => Some((Turn::Active, "package")),
        (CardState::Suspended, SuspendedBy::Expiry) if has_base => Some((Turn::Active, "recharge")),
        (CardState::Active, _) | (CardState::Suspended, SuspendedBy::Exhaustion)
            if had != Had::NoBase && !has_base =>
        {
            let cause = if had == Had::VoidedBase { "void" } else { "expiry" };
            Some((Turn::Suspended(SuspendedBy::Expiry), cause))
        }
        _ => None,
    };
    if let Some((to, cause)) = turn {
        life::turn(card, to, cause.to_owned(), ctx, because, effects);
    }
    let left = if card.account.is_spent() { left } else { Left::Again };
    heed(card, left, if because.command.is_some() { "recharge" } else { "quota" }, ctx, because, effects);
}

/// Whether a base package was in force just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Had {
    Base,
    /// One that may now be voided.
    VoidedBase,
    NoBase,
}

impl Had {
    pub(super) fn just_before(card: &Card, at: UnixTime) -> Self {
        if card.account.has_base(at.saturating_sub(1)) { Self::Base } else { Self::NoBase }
    }

    /// Before a package is voided.
    pub(super) fn before_void(card: &Card, at: UnixTime) -> Self {
        if card.account.has_base(at) { Self::VoidedBase } else { Self::NoBase }
    }
}

/// The packages have changed: so has the row of the cycle in which they did, though it may be over by the time that rows are
/// taken. Cuts stay while their day is open; new ones come from the packages.
fn recut(card: &mut Card, ctx: &Ctx<'_>, at: UnixTime) {
    card.usage.touch_cycle(ctx.calendar().day_of(at), ctx.position.offset);
    let open_from = card.usage.open_from(ctx.calendar(), ctx.index.horizon_s, at);
    let edges = card.account.edges().chain(card.cuts().iter().copied());
    let mut cuts: Vec<UnixTime> = edges.filter(|edge| *edge > open_from).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let cuts = nearest(&cuts, ctx, at);
    if cuts != card.cuts() {
        card.put_cuts(cuts.into_boxed_slice());
    }
}

/// Of too many cuts those that stay: the nearest to `at`, itself among them. The burn is less sharp where one is gone: by day
/// instead of by second, for records that come after.
///
/// A cut makes a segment where records can be, which is up to the few minutes that one may be ahead; at the edge of a day it
/// makes none. One further ahead makes none yet, and if it is gone it is back by the time: at each edge of a package a timer
/// fires, which cuts anew.
fn nearest(cuts: &[UnixTime], ctx: &Ctx<'_>, at: UnixTime) -> Vec<UnixTime> {
    let days = usize::from(ctx.index.catalogue().late_horizon_days) + 2;
    let (within, ahead) = cuts.split_at(cuts.partition_point(|cut| *cut <= at.saturating_add(FUTURE_S_MAX)));
    let mut kept = within.to_vec();
    kept.retain(|cut| ctx.calendar().day_and_start(*cut).1 != *cut);
    kept.sort_by_key(|cut| cut.abs_diff(at));
    kept.truncate(SEGMENTS_MAX.saturating_sub(days));
    let room = SEGMENTS_MAX.saturating_sub(kept.len());
    kept.extend(ahead.iter().take(room));
    kept.sort_unstable();
    kept
}

/// The segments of open days: few cards have more than one a day.
type Segments = SmallVec<[Segment; 16]>;

fn segments(card: &Card, ctx: &Ctx<'_>) -> Segments {
    let mut segments = Segments::new();
    for day in card.usage.days(ctx.calendar()).filter(|day| !card.usage.is_closed(day.day)) {
        segments.extend(segments_of(card, &day));
    }
    segments
}

fn segments_of(card: &Card, day: &DaySpan) -> impl Iterator<Item = Segment> {
    card.usage.burning(day).into_iter().map(|piece| Segment { start: piece.start, bytes: piece.bytes })
}

/// Usage of the cycle that holds `at`, which begins if it has not.
fn usage_now(card: &mut Card, ctx: &Ctx<'_>, at: UnixTime) -> account::Usage {
    let day = ctx.calendar().day_of(at);
    if card.usage.cycle(day).is_none()
        && let Some(cycle) = card.usage.open_cycle(ctx.calendar(), day)
    {
        // Its row goes out even if it is over by the time that rows are taken.
        cycle.changed_at = ctx.position.offset;
    }
    usage_at(card, ctx, at)
}

fn usage_at(card: &Card, ctx: &Ctx<'_>, at: UnixTime) -> account::Usage {
    let day = ctx.calendar().day_of(at);
    match card.usage.cycle(day) {
        Some(cycle) => usage_of(cycle),
        None => account::Usage {
            cycle: ctx.calendar().cycle_of(day).map_or(day, |(start, _)| start),
            ..account::Usage::default()
        },
    }
}

fn usage_of(cycle: &Cycle) -> account::Usage {
    account::Usage {
        cycle: cycle.start,
        used: cycle.used,
        settled: cycle.settled,
        provisional: cycle.provisional(),
    }
}

/// Usage of the cycles before one that records may still change.
fn past_usage(card: &Card, running: Day) -> Vec<account::Usage> {
    let cycles = card.usage.cycles().iter();
    cycles.filter(|cycle| !cycle.closed && cycle.start < running).map(usage_of).collect()
}

/// Usage as the account is told of it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    usage: account::Usage,
    past: &'a [account::Usage],
    segments: &'a [Segment],
}

fn account_ctx<'a>(card: &Card, ctx: &Ctx<'a>, at: UnixTime, seen: Seen<'a>) -> account::Ctx<'a> {
    account::Ctx {
        now: ctx.now,
        at,
        calendar: ctx.calendar(),
        own_channels: &ctx.index.catalogue().own_channels,
        default_rules: ctx.index.rules(ctx.names.get(card.plan)),
        settling: is_settling(ctx, ctx.calendar().day_of(at)),
        active: matches!(card.state, CardState::Registered | CardState::Active),
        resumed_at: life::resumed_at(card),
        feeds: ctx.feeds,
        settling_feed: ctx.terms.settling.unwrap_or_else(modem_hash),
        usage: seen.usage,
        past: seen.past,
        segments: seen.segments,
        open_from: card.usage.burns_from(ctx.calendar(), ctx.index.horizon_s, at),
        faults: ctx.faults,
    }
}

/// Whether the carrier settles on this day: the first and last days of a cycle (`docs/rules.md` P8).
pub(super) fn is_settling(ctx: &Ctx<'_>, day: Day) -> bool {
    let Some((start, end)) = ctx.calendar().cycle_of(day) else { return false };
    day.saturating_sub(start) < Day::from(ctx.carrier.settling_days_first)
        || end.saturating_sub(day) <= Day::from(ctx.carrier.settling_days_last)
}
