//! Credits: what a card's messages cost, and who gets them (`docs/rules.md` A8).

use serde::{Deserialize, Serialize};

use super::CardId;

/// Somebody to be told of an alert beside the push that every alert is: one credit a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// A number to write to.
    Sms(String),
    /// A number to call.
    Voice(String),
}

/// How a message to a recipient goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Sms,
    Voice,
}

/// What happens when a card has fewer credits than a channel has recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditsPolicy {
    /// Nobody is told by that channel.
    #[default]
    All,
    /// As many as there are credits for, in the order in which they were set.
    AsMany,
}

/// The other card of a move of credits, when a SIM is swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// Credits leave the card of the command.
    To(CardId),
    /// They come to it.
    From(CardId),
}

/// Who is told of an alert beside the push, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Id of the event whose message this alert is told with; absent: the message is this one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Recipient>,
    /// Taken for them: one each.
    pub credits: u32,
    /// Left on the card.
    pub balance: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
}

/// A channel by which somebody is not told, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    pub channel: Channel,
    /// How many are not told.
    pub recipients: u32,
    pub reason: String,
}

impl Recipient {
    #[must_use]
    pub fn channel(&self) -> Channel {
        match self {
            Self::Sms(_) => Channel::Sms,
            Self::Voice(_) => Channel::Voice,
        }
    }

    /// The number.
    #[must_use]
    pub fn to(&self) -> &str {
        match self {
            Self::Sms(to) | Self::Voice(to) => to,
        }
    }
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Sms, Self::Voice];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
        }
    }
}
