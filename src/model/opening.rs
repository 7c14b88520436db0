//! A start in mid-life: what a card that was sold and used elsewhere brings along, in its `card.register`.

use serde::{Deserialize, Serialize};

use super::{Amount, PackageKind, Payment, Per, UnixTime};

/// Where a card stands when it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Used in the running cycle, by all that was metered elsewhere: none of it comes again as records.
    pub used: Amount,
    /// Of it: not burnt from any package; `None` = what the packages here have not burnt of it.
    pub overage: Option<Amount>,
    /// In force; none is queued.
    pub packages: Vec<OpenedPackage>,
    pub state: OpenedState,
    pub credits: u32,
}

/// A package in force that has burnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedPackage {
    pub order: String,
    /// Empty: the one that sold the card.
    pub channel: String,
    pub payment: Payment,
    pub kind: PackageKind,
    /// Bytes; `None` = unlimited.
    pub quota: Option<Amount>,
    pub per: Per,
    /// Lower burns first.
    pub priority: u8,
    /// Of the quota that counts now: of the whole validity, or of the running cycle.
    pub burnt: Amount,
    /// Of it in the running cycle; to be said of a package that began before and whose quota is not anew each cycle.
    pub burnt_in_cycle: Option<Amount>,
    /// First second in force.
    pub effective_at: UnixTime,
    /// First second no longer in force.
    pub expires_at: UnixTime,
}

/// The state that a card comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenedState {
    Active,
    Suspended {
        by: Stopped,
        /// `None` = now.
        since: Option<UnixTime>,
    },
}

/// Who or what suspended a card before it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    Owner,
    Expiry,
    Exhaustion,
}

impl OpenedPackage {
    /// What of its burnt bytes is of the cycle that began at a second; `None`: it would have to say.
    #[must_use]
    pub fn in_cycle(&self, cycle_began: UnixTime) -> Option<Amount> {
        let all = self.per == Per::Cycle || self.effective_at >= cycle_began;
        if all { Some(self.burnt) } else { self.burnt_in_cycle }
    }
}
