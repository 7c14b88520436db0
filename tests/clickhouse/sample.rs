//! Rows whose every column has a value of its own.

use tidegauge::meter::{CardState, DayRow, MonthRow};
use tidegauge::model::{AlertData, CardId, CarrierState, Day, LogOffset, Occasion, RuleKind};
use tidegauge::rollup::RowVersion;

/// 2026-08-01.
pub(crate) const AUGUST: Day = 20_666;

pub(crate) fn card(n: u64) -> CardId {
    CardId::parse(&format!("{}", 8_986_001_000_000_000_000 + n)).expect("19 digits")
}

pub(crate) fn month(card_no: u64, used: u64) -> MonthRow {
    MonthRow {
        card: card(card_no),
        cycle: AUGUST,
        cycle_last: AUGUST + 30,
        carrier: "cmcc".into(),
        plan: "basic".into(),
        channel: "own".into(),
        state: CardState::Active,
        confirmed: Some(CarrierState::Active),
        used_while_stopped: false,
        settling_up: 1,
        settling_down: 2,
        estimate_up: 3,
        estimate_down: 4,
        modem_up: 5,
        modem_down: 6,
        used,
        settled: 7,
        provisional: 8,
        quota: card_no.is_multiple_of(2).then_some(500 << 20),
        burnt: 9,
        remaining: 10,
        overage: 11,
        unsettled_days: 12,
        closed: false,
        revision: 13,
        as_of: 1_785_600_000,
    }
}

pub(crate) fn day(card_no: u64, day: Day, used: u64) -> DayRow {
    DayRow {
        card: card(card_no),
        day,
        cycle: AUGUST,
        carrier: "cmcc".into(),
        settling_up: 1,
        settling_down: 2,
        estimate_up: 3,
        estimate_down: 4,
        modem_up: 5,
        modem_down: 6,
        used,
        complete: true,
        unsettled: false,
        closed: false,
        as_of: 1_785_600_000,
    }
}

pub(crate) fn version(offset: u64) -> RowVersion {
    RowVersion::new(0, LogOffset(offset))
}

pub(crate) fn alert(rule: &str) -> AlertData {
    AlertData {
        rule: rule.to_owned(),
        kind: RuleKind::BurntPercent(80),
        arming: 1,
        used: 90,
        settled: 50,
        provisional: 40,
        quota: Some(100),
        burnt: 80,
        remaining: Some(20),
        overage: 0,
        settling: false,
        cycle: AUGUST,
        forecast: None,
        late: false,
        occasion: Occasion::default(),
        delivery: None,
    }
}
