//! How long an account has nothing to say, in the one word that every CDR looks at.
//!
//! Invariant: a card whose rules do not ask for it pays nothing for the rule that watches silence: whether to listen is a
//! bit beside the figure, which no amount of bytes reaches (`CARD_BYTES_MAX`).

use serde::{Deserialize, Serialize};

use crate::limits::CARD_BYTES_MAX;

/// Used bytes of the cycle up to which nothing happens, and whether each record is to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Quiet(u64);

const LISTENS: u64 = 1 << 63;
const _: () = assert!(CARD_BYTES_MAX < LISTENS);

impl Quiet {
    /// For ever: there is nothing to look at.
    pub(super) fn always() -> Self {
        Self(LISTENS - 1)
    }

    pub(super) fn new(until: u64, listens: bool) -> Self {
        Self(until.min(LISTENS - 1) | if listens { LISTENS } else { 0 })
    }

    pub(super) fn until(self) -> u64 {
        self.0 & !LISTENS
    }

    pub(super) fn listens(self) -> bool {
        self.0 & LISTENS != 0
    }
}
