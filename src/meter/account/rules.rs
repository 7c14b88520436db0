//! Rules as a card remembers them (`domain.md` A1).

use serde::{Deserialize, Serialize};

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
