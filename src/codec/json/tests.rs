//! Outside JSON: examples of the contract by hand, one fault a line, and the way there and back.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::model::{
    Broadcast, CardCommand, CardId, CardName, Cdr, CommandBody, CounterKind, FeedName, Mode, Number,
    NumberKind, Origin, PackageKind, PackageSpec, Payment, Per, Reading, Register, Rule, RuleKind, Slice,
    Slices, Validity,
};

const CDR: &str = r#"{"iccid":"8986001234567890123","feed":"cmcc-pgw-1","id":"85/10.1.2.3/3405691582/12","start":"2026-08-01T09:30:15+08:00","end":"2026-08-01T09:45:15+08:00","up":48213,"down":1351042}"#;
const READING: &str = r#"{"iccid":"8986001234567890123","imei":"860000000000011","counter":"qgdcnt","at":"2026-08-01T09:35:00+08:00","tx":1200300,"rx":99000123}"#;
const RECHARGE: &str = r#"{"id":"r-1","card":"8986001234567890123","type":"recharge","at":"2026-08-01T00:00:00Z","order":"o-1","channel":"web","mode":"renewal","payment":{"provider":"wechat","reference":"p-9","paid_at":"2026-08-01T07:59:00+08:00"},"package":{"kind":"base","quota":"500MiB","validity":{"months":1}}}"#;

fn card() -> CardId {
    CardId::parse("8986001234567890123").unwrap()
}

fn imsi() -> Number {
    Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }
}

fn cdr_error(json: &str) -> String {
    cdr(json.as_bytes(), &mut Scratch::default()).unwrap_err().to_string()
}

#[test]
fn the_contracts_cdr_is_read() {
    let mut scratch = Scratch::default();
    let expected = CdrIn {
        card: CardName::Iccid(card()),
        feed: "cmcc-pgw-1".into(),
        id: "85/10.1.2.3/3405691582/12".into(),
        start: 1_785_547_815,
        end: 1_785_548_715,
        up: 48_213,
        down: 1_351_042,
        slices: Slices::default(),
    };
    let read = cdr(CDR.as_bytes(), &mut scratch).unwrap();
    assert_eq!(read, expected);
    assert!(matches!((read.feed, read.id), (Cow::Borrowed(_), Cow::Borrowed(_))), "nothing is copied");
}

#[test]
fn the_contracts_reading_is_read() {
    let expected = ReadingIn {
        card: CardName::Iccid(card()),
        feed: "modem".into(),
        imei: 860_000_000_000_011,
        counter: "qgdcnt".into(),
        at: 1_785_548_100,
        tx: 1_200_300,
        rx: 99_000_123,
        width: 0,
        session: "".into(),
    };
    assert_eq!(reading(READING.as_bytes()), Ok(expected));
}

#[test]
fn a_card_may_go_by_its_numbers() {
    let named = |names: &str| {
        let json = CDR.replacen(r#""iccid":"8986001234567890123""#, names, 1);
        cdr(json.as_bytes(), &mut Scratch::default()).map(|cdr| cdr.card)
    };
    let msisdn = CardName::Number(Number { kind: NumberKind::Msisdn, digits: 861_440_000_000_123 });
    let cases = [
        (r#""imsi":"460041234567890""#, CardName::Number(imsi())),
        (r#""msisdn":"861440000000123""#, msisdn),
        (r#""msisdn":"+861440000000123""#, msisdn),
        (r#""imsi":"460041234567890","msisdn":"861440000000123""#, CardName::Number(imsi())),
        (r#""imsi":"460041234567890","iccid":"89860012345678901236""#, CardName::Iccid(card())),
        (r#""iccid":null,"imsi":"460041234567890""#, CardName::Number(imsi())),
    ];
    for (names, expected) in cases {
        assert_eq!(named(names), Ok(expected), "{names}");
    }
}

#[test]
fn texts_with_escapes_are_unescaped() {
    let json = CDR.replace("85/10", r"85\/\u0031\u0030");
    assert_eq!(cdr(json.as_bytes(), &mut Scratch::default()).unwrap().id, "85/10.1.2.3/3405691582/12");
}

#[test]
fn unknown_fields_are_ignored_and_optional_ones_may_be_null() {
    let json = CDR.replacen('{', r#"{"x":{"up":[1,{"down":2}]},"slices":null,"imei":null,"apn":"iot","plmn":"46000","rat":"6","rating_group":10,"#, 1);
    assert_eq!(cdr(json.as_bytes(), &mut Scratch::default()).unwrap().up, 48_213);
    let json = READING.replacen('{', r#"{"session":null,"width":null,"feed":null,"#, 1);
    assert_eq!(reading(json.as_bytes()).unwrap().session, "");
}

#[test]
fn slices_are_packed_in_their_order() {
    let json = CDR.replacen('{', r#"{"slices":[{"end":"2026-08-01T01:40:00Z","up":8213,"down":1000000},{"end":"2026-08-01T01:45:15Z","up":40000,"down":351042,"x":1}],"#, 1);
    let mut scratch = Scratch::default();
    let read: Vec<Slice> = cdr(json.as_bytes(), &mut scratch).unwrap().slices.iter().collect();
    let expected = [
        Slice { end: 1_785_548_400, up: 8_213, down: 1_000_000 },
        Slice { end: 1_785_548_715, up: 40_000, down: 351_042 },
    ];
    assert_eq!(read, expected);
    assert!(cdr(CDR.as_bytes(), &mut scratch).unwrap().slices.is_empty(), "the next record has none of them");
}

#[test]
fn faults_of_a_cdr_are_named() {
    let slices = |slices: &str| (r#"{"iccid""#, format!(r#"{{"slices":{slices},"iccid""#));
    let cases = [
        (
            ("up\":48213", "up\":-1".into()),
            "field `up` is the number -1; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":\"48213\"".into()),
            "field `up` is the text \"48213\"; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":1.5".into()),
            "field `up` is the number 1.5; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":281474976710657".into()),
            "field `up` is 281474976710657; the most is 281474976710656 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":true".into()),
            "field `up` is true; expected a whole number from 0 (at byte 159)",
        ),
        (
            ("up\":48213", "up\":[]".into()),
            "field `up` is a list; expected a whole number from 0 (at byte 159)",
        ),
        (("\"up\":48213,", String::new()), "field `up` is missing; expected a whole number from 0"),
        (
            ("down\":1351042", "down\":null".into()),
            "field `down` is null; expected a whole number from 0 (at byte 172)",
        ),
        (
            ("down\":1351042", "up\":1".into()),
            "field `up` stands there twice; expected each field once (at byte 168)",
        ),
        (
            ("15+08:00", "15".into()),
            "field `start` is \"2026-08-01T09:30:15\", which is no time; expected RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00 (at byte 92)",
        ),
        (
            ("\"end\":\"2026", "\"end\":{}, \"x\":\"2026".into()),
            "field `end` is an object; expected RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00 (at byte 126)",
        ),
        (
            ("cmcc-pgw-1", String::new()),
            "field `feed` has 0 bytes; expected text of 1 to 128 bytes (at byte 38)",
        ),
        (
            ("cmcc-pgw-1", "f".repeat(129)),
            "field `feed` has 129 bytes; expected text of 1 to 128 bytes (at byte 38)",
        ),
        (
            ("\"85/10.1.2.3/3405691582/12\"", "7".into()),
            "field `id` is the number 7; expected text of 1 to 128 bytes (at byte 56)",
        ),
        (
            ("8986001234567890123", "898600".into()),
            "field `iccid` is \"898600\": an ICCID has 19 or 20 characters, this has 6 (at byte 9)",
        ),
        (
            ("\"8986001234567890123\"", "8986001234567890123".into()),
            "field `iccid` is the number 8986001234567890123; expected text of 19 or 20 characters 0-9 and A-F (at byte 9)",
        ),
        (
            ("iccid", "ICCID".into()),
            "field `iccid` is missing; expected iccid, or imsi or msisdn in its place",
        ),
        (
            ("iccid\":\"8986001234567890123", "imsi\":\"46004x".into()),
            "field `imsi` is \"46004x\"; expected text of 1 to 16 digits (at byte 8)",
        ),
        (
            ("\"feed\"", "\"rat\":6,\"feed\"".into()),
            "field `rat` is the number 6; expected text of 1 to 128 bytes (at byte 37)",
        ),
        (slices("{}"), "field `slices` is no list of slices; expected [{end, up, down}, ...] (at byte 10)"),
        (slices("[7]"), "field `slices[0]` not a JSON object (at byte 10)"),
        (slices("[[\"2026-08-01T01:40:00Z\",1,2]]"), "field `slices[0]` not a JSON object (at byte 10)"),
        (
            slices("[{\"end\":\"2026-08-01T01:40:00Z\",\"up\":1}]"),
            "field `slices[0].down` is missing; expected a whole number from 0 (at byte 10)",
        ),
        (
            slices("[{\"end\":\"2026-08-01T01:40:00Z\",\"up\":1,\"down\":2}]"),
            "field `slices` add up to 1 up and 2 down, not to the record's (at byte 10)",
        ),
    ];
    for ((from, to), said) in cases {
        assert_eq!(cdr_error(&CDR.replacen(from, &to, 1)), said);
    }
}

#[test]
fn more_slices_than_the_bound_are_refused() {
    let of = |count: usize| {
        let slice = r#"{"end":"2026-08-01T01:40:00Z","up":0,"down":0}"#;
        let list = vec![slice; count].join(",");
        let json = CDR.replace("48213", "0").replace("1351042", "0");
        json.replacen('{', &format!(r#"{{"slices":[{list}],"#), 1)
    };
    assert_eq!(cdr(of(64).as_bytes(), &mut Scratch::default()).unwrap().slices.len(), 64);
    assert_eq!(cdr_error(&of(65)), "field `slices` holds more than 64 slices (at byte 10)");
}

#[test]
fn what_is_no_json_object_is_said() {
    let cases = [
        ("", "not JSON: EOF while parsing a value (at byte 0)"),
        ("{\"iccid\":", "not JSON: EOF while parsing a value (at byte 8)"),
        ("[]", "not a JSON object"),
        ("\"x\"", "not a JSON object"),
        ("{}{}", "not JSON: trailing characters (at byte 2)"),
        ("{\n \"up\": 01}", "not JSON: invalid number (at byte 10)"),
    ];
    for (json, said) in cases {
        let error = cdr_error(json);
        assert!(error.starts_with(said), "{json}: {error}");
    }
}

#[test]
fn a_value_is_shown_in_part_only() {
    let error = cdr_error(&CDR.replace("2026-08-01T09:30:15+08:00", &"é".repeat(100)));
    assert!(error.contains(&format!("is \"{}\"..., which is no time", "é".repeat(40))), "{error}");
}

#[test]
fn faults_of_a_reading_are_named() {
    let cases = [
        ("\"imei\":\"860000000000011\",", "", "field `imei` is missing; expected text of 1 to 16 digits"),
        ("\"counter\":\"qgdcnt\",", "", "field `counter` is missing; expected text of 1 to 128 bytes"),
        ("\"tx\"", "\"width\":16,\"tx\"", "field `width` is the number 16; expected 32 or 64 (at byte 116)"),
        (
            "\"tx\"",
            "\"session\":1,\"tx\"",
            "field `session` is the number 1; expected text of 1 to 128 bytes (at byte 118)",
        ),
        (
            "99000123",
            "18446744073709551616",
            "field `rx` is the number 18446744073709552000; expected a whole number from 0 (at byte 126)",
        ),
    ];
    for (from, to, said) in cases {
        assert_eq!(reading(READING.replacen(from, to, 1).as_bytes()).unwrap_err().to_string(), said);
    }
}

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
    let json = r#"{"id":"c","card":"8986001234567890123f","type":"card.register","at":"2026-08-01T00:00:00Z","channel":"web","carrier":"cmcc","plan":"p","imsi":"460041234567890","imei":"860000000000011","recipients":["+86"]}"#;
    let Ok(CommandIn::Card(command)) = command(json.as_bytes()) else { panic!("not a card's") };
    assert_eq!(command.iccid, "8986001234567890123F", "the full form is kept for display");
    let numbers = vec![imsi(), Number { kind: NumberKind::Imei, digits: 860_000_000_000_011 }];
    let register = Register { channel: "web".into(), carrier: "cmcc".into(), plan: "p".into(), numbers };
    assert_eq!(command.body, CommandBody::Register(Box::new(register)));
}

#[test]
fn what_this_version_does_not_do_is_named_so_that_the_sender_is_answered() {
    let names = [
        "card.confirm",
        "recharge.void",
        "credits.add",
        "credits.move",
        "credits.return",
        "usage.adjust",
        "record.post",
    ];
    for name in names {
        let json = format!(
            r#"{{"id":"c","card":"8986001234567890123","type":"{name}","at":"2026-08-01T00:00:00Z"}}"#
        );
        let Ok(CommandIn::Card(command)) = command(json.as_bytes()) else { panic!("{name}") };
        assert_eq!(command.body, CommandBody::Unsupported { name: name.into() });
    }
    let opening = r#"{"id":"c","card":"8986001234567890123","type":"card.register","at":"2026-08-01T00:00:00Z","channel":"web","carrier":"cmcc","plan":"p","opening":{"used":5}}"#;
    let Ok(CommandIn::Card(command)) = command(opening.as_bytes()) else { panic!("opening") };
    assert_eq!(command.body, CommandBody::Unsupported { name: "card.register with opening".into() });
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
    let json = r#"[{"name":"a","burnt_percent":80},{"name":"b","remaining_bytes":"500MiB"},{"name":"c","remaining_percent":20}]"#;
    let expected = vec![
        rule("a", RuleKind::BurntPercent(80)),
        rule("b", RuleKind::RemainingBytes(524_288_000)),
        rule("c", RuleKind::RemainingPercent(20)),
    ];
    assert_eq!(of(json), Ok(expected));
    let watch =
        "does not say what to watch; expected one of burnt_percent, remaining_percent and remaining_bytes";
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

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/._-]{1,40}", "\\PC{1,30}"]
}

fn any_time() -> impl Strategy<Value = i64> {
    -62_167_219_200i64..=253_402_300_799
}

fn any_number() -> impl Strategy<Value = Option<Number>> {
    let kind = prop_oneof![Just(NumberKind::Imsi), Just(NumberKind::Msisdn)];
    prop::option::of((kind, 0u64..1_000_000_000_000_000).prop_map(|(kind, digits)| Number { kind, digits }))
}

fn name_of(card: CardId, number: Option<Number>) -> CardName {
    number.map_or(CardName::Iccid(card), CardName::Number)
}

const ORIGIN: Origin<'_> = Origin { source: "s", partition: 0, offset: 0, received_ms: 0 };

fn any_body() -> impl Strategy<Value = CommandBody> {
    let reason = || prop::option::of(any_name());
    let rule = (any_name(), 0u8..=100, any::<u64>(), 0..3).prop_map(|(name, percent, bytes, kind)| Rule {
        name,
        kind: [
            RuleKind::BurntPercent(percent),
            RuleKind::RemainingPercent(percent),
            RuleKind::RemainingBytes(bytes),
        ][kind as usize],
    });
    prop_oneof![
        (any_name(), any_name(), any_name(), any_number()).prop_map(|(channel, carrier, plan, number)| {
            CommandBody::Register(Box::new(Register {
                channel,
                carrier,
                plan,
                numbers: Vec::from_iter(number),
            }))
        }),
        reason().prop_map(|reason| CommandBody::Suspend { reason }),
        Just(CommandBody::Resume),
        reason().prop_map(|reason| CommandBody::Cancel { reason }),
        any_recharge(),
        prop::collection::vec(rule, 0..4).prop_map(|rules| CommandBody::RulesSet { rules }),
        Just(CommandBody::Unsupported { name: "credits.add".into() }),
    ]
}

fn any_recharge() -> impl Strategy<Value = CommandBody> {
    let mode = prop_oneof![Just(Mode::Immediate), Just(Mode::Renewal), Just(Mode::NextCycle)];
    let kind = prop_oneof![Just(PackageKind::Base), Just(PackageKind::Booster)];
    let per = prop_oneof![Just(Per::Validity), Just(Per::Cycle)];
    let validity = (any::<u16>(), 0..3)
        .prop_map(|(n, kind)| [Validity::Months(n), Validity::Days(n), Validity::Cycles(n)][kind as usize]);
    let package = (kind, any::<Option<u64>>(), validity, per, any::<u8>()).prop_map(
        |(kind, quota, validity, per, priority)| PackageSpec { kind, quota, validity, per, priority },
    );
    let payment = (any_name(), any_name(), any_time()).prop_map(|(provider, reference, paid_at)| Payment {
        provider,
        reference,
        paid_at,
    });
    (any_name(), any_name(), payment, package, mode).prop_map(|(order, channel, payment, package, mode)| {
        CommandBody::Recharge { order, channel, payment, package, mode }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cdr_written_is_read_the_same(
        feed in any_name(), id in any_name(), start in any_time(), end in any_time(), number in any_number(),
        slices in prop::collection::vec((any_time(), 0u64..1 << 40, 0u64..1 << 40), 0..5),
    ) {
        let slices: Vec<Slice> = slices.into_iter().map(|(end, up, down)| Slice { end, up, down }).collect();
        let (up, down) = slices.iter().fold((0, 0), |sum, s| (sum.0 + s.up, sum.1 + s.down));
        let mut buffer = Vec::new();
        let slices = Slices::pack(&slices, &mut buffer);
        let record = Cdr { card: card(), feed: FeedName::new(&feed), id: &id, start, end, up, down, slices, number, origin: ORIGIN };
        let written = write::cdr(&record);
        let mut scratch = Scratch::default();
        let read = cdr(&written, &mut scratch).unwrap();
        let card = name_of(card(), number);
        prop_assert_eq!(read, CdrIn { card, feed: feed.as_str().into(), id: id.as_str().into(), start, end, up, down, slices });
    }

    #[test]
    fn a_reading_written_is_read_the_same(
        feed in any_name(), counter in any_name(), session in prop_oneof![Just(String::new()), any_name()],
        imei in 0u64..10_000_000_000_000_000, at in any_time(), tx in any::<u64>(), rx in any::<u64>(),
        width in prop_oneof![Just(0u8), Just(32), Just(64)], number in any_number(),
    ) {
        let record = Reading { card: card(), feed: FeedName::new(&feed), imei, counter: CounterKind(&counter), at, tx, rx, width, session: &session, number, origin: ORIGIN };
        let written = write::reading(&record);
        let card = name_of(card(), number);
        let expected = ReadingIn { card, feed: feed.as_str().into(), imei, counter: counter.as_str().into(), at, tx, rx, width, session: session.as_str().into() };
        prop_assert_eq!(reading(&written), Ok(expected));
    }

    #[test]
    fn a_command_written_is_read_the_same(id in any_name(), at in any_time(), body in any_body()) {
        let given = CardCommand { id, card: card(), iccid: "89860012345678901236".into(), at, body };
        prop_assert_eq!(command(&write::command(&given)), Ok(CommandIn::Card(given)));
    }

    #[test]
    fn a_broadcast_written_is_read_the_same(id in any_name(), feed in any_name(), day in 0i32..2_000_000, at in any_time()) {
        for (broadcast, at) in [
            (Broadcast::FeedComplete { id: id.clone(), feed, day }, None),
            (Broadcast::ClockAdvance { id }, Some(at)),
        ] {
            prop_assert_eq!(command(&write::broadcast(&broadcast, at)), Ok(CommandIn::Broadcast { broadcast, at }));
        }
    }

    #[test]
    fn damaged_json_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        for json in [CDR, READING, RECHARGE] {
            let mut bytes = json.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            for bytes in [&bytes[..], &bytes[..cut.index(json.len())]] {
                let _ = (cdr(bytes, &mut Scratch::default()).is_ok(), reading(bytes).is_ok(), command(bytes).is_ok());
            }
        }
    }
}
