//! The catalogue file (TOML, with names of zones) → the compiled catalogue (plain numbers) that goes through the log.
//!
//! ```toml
//! version = 1                      # raise it with every change
//! late_horizon_days = 8            # 8..=35: how long after its end a day accepts records
//! own_channels = ["shop"]          # only these may recharge
//! credits_policy = "all"           # or "as_many": of a card with fewer credits than recipients
//! rules_policy = "free"            # or "presets": customers may set only the product's own rules
//! calendar_from = "2026-07-15"     # with the supplied clock: the log's today; unsaid it is this machine's
//!
//! [[feeds]]
//! name = "cmcc-pgw-1"
//! role = "settling"                # or "estimate"
//! stale_after_minutes = 180        # silent for longer than this, it is taken to be away
//!
//! [[carriers]]
//! name = "cmcc"
//! zone = "Asia/Shanghai"
//! anchor_day = 1                   # 1..=31; in a shorter month its last day
//! split = "split"                  # or "start", "end"
//! settling_feed = "cmcc-pgw-1"
//! settling_days_first = 2          # days of a cycle in which the carrier settles
//! settling_days_last = 1
//!
//! [[plans]]
//! name = "standard"
//! suspend_on_exhaustion = false
//! rules = [{ name = "burnt-80", burnt_percent = 80 }, { name = "left-500M", remaining_bytes = "500MiB" }]
//!
//! [[default_rules]]
//! name = "burnt-50"
//! burnt_percent = 50
//!
//! [counters]                       # what explains that a device's counter fell
//! wrap_mbit_s = 150                # a 32-bit counter wraps at most so fast
//! restart_divisor = 8              # a device that shows at most an eighth of before has restarted
//! ```
//!
//! Zone data is used here and nowhere else. Invariant: a new version keeps the days and cycles that have begun, whatever
//! is written in the file: a change of zone or anchor starts with the next cycle.

mod calendar;
mod said;
#[cfg(test)]
mod tests;

use std::ops::{Range, RangeInclusive};

use chrono::NaiveDate;
use chrono_tz::Tz;
use toml::Spanned;

pub use calendar::{Months, compile_calendar};
use calendar::{date_by, date_in};

use crate::codec::amount;
use crate::limits::{
    EXPIRES_DAYS_MAX, FUTURE_S_MAX, LATE_HORIZON_DAYS_DEFAULT, LATE_HORIZON_DAYS_MAX, NAME_BYTES_MAX,
    NO_DATA_HOURS_MAX, RESTART_DIVISOR_MAX, RULES_MAX, STALE_AFTER_MIN_MAX, WRAP_MBIT_S_MAX,
};
use crate::model::{
    Carrier, Catalogue, CatalogueError, Clock, CounterRules, Feed, FeedRole, Plan, Rule, RuleKind, UnixTime,
    Yes,
};

/// Why a catalogue file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueFileError {
    /// Not TOML, an unknown key, a wrong type: as the TOML reader says it, with line and column.
    #[error("{path}: {detail}")]
    Syntax { path: String, detail: String },
    #[error("{path}:{line}:{column}: {problem}")]
    Value { path: String, line: usize, column: usize, problem: String },
    /// What is wrong between parts of the file.
    #[error("{path}: {wrong}")]
    Whole { path: String, wrong: CatalogueError },
}

/// What a file is compiled with.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Path of the file, for errors.
    pub path: &'a str,
    /// The deployment's name, from the configuration.
    pub deployment: &'a str,
    /// The day from which calendars are compiled, [`CALENDAR_MONTHS`](crate::limits::CALENDAR_MONTHS) ahead, unless the file says
    /// `calendar_from`: [`today`]. A calendar that is in force goes on until the cycle of this day ends, whatever the file says.
    pub from: NaiveDate,
    /// The catalogue in force, whose begun days and cycles stay as they are.
    pub previous: Option<&'a Catalogue>,
}

/// The meter takes no catalogue that changes a cycle into which a record may fall; and time passes until it is folded.
const AHEAD_S: i64 = 2 * FUTURE_S_MAX;

/// What [`Inputs::from`] is for a text at a UTC second, and for a little while after it: the latest date in the zones of its
/// carriers and of those in force, so that no cycle that has begun is taken for one to come. Where the clock is supplied it is
/// the log's, as the text says it.
#[must_use]
pub fn today(text: &str, previous: Option<&Catalogue>, clock: Clock, now: UnixTime) -> NaiveDate {
    let said: Option<said::File> = toml::from_str(text).ok();
    let from: Option<NaiveDate> =
        said.as_ref().and_then(|file| file.calendar_from.as_ref()?.get_ref().parse().ok());
    if let (Clock::Supplied, Some(day)) = (clock, from) {
        return day;
    }
    let carriers = said.iter().flat_map(|file| &file.carriers);
    let zones = carriers.filter_map(|carrier| carrier.zone.get_ref().parse::<Tz>().ok());
    let held = previous.into_iter().flat_map(|held| &held.carriers);
    let by = now.saturating_add(AHEAD_S);
    let dates = zones.filter_map(|zone| date_in(zone, by));
    let dates = dates.chain(held.map(|carrier| date_by(&carrier.calendar, by)));
    dates.max().or_else(|| date_in(Tz::UTC, by)).unwrap_or_default()
}

/// Compiles the text of a catalogue file.
///
/// # Errors
/// The first thing that is wrong, with its line and column where it has one.
pub fn compile(text: &str, inputs: &Inputs<'_>) -> Result<Catalogue, CatalogueFileError> {
    let said: said::File = toml::from_str(text).map_err(|error| CatalogueFileError::Syntax {
        path: inputs.path.to_owned(),
        detail: error.to_string(),
    })?;
    let compiler = Compiler { text, inputs };
    let catalogue = compiler.catalogue(said)?;
    match catalogue.check() {
        Ok(()) => Ok(catalogue),
        Err(wrong) => Err(CatalogueFileError::Whole { path: inputs.path.to_owned(), wrong }),
    }
}

/// The file in hand.
struct Compiler<'a> {
    text: &'a str,
    inputs: &'a Inputs<'a>,
}

type Result<T, E = CatalogueFileError> = std::result::Result<T, E>;

impl Compiler<'_> {
    fn catalogue(&self, said: said::File) -> Result<Catalogue> {
        let late_horizon_days = match said.late_horizon_days {
            None => LATE_HORIZON_DAYS_DEFAULT,
            Some(days) => {
                self.within("late_horizon_days", &days, LATE_HORIZON_DAYS_DEFAULT..=LATE_HORIZON_DAYS_MAX)?
            }
        };
        let from = said.calendar_from.as_ref().map_or(Ok(self.inputs.from), |day| self.day(day))?;
        Ok(Catalogue {
            version: self.within("version", &said.version, 1..=u32::MAX)?,
            deployment: self.inputs.deployment.to_owned(),
            carriers: said.carriers.into_iter().map(|c| self.carrier(c, from)).collect::<Result<_>>()?,
            feeds: said.feeds.into_iter().map(|f| self.feed(f)).collect::<Result<_>>()?,
            plans: said.plans.into_iter().map(|p| self.plan(p)).collect::<Result<_>>()?,
            default_rules: self.rules(said.default_rules)?,
            late_horizon_days,
            own_channels: said.own_channels,
            counters: self.counters(&said.counters)?,
            rules_policy: said.rules_policy,
            credits_policy: said.credits_policy,
        })
    }

    fn carrier(&self, said: said::Carrier, from: NaiveDate) -> Result<Carrier> {
        let name = self.name(said.name)?;
        let zone = self.zone(&said.zone)?;
        let anchor_day = self.within("anchor_day", &said.anchor_day, 1..=31)?;
        let settling = |key, days: Option<Spanned<i64>>| self.within(key, &days.unwrap_or(unsaid(0)), 0..=28);
        let previous = self.inputs.previous.and_then(|p| p.carriers.iter().find(|c| c.name == name));
        // A day long ago in the file would let the new calendar cut the cycle that runs.
        let from = previous.map_or(from, |_| from.max(self.inputs.from));
        let months = Months { zone, anchor_day, from };
        Ok(Carrier {
            calendar: compile_calendar(&months, previous.map(|carrier| &carrier.calendar)),
            settling_feed: said.settling_feed.map(|feed| self.name(feed)).transpose()?,
            split: said.split,
            settling_days_first: settling("settling_days_first", said.settling_days_first)?,
            settling_days_last: settling("settling_days_last", said.settling_days_last)?,
            name,
        })
    }

    fn feed(&self, said: said::Feed) -> Result<Feed> {
        let role = match said.role.get_ref().as_str() {
            "settling" => FeedRole::Settling,
            "estimate" => FeedRole::Estimate,
            other => return Err(self.at(&said.role, format!("role {other:?} is not settling or estimate"))),
        };
        let within = |said: Spanned<i64>| self.within("stale_after_minutes", &said, 1..=STALE_AFTER_MIN_MAX);
        let stale = said.stale_after_minutes.map(within);
        Ok(Feed { name: self.name(said.name)?, role, stale_after_minutes: stale.transpose()? })
    }

    fn counters(&self, said: &said::Counters) -> Result<CounterRules> {
        let unsaid = CounterRules::default();
        let figure = |key, said: &Option<Spanned<i64>>, range: RangeInclusive<u32>, unsaid| {
            said.as_ref().map_or(Ok(unsaid), |figure| self.within(key, figure, range))
        };
        let (wrap, restart) = (1..=WRAP_MBIT_S_MAX, 2..=RESTART_DIVISOR_MAX);
        Ok(CounterRules {
            wrap_mbit_s: figure("wrap_mbit_s", &said.wrap_mbit_s, wrap, unsaid.wrap_mbit_s)?,
            restart_divisor: figure(
                "restart_divisor",
                &said.restart_divisor,
                restart,
                unsaid.restart_divisor,
            )?,
        })
    }

    fn plan(&self, said: said::Plan) -> Result<Plan> {
        Ok(Plan {
            name: self.name(said.name)?,
            rules: self.rules(said.rules)?,
            suspend_on_exhaustion: said.suspend_on_exhaustion,
        })
    }

    fn rules(&self, said: Vec<Spanned<said::Rule>>) -> Result<Vec<Rule>> {
        if let Some(beyond) = said.get(RULES_MAX) {
            return Err(self.at(beyond, format!("more than {RULES_MAX} rules")));
        }
        said.into_iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&self, said: Spanned<said::Rule>) -> Result<Rule> {
        let span = said.span();
        let rule = said.into_inner();
        let percent = |key, said: Spanned<i64>, range| self.within::<u8>(key, &said, range);
        let amount = |key, said: Spanned<said::Amount>| self.amount(key, &said);
        let days = |said: Spanned<i64>| self.within("expires_days", &said, 1..=EXPIRES_DAYS_MAX);
        let hours = |said: Spanned<i64>| self.within("no_data_hours", &said, 1..=NO_DATA_HOURS_MAX);
        let said = [
            rule.burnt_percent.map(|p| percent("burnt_percent", p, 1..=100).map(RuleKind::BurntPercent)),
            rule.remaining_percent
                .map(|p| percent("remaining_percent", p, 0..=99).map(RuleKind::RemainingPercent)),
            rule.remaining_bytes.map(|a| amount("remaining_bytes", a).map(RuleKind::RemainingBytes)),
            rule.used_bytes.map(|a| amount("used_bytes", a).map(RuleKind::UsedBytes)),
            rule.used_day_bytes.map(|a| amount("used_day_bytes", a).map(RuleKind::UsedDayBytes)),
            rule.expires_days.map(|d| days(d).map(RuleKind::ExpiresDays)),
            rule.exhausted.filter(|said| *said.get_ref()).map(|_| Ok(RuleKind::Exhausted(Yes))),
            rule.no_data_hours.map(|h| hours(h).map(RuleKind::NoDataHours)),
        ];
        let mut said = said.into_iter().flatten();
        let (Some(kind), None) = (said.next(), said.next()) else {
            let problem = "a rule has one of burnt_percent, remaining_percent, remaining_bytes, used_bytes, \
                           used_day_bytes, expires_days, exhausted, no_data_hours";
            return Err(self.error(span, problem.to_owned()));
        };
        let kind = kind?;
        Ok(Rule { name: self.name(rule.name)?, kind })
    }

    fn amount(&self, key: &str, said: &Spanned<said::Amount>) -> Result<u64> {
        match said.get_ref() {
            said::Amount::Bytes(bytes) => Ok(*bytes),
            said::Amount::Text(text) => {
                amount::parse(text).map_err(|error| self.at(said, format!("{key}: {error}")))
            }
        }
    }

    fn day(&self, said: &Spanned<String>) -> Result<NaiveDate> {
        let problem =
            |_| self.at(said, format!("calendar_from: {:?} is not a day, like 2026-08-01", said.get_ref()));
        said.get_ref().parse().map_err(problem)
    }

    fn zone(&self, said: &Spanned<String>) -> Result<Tz> {
        let problem = |_| {
            self.at(
                said,
                format!("zone {:?} is not a name of the IANA zones, like Asia/Shanghai", said.get_ref()),
            )
        };
        said.get_ref().parse().map_err(problem)
    }

    fn name(&self, said: Spanned<String>) -> Result<String> {
        match said.get_ref().len() {
            1..=NAME_BYTES_MAX => Ok(said.into_inner()),
            len => Err(self.at(&said, format!("a name has 1 to {NAME_BYTES_MAX} bytes, this has {len}"))),
        }
    }

    fn within<T>(&self, key: &str, said: &Spanned<i64>, range: RangeInclusive<T>) -> Result<T>
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display,
    {
        let value = T::try_from(*said.get_ref()).ok().filter(|value| range.contains(value));
        let (start, end) = (range.start(), range.end());
        value.ok_or_else(|| self.at(said, format!("{key}: {} is not within {start}..={end}", said.get_ref())))
    }

    fn at<T>(&self, said: &Spanned<T>, problem: String) -> CatalogueFileError {
        self.error(said.span(), problem)
    }

    fn error(&self, span: Range<usize>, problem: String) -> CatalogueFileError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        CatalogueFileError::Value {
            path: self.inputs.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            problem,
        }
    }
}

fn unsaid(value: i64) -> Spanned<i64> {
    Spanned::new(0..0, value)
}
