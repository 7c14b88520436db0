//! A card that comes in mid-life goes on exactly like one that was used here (`docs/rules.md` Opening).
//!
//! One card is bought packages and used for a few days, which then close. Another comes with what the first one shows. What
//! happens from then on happens to both.

use proptest::prelude::*;
use tidegauge::limits::DAY_S;
use tidegauge::meter::{CardState, CardView, SuspendedBy};
use tidegauge::model::{
    EventBody, Mode, OpenedPackage, OpenedState, Opening, PackageSpec, Payment, Per, RuleKind, Stopped,
    UnixTime, Validity,
};

use crate::fleet::{CARDS, Fleet, Op, Usage, a_spec, card};

/// The card that lives here, and the one that comes in mid-life.
const LIVED: u8 = 0;
const OPENED: u8 = CARDS;

/// A cycle begins on day 60; the first card is used from day 61 on, and by day 75 the days until day 66 are closed.
const LIVES_FROM: UnixTime = 61 * DAY_S;
const OPENED_AT: UnixTime = 75 * DAY_S + 7;

/// One happening, of whichever card.
#[derive(Debug, Clone)]
enum Step {
    Used { settles: bool, up: u64, down: u64, seconds: i64 },
    Bought { spec: PackageSpec, mode: Mode },
    Void { order: u8, owed: bool },
    Suspend,
    Resume,
    Wait { seconds: i64 },
}

fn used(settles: impl Strategy<Value = bool>) -> impl Strategy<Value = Step> {
    (settles, 0u64..2_000, 0u64..9_000, 0i64..500).prop_map(|(settles, up, down, seconds)| Step::Used {
        settles,
        up,
        down,
        seconds,
    })
}

/// Packages that are still in force when the other card comes; usage by one source, so that what was told of a package is
/// still so.
fn before() -> impl Strategy<Value = Vec<Step>> {
    let spec = (a_spec(), 2u16..4)
        .prop_map(|(spec, months)| PackageSpec { validity: Validity::Months(months), ..spec });
    let bought = spec.prop_map(|spec| Step::Bought { spec, mode: Mode::Immediate });
    let wait = (0i64..20_000).prop_map(|seconds| Step::Wait { seconds });
    prop::collection::vec(prop_oneof![2 => bought, 4 => used(Just(true)), 1 => wait], 1..10)
}

fn after() -> impl Strategy<Value = Vec<Step>> {
    let mode = prop_oneof![3 => Just(Mode::Immediate), 1 => Just(Mode::Renewal), 1 => Just(Mode::NextCycle)];
    let step = prop_oneof![
        6 => used(any::<bool>()),
        2 => (a_spec(), mode).prop_map(|(spec, mode)| Step::Bought { spec, mode }),
        1 => (0u8..14, any::<bool>()).prop_map(|(order, owed)| Step::Void { order, owed }),
        1 => Just(Step::Suspend),
        1 => Just(Step::Resume),
        3 => (0i64..400_000).prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, 0..25)
}

/// Does one step to some cards; `order` is the number of one that is bought.
fn step(fleet: &mut Fleet, cards: &[u8], step: &Step, order: u8) {
    if let Step::Wait { seconds } = step {
        return fleet.run(&Op::Wait { seconds: *seconds });
    }
    for &card in cards {
        fleet.run(&match step.clone() {
            Step::Used { settles, up, down, seconds } => {
                Op::Usage(Usage { card, settles, id: u16::from(order), start: 0, seconds, up, down })
            }
            Step::Bought { spec, mode } => Op::Recharge { card, order, spec, mode, paid_hours_ago: 0 },
            Step::Void { order, owed } => Op::Void { card, order, owed },
            Step::Suspend => Op::Suspend { card },
            Step::Resume => Op::Resume { card },
            Step::Wait { seconds } => Op::Wait { seconds },
        });
    }
}

/// What a card shows, and what was paid for its packages, as what another brings along.
fn opening_of(view: &CardView, bought: &[(String, PackageSpec, UnixTime)]) -> Opening {
    let package = |(order, spec, paid_at): &(String, PackageSpec, UnixTime)| {
        let held = view.account.packages.iter().find(|package| package.order == *order)?;
        Some(OpenedPackage {
            order: order.clone(),
            channel: String::new(),
            payment: Payment {
                provider: "pay".to_owned(),
                reference: "before".to_owned(),
                paid_at: *paid_at,
            },
            kind: spec.kind,
            quota: spec.quota,
            per: spec.per,
            priority: spec.priority,
            burnt: held.burnt,
            burnt_in_cycle: (spec.per == Per::Validity).then_some(held.burnt),
            effective_at: held.effective_at?,
            expires_at: held.expires_at?,
        })
    };
    let stopped = |by| OpenedState::Suspended { by, since: view.stopped_at };
    let state = match (view.state, view.suspended_by) {
        (CardState::Suspended, SuspendedBy::Exhaustion) => stopped(Stopped::Exhaustion),
        (CardState::Suspended, SuspendedBy::Expiry) => stopped(Stopped::Expiry),
        _ => OpenedState::Active,
    };
    let packages = bought.iter().filter_map(package).collect();
    Opening { used: view.used, overage: Some(view.overage), packages, state, credits: 0 }
}

/// Lives the first card's days, then opens the other with what it shows. `None`: nothing happened to the first.
fn both(before: &[Step]) -> Option<Fleet> {
    let mut fleet = Fleet::new();
    fleet.wait_until(LIVES_FROM);
    let mut bought = Vec::new();
    for (order, happens) in (0u8..).zip(before) {
        if let Step::Bought { spec, .. } = happens {
            bought.push((fleet.order(order), spec.clone(), fleet.now));
        }
        step(&mut fleet, &[LIVED], happens, order);
        // What happens in one second is burnt anew, and what was told of it before is not brought along.
        fleet.run(&Op::Wait { seconds: 1 });
    }
    fleet.wait_until(OPENED_AT);
    let view = fleet.meter.card(card(LIVED)).expect("it is registered");
    if view.state == CardState::Registered {
        return None;
    }
    fleet.register(OPENED, Some(Box::new(opening_of(&view, &bought))));
    Some(fleet)
}

/// Figures, packages and state of a card, and the bytes burnt and overage of its cycles since the opening.
fn shown(fleet: &Fleet, at: u8) -> impl PartialEq + std::fmt::Debug + use<> {
    let view = fleet.meter.card(card(at)).expect("it is registered");
    let held = view
        .account
        .packages
        .iter()
        .chain(&view.account.queue)
        .map(|p| (p.order.clone(), p.burnt, p.remaining, p.expires_at));
    let months = view
        .months
        .iter()
        .map(|month| (month.cycle, month.used, month.burnt, month.overage, month.quota, month.remaining));
    (
        (view.state, view.suspended_by, view.used, view.quota, view.burnt, view.remaining, view.overage),
        (view.account.effective_at, view.account.expires_at),
        held.collect::<Vec<_>>(),
        months.filter(|month| month.0 >= 60).collect::<Vec<_>>(),
    )
}

/// What was told of a card from a place on: alerts with their figures (a silence counts from when a card was heard, which
/// is not brought along), and the names of the rest that usage and time bring.
fn told(fleet: &Fleet, from: usize, at: u8) -> Vec<String> {
    let of_card = fleet.events[from..].iter().filter(|event| event.card == card(at));
    let line = |body: &EventBody| match body {
        EventBody::AlertFired(alert) if !matches!(alert.kind, RuleKind::NoDataHours(_)) => {
            let figures = (alert.used, alert.quota, alert.burnt, alert.remaining, alert.overage);
            Some(format!("{} {figures:?} {} {:?}", alert.rule, alert.cycle, alert.occasion))
        }
        EventBody::PackageQueued(p)
        | EventBody::PackageActivated(p)
        | EventBody::PackageExpired(p)
        | EventBody::PackageExhausted(p) => Some(format!("{} {} {:?}", body.kind(), p.burnt, p.expires_at)),
        EventBody::PackageVoided(p) => Some(format!("voided {} {:?}", p.package.burnt, p.burnt_becomes)),
        EventBody::CardSuspended { cause } | EventBody::CardResumed { cause } => {
            Some(format!("{} {cause}", body.kind()))
        }
        EventBody::CycleClosed { cycle, used, overage, .. } if *cycle >= 60 => {
            Some(format!("closed {cycle} {used} {overage}"))
        }
        _ => None,
    };
    of_card.filter_map(|event| line(&event.body)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_card_in_mid_life_goes_on_like_one_that_was_used_here(before in before(), after in after()) {
        let Some(mut fleet) = both(&before) else { return Ok(()) };
        let opened = fleet.events.iter().any(|event| event.body.kind() == "card.opened");
        prop_assert!(opened, "{:?}", fleet.events.last());
        prop_assert_eq!(shown(&fleet, LIVED), shown(&fleet, OPENED));
        let from = fleet.events.len();
        for (order, happens) in (20u8..).zip(&after) {
            step(&mut fleet, &[LIVED, OPENED], happens, order);
            prop_assert_eq!(shown(&fleet, LIVED), shown(&fleet, OPENED));
        }
        prop_assert_eq!(told(&fleet, from, LIVED), told(&fleet, from, OPENED));
    }
}
