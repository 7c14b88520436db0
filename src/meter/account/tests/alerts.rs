//! Alerts: once an arming, in order of severity, silent after a raise.

use super::*;

const HALF: (&str, RuleKind) = ("burnt-50", RuleKind::BurntPercent(50));
const MOST: (&str, RuleKind) = ("burnt-80", RuleKind::BurntPercent(80));
const NOTHING: [&str; 0] = [];

#[test]
fn a_rule_fires_when_reached_to_the_byte() {
    // (kind, quota, bytes that are not enough); one byte more is.
    let cases = [
        (RuleKind::BurntPercent(50), 1_000, 499),
        // 80 % of 1,001 is 800.8: reached with the 801st byte.
        (RuleKind::BurntPercent(80), 1_001, 800),
        (RuleKind::BurntPercent(100), 1_000, 999),
        (RuleKind::BurntPercent(1), 3, 0),
        // 20 % of 1,001 is 200.2: at most that is left when 801 are burnt.
        (RuleKind::RemainingPercent(20), 1_001, 800),
        (RuleKind::RemainingPercent(0), 1_000, 999),
        (RuleKind::RemainingBytes(300), 1_000, 699),
        (RuleKind::RemainingBytes(0), 1_000, 999),
        (RuleKind::BurntPercent(99), 1 << 48, (99 * (1 << 48) / 100)),
    ];
    for (kind, quota, not_yet) in cases {
        let mut card = Card::new(&[("rule", kind)]);
        card.buys(day(1), &Ordered::new("o", quota));
        let fired = |told: Vec<String>| told.contains(&"fired rule #1".to_owned());
        assert!(!fired(card.uses(day(1), not_yet)), "{kind:?} of {quota}");
        assert!(fired(card.uses(day(1), 1)), "{kind:?} of {quota}");
        assert!(!fired(card.uses(day(1), 1)), "{kind:?} of {quota}: once");
    }
}

#[test]
fn one_record_that_reaches_several_rules_tells_each_most_severe_first() {
    let left = ("left-100", RuleKind::RemainingBytes(100));
    let mut card = Card::new(&[HALF, left, MOST]);
    card.buys(day(1), &Ordered::new("o", 1_000));
    // 50 % leaves 500, 80 % leaves 200, the third 100.
    assert_eq!(card.uses(day(1), 950), ["fired left-100 #1", "fired burnt-80 #1", "fired burnt-50 #1"]);
    assert_eq!(card.uses(day(1), 50), ["exhausted o burnt 1000"]);
}

#[test]
fn a_recharge_at_sixty_percent_tells_no_false_fifty() {
    let mut card = Card::new(&[HALF, MOST]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    assert_eq!(card.uses(day(1), 600), ["fired burnt-50 #1"]);
    // 600 of 1,100 are 55 %: still true, so neither resolved nor told again.
    assert_eq!(card.buys(day(2), &Ordered::new("o2", 100)), ["activated o2 from day 2 to day 30"]);
    assert_eq!(card.uses(day(2), 100), NOTHING);
    // 880 of 1,100 are 80 %.
    assert_eq!(card.uses(day(2), 180), ["fired burnt-80 #2"]);
}

#[test]
fn a_recharge_resolves_what_is_no_longer_true_and_arms_it_again() {
    let mut card = Card::new(&[HALF, MOST]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    assert_eq!(card.uses(day(1), 850), ["fired burnt-80 #1", "fired burnt-50 #1"]);
    // 850 of 2,000: 42.5 %.
    assert_eq!(
        card.buys(day(2), &Ordered::new("o2", 1_000)),
        ["activated o2 from day 2 to day 30", "resolved burnt-80 #1", "resolved burnt-50 #1",]
    );
    assert_eq!(card.uses(day(2), 149), NOTHING);
    assert_eq!(card.uses(day(2), 1), ["exhausted o1 burnt 1000", "fired burnt-50 #2"]);
}

#[test]
fn what_is_held_is_armed_by_usage_falling_below_it() {
    let mut card = Card::new(&[HALF]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    card.uses(day(1), 600);
    card.buys(day(1), &Ordered::new("o2", 100));
    // Held at 55 %. A correction brings it to 45 %, and usage above 50 % again: told under the new arming.
    card.segments[0].bytes = 495;
    assert_eq!(card.looks(day(1)), NOTHING);
    assert_eq!(card.uses(day(1), 55), ["fired burnt-50 #2"]);
}

#[test]
fn a_correction_downwards_neither_resolves_nor_arms() {
    let mut card = Card::new(&[HALF]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    assert_eq!(card.uses(day(1), 600), ["fired burnt-50 #1"]);
    card.segments[0].bytes = 400;
    assert_eq!(card.looks(day(1)), NOTHING);
    assert_eq!(card.uses(day(1), 200), NOTHING);
}

#[test]
fn exhaustion_is_told_once_whatever_a_later_burn_says() {
    let mut card = Card::new(&[]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    assert_eq!(card.uses(day(1), 1_000), ["exhausted o1 burnt 1000"]);
    card.segments[0].bytes = 400;
    card.looks(day(1));
    assert_eq!(card.uses(day(1), 900), NOTHING);
}

#[test]
fn rules_skip_what_they_cannot_speak_of() {
    type Change = fn(&mut Ordered);
    let left = |bytes| ("left", RuleKind::RemainingBytes(bytes));
    let unlimited = |o: &mut Ordered| o.package.quota = None;
    let limited = |_: &mut Ordered| {};
    let cases: [(&str, (&str, RuleKind), Change); 4] = [
        ("percent of an unlimited package", HALF, unlimited),
        ("bytes left of an unlimited package", left(500), unlimited),
        ("a remaining rule as great as the package", left(1_000), limited),
        ("a remaining rule greater than the package", left(1_001), limited),
    ];
    for (what, rule, change) in cases {
        let mut card = Card::new(&[rule]);
        card.buys(day(1), &Ordered::new("o", 1_000).with(change));
        let told = card.uses(day(1), 999);
        assert_eq!(told, NOTHING, "{what}");
    }
    let mut without_package = Card::new(&[HALF, left(500)]);
    assert_eq!(without_package.uses(day(1), 999), NOTHING);
}

#[test]
fn the_end_of_the_package_resolves_its_alerts() {
    let mut card = Card::new(&[HALF]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    card.uses(day(1), 500);
    assert_eq!(card.passes(day(30)), ["expired o1 burnt 500", "resolved burnt-50 #1"]);
}

#[test]
fn a_new_cycle_raises_the_arming() {
    let mut card = Card::new(&[HALF]);
    let per_cycle = |o: &mut Ordered| {
        o.package.per = Per::Cycle;
        o.package.validity = Validity::Months(2);
    };
    card.buys(day(1), &Ordered::new("o1", 1_000).with(per_cycle));
    assert_eq!(card.uses(day(1), 500), ["fired burnt-50 #1"]);
    assert_eq!(card.passes(day(30)), ["resolved burnt-50 #1"]);
    assert_eq!(card.uses(day(30), 500), ["fired burnt-50 #2"]);
}

#[test]
fn new_rules_are_measured_silently_and_the_alert_of_a_dropped_one_resolves() {
    let mut card = Card::new(&[HALF]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    assert_eq!(card.uses(day(1), 600), ["fired burnt-50 #1"]);
    let mut out = Vec::new();
    let own = [
        Rule { name: "own-40".to_owned(), kind: RuleKind::BurntPercent(40) },
        Rule { name: "own-70".to_owned(), kind: RuleKind::BurntPercent(70) },
    ];
    card.at(day(1), |account, ctx| account.set_rules(ctx, &own, &mut out)).unwrap();
    assert_eq!(out.iter().map(told).collect::<Vec<_>>(), ["resolved burnt-50 #1"]);
    // Its arming is over: burnt-50 has fired in it.
    assert_eq!(card.uses(day(1), 100), ["fired own-70 #2"]);
    assert_eq!(
        card.view(day(1)).rules.iter().map(|r| r.stance).collect::<Vec<_>>(),
        [Stance::Held, Stance::Fired]
    );
    // Back to the plan's: 70 % is beyond 50 already.
    out.clear();
    card.at(day(1), |account, ctx| account.set_rules(ctx, &[], &mut out)).unwrap();
    assert_eq!(out.iter().map(told).collect::<Vec<_>>(), ["resolved own-70 #2"]);
    assert_eq!(card.uses(day(1), 1), NOTHING);
}

#[test]
fn a_rule_under_the_name_of_one_that_fired_fires_another_alert() {
    let mut card = Card::new(&[HALF]);
    card.buys(day(1), &Ordered::new("o1", 1_000));
    let mut out = Vec::new();
    let mine = |percent| [Rule { name: "mine".to_owned(), kind: RuleKind::BurntPercent(percent) }];
    card.at(day(1), |account, ctx| account.set_rules(ctx, &mine(50), &mut out)).unwrap();
    assert_eq!(card.uses(day(1), 500), ["fired mine #1"]);
    card.at(day(1), |account, ctx| account.set_rules(ctx, &mine(80), &mut out)).unwrap();
    assert_eq!(card.uses(day(1), 300), ["fired mine #2"]);
}

#[test]
fn rules_that_cannot_be_right_are_refused_and_the_old_ones_stay() {
    let rule = |name: &str, kind| Rule { name: name.to_owned(), kind };
    let many = (0..17).map(|n| rule(&format!("r{n}"), RuleKind::BurntPercent(50))).collect::<Vec<_>>();
    let cases: [(&[Rule], &str); 6] = [
        (&many, "17 rules: a card has at most 16"),
        (&[rule("", RuleKind::BurntPercent(50))], "a name has 1 to 128 bytes"),
        (
            &[rule("a", RuleKind::BurntPercent(50)), rule("a", RuleKind::BurntPercent(60))],
            "\"a\" is named twice",
        ),
        (&[rule("a", RuleKind::BurntPercent(0))], "burnt_percent 0 is not within 1..=100"),
        (&[rule("a", RuleKind::BurntPercent(101))], "burnt_percent 101 is not within 1..=100"),
        (&[rule("a", RuleKind::RemainingPercent(100))], "remaining_percent 100 is not within 0..=99"),
    ];
    for (rules, says) in cases {
        let mut card = Card::new(&[]);
        let refused = card.at(day(1), |account, ctx| account.set_rules(ctx, rules, &mut Vec::new()));
        assert!(refused.clone().unwrap_err().contains(says), "{refused:?}");
        assert_eq!(card.account, Account::default());
    }
}
