//! Properties of the totals that carriers tell (`docs/rules.md` R3).

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidegauge::meter::CardView;
use tidegauge::model::TotalOf;

use crate::fleet::{Fleet, Op, Total, card, setup};

/// Totals of one card by the settling feed, told at different minutes of the last four days, all of which are open.
fn totals(of: TotalOf) -> impl Strategy<Value = Vec<Total>> {
    let total = (0i64..4 * 1_440, 0u64..1_000, 0u64..10_000).prop_map(move |(minutes_ago, up, down)| Total {
        card: 0,
        settles: true,
        of,
        minutes_ago,
        up,
        down,
    });
    prop::collection::vec(total, 1..12).prop_map(|mut totals| {
        totals.sort_by_key(|total| std::cmp::Reverse(total.minutes_ago));
        totals.dedup_by_key(|total| total.minutes_ago);
        totals
    })
}

fn told(setup: &[Op], totals: &[Total]) -> CardView {
    let mut fleet = Fleet::new();
    for op in setup {
        fleet.run(op);
    }
    fleet.catch_up();
    for total in totals {
        fleet.run(&Op::Total(total.clone()));
    }
    fleet.meter.card(card(0)).expect("all cards are registered")
}

fn by_day(view: &CardView) -> BTreeMap<i32, (u64, u64)> {
    let days = view.days.iter().filter(|day| day.settling_up + day.settling_down > 0);
    days.map(|day| (day.day, (day.settling_up, day.settling_down))).collect()
}

fn conserved(view: &CardView) -> Result<(), TestCaseError> {
    for month in &view.months {
        prop_assert_eq!(month.burnt + month.overage, month.used);
        let days = view.days.iter().filter(|day| day.cycle == month.cycle);
        prop_assert_eq!(month.used, days.map(|day| day.used).sum::<u64>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// In any order of its totals a day is what the newest of them says. When in the day it was used depends on which totals came
    /// in time.
    #[test]
    fn a_day_is_its_newest_total(
        setup in setup(),
        (told_in_order, shuffled) in totals(TotalOf::Day).prop_flat_map(|t| (Just(t.clone()), Just(t).prop_shuffle())),
    ) {
        let (a, b) = (told(&setup, &told_in_order), told(&setup, &shuffled));
        prop_assert_eq!(by_day(&a), by_day(&b));
        let newest = told_in_order.last().expect("at least one");
        let sums = by_day(&a).into_values().next_back().unwrap_or_default();
        if (newest.up, newest.down) != (0, 0) {
            prop_assert_eq!(sums, (newest.up, newest.down));
        }
        conserved(&a)?;
        conserved(&b)?;
    }

    /// The last cycle's total is the last one told, however they rose and fell: all its days are open.
    #[test]
    fn a_cycle_is_its_last_total(setup in setup(), totals in totals(TotalOf::Cycle)) {
        let view = told(&setup, &totals);
        let last = totals.last().expect("at least one");
        let mut months = view.months.iter().filter(|month| month.settling_up + month.settling_down > 0);
        let sums = months.next_back().map_or((0, 0), |month| (month.settling_up, month.settling_down));
        if (last.up, last.down) != (0, 0) {
            prop_assert_eq!(sums, (last.up, last.down));
        }
        conserved(&view)?;
    }
}
