//! The meter folded through pack bytes, as a worker folds it. Expectations are worked out by hand from the rules.

mod commands;
mod replay;
mod time;
mod usage;

use super::{CardView, DayRow, Effects, Meter, MonthRow, Rows};
use crate::codec::pack::{Pack, PackWriter};
use crate::model::{
    Broadcast, Calendar, CardCommand, CardId, Carrier, Catalogue, Cdr, CommandBody, CounterKind,
    CounterRules, CreditsPolicy, Day, EventBody, Feed, FeedName, FeedRole, Input, LogOffset, Number,
    NumberKind, OffsetFrom, Origin, Outcome, Plan, Reading, Record, Register, RulesPolicy, Slices, SplitRule,
    Tick, UnixTime,
};

/// 2026-01-01 00:00:00 UTC, the first second of a cycle.
const NEW_YEAR: UnixTime = 1_767_225_600;
const JANUARY: Day = 20_454;
const FEBRUARY: Day = 20_485;
const MARCH: Day = 20_513;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

const ORIGIN: Origin<'static> =
    Origin { source: "usage.cdr", partition: 3, offset: 77, received_ms: 1_767_225_600_123 };

/// A meter with one carrier in UTC, settled by `settle`, estimated by `gw1`, `gw2` and the modem.
struct Bench {
    meter: Meter,
    effects: Effects,
    offset: u64,
    /// Every message folded, for replays.
    log: Vec<(LogOffset, UnixTime, Vec<u8>)>,
}

impl Bench {
    fn new() -> Self {
        let meter = Meter::new(5);
        let mut bench = Self { meter, effects: Effects::default(), offset: 0, log: Vec::new() };
        bench.catalogue(NEW_YEAR, &catalogue());
        bench
    }

    /// With card 1 registered at `NEW_YEAR`, effects forgotten.
    fn with_card() -> Self {
        let mut bench = Self::new();
        bench.register(NEW_YEAR, card(1), &[]);
        bench.effects.clear();
        bench
    }

    fn fold(&mut self, time: UnixTime, records: &[Record<'_>]) {
        let mut writer = PackWriter::new();
        for record in records {
            assert!(writer.push(record));
        }
        let bytes = writer.finish();
        let offset = LogOffset(self.offset);
        self.meter.fold(offset, time, &Pack::read(&bytes).unwrap(), &mut self.effects).unwrap();
        self.log.push((offset, time, bytes));
        self.offset += 1;
    }

    fn catalogue(&mut self, time: UnixTime, catalogue: &Catalogue) {
        let json = serde_json::to_vec(catalogue).unwrap();
        self.fold(time, &[Record::Catalogue { json: &json }]);
    }

    fn command(&mut self, time: UnixTime, card: CardId, id: &str, body: CommandBody) {
        self.command_at(time, time, card, id, body);
    }

    fn command_at(&mut self, time: UnixTime, at: UnixTime, card: CardId, id: &str, body: CommandBody) {
        let command = CardCommand { id: id.to_owned(), card, iccid: format!("{card}7"), at, body };
        let json = serde_json::to_vec(&command).unwrap();
        self.fold(time, &[Record::Command { card, json: &json, origin: ORIGIN }]);
    }

    fn register(&mut self, time: UnixTime, card: CardId, numbers: &[Number]) {
        self.command(time, card, &format!("register-{time}"), registration(numbers));
    }

    fn complete(&mut self, time: UnixTime, feed: &str, day: Day) {
        let broadcast = Broadcast::FeedComplete { id: format!("{feed}-{day}"), feed: feed.to_owned(), day };
        let json = serde_json::to_vec(&broadcast).unwrap();
        self.fold(time, &[Record::Broadcast { json: &json, origin: ORIGIN }]);
    }

    fn tick(&mut self, time: UnixTime, flushed_through: Option<u64>) {
        self.fold(time, &[Record::Tick(Tick { flushed_through: flushed_through.map(LogOffset) })]);
    }

    fn view(&self) -> CardView {
        self.meter.card(card(1)).unwrap()
    }

    fn rows_since(&self, since: u64) -> (Vec<MonthRow>, Vec<DayRow>) {
        let mut rows = Rows::default();
        self.meter.rows(&[card(1)], LogOffset(since), &mut rows);
        (rows.months, rows.days)
    }

    fn days(&self) -> Vec<DayRow> {
        self.rows_since(0).1
    }

    /// Records of an input by outcome, those that are not zero.
    fn outcomes(&self, input: Input) -> Vec<(Outcome, u64)> {
        let ledger = self.meter.ledger();
        assert!(ledger.adds_up());
        let all = Outcome::ALL.into_iter().map(|outcome| (outcome, ledger.records(input, outcome)));
        all.filter(|(_, records)| *records > 0).collect()
    }

    /// Events so far, by type.
    fn kinds(&self) -> Vec<&'static str> {
        self.effects.events.iter().map(|event| event.body.kind()).collect()
    }

    fn refusals(&self) -> Vec<&str> {
        let reasons = self.effects.events.iter().filter_map(|event| match &event.body {
            EventBody::CommandRefused { reason, .. } => Some(reason.as_str()),
            _ => None,
        });
        reasons.collect()
    }

    fn chunks(&self) -> Vec<Vec<u8>> {
        (0..crate::limits::SHARDS).map(|shard| self.chunk(shard)).collect()
    }

    fn chunk(&self, shard: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.meter.encode_shard(shard, &mut out);
        out
    }
}

fn catalogue() -> Catalogue {
    let feed = |name: &str, role| Feed { name: name.to_owned(), role, stale_after_minutes: None };
    Catalogue {
        version: 1,
        deployment: "bench".to_owned(),
        carriers: vec![carrier("north", SplitRule::Split)],
        feeds: vec![
            feed("settle", FeedRole::Settling),
            feed("gw1", FeedRole::Estimate),
            feed("gw2", FeedRole::Estimate),
            feed("gw3", FeedRole::Estimate),
        ],
        plans: vec![Plan { name: "basic".to_owned(), rules: vec![], suspend_on_exhaustion: false }],
        default_rules: vec![],
        late_horizon_days: 8,
        own_channels: vec!["own".to_owned()],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}

fn carrier(name: &str, split: SplitRule) -> Carrier {
    Carrier {
        name: name.to_owned(),
        settling_feed: Some("settle".to_owned()),
        split,
        calendar: Calendar {
            offsets: vec![OffsetFrom { from: 0, offset_s: 0 }],
            cycle_starts: vec![JANUARY, FEBRUARY, MARCH, 20_544, 20_574],
        },
        settling_days_first: 3,
        settling_days_last: 1,
    }
}

fn registration(numbers: &[Number]) -> CommandBody {
    CommandBody::Register(Box::new(Register {
        channel: "own".to_owned(),
        carrier: "north".to_owned(),
        plan: "basic".to_owned(),
        numbers: numbers.to_vec(),
        recipients: None,
        opening: None,
    }))
}

fn card(n: u32) -> CardId {
    CardId::parse(&format!("8986001234567890{n:03}")).unwrap()
}

fn imsi(digits: u64) -> Number {
    Number { kind: NumberKind::Imsi, digits }
}

/// A CDR of card 1 by the settling feed: a minute from `start`.
fn cdr(id: &str, start: UnixTime, up: u64, down: u64) -> Cdr<'_> {
    Cdr {
        card: card(1),
        feed: FeedName::new("settle"),
        id,
        start,
        end: start + 60,
        up,
        down,
        slices: Slices::default(),
        number: None,
        origin: ORIGIN,
    }
}

fn by<'a>(feed: &'a str, cdr: Cdr<'a>) -> Cdr<'a> {
    Cdr { feed: FeedName::new(feed), ..cdr }
}

fn reading(at: UnixTime, tx: u64, rx: u64) -> Record<'static> {
    Record::Reading(Reading {
        card: card(1),
        feed: FeedName::new("modem"),
        imei: 860_000_000_000_011,
        counter: CounterKind("qgdcnt"),
        at,
        tx,
        rx,
        width: 0,
        session: "",
        number: None,
        origin: ORIGIN,
    })
}
