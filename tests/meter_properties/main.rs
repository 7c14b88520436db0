//! Properties of the meter, for any log that the generators can think of. The figures to compare with come from the inputs
//! or from another order of them, never from the code under test.

mod fleet;
mod opening;
mod totals;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tidegauge::meter::{CardView, Effects, Meter};
use tidegauge::model::{EventBody, Input, Ledger, LogOffset, Outcome, RuleKind};

use fleet::{CARDS, Fleet, Op, Usage, card};

/// What must not depend on the order in which usage came: all figures, but neither offsets nor how alerts stand.
fn figures(view: &CardView) -> impl PartialEq + std::fmt::Debug + use<> {
    let months =
        view.months.iter().map(|month| (month.cycle, month.used, month.settled, month.burnt, month.overage));
    let days = view.days.iter().map(|day| {
        let by = [day.settling_up, day.settling_down, day.estimate_up, day.estimate_down];
        (day.day, by, day.used, day.complete)
    });
    let packages = view.account.packages.iter().map(|p| (p.order.clone(), p.burnt, p.remaining));
    (months.collect::<Vec<_>>(), days.collect::<Vec<_>>(), packages.collect::<Vec<_>>(), view.overage)
}

/// A fleet with packages, in the middle of a cycle's edge, and the same usage in a given order.
fn fleet_of(setup: &[Op], usage: &[Usage]) -> Fleet {
    let mut fleet = Fleet::new();
    for op in setup {
        fleet.run(op);
    }
    fleet.catch_up();
    for record in usage {
        fleet.run(&Op::Usage(record.clone()));
    }
    fleet
}

fn views(fleet: &Fleet) -> Vec<CardView> {
    (0..CARDS).filter_map(|at| fleet.meter.card(card(at))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// C4, P3: any permutation of the records of open days gives the same totals and the same burn.
    #[test]
    fn no_order_of_records_makes_other_figures(
        setup in fleet::setup(),
        (usage, shuffled) in fleet::usage().prop_flat_map(|u| (Just(u.clone()), Just(u).prop_shuffle())),
    ) {
        let (a, b) = (fleet_of(&setup, &usage), fleet_of(&setup, &shuffled));
        for (a, b) in views(&a).iter().zip(&views(&b)) {
            prop_assert_eq!(figures(a), figures(b));
        }
        prop_assert_eq!(a.meter.ledger().bytes(Input::Cdr, Outcome::Counted),
            b.meter.ledger().bytes(Input::Cdr, Outcome::Counted));
    }

    /// C2: every counted byte is in the days of its feed, once; nothing is lost or made where records are split.
    #[test]
    fn what_is_counted_is_in_the_days(usage in fleet::usage()) {
        let fleet = fleet_of(&[], &usage);
        let mut sent = BTreeMap::new();
        for record in &usage {
            *sent.entry((record.card, record.settles)).or_insert(0) += record.up + record.down;
        }
        for at in 0..CARDS {
            let view = fleet.meter.card(card(at)).expect("all cards are registered");
            let settling = view.days.iter().map(|day| day.settling_up + day.settling_down).sum::<u64>();
            let estimate = view.days.iter().map(|day| day.estimate_up + day.estimate_down).sum::<u64>();
            prop_assert_eq!(settling, *sent.get(&(at, true)).unwrap_or(&0));
            prop_assert_eq!(estimate, *sent.get(&(at, false)).unwrap_or(&0));
        }
    }

    /// C4: the used of a day is the greater of the two, or the settling feed's where the day is declared; a cycle is the
    /// sum of its days.
    #[test]
    fn used_is_what_c4_says(setup in fleet::setup(), usage in fleet::usage()) {
        for view in views(&fleet_of(&setup, &usage)) {
            let mut by_cycle = BTreeMap::new();
            for day in &view.days {
                let (settling, estimate) =
                    (day.settling_up + day.settling_down, day.estimate_up + day.estimate_down);
                prop_assert_eq!(day.used, if day.complete { settling } else { settling.max(estimate) });
                *by_cycle.entry(day.cycle).or_insert(0) += day.used;
            }
            for month in &view.months {
                prop_assert_eq!(month.used, *by_cycle.get(&month.cycle).unwrap_or(&0));
            }
        }
    }

    /// P3: burnt + overage = used, in each cycle; no package burns more than its quota.
    #[test]
    fn every_byte_is_burnt_or_overage(setup in fleet::setup(), usage in fleet::usage()) {
        for view in views(&fleet_of(&setup, &usage)) {
            for month in &view.months {
                prop_assert_eq!(month.burnt + month.overage, month.used);
            }
            for package in &view.account.packages {
                prop_assert!(package.quota.is_none_or(|quota| package.burnt <= quota));
            }
        }
    }

    /// C1, C3: a repeat is a duplicate in the ledger and nothing anywhere else.
    #[test]
    fn duplicates_change_nothing_but_the_ledger(setup in fleet::setup(), usage in fleet::usage(), again in any::<prop::sample::Index>()) {
        let once = fleet_of(&setup, &usage);
        let mut twice = fleet_of(&setup, &usage);
        let events = twice.events.len();
        let repeated = if usage.is_empty() { &[][..] } else { &usage[again.index(usage.len())..] };
        for record in repeated {
            twice.run(&Op::Usage(record.clone()));
        }
        prop_assert_eq!(twice.events.len(), events);
        for (a, b) in views(&once).iter().zip(&views(&twice)) {
            prop_assert_eq!(figures(a), figures(b));
            prop_assert_eq!(&a.account, &b.account);
            prop_assert_eq!(a.changed_at, b.changed_at);
        }
        let (once, twice) = (once.meter.ledger(), twice.meter.ledger());
        let duplicates = twice.records(Input::Cdr, Outcome::Duplicate) - once.records(Input::Cdr, Outcome::Duplicate);
        prop_assert_eq!(duplicates, repeated.len() as u64);
        prop_assert_eq!(twice.records(Input::Cdr, Outcome::Counted), once.records(Input::Cdr, Outcome::Counted));
    }

    /// C1: every record has one outcome; P4, A3: no event id is used twice, whatever happens in whatever order.
    #[test]
    fn every_record_has_an_outcome_and_every_event_its_own_id(ops in fleet::ops()) {
        let mut fleet = Fleet::new();
        for op in &ops {
            fleet.run(op);
        }
        let ledger = fleet.meter.ledger();
        prop_assert!(ledger.adds_up());
        prop_assert_eq!(ledger.folded(Input::Cdr) + ledger.folded(Input::Reading) + ledger.folded(Input::Command),
            fleet.records_sent);
        let mut ids = fleet.events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>();
        ids.sort_unstable();
        prop_assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", ids);
    }

    /// A3: a rule tells once an arming, of one day, cycle or silence, and resolves at most once what it told.
    #[test]
    fn an_alert_is_told_once_an_arming(ops in fleet::ops()) {
        let mut fleet = Fleet::new();
        for op in &ops {
            fleet.run(op);
        }
        let (mut told, mut resolved) = (BTreeSet::new(), BTreeSet::new());
        for event in &fleet.events {
            match &event.body {
                EventBody::AlertFired(alert) => {
                    let of_cycle = alert.late || matches!(alert.kind, RuleKind::UsedBytes(_));
                    let past = of_cycle.then_some(alert.cycle);
                    let which = (alert.occasion.day, alert.occasion.since, past);
                    prop_assert!(told.insert((event.card, alert.rule.clone(), alert.arming, which)), "{event:?}");
                }
                EventBody::AlertResolved(alert) => {
                    let of = |t: &&(_, String, u32, _)| t.0 == event.card && t.1 == alert.rule && t.2 == alert.arming;
                    prop_assert!(told.iter().any(|t| of(&t)), "{event:?}");
                    let of_cycle = matches!(alert.kind, RuleKind::UsedBytes(_)).then_some(alert.cycle);
                    let which = (alert.occasion.day, alert.occasion.since, of_cycle);
                    prop_assert!(resolved.insert((event.card, alert.rule.clone(), alert.arming, which)), "{event:?}");
                }
                _ => {}
            }
        }
    }

    /// A8: a card's credits are those that came less those that alerts took; and no more is taken than is there.
    #[test]
    fn credits_are_what_came_less_what_was_taken(ops in fleet::ops()) {
        let mut fleet = Fleet::new();
        for op in &ops {
            fleet.run(op);
        }
        let mut left: BTreeMap<_, i64> = BTreeMap::new();
        for event in &fleet.events {
            let left = left.entry(event.card).or_default();
            match &event.body {
                EventBody::CreditsAdded { credits, .. } => *left += i64::from(*credits),
                EventBody::AlertFired(alert) => {
                    if let Some(delivery) = &alert.delivery {
                        *left -= i64::from(delivery.credits);
                        prop_assert_eq!(i64::from(delivery.balance), *left);
                        prop_assert_eq!(delivery.recipients.len(), delivery.credits as usize);
                    }
                }
                _ => {}
            }
            prop_assert!(*left >= 0);
        }
        for view in views(&fleet) {
            prop_assert_eq!(i64::from(view.credits), *left.get(&view.card).unwrap_or(&0));
        }
    }

    /// C1, C7, P3: whatever happens, the ledger adds up in records and bytes, and no cycle burns more than it has used.
    #[test]
    fn the_ledger_adds_up_and_no_cycle_burns_more_than_it_used(ops in fleet::ops()) {
        let mut fleet = Fleet::new();
        for op in &ops {
            fleet.run(op);
        }
        let ledger = fleet.meter.ledger();
        for input in Input::ALL {
            let sum = |of: fn(&Ledger, Input, Outcome) -> u64| Outcome::ALL.map(|o| of(&ledger, input, o)).iter().sum::<u64>();
            prop_assert_eq!(sum(Ledger::records), ledger.folded(input));
            prop_assert_eq!(sum(Ledger::bytes), ledger.folded_bytes(input));
        }
        for view in views(&fleet) {
            for month in &view.months {
                prop_assert_eq!(month.burnt + month.overage, month.used, "{:?}", month);
            }
        }
    }

    /// Invariant 7: the shards as they were at any one place, each at its own, and the log from there are the state of now,
    /// byte for byte; and the events after the cut are told again alike.
    #[test]
    fn chunks_and_the_log_are_the_chunks_of_now(
        ops in fleet::ops(),
        cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let mut fleet = Fleet::new();
        let mut states = vec![fleet.chunks()];
        for op in &ops {
            fleet.run(op);
            states.push(fleet.chunks());
        }
        // Every other shard was written at the second cut.
        let (a, b) = (cuts.0.index(fleet.marks.len()), cuts.1.index(fleet.marks.len()));
        let shards: Vec<&[u8]> = (0..states[a].len())
            .map(|shard| states[if shard % 2 == 0 { a } else { b }][shard].as_slice())
            .collect();
        let mut meter = Meter::restore(0, fleet.meter.head().catalogues, &shards).unwrap();
        let mut effects = Effects::default();
        let from = meter.replay_from();
        prop_assert_eq!(from, LogOffset(fleet.marks[a.min(b)] as u64));
        fleet.replay(&mut meter, from, &mut effects);
        let now = states.last().unwrap();
        let differs = fleet::chunks(&meter).iter().zip(now).position(|(replayed, now)| replayed != now);
        prop_assert_eq!(differs, None);
        if a == b {
            let again = effects.events.iter().map(|event| &event.id).collect::<Vec<_>>();
            let told = fleet.events.iter().filter(|event| fleet.told_at[&event.id] >= from.0);
            prop_assert_eq!(again, told.map(|event| &event.id).collect::<Vec<_>>());
        }
    }
}
