//! Commands: what the vendor's systems order. The serde form of these types is the canonical JSON in the log; the
//! outside form (text amounts, RFC 3339 times, `iccid`) is read by `codec::json` and becomes this.

use serde::{Deserialize, Serialize};

use super::{CardId, Day, Move, Number, Opening, Recipient, Rule, Slice, UnixTime};

/// An amount of bytes as said in a command.
pub type Amount = u64;

/// A command of one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardCommand {
    /// Idempotent a card: the same id with the same content again is a duplicate, with other content a conflict.
    pub id: String,
    pub card: CardId,
    /// The ICCID as it was written, for display.
    pub iccid: String,
    pub at: UnixTime,
    #[serde(flatten)]
    pub body: CommandBody,
}

/// What is ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CommandBody {
    #[serde(rename = "card.register")]
    Register(Box<Register>),
    #[serde(rename = "card.suspend")]
    Suspend { reason: Option<String> },
    #[serde(rename = "card.resume")]
    Resume,
    #[serde(rename = "card.cancel")]
    Cancel { reason: Option<String> },
    /// The carrier's system says how it has set the card (`docs/rules.md` S2).
    #[serde(rename = "card.confirm")]
    Confirm { state: CarrierState },
    #[serde(rename = "recharge")]
    Recharge { order: String, channel: String, payment: Payment, package: PackageSpec, mode: Mode },
    /// An order is taken back (`docs/rules.md` P6).
    #[serde(rename = "recharge.void")]
    Void { order: String, reference: String, burnt: BurntBecomes },
    #[serde(rename = "rules.set")]
    RulesSet { rules: Vec<Rule> },
    /// They take the place of those before.
    #[serde(rename = "recipients.set")]
    RecipientsSet { recipients: Vec<Recipient> },
    #[serde(rename = "credits.add")]
    CreditsAdd { credits: u32, payment: Option<Payment> },
    /// One side of a move between two cards: both name the same reference and amount.
    #[serde(rename = "credits.move")]
    CreditsMove {
        reference: String,
        credits: u32,
        #[serde(flatten)]
        other: Move,
    },
    /// A message that did not reach its recipient: its credit comes back, once.
    #[serde(rename = "credits.return")]
    CreditsReturn {
        /// Id of the event that carried the message.
        reference: String,
        #[serde(flatten)]
        recipient: Recipient,
    },
    /// A correction by hand (`docs/rules.md` C7).
    #[serde(rename = "usage.adjust")]
    UsageAdjust {
        /// Has one effect.
        reference: String,
        /// Signed.
        bytes: i64,
        /// `None`: today, or for less the open days of the running cycle.
        day: Option<Day>,
        reason: Option<String>,
    },
    /// A record that was set aside is to count (C5).
    #[serde(rename = "record.post")]
    RecordPost {
        /// Its quarantine id.
        reference: String,
        quarantined_at: UnixTime,
        record: Box<PostedCdr>,
        /// Where it goes if its day is closed.
        #[serde(default, skip_serializing_if = "PostInto::is_open")]
        into: PostInto,
    },
    /// A type of the contract that this version refuses, with its name, so that the sender is answered.
    #[serde(rename = "unsupported")]
    Unsupported { name: String },
}

/// The cycle that takes a posted record whose day is closed (`docs/rules.md` C5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostInto {
    /// The running one, today.
    #[default]
    Open,
    /// The one that its day is of, which is restated if it has closed.
    Original,
}

impl PostInto {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

/// How a carrier has set a card: what the vendor desires is asked for by events, this is what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierState {
    Active,
    Suspended,
    Cancelled,
}

impl CarrierState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What becomes of the bytes that a voided package has paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurntBecomes {
    /// The customer owes them.
    Overage,
    /// They stay paid.
    Waived,
}

/// A CDR that is posted, of the command's card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedCdr {
    pub feed: String,
    pub id: String,
    pub start: UnixTime,
    pub end: UnixTime,
    pub up: u64,
    pub down: u64,
    /// End, up, down.
    pub slices: Vec<(UnixTime, u64, u64)>,
}

impl PostedCdr {
    /// The measured parts.
    #[must_use]
    pub fn slices(&self) -> Vec<Slice> {
        self.slices.iter().map(|&(end, up, down)| Slice { end, up, down }).collect()
    }
}

/// A card comes into being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    pub channel: String,
    pub carrier: String,
    pub plan: String,
    /// IMSI, MSISDN, IMEI of the card, at most one of a kind.
    pub numbers: Vec<Number>,
    /// Who is told of its alerts; `None` = as before.
    #[serde(default)]
    pub recipients: Option<Vec<Recipient>>,
    /// Of a card that comes in mid-life: taken once, before anything else happens to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Box<Opening>>,
}

/// What was paid, by the vendor's own books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub provider: String,
    pub reference: String,
    pub paid_at: UnixTime,
}

/// A package as ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSpec {
    pub kind: PackageKind,
    /// Bytes; `None` = unlimited.
    pub quota: Option<Amount>,
    pub validity: Validity,
    pub per: Per,
    /// Lower burns first.
    pub priority: u8,
    /// Whether it also pays the overage that the running cycle has when it starts (`docs/rules.md` P3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pays_overage: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageKind {
    Base,
    Booster,
}

/// Whether the quota is for the whole validity or anew each cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    Validity,
    Cycle,
}

/// How long a package is valid (`docs/rules.md` P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// Calendar months; the month of activation is the first; ends with the cycle's last second.
    Months(u16),
    Days(u16),
    Cycles(u16),
}

/// When a package comes into force (`docs/rules.md` P1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Immediate,
    Renewal,
    NextCycle,
}

/// A command without a card, appended to every partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Broadcast {
    /// The settling feed has declared a day whole, and with it all days before.
    #[serde(rename = "feed.complete")]
    FeedComplete { id: String, feed: String, day: Day },
    /// Moves time on in a deployment with the supplied clock; says nothing else.
    #[serde(rename = "clock.advance")]
    ClockAdvance { id: String },
}
