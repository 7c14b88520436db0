//! Events of every kind, as the program has them.

use super::samples::{card, payment, recipients};
use tidegauge::model::{
    AlertData, BurntBecomes, CarrierState, Channel, CounterData, Delivery, EventBody, Mode, Move, Occasion,
    PackageData, PackageKind, RuleKind, VoidData, Withheld, Yes,
};

pub(super) fn alert(kind: RuleKind) -> AlertData {
    AlertData {
        rule: "r".into(),
        kind,
        arming: u32::MAX,
        used: u64::MAX,
        settled: 1,
        provisional: 2,
        quota: Some(3),
        burnt: 4,
        remaining: Some(5),
        overage: 6,
        settling: false,
        cycle: 20_666,
        forecast: None,
        late: false,
        occasion: Occasion::default(),
        delivery: None,
    }
}

pub(super) fn packages() -> [PackageData; 2] {
    let full = PackageData {
        order: "o".into(),
        payment: payment(),
        kind: PackageKind::Base,
        mode: Mode::Renewal,
        quota: Some(5),
        burnt: 5,
        effective_at: Some(7),
        expires_at: Some(8),
        cycle: Some(20_666),
    };
    [PackageData { quota: None, effective_at: None, expires_at: None, cycle: None, ..full.clone() }, full]
}

pub(super) fn fall() -> CounterData {
    CounterData {
        feed: "modem".into(),
        imei: Some("860000000000011".into()),
        counter: "mm".into(),
        session: None,
        day: None,
        cycle: None,
        read_at: 9,
        tx: u64::MAX,
        rx: 1,
        before_at: Some(7),
        before_tx: 2,
        before_rx: 3,
        up: 4,
        down: 5,
        taken_up: 0,
        taken_down: 0,
    }
}

pub(super) fn total() -> CounterData {
    CounterData {
        feed: "ctd".into(),
        imei: None,
        counter: "cycle-total".into(),
        session: Some("2026-08-01".into()),
        cycle: Some(20_666),
        before_at: None,
        taken_down: 6,
        ..fall()
    }
}

/// Packages taken back, and cards on their way out.
pub(super) fn taken_back() -> Vec<EventBody> {
    let mut events = vec![
        EventBody::CardWarned { days: 7, suspended_at: 1, cancelled_at: 2 },
        EventBody::CardConfirmed { state: CarrierState::Active, desired: CarrierState::Suspended },
        EventBody::CardUsedWhileStopped {
            state: CarrierState::Cancelled,
            since: 1,
            used_at: 2,
            confirmed: None,
        },
        EventBody::CardUsedWhileStopped {
            state: CarrierState::Suspended,
            since: 1,
            used_at: 2,
            confirmed: Some(CarrierState::Active),
        },
    ];
    let [queued, in_force] = packages().map(|package| PackageData { cycle: None, ..package });
    let (cause, reference) = ("command".to_owned(), Some("refund".to_owned()));
    let burnt_becomes = Some(BurntBecomes::Waived);
    events.push(EventBody::PackageVoided(VoidData { package: in_force, cause, reference, burnt_becomes }));
    let (cause, reference) = ("cancelled".to_owned(), None);
    events.push(EventBody::PackageVoided(VoidData {
        package: queued,
        cause,
        reference,
        burnt_becomes: None,
    }));
    events
}

/// One of every kind, and of some several forms. A kind that is not here does not compile.
pub(super) fn events() -> Vec<EventBody> {
    let text = |text: &str| text.to_owned();
    let mut all = vec![
        EventBody::AlertFired(alert(RuleKind::BurntPercent(100))),
        EventBody::AlertFired(alert(RuleKind::RemainingPercent(0))),
        EventBody::AlertResolved(alert(RuleKind::RemainingBytes(u64::MAX))),
        EventBody::AlertResolved(AlertData {
            quota: None,
            remaining: None,
            ..alert(RuleKind::Exhausted(Yes))
        }),
        EventBody::AlertFired(AlertData { forecast: Some(7), ..alert(RuleKind::UsedBytes(1)) }),
        EventBody::AlertFired(AlertData {
            delivery: Some(Box::new(Delivery {
                recipients: recipients(),
                withheld: vec![Withheld { channel: Channel::Sms, recipients: 2, reason: "w".into() }],
                ..Delivery::default()
            })),
            ..alert(RuleKind::BurntPercent(1))
        }),
        EventBody::AlertFired(AlertData {
            delivery: Some(Box::new(Delivery { with: Some("e".into()), ..Delivery::default() })),
            ..alert(RuleKind::BurntPercent(1))
        }),
        EventBody::UsageAdjusted {
            reference: "r".into(),
            bytes: -7,
            left_over: -1,
            day: 20_666,
            cycle: 20_666,
            used: 0,
            reason: None,
        },
        EventBody::CreditsAdded { credits: 7, balance: 8, payment: Some(payment()) },
        EventBody::CreditsAdded { credits: 7, balance: 8, payment: None },
        EventBody::CreditsMoved { reference: "r".into(), credits: 7, balance: 0, other: Move::To(card()) },
        EventBody::CreditsMoved { reference: "r".into(), credits: 7, balance: 0, other: Move::From(card()) },
        EventBody::CreditsReturned { reference: "e".into(), balance: 1 },
        EventBody::AlertFired(AlertData {
            late: true,
            occasion: Occasion { day: Some(20_665), day_used: Some(9), ..Occasion::default() },
            ..alert(RuleKind::UsedDayBytes(9))
        }),
        EventBody::AlertFired(AlertData {
            occasion: Occasion { expires_at: Some(9), ..Occasion::default() },
            ..alert(RuleKind::ExpiresDays(7))
        }),
        EventBody::AlertFired(AlertData {
            occasion: Occasion { since: Some(9), ..Occasion::default() },
            ..alert(RuleKind::NoDataHours(1))
        }),
        EventBody::RechargeRefused { order: text("o"), payment: payment(), reason: text("cancelled") },
        EventBody::CardRegistered { channel: text("web"), carrier: text("cmcc"), plan: text("p") },
        EventBody::CardOpened {
            cycle: 20_666,
            used: 7,
            overage: 1,
            credits: 2,
            packages: packages().map(|package| PackageData { cycle: None, ..package }).into(),
        },
        EventBody::CardActivated { cause: text("usage") },
        EventBody::CardSuspended { cause: text("expiry") },
        EventBody::CardResumed { cause: text("recharge") },
        EventBody::CardCancelled { cause: text("command") },
        EventBody::CycleClosed {
            cycle: 20_666,
            used: 1,
            settled: 2,
            estimate: 3,
            overage: 4,
            unsettled_days: 31,
            revision: 0,
        },
        EventBody::CycleRestated {
            cycle: 20_666,
            used: 1,
            settled: 2,
            estimate: 3,
            overage: 4,
            unsettled_days: 31,
            revision: 1,
        },
        EventBody::CommandApplied { command: text("c") },
        EventBody::CommandRefused { command: text("c"), reason: text("no such plan") },
    ];
    all.extend([
        EventBody::CounterWrapped(fall()),
        EventBody::CounterRestarted(CounterData { session: Some(text("s")), ..fall() }),
        EventBody::CounterUnexplained(CounterData { imei: None, ..fall() }),
        EventBody::CounterBegun(total()),
        EventBody::CounterLowered(total()),
    ]);
    all.extend(taken_back());
    for package in packages() {
        all.push(EventBody::PackageQueued(package.clone()));
        all.push(EventBody::PackageActivated(package.clone()));
        all.push(EventBody::PackageExpired(package.clone()));
        all.push(EventBody::PackageExhausted(package));
    }
    all
}
