//! Names that many cards of a shard share (carrier, plan, channel), kept once; a card holds their numbers.
//!
//! Invariant: numbers are given in the order in which names were first met, so that a replay gives the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Number of a name within its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NameId(u16);

/// Names of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Names(Vec<Arc<str>>);

impl Names {
    /// The number of a name; `None` if the shard has met more names than there are numbers.
    pub(super) fn intern(&mut self, name: &str) -> Option<NameId> {
        let known = self.0.iter().position(|held| **held == *name);
        let at = u16::try_from(known.unwrap_or(self.0.len())).ok()?;
        if known.is_none() {
            self.0.push(name.into());
        }
        Some(NameId(at))
    }

    /// The number of a name that was met.
    pub(super) fn find(&self, name: &str) -> Option<NameId> {
        let at = self.0.iter().position(|held| **held == *name)?;
        u16::try_from(at).ok().map(NameId)
    }

    pub(super) fn get(&self, id: NameId) -> &str {
        self.0.get(usize::from(id.0)).expect("a card's names were interned in its shard")
    }

    /// The same, to be kept.
    pub(super) fn shared(&self, id: NameId) -> Arc<str> {
        Arc::clone(self.0.get(usize::from(id.0)).expect("a card's names were interned in its shard"))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

impl NameId {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}
