//! Orders: idempotent, refused readably, and what a payment's time means.

use super::*;
use crate::limits::{ID_LIFE_S, PACKAGES_IN_FORCE_MAX, QUEUED_PACKAGES_MAX, QUOTA_BYTES_MAX};

#[test]
fn an_order_is_taken_once() {
    let mut card = Card::new(&[]);
    let order = Ordered::new("o1", 1_000);
    assert_eq!(card.buys(day(3), &order), ["activated o1 from day 3 to day 30"]);
    let before = card.account.clone();
    assert_eq!(card.orders(day(4), &order), (OrderOutcome::Repeated, vec![]));
    assert_eq!(card.account, before);
    assert_eq!(card.totals(day(4)).quota, Some(1_000));
}

#[test]
fn another_content_under_the_same_order_id_is_refused_and_changes_nothing() {
    type Change = fn(&mut Ordered);
    let changes: [(&str, Change); 10] = [
        ("quota", |o| o.package.quota = Some(1_001)),
        ("unlimited", |o| o.package.quota = None),
        ("kind", |o| o.package.kind = PackageKind::Booster),
        ("validity unit", |o| o.package.validity = Validity::Days(1)),
        ("validity count", |o| o.package.validity = Validity::Months(2)),
        ("per", |o| o.package.per = Per::Cycle),
        ("priority", |o| o.package.priority = 11),
        ("mode", |o| o.mode = Mode::Renewal),
        ("paid_at", |o| o.payment.paid_at = 1),
        ("reference", |o| o.payment.reference.push('x')),
    ];
    for (what, change) in changes {
        let mut card = Card::new(&[]);
        card.buys(day(3), &Ordered::new("o1", 1_000));
        let before = card.account.clone();
        let (outcome, told) = card.orders(day(4), &Ordered::new("o1", 1_000).with(change));
        let OrderOutcome::Refused(reason) = outcome else { panic!("{what}: {outcome:?}") };
        assert!(reason.contains("\"o1\" was used for another recharge"), "{what}: {reason}");
        assert_eq!(told, [format!("refused o1: {reason}")], "{what}");
        assert_eq!(card.account, before, "{what}");
    }
}

#[test]
fn an_order_id_is_remembered_for_90_days() {
    let mut card = Card::new(&[]);
    let order = Ordered::new("o1", 1_000).with(|o| o.package.validity = Validity::Days(1));
    card.buys(day(0), &order);
    card.passes(day(2));
    assert_eq!(card.orders(ID_LIFE_S, &order).0, OrderOutcome::Repeated);
    assert_eq!(card.orders(ID_LIFE_S + 1, &order).0, OrderOutcome::Applied);
}

#[test]
fn an_order_that_still_waits_is_known_however_old() {
    let mut card = Card::new(&[]);
    card.buys(day(0), &Ordered::new("o1", 1_000).with(|o| o.package.validity = Validity::Months(5)));
    let renewal = Ordered::new("r1", 1_000).with(|o| o.mode = Mode::Renewal);
    card.buys(day(0), &renewal);
    card.passes(day(120));
    let (outcome, _) = card.orders(day(120), &renewal);
    assert!(matches!(outcome, OrderOutcome::Refused(reason) if reason.contains("\"r1\" was used")));
}

#[test]
fn what_cannot_be_sold_is_refused_with_a_reason() {
    type Change = fn(&mut Ordered);
    let cases: [(&str, Change); 9] = [
        ("channel \"rival\" is not one of the vendor's own", |o| o.channel = "rival"),
        ("a quota of 0 bytes", |o| o.package.quota = Some(0)),
        ("a package has at most 281474976710656", |o| o.package.quota = Some(QUOTA_BYTES_MAX + 1)),
        ("a validity of 0 days", |o| o.package.validity = Validity::Days(0)),
        ("a validity of 0 months", |o| o.package.validity = Validity::Months(0)),
        ("a validity of 13 cycles ends after", |o| o.package.validity = Validity::Cycles(13)),
        ("a validity of 121 months: a package lasts at most ten years", |o| {
            o.package.validity = Validity::Months(121);
        }),
        ("a validity of 3654 days: a package lasts at most ten years", |o| {
            o.package.validity = Validity::Days(3_654);
        }),
        // Both wrong: who ordered matters more.
        ("channel \"rival\"", |o| {
            o.package.quota = Some(0);
            o.channel = "rival";
        }),
    ];
    for (says, change) in cases {
        let mut card = Card::new(&[]);
        let (outcome, told) = card.orders(day(3), &Ordered::new("o1", 1_000).with(change));
        let OrderOutcome::Refused(reason) = outcome else { panic!("{says}: {outcome:?}") };
        assert!(reason.contains(says), "{reason}");
        assert_eq!(told.len(), 1);
        assert_eq!(card.account, Account::default(), "a refused order leaves no trace");
    }
}

#[test]
fn a_refused_order_may_come_again_put_right() {
    let mut card = Card::new(&[]);
    card.orders(day(3), &Ordered::new("o1", 0));
    assert_eq!(card.buys(day(3), &Ordered::new("o1", 1_000)), ["activated o1 from day 3 to day 30"]);
}

#[test]
fn queue_and_packages_in_force_are_bounded() {
    let mut card = Card::new(&[]);
    card.buys(day(1), &Ordered::new("base", 1_000));
    for n in 0..QUEUED_PACKAGES_MAX {
        let renewal = Ordered::new(&format!("r{n}"), 1_000).with(|o| o.mode = Mode::Renewal);
        assert_eq!(card.buys(day(1), &renewal), [format!("queued r{n} burnt 0")]);
    }
    let (_, told) = card.orders(day(1), &Ordered::new("over", 1_000).with(|o| o.mode = Mode::Renewal));
    assert_eq!(told, ["refused over: 32 packages are queued: order again when one has started"]);
    for n in 1..PACKAGES_IN_FORCE_MAX {
        card.buys(day(1), &Ordered::new(&format!("i{n}"), 1_000));
    }
    let (_, told) = card.orders(day(1), &Ordered::new("over", 1_000));
    assert_eq!(told, ["refused over: 16 packages are in force: order again when one has expired"]);
}

#[test]
fn ended_packages_of_open_days_are_bounded_too() {
    let mut card = Card::new(&[]);
    let hourly =
        |n: usize| Ordered::new(&format!("o{n}"), 1).with(|o| o.package.validity = Validity::Days(1));
    for n in 0..64 {
        card.passes(day(n as i64));
        card.buys(day(n as i64), &hourly(n));
    }
    card.passes(day(64));
    let (_, told) = card.orders(day(64), &hourly(64));
    assert!(told[0].starts_with("refused o64: the card holds 64 packages"), "{told:?}");
    // Days before the 60th have closed: 60 packages are past, and there is room again.
    card.open_from = day(60);
    card.buys(day(64), &hourly(64));
    assert_eq!(card.view(day(64)).packages.len(), 1);
}

#[test]
fn validity_counts_from_the_payment_if_it_is_at_most_a_day_old() {
    // (paid at, log time, last day + 1); a month ends with day 30, 60, …
    let cases = [
        ("paid and logged in one month", day(10), day(10) + 60, 30),
        ("paid in the future counts from log time", day(31), day(29), 30),
        ("two months, paid 2 h before the month's end", day(30) - 7_200, day(30) + 7_200, 60),
        ("exactly 24 h", day(29) + 3_600, day(30) + 3_600, 60),
        ("24 h and a second: from log time", day(29) + 3_600, day(30) + 3_601, 90),
    ];
    for (what, paid_at, now, last) in cases {
        let months = if now < day(30) { 1 } else { 2 };
        let order = Ordered::new("o", 1_000)
            .with(|o| o.payment.paid_at = paid_at)
            .with(|o| o.package.validity = Validity::Months(months));
        let mut card = Card::new(&[]);
        card.buys(now, &order);
        let package = card.view(now).packages[0].clone();
        assert_eq!((package.effective_at, package.expires_at), (Some(now), Some(day(last))), "{what}");
    }
}

#[test]
fn a_validity_that_is_over_before_the_order_is_here_counts_from_log_time() {
    // One month, paid one second before the month's end, logged one second after it: the month paid for is over.
    let order = Ordered::new("o", 1_000).with(|o| o.payment.paid_at = day(30) - 1);
    assert_eq!(
        Card::new(&[]).buys(day(30) + 86_399, &order),
        [format!("activated o from day {} to day 60", (day(30) + 86_399) as f64 / DAY_S as f64)]
    );
}
