//! The catalogue file as it is written.

use serde::Deserialize;
use toml::Spanned;

use crate::model::{CreditsPolicy, RulesPolicy, SplitRule};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub version: Spanned<i64>,
    pub late_horizon_days: Option<Spanned<i64>>,
    pub calendar_from: Option<Spanned<String>>,
    #[serde(default)]
    pub own_channels: Vec<String>,
    #[serde(default)]
    pub rules_policy: RulesPolicy,
    #[serde(default)]
    pub credits_policy: CreditsPolicy,
    #[serde(default)]
    pub carriers: Vec<Carrier>,
    #[serde(default)]
    pub feeds: Vec<Feed>,
    #[serde(default)]
    pub plans: Vec<Plan>,
    #[serde(default)]
    pub default_rules: Vec<Spanned<Rule>>,
    #[serde(default)]
    pub counters: Counters,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counters {
    pub wrap_mbit_s: Option<Spanned<i64>>,
    pub restart_divisor: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Carrier {
    pub name: Spanned<String>,
    pub zone: Spanned<String>,
    pub anchor_day: Spanned<i64>,
    #[serde(default)]
    pub split: SplitRule,
    pub settling_feed: Option<Spanned<String>>,
    pub settling_days_first: Option<Spanned<i64>>,
    pub settling_days_last: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feed {
    pub name: Spanned<String>,
    pub role: Spanned<String>,
    pub stale_after_minutes: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub name: Spanned<String>,
    #[serde(default)]
    pub suspend_on_exhaustion: bool,
    #[serde(default)]
    pub rules: Vec<Spanned<Rule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub name: Spanned<String>,
    pub burnt_percent: Option<Spanned<i64>>,
    pub remaining_percent: Option<Spanned<i64>>,
    pub remaining_bytes: Option<Spanned<Amount>>,
    pub used_bytes: Option<Spanned<Amount>>,
    pub used_day_bytes: Option<Spanned<Amount>>,
    pub expires_days: Option<Spanned<i64>>,
    pub exhausted: Option<Spanned<bool>>,
    pub no_data_hours: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Amount {
    Bytes(u64),
    Text(String),
}
