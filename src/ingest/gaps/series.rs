//! Consecutive numbers of one node, or of the files of one series: which of them have not come.
//!
//! Numbers come twice (a record sent again), out of order (several writers), wrap around, and begin anew when a gateway
//! restarts. So a number skipped is a gap only after a while ([`Pace`]), and a number far off is believed only if others
//! follow it. Inside, numbers count on over wraps and restarts, a lap each, so that a gap's name is never used twice.
//!
//! Invariant: gaps are ascending, do not touch what has come, and are at most [`GAPS_PER_SERIES_MAX`]; once opened a gap
//! is closed once, filled or given up.

use serde::{Deserialize, Serialize};

use super::told::{Change, Reason};
use crate::limits::{
    DAY_S, FUTURE_S_MAX, GAP_GIVEN_UP_MS, GAP_JUMP_MAX, GAP_RANGES_MAX, GAPS_PER_SERIES_MAX,
    NUMBERS_ANEW_MAX, NUMBERS_ANEW_RUN, NUMBERS_ANEW_STEP,
};
use crate::model::UnixTime;

/// The numbers that are given in turn, the first again after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    pub first: u64,
    pub last: u64,
}

impl Numbers {
    /// As TS 32.298 has local sequence numbers.
    pub const U32: Self = Self { first: 0, last: u32::MAX as u64 };

    /// How many there are.
    fn period(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    fn has(self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// When a number skipped is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After so long ...
    pub after_ms: i64,
    /// ... or when numbers have gone on by so many.
    pub window: u64,
}

/// What has come of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    numbers: Numbers,
    /// The newest number, counted on over laps; `None` before the first.
    top: Option<u64>,
    /// When the newest thing numbered was made.
    top_at: Option<UnixTime>,
    gaps: Vec<Gap>,
    anew: Option<Anew>,
    /// How often numbers began anew without wrapping, and on which day.
    restarts: (i64, u32),
    heard_ms: i64,
}

/// A series in the shortest form that JSON has: top and its time, when heard, restarts and their day, a run that may be a
/// beginning, and gaps.
pub(super) type Packed = (Option<u64>, Option<UnixTime>, i64, (i64, u32), Option<Anew>, Vec<Gap>);

/// Beyond it no series comes, whatever it numbers: room is left to count on.
const TOP_MAX: u64 = 1 << 62;

/// Numbers that have not come, counted on over laps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    first: u64,
    last: u64,
    /// What of it has not come; before it is opened, all of it.
    left: Vec<(u64, u64)>,
    noticed_ms: i64,
    opened: bool,
}

/// A run of numbers far from the others: it may be a new beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anew {
    last: u64,
    run: u32,
}

/// A gap that changed, in the numbers as they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub change: Change,
    pub first: u64,
    pub last: u64,
    pub lap: u64,
    pub missing: u64,
    pub noticed_ms: i64,
    pub at_ms: i64,
}

impl Series {
    pub(super) fn new(numbers: Numbers, now_ms: i64) -> Self {
        Self {
            numbers,
            top: None,
            top_at: None,
            gaps: Vec::new(),
            anew: None,
            restarts: (0, 0),
            heard_ms: now_ms,
        }
    }

    pub(super) fn pack(&self) -> Packed {
        (self.top, self.top_at, self.heard_ms, self.restarts, self.anew, self.gaps.clone())
    }

    /// A series that was packed; `None` if it cannot have been.
    pub(super) fn unpack(numbers: Numbers, packed: Packed) -> Option<Self> {
        let (top, top_at, heard_ms, restarts, anew, gaps) = packed;
        let series = Self { numbers, top, top_at, gaps, anew, restarts, heard_ms };
        series.is_sound().then_some(series)
    }

    /// What every series keeps: gaps ascend below the top and hold what is left of them, within the bounds.
    fn is_sound(&self) -> bool {
        let top = self.top.unwrap_or_default();
        let ascend = self.gaps.windows(2).all(|pair| matches!(pair, [a, b] if a.last < b.first));
        let runs = self.anew.is_none_or(|anew| anew.run < NUMBERS_ANEW_RUN);
        let bounded = top <= TOP_MAX && self.gaps.len() <= GAPS_PER_SERIES_MAX;
        bounded && runs && ascend && self.gaps.iter().all(|gap| gap.last < top && gap.is_sound())
    }

    pub(super) fn heard_ms(&self) -> i64 {
        self.heard_ms
    }

    /// Whether its numbers have begun anew so often today that they say nothing: processes of a node that each count for
    /// themselves. The next day it is tried again.
    pub(super) fn is_unreliable(&self) -> bool {
        self.restarts.1 > NUMBERS_ANEW_MAX
    }

    /// Takes a number, with the time at which what it numbers was made.
    pub(super) fn see(
        &mut self,
        (number, at): (u64, Option<UnixTime>),
        pace: Pace,
        now_ms: i64,
        changes: &mut Vec<Changed>,
    ) {
        self.heard_ms = now_ms;
        let today = now_ms.div_euclid(DAY_S * 1_000);
        if self.restarts.0 != today {
            self.restarts = (today, 0);
        }
        // By a clock that runs ahead everything that is made later would be older.
        let right = |at: &UnixTime| *at <= now_ms.div_euclid(1_000).saturating_add(FUTURE_S_MAX);
        let at = at.filter(right);
        self.top_at = self.top_at.filter(right);
        if !self.numbers.has(number) || self.is_unreliable() {
            return;
        }
        let Some(top) = self.top else {
            return self.begin(number, at);
        };
        let period = self.numbers.period();
        let ahead = (number - self.numbers.first + period - top % period) % period;
        if ahead == 1 {
            self.advance(top.saturating_add(1), at);
        } else if let Some(place) =
            self.missing_place(number).filter(|(_, place)| self.is_late((top, *place), ahead))
        {
            self.fill(place, now_ms, changes);
        } else if (1..=self.jump_max()).contains(&ahead) {
            self.skip(top, ahead, at, now_ms);
        } else if ahead != 0 {
            self.stray(number, at);
        }
        self.settle(pace, now_ms, changes);
    }

    /// Time passes.
    pub(super) fn tick(&mut self, pace: Pace, now_ms: i64, changes: &mut Vec<Changed>) {
        self.settle(pace, now_ms, changes);
    }

    /// The gaps that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = Changed> {
        let open = self.gaps.iter().filter(|gap| gap.opened);
        open.map(|gap| self.changed(gap, Change::Opened, gap.noticed_ms))
    }

    /// Whether a number is one that is missing, and not so far ahead: in a short series, of two laps the nearer. A long one has
    /// begun anew where it has two, long before its end, and what is missing is more likely to come late than so many to be left
    /// out just up to there.
    fn is_late(&self, (top, place): (u64, u64), ahead: u64) -> bool {
        self.numbers.period() > 2 * GAP_JUMP_MAX || top.saturating_sub(place) <= ahead
    }

    fn begin(&mut self, number: u64, at: Option<UnixTime>) {
        let lap = self.top.map_or(0, |top| top / self.numbers.period() + 1);
        let top = lap.saturating_mul(self.numbers.period()).saturating_add(number - self.numbers.first);
        (self.top, self.top_at, self.anew) = (Some(top), at.max(self.top_at), None);
    }

    fn advance(&mut self, top: u64, at: Option<UnixTime>) {
        (self.top, self.top_at, self.anew) = (Some(top), at.max(self.top_at), None);
    }

    /// How far ahead a number is believed at once: in short series not past their half, where ahead is behind as well.
    fn jump_max(&self) -> u64 {
        GAP_JUMP_MAX.min(self.numbers.period() / 2)
    }

    fn skip(&mut self, top: u64, ahead: u64, at: Option<UnixTime>, now_ms: i64) {
        let (first, last) = (top.saturating_add(1), top.saturating_add(ahead - 1));
        self.gaps.push(Gap { first, last, left: vec![(first, last)], noticed_ms: now_ms, opened: false });
        self.advance(top.saturating_add(ahead), at);
    }

    /// A number that is neither next nor missing: it came before, or the numbers begin anew.
    fn stray(&mut self, number: u64, at: Option<UnixTime>) {
        // What was not made after the newest is sent again: many records begin in one second, as at midnight. Of what has no
        // time, only a beginning is a new one.
        let goes_on =
            self.anew.filter(|anew| (1..=NUMBERS_ANEW_STEP).contains(&number.wrapping_sub(anew.last)));
        let is_new = match (at, self.top_at) {
            (Some(at), Some(top_at)) => at > top_at,
            _ => goes_on.is_some() || number - self.numbers.first <= 1,
        };
        if !is_new {
            return;
        }
        let run = goes_on.map_or(1, |anew| anew.run + 1);
        self.anew = Some(Anew { last: number, run });
        if run >= NUMBERS_ANEW_RUN {
            self.restarts.1 += 1;
            self.begin(number, at);
        }
    }

    /// The gap, and the place within it counted on, of a number that is missing; the newest if it is so in several laps.
    fn missing_place(&self, number: u64) -> Option<(usize, u64)> {
        let period = self.numbers.period();
        let offset = number - self.numbers.first;
        self.gaps.iter().enumerate().rev().find_map(|(index, gap)| {
            let within = |&(first, last): &(u64, u64)| {
                let place = last.checked_sub((last % period + period - offset) % period)?;
                (place >= first).then_some(place)
            };
            gap.left.iter().rev().find_map(within).map(|place| (index, place))
        })
    }

    fn fill(&mut self, (index, place): (usize, u64), now_ms: i64, changes: &mut Vec<Changed>) {
        let Some(gap) = self.gaps.get_mut(index) else { return };
        gap.take(place);
        if !gap.opened {
            let gap = self.gaps.remove(index);
            for (offset, (first, last)) in gap.left.into_iter().enumerate() {
                let part = Gap { first, last, left: vec![(first, last)], ..gap };
                self.gaps.insert(index + offset, part);
            }
        } else if gap.left.is_empty() {
            self.close(index, Reason::Filled, now_ms, changes);
        } else if gap.left.len() > GAP_RANGES_MAX {
            self.close(index, Reason::GivenUp, now_ms, changes);
        }
    }

    fn close(&mut self, index: usize, reason: Reason, now_ms: i64, changes: &mut Vec<Changed>) {
        let gap = self.gaps.remove(index);
        if !gap.opened {
            // Whoever hears of its end must have heard of it.
            changes.push(self.changed(&gap, Change::Opened, now_ms));
        }
        changes.push(self.changed(&gap, Change::Closed(reason), now_ms));
    }

    /// Opens what was waited for long enough, and gives up what is too old or too much.
    fn settle(&mut self, pace: Pace, now_ms: i64, changes: &mut Vec<Changed>) {
        while self.gaps.len() > GAPS_PER_SERIES_MAX
            || self.gaps.first().is_some_and(|gap| now_ms.saturating_sub(gap.noticed_ms) > GAP_GIVEN_UP_MS)
        {
            self.close(0, Reason::GivenUp, now_ms, changes);
        }
        let top = self.top.unwrap_or_default();
        for index in 0..self.gaps.len() {
            let Some(gap) = self.gaps.get_mut(index).filter(|gap| gap.is_due(pace, top, now_ms)) else {
                continue;
            };
            gap.opened = true;
            let gap = gap.clone();
            changes.push(self.changed(&gap, Change::Opened, now_ms));
        }
    }

    fn changed(&self, gap: &Gap, change: Change, at_ms: i64) -> Changed {
        let (first, period) = (self.numbers.first, self.numbers.period());
        Changed {
            change,
            first: first + gap.first % period,
            last: first + gap.last % period,
            lap: gap.first / period,
            missing: gap.missing(),
            noticed_ms: gap.noticed_ms,
            at_ms,
        }
    }
}

impl Gap {
    fn is_sound(&self) -> bool {
        let within = self.left.iter().all(|(a, b)| self.first <= *a && a <= b && *b <= self.last);
        let ascend = self.left.windows(2).all(|pair| matches!(pair, [(_, a), (b, _)] if a < b));
        (1..=GAP_RANGES_MAX).contains(&self.left.len()) && within && ascend
    }

    fn missing(&self) -> u64 {
        self.left.iter().map(|(first, last)| last - first + 1).sum()
    }

    fn is_due(&self, pace: Pace, top: u64, now_ms: i64) -> bool {
        let waited = now_ms.saturating_sub(self.noticed_ms) >= pace.after_ms;
        !self.opened && (waited || top.saturating_sub(self.last) >= pace.window)
    }

    /// Takes a number out of what is left.
    fn take(&mut self, place: u64) {
        let Some(at) = self.left.iter().position(|(first, last)| (*first..=*last).contains(&place)) else {
            return;
        };
        let (first, last) = self.left.remove(at);
        let parts = [(first, place.wrapping_sub(1)), (place + 1, last)];
        let parts = parts.into_iter().zip([place > first, place < last]).filter(|(_, is_there)| *is_there);
        for (offset, (part, _)) in parts.enumerate() {
            self.left.insert(at + offset, part);
        }
    }
}
