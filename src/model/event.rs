//! Events: what the meter tells the world, once each. Their ids are deterministic, the same after any crash.

use serde::{Deserialize, Serialize};

use super::{
    BurntBecomes, CardId, CarrierState, Day, Delivery, Mode, Move, PackageKind, Payment, Position, RuleKind,
    UnixTime,
};

/// The topic an event goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Alerts,
    Activations,
    Lifecycle,
}

/// One event of one card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub card: CardId,
    /// The ICCID for display; the key's 19 characters when no line remembers the full form.
    pub iccid: String,
    /// Deterministic: `card/what/arming or order`, unique in the deployment.
    pub id: String,
    /// Effective time: of a timer its due time, else log time.
    pub at: UnixTime,
    /// Log time when it was made.
    pub log_time: UnixTime,
    /// The record that caused it; `None` when a timer did.
    pub cause: Option<Position>,
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened. `type` is the CloudEvents type without `io.tidegauge.` and `.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum EventBody {
    #[serde(rename = "alert.fired")]
    AlertFired(AlertData),
    #[serde(rename = "alert.resolved")]
    AlertResolved(AlertData),
    #[serde(rename = "package.queued")]
    PackageQueued(PackageData),
    #[serde(rename = "package.activated")]
    PackageActivated(PackageData),
    #[serde(rename = "package.expired")]
    PackageExpired(PackageData),
    #[serde(rename = "package.exhausted")]
    PackageExhausted(PackageData),
    #[serde(rename = "package.voided")]
    PackageVoided(VoidData),
    #[serde(rename = "recharge.refused")]
    RechargeRefused { order: String, payment: Payment, reason: String },
    #[serde(rename = "card.registered")]
    CardRegistered { channel: String, carrier: String, plan: String },
    /// A card came in mid-life: what it brought along (`docs/rules.md` Opening).
    #[serde(rename = "card.opened")]
    CardOpened {
        cycle: Day,
        /// Of the cycle.
        used: u64,
        overage: u64,
        credits: u32,
        /// In force, with what they had burnt.
        packages: Vec<PackageData>,
    },
    #[serde(rename = "card.activated")]
    CardActivated { cause: String },
    #[serde(rename = "card.suspended")]
    CardSuspended { cause: String },
    #[serde(rename = "card.resumed")]
    CardResumed { cause: String },
    #[serde(rename = "card.cancelled")]
    CardCancelled { cause: String },
    /// Suspended by expiry, it will be cancelled in so many days (`docs/rules.md` S1).
    #[serde(rename = "card.warned")]
    CardWarned { days: u16, suspended_at: UnixTime, cancelled_at: UnixTime },
    /// The carrier's system has said how it set the card; `desired` is how it should be.
    #[serde(rename = "card.confirmed")]
    CardConfirmed { state: CarrierState, desired: CarrierState },
    /// First usage of a card since it was suspended or cancelled.
    #[serde(rename = "card.used.stopped")]
    CardUsedWhileStopped {
        state: CarrierState,
        since: UnixTime,
        /// The end of the record.
        used_at: UnixTime,
        /// What the carrier's system said last.
        confirmed: Option<CarrierState>,
    },
    #[serde(rename = "cycle.closed")]
    CycleClosed {
        cycle: Day,
        used: u64,
        settled: u64,
        estimate: u64,
        overage: u64,
        unsettled_days: u16,
        revision: u32,
    },
    /// A cycle that was closed has other figures now (`docs/rules.md` C6).
    #[serde(rename = "cycle.restated")]
    CycleRestated {
        cycle: Day,
        used: u64,
        settled: u64,
        estimate: u64,
        overage: u64,
        unsettled_days: u16,
        /// 1 for the first restatement.
        revision: u32,
    },
    /// A 32-bit counter of a device has begun anew above 2^32.
    #[serde(rename = "counter.wrapped")]
    CounterWrapped(CounterData),
    /// A device's counters have begun anew at zero.
    #[serde(rename = "counter.restarted")]
    CounterRestarted(CounterData),
    /// A device's counters fell for no reason that can be told: it counts from the new figures on.
    #[serde(rename = "counter.unexplained")]
    CounterUnexplained(CounterData),
    /// The first total of a running cycle that a carrier tells of a card: on which of its days it was used is not known.
    #[serde(rename = "counter.begun")]
    CounterBegun(CounterData),
    /// A carrier's total is less than what the card has by it.
    #[serde(rename = "counter.lowered")]
    CounterLowered(CounterData),
    #[serde(rename = "usage.adjusted")]
    UsageAdjusted {
        reference: String,
        /// Taken of the adjustment, signed.
        bytes: i64,
        /// What could not be taken away, as usage does not go below zero.
        left_over: i64,
        /// The last day that it touched.
        day: Day,
        cycle: Day,
        /// Of the cycle now.
        used: u64,
        reason: Option<String>,
    },
    #[serde(rename = "credits.added")]
    CreditsAdded { credits: u32, balance: u32, payment: Option<Payment> },
    #[serde(rename = "credits.moved")]
    CreditsMoved {
        reference: String,
        credits: u32,
        balance: u32,
        #[serde(flatten)]
        other: Move,
    },
    #[serde(rename = "credits.returned")]
    CreditsReturned { reference: String, balance: u32 },
    #[serde(rename = "command.applied")]
    CommandApplied { command: String },
    #[serde(rename = "command.refused")]
    CommandRefused { command: String, reason: String },
}

/// What a person needs to judge an alert (`docs/rules.md` A7). Amounts in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertData {
    pub rule: String,
    pub kind: RuleKind,
    /// Which arming of the rule fired: raised by a recharge, a new cycle or package set.
    pub arming: u32,
    /// Used in the cycle.
    pub used: u64,
    pub settled: u64,
    pub provisional: u64,
    /// Quota of the packages in force; 0 (as `remaining`) without any; absent = unlimited.
    pub quota: Option<u64>,
    pub burnt: u64,
    pub remaining: Option<u64>,
    pub overage: u64,
    /// Whether the carrier is settling these days.
    pub settling: bool,
    /// First day of the cycle that it speaks of.
    pub cycle: Day,
    /// When nothing will be left, if the last days go on; absent if nothing was burnt, or the quota is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<UnixTime>,
    /// Whether that cycle is over: for push only (`docs/rules.md` A6).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// Which one of its occasions, of a rule that has several in an arming.
    #[serde(flatten)]
    pub occasion: Occasion,
    /// Who is told beside the push; absent if the card has no recipients, and of what is late or resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Box<Delivery>>,
}

/// What an alert speaks of beside its arming: a day, a silence, an end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// The day whose use it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// What that day has used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_used: Option<u64>,
    /// Since when there is no data: log time of the card's last record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixTime>,
    /// First second without a base package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixTime>,
}

/// A counter that did not simply go on (`docs/rules.md` R2, R3). Amounts in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterData {
    pub feed: String,
    /// Absent of a carrier's total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imei: Option<String>,
    pub counter: String,
    /// Absent if the reading names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The day of a day's total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// First day of the cycle of a cycle's total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Day>,
    /// Time of the reading, and its figures.
    pub read_at: UnixTime,
    pub tx: u64,
    pub rx: u64,
    /// Time of the reading before it; absent of a first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_at: Option<UnixTime>,
    /// What the counter showed before; of a total: what the card had by it.
    pub before_tx: u64,
    pub before_rx: u64,
    /// What the reading adds.
    pub up: u64,
    pub down: u64,
    /// What it takes back; only a carrier's total does.
    pub taken_up: u64,
    pub taken_down: u64,
}

/// A package in an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackageData {
    pub order: String,
    pub payment: Payment,
    pub kind: PackageKind,
    pub mode: Mode,
    /// Bytes; absent = unlimited.
    pub quota: Option<u64>,
    pub burnt: u64,
    /// First second in force; absent while queued.
    pub effective_at: Option<UnixTime>,
    /// First second no longer in force; absent while queued.
    pub expires_at: Option<UnixTime>,
    /// Which cycle's quota is exhausted, by its first day: only of a package whose quota comes anew each cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Day>,
}

/// A package taken back (`docs/rules.md` P6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoidData {
    #[serde(flatten)]
    pub package: PackageData,
    /// `command`, or `cancelled` with its card.
    pub cause: String,
    /// Of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Of one that was in force: what becomes of the bytes that it paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burnt_becomes: Option<BurntBecomes>,
}

impl EventBody {
    /// Every [`Self::kind`], as `schemas/event` names them.
    pub const KINDS: [&'static str; 30] = [
        "alert.fired",
        "alert.resolved",
        "package.queued",
        "package.activated",
        "package.expired",
        "package.exhausted",
        "package.voided",
        "recharge.refused",
        "card.registered",
        "card.opened",
        "card.activated",
        "card.suspended",
        "card.resumed",
        "card.cancelled",
        "card.warned",
        "card.confirmed",
        "card.used.stopped",
        "cycle.closed",
        "cycle.restated",
        "counter.wrapped",
        "counter.restarted",
        "counter.unexplained",
        "counter.begun",
        "counter.lowered",
        "usage.adjusted",
        "credits.added",
        "credits.moved",
        "credits.returned",
        "command.applied",
        "command.refused",
    ];

    /// The topic it goes to.
    #[must_use]
    pub fn stream(&self) -> Stream {
        match self {
            Self::AlertFired(_) | Self::AlertResolved(_) => Stream::Alerts,
            Self::PackageQueued(_)
            | Self::PackageActivated(_)
            | Self::PackageExpired(_)
            | Self::PackageExhausted(_)
            | Self::PackageVoided(_)
            | Self::RechargeRefused { .. } => Stream::Activations,
            _ => Stream::Lifecycle,
        }
    }

    /// The short type, e.g. `alert.fired`; the CloudEvents type is `io.tidegauge.` + this + `.v1`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AlertFired(_) => "alert.fired",
            Self::AlertResolved(_) => "alert.resolved",
            Self::PackageQueued(_) => "package.queued",
            Self::PackageActivated(_) => "package.activated",
            Self::PackageExpired(_) => "package.expired",
            Self::PackageExhausted(_) => "package.exhausted",
            Self::PackageVoided(_) => "package.voided",
            Self::RechargeRefused { .. } => "recharge.refused",
            Self::CardRegistered { .. } => "card.registered",
            Self::CardOpened { .. } => "card.opened",
            Self::CardActivated { .. } => "card.activated",
            Self::CardSuspended { .. } => "card.suspended",
            Self::CardResumed { .. } => "card.resumed",
            Self::CardCancelled { .. } => "card.cancelled",
            Self::CardWarned { .. } => "card.warned",
            Self::CardConfirmed { .. } => "card.confirmed",
            Self::CardUsedWhileStopped { .. } => "card.used.stopped",
            Self::CycleClosed { .. } => "cycle.closed",
            Self::CycleRestated { .. } => "cycle.restated",
            Self::CounterWrapped(_) => "counter.wrapped",
            Self::CounterRestarted(_) => "counter.restarted",
            Self::CounterUnexplained(_) => "counter.unexplained",
            Self::CounterBegun(_) => "counter.begun",
            Self::CounterLowered(_) => "counter.lowered",
            Self::UsageAdjusted { .. } => "usage.adjusted",
            Self::CreditsAdded { .. } => "credits.added",
            Self::CreditsMoved { .. } => "credits.moved",
            Self::CreditsReturned { .. } => "credits.returned",
            Self::CommandApplied { .. } => "command.applied",
            Self::CommandRefused { .. } => "command.refused",
        }
    }
}
