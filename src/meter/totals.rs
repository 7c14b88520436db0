//! Totals that carriers tell: of a day, or of a cycle to date (`docs/rules.md` R3). They replace, never add.
//!
//! Such a reading has a counter of a reserved kind ([`TotalOf`]) and the carrier's feed, settling or estimating. A feed
//! tells totals of a card or records, not both: once it has told a total, its CDRs and readings are rejected.
//!
//! - **A day's total** becomes all that the source has of the day. The first is spread over the day up to the reading's time. Then
//!   more goes to the time since the reading before (all of the day, if that came when it was over), less is taken from the newest
//!   segments: what a package bought at noon pays for was not used before.
//! - **A cycle's total** is held against what the source has in the cycle. More of it goes to the time since the reading
//!   before; less is taken from the newest open segments. The first total that a feed ever tells of a card's cycles goes
//!   whole to the last second before its time, and is named: on which days it was used is not known, nor guessed. From then
//!   on the counter is known, also to begin each cycle at zero: the first total of the next is spread from there.
//!
//! What is kept: the last total of each source and open day or cycle, by which a repeat is a duplicate and an older one late.
//! Of a source's cycles the newest is kept for ever: that the card's counter is known.
//!
//! Invariant: after a total of a day the source's volume of the day is that total. After a total of a cycle the source's
//! volume of the cycle is that total, unless it fell by more than the open days hold; the next one comes back to it.

use serde::{Deserialize, Serialize};

use super::card::Card;
use super::cdr;
use super::count::Counting;
use super::ctx::{Ctx, Verdict};
use super::cycle::{SOURCES, Source};
use super::dates::{DaySpan, Span, Volume};
use super::effects::Effects;
use super::exact::Exact;
use super::index::modem_hash;
use super::reading::{Refusal, check_figures, check_number, check_room, outside_months, said};
use crate::codec::time;
use crate::limits::TOTALS_MAX;
use crate::model::{CounterData, Day, EventBody, Outcome, Reading, Reason, TotalOf, UnixTime};

/// The last totals of a card, by source and period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    told: Exact<Total>,
    /// Hash of the feed that told the last total of each source: another may settle, or settle another carrier, one day.
    feeds: [u64; SOURCES],
}

/// The last total of one source and period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Total {
    /// Of the reading.
    at: UnixTime,
    said: Volume,
    /// Last day of the period.
    last: Day,
    /// [`Source`] by number.
    source: u8,
    of: TotalOf,
}

/// The day or cycle that a total is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    first: Day,
    last: Day,
    /// From its first second to before its end.
    span: Span,
}

/// A total that counts.
struct Poll {
    total: Total,
    source: Source,
    period: Period,
    /// What the source has of the period.
    had: Volume,
    /// The last total of the period.
    before: Option<Total>,
    /// Whether it is the first of a cycle whose beginning is not known.
    begins: bool,
    /// Where more than before goes.
    span: Span,
}

/// Folds a carrier's total into its card.
pub(super) fn fold(
    card: &mut Card,
    reading: &Reading<'_>,
    of: TotalOf,
    ctx: &Ctx<'_>,
    effects: &mut Effects,
) -> Verdict {
    match admit(card, reading, of, ctx) {
        Err((outcome, reason)) => Verdict::new(outcome, 0, reason),
        Ok(poll) => take(card, reading, &poll, ctx, effects),
    }
}

fn admit(card: &Card, reading: &Reading<'_>, of: TotalOf, ctx: &Ctx<'_>) -> Result<Poll, Refusal> {
    check_figures(reading, ctx)?;
    if reading.feed.hash == modem_hash() {
        return Err(wrong("a carrier's total must name the carrier's feed"));
    }
    let source = cdr::source(card, reading.feed.hash, reading.feed.name, ctx)?;
    let period = Period::of(card, reading, of, ctx)?;
    if reading.at <= period.span.start {
        return Err(wrong("its time is before the day or cycle that it is a total of"));
    }
    let until = reading.at.min(period.span.end);
    // A total is of the time before it: the number may have another card by the time it is asked for.
    check_number(card, reading, until.saturating_sub(1))?;
    let last_day = DaySpan::of(ctx.calendar(), until.saturating_sub(1));
    if !card.usage.is_open(&last_day, ctx.index.horizon_s, ctx.now) {
        return Err((Outcome::Late, "its day is closed".into()));
    }
    let said = Volume { up: reading.tx, down: reading.rx };
    let total = Total { at: reading.at, said, last: period.last, source: source as u8, of };
    let held = card.totals().and_then(|totals| totals.find(&total));
    check_order(&total, held)?;
    let had = had(card, source, of, &period);
    check_room(card, said.beyond(had))?;
    let known = card.totals().is_some_and(|totals| totals.know_cycles_of(total.source));
    let begins = of == TotalOf::Cycle && !known;
    let from = match held {
        _ if begins => until.saturating_sub(1),
        Some(held) if of == TotalOf::Cycle || held.at < period.span.end => held.at,
        _ => period.span.start,
    };
    let span = open_part(card, Span { start: from.max(period.span.start), end: until }, ctx);
    Ok(Poll { total, source, period, had, before: held.copied(), begins, span })
}

fn wrong(reason: &'static str) -> Refusal {
    (Outcome::Rejected, Reason::Borrowed(reason))
}

/// A repeat, an older one, or another of the same time.
fn check_order(total: &Total, held: Option<&Total>) -> Result<(), Refusal> {
    match held {
        Some(held) if held.at == total.at && held.said == total.said => Err((Outcome::Duplicate, "".into())),
        Some(held) if held.at >= total.at => {
            Err((Outcome::Late, "not newer than the total held of its day or cycle".into()))
        }
        _ => Ok(()),
    }
}

/// The open part of a span whose last second is open: that second at least.
fn open_part(card: &Card, span: Span, ctx: &Ctx<'_>) -> Span {
    let open_from = card.usage.open_from(ctx.calendar(), ctx.index.horizon_s, ctx.now);
    Span { start: span.start.max(open_from).min(span.end.saturating_sub(1)), end: span.end }
}

/// What the source has of a period.
fn had(card: &Card, source: Source, of: TotalOf, period: &Period) -> Volume {
    let by = match of {
        TotalOf::Day => {
            let day = DaySpan { day: period.first, start: period.span.start, end: period.span.end };
            Some(card.usage.day(&day).by)
        }
        TotalOf::Cycle => card.usage.cycle(period.first).map(|cycle| cycle.by.all()),
    };
    by.and_then(|by| by.get(source as usize).copied()).unwrap_or_default()
}

fn take(
    card: &mut Card,
    reading: &Reading<'_>,
    poll: &Poll,
    ctx: &Ctx<'_>,
    effects: &mut Effects,
) -> Verdict {
    let open_from = card.usage.open_from(ctx.calendar(), ctx.index.horizon_s, ctx.now);
    let open_from = ctx.calendar().day_of(open_from);
    if !card.cold().totals.get_or_insert_default().take(poll.total, reading.feed.hash, open_from) {
        return Verdict::new(Outcome::Flood, 0, "the card has 256 totals of open days already");
    }
    card.hold_estimate(reading.feed.hash, poll.source);
    card.note_totals(poll.source);
    let (more, less) = (poll.total.said.beyond(poll.had), poll.had.beyond(poll.total.said));
    if poll.total.said == poll.had {
        return Verdict::counted(0);
    }
    let used_until = (more.total() > 0).then_some(poll.span.end);
    let mut counting = Counting::new(card, ctx, poll.source, used_until);
    let taken = match poll.total.of {
        TotalOf::Day if poll.before.is_none() => become_day(&mut counting, poll, less),
        TotalOf::Day | TotalOf::Cycle => go_on(&mut counting, poll, open_from, (more, less)),
    };
    let because = ctx.record(reading.origin.received_ms);
    for body in named(reading, poll, more, taken) {
        ctx.emit(counting.card, &because, body, effects);
    }
    counting.finish(reading.origin.received_ms, effects);
    Verdict::counted(more.total())
}

/// The first total of a day: records that came before are in it. Answers what is taken back, which is all that was too much.
fn become_day(counting: &mut Counting<'_, '_>, poll: &Poll, less: Volume) -> Volume {
    let Period { first: day, span: Span { start, end }, .. } = poll.period;
    if counting.ctx.faults.totals_add {
        counting.spread(poll.span, poll.total.said);
    } else {
        counting.replace(&DaySpan { day, start, end }, poll.span, poll.total.said);
    }
    less
}

/// A total after another: more goes to the time since, less is taken from the newest open segments. Answers what was taken.
fn go_on(
    counting: &mut Counting<'_, '_>,
    poll: &Poll,
    open_from: Day,
    (more, less): (Volume, Volume),
) -> Volume {
    let open_start = counting.ctx.calendar().day_start(open_from).max(poll.period.span.start);
    let taken = counting.take_newest(Span { start: open_start, ..poll.period.span }, less);
    if more != Volume::default() {
        counting.spread(poll.span, more);
    }
    taken
}

/// The events of a total that did not simply go on. One that stays below what the card has, because the days that hold it
/// are closed, is named once.
fn named(reading: &Reading<'_>, poll: &Poll, more: Volume, taken: Volume) -> Vec<EventBody> {
    let before = poll.before.map_or(poll.had, |before| before.said);
    let fell = taken.total() > 0 || before.beyond(poll.total.said).total() > 0;
    let data = CounterData {
        imei: None,
        day: (poll.total.of == TotalOf::Day).then_some(poll.period.first),
        cycle: (poll.total.of == TotalOf::Cycle).then_some(poll.period.first),
        before_at: poll.before.map(|before| before.at),
        before_tx: poll.had.up,
        before_rx: poll.had.down,
        up: more.up,
        down: more.down,
        taken_up: taken.up,
        taken_down: taken.down,
        ..said(reading)
    };
    let begun = (poll.begins && more.total() > 0).then(|| EventBody::CounterBegun(data.clone()));
    let lowered = fell.then_some(EventBody::CounterLowered(data));
    begun.into_iter().chain(lowered).collect()
}

impl Period {
    fn of(card: &Card, reading: &Reading<'_>, of: TotalOf, ctx: &Ctx<'_>) -> Result<Self, Refusal> {
        let day = match reading.session {
            "" => ctx.calendar().day_of(reading.at.saturating_sub(1)),
            date => time::parse_day(date)
                .ok_or(wrong("the session of a carrier's total is no date, like 2026-08-01"))?,
        };
        let cycle = match card.usage.cycle(day) {
            Some(cycle) => Some((cycle.start, cycle.end)),
            None => ctx.calendar().cycle_of(day),
        };
        let (first, next) = match (of, cycle) {
            (_, None) => return Err(outside_months()),
            (TotalOf::Day, Some(_)) => (day, day.saturating_add(1)),
            (TotalOf::Cycle, Some(cycle)) => cycle,
        };
        let span = Span { start: ctx.calendar().day_start(first), end: ctx.calendar().day_start(next) };
        Ok(Self { first, last: next.saturating_sub(1), span })
    }
}

impl Totals {
    fn find(&self, like: &Total) -> Option<&Total> {
        self.told.iter().find(|held| held.is_of(like))
    }

    /// Whether this feed told the last total of a source.
    pub(super) fn are_by(&self, source: Source, feed: u64) -> bool {
        self.feeds.get(source as usize) == Some(&feed)
    }

    /// Whether a total of any of the source's cycles was ever told.
    fn know_cycles_of(&self, source: u8) -> bool {
        self.told.iter().any(|held| held.is_cycle_of(source))
    }

    /// Takes a total in place of the one before, and forgets what is closed. `false`: there is no room.
    fn take(&mut self, total: Total, feed: u64, open_from: Day) -> bool {
        let newest =
            |source| self.told.iter().filter(|held| held.is_cycle_of(source)).map(|held| held.last).max();
        let newest = Source::ALL.map(|source| newest(source as u8));
        let stays = |held: &Total| {
            let newest = newest.get(usize::from(held.source)).copied().flatten();
            let is_newest = held.of == TotalOf::Cycle && newest == Some(held.last);
            !held.is_of(&total) && (is_newest || held.last >= open_from)
        };
        if self.told.iter().filter(|held| stays(held)).count() >= TOTALS_MAX {
            return false;
        }
        self.told.retain(stays);
        self.told.push(total);
        if let Some(held) = self.feeds.get_mut(usize::from(total.source)) {
            *held = feed;
        }
        true
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.told.bytes()
    }
}

impl Total {
    fn is_of(&self, other: &Self) -> bool {
        (self.source, self.of, self.last) == (other.source, other.of, other.last)
    }

    fn is_cycle_of(&self, source: u8) -> bool {
        self.source == source && self.of == TotalOf::Cycle
    }
}
