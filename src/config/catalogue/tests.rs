//! Files and calendars.

use chrono::DateTime;

use super::*;
use crate::model::{Calendar, Day, SplitRule};

const FILE: &str = r#"
version = 3
late_horizon_days = 10
own_channels = ["shop"]

[[feeds]]
name = "cmcc-pgw-1"
role = "settling"

[[feeds]]
name = "modem"
role = "estimate"

[[carriers]]
name = "cmcc"
zone = "Asia/Shanghai"
anchor_day = 27
split = "start"
settling_feed = "cmcc-pgw-1"
settling_days_first = 2

[[plans]]
name = "standard"
rules = [{ name = "burnt-80", burnt_percent = 80 }, { name = "left", remaining_bytes = "500MiB" }]

[[default_rules]]
name = "low"
remaining_percent = 10
"#;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn number(text: &str) -> Day {
    day(text).signed_duration_since(NaiveDate::default()).num_days() as Day
}

fn inputs<'a>() -> Inputs<'a> {
    Inputs { path: "c.toml", deployment: "test", from: day("2026-08-15"), previous: None }
}

fn error(text: &str) -> String {
    compile(text, &inputs()).unwrap_err().to_string()
}

#[test]
fn a_file_says_all_of_a_catalogue() {
    let catalogue = compile(FILE, &inputs()).unwrap();
    assert_eq!((catalogue.version, catalogue.late_horizon_days), (3, 10));
    assert_eq!((catalogue.deployment.as_str(), catalogue.own_channels.len()), ("test", 1));
    let carrier = &catalogue.carriers[0];
    assert_eq!((carrier.name.as_str(), carrier.split), ("cmcc", SplitRule::Start));
    assert_eq!(carrier.settling_feed.as_deref(), Some("cmcc-pgw-1"));
    assert_eq!((carrier.settling_days_first, carrier.settling_days_last), (2, 0));
    assert_eq!(
        catalogue.feeds[1],
        Feed { name: "modem".into(), role: FeedRole::Estimate, stale_after_minutes: None }
    );
    let rule = |name: &str, kind| Rule { name: name.into(), kind };
    let rules =
        [rule("burnt-80", RuleKind::BurntPercent(80)), rule("left", RuleKind::RemainingBytes(524_288_000))];
    assert_eq!(catalogue.plans[0].rules, rules);
    assert_eq!(catalogue.default_rules, [rule("low", RuleKind::RemainingPercent(10))]);
}

#[test]
fn what_is_wrong_is_named_with_line_and_column() {
    let cases = [
        ("Asia/Shanghai", "Asia/Shanghia", "c.toml:16:8: zone \"Asia/Shanghia\" is not a name"),
        ("anchor_day = 27", "anchor_day = 32", "c.toml:17:14: anchor_day: 32 is not within 1..=31"),
        ("version = 3", "version = 0", "c.toml:2:11: version: 0 is not within 1..=4294967295"),
        (
            "late_horizon_days = 10",
            "late_horizon_days = 7",
            "c.toml:3:21: late_horizon_days: 7 is not within 8..=35",
        ),
        (
            "settling_days_first = 2",
            "settling_days_first = 29",
            "c.toml:20:23: settling_days_first: 29 is not within 0..=28",
        ),
        (
            "role = \"estimate\"",
            "role = \"guess\"",
            "c.toml:12:8: role \"guess\" is not settling or estimate",
        ),
        (
            "burnt_percent = 80",
            "burnt_percent = 101",
            "c.toml:24:47: burnt_percent: 101 is not within 1..=100",
        ),
        ("\"500MiB\"", "\"500M\"", "c.toml:24:88: remaining_bytes: "),
        ("remaining_percent = 10", "", "c.toml:26:1: a rule has one of"),
        ("name = \"low\"", "name = \"\"", "c.toml:27:8: a name has 1 to 128 bytes, this has 0"),
    ];
    for (right, wrong, expected) in cases {
        assert!(FILE.contains(right));
        let error = error(&FILE.replace(right, wrong));
        assert!(error.starts_with(expected), "{wrong}: {error}");
    }
}

#[test]
fn a_log_of_another_time_has_calendars_of_that_time() {
    let file = format!("calendar_from = \"2019-03-10\"\n{FILE}");
    let calendar = &compile(&file, &inputs()).unwrap().carriers[0].calendar;
    assert_eq!(calendar.cycle_of(number("2019-03-10")), Some((number("2019-02-27"), number("2019-03-27"))));
    assert_eq!(calendar.cycle_of(number("2030-06-15")), None);
    let error = error(&file.replace("2019-03-10", "March"));
    assert!(error.starts_with("c.toml:1:17: calendar_from: \"March\" is not a day"), "{error}");
}

#[test]
fn figures_of_counters_are_what_the_file_says_or_the_usual_ones() {
    let of = |text: &str| compile(text, &inputs()).unwrap().counters;
    assert_eq!(of(FILE), CounterRules { wrap_mbit_s: 150, restart_divisor: 8 });
    let said = format!("{FILE}\n[counters]\nwrap_mbit_s = 1000\n");
    assert_eq!(of(&said), CounterRules { wrap_mbit_s: 1_000, restart_divisor: 8 });
    let error = error(&format!("{FILE}\n[counters]\nrestart_divisor = 1\n"));
    assert!(error.ends_with(": restart_divisor: 1 is not within 2..=1000"), "{error}");
}

#[test]
fn a_catalogue_of_an_older_version_has_the_usual_figures() {
    let mut json = serde_json::to_value(compile(FILE, &inputs()).unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("counters");
    let old: Catalogue = serde_json::from_value(json).unwrap();
    assert_eq!((old.counters, old.check()), (CounterRules::default(), Ok(())));
    let wrong = Catalogue { counters: CounterRules { wrap_mbit_s: 0, restart_divisor: 8 }, ..old };
    assert_eq!(wrong.check().unwrap_err().to_string(), "counters: wrap_mbit_s 0 is not within 1..=100000");
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let error = error(&FILE.replace("anchor_day", "anchor"));
    assert!(error.contains("line 17") && error.contains("anchor"), "{error}");
}

#[test]
fn a_settling_feed_must_be_a_feed_that_settles() {
    let error = error(&FILE.replace("settling_feed = \"cmcc-pgw-1\"", "settling_feed = \"modem\""));
    assert!(error.contains("cmcc") && error.contains("modem"), "{error}");
}

#[test]
fn what_is_wrong_with_the_whole_is_told_once() {
    let text = FILE.replace("settling_feed = \"cmcc-pgw-1\"", "settling_feed = \"nope\"");
    let error = anyhow::Error::from(compile(&text, &inputs()).unwrap_err());
    let told = "c.toml: carrier \"cmcc\": settling feed \"nope\" is not among the feeds, or does not settle";
    assert_eq!(format!("{error:#}"), told);
}

fn calendar(zone: &str, anchor_day: u32) -> Calendar {
    compile_calendar(&Months { zone: zone.parse().unwrap(), anchor_day, from: day("2026-08-15") }, None)
}

/// The UTC second of an RFC 3339 time.
fn utc(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp()
}

#[test]
fn a_cycle_begins_on_the_anchor_day_or_the_last_of_a_shorter_month() {
    let cases = [
        (1, "2026-08-31", "2026-08-01", "2026-09-01"),
        (27, "2026-08-26", "2026-07-27", "2026-08-27"),
        (27, "2026-08-27", "2026-08-27", "2026-09-27"),
        (31, "2026-08-31", "2026-08-31", "2026-09-30"),
        (31, "2026-09-30", "2026-09-30", "2026-10-31"),
        (31, "2027-02-28", "2027-02-28", "2027-03-31"),
        (31, "2027-03-30", "2027-02-28", "2027-03-31"),
        (29, "2028-02-29", "2028-02-29", "2028-03-29"),
    ];
    for (anchor_day, on, first, end) in cases {
        let cycle = calendar("Asia/Shanghai", anchor_day).cycle_of(number(on));
        assert_eq!(cycle, Some((number(first), number(end))), "anchor {anchor_day}, {on}");
    }
}

#[test]
fn days_begin_at_midnight_of_the_zone() {
    let cases = [
        ("Asia/Shanghai", "2026-08-01", "2026-08-01T00:00:00+08:00"),
        ("Europe/London", "2026-10-25", "2026-10-25T00:00:00+01:00"),
        ("Europe/London", "2026-10-26", "2026-10-26T00:00:00Z"),
        ("Europe/London", "2027-03-28", "2027-03-28T00:00:00Z"),
        ("Europe/London", "2027-03-29", "2027-03-29T00:00:00+01:00"),
        ("America/St_Johns", "2026-08-01", "2026-08-01T00:00:00-02:30"),
        ("America/St_Johns", "2026-11-02", "2026-11-02T00:00:00-03:30"),
        // Clocks go forward at midnight: the day begins at 01:00, which is 00:00 of the offset before.
        ("Africa/Cairo", "2027-04-30", "2027-04-30T01:00:00+03:00"),
        ("Africa/Cairo", "2027-05-01", "2027-05-01T00:00:00+03:00"),
    ];
    for (zone, on, expected) in cases {
        assert_eq!(calendar(zone, 1).day_start(number(on)), utc(expected), "{zone} {on}");
    }
}

#[test]
fn a_day_on_which_clocks_change_has_23_or_25_hours() {
    let calendar = calendar("Europe/London", 1);
    let hours = |on: &str| (calendar.day_end(number(on)) - calendar.day_start(number(on))) / 3_600;
    assert_eq!(["2026-10-24", "2026-10-25", "2027-03-28"].map(hours), [24, 25, 23]);
}

#[test]
fn two_years_ahead_and_the_open_days_behind_have_their_cycles() {
    for anchor_day in [1, 15, 27, 31] {
        let calendar = calendar("Asia/Shanghai", anchor_day);
        for on in ["2026-06-15", "2026-08-15", "2028-08-14"] {
            assert!(calendar.cycle_of(number(on)).is_some(), "anchor {anchor_day}, {on}");
        }
    }
}

#[test]
fn a_change_of_anchor_or_zone_starts_with_the_next_cycle() {
    let before = calendar("Asia/Shanghai", 1);
    let months = Months { zone: chrono_tz::Asia::Tokyo, anchor_day: 27, from: day("2026-08-15") };
    let after = compile_calendar(&months, Some(&before));
    assert_eq!(after.cycle_of(number("2026-08-28")), Some((number("2026-08-01"), number("2026-09-01"))));
    assert_eq!(after.cycle_of(number("2026-09-01")), Some((number("2026-09-01"), number("2026-09-27"))));
    assert_eq!(after.cycle_of(number("2026-09-27")), Some((number("2026-09-27"), number("2026-10-27"))));
    assert_eq!(after.day_start(number("2026-08-31")), utc("2026-08-31T00:00:00+08:00"));
    // The cycle before ends when it would have; by the new zone it would end an hour earlier.
    assert_eq!(after.day_start(number("2026-09-01")), utc("2026-09-01T00:00:00+08:00"));
    assert_eq!(after.day_start(number("2026-09-02")), utc("2026-09-02T00:00:00+09:00"));
    assert!(after.cycle_of(number("2028-08-14")).is_some());
}

#[test]
fn a_later_version_of_the_same_calendar_only_adds_to_it() {
    let before = calendar("Europe/London", 27);
    let months = Months { zone: chrono_tz::Europe::London, anchor_day: 27, from: day("2027-09-01") };
    let after = compile_calendar(&months, Some(&before));
    let same = before.cycle_starts.len();
    assert_eq!(after.cycle_starts[..same], before.cycle_starts[..]);
    assert_eq!(after.offsets[..before.offsets.len()], before.offsets[..]);
    assert!(after.cycle_starts.len() > same);
}

/// The carrier of [`FILE`] with its calendar of the first of months, as it was put in force in August.
fn in_force() -> Catalogue {
    compile(&FILE.replace("anchor_day = 27", "anchor_day = 1"), &inputs()).unwrap()
}

/// The cycles of a day and of the day after the first one's end, as a later version of the file has them.
fn cycles_after(text: &str, held: &Catalogue, (clock, now): (Clock, &str), on: &str) -> [(Day, Day); 2] {
    let from = today(text, Some(held), clock, utc(now));
    let next = compile(text, &Inputs { from, previous: Some(held), ..inputs() }).unwrap();
    let calendar = &next.carriers[0].calendar;
    let first = calendar.cycle_of(number(on)).unwrap();
    [first, calendar.cycle_of(first.1).unwrap()]
}

fn days(first: &str, end: &str) -> (Day, Day) {
    (number(first), number(end))
}

#[test]
fn today_is_the_carriers_own_and_the_running_cycle_is_never_cut() {
    let held = in_force();
    // Where it is 06:00 on the first of September the cycle of September has begun, though it is August in UTC.
    let cycles = cycles_after(FILE, &held, (Clock::Log, "2026-09-01T06:00:00+08:00"), "2026-09-01");
    assert_eq!(cycles, [days("2026-09-01", "2026-10-01"), days("2026-10-01", "2026-10-27")]);
    let cycles = cycles_after(FILE, &held, (Clock::Log, "2026-08-31T23:30:00+08:00"), "2026-08-31");
    assert_eq!(cycles, [days("2026-08-01", "2026-09-01"), days("2026-09-01", "2026-09-27")]);
    // Shortly before midnight records of the next cycle come already, and the meter would refuse to change it.
    let cycles = cycles_after(FILE, &held, (Clock::Log, "2026-08-31T23:59:00+08:00"), "2026-09-01");
    assert_eq!(cycles, [days("2026-09-01", "2026-10-01"), days("2026-10-01", "2026-10-27")]);
    // The zone that it comes from counts as well as the one that it goes to.
    let west = FILE.replace("Asia/Shanghai", "America/New_York");
    let cycles = cycles_after(&west, &held, (Clock::Log, "2026-09-01T06:00:00+08:00"), "2026-09-01");
    assert_eq!(cycles[0], days("2026-09-01", "2026-10-01"));
}

#[test]
fn today_is_of_the_zones_that_are_known() {
    let at = |text: &str, now: &str| today(text, None, Clock::Log, utc(now));
    assert_eq!(at(FILE, "2026-08-31T22:00:00Z"), day("2026-09-01"));
    assert_eq!(at("version = 1", "2026-08-31T22:00:00Z"), day("2026-08-31"));
    assert_eq!(at("no TOML", "2026-08-31T22:00:00Z"), day("2026-08-31"));
    let west = FILE.replace("Asia/Shanghai", "America/New_York");
    assert_eq!(at(&west, "2026-09-01T03:00:00Z"), day("2026-08-31"));
}

#[test]
fn a_day_long_ago_in_the_file_cuts_no_cycle_that_runs() {
    let held = in_force();
    let stale = format!("calendar_from = \"2026-05-01\"\n{FILE}");
    let cycles = cycles_after(&stale, &held, (Clock::Log, "2026-08-15T12:00:00Z"), "2026-08-15");
    assert_eq!(cycles, [days("2026-08-01", "2026-09-01"), days("2026-09-01", "2026-09-27")]);
    // Where the clock is supplied the file says the log's today, whatever this machine's is.
    let cycles = cycles_after(&stale, &held, (Clock::Supplied, "2026-08-15T12:00:00Z"), "2026-05-02");
    assert_eq!(cycles, [days("2026-05-01", "2026-06-01"), days("2026-06-01", "2026-06-27")]);
}

/// Whatever is written, and whenever it is applied, the meter takes it.
#[test]
fn what_is_compiled_after_a_catalogue_does_not_rewrite_what_has_begun() {
    let held = in_force();
    let times =
        ["2026-08-15T12:00:00Z", "2026-08-31T15:49:59Z", "2026-08-31T15:59:59Z", "2026-08-31T16:00:01Z"];
    let zones = ["Asia/Shanghai", "Asia/Tokyo", "Europe/London", "America/New_York"];
    for (now, zone) in times.into_iter().flat_map(|now| zones.map(|zone| (now, zone))) {
        let text = FILE.replace("Asia/Shanghai", zone);
        let from = today(&text, Some(&held), Clock::Log, utc(now));
        let next = compile(&text, &Inputs { from, previous: Some(&held), ..inputs() }).unwrap();
        assert_eq!(next.rewrites(&held, utc(now)), None, "{now} {zone}");
    }
}
