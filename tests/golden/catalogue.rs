//! Catalogues of scripts: offsets of days and starts of cycles, compiled by hand-checked rules instead of a zone database.

use tidegauge::codec::time;
use tidegauge::model::{
    Calendar, Carrier, Catalogue, CounterRules, CreditsPolicy, Day, Feed, FeedRole, OffsetFrom, Plan, Rule,
    RuleKind, RulesPolicy, SplitRule, Yes,
};

use crate::words::Words;

/// `catalogue version=1 zone=+08:00 anchor=27 from=2026-06 months=8 …` → a catalogue with one carrier, `carrier`, settled
/// by `pgw` (or `settling=pgw2`, `settling=none`), and the estimating feeds `probe` and `other`; plans `plain` and `strict`
/// (suspends when exhausted). `without=probe` names no such feed. `second=-05:00`: beside it `west`, settled by the
/// same feed, whose days are of another zone.
pub(crate) fn catalogue(words: &mut Words) -> Result<Catalogue, String> {
    let feed = |name: &str, role| Feed { name: name.to_owned(), role, stale_after_minutes: None };
    let without = words.or("without", "");
    let feeds = vec![
        Feed { stale_after_minutes: words.optional("stale")?, ..feed("pgw", FeedRole::Settling) },
        feed("pgw2", FeedRole::Settling),
        feed("probe", FeedRole::Estimate),
        feed("other", FeedRole::Estimate),
    ];
    Ok(Catalogue {
        version: words.number("version", 1)?,
        deployment: "golden".to_owned(),
        carriers: carriers(words)?,
        feeds: feeds.into_iter().filter(|feed| feed.name != without).collect(),
        plans: vec![plan("plain", false, rules(&words.or("plan_rules", ""))?), plan("strict", true, vec![])],
        default_rules: rules(&words.or("rules", ""))?,
        late_horizon_days: words.number("horizon", 8)?,
        own_channels: vec!["shop".to_owned()],
        counters: CounterRules {
            wrap_mbit_s: words.number("wrap_mbit_s", 150)?,
            restart_divisor: words.number("restart_divisor", 8)?,
        },
        credits_policy: match words.or("credits", "all").as_str() {
            "all" => CreditsPolicy::All,
            "as_many" => CreditsPolicy::AsMany,
            other => return Err(format!("credits={other}")),
        },
        rules_policy: match words.or("policy", "free").as_str() {
            "free" => RulesPolicy::Free,
            "presets" => RulesPolicy::Presets,
            other => return Err(format!("policy={other}")),
        },
    })
}

fn plan(name: &str, suspend_on_exhaustion: bool, rules: Vec<Rule>) -> Plan {
    Plan { name: name.to_owned(), rules, suspend_on_exhaustion }
}

fn carriers(words: &mut Words) -> Result<Vec<Carrier>, String> {
    let second = words.take("second");
    let mut carriers = vec![carrier(words)?];
    if let Some(zone) = second {
        let Carrier { calendar, .. } = &carriers[0];
        let offsets = vec![OffsetFrom { from: 0, offset_s: offset(&zone)? }];
        let calendar = Calendar { offsets, ..calendar.clone() };
        carriers.push(Carrier { name: "west".to_owned(), calendar, ..carriers[0].clone() });
    }
    Ok(carriers)
}

fn carrier(words: &mut Words) -> Result<Carrier, String> {
    let split = match words.or("split", "split").as_str() {
        "split" => SplitRule::Split,
        "start" => SplitRule::Start,
        "end" => SplitRule::End,
        other => return Err(format!("split={other}")),
    };
    Ok(Carrier {
        name: words.or("carrier", "carrier"),
        settling_feed: Some(words.or("settling", "pgw")).filter(|feed| feed != "none"),
        split,
        calendar: calendar(words)?,
        settling_days_first: words.number("settling_first", 0)?,
        settling_days_last: words.number("settling_last", 0)?,
    })
}

/// `zone` gives the offset from 1970 on; each of `change=2026-03-30:+02:00` another one from a day on.
fn calendar(words: &mut Words) -> Result<Calendar, String> {
    let mut offsets = vec![OffsetFrom { from: 0, offset_s: offset(&words.or("zone", "+08:00"))? }];
    while let Some(change) = words.take("change") {
        let (day, zone) = change.split_once(':').ok_or("change=DAY:OFFSET")?;
        offsets.push(OffsetFrom { from: day_of(day)?, offset_s: offset(zone)? });
    }
    if let Some(starts) = words.take("starts") {
        let cycle_starts = starts.split(',').map(day_of).collect::<Result<_, _>>()?;
        return Ok(Calendar { offsets, cycle_starts });
    }
    let anchor = words.number("anchor", 1)?;
    let (year, month) = year_month(&words.or("from", "2026-06"))?;
    let months: u32 = words.number("months", 14)?;
    let starts = (0..=months).map(|n| anchored(year, month + n, anchor));
    Ok(Calendar { offsets, cycle_starts: starts.collect::<Result<_, _>>()? })
}

/// The anchor day of a month, clamped to its last day.
fn anchored(year: u32, month: u32, anchor: u32) -> Result<Day, String> {
    let (year, month) = (year + (month - 1) / 12, (month - 1) % 12 + 1);
    let date = |day: u32| time::parse_day(&format!("{year:04}-{month:02}-{day:02}"));
    (1..=anchor).rev().find_map(date).ok_or_else(|| format!("no day {anchor} in {year}-{month}"))
}

fn year_month(text: &str) -> Result<(u32, u32), String> {
    let (year, month) = text.split_once('-').ok_or("from=YYYY-MM")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number"));
    Ok((number(year)?, number(month)?))
}

pub(crate) fn day_of(text: &str) -> Result<Day, String> {
    time::parse_day(text).ok_or_else(|| format!("{text} is no day"))
}

fn offset(zone: &str) -> Result<i32, String> {
    let midnight =
        time::parse(&format!("1970-01-01T00:00:00{zone}")).ok_or_else(|| format!("zone {zone}"))?;
    Ok(-midnight as i32)
}

/// `half:burnt%50,low:left:300,tail:left%20,much:used:900,daily:day:90,ends:ends:7,gone:gone,still:silent:6`
pub(crate) fn rules(text: &str) -> Result<Vec<Rule>, String> {
    text.split(',').filter(|rule| !rule.is_empty()).map(rule).collect()
}

fn rule(text: &str) -> Result<Rule, String> {
    let (name, kind) = text.split_once(':').ok_or_else(|| format!("{text} is no rule"))?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
    let kind = if let Some(percent) = kind.strip_prefix("burnt%") {
        RuleKind::BurntPercent(number(percent)? as u8)
    } else if let Some(percent) = kind.strip_prefix("left%") {
        RuleKind::RemainingPercent(number(percent)? as u8)
    } else if let Some(bytes) = kind.strip_prefix("left:") {
        RuleKind::RemainingBytes(number(bytes)?)
    } else if let Some(bytes) = kind.strip_prefix("used:") {
        RuleKind::UsedBytes(number(bytes)?)
    } else if let Some(bytes) = kind.strip_prefix("day:") {
        RuleKind::UsedDayBytes(number(bytes)?)
    } else if let Some(days) = kind.strip_prefix("ends:") {
        RuleKind::ExpiresDays(number(days)? as u16)
    } else if let Some(hours) = kind.strip_prefix("silent:") {
        RuleKind::NoDataHours(number(hours)? as u16)
    } else if kind == "gone" {
        RuleKind::Exhausted(Yes)
    } else {
        return Err(format!("{kind} is no kind of rule"));
    };
    Ok(Rule { name: name.to_owned(), kind })
}
