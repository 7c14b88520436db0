//! What one card used: totals of its days by source, and of its cycles.
//!
//! A day's totals stand in pieces (the whole day, or what lies between cuts), each by source; the used of a day is the
//! settling feed's total if the day is complete, else the greatest of all (`docs/rules.md` C4); a cycle is the sum of its days.
//! Invariant: `Cycle::by`, `used` and `settled` are the sums over its days at every moment, in whatever order records came;
//! of the cycle in which a card came in mid-life, `used` is that and what it brought along.

mod restate;

use serde::{Deserialize, Serialize};

use super::cycle::{Adjusted, Cycle, DayTotals, Source};
use super::dates::{DaySpan, Part, Volume};
use super::exact::Exact;
use super::piece::Piece;
use crate::model::{Calendar, Day, LogOffset, UnixTime};

/// Days and cycles of one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Usage {
    /// Ascending by start, then source.
    pieces: Exact<Piece>,
    /// Ascending.
    cycles: Exact<Cycle>,
    /// Days through this one are declared whole by the settling feed, as far as this card has been told.
    complete_through: Day,
    /// Days through this one take no records.
    closed_through: Day,
    /// Bytes of all sources in the cycles held: what bounds a card's sums.
    held: u64,
}

/// What a part did to the day it went to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// The day's used is now told by another source: its pieces burn anew.
    pub source_changed: bool,
    /// The day has a piece more: a day may now be the first to close.
    pub new_piece: bool,
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
        Self {
            pieces: Exact::default(),
            cycles: Exact::default(),
            complete_through: Day::MIN,
            closed_through: Day::MIN,
            held: 0,
        }
    }
}

impl Usage {
    /// Brings the line from memory, without waiting for it.
    pub(super) fn warm(&self) {
        std::hint::black_box((self.pieces.len(), self.cycles.len(), self.held, self.closed_through));
    }

    /// Brings the newest piece and cycle.
    pub(super) fn warm_heap(&self) {
        std::hint::black_box(self.pieces.last().map(|piece| piece.stamp));
        std::hint::black_box(self.cycles.last().map(|cycle| (cycle.start, cycle.used, cycle.changed_at)));
    }

    pub(super) fn cycles(&self) -> &[Cycle] {
        &self.cycles
    }

    pub(super) fn complete_through(&self) -> Day {
        self.complete_through
    }

    /// Nothing is used that was declared whole: another feed may settle from now on, by another calendar.
    pub(super) fn forget_declared(&mut self) {
        assert!(!self.is_known(), "a card with usage stays at its carrier");
        self.complete_through = Day::MIN;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.cycles.is_empty()
    }

    /// Whether anything was ever used: what is closed and in `ClickHouse` may be held no more.
    pub(super) fn is_known(&self) -> bool {
        !self.is_empty() || self.closed_through != Day::MIN
    }

    /// Whether nothing was ever used, corrected or closed.
    pub(super) fn is_untouched(&self) -> bool {
        self.pieces.is_empty() && self.closed_through == Day::MIN
    }

    /// The card comes with a cycle used in part elsewhere; the cycles before are not its own. The sum stands in no day. A cycle
    /// that is over but not closed had the packages too that it comes with: its row goes out again.
    pub(super) fn open(&mut self, calendar: &Calendar, cycle: Day, used: u64, offset: LogOffset) {
        self.touch_open_cycles(offset);
        let opened =
            self.open_cycle(calendar, cycle).expect("an opening is of a cycle that the calendar knows");
        opened.used = opened.used.saturating_add(used);
        opened.changed_at = offset;
        self.closed_through = self.closed_through.max(cycle.saturating_sub(1));
    }

    /// The burn of cycles that are not closed may have changed: their rows go out again.
    pub(super) fn touch_open_cycles(&mut self, offset: LogOffset) {
        let open = self.cycles.iter_mut().filter(|cycle| !cycle.closed);
        open.for_each(|cycle| cycle.changed_at = offset);
    }

    /// The row of a day's cycle goes out again, if that is open.
    pub(super) fn touch_cycle(&mut self, day: Day, offset: LogOffset) {
        let mut held = self.cycles.iter_mut().rev();
        if let Some(cycle) = held.find(|cycle| cycle.start <= day && day < cycle.end && !cycle.closed) {
            cycle.changed_at = offset;
        }
    }

    /// Whether an open cycle has anything that a source told.
    pub(super) fn is_open_by(&self, source: Source) -> bool {
        self.cycles.iter().any(|cycle| !cycle.closed && cycle.by.of(source).total() > 0)
    }

    /// Whether every day and cycle that is held is closed.
    pub(super) fn is_closed_throughout(&self) -> bool {
        self.cycles.iter().all(|cycle| cycle.closed)
    }

    /// Bytes counted by all sources in the cycles held: what bounds a card's sums.
    pub(super) fn held(&self) -> u64 {
        self.held
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
        let new_piece = self.add_to_piece(part, source as usize, offset);
        self.held = self.held.saturating_add(part.volume.total());
        let cycle = self.cycle_mut(part.day.day);
        cycle.by.add(source, part.volume);
        cycle.replace(&before, &after, offset);
        Moved { source_changed: before.source() != after.source(), new_piece }
    }

    fn cycle_mut(&mut self, day: Day) -> &mut Cycle {
        let held = self.cycles.iter_mut().rev().find(|cycle| cycle.start <= day && day < cycle.end);
        held.expect("a day with usage lies in a cycle that was opened")
    }

    /// Answers whether the piece is new.
    fn add_to_piece(&mut self, part: &Part, source: usize, offset: LogOffset) -> bool {
        let key = (Piece::stored(part.piece), source);
        let after = self.pieces.iter().rev().take_while(|piece| (piece.start, piece.source()) >= key);
        let at = self.pieces.len() - after.count();
        match self.pieces.get_mut(at) {
            Some(piece) if (piece.start, piece.source()) == key => {
                piece.volume = piece.volume.plus(part.volume);
                piece.touch(offset);
                false
            }
            _ => {
                let mut piece = Piece { start: key.0, stamp: source as u32, volume: part.volume };
                piece.touch(offset);
                self.pieces.insert(at, piece);
                true
            }
        }
    }

    /// Totals of a day.
    pub(super) fn day(&self, span: &DaySpan) -> DayTotals {
        let (mut sums, mut unsettled) = ([Volume::default(); Piece::ADJUSTED + 1], false);
        for piece in self.pieces_of(span) {
            let sum = &mut sums[piece.source()];
            *sum = sum.plus(piece.volume);
            unsettled |= piece.stamp & Piece::UNSETTLED != 0;
        }
        let [settling, first, second, Volume { up: more, down: less }] = sums;
        let complete = span.day <= self.complete_through && !unsettled;
        DayTotals { by: [settling, first, second], adjusted: Adjusted { more, less }, complete, unsettled }
    }

    /// Corrects an open day by a signed figure. Its cycle is opened if there is none.
    pub(super) fn adjust(
        &mut self,
        calendar: &Calendar,
        span: &DaySpan,
        piece: UnixTime,
        bytes: i64,
        offset: LogOffset,
    ) {
        let opened = self.open_cycle(calendar, span.day).is_some();
        assert!(opened, "a day is corrected only in months that the calendar knows");
        let before = self.day(span);
        let amount = bytes.unsigned_abs();
        let volume = if bytes > 0 { Volume { up: amount, down: 0 } } else { Volume { up: 0, down: amount } };
        self.add_to_piece(&Part { day: *span, piece, volume }, Piece::ADJUSTED, offset);
        let after = self.day(span);
        self.cycle_mut(span.day).replace(&before, &after, offset);
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
    ///
    /// What was added by hand burns where it was added; what was taken away is taken from the newest pieces.
    pub(super) fn burning(&self, span: &DaySpan) -> Vec<UsedPiece> {
        let totals = self.day(span);
        let (source, mut less) = (totals.source() as usize, totals.adjusted.less);
        let bytes = |piece: &Piece| match piece.source() {
            Piece::ADJUSTED => piece.volume.up,
            _ => piece.volume.total(),
        };
        let burns = |piece: &&Piece| piece.source() == source || piece.source() == Piece::ADJUSTED;
        let pieces = self.pieces_of(span).iter().filter(burns);
        let mut pieces: Vec<UsedPiece> =
            pieces.map(|piece| UsedPiece { start: piece.start(), bytes: bytes(piece) }).collect();
        for piece in pieces.iter_mut().rev() {
            let taken = less.min(piece.bytes);
            (piece.bytes, less) = (piece.bytes.saturating_sub(taken), less.saturating_sub(taken));
        }
        pieces
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
        self.pieces_of_mut(span).iter_mut().for_each(|piece| piece.touch(offset));
    }

    /// The pieces of a day, looked for from the newest on, as most records are of these days.
    fn range_of(&self, span: &DaySpan) -> std::ops::Range<usize> {
        let (from, to) = (Piece::stored(span.start), Piece::stored(span.end));
        let after = self.pieces.iter().rev().take_while(|piece| piece.start >= to).count();
        let end = self.pieces.len() - after;
        let within = self.pieces.iter().take(end).rev().take_while(|piece| piece.start >= from).count();
        end - within..end
    }

    fn pieces_of(&self, span: &DaySpan) -> &[Piece] {
        self.pieces.get(self.range_of(span)).unwrap_or_default()
    }

    fn pieces_of_mut(&mut self, span: &DaySpan) -> &mut [Piece] {
        let range = self.range_of(span);
        self.pieces.get_mut(range).unwrap_or_default()
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
        for piece in self.pieces_of_mut(span) {
            piece.touch(offset);
            piece.stamp |= if complete { 0 } else { Piece::UNSETTLED };
        }
        let cycle = self.cycle_mut(span.day);
        cycle.changed_at = offset;
        cycle.unsettled_days = cycle.unsettled_days.saturating_add(u16::from(!complete));
    }

    /// Days whose horizon is over take no records, also those without totals and whatever horizon comes. One that still waits
    /// for its close closes with its burn, and so do those after it.
    pub(super) fn close_unused(&mut self, calendar: &Calendar, through: Day) {
        if self.is_known() {
            let waits = self.first_open_day(calendar).map_or(Day::MAX, |span| span.day.saturating_sub(1));
            self.closed_through = self.closed_through.max(through.min(waits));
        }
    }

    /// Closes the first open cycle if the horizon of its last day ends by `due`.
    pub(super) fn close_cycle(
        &mut self,
        calendar: &Calendar,
        horizon_s: i64,
        due: UnixTime,
        offset: LogOffset,
    ) -> Option<&Cycle> {
        let cycle = self.cycles.iter_mut().find(|cycle| cycle.closes_by(calendar, horizon_s, due))?;
        cycle.closed = true;
        cycle.changed_at = offset;
        self.closed_through = self.closed_through.max(cycle.end - 1);
        Some(cycle)
    }

    /// Notes what is left of the packages at the end of a cycle that is about to close.
    pub(super) fn end_cycle(&mut self, start: Day, quota: Option<u64>, remaining: Option<u64>) {
        if let Some(cycle) = self.cycles.iter_mut().find(|cycle| cycle.start == start) {
            cycle.ended_with = (quota != Some(0)).then(|| Box::new((quota, remaining)));
        }
    }

    /// The cycle of a day that is closed and whose figures are held.
    pub(super) fn closed_cycle(&mut self, day: Day) -> Option<&mut Cycle> {
        self.cycles.iter_mut().find(|cycle| cycle.closed && cycle.start <= day && day < cycle.end)
    }

    /// Drops what is closed and flushed (changed at or before `flushed_through`). Hands over the cycles.
    pub(super) fn prune(
        &mut self,
        calendar: &Calendar,
        flushed_through: LogOffset,
        card: LogOffset,
    ) -> Vec<Cycle> {
        let closed = self.closed_through;
        let kept_from = if closed == Day::MIN { UnixTime::MIN } else { calendar.day_end(closed) };
        self.pieces.retain(|piece| piece.start() >= kept_from || piece.changed_at(card) > flushed_through);
        let done = |cycle: &Cycle| cycle.closed && cycle.changed_at <= flushed_through;
        let dropped = self.cycles.extract(done);
        let held = self.cycles.iter().flat_map(|cycle| cycle.by.all()).map(Volume::total);
        self.held = held.fold(0, u64::saturating_add);
        dropped
    }

    /// Notes other figures of a closed cycle, which may be one that the card had no line of.
    pub(super) fn put_closed(&mut self, cycle: Cycle) {
        self.closed_through = self.closed_through.max(cycle.end - 1);
        match self.closed_cycle(cycle.start) {
            Some(held) => *held = cycle,
            None => self.recall(cycle),
        }
    }

    /// Takes a closed cycle back that was dropped.
    pub(super) fn recall(&mut self, cycle: Cycle) {
        let at = self.cycles.partition_point(|held| held.start < cycle.start);
        self.cycles.insert(at, cycle);
    }

    /// When a day with totals last changed.
    pub(super) fn day_changed_at(&self, span: &DaySpan, card: LogOffset) -> LogOffset {
        let changes = self.pieces_of(span).iter().map(|piece| piece.changed_at(card));
        changes.max().unwrap_or_default()
    }

    /// Bytes allocated for days, and for cycles.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let within = self.cycles.iter().map(Cycle::heap_bytes).sum::<usize>();
        (self.pieces.bytes(), self.cycles.bytes() + within)
    }
}
