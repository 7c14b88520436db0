//! Rules as a card remembers them (`docs/rules.md` A1).
//!
//! A fleet has a hundred million cards and a handful of rules: cards with the same rule share it. What is written down is
//! the rule itself, so sharing is nobody's business but the memory's.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Rule, RuleKind};

/// A rule, shared.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Watch(Arc<Watched>);

/// A rule as the state keeps it: the outside form does not pass through the checkpoint's encoding.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) kind: RuleKind,
}

impl Watch {
    /// Lets go of a copy of its own for one that others have.
    pub(super) fn share(&mut self, others: &[Self]) {
        if let Some(same) = others.iter().find(|other| *other == self) {
            self.0 = Arc::clone(&same.0);
        }
    }

    /// Bytes of it, of which others may have a part.
    pub(super) fn heap_bytes(&self) -> usize {
        let bytes = size_of::<Watched>().saturating_add(self.0.name.capacity());
        bytes / Arc::strong_count(&self.0).max(1)
    }
}

impl Deref for Watch {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.0
    }
}

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Watch {}

impl From<&Rule> for Watch {
    fn from(rule: &Rule) -> Self {
        Self(Arc::new(Watched { name: rule.name.clone(), kind: rule.kind }))
    }
}
