//! The catalogue: carriers with their calendars, feeds, plans, default rules, horizons. One versioned value, applied
//! through the log, so that every partition changes at a place that replay meets again.
//!
//! It holds no zone names: calendars are compiled outside (`config::catalogue`, chrono-tz) into offsets of days and
//! starts of cycles, so that zone data never enters the fold.

use serde::{Deserialize, Serialize};

use super::{CreditsPolicy, Rule, RulesPolicy, UnixTime, rules_problem};
use crate::limits::{
    CYCLE_DAYS_MAX, DAY_S, FUTURE_S_MAX, LATE_HORIZON_DAYS_DEFAULT, LATE_HORIZON_DAYS_MAX, ORDER_DAYS,
    RESTART_DIVISOR_DEFAULT, RESTART_DIVISOR_MAX, STALE_AFTER_MIN_DEFAULT, STALE_AFTER_MIN_MAX,
    WRAP_MBIT_S_DEFAULT, WRAP_MBIT_S_MAX,
};

/// No card holds an older day or cycle, nor can one be restated.
const HELD_DAYS: Day = LATE_HORIZON_DAYS_MAX as Day + ORDER_DAYS as Day + 2 * CYCLE_DAYS_MAX;

/// A calendar day in a carrier's zone: days since 1970-01-01 in local reckoning.
pub type Day = i32;

/// Compiled, versioned configuration of the fold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// From 1, rising. A version not higher than the one in force is ignored.
    pub version: u32,
    /// Name of the deployment: `source` of events and seed of the id hash. Never changes.
    pub deployment: String,
    pub carriers: Vec<Carrier>,
    pub feeds: Vec<Feed>,
    pub plans: Vec<Plan>,
    /// Rules of cards that have none, nor their plan.
    pub default_rules: Vec<Rule>,
    /// Days after its end that a day accepts records; 8 unless said, 8..=35.
    pub late_horizon_days: u16,
    /// Channels that are the vendor's own: only these may recharge.
    pub own_channels: Vec<String>,
    /// How a counter's fall is explained. Catalogues from before there was such a part have the defaults.
    #[serde(default)]
    pub counters: CounterRules,
    /// Which rules customers may set (`rules.set`); those of plans and of the fleet are the vendor's own.
    #[serde(default)]
    pub rules_policy: RulesPolicy,
    /// What happens when a card has fewer credits than recipients.
    #[serde(default)]
    pub credits_policy: CreditsPolicy,
}

/// What explains that a device's counter shows less than before (`docs/rules.md` R2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CounterRules {
    /// A 32-bit counter has wrapped only if that takes no more than so many Mbit/s; 150 unless said.
    pub wrap_mbit_s: u32,
    /// A device has restarted if it shows at most this part of before, one in so many; 8 unless said.
    pub restart_divisor: u32,
}

impl Default for CounterRules {
    fn default() -> Self {
        Self { wrap_mbit_s: WRAP_MBIT_S_DEFAULT, restart_divisor: RESTART_DIVISOR_DEFAULT }
    }
}

/// The operator behind a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    pub name: String,
    /// The one feed that settles; the others estimate.
    pub settling_feed: Option<String>,
    pub split: SplitRule,
    pub calendar: Calendar,
    /// Days at the start of a cycle in which answers carry `settling: true`.
    pub settling_days_first: u8,
    /// Days at its end.
    pub settling_days_last: u8,
}

/// How a CDR over a boundary is dated (`docs/rules.md` C2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitRule {
    /// In proportion to time.
    #[default]
    Split,
    /// All at the start.
    Start,
    /// All at the end.
    End,
}

/// One source of usage records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    pub name: String,
    pub role: FeedRole,
    /// How long it may be silent, in one partition of the log, before it is taken to be away; `None` = 180.
    #[serde(default)]
    pub stale_after_minutes: Option<u32>,
}

impl Feed {
    /// Seconds.
    #[must_use]
    pub fn stale_after_s(&self) -> i64 {
        i64::from(self.stale_after_minutes.unwrap_or(STALE_AFTER_MIN_DEFAULT)).saturating_mul(60)
    }

    fn check(&self) -> Result<(), CatalogueError> {
        match self.stale_after_minutes {
            Some(minutes) if !(1..=STALE_AFTER_MIN_MAX).contains(&minutes) => {
                Err(CatalogueError::StaleAfter { name: self.name.clone(), minutes })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a feed's totals are authoritative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedRole {
    Settling,
    Estimate,
}

/// What a card was sold with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    /// Rules of the plan's cards that have none of their own.
    pub rules: Vec<Rule>,
    /// Whether exhaustion suspends the card.
    pub suspend_on_exhaustion: bool,
}

/// Days and cycles of a carrier as plain numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Ascending. Day `d` begins at UTC second `d * 86400 - offset_s` of the last entry whose `from` is ≤ `d`
    /// (of the first entry for earlier days). `offset_s` is the zone's offset east of UTC at that day's start.
    pub offsets: Vec<OffsetFrom>,
    /// Ascending first days of cycles; the last one only ends the cycle before it.
    pub cycle_starts: Vec<Day>,
}

/// A zone's offset from a day on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetFrom {
    pub from: Day,
    pub offset_s: i32,
}

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    #[error("catalogue version 0: versions count from 1")]
    VersionZero,
    #[error("late_horizon_days {0} is not within 8..=35")]
    LateHorizon(u16),
    #[error("counters: {figure} {value} is not within {from}..={to}")]
    Counters { figure: &'static str, value: u32, from: u32, to: u32 },
    #[error("{what} {name:?} is named twice")]
    Twice { what: &'static str, name: String },
    #[error("carrier {carrier:?}: settling feed {feed:?} is not among the feeds, or does not settle")]
    SettlingFeed { carrier: String, feed: String },
    #[error("carrier {carrier:?}: the calendar {problem}")]
    Calendar { carrier: String, problem: &'static str },
    #[error("{whose}: {problem}")]
    Rules { whose: String, problem: String },
    #[error("feed {name:?}: stale_after_minutes {minutes} is not within 1..=10080")]
    StaleAfter { name: String, minutes: u32 },
}

impl Calendar {
    /// First UTC second of a day.
    #[must_use]
    pub fn day_start(&self, day: Day) -> UnixTime {
        let at = self.offsets.partition_point(|o| o.from <= day).saturating_sub(1);
        let offset = self.offsets.get(at).map_or(0, |o| o.offset_s);
        i64::from(day).saturating_mul(DAY_S).saturating_sub(i64::from(offset))
    }

    /// First UTC second after a day.
    #[must_use]
    pub fn day_end(&self, day: Day) -> UnixTime {
        self.day_start(day.saturating_add(1))
    }

    /// The day that holds a UTC second.
    #[must_use]
    pub fn day_of(&self, time: UnixTime) -> Day {
        self.day_and_start(time).0
    }

    /// The same with its first UTC second.
    #[must_use]
    pub fn day_and_start(&self, time: UnixTime) -> (Day, UnixTime) {
        self.day_by_one_offset(time).unwrap_or_else(|| {
            let day = self.day_by_search(time);
            (day, self.day_start(day))
        })
    }

    /// Where the days around have one offset, as most have.
    fn day_by_one_offset(&self, time: UnixTime) -> Option<(Day, UnixTime)> {
        let utc = Day::try_from(time.div_euclid(DAY_S)).ok()?;
        let (before, after) = (utc.checked_sub(1)?, utc.checked_add(2)?);
        let at = self.offsets.partition_point(|o| o.from <= before).saturating_sub(1);
        if self.offsets.get(at + 1).is_some_and(|next| next.from <= after) {
            return None;
        }
        let offset = self.offsets.get(at).map_or(0, |o| i64::from(o.offset_s));
        let day = (time + offset).div_euclid(DAY_S);
        Some((day as Day, day * DAY_S - offset))
    }

    fn day_by_search(&self, time: UnixTime) -> Day {
        let guess = i32::try_from(time.div_euclid(DAY_S)).unwrap_or(if time < 0 {
            Day::MIN / 2
        } else {
            Day::MAX / 2
        });
        let mut day = guess.saturating_add(1);
        while self.day_start(day) > time {
            day = day.saturating_sub(1);
        }
        day
    }

    /// As long after another day's midnight as `time` is after its own day's; on a shorter day at most its end.
    #[must_use]
    pub fn same_time(&self, time: UnixTime, day: Day) -> UnixTime {
        let since_midnight = time.saturating_sub(self.day_start(self.day_of(time)));
        self.day_start(day).saturating_add(since_midnight).min(self.day_end(day))
    }

    /// First and last-plus-one day of the cycle that holds a day; `None` outside the compiled months.
    #[must_use]
    pub fn cycle_of(&self, day: Day) -> Option<(Day, Day)> {
        let next = self.cycle_starts.partition_point(|start| *start <= day);
        let start = self.cycle_starts.get(next.checked_sub(1)?)?;
        Some((*start, *self.cycle_starts.get(next)?))
    }

    /// First day of the cycle that holds a UTC second; [`Day::MIN`] outside the compiled months.
    #[must_use]
    pub fn cycle_at(&self, time: UnixTime) -> Day {
        self.cycle_of(self.day_of(time)).map_or(Day::MIN, |(first, _)| first)
    }

    /// Whether the days and cycles that have begun by a UTC second are those of another, through the end of the cycle that
    /// holds it and as far back as a card holds any.
    fn continues(&self, old: &Self, by: UnixTime) -> bool {
        let today = old.day_of(by);
        let next = old.cycle_of(today).map_or(today, |(_, next)| next);
        let known = self.cycle_starts.first().into_iter().chain(old.cycle_starts.first()).copied();
        let first = known.fold(today.saturating_sub(HELD_DAYS), Day::max);
        let begun = |calendar: &Self| -> Vec<Day> {
            calendar.cycle_starts.iter().copied().filter(|day| (first..=next).contains(day)).collect()
        };
        begun(self) == begun(old) && (first..=next).all(|day| self.day_start(day) == old.day_start(day))
    }

    fn problem(&self) -> Option<&'static str> {
        if self.offsets.is_empty() {
            return Some("has no offsets");
        }
        if !self.offsets.is_sorted_by(|a, b| a.from < b.from) {
            return Some("has offsets out of order");
        }
        if self.offsets.iter().any(|o| i64::from(o.offset_s).abs() > DAY_S) {
            return Some("has an offset of more than a day");
        }
        if self.cycle_starts.len() < 2 {
            return Some("has no whole cycle");
        }
        (!self.cycle_starts.is_sorted_by(|a, b| a < b)).then_some("has cycles out of order")
    }
}

impl Catalogue {
    /// The default horizon.
    pub const LATE_HORIZON_DAYS: u16 = LATE_HORIZON_DAYS_DEFAULT;

    /// Checks what the fold relies on.
    ///
    /// # Errors
    /// The first thing that is wrong, by name.
    pub fn check(&self) -> Result<(), CatalogueError> {
        if self.version == 0 {
            return Err(CatalogueError::VersionZero);
        }
        if !(LATE_HORIZON_DAYS_DEFAULT..=LATE_HORIZON_DAYS_MAX).contains(&self.late_horizon_days) {
            return Err(CatalogueError::LateHorizon(self.late_horizon_days));
        }
        self.counters.check()?;
        unique("carrier", self.carriers.iter().map(|c| &c.name))?;
        unique("feed", self.feeds.iter().map(|f| &f.name))?;
        unique("plan", self.plans.iter().map(|p| &p.name))?;
        for carrier in &self.carriers {
            self.check_carrier(carrier)?;
        }
        for feed in &self.feeds {
            feed.check()?;
        }
        let rules = self.plans.iter().map(|p| (format!("plan {:?}", p.name), &p.rules));
        for (whose, rules) in rules.chain([("default_rules".to_owned(), &self.default_rules)]) {
            if let Some(problem) = rules_problem(rules) {
                return Err(CatalogueError::Rules { whose, problem });
            }
        }
        Ok(())
    }

    /// Why this catalogue cannot follow `old`; cards and ids rely on what must stay.
    #[must_use]
    pub fn breaks(&self, old: &Self) -> Option<String> {
        if self.deployment != old.deployment {
            return Some(format!(
                "the deployment is called {:?}; it must stay, ids of records are keyed by it",
                old.deployment
            ));
        }
        let gone = old.carriers.iter().find(|held| !self.carriers.iter().any(|new| new.name == held.name));
        gone.map(|carrier| format!("carrier {:?} is missing: cards refer to it, keep it", carrier.name))
            .or_else(|| self.inherits(old))
    }

    /// A feed that settles for others has declared days of theirs; for a carrier that takes it on they would be whole too.
    fn inherits(&self, old: &Self) -> Option<String> {
        let before = |name: &str| old.carriers.iter().find(|held| held.name == name);
        let taken_on = |carrier: &&Carrier| {
            carrier.settling_feed.is_some()
                && before(&carrier.name).is_some_and(|held| held.settling_feed != carrier.settling_feed)
                && old.carriers.iter().any(|other| other.settling_feed == carrier.settling_feed)
        };
        let carrier = self.carriers.iter().find(taken_on)?;
        Some(format!(
            "carrier {:?}: its new settling feed {:?} has settled for another carrier, whose days that are whole would be \
             its own: give it a feed of another name",
            carrier.name,
            carrier.settling_feed.as_deref().unwrap_or_default(),
        ))
    }

    /// Why this catalogue cannot follow `old` at `now`, log time: days and cycles that have begun stay as they are.
    #[must_use]
    pub fn rewrites(&self, old: &Self, now: UnixTime) -> Option<String> {
        let is_other = |held: &&Carrier| {
            let new = self.carriers.iter().find(|new| new.name == held.name);
            new.is_some_and(|new| !new.calendar.continues(&held.calendar, now.saturating_add(FUTURE_S_MAX)))
        };
        let carrier = old.carriers.iter().find(is_other)?;
        Some(format!(
            "carrier {:?}: days or cycles that have begun would be others; another zone or anchor day is for the next cycle",
            carrier.name
        ))
    }

    fn check_carrier(&self, carrier: &Carrier) -> Result<(), CatalogueError> {
        if let Some(feed) = &carrier.settling_feed {
            let settles = |f: &Feed| f.name == *feed && f.role == FeedRole::Settling;
            if !self.feeds.iter().any(settles) {
                return Err(CatalogueError::SettlingFeed {
                    carrier: carrier.name.clone(),
                    feed: feed.clone(),
                });
            }
        }
        match carrier.calendar.problem() {
            Some(problem) => Err(CatalogueError::Calendar { carrier: carrier.name.clone(), problem }),
            None => Ok(()),
        }
    }
}

impl CounterRules {
    fn check(self) -> Result<(), CatalogueError> {
        let figures = [
            ("wrap_mbit_s", self.wrap_mbit_s, 1, WRAP_MBIT_S_MAX),
            ("restart_divisor", self.restart_divisor, 2, RESTART_DIVISOR_MAX),
        ];
        let wrong = figures.into_iter().find(|(_, value, from, to)| !(from..=to).contains(&value));
        wrong.map_or(Ok(()), |(figure, value, from, to)| {
            Err(CatalogueError::Counters { figure, value, from, to })
        })
    }
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), CatalogueError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(CatalogueError::Twice { what, name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets that change, as daylight saving and politics do it, and one that has always been.
    fn calendars() -> [Calendar; 3] {
        let of = |offsets: &[(Day, i32)]| Calendar {
            offsets: offsets
                .iter()
                .map(|(from, offset_s)| OffsetFrom { from: *from, offset_s: *offset_s })
                .collect(),
            cycle_starts: vec![0, 30],
        };
        [
            of(&[(100, 3_600), (103, 7_200), (104, -36_000), (110, 0)]),
            of(&[(0, 28_800)]),
            of(&[(0, -86_400), (5, 86_400)]),
        ]
    }

    #[test]
    fn the_day_of_a_second_is_the_one_between_whose_edges_it_lies() {
        for calendar in calendars() {
            for time in (-3 * DAY_S..120 * DAY_S).step_by(599) {
                let (day, start) = calendar.day_and_start(time);
                assert_eq!(start, calendar.day_start(day), "{time}");
                assert!(start <= time, "{time}");
                // Where the clock is put forward over a midnight, the later of two days has the seconds of both.
                assert!(time < calendar.day_end(day) || calendar.day_end(day) <= start, "{time}");
                assert_eq!(day, calendar.day_by_search(time), "{time}");
            }
        }
    }
}
