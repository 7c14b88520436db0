//! A feed's own rhythm: how far apart its arrivals are, and when that is too far.
//!
//! Feeds come in bursts (a file an hour, a thousand messages at once), so that a mean says nothing. What is learnt is the
//! greatest distance of the last days; three times that is silence. A distance that was told as silence counts as what was
//! allowed, so that an outage raises the bound by at most three, and a feed that has really become slower is told a few times
//! and then no more.

use serde::{Deserialize, Serialize};

use crate::limits::{DAY_MS, RHYTHM_DAYS, RHYTHM_DISTANCES_MIN, SILENCE_MS_MIN, SILENCE_TIMES};

/// What is known of the distances between arrivals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    /// Distances seen at all.
    distances: u32,
    /// The greatest distance of each day, newest last.
    days: Vec<(i64, i64)>,
    silent: Option<Silence>,
}

/// A silence that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "units last in names")]
pub struct Silence {
    /// The last arrival.
    pub since_ms: i64,
    pub allowed_ms: i64,
    pub told_ms: i64,
}

impl Rhythm {
    /// Something came; answers with the silence that it ends.
    pub(super) fn hear(&mut self, now_ms: i64, configured_ms: Option<i64>) -> Option<Silence> {
        if let Some(last_ms) = self.last_ms {
            let allowed_ms = self.allowed_ms(configured_ms).unwrap_or(i64::MAX);
            self.learn(now_ms, now_ms.saturating_sub(last_ms).clamp(0, allowed_ms));
        }
        self.first_ms = self.first_ms.or(Some(now_ms));
        self.last_ms = self.last_ms.max(Some(now_ms));
        self.silent.take()
    }

    /// Goes on with the one of two that heard last, answers with a silence that the other had told
    /// and that is over by that.
    pub(super) fn join(&mut self, other: Self) -> Option<Silence> {
        let rank = |rhythm: &Self| (rhythm.last_ms, rhythm.silent.is_some());
        let older = if rank(&other) > rank(self) { std::mem::replace(self, other) } else { other };
        let over = older.silent.filter(|silence| Some(silence.since_ms) < self.last_ms);
        over.filter(|silence| self.silent.is_none_or(|open| open.since_ms != silence.since_ms))
    }

    fn learn(&mut self, now_ms: i64, distance_ms: i64) {
        let today = now_ms.div_euclid(DAY_MS);
        self.distances = self.distances.saturating_add(1);
        match self.days.last_mut() {
            Some((day, greatest)) if *day >= today => *greatest = distance_ms.max(*greatest),
            _ => self.days.push((today, distance_ms)),
        }
        if self.days.len() > RHYTHM_DAYS {
            self.days.remove(0);
        }
    }

    /// Time passes; answers with a silence that has become too long.
    pub(super) fn tick(&mut self, now_ms: i64, configured_ms: Option<i64>) -> Option<Silence> {
        let (since_ms, allowed_ms) = (self.last_ms?, self.allowed_ms(configured_ms)?);
        if self.silent.is_some() || now_ms.saturating_sub(since_ms) < allowed_ms {
            return None;
        }
        self.silent = Some(Silence { since_ms, allowed_ms, told_ms: now_ms });
        self.silent
    }

    /// How long it may be silent: as configured, else as learnt; `None` before enough was seen.
    pub(super) fn allowed_ms(&self, configured_ms: Option<i64>) -> Option<i64> {
        if configured_ms.is_some() {
            return configured_ms;
        }
        let greatest = self.days.iter().map(|(_, greatest)| *greatest).max()?;
        let allowed = greatest.saturating_mul(SILENCE_TIMES).max(SILENCE_MS_MIN);
        // Arrivals, not the clock, must span a day: the distance from one day's burst to the next is among them then.
        let span = self.last_ms?.saturating_sub(self.first_ms?);
        (self.distances >= RHYTHM_DISTANCES_MIN && span >= DAY_MS).then_some(allowed)
    }

    pub(super) fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    pub(super) fn silent(&self) -> Option<Silence> {
        self.silent
    }
}
