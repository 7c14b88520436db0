//! Dating: which day, and which piece of a day, each byte of an interval belongs to (`docs/rules.md` C2, R3, P3).
//!
//! Invariant: the parts of an interval add up to it, to the byte, uplink and downlink apart, wherever it is cut: a part is
//! the difference of two floors of the cumulative share, and the last floor is the whole.

use serde::{Deserialize, Serialize};

use crate::model::{Calendar, Day, SplitRule, UnixTime};

/// Bytes up and down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    pub up: u64,
    pub down: u64,
}

/// Seconds from `start` to before `end`; `end <= start` is a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: UnixTime,
    pub end: UnixTime,
}

/// A day with its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DaySpan {
    pub day: Day,
    pub start: UnixTime,
    pub end: UnixTime,
}

/// A part of an interval: the bytes of one piece of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub day: DaySpan,
    /// Where the piece of the day begins: the day's start or a cut.
    pub piece: UnixTime,
    pub volume: Volume,
}

impl Volume {
    /// Both directions. No sum that the meter keeps reaches 2^64 (`CARD_BYTES_MAX`).
    pub(super) fn total(self) -> u64 {
        self.up.checked_add(self.down).expect("sums of a card are bounded")
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            up: self.up.checked_add(other.up).expect("sums of a card are bounded"),
            down: self.down.checked_add(other.down).expect("sums of a card are bounded"),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            up: self.up.checked_sub(other.up).expect("a part is not more than the whole"),
            down: self.down.checked_sub(other.down).expect("a part is not more than the whole"),
        }
    }

    /// What is left of both directions, none below zero.
    pub(super) fn beyond(self, other: Self) -> Self {
        Self { up: self.up.saturating_sub(other.up), down: self.down.saturating_sub(other.down) }
    }

    /// The lesser of each direction.
    pub(super) fn least(self, other: Self) -> Self {
        Self { up: self.up.min(other.up), down: self.down.min(other.down) }
    }

    /// Floor of the share of `elapsed` in `whole` seconds.
    fn share(self, elapsed: i64, whole: i64) -> Self {
        let of = |bytes: u64| (u128::from(bytes) * elapsed as u128 / whole as u128) as u64;
        Self { up: of(self.up), down: of(self.down) }
    }
}

impl Span {
    pub(super) fn moment(at: UnixTime) -> Self {
        Self { start: at, end: at }
    }

    /// The span that a carrier's rule dates by. The end of an interval is its last second: what ends at midnight
    /// belongs to the day that ends there.
    pub(super) fn dated_by(self, rule: SplitRule) -> Self {
        match rule {
            _ if self.end <= self.start => Self::moment(self.start),
            SplitRule::Split => self,
            SplitRule::Start => Self::moment(self.start),
            SplitRule::End => Self::moment(self.end - 1),
        }
    }
}

impl DaySpan {
    pub(super) fn of(calendar: &Calendar, time: UnixTime) -> Self {
        let (day, start) = calendar.day_and_start(time);
        Self { day, start, end: calendar.day_end(day) }
    }

    pub(super) fn day(calendar: &Calendar, day: Day) -> Self {
        Self { day, start: calendar.day_start(day), end: calendar.day_end(day) }
    }

    pub(super) fn holds(&self, time: UnixTime) -> bool {
        self.start <= time && time < self.end
    }
}

/// Where days are cut: at the edges of the carrier's calendar, and at moments of the card's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ruler<'a> {
    pub calendar: &'a Calendar,
    /// Ascending.
    pub cuts: &'a [UnixTime],
}

impl Ruler<'_> {
    /// Hands the parts of an interval to `each`, oldest first.
    pub(super) fn cut(&self, span: Span, volume: Volume, each: &mut impl FnMut(Part)) {
        let whole = span.end.saturating_sub(span.start);
        let mut at = span.start;
        let mut given = Volume::default();
        let mut day = DaySpan::of(self.calendar, at);
        loop {
            let (piece, edge) = self.piece(&day, at);
            if edge >= span.end {
                return each(Part { day, piece, volume: volume.minus(given) });
            }
            let through = volume.share(edge - span.start, whole);
            each(Part { day, piece, volume: through.minus(given) });
            given = through;
            at = edge;
            if at >= day.end {
                day = DaySpan::of(self.calendar, at);
            }
        }
    }

    /// The piece of a day that holds `at`: its start and its end.
    pub(super) fn piece(&self, day: &DaySpan, at: UnixTime) -> (UnixTime, UnixTime) {
        let next = self.cuts.partition_point(|cut| *cut <= at);
        let before = next.checked_sub(1).and_then(|last| self.cuts.get(last)).copied();
        let start = before.map_or(day.start, |cut| cut.max(day.start));
        let end = self.cuts.get(next).map_or(day.end, |cut| (*cut).min(day.end));
        (start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OffsetFrom;

    fn utc() -> Calendar {
        Calendar { offsets: vec![OffsetFrom { from: 0, offset_s: 0 }], cycle_starts: vec![0, 31, 59] }
    }

    fn parts(cuts: &[UnixTime], span: Span, volume: Volume) -> Vec<(Day, UnixTime, u64, u64)> {
        let calendar = utc();
        let mut out = Vec::new();
        Ruler { calendar: &calendar, cuts }.cut(span, volume, &mut |part| {
            out.push((part.day.day, part.piece, part.volume.up, part.volume.down));
        });
        out
    }

    #[test]
    fn an_interval_over_midnight_is_split_in_proportion_and_adds_up() {
        // 100 s before midnight, 200 s after: a third of 100 is 33, of 10 is 3.
        let span = Span { start: 86_300, end: 86_600 };
        assert_eq!(parts(&[], span, Volume { up: 100, down: 10 }), [(0, 0, 33, 3), (1, 86_400, 67, 7)]);
    }

    #[test]
    fn what_ends_at_midnight_belongs_to_the_day_that_ends() {
        assert_eq!(parts(&[], Span { start: 0, end: 86_400 }, Volume { up: 5, down: 7 }), [(0, 0, 5, 7)]);
        assert_eq!(Span { start: 0, end: 86_400 }.dated_by(SplitRule::End), Span::moment(86_399));
    }

    #[test]
    fn a_moment_goes_to_the_day_and_piece_that_hold_it() {
        assert_eq!(parts(&[500], Span::moment(499), Volume { up: 1, down: 0 }), [(0, 0, 1, 0)]);
        assert_eq!(parts(&[500], Span::moment(500), Volume { up: 1, down: 0 }), [(0, 500, 1, 0)]);
        assert_eq!(parts(&[500], Span { start: 500, end: 400 }, Volume { up: 1, down: 0 }), [(0, 500, 1, 0)]);
    }

    #[test]
    fn cuts_within_days_part_the_interval_too() {
        // Floors of the cumulative share of 10: 10·10/40 = 2, 10·30/40 = 7, 10.
        let span = Span { start: 90, end: 130 };
        assert_eq!(
            parts(&[100, 120], span, Volume { up: 10, down: 0 }),
            [(0, 0, 2, 0), (0, 100, 5, 0), (0, 120, 3, 0)]
        );
    }

    #[test]
    fn the_greatest_volume_does_not_overflow() {
        let most = Volume { up: u64::MAX, down: 1 };
        let sum: u64 = parts(&[], Span { start: 0, end: 7 * 86_400 }, most).iter().map(|part| part.2).sum();
        assert_eq!(sum, u64::MAX);
    }
}
