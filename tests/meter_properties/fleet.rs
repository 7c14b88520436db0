//! A small fleet and what can happen to it: generators, and a meter that folds each happening as one message.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidegauge::codec::canonical;
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::limits::{DAY_S, SHARDS};
use tidegauge::meter::{Effects, Meter};
use tidegauge::model::{
    Broadcast, BurntBecomes, Calendar, CardCommand, CardId, Carrier, Catalogue, Cdr, CommandBody,
    CounterKind, CounterRules, CreditsPolicy, Day, Event, Feed, FeedName, FeedRole, LogOffset, Mode,
    OffsetFrom, Opening, Origin, PackageKind, PackageSpec, Payment, Per, Plan, Reading, Recipient, Record,
    Register, Rule, RuleKind, RulesPolicy, Slices, SplitRule, Tick, TotalOf, UnixTime, Validity, Yes,
};

pub(crate) const CARDS: u8 = 3;

/// The first second: two days before a cycle ends.
const BEGIN: UnixTime = 58 * DAY_S;
/// When usage of the order-free properties comes: all days since [`BEGIN`] are open.
const USAGE_AT: UnixTime = BEGIN + 5 * DAY_S;

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Usage(Usage),
    Reading { card: u8, minutes_ago: i64, tx: u64, session: u8 },
    Total(Total),
    Recharge { card: u8, order: u8, spec: PackageSpec, mode: Mode, paid_hours_ago: i64 },
    Rules { card: u8, percent: u8 },
    Adjust { card: u8, reference: u8, bytes: i64 },
    Credits { card: u8, credits: u32 },
    Recipients { card: u8, count: u8 },
    Complete { days_ago: Day },
    Void { card: u8, order: u8, owed: bool },
    Suspend { card: u8 },
    Cancel { card: u8 },
    Resume { card: u8 },
    Wait { seconds: i64 },
    Flushed,
    Catalogue { percent: u8 },
}

/// A CDR; times in seconds after [`BEGIN`].
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub(crate) card: u8,
    pub(crate) settles: bool,
    pub(crate) id: u16,
    pub(crate) start: i64,
    pub(crate) seconds: i64,
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// A carrier's total.
#[derive(Debug, Clone)]
pub(crate) struct Total {
    pub(crate) card: u8,
    pub(crate) settles: bool,
    pub(crate) of: TotalOf,
    pub(crate) minutes_ago: i64,
    pub(crate) up: u64,
    pub(crate) down: u64,
}

fn a_card() -> impl Strategy<Value = u8> {
    0..CARDS
}

fn a_usage(start: std::ops::Range<i64>, ids: std::ops::Range<u16>) -> impl Strategy<Value = Usage> {
    let seconds = prop_oneof![Just(0i64), 1i64..7_200, 1i64..200_000];
    (a_card(), any::<bool>(), ids, start, seconds, 0u64..500, 0u64..5_000).prop_map(
        |(card, settles, id, start, seconds, up, down)| Usage { card, settles, id, start, seconds, up, down },
    )
}

/// Distinct records that end before [`USAGE_AT`].
pub(crate) fn usage() -> impl Strategy<Value = Vec<Usage>> {
    let last = USAGE_AT - BEGIN;
    prop::collection::vec(a_usage(1..last, 0..1), 0..25).prop_map(move |mut usage| {
        for (n, record) in usage.iter_mut().enumerate() {
            record.id = n as u16;
            record.seconds = record.seconds.min(last - record.start);
        }
        usage
    })
}

pub(crate) fn a_spec() -> impl Strategy<Value = PackageSpec> {
    let quota = prop_oneof![1 => Just(None), 6 => (1u64..20_000).prop_map(Some)];
    let validity = prop_oneof![(1u16..6).prop_map(Validity::Days), (1u16..3).prop_map(Validity::Months)];
    let kind = prop_oneof![3 => Just(PackageKind::Base), 1 => Just(PackageKind::Booster)];
    let per = prop_oneof![Just(Per::Validity), Just(Per::Cycle)];
    let spec = (kind, quota, validity, per, 0u8..3, any::<bool>());
    spec.prop_map(|(kind, quota, validity, per, priority, pays_overage)| PackageSpec {
        kind,
        quota,
        validity,
        per,
        priority,
        pays_overage,
    })
}

fn a_recharge() -> impl Strategy<Value = Op> {
    let mode = prop_oneof![3 => Just(Mode::Immediate), 1 => Just(Mode::Renewal), 1 => Just(Mode::NextCycle)];
    (a_card(), 0u8..12, a_spec(), mode, 0i64..40).prop_map(|(card, order, spec, mode, paid_hours_ago)| {
        Op::Recharge { card, order, spec, mode, paid_hours_ago }
    })
}

fn a_wait() -> impl Strategy<Value = Op> {
    prop_oneof![4 => 0i64..3, 4 => 0i64..50_000, 4 => 0i64..400_000, 1 => 0i64..40_000_000]
        .prop_map(|seconds| Op::Wait { seconds })
}

/// Packages bought in the first five days, and declarations.
pub(crate) fn setup() -> impl Strategy<Value = Vec<Op>> {
    let step = prop_oneof![
        4 => a_recharge(),
        1 => (a_card(), 0u8..12, any::<bool>()).prop_map(|(card, order, owed)| Op::Void { card, order, owed }),
        2 => (0i64..60_000).prop_map(|seconds| Op::Wait { seconds }),
        1 => (1..3).prop_map(|days_ago| Op::Complete { days_ago }),
    ];
    prop::collection::vec(step, 0..10)
}

/// Anything.
pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let reading = (a_card(), 0i64..3_000, 0u64..100_000, 0u8..3)
        .prop_map(|(card, minutes_ago, tx, session)| Op::Reading { card, minutes_ago, tx, session });
    // Few ids and round starts: duplicates and conflicts are met, and so are days that have closed.
    let cdr = a_usage(-20..1, 0..6).prop_map(|usage| Usage { start: usage.start * 40_000, ..usage });
    // Totals of the last card only: its feeds' records are not counted from then on.
    let of = prop_oneof![Just(TotalOf::Day), Just(TotalOf::Cycle)];
    let total = (any::<bool>(), of, 0i64..3_000, 0u64..9_000, 0u64..90_000).prop_map(
        |(settles, of, minutes_ago, up, down)| Total { card: CARDS - 1, settles, of, minutes_ago, up, down },
    );
    let op = prop_oneof![
        8 => cdr.prop_map(Op::Usage),
        3 => reading,
        2 => total.prop_map(Op::Total),
        4 => a_recharge(),
        1 => (a_card(), 1u8..101).prop_map(|(card, percent)| Op::Rules { card, percent }),
        1 => (a_card(), 0u8..20, -20_000i64..20_000)
            .prop_map(|(card, reference, bytes)| Op::Adjust { card, reference, bytes }),
        1 => (a_card(), 0u32..4).prop_map(|(card, credits)| Op::Credits { card, credits }),
        1 => (a_card(), 0u8..4).prop_map(|(card, count)| Op::Recipients { card, count }),
        1 => (1..4).prop_map(|days_ago| Op::Complete { days_ago }),
        1 => a_card().prop_map(|card| Op::Suspend { card }),
        1 => a_card().prop_map(|card| Op::Resume { card }),
        1 => (a_card(), 0u8..12, any::<bool>()).prop_map(|(card, order, owed)| Op::Void { card, order, owed }),
        1 => a_card().prop_map(|card| Op::Cancel { card }),
        5 => a_wait(),
        1 => Just(Op::Flushed),
        1 => (1u8..101).prop_map(|percent| Op::Catalogue { percent }),
    ];
    prop::collection::vec(op, 0..40)
}

/// A meter with its log.
pub(crate) struct Fleet {
    pub(crate) meter: Meter,
    pub(crate) events: Vec<Event>,
    /// Offset of the message that told an event.
    pub(crate) told_at: BTreeMap<String, u64>,
    /// Offset before each op, and after the last.
    pub(crate) marks: Vec<usize>,
    pub(crate) records_sent: u64,
    log: Vec<(UnixTime, Vec<u8>)>,
    pub(crate) now: UnixTime,
    catalogue: u32,
    commands: u32,
}

pub(crate) fn card(at: u8) -> CardId {
    CardId::parse(&format!("898600000000000000{at}")).expect("19 digits")
}

pub(crate) fn chunks(meter: &Meter) -> Vec<Vec<u8>> {
    let chunk = |shard| {
        let mut bytes = Vec::new();
        meter.encode_shard(shard, &mut bytes);
        bytes
    };
    (0..SHARDS).map(chunk).collect()
}

impl Fleet {
    /// Every card registered, nothing bought.
    pub(crate) fn new() -> Self {
        let mut fleet = Self {
            meter: Meter::new(0),
            events: Vec::new(),
            told_at: BTreeMap::new(),
            marks: Vec::new(),
            records_sent: 0,
            log: Vec::new(),
            now: BEGIN,
            catalogue: 0,
            commands: 0,
        };
        fleet.run(&Op::Catalogue { percent: 50 });
        for at in 0..CARDS {
            fleet.register(at, None);
        }
        fleet.marks = vec![fleet.log.len()];
        fleet
    }

    pub(crate) fn chunks(&self) -> Vec<Vec<u8>> {
        chunks(&self.meter)
    }

    /// Lets time pass to [`USAGE_AT`].
    pub(crate) fn catch_up(&mut self) {
        self.wait_until(USAGE_AT);
    }

    /// Lets time pass.
    pub(crate) fn wait_until(&mut self, at: UnixTime) {
        self.now = self.now.max(at);
        self.fold(&Record::Tick(Tick { flushed_through: None }));
    }

    pub(crate) fn run(&mut self, op: &Op) {
        match op {
            Op::Usage(usage) => self.usage(usage),
            Op::Reading { card, minutes_ago, tx, session } => {
                self.reading(*card, *minutes_ago, *tx, *session);
            }
            Op::Total(total) => self.total(total),
            Op::Recharge { card, order, spec, mode, paid_hours_ago } => {
                let paid_at = self.now - paid_hours_ago * 3_600;
                let reference = format!("ref-{order}");
                self.command(
                    *card,
                    CommandBody::Recharge {
                        order: self.order(*order),
                        channel: "shop".to_owned(),
                        payment: Payment { provider: "pay".to_owned(), reference, paid_at },
                        package: spec.clone(),
                        mode: *mode,
                    },
                );
            }
            Op::Rules { card, percent } => {
                self.command(*card, CommandBody::RulesSet { rules: rules(*percent) });
            }
            Op::Adjust { card, reference, bytes } => {
                let reference = format!("r{reference}");
                let body = CommandBody::UsageAdjust { reference, bytes: *bytes, day: None, reason: None };
                self.command(*card, body);
            }
            Op::Credits { card, credits } => {
                self.command(*card, CommandBody::CreditsAdd { credits: *credits, payment: None });
            }
            Op::Recipients { card, count } => {
                let recipients = (0..*count).map(|n| Recipient::Sms(format!("+{n}"))).collect();
                self.command(*card, CommandBody::RecipientsSet { recipients });
            }
            Op::Suspend { card } => self.command(*card, CommandBody::Suspend { reason: None }),
            Op::Resume { card } => self.command(*card, CommandBody::Resume),
            Op::Void { card, order, owed } => {
                let burnt = if *owed { BurntBecomes::Overage } else { BurntBecomes::Waived };
                let (order, reference) = (self.order(*order), "refund".to_owned());
                self.command(*card, CommandBody::Void { order, reference, burnt });
            }
            Op::Cancel { card } => self.command(*card, CommandBody::Cancel { reason: None }),
            Op::Complete { days_ago } => self.complete(*days_ago),
            Op::Wait { seconds } => {
                self.now += seconds;
                self.fold(&Record::Tick(Tick { flushed_through: None }));
            }
            Op::Flushed => {
                let flushed_through = self.log.len().checked_sub(1).map(|last| LogOffset(last as u64));
                self.fold(&Record::Tick(Tick { flushed_through }));
            }
            Op::Catalogue { percent } => self.apply(*percent),
        }
        self.marks.push(self.log.len());
    }

    /// Orders are remembered for 90 days: no id is used again in another quarter of a year.
    pub(crate) fn order(&self, order: u8) -> String {
        format!("o{order}-{}", self.now / (90 * DAY_S))
    }

    fn fold(&mut self, record: &Record<'_>) {
        self.records_sent += u64::from(!matches!(record, Record::Tick(_) | Record::Catalogue { .. }));
        let mut writer = PackWriter::new();
        assert!(writer.push(record));
        let (offset, pack) = (self.log.len() as u64, writer.finish());
        let mut effects = Effects::default();
        let read = Pack::read(&pack).expect("a pack that was just written");
        self.meter.fold(LogOffset(offset), self.now, &read, &mut effects).expect("a pack that can be folded");
        self.log.push((self.now, pack));
        self.told_at.extend(effects.events.iter().map(|event| (event.id.clone(), offset)));
        self.events.append(&mut effects.events);
    }

    /// Folds the log from an offset on into another meter.
    pub(crate) fn replay(&self, meter: &mut Meter, from: LogOffset, effects: &mut Effects) {
        for (offset, (time, pack)) in self.log.iter().enumerate().skip(from.0 as usize) {
            let pack = Pack::read(pack).expect("a pack that was folded");
            meter.fold(LogOffset(offset as u64), *time, &pack, effects).expect("a pack that was folded");
        }
    }

    /// Starts before the first second are relative to now.
    fn usage(&mut self, usage: &Usage) {
        let start = if usage.start <= 0 { self.now + usage.start } else { BEGIN + usage.start };
        self.fold(&Record::Cdr(Cdr {
            card: card(usage.card),
            feed: FeedName::new(if usage.settles { "pgw" } else { "probe" }),
            id: &usage.id.to_string(),
            start,
            end: start + usage.seconds,
            up: usage.up,
            down: usage.down,
            slices: Slices::default(),
            number: None,
            origin: origin(),
        }));
    }

    fn reading(&mut self, at: u8, minutes_ago: i64, tx: u64, session: u8) {
        let session = if session == 0 { String::new() } else { session.to_string() };
        self.fold(&Record::Reading(Reading {
            card: card(at),
            feed: FeedName::new("modem"),
            imei: 1,
            counter: CounterKind("mm"),
            at: self.now - minutes_ago * 60,
            tx,
            rx: tx / 2,
            width: 0,
            session: &session,
            number: None,
            origin: origin(),
        }));
    }

    fn total(&mut self, total: &Total) {
        self.fold(&Record::Reading(Reading {
            card: card(total.card),
            feed: FeedName::new(if total.settles { "pgw" } else { "probe" }),
            imei: 0,
            counter: CounterKind(total.of.counter()),
            at: self.now - total.minutes_ago * 60,
            tx: total.up,
            rx: total.down,
            width: 0,
            session: "",
            number: None,
            origin: origin(),
        }));
    }

    fn complete(&mut self, days_ago: Day) {
        let day = (self.now / DAY_S) as Day - days_ago;
        let broadcast = Broadcast::FeedComplete { id: "complete".to_owned(), feed: "pgw".to_owned(), day };
        let json = canonical::to_vec(&broadcast);
        self.fold(&Record::Broadcast { json: &json, origin: origin() });
    }

    pub(crate) fn register(&mut self, at: u8, opening: Option<Box<Opening>>) {
        self.command(
            at,
            CommandBody::Register(Box::new(Register {
                channel: "shop".to_owned(),
                carrier: "carrier".to_owned(),
                plan: "plan".to_owned(),
                numbers: vec![],
                recipients: None,
                opening,
            })),
        );
    }

    fn command(&mut self, at: u8, body: CommandBody) {
        self.commands += 1;
        let (card, id) = (card(at), format!("c{}", self.commands));
        let command = CardCommand { id, card, iccid: card.to_string(), at: self.now, body };
        let json = canonical::to_vec(&command);
        self.fold(&Record::Command { card, json: &json, origin: origin() });
    }

    fn apply(&mut self, percent: u8) {
        self.catalogue += 1;
        let json = canonical::to_vec(&catalogue(self.catalogue, percent));
        self.fold(&Record::Catalogue { json: &json });
    }
}

fn origin() -> Origin<'static> {
    Origin { source: "properties", partition: 0, offset: 0, received_ms: 0 }
}

fn rules(percent: u8) -> Vec<Rule> {
    let rule = |name: &str, kind| Rule { name: name.to_owned(), kind };
    vec![
        rule("burnt", RuleKind::BurntPercent(percent)),
        rule("left", RuleKind::RemainingBytes(u64::from(percent) * 50)),
        rule("used", RuleKind::UsedBytes(u64::from(percent) * 3_000)),
        rule("day", RuleKind::UsedDayBytes(u64::from(percent) * 900)),
        rule("ends", RuleKind::ExpiresDays(1 + u16::from(percent % 20))),
        rule("gone", RuleKind::Exhausted(Yes)),
        rule("silent", RuleKind::NoDataHours(1 + u16::from(percent % 30))),
    ]
}

/// UTC, a cycle of 30 days, so that nothing here needs a calendar to be checked.
fn catalogue(version: u32, percent: u8) -> Catalogue {
    let feed = |name: &str, role| Feed { name: name.to_owned(), role, stale_after_minutes: None };
    Catalogue {
        version,
        deployment: "properties".to_owned(),
        carriers: vec![Carrier {
            name: "carrier".to_owned(),
            settling_feed: Some("pgw".to_owned()),
            split: SplitRule::Split,
            calendar: Calendar {
                offsets: vec![OffsetFrom { from: 0, offset_s: 0 }],
                cycle_starts: (0..100).map(|cycle| cycle * 30).collect(),
            },
            settling_days_first: 1,
            settling_days_last: 1,
        }],
        feeds: vec![feed("pgw", FeedRole::Settling), feed("probe", FeedRole::Estimate)],
        plans: vec![Plan {
            name: "plan".to_owned(),
            rules: vec![],
            suspend_on_exhaustion: percent.is_multiple_of(2),
        }],
        default_rules: rules(percent),
        late_horizon_days: 8,
        own_channels: vec!["shop".to_owned()],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}
