//! How long an account has nothing to say, in the one word that every CDR looks at.
//!
//! Invariant: a card whose rules do not ask for it pays nothing for the rule that watches silence: whether to listen is a
//! bit beside the figure, which no amount of bytes reaches (`CARD_BYTES_MAX`).

use serde::{Deserialize, Serialize};

use crate::limits::CARD_BYTES_MAX;

/// Used bytes of the cycle up to which nothing happens, whether each record is to be told of, and whether nothing is left of
/// the packages in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Quiet(u64);

const LISTENS: u64 = 1 << 63;
const SPENT: u64 = 1 << 62;
const FOR_EVER: u64 = SPENT - 1;
const _: () = assert!(CARD_BYTES_MAX < FOR_EVER);

impl Quiet {
    /// For ever: there is nothing to look at, and nothing to burn.
    pub(super) fn always() -> Self {
        Self(SPENT | FOR_EVER)
    }

    pub(super) fn new(until: u64) -> Self {
        Self(until.min(FOR_EVER))
    }

    pub(super) fn listening(self, listens: bool) -> Self {
        Self(self.0 & !LISTENS | if listens { LISTENS } else { 0 })
    }

    pub(super) fn spent(self, spent: bool) -> Self {
        Self(self.0 & !SPENT | if spent { SPENT } else { 0 })
    }

    /// The same, but for no byte more.
    pub(super) fn no_more(self) -> Self {
        Self(self.0 & (LISTENS | SPENT))
    }

    pub(super) fn until(self) -> u64 {
        self.0 & FOR_EVER
    }

    pub(super) fn listens(self) -> bool {
        self.0 & LISTENS != 0
    }

    pub(super) fn is_spent(self) -> bool {
        self.0 & SPENT != 0
    }
}
