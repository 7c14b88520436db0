//! The carriers, calendars and plans of a simulated world: zones with and without summer time, anchors that clamp.

use chrono::{Datelike, NaiveDate};

use crate::log::sim::Rng;
use crate::model::{
    Calendar, Carrier, Catalogue, CounterRules, CreditsPolicy, Day, Feed, FeedRole, OffsetFrom, Plan, Rule,
    RuleKind, RulesPolicy, SplitRule, Yes,
};

/// Name of the simulated deployment.
pub(super) const DEPLOYMENT: &str = "sim";
/// The channel whose recharges are accepted, and one whose are not.
pub(super) const OWN_CHANNEL: &str = "shop";
pub(super) const FOREIGN_CHANNEL: &str = "rival";

/// A carrier and its settling feed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) carrier: &'static str,
    pub(super) settling: Option<&'static str>,
}

/// Carriers by number.
pub(super) const PLACES: [Place; 4] = [
    Place { carrier: "alpha", settling: Some("alpha-cdr") },
    Place { carrier: "beta", settling: Some("beta-cdr") },
    Place { carrier: "gamma", settling: None },
    Place { carrier: "delta", settling: Some(DELTA_TOTALS) },
];

/// The settling feed that tells totals (and, by mistake, CDRs).
pub(super) const DELTA_TOTALS: &str = "delta-totals";
/// The estimating feed that tells totals.
pub(super) const TARIFF: &str = "tariff";
/// The estimating feed that sends CDRs; the other is the modem.
pub(super) const ROAMING: &str = "roam";
pub(super) const PLANS: [&str; 2] = ["plain", "capped"];

/// Days since 1970 of a date.
pub(super) fn day(year: i32, month: u32, day: u32) -> Day {
    let last = (28..=31).rev().find_map(|last| NaiveDate::from_ymd_opt(year, month, day.min(last)));
    last.map_or(0, |date| date.num_days_from_ce() - 719_163)
}

/// First days of the cycles of an anchor, from 2025 to 2027, clamped in short months.
fn cycle_starts(anchor: u32) -> Vec<Day> {
    (2025..=2027).flat_map(|year| (1..=12).map(move |month| day(year, month, anchor))).collect()
}

fn calendar(offsets: &[(Day, i32)], anchor: u32) -> Calendar {
    let offsets = offsets.iter().map(|&(from, offset_s)| OffsetFrom { from, offset_s }).collect();
    Calendar { offsets, cycle_starts: cycle_starts(anchor) }
}

/// Central European time of 2026: the last Sundays of March and October.
fn summer_time() -> Vec<(Day, i32)> {
    vec![(0, 3_600), (day(2026, 3, 30), 7_200), (day(2026, 10, 26), 3_600)]
}

fn rule(name: &str, kind: RuleKind) -> Rule {
    Rule { name: name.to_owned(), kind }
}

/// The catalogue of a world, as drawn.
pub(super) fn catalogue(rng: &mut Rng) -> Catalogue {
    let splits = [SplitRule::Split, SplitRule::Split, SplitRule::Start, SplitRule::End];
    let mut split = || rng.pick(&splits).copied().unwrap_or_default();
    let carriers = vec![
        carrier(0, split(), calendar(&[(0, 8 * 3_600)], 1)),
        carrier(1, split(), calendar(&[(0, 8 * 3_600)], 27)),
        carrier(2, split(), calendar(&summer_time(), 31)),
        carrier(3, split(), calendar(&summer_time(), 15)),
    ];
    let feed = |name: &str, role| Feed { name: name.to_owned(), role, stale_after_minutes: None };
    Catalogue {
        version: 1,
        deployment: DEPLOYMENT.to_owned(),
        carriers,
        feeds: vec![
            Feed {
                stale_after_minutes: rng.coin().then_some(4 * 1_440),
                ..feed("alpha-cdr", FeedRole::Settling)
            },
            feed("beta-cdr", FeedRole::Settling),
            feed(DELTA_TOTALS, FeedRole::Settling),
            feed(TARIFF, FeedRole::Estimate),
            feed(ROAMING, FeedRole::Estimate),
            feed("modem", FeedRole::Estimate),
        ],
        plans: vec![
            Plan { name: PLANS[0].to_owned(), rules: vec![], suspend_on_exhaustion: false },
            Plan {
                name: PLANS[1].to_owned(),
                rules: vec![
                    rule("plan-90", RuleKind::BurntPercent(90)),
                    rule("plan-last", RuleKind::RemainingBytes(1_000_000)),
                    rule("plan-gone", RuleKind::Exhausted(Yes)),
                    rule("plan-used", RuleKind::UsedBytes(30_000_000)),
                    rule("plan-silent", RuleKind::NoDataHours(2)),
                ],
                suspend_on_exhaustion: true,
            },
        ],
        default_rules: vec![
            rule("burnt-50", RuleKind::BurntPercent(50)),
            rule("burnt-80", RuleKind::BurntPercent(80)),
            rule("ends", RuleKind::ExpiresDays(2)),
        ],
        late_horizon_days: *rng.pick(&[8, 8, 9, 12]).unwrap_or(&8),
        own_channels: vec![OWN_CHANNEL.to_owned()],
        counters: CounterRules {
            wrap_mbit_s: *rng.pick(&[150, 150, 1, 10_000]).unwrap_or(&150),
            restart_divisor: *rng.pick(&[8, 8, 2, 50]).unwrap_or(&8),
        },
        rules_policy: *rng
            .pick(&[RulesPolicy::Free, RulesPolicy::Free, RulesPolicy::Free, RulesPolicy::Presets])
            .unwrap_or(&RulesPolicy::Free),
        credits_policy: *rng
            .pick(&[CreditsPolicy::All, CreditsPolicy::AsMany])
            .unwrap_or(&CreditsPolicy::All),
    }
}

fn carrier(place: usize, split: SplitRule, calendar: Calendar) -> Carrier {
    Carrier {
        name: PLACES[place].carrier.to_owned(),
        settling_feed: PLACES[place].settling.map(str::to_owned),
        split,
        calendar,
        settling_days_first: 3,
        settling_days_last: 2,
    }
}

/// The next version: other default rules, often a longer horizon, all else as it was. At twenty days no card here has more cuts
/// than a card may have.
pub(super) fn revised(before: &Catalogue, rng: &mut Rng) -> Catalogue {
    let percent = 40 + rng.below(50) as u8;
    let longer = *rng.pick(&[0, 0, 1, 3, 8]).unwrap_or(&0);
    Catalogue {
        version: before.version + 1,
        late_horizon_days: before.late_horizon_days.saturating_add(longer).min(20),
        default_rules: vec![
            rule("burnt-50", RuleKind::BurntPercent(50)),
            rule("left-10", RuleKind::RemainingPercent(10)),
            rule("moved", RuleKind::BurntPercent(percent)),
            rule("a-day", RuleKind::UsedDayBytes(10_000_000)),
        ],
        ..before.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_of_every_world_holds() {
        for seed in 0..32 {
            let mut rng = Rng::new(seed);
            let first = catalogue(&mut rng);
            assert_eq!(first.check(), Ok(()));
            assert_eq!(revised(&first, &mut rng).check(), Ok(()));
        }
    }

    #[test]
    fn anchors_clamp_in_short_months() {
        assert_eq!(day(1970, 1, 1), 0);
        assert_eq!(day(2026, 2, 31), day(2026, 2, 28));
        assert_eq!(day(2026, 4, 31), day(2026, 4, 30));
    }
}
