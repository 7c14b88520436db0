//! Alert rules: what is watched, and whether a rule is right (`docs/rules.md` A1).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Amount;
use crate::limits::{EXPIRES_DAYS_MAX, NAME_BYTES_MAX, NO_DATA_HOURS_MAX, RULES_MAX};

/// A threshold rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique a card, e.g. `burnt-80`.
    pub name: String,
    #[serde(flatten)]
    pub kind: RuleKind,
}

/// What is watched (`docs/rules.md` A1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Burnt ≥ P % of the packages in force, 1..=100.
    BurntPercent(u8),
    /// Remaining ≤ P % of the packages in force, 0..=99.
    RemainingPercent(u8),
    /// Remaining ≤ bytes.
    RemainingBytes(Amount),
    /// Used in the cycle ≥ bytes.
    UsedBytes(Amount),
    /// Used in one day ≥ bytes.
    UsedDayBytes(Amount),
    /// The last base package ends within so many days, queued ones included.
    ExpiresDays(u16),
    /// Nothing is left of the packages in force.
    Exhausted(Yes),
    /// No usage record of the card for so many hours, though its feed is fresh.
    NoDataHours(u16),
}

/// Which rules customers may set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulesPolicy {
    #[default]
    Free,
    /// [`RuleKind::PRESETS`] only.
    Presets,
}

/// The only value of a rule that has no figure: `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yes;

impl Serialize for Yes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = bool::deserialize(deserializer)?;
        said.then_some(Self).ok_or_else(|| serde::de::Error::custom("only true can be said here"))
    }
}

impl RuleKind {
    /// What `expires_days` is unless said.
    pub const EXPIRES_DAYS: u16 = 7;

    /// The product's own rules: all that customers may set where the catalogue says so. M is MiB here.
    pub const PRESETS: [Self; 6] = [
        Self::BurntPercent(50),
        Self::BurntPercent(80),
        Self::RemainingBytes(500 << 20),
        Self::RemainingBytes(1_000 << 20),
        Self::ExpiresDays(Self::EXPIRES_DAYS),
        Self::Exhausted(Yes),
    ];

    /// Whether it speaks of a card without packages too.
    #[must_use]
    pub fn watches_usage(self) -> bool {
        matches!(self, Self::UsedBytes(_) | Self::UsedDayBytes(_) | Self::NoDataHours(_))
    }
}

/// What is wrong with a set of rules, readable.
#[must_use]
pub fn rules_problem(rules: &[Rule]) -> Option<String> {
    if rules.len() > RULES_MAX {
        return Some(format!("{} rules: a card has at most {RULES_MAX}", rules.len()));
    }
    rules.iter().enumerate().find_map(|(at, rule)| problem_of(rule, rules.get(..at)?))
}

fn problem_of(rule: &Rule, before: &[Rule]) -> Option<String> {
    let name = &rule.name;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Some(format!("rule name {name:?}: a name has 1 to {NAME_BYTES_MAX} bytes"));
    }
    if before.iter().any(|other| other.name == *name) {
        return Some(format!("rule {name:?} is named twice: give each rule a name of its own"));
    }
    problem_of_kind(rule.kind).map(|problem| format!("rule {name:?}: {problem}"))
}

/// What can never be, or always is.
fn problem_of_kind(kind: RuleKind) -> Option<String> {
    match kind {
        RuleKind::BurntPercent(percent) if !(1..=100).contains(&percent) => {
            Some(format!("burnt_percent {percent} is not within 1..=100"))
        }
        RuleKind::RemainingPercent(percent) if percent > 99 => {
            Some(format!("remaining_percent {percent} is not within 0..=99"))
        }
        RuleKind::UsedBytes(0) => Some("used_bytes 0 is reached always: say at least 1".to_owned()),
        RuleKind::UsedDayBytes(0) => Some("used_day_bytes 0 is reached always: say at least 1".to_owned()),
        RuleKind::ExpiresDays(days) if !(1..=EXPIRES_DAYS_MAX).contains(&days) => {
            Some(format!("expires_days {days} is not within 1..={EXPIRES_DAYS_MAX}"))
        }
        RuleKind::NoDataHours(hours) if !(1..=NO_DATA_HOURS_MAX).contains(&hours) => {
            Some(format!("no_data_hours {hours} is not within 1..={NO_DATA_HOURS_MAX}"))
        }
        _ => None,
    }
}

/// The first rule that is none of the product's presets.
#[must_use]
pub fn beyond_presets(rules: &[Rule]) -> Option<String> {
    let own = rules.iter().find(|rule| !RuleKind::PRESETS.contains(&rule.kind))?;
    Some(format!(
        "rule {:?} is none of the presets, and customers may set only these: burnt 50 or 80 percent, 500 or 1000 MiB \
         remaining, expires within 7 days, exhausted",
        own.name
    ))
}
