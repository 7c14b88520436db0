//! Card states (`docs/rules.md` S): registered → active → suspended → cancelled, resumed back to active.

use serde::{Deserialize, Serialize};

use crate::model::{CarrierState, Stopped};

/// Where a card stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardState {
    /// Known, not yet used.
    #[default]
    Registered,
    /// By first usage or first package.
    Active,
    /// By command, by the expiry of the last base package, or by exhaustion where the plan says so. Usage is counted
    /// all the same.
    Suspended,
    /// Final.
    Cancelled,
}

impl CardState {
    pub const ALL: [Self; 4] = [Self::Registered, Self::Active, Self::Suspended, Self::Cancelled];

    /// How the carrier should have set the card.
    pub(super) fn desired(self) -> CarrierState {
        match self {
            Self::Registered | Self::Active => CarrierState::Active,
            Self::Suspended => CarrierState::Suspended,
            Self::Cancelled => CarrierState::Cancelled,
        }
    }

    /// The label in metrics and rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Who suspended a card: only its owner's word outlives a recharge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspendedBy {
    #[default]
    Nobody,
    /// By command.
    Owner,
    /// The last base package expired.
    Expiry,
    /// Nothing was left of the packages in force, and the plan says so.
    Exhaustion,
}

impl From<Stopped> for SuspendedBy {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Owner => Self::Owner,
            Stopped::Expiry => Self::Expiry,
            Stopped::Exhaustion => Self::Exhaustion,
        }
    }
}
