//! What happens at its time: ends, hand-over, cycles; and the dates that are shown before.

use super::*;

#[test]
fn a_package_ends_at_its_second_and_burns_nothing_after() {
    let mut card = Card::new(&[]);
    card.buys(day(3), &Ordered::new("o1", 1_000));
    card.uses(day(30) - 1, 10);
    assert!(card.account.has_base(day(30) - 1));
    assert_eq!(card.account.next_due(), Some(day(30)));
    assert_eq!(card.passes(day(30)), ["expired o1 burnt 10"]);
    assert!(!card.account.has_base(day(30)));
    assert_eq!(card.account.next_due(), None);
    card.uses(day(30), 5);
    assert_eq!(card.totals(day(30)), Totals { quota: Some(0), burnt: 0, remaining: Some(0), overage: 5 });
}

#[test]
fn a_renewal_starts_the_instant_the_last_base_ends() {
    let mut card = Card::new(&[]);
    let renewal = |id| Ordered::new(id, 500).with(|o| o.mode = Mode::Renewal);
    card.buys(day(3), &Ordered::new("o1", 1_000));
    card.buys(day(3), &Ordered::new("longer", 1_000).with(|o| o.package.validity = Validity::Days(40)));
    assert_eq!(card.buys(day(4), &renewal("r1")), ["queued r1 burnt 0"]);
    assert_eq!(card.buys(day(5), &renewal("r2")), ["queued r2 burnt 0"]);
    // The queue with its expected dates: r1 from day 43 to the end of the month that day 43 is in.
    let queue = card.view(day(5)).queue;
    let dates = queue.iter().map(|p| (p.effective_at, p.expires_at)).collect::<Vec<_>>();
    assert_eq!(dates, [(Some(day(43)), Some(day(60))), (Some(day(60)), Some(day(90)))]);
    assert_eq!((card.view(day(5)).effective_at, card.view(day(5)).expires_at), (Some(day(3)), Some(day(90))));
    // Log time jumps: every timer fires at its own time.
    assert_eq!(
        card.passes(day(100)),
        [
            "expired o1 burnt 0",
            "expired longer burnt 0",
            "activated r1 from day 43 to day 60",
            "expired r1 burnt 0",
            "activated r2 from day 60 to day 90",
            "expired r2 burnt 0",
        ]
    );
}

#[test]
fn a_renewal_without_a_base_starts_at_once() {
    let mut card = Card::new(&[]);
    let booster = Ordered::new("b", 10).with(|o| o.package.kind = PackageKind::Booster);
    card.buys(day(3), &booster);
    // A month from its start, day 4; the payment's time does not count for a renewal.
    let renewal =
        Ordered::new("r", 500).with(|o| o.mode = Mode::Renewal).with(|o| o.payment.paid_at = day(4));
    assert_eq!(card.buys(day(4), &renewal), ["activated r from day 4 to day 30"]);
}

#[test]
fn a_booster_among_the_renewals_lets_the_next_one_in() {
    let mut card = Card::new(&[]);
    let renewal =
        |id, kind| Ordered::new(id, 500).with(|o| o.mode = Mode::Renewal).with(|o| o.package.kind = kind);
    card.buys(day(3), &Ordered::new("o1", 1_000));
    card.buys(day(4), &renewal("b", PackageKind::Booster));
    card.buys(day(5), &renewal("r", PackageKind::Base));
    assert_eq!(
        card.passes(day(30)),
        ["expired o1 burnt 0", "activated b from day 30 to day 60", "activated r from day 30 to day 60",]
    );
}

#[test]
fn what_waits_for_the_next_cycle_starts_with_it() {
    let mut card = Card::new(&[]);
    let next = Ordered::new("n", 500).with(|o| o.mode = Mode::NextCycle);
    assert_eq!(card.buys(day(3), &next), ["queued n burnt 0"]);
    assert_eq!(card.view(day(3)).queue[0].effective_at, Some(day(30)));
    assert_eq!(card.account.next_due(), Some(day(30)));
    assert_eq!(card.passes(day(30)), ["activated n from day 30 to day 60"]);
    assert_eq!(card.account.next_due(), Some(day(60)));
}

#[test]
fn edges_are_the_starts_and_ends_of_packages() {
    let mut card = Card::new(&[]);
    card.buys(day(3) + 7, &Ordered::new("o1", 1_000));
    assert_eq!(card.account.edges().collect::<Vec<_>>(), [day(3) + 7, day(30)]);
}

#[test]
fn an_empty_account_has_no_timers_and_is_always_quiet() {
    let account = Account::default();
    assert_eq!(account.next_due(), None);
    assert!(account.is_quiet(crate::limits::CARD_BYTES_MAX));
}
