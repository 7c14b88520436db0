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
        ("anchor_day = 27", "anchor_day = 32", "c.toml:17:14: 32 is not within 1..=31"),
        ("version = 3", "version = 0", "c.toml:2:11: 0 is not within 1..=4294967295"),
        ("late_horizon_days = 10", "late_horizon_days = 7", "c.toml:3:21: 7 is not within 8..=35"),
        (
            "role = \"estimate\"",
            "role = \"guess\"",
            "c.toml:12:8: role \"guess\" is not settling or estimate",
        ),
        ("burnt_percent = 80", "burnt_percent = 101", "c.toml:24:47: 101 is not within 1..=100"),
        ("\"500MiB\"", "\"500M\"", "c.toml:24:88: "),
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
    assert!(error.starts_with("c.toml:1:17: \"March\" is not a day"), "{error}");
}

#[test]
fn figures_of_counters_are_what_the_file_says_or_the_usual_ones() {
    let of = |text: &str| compile(text, &inputs()).unwrap().counters;
    assert_eq!(of(FILE), CounterRules { wrap_mbit_s: 150, restart_divisor: 8 });
    let said = format!("{FILE}\n[counters]\nwrap_mbit_s = 1000\n");
    assert_eq!(of(&said), CounterRules { wrap_mbit_s: 1_000, restart_divisor: 8 });
    let error = error(&format!("{FILE}\n[counters]\nrestart_divisor = 1\n"));
    assert!(error.ends_with(": 1 is not within 2..=1000"), "{error}");
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
    assert_eq!(after.day_start(number("2026-09-01")), utc("2026-09-01T00:00:00+09:00"));
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
