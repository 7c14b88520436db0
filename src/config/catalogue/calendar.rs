//! A zone and an anchor day → offsets of days and starts of cycles.

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, Offset as _, TimeZone as _};
use chrono_tz::Tz;

use crate::limits::CALENDAR_MONTHS;
use crate::model::{Calendar, Day, OffsetFrom, UnixTime};

/// Months compiled before the given day: days that are open still need their cycles, and those end in the month after.
const MONTHS_BEFORE: u32 = 3;

/// What a calendar is compiled from.
#[derive(Debug, Clone, Copy)]
pub struct Months {
    pub zone: Tz,
    /// 1..=31; in a shorter month its last day.
    pub anchor_day: u32,
    /// Compiled are the cycles of the three months before and the [`CALENDAR_MONTHS`] after this day.
    pub from: NaiveDate,
}

/// Compiles a calendar. Of a previous one the days and cycles that have begun on [`Months::from`] stay as they are.
#[must_use]
pub fn compile_calendar(months: &Months, previous: Option<&Calendar>) -> Calendar {
    let fresh = fresh(months);
    match previous {
        None => fresh,
        Some(previous) => continued(previous, &fresh, number(months.from)),
    }
}

fn fresh(months: &Months) -> Calendar {
    let cycle_starts = starts(months);
    let span = cycle_starts.first().zip(cycle_starts.last());
    let offsets = span.map(|(first, last)| offsets(months.zone, *first, *last)).unwrap_or_default();
    Calendar { offsets, cycle_starts }
}

/// First days of the cycles that begin from some months before to `CALENDAR_MONTHS` after, and one to end the last.
fn starts(months: &Months) -> Vec<Day> {
    let first = months.from.year() * 12 + months.from.month0() as i32 - MONTHS_BEFORE as i32;
    let count = (MONTHS_BEFORE + CALENDAR_MONTHS + 2) as i32;
    (first..first + count).filter_map(|month| anchored(month, months.anchor_day)).map(number).collect()
}

/// The anchor day of a month counted from year 0, clamped to its last day.
fn anchored(month: i32, anchor_day: u32) -> Option<NaiveDate> {
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) as u32 + 1);
    (1..=anchor_day).rev().find_map(|day| NaiveDate::from_ymd_opt(year, month, day))
}

/// Offsets of the days from first to last, one entry a change.
fn offsets(zone: Tz, first: Day, last: Day) -> Vec<OffsetFrom> {
    let mut out: Vec<OffsetFrom> = Vec::new();
    for from in first..=last {
        let offset_s = offset_at_start(zone, date(from));
        if out.last().is_none_or(|before| before.offset_s != offset_s) {
            out.push(OffsetFrom { from, offset_s });
        }
    }
    out
}

/// The zone's offset at a day's start. Where midnight comes twice the day starts at the first; where it is left out, with
/// the first second after the gap, which is midnight by the offset before it.
fn offset_at_start(zone: Tz, date: NaiveDate) -> i32 {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    match zone.offset_from_local_datetime(&midnight) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => offset.fix().local_minus_utc(),
        LocalResult::None => {
            let before = midnight.checked_sub_days(Days::new(1)).unwrap_or(midnight);
            zone.offset_from_local_datetime(&before).earliest().map_or(0, |o| o.fix().local_minus_utc())
        }
    }
}

/// The previous calendar up to the end of the cycle that holds `today`, the fresh one from there. That end is a midnight by the
/// previous zone: by a zone further east it would come before the cycle's last hours. So the first day after it begins there.
fn continued(previous: &Calendar, fresh: &Calendar, today: Day) -> Calendar {
    let Some((_, switch)) = previous.cycle_of(today) else { return fresh.clone() };
    let mut cycle_starts: Vec<Day> = previous.cycle_starts.iter().copied().filter(|d| *d <= switch).collect();
    cycle_starts.extend(fresh.cycle_starts.iter().filter(|day| **day > switch));
    let mut offsets: Vec<OffsetFrom> =
        previous.offsets.iter().copied().filter(|o| o.from <= switch).collect();
    for offset in in_force_from(&fresh.offsets, switch.saturating_add(1)) {
        if offsets.last().is_none_or(|before| before.offset_s != offset.offset_s) {
            offsets.push(offset);
        }
    }
    Calendar { offsets, cycle_starts }
}

/// The offset in force on a day, as from that day, and those after it.
fn in_force_from(offsets: &[OffsetFrom], day: Day) -> Vec<OffsetFrom> {
    let at = offsets.partition_point(|offset| offset.from <= day).saturating_sub(1);
    let rest = offsets.get(at..).unwrap_or_default();
    rest.iter().map(|offset| OffsetFrom { from: offset.from.max(day), ..*offset }).collect()
}

/// The date in a zone at a UTC second.
pub(super) fn date_in(zone: Tz, now: UnixTime) -> Option<NaiveDate> {
    DateTime::from_timestamp(now, 0).map(|now| now.with_timezone(&zone).date_naive())
}

/// The date by a compiled calendar at a UTC second.
pub(super) fn date_by(calendar: &Calendar, now: UnixTime) -> NaiveDate {
    date(calendar.day_of(now))
}

/// Days since 1970-01-01.
fn number(date: NaiveDate) -> Day {
    date.signed_duration_since(NaiveDate::default()).num_days() as Day
}

fn date(day: Day) -> NaiveDate {
    let epoch = NaiveDate::default();
    let distance = Days::new(u64::from(day.unsigned_abs()));
    let there = if day < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) };
    there.unwrap_or(epoch)
}
