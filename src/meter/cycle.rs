//! Sums: a day by source, and which of them is its used (`docs/rules.md` C4); a cycle as the sum of its days.

use serde::{Deserialize, Serialize};

use super::dates::Volume;
use crate::limits::RESTATED_S_MAX;
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

/// Totals of a cycle by [`Source`]. Few cards have estimates: those are held apart, and only if they are not 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BySource", into = "BySource")]
pub(super) struct Sums {
    settling: Volume,
    estimates: Option<Box<[Volume; SOURCES - 1]>>,
}

/// One cycle of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cycle {
    pub start: Day,
    /// First day of the next.
    pub end: Day,
    pub by: Sums,
    pub used: u64,
    /// Of it: complete days.
    pub settled: u64,
    pub unsettled_days: u16,
    pub closed: bool,
    pub revision: u32,
    pub changed_at: LogOffset,
    /// Quota and remaining as of its last second, when it closed; `None`: no package was in force. Until then the account
    /// tells them.
    pub ended_with: Option<Box<(Option<u64>, Option<u64>)>>,
}

/// What was added to a day, and what was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Adjusted {
    pub more: u64,
    pub less: u64,
}

/// One day of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayTotals {
    pub by: BySource,
    /// Corrections by hand, whatever the sources say (`docs/rules.md` C7).
    pub adjusted: Adjusted,
    pub complete: bool,
    pub unsettled: bool,
}

impl Source {
    pub(super) const ALL: [Self; SOURCES] = [Self::Settling, Self::FirstEstimate, Self::SecondEstimate];

    /// The place of the estimating feed in the card's list.
    pub(super) fn estimate(place: usize) -> Option<Self> {
        [Self::FirstEstimate, Self::SecondEstimate].get(place).copied()
    }
}

impl From<BySource> for Sums {
    fn from([settling, estimates @ ..]: BySource) -> Self {
        let is_any = estimates != <[Volume; SOURCES - 1]>::default();
        Self { settling, estimates: is_any.then(|| Box::new(estimates)) }
    }
}

impl From<Sums> for BySource {
    fn from(sums: Sums) -> Self {
        sums.all()
    }
}

impl Sums {
    pub(super) fn all(&self) -> BySource {
        let [first, second] = self.estimates.as_deref().copied().unwrap_or_default();
        [self.settling, first, second]
    }

    pub(super) fn of(&self, source: Source) -> Volume {
        self.all()[source as usize]
    }

    pub(super) fn add(&mut self, source: Source, volume: Volume) {
        if source == Source::Settling || volume != Volume::default() {
            let sum = self.sum(source);
            *sum = sum.plus(volume);
        }
    }

    pub(super) fn take(&mut self, source: Source, volume: Volume) {
        let sum = self.sum(source);
        *sum = sum.minus(volume);
        if self.estimates.as_deref().is_some_and(|held| held.iter().all(|sum| *sum == Volume::default())) {
            self.estimates = None;
        }
    }

    fn sum(&mut self, source: Source) -> &mut Volume {
        match source {
            Source::Settling => &mut self.settling,
            Source::FirstEstimate => &mut self.estimates.get_or_insert_default()[0],
            Source::SecondEstimate => &mut self.estimates.get_or_insert_default()[1],
        }
    }
}

impl DayTotals {
    /// The source whose total is the day's (`docs/rules.md` C4); of equals the first.
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
        let said = self.by[self.source() as usize].total();
        said.saturating_add(self.adjusted.more).saturating_sub(self.adjusted.less)
    }

    pub(super) fn settled(&self) -> u64 {
        if self.complete { self.used() } else { 0 }
    }
}

impl Cycle {
    pub(super) fn new((start, end): (Day, Day)) -> Self {
        Self {
            start,
            end,
            by: Sums::default(),
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

    /// Whether it is open, and the horizon of its last day ends by `due`.
    pub(super) fn closes_by(&self, calendar: &Calendar, horizon_s: i64, due: UnixTime) -> bool {
        !self.closed && calendar.day_start(self.end).saturating_add(horizon_s) <= due
    }

    /// Whether it is closed and may still have other figures: its own stay as long (`docs/rules.md` C6).
    pub(super) fn is_restatable(&self, calendar: &Calendar, horizon_s: i64, now: UnixTime) -> bool {
        let closes = calendar.day_start(self.end).saturating_add(horizon_s);
        self.closed && now < closes.saturating_add(RESTATED_S_MAX)
    }

    /// A cycle in which nothing is known of the card, as it stands when it is over and its last day has closed.
    pub(super) fn empty_by(
        bounds: (Day, Day),
        calendar: &Calendar,
        horizon_s: i64,
        now: UnixTime,
    ) -> Option<Self> {
        let cycle = Self::new(bounds);
        cycle.closes_by(calendar, horizon_s, now).then_some(Self { closed: true, ..cycle })
    }

    /// Corrects a closed cycle by a signed figure, not below zero; answers what was taken of it. The correction is no complete
    /// day's: what was settled stays, as far as so much is left.
    pub(super) fn restate(&mut self, bytes: i64, offset: LogOffset) -> i64 {
        let taken = bytes.max(i64::try_from(self.used).map_or(i64::MIN, |used| -used));
        if taken != 0 {
            self.used = self.used.saturating_add_signed(taken);
            self.settled = self.settled.min(self.used);
            self.revision = self.revision.saturating_add(1);
            self.changed_at = offset;
        }
        taken
    }

    /// The greatest estimate of the cycle.
    pub(super) fn estimate(&self) -> u64 {
        let [_, first, second] = self.by.all();
        first.total().max(second.total())
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let ended_with = self.ended_with.as_deref().map_or(0, size_of_val);
        self.by.estimates.as_deref().map_or(0, size_of_val) + ended_with
    }

    pub(super) fn replace(&mut self, before: &DayTotals, after: &DayTotals, offset: LogOffset) {
        let less = |sum: u64, part: u64| sum.checked_sub(part).expect("a cycle is the sum of its days");
        self.used = less(self.used, before.used()).saturating_add(after.used());
        self.settled = less(self.settled, before.settled()).saturating_add(after.settled());
        self.changed_at = offset;
    }
}
