//! Corrections by an operator: usage adjusted by hand, and records posted that were set aside (`docs/rules.md` C5, C7).
//!
//! An adjustment is a signed figure beside the sources' totals of an open day, which C4 does not choose among: it stays
//! whatever the sources say later. It burns like usage of its day. A cycle that has closed lately is restated: its sum
//! changes, its days and what they burnt are final. Below zero nothing goes: what is too much to take away
//! is left over, and said. Invariant: a reference has one effect, whoever sends it and under however many commands.

use std::borrow::Cow;

use super::book;
use super::card::Card;
use super::cdr;
use super::command::Refusal;
use super::ctx::{Because, Ctx};
use super::cycle::Cycle;
use super::dates::{DaySpan, Ruler};
use super::due;
use super::effects::Effects;
use super::seen::{Known, SeenCommands};
use super::state::CardState;
use crate::codec::quarantine::Qid;
use crate::codec::time::day_text;
use crate::limits::{DAY_S, LATE_HORIZON_DAYS_DEFAULT, ORDER_DAYS, RECORD_BYTES_MAX, RESTATED_S_MAX};
use crate::model::{
    Cdr, CommandBody, Day, EventBody, FeedName, Origin, Outcome, PostInto, PostedCdr, Record, Slices,
    UnixTime,
};

/// What an adjustment came to.
#[derive(Clone, Copy)]
struct Adjusted {
    /// The last day that it touched.
    day: Day,
    /// Taken of it, signed.
    bytes: i64,
}

/// `usage.adjust`: adds to a day, or takes away from it; without a day it adds to today, and takes away from the open
/// days of the running cycle, the newest first.
pub(super) fn adjust(
    card: &mut Card,
    body: &CommandBody,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let CommandBody::UsageAdjust { reference, bytes, day, reason } = body else {
        unreachable!("only adjustments come here")
    };
    if *bytes == 0 || bytes.unsigned_abs() > RECORD_BYTES_MAX {
        return Err(format!("{bytes} bytes: an adjustment is of at least 1 and at most 2^48"));
    }
    let content = format!("{bytes}/{day:?}");
    if has_effect(card, reference, &content, ctx) {
        return Ok(());
    }
    let today = ctx.calendar().day_of(ctx.now);
    let days = match day {
        Some(day) if *day > today => return Err("its day has not begun".to_owned()),
        Some(day) if is_restatable(card, *day, ctx) => vec![],
        Some(day) => vec![open_day(card, ctx, *day)?],
        None if *bytes > 0 => vec![open_day(card, ctx, today)?],
        None => open_days(card, ctx, today),
    };
    refer(card, reference, &content, ctx)?;
    let asked = Asked { reference, bytes: *bytes, reason: reason.as_deref() };
    if let Some(day) = day.filter(|day| is_restatable(card, *day, ctx)) {
        return restate(card, day, asked, ctx, because, effects);
    }
    let adjusted = take(card, &days, *bytes, ctx);
    tell(card, adjusted, asked, ctx, because, effects);
    Ok(())
}

/// A figure, as it was asked for under a reference.
#[derive(Clone, Copy)]
struct Asked<'a> {
    reference: &'a str,
    bytes: i64,
    reason: Option<&'a str>,
}

/// Gives a cycle that is closed another sum; the figures of its days stay (`docs/rules.md` C6).
fn restate(
    card: &mut Card,
    day: Day,
    asked: Asked<'_>,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    card.unpack(day);
    let Some(mut cycle) = restatable(card, day, ctx) else { return Err(final_figures(day)) };
    let taken = cycle.restate(asked.bytes, ctx.position.offset);
    if taken != 0 {
        card.usage.put_closed(cycle.clone());
    }
    let body = EventBody::UsageAdjusted {
        reference: asked.reference.to_owned(),
        bytes: taken,
        left_over: asked.bytes.saturating_sub(taken),
        day,
        cycle: cycle.start,
        used: cycle.used,
        reason: asked.reason.map(str::to_owned),
    };
    ctx.emit(card, because, body, effects);
    if taken != 0 {
        let burnt = book::read(card, ctx, ctx.now, |account, told| account.cycle_burnt(told, cycle.start));
        let body = EventBody::CycleRestated {
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
    Ok(())
}

/// The cycle of a day, if it is closed and may be restated. One in which nothing is known of the card has closed with its
/// last day all the same; those before it came in mid-life are not its own. Nothing known is nothing used only as long as
/// figures are kept under the shortest horizon: a catalogue with a longer one brings none back.
fn restatable(card: &Card, day: Day, ctx: &Ctx<'_>) -> Option<Cycle> {
    let (calendar, horizon_s) = (ctx.calendar(), ctx.index.horizon_s);
    let missed = || {
        let bounds = calendar.cycle_of(day).filter(|(first, _)| card.owns(*first))?;
        let shortest_s = i64::from(LATE_HORIZON_DAYS_DEFAULT) * DAY_S;
        let kept_until = calendar.day_start(bounds.1).saturating_add(shortest_s + RESTATED_S_MAX);
        if kept_until <= ctx.now {
            return None;
        }
        Cycle::empty_by(bounds, calendar, horizon_s, ctx.now)
    };
    let cycle = card.cycle_or_past(day).map(Cow::into_owned).or_else(missed)?;
    cycle.is_restatable(calendar, horizon_s, ctx.now).then_some(cycle)
}

fn is_restatable(card: &Card, day: Day, ctx: &Ctx<'_>) -> bool {
    restatable(card, day, ctx).is_some()
}

fn final_figures(day: Day) -> Refusal {
    let text = day_text(day);
    format!(
        "day {text} is closed, and its cycle's figures are final: leave the day out to correct the open cycle"
    )
}

/// Why a closed day takes no correction: its cycle may be open still.
fn closed_day(card: &Card, ctx: &Ctx<'_>, day: Day) -> Refusal {
    let (calendar, text) = (ctx.calendar(), day_text(day));
    let Ok(last) = last_open_day(card, ctx, day) else { return final_figures(day) };
    if last.end > ctx.now {
        return format!("day {text} is closed: leave the day out to correct the running cycle");
    }
    let closes = calendar.day_of(last.end.saturating_add(ctx.index.horizon_s));
    format!(
        "day {text} is closed: name an open day of its cycle, as {}; from {} on the cycle can be restated",
        day_text(last.day),
        day_text(closes)
    )
}

/// The last day of a day's cycle, which is open as long as the cycle is.
fn last_open_day(card: &Card, ctx: &Ctx<'_>, day: Day) -> Result<DaySpan, Refusal> {
    let next = ctx.calendar().cycle_of(day).map(|(_, next)| next);
    let last = next.map(|next| DaySpan::day(ctx.calendar(), next.saturating_sub(1)));
    last.filter(|last| card.usage.is_open(last, ctx.index.horizon_s, ctx.now))
        .ok_or_else(|| "the cycle of its day cannot be restated: post it into the open one".to_owned())
}

fn adjustment(reference: &str) -> String {
    format!("adjust/{reference}")
}

/// Whether this very adjustment has been taken: said again it is a duplicate, even if its day has closed meanwhile.
fn has_effect(card: &Card, reference: &str, content: &str, ctx: &Ctx<'_>) -> bool {
    let known =
        |held: &SeenCommands| held.look(&adjustment(reference), content.as_bytes(), ctx.index.seed, ctx.now);
    card.references().map(known) == Some(Known::Duplicate)
}

/// Notes the reference of an adjustment that has had no effect yet.
fn refer(card: &mut Card, reference: &str, content: &str, ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let id = adjustment(reference);
    match card.cold().references.note(&id, content.as_bytes(), ctx.index.seed, ctx.now) {
        Known::New => Ok(()),
        Known::Duplicate => unreachable!("a correction that has had its effect is answered before"),
        Known::Conflict => Err(format!("reference {reference:?} was used for something else on this card")),
        Known::Full => Err("the card has 4,096 references of the last 90 days already".to_owned()),
    }
}

fn open_day(card: &Card, ctx: &Ctx<'_>, day: Day) -> Result<DaySpan, Refusal> {
    let span = DaySpan::day(ctx.calendar(), day);
    if !card.usage.knows(ctx.calendar(), day) {
        return Err("its day lies outside the months of the carrier's calendar".to_owned());
    }
    if card.usage.is_open(&span, ctx.index.horizon_s, ctx.now) {
        return Ok(span);
    }
    Err(closed_day(card, ctx, day))
}

/// The open days of the running cycle that have usage, the newest first.
fn open_days(card: &Card, ctx: &Ctx<'_>, today: Day) -> Vec<DaySpan> {
    let first = ctx.calendar().cycle_of(today).map_or(today, |(first, _)| first);
    let is_open = |day: &DaySpan| {
        (first..=today).contains(&day.day) && card.usage.is_open(day, ctx.index.horizon_s, ctx.now)
    };
    let mut days: Vec<DaySpan> = card.usage.days(ctx.calendar()).filter(is_open).collect();
    days.reverse();
    days
}

/// Adjusts days until nothing is left of the figure, or of them.
fn take(card: &mut Card, days: &[DaySpan], bytes: i64, ctx: &Ctx<'_>) -> Adjusted {
    let mut adjusted = Adjusted { day: ctx.calendar().day_of(ctx.now), bytes: 0 };
    let cuts = card.take_cuts();
    for day in days {
        let left = bytes.saturating_sub(adjusted.bytes);
        let used = card.usage.day(day).used();
        let part = left.max(i64::try_from(used).map_or(i64::MIN, |used| -used));
        if part != 0 {
            let ruler = Ruler { calendar: ctx.calendar(), cuts: &cuts };
            let at = if day.holds(ctx.now) { ctx.now } else { day.start };
            let (piece, _) = ruler.piece(day, at);
            card.usage.adjust(ctx.calendar(), day, piece, part, ctx.position.offset);
            adjusted = Adjusted { day: day.day, bytes: adjusted.bytes.saturating_add(part) };
        }
    }
    card.put_cuts(cuts);
    adjusted
}

/// Says what was done; packages and alerts follow.
fn tell(
    card: &mut Card,
    adjusted: Adjusted,
    asked: Asked<'_>,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let cycle = ctx.calendar().cycle_of(adjusted.day).map_or(adjusted.day, |(first, _)| first);
    let body = EventBody::UsageAdjusted {
        reference: asked.reference.to_owned(),
        bytes: adjusted.bytes,
        left_over: asked.bytes.saturating_sub(adjusted.bytes),
        day: adjusted.day,
        cycle,
        used: card.usage.cycle(adjusted.day).map_or(0, |cycle| cycle.used),
        reason: asked.reason.map(str::to_owned),
    };
    ctx.emit(card, because, body, effects);
    if !card.has_account() && card.state != CardState::Cancelled {
        // What is used may be this alone.
        book::begin(card, ctx, because, effects);
    }
    book::evaluate(card, ctx, because, effects);
    due::reschedule(card, ctx);
}

/// `record.post`: a record that was set aside counts after all. Into an open day as any record, by its own id; into a
/// closed one as an adjustment of today, or of the closed cycle.
pub(super) fn post(
    card: &mut Card,
    body: &CommandBody,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let CommandBody::RecordPost { reference, quarantined_at, record, into } = body else {
        unreachable!("only postings come here")
    };
    if *quarantined_at < ctx.now.saturating_sub(ORDER_DAYS.saturating_mul(DAY_S)) {
        return Err(format!("it was set aside more than {ORDER_DAYS} days ago"));
    }
    let mut packed = Vec::new();
    let cdr = cdr_of(card, record, because.received_ms, &mut packed);
    if Qid::of(&Record::Cdr(cdr)).to_string() != *reference {
        return Err("its reference is not the quarantine id of this record".to_owned());
    }
    let mut references = card.cold().references.clone();
    match references.note(&format!("post/{reference}"), b"", ctx.index.seed, ctx.now) {
        Known::Duplicate | Known::Conflict => return Ok(()),
        Known::Full => return Err("the card has 4,096 references of the last 90 days already".to_owned()),
        Known::New => {}
    }
    let verdict = cdr::fold(card, &cdr, ctx, effects);
    match verdict.outcome {
        Outcome::Counted => {}
        Outcome::Late => late(card, (reference, *into), &cdr, ctx, because, effects)?,
        Outcome::Duplicate => return Err("the record has been counted".to_owned()),
        _ => return Err(format!("it would be set aside again: {}", verdict.reason)),
    }
    card.cold().references = references;
    Ok(())
}

/// Its day is closed: the open cycle takes it, or the one that it is of; until that is closed too, in its last day.
fn late(
    card: &mut Card,
    (reference, into): (&str, PostInto),
    cdr: &Cdr<'_>,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let bytes = i64::try_from(cdr.up.saturating_add(cdr.down)).unwrap_or(i64::MAX);
    let asked = Asked { reference, bytes, reason: Some("posted, its day is closed") };
    let (day, today) = (ctx.calendar().day_of(cdr.start), ctx.calendar().day_of(ctx.now));
    let its_own = ctx.calendar().cycle_of(day) == ctx.calendar().cycle_of(today);
    if into == PostInto::Original && !its_own && is_restatable(card, day, ctx) {
        return restate(card, day, asked, ctx, because, effects);
    }
    let into = match into {
        PostInto::Original if !its_own => last_open_day(card, ctx, day)?,
        _ => open_day(card, ctx, today)?,
    };
    let adjusted = take(card, &[into], bytes, ctx);
    // Under a longer horizon the record itself would count beside it.
    card.usage.close_unused(ctx.calendar(), day);
    tell(card, adjusted, asked, ctx, because, effects);
    Ok(())
}

fn cdr_of<'a>(card: &Card, record: &'a PostedCdr, received_ms: UnixTime, packed: &'a mut Vec<u8>) -> Cdr<'a> {
    Cdr {
        card: card.id,
        feed: FeedName::new(&record.feed),
        id: &record.id,
        start: record.start,
        end: record.end,
        up: record.up,
        down: record.down,
        slices: Slices::pack(&record.slices(), packed),
        number: None,
        origin: Origin { source: "record.post", partition: 0, offset: 0, received_ms },
    }
}
