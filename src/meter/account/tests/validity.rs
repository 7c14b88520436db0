//! How long a package is valid, on real carriers' calendars.

use super::*;
use crate::meter::account::package::end_of;

/// China: UTC+8 throughout; cycles from the 27th: 2026-07-27, 08-27, 09-27, 10-27.
fn china_27th() -> Calendar {
    Calendar {
        offsets: vec![OffsetFrom { from: 0, offset_s: 28_800 }],
        cycle_starts: vec![20_661, 20_692, 20_723, 20_753],
    }
}

/// Germany in 2026: winter time until 29 March (day 20,541) and from 25 October (day 20,751) on; cycles from the 1st.
/// An offset is the one at the day's start, so it changes with the day after.
fn germany() -> Calendar {
    Calendar {
        offsets: vec![
            OffsetFrom { from: 0, offset_s: 3_600 },
            OffsetFrom { from: 20_542, offset_s: 7_200 },
            OffsetFrom { from: 20_752, offset_s: 3_600 },
        ],
        cycle_starts: vec![20_513, 20_544, 20_574, 20_605],
    }
}

#[test]
fn months_and_cycles_end_with_the_cycles_last_second() {
    // 20_692 is 2026-08-27; 16:00 UTC of the day before is midnight in China.
    let midnight = |local_day: i64| local_day * DAY_S - 28_800;
    let cases = [
        ("first second of a cycle", midnight(20_661), Validity::Months(1), midnight(20_692)),
        ("last second of a cycle", midnight(20_692) - 1, Validity::Months(1), midnight(20_692)),
        ("one second later", midnight(20_692), Validity::Months(1), midnight(20_723)),
        ("the month of activation is the first", midnight(20_680), Validity::Months(2), midnight(20_723)),
        ("cycles alike", midnight(20_680), Validity::Cycles(3), midnight(20_753)),
        // Two cycles are unknown to the calendar: 31 days each, so never too short.
        ("beyond the calendar", midnight(20_680), Validity::Months(5), midnight(20_753) + 62 * DAY_S),
    ];
    for (what, from, validity, end) in cases {
        assert_eq!(end_of(validity, from, &china_27th()), end, "{what}");
    }
}

#[test]
fn days_end_as_long_after_midnight_as_they_began() {
    let midnight = |local_day: i64, offset: i64| local_day * DAY_S - offset;
    let cases = [
        // 28 March 12:00 CET; the 29th has 23 hours, and 12 hours after its midnight the clocks say 13:00.
        ("onto the day of the change", midnight(20_540, 3_600) + 43_200, 1, midnight(20_541, 3_600) + 43_200),
        // 30 March 12:00 CEST: 47 hours later.
        ("over the change", midnight(20_540, 3_600) + 43_200, 2, midnight(20_542, 7_200) + 43_200),
        // 25 October has 25 hours. 24 h 30 min after its midnight there is no such time on the 26th: it ends with the day.
        ("into a shorter day", midnight(20_751, 7_200) + 88_200, 1, midnight(20_753, 3_600)),
    ];
    for (what, from, days, end) in cases {
        assert_eq!(end_of(Validity::Days(days), from, &germany()), end, "{what}");
    }
}
