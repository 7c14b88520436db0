//! Properties, against an auditor that burns byte by byte and knows no segments' sums.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Days in which everything happens: over two cycles' edge.
const DAYS: std::ops::Range<i64> = 26..34;

fn order() -> impl Strategy<Value = (i64, Ordered)> {
    let quota = prop_oneof![1 => Just(None), 6 => (1u64..30).prop_map(Some)];
    let validity = prop_oneof![(1u16..6).prop_map(Validity::Days), (1u16..3).prop_map(Validity::Months)];
    (DAYS, quota, validity, any::<bool>(), 0u8..3).prop_map(|(at, quota, validity, per_cycle, priority)| {
        let order = Ordered::new("", 1).with(|o| {
            o.package.quota = quota;
            o.package.validity = validity;
            o.package.per = if per_cycle { Per::Cycle } else { Per::Validity };
            o.package.priority = priority;
        });
        (at, order)
    })
}

fn orders() -> impl Strategy<Value = Vec<(i64, Ordered)>> {
    prop::collection::vec(order(), 0..6).prop_map(|mut orders| {
        orders.sort_by_key(|(at, _)| *at);
        for (n, (_, order)) in orders.iter_mut().enumerate() {
            order.id = format!("o{n}");
        }
        orders
    })
}

/// Bytes at days: places in `DAYS`, one segment a day.
fn usage() -> impl Strategy<Value = Vec<(i64, u64)>> {
    prop::collection::vec((DAYS, 0u64..25), 0..12)
}

fn rules() -> [(&'static str, RuleKind); 4] {
    [
        ("burnt-50", RuleKind::BurntPercent(50)),
        ("burnt-80", RuleKind::BurntPercent(80)),
        ("left-20", RuleKind::RemainingPercent(20)),
        ("left-5", RuleKind::RemainingBytes(5)),
    ]
}

/// All orders at their days, with every timer between; usage afterwards, as if it all came late.
fn card_of(orders: &[(i64, Ordered)], usage: &[(i64, u64)]) -> Card {
    let mut card = Card::new(&rules());
    for (at, order) in orders {
        card.passes(day(*at));
        card.orders(day(*at), order);
    }
    card.passes(day(DAYS.end));
    for (at, bytes) in usage {
        card.uses_at(day(*at), *bytes, day(DAYS.end));
    }
    card
}

/// Each byte by itself asks the packages in burn order. Gives burnt by cycle.
fn audit(orders: &[(i64, Ordered)], usage: &[(i64, u64)]) -> BTreeMap<Day, u64> {
    let mut by_day = BTreeMap::<i64, u64>::new();
    for (at, bytes) in usage {
        *by_day.entry(*at).or_default() += bytes;
    }
    let end = |at: i64, order: &Ordered| match order.package.validity {
        Validity::Days(n) => at + i64::from(n),
        Validity::Months(n) | Validity::Cycles(n) => (at / 30 + i64::from(n)) * 30,
    };
    let mut packages = orders.iter().enumerate().collect::<Vec<_>>();
    packages.sort_by_key(|(n, (at, order))| (order.package.priority, end(*at, order), *n));
    let mut burnt = BTreeMap::<(usize, i64), u64>::new();
    let mut by_cycle = BTreeMap::<Day, u64>::new();
    for (on, bytes) in by_day {
        for _ in 0..bytes {
            let payer = packages.iter().find_map(|(n, (at, order))| {
                let quota_of = if order.package.per == Per::Cycle { on / 30 } else { 0 };
                let left = order.package.quota.is_none_or(|q| q > *burnt.get(&(*n, quota_of)).unwrap_or(&0));
                (*at <= on && on < end(*at, order) && left).then_some((*n, quota_of))
            });
            if let Some(payer) = payer {
                *burnt.entry(payer).or_default() += 1;
                *by_cycle.entry((on / 30 * 30) as Day).or_default() += 1;
            }
        }
    }
    by_cycle
}

fn burnt_by_cycle(card: &mut Card) -> BTreeMap<Day, u64> {
    let burnt = |cycle| card.at(day(DAYS.end), |account, ctx| account.cycle_burnt(ctx, cycle));
    [0, 30].map(burnt_pair(burnt)).into_iter().filter(|(_, bytes)| *bytes > 0).collect()
}

fn burnt_pair(mut burnt: impl FnMut(Day) -> u64) -> impl FnMut(Day) -> (Day, u64) {
    move |cycle| (cycle, burnt(cycle))
}

proptest! {
    #[test]
    fn burn_is_what_the_auditor_burns_byte_by_byte(orders in orders(), usage in usage()) {
        let mut card = card_of(&orders, &usage);
        prop_assert_eq!(burnt_by_cycle(&mut card), audit(&orders, &usage));
    }

    #[test]
    fn burnt_and_overage_are_what_was_used(orders in orders(), usage in usage()) {
        let mut card = card_of(&orders, &usage);
        let now = day(DAYS.end);
        let overage = card.totals(now).overage;
        let in_cycle = usage.iter().filter(|(at, _)| *at >= 30).map(|(_, bytes)| bytes).sum::<u64>();
        prop_assert_eq!(card.at(now, |account, ctx| account.cycle_burnt(ctx, 30)) + overage, in_cycle);
    }

    #[test]
    fn the_order_in_which_usage_comes_changes_no_burn(
        orders in orders(),
        (usage, shuffled) in usage().prop_flat_map(|u| (Just(u.clone()), Just(u).prop_shuffle())),
    ) {
        let now = day(DAYS.end);
        let (mut a, mut b) = (card_of(&orders, &usage), card_of(&orders, &shuffled));
        prop_assert_eq!(a.totals(now), b.totals(now));
        prop_assert_eq!(a.view(now).packages, b.view(now).packages);
    }

    #[test]
    fn closing_days_one_by_one_burns_what_they_burnt_open(orders in orders(), usage in usage(), closes in DAYS) {
        let now = day(DAYS.end);
        let mut open = card_of(&orders, &usage);
        let mut closing = open.clone();
        while closing.segments.first().is_some_and(|s| s.start < day(closes)) {
            let rest = closing.segments.split_off(1);
            closing.open_from = closing.segments[0].start + DAY_S;
            closing.at(now, Account::close_day);
            let closed = closing.segments[0];
            closing.closed_used += if closed.start >= day(30) { closed.bytes } else { 0 };
            closing.segments = rest;
        }
        prop_assert_eq!(burnt_by_cycle(&mut closing), burnt_by_cycle(&mut open));
        prop_assert_eq!(closing.totals(now), open.totals(now));
        prop_assert_eq!(closing.view(now).packages, open.view(now).packages);
    }

    /// The guard: a card that is evaluated only when it is not quiet tells the same as one that always is, and holds the
    /// same state. Any segment of the current cycle may grow.
    #[test]
    fn a_quiet_card_has_nothing_to_tell(orders in orders(), before in usage(), grows in usage()) {
        let now = day(DAYS.end);
        let mut always = card_of(&orders, &before);
        let mut guarded = always.clone();
        for (at, bytes) in grows.into_iter().filter(|(at, _)| *at >= 30) {
            let told = always.uses_at(day(at), bytes, now);
            guarded.add(day(at), bytes);
            let used = guarded.at(now, |_, ctx| ctx.usage.used);
            let looked = if guarded.account.is_quiet(used) { vec![] } else { guarded.looks(now) };
            prop_assert_eq!(told, looked);
        }
        // A look may note that a cycle is over whose end nobody waited for; it has nothing to tell by then.
        prop_assert_eq!((always.looks(now), guarded.looks(now)), (vec![], vec![]));
        prop_assert_eq!(always.account.book, guarded.account.book);
    }

    #[test]
    fn an_account_survives_the_checkpoint(orders in orders(), usage in usage()) {
        let card = card_of(&orders, &usage);
        let config = bincode::config::legacy();
        let bytes = bincode::serde::encode_to_vec(&card.account, config).unwrap();
        let (back, read): (Account, usize) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
        prop_assert_eq!(read, bytes.len());
        prop_assert_eq!(back, card.account);
    }
}
