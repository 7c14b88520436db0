//! Absolute rows of `card_month` and `card_day`: what ClickHouse is told of a card. The order of the fields is the order
//! of the columns; the version is added when a batch is sealed. A row sent twice, or an older one sent late, does no harm.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CardState;
use crate::model::{CardId, CarrierState, Day, UnixTime};

/// Rows of some cards, to be filled by [`super::Meter::rows`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    pub months: Vec<MonthRow>,
    pub days: Vec<DayRow>,
}

/// One card in one cycle. Amounts in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthRow {
    pub card: CardId,
    /// First day of the cycle.
    pub cycle: Day,
    /// Its last day.
    pub cycle_last: Day,
    pub carrier: Arc<str>,
    pub plan: Arc<str>,
    pub channel: Arc<str>,
    pub state: CardState,
    /// How the carrier's system has said that it set the card.
    pub confirmed: Option<CarrierState>,
    /// Whether it was used in this cycle though it was suspended or cancelled.
    pub used_while_stopped: bool,
    /// Totals of the settling feed, complete days or not.
    pub settling_up: u64,
    pub settling_down: u64,
    /// Totals of the greater of the estimating feeds other than the modem.
    pub estimate_up: u64,
    pub estimate_down: u64,
    /// Totals of the modem's readings.
    pub modem_up: u64,
    pub modem_down: u64,
    /// Sum of the used of its days (`docs/rules.md` C4).
    pub used: u64,
    /// Of it: days that are complete.
    pub settled: u64,
    /// The rest.
    pub provisional: u64,
    /// Quota of the packages in force; `None` = unlimited. Of a past cycle: as it was last.
    pub quota: Option<u64>,
    pub burnt: u64,
    /// 0 where the quota is unlimited.
    pub remaining: u64,
    pub overage: u64,
    /// Days that closed without having been declared complete.
    pub unsettled_days: u16,
    pub closed: bool,
    /// 0, and one more for every restatement after the close.
    pub revision: u32,
    /// Log time of the row.
    pub as_of: UnixTime,
}

/// One card on one day of its carrier's zone. Amounts in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayRow {
    pub card: CardId,
    pub day: Day,
    /// First day of the cycle that holds it.
    pub cycle: Day,
    pub carrier: Arc<str>,
    pub settling_up: u64,
    pub settling_down: u64,
    pub estimate_up: u64,
    pub estimate_down: u64,
    pub modem_up: u64,
    pub modem_down: u64,
    pub used: u64,
    /// The settling feed has declared it whole.
    pub complete: bool,
    /// It closed without.
    pub unsettled: bool,
    pub closed: bool,
    pub as_of: UnixTime,
}
