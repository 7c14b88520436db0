//! CDRs (`docs/rules.md` C2, C3, C5, C8): checked in order of precedence, then dated and counted.
//!
//! A check that fails changes nothing of the card, so that a repeat meets the same outcome again. The order: what cannot
//! be right (rejected), what is not the card's (unknown), what is too long (flood), too late, then identity.

use super::card::Card;
use super::count::Counting;
use super::ctx::{Ctx, Verdict};
use super::cycle::Source;
use super::dates::{DaySpan, Span, Volume};
use super::effects::Effects;
use super::ids::{RecordId, Seen};
use crate::limits::{CARD_BYTES_MAX, CDR_SECONDS_MAX, FUTURE_S_MAX, RECORD_BYTES_MAX, SLICES_MAX};
use crate::model::{Cdr, FeedRole, Outcome, Reason, UnixTime};

/// Why a record is not counted.
type Refusal = (Outcome, Reason);

/// Folds a CDR into its card.
pub(super) fn fold(card: &mut Card, cdr: &Cdr<'_>, ctx: &Ctx<'_>, effects: &mut Effects) -> Verdict {
    let bytes = cdr.up.saturating_add(cdr.down);
    match admit(card, cdr, ctx) {
        Err((outcome, reason)) => Verdict { outcome, bytes, reason },
        Ok(source) => {
            count(card, cdr, source, ctx, effects);
            Verdict::counted(bytes)
        }
    }
}

/// Passes a CDR through all checks; its id is noted if it is to be counted.
fn admit(card: &mut Card, cdr: &Cdr<'_>, ctx: &Ctx<'_>) -> Result<Source, Refusal> {
    let last = last_moment(cdr);
    check_figures(cdr, last, ctx.now)?;
    let source = source_of_records(card, cdr.feed.hash, cdr.feed.name, ctx)?;
    if let Some(number) = cdr.number.filter(|number| !card.numbers.holds(*number, cdr.start)) {
        return Err((Outcome::Unknown, format!("the card did not hold {number} at its start").into()));
    }
    if last.saturating_sub(cdr.start) > CDR_SECONDS_MAX {
        return Err((Outcome::Flood, "longer than seven days".into()));
    }
    let home = DaySpan::of(ctx.calendar(), cdr.start);
    if !card.usage.is_open(&home, ctx.index.horizon_s, ctx.now) {
        return Err((Outcome::Late, "the day of its start is closed".into()));
    }
    check_room(card, cdr, &home, last, ctx)?;
    check_id(card, cdr, &home, ctx)?;
    Ok(source)
}

/// The greatest time the record names.
fn last_moment(cdr: &Cdr<'_>) -> UnixTime {
    cdr.slices.iter().map(|slice| slice.end).fold(cdr.start.max(cdr.end), UnixTime::max)
}

fn check_figures(cdr: &Cdr<'_>, last: UnixTime, now: UnixTime) -> Result<(), Refusal> {
    let wrong = |reason: &'static str| Err((Outcome::Rejected, Reason::Borrowed(reason)));
    if last > now.saturating_add(FUTURE_S_MAX) {
        return wrong("its time is more than 10 minutes after log time");
    }
    if cdr.up > RECORD_BYTES_MAX || cdr.down > RECORD_BYTES_MAX {
        return wrong("more bytes than a bearer can move in seven days");
    }
    if cdr.slices.len() > SLICES_MAX {
        return wrong("more than 64 slices");
    }
    if cdr.slices.is_empty() {
        return Ok(());
    }
    let sum = cdr.slices.iter().fold((0u64, 0u64), |(up, down), slice| {
        (up.saturating_add(slice.up), down.saturating_add(slice.down))
    });
    if sum == (cdr.up, cdr.down) { Ok(()) } else { wrong("its slices do not add up to its volume") }
}

/// Which total of the card a feed of records goes to.
fn source_of_records(card: &Card, hash: u64, name: &str, ctx: &Ctx<'_>) -> Result<Source, Refusal> {
    let source = source(card, hash, name, ctx)?;
    if card.is_by_totals(source, hash) { Err(counts_twice(name)) } else { Ok(source) }
}

/// Which total of the card a feed goes to.
pub(super) fn source(card: &Card, hash: u64, name: &str, ctx: &Ctx<'_>) -> Result<Source, Refusal> {
    if ctx.terms.settling == Some(hash) {
        return Ok(Source::Settling);
    }
    estimate_source(card, hash, name, ctx)
}

/// Of a record whose feed tells totals of the card besides.
pub(super) fn counts_twice(feed: &str) -> Refusal {
    let reason = format!("feed {feed:?} tells totals of the card, which hold this already");
    (Outcome::Rejected, reason.into())
}

/// The total of an estimating feed, for readings too.
pub(super) fn estimate_source(card: &Card, hash: u64, name: &str, ctx: &Ctx<'_>) -> Result<Source, Refusal> {
    let wrong = |reason: String| Err((Outcome::Rejected, Reason::Owned(reason)));
    match ctx.index.feed(hash) {
        None => wrong(format!("feed {name:?} is not in the catalogue")),
        Some(FeedRole::Settling) if ctx.terms.settling == Some(hash) => {
            wrong(format!("feed {name:?} settles: it tells records or totals, not counters of devices"))
        }
        Some(FeedRole::Settling) => {
            wrong(format!("feed {name:?} settles, but not for carrier {:?}", ctx.carrier.name))
        }
        Some(FeedRole::Estimate) => card.estimate(hash, |held| ctx.index.estimates(held)).map_or_else(
            || wrong(format!("feed {name:?} would be the third estimating feed of the card; two count")),
            Ok,
        ),
    }
}

/// Whether the calendar knows the days, and the sums of the card have room.
fn check_room(
    card: &Card,
    cdr: &Cdr<'_>,
    home: &DaySpan,
    last: UnixTime,
    ctx: &Ctx<'_>,
) -> Result<(), Refusal> {
    let calendar = ctx.calendar();
    let last_day = if home.holds(last) { home.day } else { calendar.day_of(last) };
    if !card.usage.knows(calendar, home.day) || !card.usage.knows(calendar, last_day) {
        return Err((Outcome::Rejected, "its days lie outside the months of the carrier's calendar".into()));
    }
    if card.usage.held().saturating_add(cdr.up).saturating_add(cdr.down) > CARD_BYTES_MAX {
        return Err((Outcome::Rejected, "the card's cycles would hold more than 2^60 bytes".into()));
    }
    Ok(())
}

fn check_id(card: &mut Card, cdr: &Cdr<'_>, home: &DaySpan, ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let seen = card.ids.note(home.day, RecordId::of(cdr, ctx.index.seed));
    match seen {
        Seen::New => Ok(()),
        Seen::Duplicate | Seen::Conflict if ctx.faults.no_dedupe => Ok(()),
        Seen::Duplicate => Err((Outcome::Duplicate, "".into())),
        Seen::Conflict => Err((Outcome::Conflict, "the same id was counted with other content".into())),
        Seen::Full => Err((Outcome::Flood, "the card has 1,024 records on this day already".into())),
    }
}

fn count(card: &mut Card, cdr: &Cdr<'_>, source: Source, ctx: &Ctx<'_>, effects: &mut Effects) {
    card.hold_estimate(cdr.feed.hash, source);
    let rule = ctx.carrier.split;
    let mut counting = Counting::new(card, ctx, source, Some(last_moment(cdr)));
    if cdr.slices.is_empty() {
        let span = Span { start: cdr.start, end: cdr.end };
        counting.spread(span.dated_by(rule), Volume { up: cdr.up, down: cdr.down });
    } else {
        let mut start = cdr.start;
        for slice in cdr.slices.iter() {
            let span = Span { start, end: slice.end };
            counting.spread(span.dated_by(rule), Volume { up: slice.up, down: slice.down });
            start = start.max(slice.end);
        }
    }
    counting.finish(cdr.origin.received_ms, effects);
}
