//! Whatever the program writes is valid.

use serde_json::Value;
use tidegauge::codec::{canonical, directory, event, json::write, quarantine};
use tidegauge::ingest::gaps::{Change, Gaps, Kind, Seen, Watch};
use tidegauge::log::Output;
use tidegauge::model::{
    AlertData, Broadcast, BurntBecomes, CardCommand, CardId, CardName, CarrierState, Cdr, Channel,
    CommandBody, CounterData, CounterKind, Delivery, DirectoryEntry, Event, EventBody, FeedName, LogOffset,
    Mode, Move, Number, NumberKind, Occasion, OpenedPackage, OpenedState, Opening, Origin, Outcome,
    PackageData, PackageKind, PackageSpec, Payment, Per, Position, PostInto, PostedCdr, Reading, Recipient,
    Record, Register, Rule, RuleKind, Slice, Slices, Stopped, Validity, VoidData, Withheld, Yes,
};

use super::files::{assert_valid, validator};

const ORIGIN: Origin<'_> = Origin { source: "usage.cdr", partition: 2, offset: 41, received_ms: 5 };
const POSITION: Position = Position { partition: 3, offset: LogOffset(77), index: 5 };
const NUMBERS: [Option<Number>; 3] = [
    None,
    Some(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }),
    Some(Number { kind: NumberKind::Msisdn, digits: 861_440_000_000_123 }),
];

fn card() -> CardId {
    CardId::parse("8986001234567890123").unwrap()
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn payment() -> Payment {
    Payment { provider: "wechat".into(), reference: "p-9".into(), paid_at: 1_785_542_340 }
}

fn cdr(number: Option<Number>, slices: Slices<'_>) -> Cdr<'_> {
    let feed = FeedName::new("cmcc-pgw-1");
    Cdr { card: card(), feed, id: "85/1", start: 5, end: 9, up: 4, down: 6, slices, number, origin: ORIGIN }
}

fn reading(number: Option<Number>, width: u8, session: &str) -> Reading<'_> {
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

#[test]
fn records_written_are_valid() {
    let (cdrs, readings) = (validator("cdr.json"), validator("reading.json"));
    let mut buffer = Vec::new();
    let slices = Slices::pack(&[Slice { end: 7, up: 4, down: 6 }], &mut buffer);
    for number in NUMBERS {
        for slices in [slices, Slices::default()] {
            assert_valid(&cdrs, &value(&write::cdr(&cdr(number, slices))), "cdr");
        }
        for (width, session) in [(0, ""), (32, "s"), (64, "")] {
            assert_valid(&readings, &value(&write::reading(&reading(number, width, session))), "reading");
        }
        for (counter, session) in [("day-total", ""), ("cycle-total", "2026-08-01")] {
            let total = Reading { counter: CounterKind(counter), ..reading(number, 0, session) };
            assert_valid(&readings, &value(&write::reading(&total)), counter);
        }
    }
}

fn recharge(validity: Validity, mode: Mode) -> CommandBody {
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

fn recipients() -> Vec<Recipient> {
    vec![Recipient::Sms("+1".into()), Recipient::Voice("+1".into())]
}

/// A card that comes in mid-life, in a state.
fn opened(state: OpenedState) -> CommandBody {
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

fn bodies() -> Vec<CommandBody> {
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

fn command(body: CommandBody) -> CardCommand {
    CardCommand { id: "c".into(), card: card(), iccid: "89860012345678901236".into(), at: 7, body }
}

#[test]
fn commands_written_are_valid() {
    let commands = validator("command.json");
    for body in bodies() {
        assert_valid(&commands, &value(&write::command(&command(body))), "command");
    }
    let complete = Broadcast::FeedComplete { id: "f".into(), feed: "cmcc".into(), day: 20_666 };
    assert_valid(&commands, &value(&write::broadcast(&complete, None)), "feed.complete");
    let clock = Broadcast::ClockAdvance { id: "t".into() };
    assert_valid(&commands, &value(&write::broadcast(&clock, Some(7))), "clock.advance");
}

fn alert(kind: RuleKind) -> AlertData {
    AlertData {
        rule: "r".into(),
        kind,
        arming: u32::MAX,
        used: u64::MAX,
        settled: 1,
        provisional: 2,
        quota: Some(3),
        burnt: 4,
        remaining: Some(5),
        overage: 6,
        settling: false,
        cycle: 20_666,
        forecast: None,
        late: false,
        occasion: Occasion::default(),
        delivery: None,
    }
}

fn packages() -> [PackageData; 2] {
    let full = PackageData {
        order: "o".into(),
        payment: payment(),
        kind: PackageKind::Base,
        mode: Mode::Renewal,
        quota: Some(5),
        burnt: 5,
        effective_at: Some(7),
        expires_at: Some(8),
        cycle: Some(20_666),
    };
    [PackageData { quota: None, effective_at: None, expires_at: None, cycle: None, ..full.clone() }, full]
}

fn fall() -> CounterData {
    CounterData {
        feed: "modem".into(),
        imei: Some("860000000000011".into()),
        counter: "mm".into(),
        session: None,
        day: None,
        cycle: None,
        read_at: 9,
        tx: u64::MAX,
        rx: 1,
        before_at: Some(7),
        before_tx: 2,
        before_rx: 3,
        up: 4,
        down: 5,
        taken_up: 0,
        taken_down: 0,
    }
}

fn total() -> CounterData {
    CounterData {
        feed: "ctd".into(),
        imei: None,
        counter: "cycle-total".into(),
        session: Some("2026-08-01".into()),
        cycle: Some(20_666),
        before_at: None,
        taken_down: 6,
        ..fall()
    }
}

/// Packages taken back, and cards on their way out.
fn taken_back() -> Vec<EventBody> {
    let mut events = vec![
        EventBody::CardWarned { days: 7, suspended_at: 1, cancelled_at: 2 },
        EventBody::CardConfirmed { state: CarrierState::Active, desired: CarrierState::Suspended },
        EventBody::CardUsedWhileStopped {
            state: CarrierState::Cancelled,
            since: 1,
            used_at: 2,
            confirmed: None,
        },
        EventBody::CardUsedWhileStopped {
            state: CarrierState::Suspended,
            since: 1,
            used_at: 2,
            confirmed: Some(CarrierState::Active),
        },
    ];
    let [queued, in_force] = packages().map(|package| PackageData { cycle: None, ..package });
    let (cause, reference) = ("command".to_owned(), Some("refund".to_owned()));
    let burnt_becomes = Some(BurntBecomes::Waived);
    events.push(EventBody::PackageVoided(VoidData { package: in_force, cause, reference, burnt_becomes }));
    let (cause, reference) = ("cancelled".to_owned(), None);
    events.push(EventBody::PackageVoided(VoidData {
        package: queued,
        cause,
        reference,
        burnt_becomes: None,
    }));
    events
}

/// One of every kind, and of some several forms. A kind that is not here does not compile.
fn events() -> Vec<EventBody> {
    let text = |text: &str| text.to_owned();
    let mut all = vec![
        EventBody::AlertFired(alert(RuleKind::BurntPercent(100))),
        EventBody::AlertFired(alert(RuleKind::RemainingPercent(0))),
        EventBody::AlertResolved(alert(RuleKind::RemainingBytes(u64::MAX))),
        EventBody::AlertResolved(AlertData {
            quota: None,
            remaining: None,
            ..alert(RuleKind::Exhausted(Yes))
        }),
        EventBody::AlertFired(AlertData { forecast: Some(7), ..alert(RuleKind::UsedBytes(1)) }),
        EventBody::AlertFired(AlertData {
            delivery: Some(Box::new(Delivery {
                recipients: recipients(),
                withheld: vec![Withheld { channel: Channel::Sms, recipients: 2, reason: "w".into() }],
                ..Delivery::default()
            })),
            ..alert(RuleKind::BurntPercent(1))
        }),
        EventBody::AlertFired(AlertData {
            delivery: Some(Box::new(Delivery { with: Some("e".into()), ..Delivery::default() })),
            ..alert(RuleKind::BurntPercent(1))
        }),
        EventBody::UsageAdjusted {
            reference: "r".into(),
            bytes: -7,
            left_over: -1,
            day: 20_666,
            cycle: 20_666,
            used: 0,
            reason: None,
        },
        EventBody::CreditsAdded { credits: 7, balance: 8, payment: Some(payment()) },
        EventBody::CreditsAdded { credits: 7, balance: 8, payment: None },
        EventBody::CreditsMoved { reference: "r".into(), credits: 7, balance: 0, other: Move::To(card()) },
        EventBody::CreditsMoved { reference: "r".into(), credits: 7, balance: 0, other: Move::From(card()) },
        EventBody::CreditsReturned { reference: "e".into(), balance: 1 },
        EventBody::AlertFired(AlertData {
            late: true,
            occasion: Occasion { day: Some(20_665), day_used: Some(9), ..Occasion::default() },
            ..alert(RuleKind::UsedDayBytes(9))
        }),
        EventBody::AlertFired(AlertData {
            occasion: Occasion { expires_at: Some(9), ..Occasion::default() },
            ..alert(RuleKind::ExpiresDays(7))
        }),
        EventBody::AlertFired(AlertData {
            occasion: Occasion { since: Some(9), ..Occasion::default() },
            ..alert(RuleKind::NoDataHours(1))
        }),
        EventBody::RechargeRefused { order: text("o"), payment: payment(), reason: text("cancelled") },
        EventBody::CardRegistered { channel: text("web"), carrier: text("cmcc"), plan: text("p") },
        EventBody::CardOpened {
            cycle: 20_666,
            used: 7,
            overage: 1,
            credits: 2,
            packages: packages().map(|package| PackageData { cycle: None, ..package }).into(),
        },
        EventBody::CardActivated { cause: text("usage") },
        EventBody::CardSuspended { cause: text("expiry") },
        EventBody::CardResumed { cause: text("recharge") },
        EventBody::CardCancelled { cause: text("command") },
        EventBody::CycleClosed {
            cycle: 20_666,
            used: 1,
            settled: 2,
            estimate: 3,
            overage: 4,
            unsettled_days: 31,
            revision: 0,
        },
        EventBody::CycleRestated {
            cycle: 20_666,
            used: 1,
            settled: 2,
            estimate: 3,
            overage: 4,
            unsettled_days: 31,
            revision: 1,
        },
        EventBody::CommandApplied { command: text("c") },
        EventBody::CommandRefused { command: text("c"), reason: text("no such plan") },
    ];
    all.extend([
        EventBody::CounterWrapped(fall()),
        EventBody::CounterRestarted(CounterData { session: Some(text("s")), ..fall() }),
        EventBody::CounterUnexplained(CounterData { imei: None, ..fall() }),
        EventBody::CounterBegun(total()),
        EventBody::CounterLowered(total()),
    ]);
    all.extend(taken_back());
    for package in packages() {
        all.push(EventBody::PackageQueued(package.clone()));
        all.push(EventBody::PackageActivated(package.clone()));
        all.push(EventBody::PackageExpired(package.clone()));
        all.push(EventBody::PackageExhausted(package));
    }
    all
}

#[test]
fn events_written_are_valid_and_come_back() {
    for cause in [None, Some(POSITION)] {
        for body in events() {
            let kind = body.kind();
            let given = Event {
                card: card(),
                iccid: "89860012345678901236".into(),
                id: format!("{}/{kind}/1", card()),
                at: 7,
                log_time: 8,
                cause,
                body,
            };
            let written = event::output(&given, "prod-1", None).value.unwrap();
            assert_valid(&validator(&format!("event/{kind}.v1.json")), &value(&written), kind);
            assert_eq!(event::read(&written), Ok(given));
        }
    }
}

#[test]
fn every_kind_of_event_is_written_here() {
    let written: std::collections::BTreeSet<_> =
        events().iter().map(|body| format!("{}.v1.json", body.kind())).collect();
    let folder = super::files::root().join("event");
    let described: std::collections::BTreeSet<_> = super::files::json_files(&folder)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "identity.conflict.v1.json" && !name.starts_with("feed."))
        .collect();
    assert_eq!(written, described);
}

#[test]
fn what_is_told_of_gaps_is_valid() {
    let watch = Watch { silence_ms: Some(60_000), ..Watch::default() };
    let mut gaps = Gaps::new([("f".to_owned(), watch)]);
    let see = |gaps: &mut Gaps, kind, number| {
        gaps.number("f", Seen { kind, node: "n", number, at: Some(5) }, 0);
    };
    for number in [1, 3] {
        see(&mut gaps, Kind::Records, number);
        see(&mut gaps, Kind::Files, number);
    }
    gaps.arrival("f", 0);
    gaps.tick(86_400_000);
    see(&mut gaps, Kind::Records, 2);
    gaps.tick(86_400_000_000);
    gaps.arrival("f", 86_400_000_000);
    let told = gaps.take();
    let reasons = told.iter().filter(|told| matches!(told.change, Change::Closed(_))).count();
    assert_eq!((told.len(), reasons), (6, 3), "{told:?}");
    for told in told {
        let written = value(told.output("prod-1").value.as_deref().unwrap());
        let kind = if told.change == Change::Opened { "opened" } else { "closed" };
        assert_valid(&validator(&format!("event/feed.gap.{kind}.v1.json")), &written, &told.name());
        assert_eq!(written["id"], format!("feed.gap.{kind}/{}", told.name()));
    }
}

fn headers(message: &Output) -> Value {
    let text = |bytes: &[u8]| Value::from(String::from_utf8(bytes.to_vec()).unwrap());
    message.headers.iter().map(|(name, value)| (*name, text(value))).collect()
}

#[test]
fn quarantined_records_are_valid_with_their_headers() {
    let described = validator("quarantine.json");
    let command = canonical::to_vec(&command(CommandBody::Resume));
    let records = [
        (Record::Cdr(cdr(NUMBERS[1], Slices::default())), "cdr.json"),
        (Record::Reading(reading(None, 0, "")), "reading.json"),
        (Record::Command { card: card(), json: &command, origin: ORIGIN }, "command.json"),
    ];
    let outcomes = [Outcome::Conflict, Outcome::Late, Outcome::Flood, Outcome::Unknown, Outcome::Rejected];
    for (record, schema) in records {
        for outcome in outcomes {
            let entry = quarantine::Entry::of(record, outcome, "why", POSITION).unwrap();
            let message = quarantine::output(&entry, None);
            assert_valid(&described, &headers(&message), outcome.name());
            assert_valid(&validator(schema), &value(message.value.as_deref().unwrap()), schema);
        }
    }
    let long = vec![b'x'; 600_000];
    let message = quarantine::output(&quarantine::Entry::unreadable(&long, "not JSON", ORIGIN), None);
    assert_valid(&described, &headers(&message), "unreadable");
}

#[test]
fn entries_of_the_directory_are_valid() {
    let described = validator("directory.json");
    for valid_to in [None, Some(9)] {
        let entry = DirectoryEntry { name: CardName::Iccid(card()), card: card(), valid_from: 7, valid_to };
        assert_valid(&described, &value(&directory::output(&entry, None).value.unwrap()), "directory");
    }
}
