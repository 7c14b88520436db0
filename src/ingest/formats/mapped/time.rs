//! Times of a feed, as it writes them and in its zone → UTC seconds.
//!
//! Local times (`docs/rules.md` T): an hour that comes twice is the first, an hour that is left out is shifted behind
//! the gap, and both are counted ([`Notes`]): a feed with many of them should be asked for UTC.

use std::fmt::Write as _;

use chrono::format::{Fixed, Item, Numeric, Pad, StrftimeItems};
use chrono::{
    DateTime, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _,
};
use chrono_tz::Tz;

use crate::codec::time;
use crate::model::{Day, UnixTime};

/// What was met while reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Notes {
    /// Local times that come twice: taken as the first.
    pub twice: u64,
    /// Local times that do not exist: shifted.
    pub skipped: u64,
}

impl Notes {
    /// What was met since it was so.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            twice: self.twice.saturating_sub(before.twice),
            skipped: self.skipped.saturating_sub(before.skipped),
        }
    }
}

/// How times are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// With an offset.
    Rfc3339,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// A pattern of strftime, with `%z` in it.
    Offset(String),
    /// A pattern without an offset: the zone's local time. A date alone is its midnight.
    Local(String, Zone),
}

/// A zone, or a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    /// Reads `Asia/Shanghai`, `UTC` or `+08:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fixed = || {
            let example = format!("1970-01-01T00:00:00{text}");
            let offset = DateTime::parse_from_rfc3339(&example).ok()?;
            Some(Self::Fixed(*offset.offset()))
        };
        text.parse().ok().map(Self::Named).or_else(fixed)
    }

    fn offset_at(self, local: NaiveDateTime) -> LocalResult<i32> {
        match self {
            Self::Named(zone) => {
                zone.offset_from_local_datetime(&local).map(|offset| offset.fix().local_minus_utc())
            }
            Self::Fixed(offset) => LocalResult::Single(offset.local_minus_utc()),
        }
    }

    fn utc(self, local: NaiveDateTime, notes: &mut Notes) -> Option<UnixTime> {
        let offset_s = match self.offset_at(local) {
            LocalResult::Single(offset_s) => offset_s,
            LocalResult::Ambiguous(first, _) => {
                notes.twice = notes.twice.saturating_add(1);
                first
            }
            LocalResult::None => {
                notes.skipped = notes.skipped.saturating_add(1);
                self.offset_at(local.checked_sub_signed(BEFORE_A_GAP)?).earliest()?
            }
        };
        Some(local.and_utc().timestamp().saturating_sub(i64::from(offset_s)))
    }
}

/// No gap is longer: a zone that crosses the date line leaves out a day.
const BEFORE_A_GAP: TimeDelta = TimeDelta::hours(25);

/// Greatest number of milliseconds that are taken for a time: the year 9999.
const MS_MAX: i64 = 253_402_300_799_999;

impl TimeFormat {
    /// Of a name or pattern and a zone.
    ///
    /// # Errors
    /// A pattern that strftime does not have, or by which what is written is not read back: without a date, or with an hour
    /// and no minute. One without `%z` needs a zone, and a zone says nothing of any other.
    pub fn new(text: &str, zone: Option<Zone>) -> Result<Self, String> {
        let known = match text {
            "rfc3339" => Some(Self::Rfc3339),
            "unix" => Some(Self::Unix),
            "unix-ms" => Some(Self::UnixMs),
            _ => None,
        };
        if zone.is_some() && (known.is_some() || has_offset(text)) {
            return Err(format!(
                "zone is of times without an offset, and time {text:?} says where it is: leave it out"
            ));
        }
        if let Some(known) = known {
            return Ok(known);
        }
        if !text.contains('%') || StrftimeItems::new(text).any(|item| matches!(item, Item::Error)) {
            return Err(format!(
                "time {text:?} is none of rfc3339, unix, unix-ms, and no pattern of strftime"
            ));
        }
        if text.contains("%Z") {
            return Err(format!("time {text:?}: a zone's abbreviation (%Z) says no offset; use %z, or zone"));
        }
        if text.contains("%s") {
            return Err(format!(
                "time {text:?}: seconds since 1970 (%s) are of no zone: write time = \"unix\""
            ));
        }
        if !comes_back(text) {
            return Err(format!(
                "time {text:?} says no moment: it needs a date, and with an hour its minute (and %p with %I), or it would \
                 be read as another time than was meant"
            ));
        }
        if has_offset(text) {
            return Ok(Self::Offset(text.to_owned()));
        }
        let zone = zone.ok_or_else(|| {
            format!("time {text:?} has no offset (%z): name the zone, like zone = \"Asia/Shanghai\"")
        })?;
        Ok(Self::Local(text.to_owned(), zone))
    }

    /// Reads a time.
    pub(super) fn moment(&self, text: &str, notes: &mut Notes) -> Result<UnixTime, &'static str> {
        const NO_TIME: &str = "which is no time as the feed writes it";
        let whole = |most: i64| text.parse::<i64>().ok().filter(|number| (0..=most).contains(number));
        let moment = match self {
            Self::Rfc3339 => time::parse(text),
            Self::Unix => whole(MS_MAX / 1_000),
            Self::UnixMs => whole(MS_MAX).map(|ms| ms / 1_000),
            Self::Offset(pattern) => {
                let moment = DateTime::parse_from_str(text, pattern).ok();
                moment
                    .filter(|moment| is_whole(text, pattern, moment.naive_local()))
                    .map(|moment| moment.timestamp())
            }
            Self::Local(pattern, zone) => local(text, pattern).and_then(|local| zone.utc(local, notes)),
        };
        moment.filter(|moment| (0..=MS_MAX / 1_000).contains(moment)).ok_or(NO_TIME)
    }

    /// Reads a date: `2026-08-01`, `20260801`, or the date of a time in the feed's own pattern.
    pub(super) fn day(&self, text: &str) -> Result<Day, &'static str> {
        let in_pattern = || match self {
            Self::Local(pattern, _) | Self::Offset(pattern) => local(text, pattern).map(|local| local.date()),
            Self::Rfc3339 | Self::Unix | Self::UnixMs => None,
        };
        let compact = || NaiveDate::parse_from_str(text, "%Y%m%d").ok();
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().or_else(compact).or_else(in_pattern);
        let epoch = NaiveDate::default();
        date.map(|date| date.signed_duration_since(epoch).num_days() as Day).ok_or("which is no date")
    }
}

fn has_offset(pattern: &str) -> bool {
    ["%z", "%:z", "%::z", "%#z", "%+"].iter().any(|offset| pattern.contains(offset))
}

/// A local time; a date alone is its midnight.
fn local(text: &str, pattern: &str) -> Option<NaiveDateTime> {
    let date = || NaiveDate::parse_from_str(text, pattern).ok().map(NaiveDateTime::from);
    let local = NaiveDateTime::parse_from_str(text, pattern).ok().or_else(date)?;
    is_whole(text, pattern, local).then_some(local)
}

/// Whether a text is as long as a pattern writes its time. strftime would read fewer digits, so that a time that was cut off
/// passed for an earlier one. Fractions and offsets may be written in several ways.
fn is_whole(text: &str, pattern: &str, local: NaiveDateTime) -> bool {
    let mut written = String::new();
    if !has_fraction(pattern) && !has_offset(pattern) {
        return write!(written, "{}", local.format(pattern)).is_ok() && written.len() == text.len();
    }
    let digits = |c: char| c.is_ascii_digit();
    let permissive = StrftimeItems::new("%#z").next();
    let mut rest = text;
    for item in StrftimeItems::new(pattern) {
        let left = match item {
            // These have their own grammars, which say every digit.
            Item::Fixed(Fixed::RFC3339 | Fixed::RFC2822) => return true,
            Item::Space(_) => Some(rest.trim_start()),
            Item::Numeric(Numeric::Nanosecond, _) => Some(rest.trim_start_matches(digits)),
            Item::Fixed(Fixed::Nanosecond | Fixed::Nanosecond3 | Fixed::Nanosecond6 | Fixed::Nanosecond9) => {
                Some(rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(digits)))
            }
            Item::Fixed(
                Fixed::TimezoneOffset
                | Fixed::TimezoneOffsetColon
                | Fixed::TimezoneOffsetDoubleColon
                | Fixed::TimezoneOffsetTripleColon
                | Fixed::TimezoneOffsetColonZ
                | Fixed::TimezoneOffsetZ,
            ) => past_offset(rest),
            item if Some(&item) == permissive.as_ref() => past_offset(rest),
            item => {
                written.clear();
                let format = local.format_with_items(std::iter::once(&item));
                let told =
                    write!(written, "{format}").ok().and_then(|()| rest.split_at_checked(written.len()));
                let is_number = matches!(item, Item::Numeric(_, Pad::Zero));
                told.filter(|(told, _)| !is_number || told.chars().all(digits)).map(|(_, left)| left)
            }
        };
        match left {
            Some(left) => rest = left,
            None => return false,
        }
    }
    rest.is_empty()
}

/// What follows an offset; `None` if none stands there.
fn past_offset(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let signed = text.strip_prefix(['+', '-', '\u{2212}']);
    signed
        .map(|offset| offset.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'))
        .or_else(|| text.strip_prefix(['Z', 'z']))
}

/// Whether a time that is written by a pattern is read by it as the same, to the minute, or to the day where it writes no more.
/// chrono's dates pass over an hour that stands alone.
fn comes_back(pattern: &str) -> bool {
    let Some(day) = NaiveDate::from_ymd_opt(2026, 11, 23) else { return true };
    let (Some(noon), Some(midnight)) = (day.and_hms_opt(14, 37, 0), day.and_hms_opt(0, 0, 0)) else {
        return true;
    };
    let write = |local: NaiveDateTime| {
        let mut written = String::new();
        // `%z` can be written of a time in a zone alone.
        let moment = local.and_utc().fixed_offset();
        write!(written, "{}", moment.format(pattern)).is_ok().then_some(written)
    };
    let (Some(written), Some(of_midnight)) = (write(noon), write(midnight)) else { return true };
    if has_offset(pattern) {
        return DateTime::parse_from_str(&written, pattern).is_ok_and(|moment| moment.naive_utc() == noon);
    }
    local(&written, pattern) == Some(if written == of_midnight { midnight } else { noon })
}

fn has_fraction(pattern: &str) -> bool {
    pattern.contains("%.") || pattern.contains("%f")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(format: &str, zone: &str, text: &str) -> (Option<String>, Notes) {
        let mut notes = Notes::default();
        let format = TimeFormat::new(format, Zone::parse(zone)).unwrap();
        (format.moment(text, &mut notes).ok().map(time::text), notes)
    }

    #[test]
    fn times_are_utc_seconds() {
        let cases = [
            ("rfc3339", "", "2026-08-01T09:30:15+08:00", "2026-08-01T01:30:15Z"),
            ("unix", "", "1785547815", "2026-08-01T01:30:15Z"),
            ("unix-ms", "", "1785547815999", "2026-08-01T01:30:15Z"),
            ("%Y%m%d%H%M%S", "Asia/Shanghai", "20260801093015", "2026-08-01T01:30:15Z"),
            ("%Y-%m-%d %H:%M:%S", "+08:00", "2026-08-01 09:30:15", "2026-08-01T01:30:15Z"),
            ("%Y-%m-%d %H:%M:%S%.f", "-03:30", "2026-07-31 22:00:15.250", "2026-08-01T01:30:15Z"),
            ("%d/%m/%Y %H:%M:%S %z", "", "01/08/2026 09:30:15 +0800", "2026-08-01T01:30:15Z"),
            ("%Y%m%d", "Asia/Shanghai", "20260801", "2026-07-31T16:00:00Z"),
            ("%Y%m%d%H%M", "Asia/Shanghai", "202608010930", "2026-08-01T01:30:00Z"),
            ("%d-%b-%y %I:%M:%S %p", "+08:00", "01-Aug-26 09:30:15 AM", "2026-08-01T01:30:15Z"),
            ("%Y-%m-%dT%H:%M:%S%:z", "", "2026-08-01T09:30:15+08:00", "2026-08-01T01:30:15Z"),
        ];
        for (format, zone, text, expected) in cases {
            assert_eq!(at(format, zone, text), (Some(expected.to_owned()), Notes::default()), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            ("rfc3339", "2026-08-01 09:30:15"),
            ("unix", "-1"),
            ("unix", "1785547815000"),
            ("unix", "1e9"),
            ("%Y%m%d%H%M%S", "20261301093015"),
            ("%Y%m%d%H%M%S", "2026080109301"),
            ("%Y%m%d%H%M%S", "20260801093015x"),
        ];
        for (format, text) in cases {
            let zone = if format.starts_with('%') { "UTC" } else { "" };
            assert_eq!(at(format, zone, text).0, None, "{format} {text}");
        }
    }

    #[test]
    fn a_time_with_an_offset_or_a_fraction_is_as_long_as_its_pattern_too() {
        let cases = [
            ("%Y%m%d%H%M%S%z", "20260801093015+0800", true),
            ("%Y%m%d%H%M%S%z", "20260801093015+08:00", true),
            ("%Y%m%d%H%M%S%z", "2026080109301+0800", false),
            ("%Y%m%d%H%M%S %z", "2026080109301 +0800", false),
            ("%Y-%m-%d %H:%M:%S %z", "2026-08-01 09:30:1 -0330", false),
            ("%Y-%m-%d %H:%M:%S %z", "2026-08-01 09:30:15 -0330", true),
            ("%Y-%m-%dT%H:%M:%S%:z", "2026-08-01T9:30:15+08:00", false),
            ("%Y-%m-%dT%H:%M:%S%#z", "2026-08-01T09:30:15+08", true),
            ("%Y-%m-%dT%H:%M:%S%#z", "2026-08-01T09:30:15Z", true),
            ("%Y-%m-%dT%H:%M:%S%#z", "2026-08-01T09:30:1Z", false),
            ("%Y%m%d%H%M%S %z", "2026080109301  +0800", false),
            ("%z %d.%m.%Y %H:%M", "+0800 01.08.2026 09:30", true),
            ("%z %d.%m.%Y %H:%M", "+0800 01.08.2026 09:3", false),
            ("%Y-%m-%d %H:%M:%S%.f %z", "2026-08-01 09:30:15.25 +0800", true),
            ("%Y-%m-%d %H:%M:%S%.f %z", "2026-08-01 09:30:15 +0800", true),
            ("%Y-%m-%d %H:%M:%S%.f %z", "2026-08-01 09:30:1.25 +0800", false),
            ("%+", "2026-08-01T09:30:15+08:00", true),
        ];
        for (format, text, is_time) in cases {
            assert_eq!(at(format, "", text).0.is_some(), is_time, "{format} {text}");
        }
        assert_eq!(at("%Y%m%d%H%M%S%.3f", "UTC", "2026080109301.250").0, None);
        assert!(at("%Y%m%d%H%M%S%.3f", "UTC", "20260801093015.250").0.is_some());
    }

    #[test]
    fn an_hour_that_comes_twice_is_the_first_and_one_left_out_is_shifted_and_both_are_counted() {
        // Berlin 2026: to summer time on 29 March 02:00, back on 25 October 03:00.
        let cases = [
            ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z", Notes { twice: 1, skipped: 0 }),
            ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z", Notes { twice: 0, skipped: 1 }),
            ("2026-03-29 03:30:00", "2026-03-29T01:30:00Z", Notes::default()),
        ];
        for (text, expected, notes) in cases {
            let found = at("%Y-%m-%d %H:%M:%S", "Europe/Berlin", text);
            assert_eq!(found, (Some(expected.to_owned()), notes), "{text}");
        }
        // Samoa left out 30 December 2011: by the offset before it, -10 h in summer.
        let found = at("%Y-%m-%d %H:%M:%S", "Pacific/Apia", "2011-12-30 12:00:00");
        assert_eq!(found, (Some("2011-12-30T22:00:00Z".to_owned()), Notes { twice: 0, skipped: 1 }));
    }

    #[test]
    fn dates_are_read_in_the_usual_forms_and_the_feeds_own() {
        let format = TimeFormat::new("%d.%m.%Y", Zone::parse("UTC")).unwrap();
        for text in ["2026-08-01", "20260801", "01.08.2026"] {
            assert_eq!(format.day(text), Ok(20_666), "{text}");
        }
        assert!(format.day("2026-13-01").is_err());
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        let error = |text: &str, zone: &str| TimeFormat::new(text, Zone::parse(zone)).unwrap_err();
        assert!(error("iso", "UTC").contains("none of rfc3339, unix, unix-ms"));
        assert!(error("%Q", "UTC").contains("no pattern of strftime"));
        assert!(error("%Y%m%d", "").contains("name the zone"));
        assert!(error("%Y%m%d %Z", "UTC").contains("says no offset"));
        assert!(error("rfc3339", "UTC").contains("leave it out"));
        assert!(error("%Y%m%d%H%M%S%z", "UTC").contains("leave it out"));
        assert!(error("%s", "Asia/Shanghai").contains("write time = \"unix\""));
        // Read, these would be the midnight of their day, whatever the hour.
        for pattern in
            ["%Y%m%d%H", "%Y-%m-%d %H", "%Y-%m-%d %I:%M:%S", "%H:%M:%S", "%d.%m.", "%Y-%m-%d %M:%S"]
        {
            assert!(error(pattern, "UTC").contains("says no moment"), "{pattern}");
        }
        assert!(error("%Y-%m-%d %H %z", "").contains("says no moment"));
        assert!(Zone::parse("Mars/Olympus").is_none());
    }
}
