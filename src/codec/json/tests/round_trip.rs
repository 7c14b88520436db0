//! What is written is read the same, whatever it holds; and damage is no panic.

use proptest::prelude::*;

use super::super::*;
use super::{CDR, READING, RECHARGE, card};
use crate::model::{
    Broadcast, BurntBecomes, CardCommand, CardId, CardName, CarrierState, Cdr, CommandBody, CounterKind,
    FeedName, Mode, Move, Number, NumberKind, OpenedPackage, OpenedState, Opening, Origin, PackageKind,
    PackageSpec, Payment, Per, PostInto, PostedCdr, Reading, Recipient, Register, Rule, RuleKind, Slice,
    Slices, Stopped, Validity, Yes,
};

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/._-]{1,40}", "\\PC{1,30}"]
}

fn any_time() -> impl Strategy<Value = i64> {
    -62_167_219_200i64..=253_402_300_799
}

fn any_number() -> impl Strategy<Value = Option<Number>> {
    let kind = prop_oneof![Just(NumberKind::Imsi), Just(NumberKind::Msisdn), Just(NumberKind::Imei)];
    prop::option::of((kind, 0u64..1_000_000_000_000_000).prop_map(|(kind, digits)| Number { kind, digits }))
}

fn name_of(card: CardId, number: Option<Number>) -> CardName {
    number.map_or(CardName::Iccid(card), CardName::Number)
}

const ORIGIN: Origin<'_> = Origin { source: "s", partition: 0, offset: 0, received_ms: 0 };

fn any_posted() -> impl Strategy<Value = PostedCdr> {
    let up = 0u64..1 << 40;
    (any_name(), any_name(), any_time(), any_time(), up).prop_map(|(feed, id, start, end, up)| PostedCdr {
        feed,
        id,
        start,
        end,
        up,
        down: 3,
        slices: vec![(end, up, 3)],
    })
}

fn any_recipient() -> impl Strategy<Value = Recipient> {
    prop_oneof![any_name().prop_map(Recipient::Sms), any_name().prop_map(Recipient::Voice)]
}

fn any_body() -> impl Strategy<Value = CommandBody> {
    let reason = || prop::option::of(any_name());
    let rule = (any_name(), 0u8..=100, any::<u64>(), 0..8).prop_map(|(name, percent, bytes, kind)| Rule {
        name,
        kind: [
            RuleKind::BurntPercent(percent),
            RuleKind::RemainingPercent(percent),
            RuleKind::RemainingBytes(bytes),
            RuleKind::UsedBytes(bytes),
            RuleKind::UsedDayBytes(bytes),
            RuleKind::ExpiresDays(u16::from(percent)),
            RuleKind::Exhausted(Yes),
            RuleKind::NoDataHours(u16::from(percent)),
        ][kind as usize],
    });
    prop_oneof![
        (any_name(), any_name(), any_name(), any_number(), prop::option::of(any_opening())).prop_map(
            |(channel, carrier, plan, number, opening)| {
                CommandBody::Register(Box::new(Register {
                    channel,
                    carrier,
                    plan,
                    numbers: Vec::from_iter(number),
                    recipients: None,
                    opening: opening.map(Box::new),
                }))
            }
        ),
        reason().prop_map(|reason| CommandBody::Suspend { reason }),
        Just(CommandBody::Resume),
        reason().prop_map(|reason| CommandBody::Cancel { reason }),
        any_recharge(),
        Just(CommandBody::Confirm { state: CarrierState::Suspended }),
        (any_name(), any_name(), any::<bool>()).prop_map(|(order, reference, owed)| {
            let burnt = if owed { BurntBecomes::Overage } else { BurntBecomes::Waived };
            CommandBody::Void { order, reference, burnt }
        }),
        prop::collection::vec(rule, 0..4).prop_map(|rules| CommandBody::RulesSet { rules }),
        prop::collection::vec(any_recipient(), 0..4)
            .prop_map(|recipients| CommandBody::RecipientsSet { recipients }),
        (any_name(), -(1i64 << 53)..(1 << 53), prop::option::of(-700_000..2_000_000), reason()).prop_map(
            |(reference, bytes, day, reason)| CommandBody::UsageAdjust { reference, bytes, day, reason }
        ),
        (any_name(), any_time(), any_posted(), any::<bool>()).prop_map(
            |(reference, quarantined_at, record, open)| {
                let into = if open { PostInto::Open } else { PostInto::Original };
                CommandBody::RecordPost { reference, quarantined_at, record: Box::new(record), into }
            }
        ),
        any::<u32>().prop_map(|credits| CommandBody::CreditsAdd { credits, payment: None }),
        (any_name(), any::<u32>(), any::<bool>()).prop_map(|(reference, credits, leaves)| {
            let other = if leaves { Move::To(card()) } else { Move::From(card()) };
            CommandBody::CreditsMove { reference, credits, other }
        }),
        (any_name(), any_recipient())
            .prop_map(|(reference, recipient)| CommandBody::CreditsReturn { reference, recipient }),
    ]
}

fn any_opened() -> impl Strategy<Value = OpenedPackage> {
    let payment = (any_name(), any_name(), any_time()).prop_map(|(provider, reference, paid_at)| Payment {
        provider,
        reference,
        paid_at,
    });
    let terms = (any::<bool>(), any::<Option<u64>>(), any::<u8>());
    let names = (any_name(), prop::option::of(any_name()));
    (names, payment, terms, any::<u64>(), any::<Option<u64>>(), any_time(), any_time()).prop_map(
        |(
            (order, channel),
            payment,
            (base, quota, priority),
            burnt,
            burnt_in_cycle,
            effective_at,
            expires_at,
        )| {
            OpenedPackage {
                order,
                channel: channel.unwrap_or_default(),
                payment,
                kind: if base { PackageKind::Base } else { PackageKind::Booster },
                quota,
                per: if base { Per::Cycle } else { Per::Validity },
                priority,
                burnt,
                burnt_in_cycle,
                effective_at,
                expires_at,
            }
        },
    )
}

fn any_opening() -> impl Strategy<Value = Opening> {
    let by = prop_oneof![Just(Stopped::Owner), Just(Stopped::Expiry), Just(Stopped::Exhaustion)];
    let state = prop::option::of((by, prop::option::of(any_time()))).prop_map(|stopped| match stopped {
        None => OpenedState::Active,
        Some((by, since)) => OpenedState::Suspended { by, since },
    });
    let packages = prop::collection::vec(any_opened(), 0..3);
    (any::<u64>(), any::<Option<u64>>(), packages, state, any::<u32>()).prop_map(
        |(used, overage, packages, state, credits)| Opening { used, overage, packages, state, credits },
    )
}

fn any_recharge() -> impl Strategy<Value = CommandBody> {
    let mode = prop_oneof![Just(Mode::Immediate), Just(Mode::Renewal), Just(Mode::NextCycle)];
    let kind = prop_oneof![Just(PackageKind::Base), Just(PackageKind::Booster)];
    let per = prop_oneof![Just(Per::Validity), Just(Per::Cycle)];
    let validity = (any::<u16>(), 0..3)
        .prop_map(|(n, kind)| [Validity::Months(n), Validity::Days(n), Validity::Cycles(n)][kind as usize]);
    let package = (kind, any::<Option<u64>>(), validity, per, any::<u8>(), any::<bool>()).prop_map(
        |(kind, quota, validity, per, priority, pays_overage)| PackageSpec {
            kind,
            quota,
            validity,
            per,
            priority,
            pays_overage,
        },
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

/// What JSON makes a difference of.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "",
        "\"",
        "\\",
        "\\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\t",
        "0",
        "00",
        "1",
        "-",
        ".",
        "1.5",
        "e3",
        "null",
        "true",
        "\u{1}",
        "\u{7f}",
        "é",
        "\u{1F600}",
        "99999999999999999999",
        "9999999999999999999",
        "\"up\":1,",
        "\"x\":0,",
        "\"slices\":null,",
        "\"\":\"\",",
    ];
    prop::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

fn placeless<T>(read: Result<T, JsonError>) -> Result<T, JsonError> {
    read.map_err(|error| JsonError { at: None, ..error })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cdr_written_is_read_the_same(
        feed in any_name(), id in any_name(), start in any_time(), end in any_time(), number in any_number(),
        slices in prop::collection::vec((any_time(), 0u64..1 << 40, 0u64..1 << 40), 0..5),
    ) {
        let mut slices: Vec<Slice> = slices.into_iter().map(|(end, up, down)| Slice { end, up, down }).collect();
        slices.sort_by_key(|slice| slice.end);
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
        let imei = number.filter(|number| number.kind == NumberKind::Imei).map_or(imei, |number| number.digits);
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

    /// A nested value, which the scan of plain objects leaves to serde, changes nothing else: both ways judge alike.
    #[test]
    fn the_fast_way_and_serde_read_the_same(
        edits in prop::collection::vec((any::<prop::sample::Index>(), piece()), 0..3),
    ) {
        for json in [CDR, READING] {
            let mut text: Vec<String> = json.chars().map(String::from).collect();
            for (at, piece) in &edits {
                let at = 1 + at.index(text.len() - 1);
                text[at].clone_from(piece);
            }
            let text = text.concat();
            // An empty object has no place for one more field and a comma.
            prop_assume!(!text.trim_start_matches(['{', ' ', '\n', '\t']).starts_with('}'));
            let slow = text.replacen('{', r#"{"nested":[],"#, 1);
            let (mut one, mut other) = (Scratch::default(), Scratch::default());
            prop_assert_eq!(placeless(cdr(text.as_bytes(), &mut one)), placeless(cdr(slow.as_bytes(), &mut other)), "{}", text);
            prop_assert_eq!(placeless(reading(text.as_bytes())), placeless(reading(slow.as_bytes())), "{}", text);
        }
    }
}
