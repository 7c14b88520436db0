//! Readings of modems (`domain.md` R1, R3): a counter's increase is spread over its interval, at most over the open days.
//!
//! Like CDRs, what is not counted changes nothing of the card.

use super::card::Card;
use super::cdr::estimate_source;
use super::count::Counting;
use super::counters::Told;
use super::ctx::{Ctx, Verdict};
use super::cycle::Source;
use super::dates::{DaySpan, Span, Volume};
use super::effects::Effects;
use crate::limits::{CARD_BYTES_MAX, FUTURE_S_MAX, RECORD_BYTES_MAX};
use crate::model::{Outcome, Reading, Reason};

/// What a reading adds: from when on, and how much; `None` = it is a base.
type Increase = Option<(Span, Volume)>;

/// Folds a reading into its card.
pub(super) fn fold(card: &mut Card, reading: &Reading<'_>, ctx: &Ctx<'_>, effects: &mut Effects) -> Verdict {
    match admit(card, reading, ctx) {
        Err((outcome, reason)) => Verdict::new(outcome, 0, reason),
        Ok((source, increase)) => {
            card.hold_estimate(reading.feed.hash);
            card.cold().counters.take(reading);
            match increase {
                Some((span, volume)) if volume.total() > 0 => {
                    let mut counting = Counting::new(card, ctx, source);
                    counting.spread(span, volume);
                    counting.finish(reading.origin.received_ms, effects);
                    Verdict::counted(volume.total())
                }
                _ => Verdict::counted(0),
            }
        }
    }
}

fn admit(card: &Card, reading: &Reading<'_>, ctx: &Ctx<'_>) -> Result<(Source, Increase), (Outcome, Reason)> {
    let wrong = |reason: &'static str| Err((Outcome::Rejected, Reason::Borrowed(reason)));
    if reading.at > ctx.now.saturating_add(FUTURE_S_MAX) {
        return wrong("its time is more than 10 minutes after log time");
    }
    if reading.tx > CARD_BYTES_MAX || reading.rx > CARD_BYTES_MAX {
        return wrong("more bytes than a counter can have counted");
    }
    let source = estimate_source(card, reading.feed.hash, reading.feed.name, ctx)?;
    if let Some(number) = reading.number.filter(|number| !card.numbers.holds(*number, reading.at)) {
        return Err((Outcome::Unknown, format!("the card did not hold {number} at its time").into()));
    }
    let day = DaySpan::of(ctx.calendar(), reading.at);
    if !card.usage.is_open(&day, ctx.index.horizon_s, ctx.now) {
        return Err((Outcome::Late, "its day is closed".into()));
    }
    match card.counters().map_or(Told::Base, |counters| counters.tell(reading)) {
        Told::Duplicate => Err((Outcome::Duplicate, "".into())),
        Told::Late => Err((Outcome::Late, "not newer than the reading held of its counter".into())),
        Told::Base | Told::Fell(_) => Ok((source, None)),
        Told::Used(span, volume) => {
            let span = over_open_days(card, span, ctx);
            check_room(card, span, volume, ctx).map(|()| (source, Some((span, volume))))
        }
    }
}

/// A closed day takes nothing more: its share goes to the open part of the interval.
fn over_open_days(card: &Card, span: Span, ctx: &Ctx<'_>) -> Span {
    let open_from = card.usage.open_from(ctx.calendar(), ctx.index.horizon_s, ctx.now);
    Span { start: span.start.max(open_from), end: span.end }
}

fn check_room(card: &Card, span: Span, volume: Volume, ctx: &Ctx<'_>) -> Result<(), (Outcome, Reason)> {
    if volume.up > RECORD_BYTES_MAX || volume.down > RECORD_BYTES_MAX {
        return Err((Outcome::Rejected, "more bytes since the last reading than a bearer can move".into()));
    }
    if card.usage.held().saturating_add(volume.total()) > CARD_BYTES_MAX {
        return Err((Outcome::Rejected, "the card's cycles would hold more than 2^60 bytes".into()));
    }
    let known = |at| card.usage.knows(ctx.calendar(), ctx.calendar().day_of(at));
    if known(span.start) && known(span.end) {
        return Ok(());
    }
    Err((Outcome::Rejected, "its days lie outside the months of the carrier's calendar".into()))
}
