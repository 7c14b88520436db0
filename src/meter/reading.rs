//! Readings of devices' counters (`docs/rules.md` R1 to R3): a counter's increase is spread over its interval, at most over
//! the open days. A fall is named in an event, whatever it counts. Carriers' totals go to [`super::totals`].
//!
//! Like CDRs, what is not counted changes nothing of the card.

use super::book;
use super::card::Card;
use super::cdr::{counts_twice, estimate_source};
use super::count::Counting;
use super::counters::{Fell, Told};
use super::ctx::{Ctx, Verdict};
use super::cycle::Source;
use super::dates::{DaySpan, Span, Volume};
use super::effects::Effects;
use super::fall::Fall;
use super::totals;
use crate::limits::{CARD_BYTES_MAX, FUTURE_S_MAX, RECORD_BYTES_MAX};
use crate::model::{CounterData, EventBody, Outcome, Reading, Reason, UnixTime};

/// Why a reading is not counted.
pub(super) type Refusal = (Outcome, Reason);

/// What a reading adds: from when on, and how much; `None` = it is a base.
type Increase = Option<(Span, Volume)>;

/// What a reading comes to.
struct Admitted {
    source: Source,
    increase: Increase,
    /// What is to be said of it.
    fell: Option<EventBody>,
}

/// Folds a reading into its card.
pub(super) fn fold(card: &mut Card, reading: &Reading<'_>, ctx: &Ctx<'_>, effects: &mut Effects) -> Verdict {
    if let Some(of) = reading.counter.total() {
        return totals::fold(card, reading, of, ctx, effects);
    }
    match admit(card, reading, ctx) {
        Err((outcome, reason)) => Verdict::new(outcome, 0, reason),
        Ok(admitted) => take(card, reading, admitted, ctx, effects),
    }
}

fn take(
    card: &mut Card,
    reading: &Reading<'_>,
    admitted: Admitted,
    ctx: &Ctx<'_>,
    effects: &mut Effects,
) -> Verdict {
    card.hold_estimate(reading.feed.hash, admitted.source);
    card.cold().counters.take(reading);
    let because = ctx.record(reading.origin.received_ms);
    if let Some(fell) = admitted.fell {
        ctx.emit(card, &because, fell, effects);
    }
    match admitted.increase {
        Some((span, volume)) if volume.total() > 0 => {
            let mut counting = Counting::new(card, ctx, admitted.source, Some(reading.at));
            counting.spread(span, volume);
            counting.finish(reading.origin.received_ms, effects);
            Verdict::counted(volume.total())
        }
        _ => {
            // It says that the device is there.
            book::hear(card, ctx, reading.feed.hash, &because, effects);
            Verdict::counted(0)
        }
    }
}

fn admit(card: &Card, reading: &Reading<'_>, ctx: &Ctx<'_>) -> Result<Admitted, Refusal> {
    check_figures(reading, ctx)?;
    let source = estimate_source(card, reading.feed.hash, reading.feed.name, ctx)?;
    if card.is_by_totals(source, reading.feed.hash) {
        return Err(counts_twice(reading.feed.name));
    }
    check_number(card, reading, reading.at)?;
    let day = DaySpan::of(ctx.calendar(), reading.at);
    if !card.usage.is_open(&day, ctx.index.horizon_s, ctx.now) {
        return Err((Outcome::Late, "its day is closed".into()));
    }
    let rules = ctx.index.catalogue().counters;
    let told = card.counters().map_or(Told::Base, |counters| counters.tell(reading, rules));
    let (increase, fell) = match told {
        Told::Duplicate => return Err((Outcome::Duplicate, "".into())),
        Told::Late => {
            return Err((Outcome::Late, "not newer than the reading held of its counter".into()));
        }
        Told::Base => (None, None),
        Told::Used(span, volume) => (Some((span, volume)), None),
        Told::Fell(span, volume, fell) => (Some((span, volume)), Some(named(reading, span, volume, fell))),
    };
    let increase = match increase {
        Some((span, volume)) => {
            let span = over_open_days(card, span, ctx);
            check_room(card, volume)?;
            check_months(card, span, ctx)?;
            Some((span, volume))
        }
        None => None,
    };
    Ok(Admitted { source, increase, fell })
}

/// What cannot be right of a reading, whatever its counter.
pub(super) fn check_figures(reading: &Reading<'_>, ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let wrong = |reason: &'static str| Err((Outcome::Rejected, Reason::Borrowed(reason)));
    let greatest = reading.tx.max(reading.rx);
    if reading.at > ctx.now.saturating_add(FUTURE_S_MAX) {
        return wrong("its time is more than 10 minutes after log time");
    }
    if greatest > CARD_BYTES_MAX {
        return wrong("more bytes than a counter can have counted");
    }
    if reading.width == 32 && greatest > u64::from(u32::MAX) {
        return wrong("more bytes than its counter of 32 bits can show");
    }
    Ok(())
}

/// Whether the card held the number that it was named by at the time that the reading is of.
pub(super) fn check_number(card: &Card, reading: &Reading<'_>, at: UnixTime) -> Result<(), Refusal> {
    match reading.number.filter(|number| !card.numbers.holds(*number, at)) {
        Some(number) => Err((Outcome::Unknown, format!("the card did not hold {number} at its time").into())),
        None => Ok(()),
    }
}

/// The event that names a fall.
fn named(reading: &Reading<'_>, span: Span, counted: Volume, fell: Fell) -> EventBody {
    let data = CounterData {
        before_at: Some(span.start),
        before_tx: fell.before.up,
        before_rx: fell.before.down,
        up: counted.up,
        down: counted.down,
        ..said(reading)
    };
    match fell.why {
        Fall::Wrapped => EventBody::CounterWrapped(data),
        Fall::Restarted => EventBody::CounterRestarted(data),
        Fall::Unexplained => EventBody::CounterUnexplained(data),
    }
}

/// What a reading says of itself.
pub(super) fn said(reading: &Reading<'_>) -> CounterData {
    CounterData {
        feed: reading.feed.name.to_owned(),
        imei: (reading.imei != 0).then(|| reading.imei.to_string()),
        counter: reading.counter.0.to_owned(),
        session: (!reading.session.is_empty()).then(|| reading.session.to_owned()),
        day: None,
        cycle: None,
        read_at: reading.at,
        tx: reading.tx,
        rx: reading.rx,
        before_at: None,
        before_tx: 0,
        before_rx: 0,
        up: 0,
        down: 0,
        taken_up: 0,
        taken_down: 0,
    }
}

/// A closed day takes nothing more: its share goes to the open part of the interval.
fn over_open_days(card: &Card, span: Span, ctx: &Ctx<'_>) -> Span {
    let open_from = card.usage.open_from(ctx.calendar(), ctx.index.horizon_s, ctx.now);
    Span { start: span.start.max(open_from), end: span.end }
}

/// Whether the sums of the card have room for what a reading adds.
pub(super) fn check_room(card: &Card, volume: Volume) -> Result<(), Refusal> {
    if volume.up > RECORD_BYTES_MAX || volume.down > RECORD_BYTES_MAX {
        return Err((Outcome::Rejected, "more bytes since the last reading than a bearer can move".into()));
    }
    if card.usage.held().saturating_add(volume.total()) > CARD_BYTES_MAX {
        return Err((Outcome::Rejected, "the card's cycles would hold more than 2^60 bytes".into()));
    }
    Ok(())
}

fn check_months(card: &Card, span: Span, ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let known = |at| card.usage.knows(ctx.calendar(), ctx.calendar().day_of(at));
    if known(span.start) && known(span.end) { Ok(()) } else { Err(outside_months()) }
}

pub(super) fn outside_months() -> Refusal {
    (Outcome::Rejected, "its days lie outside the months of the carrier's calendar".into())
}
