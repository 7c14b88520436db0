//! Days and cycles of a carrier, found by walking: slow, and shares nothing with the calendar of the fold.

use crate::model::{Calendar, Day, UnixTime};

/// A carrier's time.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    offsets: Vec<(Day, i64)>,
    cycle_starts: Vec<Day>,
}

impl Zone {
    pub(super) fn new(calendar: &Calendar) -> Self {
        let offsets = calendar.offsets.iter().map(|o| (o.from, i64::from(o.offset_s))).collect();
        Self { offsets, cycle_starts: calendar.cycle_starts.clone() }
    }

    /// First second of a day.
    pub(super) fn start(&self, day: Day) -> UnixTime {
        let mut offset = self.offsets[0].1;
        for &(from, value) in &self.offsets {
            if from <= day {
                offset = value;
            }
        }
        i64::from(day) * 86_400 - offset
    }

    /// First second after a day.
    pub(super) fn end(&self, day: Day) -> UnixTime {
        self.start(day + 1)
    }

    pub(super) fn day(&self, time: UnixTime) -> Day {
        let about = (time / 86_400) as Day;
        let holds = |day: &Day| self.start(*day) <= time && time < self.end(*day);
        (about - 3..=about + 3).find(holds).unwrap_or(about)
    }

    /// First day of the cycle that holds a day, and first day of the next.
    pub(super) fn cycle(&self, day: Day) -> Option<(Day, Day)> {
        let pairs = self.cycle_starts.iter().zip(self.cycle_starts.iter().skip(1));
        pairs.map(|(a, b)| (*a, *b)).find(|(first, next)| *first <= day && day < *next)
    }

    /// First day of the cycle that holds a second.
    pub(super) fn cycle_at(&self, time: UnixTime) -> Day {
        self.cycle(self.day(time)).map_or(Day::MIN, |(first, _)| first)
    }

    /// First second after a cycle, by its first day.
    pub(super) fn cycle_end(&self, cycle: Day) -> UnixTime {
        self.cycle(cycle).map_or(UnixTime::MAX, |(_, next)| self.start(next))
    }

    /// First day of the `count`th cycle after the one that holds a second; `None` outside the months known.
    pub(super) fn cycles_later(&self, time: UnixTime, count: usize) -> Option<Day> {
        let at = self.cycle_starts.iter().position(|start| *start == self.cycle_at(time))?;
        self.cycle_starts.get(at + count).copied()
    }
}
