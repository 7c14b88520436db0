//! `alerts`, `activations` and `lifecycle`: a row an event id. What is asked for often has a column; `data` holds the
//! event's whole data, so that nothing is lost that a later version adds.

use serde::{Deserialize, Serialize};

use super::{CardText, Columns, Key, day_of};

/// An alert fired or resolved (`docs/rules.md` A7). Amounts in bytes.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub card: CardText,
    pub at: u32,
    pub id: String,
    pub r#type: String,
    pub iccid: String,
    pub rule: String,
    pub arming: u32,
    pub cycle: u16,
    pub used: u64,
    pub settled: u64,
    pub provisional: u64,
    pub quota: Option<u64>,
    pub burnt: u64,
    pub remaining: u64,
    pub overage: u64,
    pub settling: bool,
    pub data: String,
    pub topic_partition: u32,
    pub topic_offset: u64,
}

impl Columns for Alert {
    const TABLE: &'static str = "alerts";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("at", "DateTime('UTC')"),
        ("id", "String"),
        ("type", "LowCardinality(String)"),
        ("iccid", "String"),
        ("rule", "LowCardinality(String)"),
        ("arming", "UInt32"),
        ("cycle", "Date"),
        ("used", "UInt64"),
        ("settled", "UInt64"),
        ("provisional", "UInt64"),
        ("quota", "Nullable(UInt64)"),
        ("burnt", "UInt64"),
        ("remaining", "UInt64"),
        ("overage", "UInt64"),
        ("settling", "Bool"),
        ("data", "String"),
        ("topic_partition", "UInt32"),
        ("topic_offset", "UInt64"),
    ];

    fn key(&self) -> Key<'_> {
        Key { card: self.card, day: day_of(self.at), at: self.at, rest: (&self.id, "", 0) }
    }

    fn version(&self) -> u64 {
        self.topic_offset
    }
}

/// What became of a recharge and its package.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    pub card: CardText,
    pub at: u32,
    pub id: String,
    pub r#type: String,
    pub iccid: String,
    pub order_id: String,
    pub provider: String,
    pub reference: String,
    pub paid_at: Option<u32>,
    pub kind: String,
    pub mode: String,
    pub quota: Option<u64>,
    pub burnt: u64,
    pub effective_at: Option<u32>,
    pub expires_at: Option<u32>,
    pub reason: String,
    pub data: String,
    pub topic_partition: u32,
    pub topic_offset: u64,
}

impl Columns for Activation {
    const TABLE: &'static str = "activations";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("at", "DateTime('UTC')"),
        ("id", "String"),
        ("type", "LowCardinality(String)"),
        ("iccid", "String"),
        ("order_id", "String"),
        ("provider", "LowCardinality(String)"),
        ("reference", "String"),
        ("paid_at", "Nullable(DateTime('UTC'))"),
        ("kind", "LowCardinality(String)"),
        ("mode", "LowCardinality(String)"),
        ("quota", "Nullable(UInt64)"),
        ("burnt", "UInt64"),
        ("effective_at", "Nullable(DateTime('UTC'))"),
        ("expires_at", "Nullable(DateTime('UTC'))"),
        ("reason", "String"),
        ("data", "String"),
        ("topic_partition", "UInt32"),
        ("topic_offset", "UInt64"),
    ];

    fn key(&self) -> Key<'_> {
        Key { card: self.card, day: day_of(self.at), at: self.at, rest: (&self.id, "", 0) }
    }

    fn version(&self) -> u64 {
        self.topic_offset
    }
}

/// A card's states, its cycles, and the answers to commands.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    pub card: CardText,
    pub at: u32,
    pub id: String,
    pub r#type: String,
    pub iccid: String,
    pub command: String,
    pub cause: String,
    pub reason: String,
    pub cycle: Option<u16>,
    pub used: u64,
    pub settled: u64,
    pub estimate: u64,
    pub overage: u64,
    pub unsettled_days: u16,
    pub revision: u32,
    pub data: String,
    pub topic_partition: u32,
    pub topic_offset: u64,
}

impl Columns for Lifecycle {
    const TABLE: &'static str = "lifecycle";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("at", "DateTime('UTC')"),
        ("id", "String"),
        ("type", "LowCardinality(String)"),
        ("iccid", "String"),
        ("command", "String"),
        ("cause", "LowCardinality(String)"),
        ("reason", "String"),
        ("cycle", "Nullable(Date)"),
        ("used", "UInt64"),
        ("settled", "UInt64"),
        ("estimate", "UInt64"),
        ("overage", "UInt64"),
        ("unsettled_days", "UInt16"),
        ("revision", "UInt32"),
        ("data", "String"),
        ("topic_partition", "UInt32"),
        ("topic_offset", "UInt64"),
    ];

    fn key(&self) -> Key<'_> {
        Key { card: self.card, day: day_of(self.at), at: self.at, rest: (&self.id, "", 0) }
    }

    fn version(&self) -> u64 {
        self.topic_offset
    }
}
