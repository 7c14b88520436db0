//! Commands.

use super::super::*;
use super::{RECHARGE, card, imsi};
use crate::model::{
    Broadcast, CardCommand, CommandBody, Mode, Number, NumberKind, OpenedState, Opening, PackageKind,
    PackageSpec, Payment, Per, Recipient, Register, Rule, RuleKind, Stopped, Validity, Yes,
};

#[test]
fn a_recharge_is_read() {
    let expected = CardCommand {
        id: "r-1".into(),
        card: card(),
        iccid: "8986001234567890123".into(),
        at: 1_785_542_400,
        body: CommandBody::Recharge {
            order: "o-1".into(),
            channel: "web".into(),
            payment: Payment { provider: "wechat".into(), reference: "p-9".into(), paid_at: 1_785_542_340 },
            package: PackageSpec {
                kind: PackageKind::Base,
                quota: Some(524_288_000),
                validity: Validity::Months(1),
                per: Per::Validity,
                priority: 0,
                pays_overage: false,
            },
            mode: Mode::Renewal,
        },
    };
    assert_eq!(command(RECHARGE.as_bytes()), Ok(CommandIn::Card(expected)));
}

#[test]
fn an_order_goes_by_the_commands_id_unless_it_has_its_own() {
    let json = RECHARGE.replace("\"order\":\"o-1\",\"channel\":\"web\",", "");
    let Ok(CommandIn::Card(CardCommand { body: CommandBody::Recharge { order, channel, .. }, .. })) =
        command(json.as_bytes())
    else {
        panic!("not a recharge")
    };
    assert_eq!((order.as_str(), channel.as_str()), ("r-1", ""));
}

#[test]
fn a_card_is_registered_with_its_numbers() {
    let json = r#"{"id":"c","card":"8986001234567890123f","type":"card.register","at":"2026-08-01T00:00:00Z","channel":"web","carrier":"cmcc","plan":"p","imsi":"460041234567890","imei":"860000000000011","recipients":[{"sms":"+86"}]}"#;
    let Ok(CommandIn::Card(command)) = command(json.as_bytes()) else { panic!("not a card's") };
    assert_eq!(command.iccid, "8986001234567890123F", "the full form is kept for display");
    let numbers = vec![imsi(), Number { kind: NumberKind::Imei, digits: 860_000_000_000_011 }];
    let register = Register {
        channel: "web".into(),
        carrier: "cmcc".into(),
        plan: "p".into(),
        numbers,
        recipients: Some(vec![Recipient::Sms("+86".into())]),
        opening: None,
    };
    assert_eq!(command.body, CommandBody::Register(Box::new(register)));
}

/// A registration with an opening, and what is read of it.
fn opened(opening: &str) -> Result<Opening, String> {
    let json = format!(
        r#"{{"id":"c","card":"8986001234567890123","type":"card.register","at":"2026-08-01T00:00:00Z","channel":"web","carrier":"cmcc","plan":"p","opening":{opening}}}"#
    );
    match command(json.as_bytes()).map_err(|error| error.to_string())? {
        CommandIn::Card(CardCommand { body: CommandBody::Register(register), .. }) => {
            Ok(*register.opening.expect("an opening"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_card_in_mid_life_says_what_it_brings_along() {
    let little = Opening { used: 5, overage: None, packages: vec![], state: OpenedState::Active, credits: 0 };
    assert_eq!(opened(r#"{"used":5}"#), Ok(little.clone()));
    let by = |by, since| OpenedState::Suspended { by, since };
    for (said, state) in [
        (r#""state":"active""#, OpenedState::Active),
        (r#""state":"suspended","suspended_by":"owner""#, by(Stopped::Owner, None)),
        (
            r#""state":"suspended","suspended_by":"expiry","suspended_at":"1970-01-01T00:00:09Z""#,
            by(Stopped::Expiry, Some(9)),
        ),
    ] {
        assert_eq!(opened(&format!(r#"{{"used":5,{said}}}"#)), Ok(Opening { state, ..little.clone() }));
    }
}

#[test]
fn what_an_opening_leaves_out_is_named() {
    let package = r#"{"order":"o","payment":{"provider":"p","reference":"r","paid_at":"2026-07-01T00:00:00Z"},"kind":"base","quota":9,"burnt":1,"effective_at":"2026-07-01T00:00:00Z","expires_at":"2026-09-01T00:00:00Z"}"#;
    assert!(opened(&format!(r#"{{"used":5,"packages":[{package}]}}"#)).is_ok());
    for field in ["order", "payment", "kind", "quota", "burnt", "effective_at", "expires_at"] {
        let without = package.replacen(&format!("\"{field}\":"), "\"other\":", 1);
        let error = opened(&format!(r#"{{"used":5,"packages":[{without}]}}"#)).unwrap_err();
        assert!(error.contains(&format!("opening.packages[0].{field}")), "{field}: {error}");
    }
    for (opening, named) in [
        ("{}", "opening.used"),
        (r#"{"used":"5M"}"#, "opening.used"),
        (r#"{"used":5,"state":"cancelled"}"#, "opening.state"),
        (r#"{"used":5,"state":"suspended"}"#, "opening.suspended_by"),
        (r#"{"used":5,"packages":{}}"#, "opening.packages"),
        ("[]", "opening"),
    ] {
        let error = opened(opening).unwrap_err();
        assert!(error.contains(named), "{opening}: {error}");
    }
}

#[test]
fn commands_without_a_card_go_to_every_partition() {
    let complete = r#"{"id":"f-1","type":"feed.complete","feed":"cmcc-pgw-1","day":"2026-08-01"}"#;
    // 2026-08-01 is 20,666 days after 1970-01-01: 56 years of 365 days, 14 leap days, 212 days of 2026.
    let broadcast = Broadcast::FeedComplete { id: "f-1".into(), feed: "cmcc-pgw-1".into(), day: 20_666 };
    assert_eq!(command(complete.as_bytes()), Ok(CommandIn::Broadcast { broadcast, at: None }));
    let clock = r#"{"id":"t","type":"clock.advance","at":"2026-08-01T00:00:00Z"}"#;
    let broadcast = Broadcast::ClockAdvance { id: "t".into() };
    assert_eq!(command(clock.as_bytes()), Ok(CommandIn::Broadcast { broadcast, at: Some(1_785_542_400) }));
}

#[test]
fn faults_of_a_command_are_named() {
    let cases = [
        (
            "\"recharge\"",
            "\"card.eat\"",
            "field `type` is \"card.eat\", which is no command; expected a command of the contract, like recharge or card.register (at byte 48)",
        ),
        (
            "\"type\":\"recharge\",",
            "",
            "field `type` is missing; expected a command of the contract, like recharge or card.register",
        ),
        (
            "\"id\":\"r-1\"",
            "\"id\":1",
            "field `id` is the number 1; expected text of 1 to 128 bytes (at byte 6)",
        ),
        (
            "\"at\":\"2026-08-01T00:00:00Z\",",
            "",
            "field `at` is missing; expected RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00",
        ),
        (
            "8986001234567890123",
            "898600123456789012X",
            "field `card` is \"898600123456789012X\": an ICCID holds [0-9A-F] only; character 18 is 'X' (at byte 19)",
        ),
        (
            "500MiB",
            "500M",
            "field `package.quota` cannot be used: \"500M\" may mean powers of 1024 or of 1000: write 500MiB or 500MB (at byte 232)",
        ),
        (
            "\"500MiB\"",
            "\"half\"",
            "field `package.quota` cannot be used: \"half\" is not an amount; expected bytes as a whole number, or text with a unit: 500MiB (2^20), 1GB (10^9) (at byte 232)",
        ),
        (
            "\"quota\":\"500MiB\",",
            "",
            "field `package.quota` is missing; expected an amount like 500MiB, or \"unlimited\" (at byte 232)",
        ),
        (
            "{\"months\":1}",
            "{}",
            "field `package.validity` does not say how long; expected one of months, days and cycles (at byte 232)",
        ),
        (
            "{\"months\":1}",
            "{\"months\":1,\"days\":2}",
            "field `package.validity` does not say how long; expected one of months, days and cycles (at byte 232)",
        ),
        ("{\"months\":1}", "1", "field `package.validity` is the number 1; expected an object (at byte 232)"),
        (
            "\"base\"",
            "\"bass\"",
            "field `package.kind` is the text \"bass\"; expected base or booster (at byte 232)",
        ),
        (
            "\"renewal\"",
            "\"later\"",
            "field `mode` is the text \"later\"; expected immediate, renewal or next_cycle (at byte 124)",
        ),
        (
            "2026-08-01T07:59:00+08:00",
            "today",
            "field `payment.paid_at` is \"today\", which is no time; expected RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00 (at byte 144)",
        ),
    ];
    for (from, to, said) in cases {
        assert_eq!(command(RECHARGE.replacen(from, to, 1).as_bytes()).unwrap_err().to_string(), said);
    }
}

#[test]
fn rules_are_read_with_amounts_as_text_and_their_faults_named() {
    let of = |rules: &str| {
        let json = format!(
            r#"{{"id":"c","card":"8986001234567890123","type":"rules.set","at":"2026-08-01T00:00:00Z","rules":{rules}}}"#
        );
        match command(json.as_bytes()) {
            Ok(CommandIn::Card(CardCommand { body: CommandBody::RulesSet { rules }, .. })) => Ok(rules),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(JsonError { at: None, ..error }.to_string()),
        }
    };
    let rule = |name: &str, kind| Rule { name: name.into(), kind };
    let json = r#"[{"name":"a","burnt_percent":80},{"name":"b","remaining_bytes":"500MiB"},{"name":"c","remaining_percent":20},
        {"name":"d","used_bytes":"1GB"},{"name":"e","used_day_bytes":7},{"name":"f","expires_days":true},
        {"name":"g","expires_days":3},{"name":"h","exhausted":true},{"name":"i","no_data_hours":24}]"#;
    let expected = vec![
        rule("a", RuleKind::BurntPercent(80)),
        rule("b", RuleKind::RemainingBytes(524_288_000)),
        rule("c", RuleKind::RemainingPercent(20)),
        rule("d", RuleKind::UsedBytes(1_000_000_000)),
        rule("e", RuleKind::UsedDayBytes(7)),
        rule("f", RuleKind::ExpiresDays(7)),
        rule("g", RuleKind::ExpiresDays(3)),
        rule("h", RuleKind::Exhausted(Yes)),
        rule("i", RuleKind::NoDataHours(24)),
    ];
    assert_eq!(of(json), Ok(expected));
    let watch = "does not say what to watch; expected one of burnt_percent, remaining_percent, remaining_bytes, \
                 used_bytes, used_day_bytes, expires_days, exhausted and no_data_hours";
    let cases = [
        ("7", "field `rules` is the number 7; expected a list of objects".to_owned()),
        ("[7]", "field `rules[0]` is no object".to_owned()),
        (r#"[{"name":"a"}]"#, format!("field `rules[0]` {watch}")),
        (r#"[{"name":"a","burnt_percent":1,"remaining_bytes":2}]"#, format!("field `rules[0]` {watch}")),
        (
            r#"[{"name":"a","burnt_percent":101}]"#,
            "field `rules[0].burnt_percent` is 101; the most is 100".to_owned(),
        ),
    ];
    for (json, said) in cases {
        assert_eq!(of(json), Err(said));
    }
}

#[test]
fn a_command_of_more_bytes_than_the_bound_is_refused_unread() {
    let error = command(&vec![b' '; 65_537]).unwrap_err().to_string();
    assert_eq!(error, "the command has 65537 bytes, more than 65536");
}
