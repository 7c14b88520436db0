//! RFC 3339 ⇄ UTC seconds, without allocation: every record of the hot path has two of them.
//!
//! Read: an offset is demanded (`Z` or `±hh:mm`), `T` and `Z` in either case, a space for the `T`, any fraction (dropped:
//! the second that holds the moment), second 60 (as 59). Written: UTC with `Z`, whole seconds.

use crate::limits::DAY_S;
use crate::model::{Day, UnixTime};

/// First and last second that can be written: years 0000 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Reads an RFC 3339 time; `None` if it is none, or has no offset.
#[must_use]
pub fn parse(text: &str) -> Option<UnixTime> {
    let (clock, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T' | b't' | b' ', clock @ ..] = clock else {
        return None;
    };
    let [h0, h1, b':', mi0, mi1, b':', s0, s1] = clock else { return None };
    let date = [two(*y0, *y1)? * 100 + two(*y2, *y3)?, two(*mo0, *mo1)?, two(*d0, *d1)?];
    let (hour, minute, second) = (two(*h0, *h1)?, two(*mi0, *mi1)?, two(*s0, *s1)?);
    let second = if second == 60 { 59 } else { second };
    Some(seconds(date, [hour, minute, second])? - offset(fraction(rest)?)?)
}

/// UTC seconds of a date (year, month, day) and a time of day (hour, minute, second) in UTC; `None` if there is no such.
#[must_use]
pub(crate) fn seconds([year, month, day]: [u32; 3], [hour, minute, second]: [u32; 3]) -> Option<UnixTime> {
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(i64::from(days(year, month, day)?) * DAY_S + i64::from(hour * 3_600 + minute * 60 + second))
}

/// Reads a date, `2026-08-01`.
#[must_use]
pub fn parse_day(text: &str) -> Option<Day> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else { return None };
    days(two(*y0, *y1)? * 100 + two(*y2, *y3)?, two(*m0, *m1)?, two(*d0, *d1)?)
}

/// Writes a time in UTC, `2026-08-01T01:30:15Z`. Times outside the years 0000 to 9999 are written as the nearest within.
#[must_use]
pub fn text(time: UnixTime) -> String {
    let mut out = String::with_capacity(20);
    push_text(&mut out, time);
    out
}

/// Appends what [`text`] writes.
pub(crate) fn push_text(out: &mut String, time: UnixTime) {
    let time = time.clamp(*SECONDS.start(), *SECONDS.end());
    let of_day = time.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    push_day(out, time.div_euclid(DAY_S) as Day);
    for (mark, number) in [('T', hour), (':', minute), (':', second)] {
        out.push(mark);
        push_two(out, number as u8);
    }
    out.push('Z');
}

/// Writes a day, `2026-08-01`. Days outside the years 0000 to 9999 are written as the nearest within.
#[must_use]
pub fn day_text(day: Day) -> String {
    let mut out = String::with_capacity(10);
    push_day(&mut out, day);
    out
}

fn push_day(out: &mut String, day: Day) {
    let first = (SECONDS.start() / DAY_S) as Day;
    let last = (SECONDS.end() / DAY_S) as Day;
    let (year, month, day) = civil(day.clamp(first, last));
    push_two(out, (year / 100) as u8);
    push_two(out, (year % 100) as u8);
    for number in [month, day] {
        out.push('-');
        push_two(out, number as u8);
    }
}

fn push_two(out: &mut String, number: u8) {
    out.push(char::from(b'0' + number / 10));
    out.push(char::from(b'0' + number % 10));
}

/// The same day of the month some calendar months later; where that month is shorter, its last day.
#[must_use]
pub fn months_later(day: Day, months: u16) -> Day {
    let (year, month, of_month) = civil(day);
    let counted = year * 12 + month - 1 + Day::from(months);
    let (year, month) = (counted.div_euclid(12), counted.rem_euclid(12) as u32 + 1);
    let Ok(year) = u32::try_from(year) else { return day };
    days(year, month, (of_month as u32).min(days_in(year, month))).unwrap_or(day)
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// What follows a fraction, if there is one.
fn fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some(rest) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| digits.split_at(count).1)
}

/// Seconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, h0, h1, m0, m1) = match zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h0, h1, b':', m0, m1] => (1, h0, h1, m0, m1),
        [b'-', h0, h1, b':', m0, m1] => (-1, h0, h1, m0, m1),
        _ => return None,
    };
    let (hours, minutes) = (two(*h0, *h1)?, two(*m0, *m1)?);
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn days(year: u32, month: u32, day: u32) -> Option<Day> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return None;
    }
    // Years are counted from 1 March, so that the leap day is the last of its year.
    let shifted = year as Day - Day::from(month <= 2);
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let leap_days = shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    Some(shifted * 365 + leap_days + of_year as Day - DAYS_TO_1970)
}

/// From 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: Day = 719_468;

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The date of a day: year, month, day.
fn civil(day: Day) -> (Day, Day, Day) {
    let since_march_0 = day + DAYS_TO_1970;
    let era = since_march_0.div_euclid(146_097);
    let of_era = since_march_0.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + Day::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_later_is_the_same_day_or_the_last_of_its_month() {
        let cases = [
            ("2026-09-01", 3, "2026-12-01"),
            ("2026-11-30", 3, "2027-02-28"),
            ("2027-11-30", 3, "2028-02-29"),
            ("2026-12-31", 2, "2027-02-28"),
            ("2026-01-31", 12, "2027-01-31"),
            ("2026-08-15", 0, "2026-08-15"),
        ];
        for (from, months, to) in cases {
            let later = months_later(parse_day(from).unwrap(), months);
            assert_eq!(day_text(later), to, "{from} and {months} months");
        }
    }

    #[test]
    fn times_of_the_standard_are_read() {
        // Seconds by `date -u -d … +%s`.
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-08-01T09:30:15+08:00", 1_785_547_815),
            ("2026-08-01t01:30:15z", 1_785_547_815),
            ("2026-08-01 01:30:15Z", 1_785_547_815),
            ("2026-08-01T01:30:15.999999999999Z", 1_785_547_815),
            ("2026-07-31T21:00:15.5-04:30", 1_785_547_815),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("2000-02-29T00:00:00+00:00", 951_782_400),
            ("1969-12-31T23:59:59.5Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_799),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            "",
            "2026-08-01",
            "2026-08-01T09:30:15",      // no offset
            "2026-08-01T09:30:15.5",    // no offset
            "2026-08-01T09:30Z",        // no seconds
            "2026-08-01T09:30:15+0800", // no colon
            "2026-08-01T09:30:15+08",
            "2026-08-01T09:30:15+24:00",
            "2026-08-01T09:30:15+08:60",
            "2026-08-01T09:30:15.Z", // empty fraction
            "2026-08-01T09:30:15Zx",
            "2026-08-01T24:00:00Z",
            "2026-08-01T09:60:15Z",
            "2026-08-01T09:30:61Z",
            "2026-13-01T09:30:15Z",
            "2026-00-01T09:30:15Z",
            "2026-04-31T09:30:15Z",
            "2026-08-00T09:30:15Z",
            "2025-02-29T09:30:15Z",
            "1900-02-29T09:30:15Z",
            "2026-08-01_09:30:15Z",
            "2026/08/01T09:30:15Z",
            "+026-08-01T09:30:15Z",
            "２026-08-01T09:30:15Z",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_chronos() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut date = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        for _ in 0..3_652_425 {
            let day = date.signed_duration_since(epoch).num_days() as Day;
            assert_eq!(day_text(day).parse::<NaiveDate>().ok(), Some(date));
            assert_eq!(parse_day(&day_text(day)), Some(day));
            let Some(next) = date.succ_opt() else { break };
            date = next;
        }
        assert_eq!(date.to_string(), "+10000-01-01");
    }

    #[test]
    fn times_out_of_range_are_written_as_the_nearest_within() {
        assert_eq!(text(i64::MIN), "0000-01-01T00:00:00Z");
        assert_eq!(text(i64::MAX), "9999-12-31T23:59:59Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_time_with_any_offset_is_chronos(seconds in SECONDS, minutes in -1_439i32..1_440, nanos in 0u32..1_000_000_000) {
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let utc = DateTime::from_timestamp(seconds, nanos).unwrap();
            let written = utc.with_timezone(&zone).to_rfc3339();
            prop_assume!(written.as_bytes()[4] == b'-' && !written.starts_with(['-', '+']));
            prop_assert_eq!(parse(&written), Some(seconds));
            prop_assert_eq!(parse(&text(seconds)), Some(seconds));
        }

        /// Damaged times: whatever both accept means the same, and nothing that chrono refuses is accepted.
        #[test]
        fn what_chrono_refuses_is_refused(at in 0usize..25, byte in "[0-9:+TtZz. -]") {
            let mut damaged = "2026-08-01T09:30:15+08:00".to_owned();
            damaged.replace_range(at..=at, &byte);
            let expected = DateTime::parse_from_rfc3339(&damaged).ok().map(|time| time.timestamp());
            prop_assert_eq!(parse(&damaged), expected, "{}", damaged);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}") {
            let _ = parse(&text);
            let _ = parse_day(&text);
        }
    }
}
