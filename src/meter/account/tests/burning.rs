//! Burn follows event order: who pays for which byte.

use super::*;

fn burnt(card: &mut Card, now: UnixTime) -> Vec<(String, u64)> {
    card.view(now).packages.into_iter().map(|p| (p.order, p.burnt)).collect()
}

#[test]
fn the_lowest_priority_burns_first_then_the_earliest_expiry_then_the_earliest_purchase() {
    let mut card = Card::new(&[]);
    let order = |id, priority, days, paid_at| {
        Ordered::new(id, 100).with(|o| {
            o.package.priority = priority;
            o.package.validity = Validity::Days(days);
            o.payment.paid_at = paid_at;
        })
    };
    // All bought at day 1 by payments older than a day, so that days count from day 1.
    card.buys(day(1), &order("late-purchase", 5, 3, -90_000));
    card.buys(day(1), &order("last", 9, 2, -90_000));
    card.buys(day(1), &order("early-purchase", 5, 3, -90_001));
    card.buys(day(1), &order("early-expiry", 5, 2, -80_000));
    card.uses(day(1) + 5, 350);
    let expected = [("early-expiry", 100), ("early-purchase", 100), ("late-purchase", 100), ("last", 50)];
    assert_eq!(burnt(&mut card, day(1) + 5), expected.map(|(id, n)| (id.to_owned(), n)));
    card.uses(day(1) + 6, 70);
    // 420 used, 400 sold.
    let totals = card.totals(day(1) + 6);
    assert_eq!(totals, Totals { quota: Some(400), burnt: 400, remaining: Some(0), overage: 20 });
}

#[test]
fn usage_before_a_recharge_is_not_paid_back_by_it() {
    let mut card = Card::new(&[]);
    card.uses(day(2), 300);
    card.buys(day(2) + 1, &Ordered::new("o1", 1_000));
    card.uses(day(2) + 1, 200);
    assert_eq!(
        card.totals(day(3)),
        Totals { quota: Some(1_000), burnt: 200, remaining: Some(800), overage: 300 }
    );
}

#[test]
fn an_older_record_burns_what_it_would_have_burnt_in_time() {
    let mut card = Card::new(&[]);
    card.buys(day(1), &Ordered::new("first", 100).with(|o| o.package.validity = Validity::Days(1)));
    card.buys(day(1), &Ordered::new("second", 1_000).with(|o| o.package.priority = 20));
    card.uses(day(1) + 100, 90);
    card.passes(day(3));
    card.uses(day(3), 50);
    // First: 90 of 100. Now 30 bytes of its only day come late: 10 from it, 20 from the second.
    card.uses(day(1) + 50, 30);
    assert_eq!(burnt(&mut card, day(3)), [("second".to_owned(), 70)]);
    // 170 used: 100 + 70.
    assert_eq!(card.at(day(3), |account, ctx| account.cycle_burnt(ctx, 0)), 170);
}

#[test]
fn a_late_record_may_fill_up_a_package_that_has_ended_without_an_event() {
    let mut card = Card::new(&[]);
    card.buys(day(1), &Ordered::new("short", 100).with(|o| o.package.validity = Validity::Days(1)));
    card.uses(day(1), 60);
    assert_eq!(card.passes(day(2)), ["expired short burnt 60"]);
    card.uses(day(3), 1);
    card.segments[0].bytes += 60;
    // 121 used, 100 burnt; the package is told expired, and so no longer told exhausted.
    assert_eq!(card.looks(day(3)), Vec::<String>::new());
    assert_eq!(card.totals(day(3)).overage, 21);
}

#[test]
fn an_unlimited_package_burns_everything_that_reaches_it() {
    let mut card = Card::new(&[]);
    card.buys(day(1), &Ordered::new("limited", 100));
    card.buys(
        day(1),
        &Ordered::new("flat", 0).with(|o| {
            o.package.quota = None;
            o.package.priority = 20;
        }),
    );
    card.uses(day(1), 1 << 50);
    let totals = card.totals(day(1));
    assert_eq!(totals, Totals { quota: None, burnt: 1 << 50, remaining: None, overage: 0 });
}

#[test]
fn a_quota_per_cycle_comes_anew_and_the_one_before_is_gone() {
    let mut card = Card::new(&[]);
    card.buys(
        day(28),
        &Ordered::new("o", 100).with(|o| {
            o.package.per = Per::Cycle;
            o.package.validity = Validity::Months(2);
        }),
    );
    assert_eq!(card.uses(day(29), 130), ["exhausted o burnt 100 cycle 0"]);
    assert_eq!(card.totals(day(29)).overage, 30);
    assert_eq!(card.passes(day(30)), Vec::<String>::new());
    card.uses(day(30), 40);
    assert_eq!(card.totals(day(30)), Totals { quota: Some(100), burnt: 40, remaining: Some(60), overage: 0 });
    // A late record of the old cycle finds the old cycle's quota burnt.
    card.uses(day(29), 5);
    assert_eq!(card.at(day(30), |account, ctx| account.cycle_burnt(ctx, 0)), 100);
    assert_eq!(card.totals(day(30)).burnt, 40);
    assert_eq!(card.uses(day(31), 60), ["exhausted o burnt 100 cycle 30"]);
}

#[test]
fn a_record_of_the_first_minutes_of_the_next_cycle_does_not_hide_this_ones_burn() {
    let mut card = Card::new(&[]);
    card.buys(
        day(28),
        &Ordered::new("o", 100).with(|o| {
            o.package.per = Per::Cycle;
            o.package.validity = Validity::Months(2);
        }),
    );
    card.uses(day(29), 30);
    // Records may be ten minutes ahead of log time.
    card.segments.push(Segment { start: day(30), bytes: 7 });
    assert_eq!(card.totals(day(30) - 60).burnt, 30);
    assert_eq!(card.totals(day(30)).burnt, 7);
}

#[test]
fn a_closed_day_burns_no_more_and_no_less() {
    let mut card = Card::new(&[]);
    card.buys(day(1), &Ordered::new("o1", 100));
    card.uses(day(1), 60);
    card.uses(day(2), 70);
    let open = card.segments.split_off(1);
    card.open_from = day(2);
    card.at(day(11), Account::close_day);
    card.segments = open;
    card.closed_used = 60;
    assert_eq!(
        card.totals(day(11)),
        Totals { quota: Some(100), burnt: 100, remaining: Some(0), overage: 30 }
    );
    // A cheaper package bought later pays nothing for what is closed.
    card.buys(day(11), &Ordered::new("o2", 100).with(|o| o.package.priority = 0));
    assert_eq!(burnt(&mut card, day(11)), [("o2".to_owned(), 0), ("o1".to_owned(), 100)]);
}

#[test]
fn cycles_are_remembered_until_they_are_handed_over() {
    let mut card = Card::new(&[]);
    card.buys(day(29), &Ordered::new("o1", 100).with(|o| o.package.validity = Validity::Months(2)));
    card.uses(day(29), 40);
    card.at(day(38), Account::close_day);
    card.segments = vec![Segment { start: day(30), bytes: 30 }];
    card.at(day(39), Account::close_day);
    card.segments.clear();
    let burnt = |card: &mut Card, cycle| card.at(day(39), |account, ctx| account.cycle_burnt(ctx, cycle));
    assert_eq!((burnt(&mut card, 0), burnt(&mut card, 30)), (40, 30));
    assert_eq!(card.account.drop_cycle(0), 40);
    assert_eq!((burnt(&mut card, 0), burnt(&mut card, 30)), (0, 30));
}
