//! Records and commands of every kind, as the program has them.

use tidegauge::model::{
    BurntBecomes, CardCommand, CardId, CarrierState, Cdr, CommandBody, CounterKind, FeedName, LogOffset,
    Mode, Move, Number, NumberKind, OpenedPackage, OpenedState, Opening, Origin, PackageKind, PackageSpec,
    Payment, Per, Position, PostInto, PostedCdr, Reading, Recipient, Register, Rule, RuleKind, Slices,
    Stopped, Validity, Yes,
};

pub(super) const ORIGIN: Origin<'_> =
    Origin { source: "usage.cdr", partition: 2, offset: 41, received_ms: 5 };
pub(super) const POSITION: Position = Position { partition: 3, offset: LogOffset(77), index: 5 };
pub(super) const NUMBERS: [Option<Number>; 3] = [
    None,
    Some(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }),
    Some(Number { kind: NumberKind::Msisdn, digits: 861_440_000_000_123 }),
];

pub(super) fn card() -> CardId {
    CardId::parse("8986001234567890123").unwrap()
}

pub(super) fn payment() -> Payment {
    Payment { provider: "wechat".into(), reference: "p-9".into(), paid_at: 1_785_542_340 }
}

pub(super) fn cdr(number: Option<Number>, slices: Slices<'_>) -> Cdr<'_> {
    let feed = FeedName::new("cmcc-pgw-1");
    Cdr { card: card(), feed, id: "85/1", start: 5, end: 9, up: 4, down: 6, slices, number, origin: ORIGIN }
}

pub(super) fn reading(number: Option<Number>, width: u8, session: &str) -> Reading<'_> {
    Reading {
        card: card(),
        feed: FeedName::new("modem"),
        imei: 0,
        counter: CounterKind("mm"),
        at: -1,
        tx: u64::MAX,
        rx: 0,
        width,
        session,
        number,
        origin: ORIGIN,
    }
}

pub(super) fn recharge(validity: Validity, mode: Mode) -> CommandBody {
    let package = PackageSpec {
        kind: PackageKind::Booster,
        quota: matches!(mode, Mode::Renewal).then_some(5),
        validity,
        per: if mode == Mode::Immediate { Per::Cycle } else { Per::Validity },
        priority: 255,
        pays_overage: mode == Mode::Renewal,
    };
    CommandBody::Recharge { order: "o".into(), channel: String::new(), payment: payment(), package, mode }
}

pub(super) fn recipients() -> Vec<Recipient> {
    vec![Recipient::Sms("+1".into()), Recipient::Voice("+1".into())]
}

/// A card that comes in mid-life, in a state.
pub(super) fn opened(state: OpenedState) -> CommandBody {
    let package = OpenedPackage {
        order: "o".into(),
        channel: String::new(),
        payment: payment(),
        kind: PackageKind::Base,
        quota: Some(9),
        per: Per::Cycle,
        priority: 1,
        burnt: 3,
        burnt_in_cycle: None,
        effective_at: 1,
        expires_at: 2,
    };
    let bare = OpenedPackage {
        order: "p".into(),
        channel: "web".into(),
        quota: None,
        burnt_in_cycle: Some(2),
        ..package.clone()
    };
    let overage = (state == OpenedState::Active).then_some(7);
    let opening = Opening { used: 12, overage, packages: vec![package, bare], state, credits: 3 };
    CommandBody::Register(Box::new(Register {
        channel: "web".into(),
        carrier: "cmcc".into(),
        plan: "p".into(),
        numbers: vec![],
        recipients: Some(recipients()),
        opening: Some(Box::new(opening)),
    }))
}

pub(super) fn bodies() -> Vec<CommandBody> {
    let rule = |name: &str, kind| Rule { name: name.into(), kind };
    let numbers =
        [NumberKind::Imsi, NumberKind::Msisdn, NumberKind::Imei].map(|kind| Number { kind, digits: 7 });
    vec![
        CommandBody::Register(Box::new(Register {
            channel: "web".into(),
            carrier: "cmcc".into(),
            plan: "p".into(),
            numbers: numbers.into(),
            recipients: None,
            opening: None,
        })),
        opened(OpenedState::Active),
        opened(OpenedState::Suspended { by: Stopped::Owner, since: None }),
        opened(OpenedState::Suspended { by: Stopped::Expiry, since: Some(5) }),
        CommandBody::Suspend { reason: None },
        CommandBody::Suspend { reason: Some("lost".into()) },
        CommandBody::Resume,
        CommandBody::Cancel { reason: None },
        recharge(Validity::Months(1), Mode::Immediate),
        recharge(Validity::Days(30), Mode::Renewal),
        recharge(Validity::Cycles(3), Mode::NextCycle),
        CommandBody::Confirm { state: CarrierState::Cancelled },
        CommandBody::Void { order: "o".into(), reference: "r".into(), burnt: BurntBecomes::Overage },
        CommandBody::RulesSet {
            rules: vec![
                rule("a", RuleKind::BurntPercent(80)),
                rule("b", RuleKind::RemainingPercent(0)),
                rule("c", RuleKind::RemainingBytes(u64::MAX)),
                rule("d", RuleKind::UsedBytes(1)),
                rule("e", RuleKind::UsedDayBytes(1)),
                rule("f", RuleKind::ExpiresDays(7)),
                rule("g", RuleKind::Exhausted(Yes)),
                rule("h", RuleKind::NoDataHours(24)),
            ],
        },
        CommandBody::RulesSet { rules: Vec::new() },
        CommandBody::UsageAdjust { reference: "r".into(), bytes: -7, day: None, reason: None },
        CommandBody::UsageAdjust {
            reference: "r".into(),
            bytes: i64::MAX,
            day: Some(20_666),
            reason: Some("w".into()),
        },
        CommandBody::RecordPost {
            reference: "q".into(),
            quarantined_at: 7,
            record: Box::new(PostedCdr {
                feed: "cmcc-pgw-1".into(),
                id: "85/1".into(),
                start: 5,
                end: 9,
                up: 4,
                down: 6,
                slices: vec![(7, 4, 6)],
            }),
            into: PostInto::Original,
        },
        CommandBody::RecipientsSet { recipients: recipients() },
        CommandBody::CreditsAdd { credits: 7, payment: Some(payment()) },
        CommandBody::CreditsAdd { credits: 7, payment: None },
        CommandBody::CreditsMove { reference: "r".into(), credits: 7, other: Move::To(card()) },
        CommandBody::CreditsMove { reference: "r".into(), credits: 7, other: Move::From(card()) },
        CommandBody::CreditsReturn { reference: "e".into(), recipient: Recipient::Voice("+1".into()) },
    ]
}

pub(super) fn command(body: CommandBody) -> CardCommand {
    CardCommand { id: "c".into(), card: card(), iccid: "89860012345678901236".into(), at: 7, body }
}
