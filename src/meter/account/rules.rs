//! Rules: which are in force, whether they are right, and how near a card is to each (`domain.md` A1, A2).

use serde::{Deserialize, Serialize};

use super::Totals;
use crate::limits::{NAME_BYTES_MAX, RULES_MAX};
use crate::model::{Rule, RuleKind};

/// A rule as the state keeps it: the outside form does not pass through the checkpoint's encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) name: String,
    pub(super) kind: RuleKind,
}

impl From<&Rule> for Watch {
    fn from(rule: &Rule) -> Self {
        Self { name: rule.name.clone(), kind: rule.kind }
    }
}

impl PartialEq<Rule> for Watch {
    fn eq(&self, rule: &Rule) -> bool {
        self.kind == rule.kind && self.name == rule.name
    }
}

/// Where a card stands to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// No package in force that the rule could speak of.
    Skips,
    /// Not reached; it takes at least so many bytes more.
    Below {
        room: u64,
    },
    Reached,
}

/// The remaining bytes at which a rule is reached; `None` if it skips what is in force.
///
/// Every kind comes down to this one number, which also orders alerts by severity: the less remains, the worse.
pub(super) fn threshold(kind: RuleKind, totals: &Totals) -> Option<u64> {
    let quota = totals.quota.filter(|quota| *quota > 0)?;
    match kind {
        RuleKind::BurntPercent(percent) => {
            // burnt·100 ≥ P·quota  ⇔  burnt ≥ ⌈P·quota / 100⌉
            let burnt = (u128::from(percent) * u128::from(quota)).div_ceil(100);
            Some(quota.saturating_sub(u64::try_from(burnt).unwrap_or(u64::MAX)))
        }
        RuleKind::RemainingPercent(percent) => {
            let remaining = u128::from(percent) * u128::from(quota) / 100;
            Some(u64::try_from(remaining).unwrap_or(u64::MAX))
        }
        RuleKind::RemainingBytes(bytes) => (bytes < quota).then_some(bytes),
    }
}

/// Where a card stands to a rule.
pub(super) fn reach(kind: RuleKind, totals: &Totals) -> Reach {
    let (Some(at), Some(remaining)) = (threshold(kind, totals), totals.remaining) else {
        return Reach::Skips;
    };
    match remaining.checked_sub(at) {
        None | Some(0) => Reach::Reached,
        Some(room) => Reach::Below { room },
    }
}

/// What is wrong with a set of rules, readable.
pub(super) fn problem(rules: &[Rule]) -> Option<String> {
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
    match rule.kind {
        RuleKind::BurntPercent(percent) if !(1..=100).contains(&percent) => {
            Some(format!("rule {name:?}: burnt_percent {percent} is not within 1..=100"))
        }
        RuleKind::RemainingPercent(percent) if percent > 99 => {
            Some(format!("rule {name:?}: remaining_percent {percent} is not within 0..=99"))
        }
        _ => None,
    }
}
