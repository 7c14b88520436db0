//! What one card used: totals of its days by source, and of its cycles.
//!
//! A day's totals stand in pieces (the whole day, or what lies between cuts), each by source; the used of a day is the
//! settling feed's total if the day is complete, else the greatest of all (`domain.md` C4); a cycle is the sum of its days.
//! Invariant: `Cycle::by`, `used` and `settled` are the sums over its days at every moment, in whatever order records came.

use serde::{Deserialize, Serialize};

use super::dates::{DaySpan, Part, Volume};
use crate::limits::DAY_S;
use crate::model::{Calendar, Day, LogOffset, UnixTime};

/// Whose total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Settling = 0,
    FirstEstimate = 1,
    SecondEstimate = 2,
}

/// Sources of a card.
pub(super) const SOURCES: usize = 3;

/// Totals by [`Source`].
pub(super) type BySource = [Volume; SOURCES];

/// Days and cycles of one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Usage {
    /// Ascending by start, then source.
    pieces: Vec<Piece>,
    /// Ascending.
    cycles: Vec<Cycle>,
    /// Days through this one are declared whole by the settling feed, as far as this card has been told.
    complete_through: Day,
    /// Days through this one take no records.
    closed_through: Day,
}

/// The total of one source in one piece of a day: 24 bytes, as there are tens of millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    /// Seconds since two days before 1970, so that a day of any zone fits.
    start: u32,
    /// Low bits of the log offset of the last change, whether the day closed unsettled, and the source.
    stamp: u32,
    volume: Volume,
}

/// One cycle of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cycle {
    pub start: Day,
    /// First day of the next.
    pub end: Day,
    pub by: BySource,
    pub used: u64,
    /// Of it: complete days.
    pub settled: u64,
    pub unsettled_days: u16,
    pub closed: bool,
    pub revision: u32,
    pub changed_at: LogOffset,
    /// Quota and remaining as they were when the cycle ended; of the running cycle the account tells them.
    pub ended_with: Option<(Option<u64>, Option<u64>)>,
}

/// What a part did to the day it went to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// The day's used is now told by another source: its pieces burn anew.
    pub source_changed: bool,
    /// The day has a piece more: a day may now be the first to close.
    pub new_piece: bool,
}

/// One day of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayTotals {
    pub by: BySource,
    pub complete: bool,
    pub unsettled: bool,
}

/// A piece of a day as it burns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsedPiece {
    pub start: UnixTime,
    /// Bytes of the source chosen for its day.
    pub bytes: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { pieces: Vec::new(), cycles: Vec::new(), complete_through: Day::MIN, closed_through: Day::MIN }
    }
}

impl Source {
    const ALL: [Self; SOURCES] = [Self::Settling, Self::FirstEstimate, Self::SecondEstimate];

    /// The place of the estimating feed in the card's list.
    pub(super) fn estimate(place: usize) -> Option<Self> {
        [Self::FirstEstimate, Self::SecondEstimate].get(place).copied()
    }
}

impl Piece {
    /// Two days: no zone is further from UTC.
    const BIAS: i64 = 2 * DAY_S;
    const SOURCE: u32 = 0b011;
    const UNSETTLED: u32 = 0b100;
    const OFFSET_SHIFT: u32 = 3;

    fn stored(time: UnixTime) -> u32 {
        u32::try_from(time.saturating_add(Self::BIAS)).unwrap_or(if time < 0 { 0 } else { u32::MAX })
    }

    fn start(&self) -> UnixTime {
        i64::from(self.start) - Self::BIAS
    }

    fn source(&self) -> usize {
        (self.stamp & Self::SOURCE) as usize
    }

    fn touch(&mut self, offset: LogOffset) {
        self.stamp = (offset.0 as u32) << Self::OFFSET_SHIFT | self.stamp & (Self::SOURCE | Self::UNSETTLED);
    }

    /// The offset of the last change, taken to be as late as the stored bits allow: a wrap of them makes a row go out once
    /// more, never once too few.
    fn changed_at(&self, card_changed_at: LogOffset) -> LogOffset {
        let behind = (card_changed_at.0 as u32).wrapping_shl(Self::OFFSET_SHIFT) >> Self::OFFSET_SHIFT;
        let behind = behind.wrapping_sub(self.stamp >> Self::OFFSET_SHIFT) & (u32::MAX >> Self::OFFSET_SHIFT);
        LogOffset(card_changed_at.0.saturating_sub(u64::from(behind)))
    }
}

impl DayTotals {
    /// The source whose total is the day's (`domain.md` C4); of equals the first.
    pub(super) fn source(&self) -> Source {
        let mut best = Source::Settling;
        if !self.complete {
            for source in Source::ALL {
                if self.by[source as usize].total() > self.by[best as usize].total() {
                    best = source;
                }
            }
        }
        best
    }

    pub(super) fn used(&self) -> u64 {
        self.by[self.source() as usize].total()
    }

    fn settled(&self) -> u64 {
        if self.complete { self.used() } else { 0 }
    }
}

impl Cycle {
    fn new((start, end): (Day, Day)) -> Self {
        Self {
            start,
            end,
            by: BySource::default(),
            used: 0,
            settled: 0,
            unsettled_days: 0,
            closed: false,
            revision: 0,
            changed_at: LogOffset(0),
            ended_with: None,
        }
    }

    pub(super) fn provisional(&self) -> u64 {
        self.used.saturating_sub(self.settled)
    }

    /// The greatest estimate of the cycle.
    pub(super) fn estimate(&self) -> u64 {
        self.by[1].total().max(self.by[2].total())
    }

    fn replace(&mut self, before: &DayTotals, after: &DayTotals, offset: LogOffset) {
        let less = |sum: u64, part: u64| sum.checked_sub(part).expect("a cycle is the sum of its days");
        self.used = less(self.used, before.used()).saturating_add(after.used());
        self.settled = less(self.settled, before.settled()).saturating_add(after.settled());
        self.changed_at = offset;
    }
}

impl Usage {
    pub(super) fn cycles(&self) -> &[Cycle] {
        &self.cycles
    }

    pub(super) fn complete_through(&self) -> Day {
        self.complete_through
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.cycles.is_empty()
    }

    /// Bytes counted by all sources in the cycles held: what bounds a card's sums.
    pub(super) fn held(&self) -> u64 {
        self.cycles.iter().flat_map(|cycle| cycle.by).fold(0, |sum, by| sum.saturating_add(by.total()))
    }

    /// Whether a day lies in a cycle that is held or that the calendar knows.
    pub(super) fn knows(&self, calendar: &Calendar, day: Day) -> bool {
        self.cycle(day).is_some() || calendar.cycle_of(day).is_some()
    }

    /// First second of the first open day.
    pub(super) fn open_from(&self, calendar: &Calendar, horizon_s: i64, at: UnixTime) -> UnixTime {
        let by_time = calendar.day_of(at.saturating_sub(horizon_s));
        calendar.day_start(by_time.max(self.closed_through.saturating_add(1)))
    }

    /// First second that a segment of the open days can have: that of the first day not yet closed, though its horizon
    /// may be over.
    pub(super) fn burns_from(&self, calendar: &Calendar, horizon_s: i64, at: UnixTime) -> UnixTime {
        let open_from = self.open_from(calendar, horizon_s, at);
        self.first_open_day(calendar).map_or(open_from, |day| day.start.min(open_from))
    }

    pub(super) fn cycle(&self, day: Day) -> Option<&Cycle> {
        self.cycles.iter().rev().find(|cycle| cycle.start <= day && day < cycle.end)
    }

    /// The cycle that holds a day, made if there is none; `None` outside the calendar's months.
    pub(super) fn open_cycle(&mut self, calendar: &Calendar, day: Day) -> Option<&mut Cycle> {
        let held = self.cycles.iter().rposition(|cycle| cycle.start <= day && day < cycle.end);
        if let Some(at) = held {
            return self.cycles.get_mut(at);
        }
        let bounds = calendar.cycle_of(day)?;
        let at = self.cycles.partition_point(|cycle| cycle.start < bounds.0);
        self.cycles.reserve_exact(1);
        self.cycles.insert(at, Cycle::new(bounds));
        self.cycles.get_mut(at)
    }

    /// Whether a day still takes records: `now` is before the end of its late horizon.
    pub(super) fn is_open(&self, day: &DaySpan, horizon_s: i64, now: UnixTime) -> bool {
        day.day > self.closed_through && now < day.end.saturating_add(horizon_s)
    }

    /// Counts a part of a record. The day's cycle must have been opened.
    pub(super) fn add(&mut self, part: &Part, source: Source, offset: LogOffset) -> Moved {
        let before = self.day(&part.day);
        let mut after = before;
        after.by[source as usize] = after.by[source as usize].plus(part.volume);
        let new_piece = self.add_to_piece(part, source, offset);
        let cycle = self.cycle_mut(part.day.day);
        cycle.by[source as usize] = cycle.by[source as usize].plus(part.volume);
        cycle.replace(&before, &after, offset);
        Moved { source_changed: before.source() != after.source(), new_piece }
    }

    fn cycle_mut(&mut self, day: Day) -> &mut Cycle {
        let held = self.cycles.iter_mut().rev().find(|cycle| cycle.start <= day && day < cycle.end);
        held.expect("a day with usage lies in a cycle that was opened")
    }

    /// Answers whether the piece is new.
    fn add_to_piece(&mut self, part: &Part, source: Source, offset: LogOffset) -> bool {
        let key = (Piece::stored(part.piece), source as usize);
        let at = self.pieces.partition_point(|piece| (piece.start, piece.source()) < key);
        match self.pieces.get_mut(at) {
            Some(piece) if (piece.start, piece.source()) == key => {
                piece.volume = piece.volume.plus(part.volume);
                piece.touch(offset);
                false
            }
            _ => {
                let mut piece = Piece { start: key.0, stamp: source as u32, volume: part.volume };
                piece.touch(offset);
                if self.pieces.len() == self.pieces.capacity() {
                    self.pieces.reserve_exact(2);
                }
                self.pieces.insert(at, piece);
                true
            }
        }
    }

    /// Totals of a day.
    pub(super) fn day(&self, span: &DaySpan) -> DayTotals {
        let (from, to) = (Piece::stored(span.start), Piece::stored(span.end));
        let first = self.pieces.partition_point(|piece| piece.start < from);
        let mut totals = DayTotals { by: BySource::default(), complete: false, unsettled: false };
        for piece in self.pieces.iter().skip(first).take_while(|piece| piece.start < to) {
            let by = &mut totals.by[piece.source()];
            *by = by.plus(piece.volume);
            totals.unsettled |= piece.stamp & Piece::UNSETTLED != 0;
        }
        totals.complete = span.day <= self.complete_through && !totals.unsettled;
        totals
    }

    /// The days that have totals, oldest first, closed ones too.
    pub(super) fn days<'a>(&'a self, calendar: &'a Calendar) -> impl Iterator<Item = DaySpan> + 'a {
        let mut last: Option<DaySpan> = None;
        self.pieces.iter().filter_map(move |piece| {
            if last.is_some_and(|day| day.holds(piece.start())) {
                return None;
            }
            last = Some(DaySpan::of(calendar, piece.start()));
            last
        })
    }

    pub(super) fn is_closed(&self, day: Day) -> bool {
        day <= self.closed_through
    }

    fn first_open_day(&self, calendar: &Calendar) -> Option<DaySpan> {
        self.days(calendar).find(|span| !self.is_closed(span.day))
    }

    /// The used bytes of a day by piece, in event order.
    pub(super) fn burning<'a>(&'a self, span: &DaySpan) -> impl Iterator<Item = UsedPiece> + 'a {
        let (from, to) = (Piece::stored(span.start), Piece::stored(span.end));
        let source = self.day(span).source() as usize;
        let first = self.pieces.partition_point(|piece| piece.start < from);
        self.pieces
            .iter()
            .skip(first)
            .take_while(move |piece| piece.start < to)
            .filter(move |piece| piece.source() == source)
            .map(|piece| UsedPiece { start: piece.start(), bytes: piece.volume.total() })
    }

    /// Takes a declaration of the settling feed: open days through `day` are whole. Answers whether any total moved.
    pub(super) fn complete(&mut self, calendar: &Calendar, day: Day, offset: LogOffset) -> bool {
        let told = self.complete_through;
        self.complete_through = told.max(day);
        let days: Vec<DaySpan> = self
            .days(calendar)
            .filter(|span| span.day > told && span.day <= day && !self.is_closed(span.day))
            .collect();
        for span in &days {
            let after = self.day(span);
            let before = DayTotals { complete: false, ..after };
            self.cycle_mut(span.day).replace(&before, &after, offset);
            self.touch_day(span, offset);
        }
        !days.is_empty()
    }

    fn touch_day(&mut self, span: &DaySpan, offset: LogOffset) {
        self.pieces_of(span).for_each(|piece| piece.touch(offset));
    }

    fn pieces_of(&mut self, span: &DaySpan) -> impl Iterator<Item = &mut Piece> {
        let (from, to) = (Piece::stored(span.start), Piece::stored(span.end));
        self.pieces.iter_mut().filter(move |piece| from <= piece.start && piece.start < to)
    }

    /// When the next day or cycle closes.
    pub(super) fn next_close(&self, calendar: &Calendar, horizon_s: i64) -> Option<UnixTime> {
        let day = self.first_open_day(calendar).map(|span| span.end);
        let cycle = self.cycles.iter().find(|cycle| !cycle.closed).map(|cycle| calendar.day_start(cycle.end));
        let first = match (day, cycle) {
            (Some(day), Some(cycle)) => Some(day.min(cycle)),
            (day, cycle) => day.or(cycle),
        };
        first.map(|end| end.saturating_add(horizon_s))
    }

    /// The first open day, if its horizon ends by `due`.
    pub(super) fn next_closing(&self, calendar: &Calendar, horizon_s: i64, due: UnixTime) -> Option<DaySpan> {
        self.first_open_day(calendar).filter(|span| span.end.saturating_add(horizon_s) <= due)
    }

    /// Closes a day: what it holds is final.
    pub(super) fn close_day(&mut self, span: &DaySpan, offset: LogOffset) {
        self.closed_through = span.day;
        let complete = self.day(span).complete;
        for piece in self.pieces_of(span) {
            piece.touch(offset);
            piece.stamp |= if complete { 0 } else { Piece::UNSETTLED };
        }
        let cycle = self.cycle_mut(span.day);
        cycle.changed_at = offset;
        cycle.unsettled_days = cycle.unsettled_days.saturating_add(u16::from(!complete));
    }

    /// Closes the first open cycle if the horizon of its last day ends by `due`.
    pub(super) fn close_cycle(
        &mut self,
        calendar: &Calendar,
        horizon_s: i64,
        due: UnixTime,
        offset: LogOffset,
    ) -> Option<&Cycle> {
        let ends =
            |cycle: &Cycle| calendar.day_start(cycle.end).saturating_add(horizon_s) <= due && !cycle.closed;
        let cycle = self.cycles.iter_mut().find(|cycle| ends(cycle))?;
        cycle.closed = true;
        cycle.changed_at = offset;
        self.closed_through = self.closed_through.max(cycle.end - 1);
        Some(cycle)
    }

    /// Drops what is closed and flushed: changed at or before `flushed_through`.
    pub(super) fn prune(&mut self, calendar: &Calendar, flushed_through: LogOffset, card: LogOffset) {
        let closed = self.closed_through;
        let kept_from = if closed == Day::MIN { UnixTime::MIN } else { calendar.day_end(closed) };
        self.pieces.retain(|piece| piece.start() >= kept_from || piece.changed_at(card) > flushed_through);
        self.cycles.retain(|cycle| !cycle.closed || cycle.changed_at > flushed_through);
    }

    /// When a day with totals last changed.
    pub(super) fn day_changed_at(&self, span: &DaySpan, card: LogOffset) -> LogOffset {
        let (from, to) = (Piece::stored(span.start), Piece::stored(span.end));
        let pieces = self.pieces.iter().filter(|piece| from <= piece.start && piece.start < to);
        pieces.map(|piece| piece.changed_at(card)).max().unwrap_or_default()
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        self.pieces.capacity() * size_of::<Piece>() + self.cycles.capacity() * size_of::<Cycle>()
    }
}
