//! `card_month` and `card_day`: absolute values of a card's cycles and days.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CardText, Columns, Key, card_text, date, date_time};
use crate::meter::{DayRow, MonthRow};
use crate::model::CarrierState;
use crate::rollup::RowVersion;

/// One card in one cycle; the fields are [`MonthRow`]'s.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMonth {
    pub card: CardText,
    pub cycle: u16,
    pub cycle_last: u16,
    pub carrier: Arc<str>,
    pub plan: Arc<str>,
    pub channel: Arc<str>,
    pub state: String,
    pub settling_up: u64,
    pub settling_down: u64,
    pub estimate_up: u64,
    pub estimate_down: u64,
    pub modem_up: u64,
    pub modem_down: u64,
    pub used: u64,
    pub settled: u64,
    pub provisional: u64,
    pub quota: Option<u64>,
    pub burnt: u64,
    pub remaining: u64,
    pub overage: u64,
    pub unsettled_days: u16,
    pub closed: bool,
    pub revision: u32,
    pub as_of: u32,
    pub version: u64,
    pub confirmed: String,
    pub used_while_stopped: bool,
}

impl CardMonth {
    #[must_use]
    pub fn new(row: MonthRow, version: RowVersion) -> Self {
        Self {
            card: card_text(row.card),
            cycle: date(row.cycle),
            cycle_last: date(row.cycle_last),
            carrier: row.carrier,
            plan: row.plan,
            channel: row.channel,
            state: row.state.name().to_owned(),
            settling_up: row.settling_up,
            settling_down: row.settling_down,
            estimate_up: row.estimate_up,
            estimate_down: row.estimate_down,
            modem_up: row.modem_up,
            modem_down: row.modem_down,
            used: row.used,
            settled: row.settled,
            provisional: row.provisional,
            quota: row.quota,
            burnt: row.burnt,
            remaining: row.remaining,
            overage: row.overage,
            unsettled_days: row.unsettled_days,
            closed: row.closed,
            revision: row.revision,
            as_of: date_time(row.as_of),
            version: version.as_u64(),
            confirmed: row.confirmed.map_or("", CarrierState::name).to_owned(),
            used_while_stopped: row.used_while_stopped,
        }
    }
}

impl Columns for CardMonth {
    const TABLE: &'static str = "card_month";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("cycle", "Date"),
        ("cycle_last", "Date"),
        ("carrier", "LowCardinality(String)"),
        ("plan", "LowCardinality(String)"),
        ("channel", "LowCardinality(String)"),
        ("state", "LowCardinality(String)"),
        ("settling_up", "UInt64"),
        ("settling_down", "UInt64"),
        ("estimate_up", "UInt64"),
        ("estimate_down", "UInt64"),
        ("modem_up", "UInt64"),
        ("modem_down", "UInt64"),
        ("used", "UInt64"),
        ("settled", "UInt64"),
        ("provisional", "UInt64"),
        ("quota", "Nullable(UInt64)"),
        ("burnt", "UInt64"),
        ("remaining", "UInt64"),
        ("overage", "UInt64"),
        ("unsettled_days", "UInt16"),
        ("closed", "Bool"),
        ("revision", "UInt32"),
        ("as_of", "DateTime('UTC')"),
        ("version", "UInt64"),
        ("confirmed", "LowCardinality(String)"),
        ("used_while_stopped", "Bool"),
    ];

    fn key(&self) -> Key<'_> {
        Key { card: self.card, day: self.cycle, at: 0, rest: ("", "", 0) }
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// One card on one day; the fields are [`DayRow`]'s.
#[cfg_attr(feature = "full", derive(clickhouse::Row))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardDay {
    pub card: CardText,
    pub day: u16,
    pub cycle: u16,
    pub carrier: Arc<str>,
    pub settling_up: u64,
    pub settling_down: u64,
    pub estimate_up: u64,
    pub estimate_down: u64,
    pub modem_up: u64,
    pub modem_down: u64,
    pub used: u64,
    pub complete: bool,
    pub unsettled: bool,
    pub closed: bool,
    pub as_of: u32,
    pub version: u64,
}

impl CardDay {
    #[must_use]
    pub fn new(row: DayRow, version: RowVersion) -> Self {
        Self {
            card: card_text(row.card),
            day: date(row.day),
            cycle: date(row.cycle),
            carrier: row.carrier,
            settling_up: row.settling_up,
            settling_down: row.settling_down,
            estimate_up: row.estimate_up,
            estimate_down: row.estimate_down,
            modem_up: row.modem_up,
            modem_down: row.modem_down,
            used: row.used,
            complete: row.complete,
            unsettled: row.unsettled,
            closed: row.closed,
            as_of: date_time(row.as_of),
            version: version.as_u64(),
        }
    }
}

impl Columns for CardDay {
    const TABLE: &'static str = "card_day";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("card", "FixedString(19)"),
        ("day", "Date"),
        ("cycle", "Date"),
        ("carrier", "LowCardinality(String)"),
        ("settling_up", "UInt64"),
        ("settling_down", "UInt64"),
        ("estimate_up", "UInt64"),
        ("estimate_down", "UInt64"),
        ("modem_up", "UInt64"),
        ("modem_down", "UInt64"),
        ("used", "UInt64"),
        ("complete", "Bool"),
        ("unsettled", "Bool"),
        ("closed", "Bool"),
        ("as_of", "DateTime('UTC')"),
        ("version", "UInt64"),
    ];

    fn key(&self) -> Key<'_> {
        Key { card: self.card, day: self.day, at: 0, rest: ("", "", 0) }
    }

    fn version(&self) -> u64 {
        self.version
    }
}
