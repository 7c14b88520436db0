//! What a record costs in the meter, what a card costs to write down and to read back, and the table of cards beside the
//! maps that others would take.
//!
//! Every figure is CPU time of this thread for one record (or one card), in random order of cards: wall time would tell of
//! the machine's other work. Records come as pack bytes, read and checked within the figure. Bytes a card are printed too.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::limits::SHARDS;
use tidegauge::meter::table::{Line, Table};
use tidegauge::meter::{Effects, Meter};
use tidegauge::model::{
    Calendar, CardCommand, CardId, Carrier, Catalogue, Cdr, CommandBody, CounterKind, CounterRules,
    CreditsPolicy, Feed, FeedName, FeedRole, Input, LogOffset, Mode, OffsetFrom, Origin, Outcome,
    PackageKind, PackageSpec, Payment, Per, Plan, Reading, Record, Register, Rule, RuleKind, RulesPolicy,
    Slices, SplitRule, UnixTime, Validity,
};

/// 2026-01-01 00:00:00 UTC.
const NEW_YEAR: UnixTime = 1_767_225_600;
const CARDS: usize = 100_000;
/// A prime, so that steps of it meet every card.
const STRIDE: usize = 48_271;
const TABLE_CARDS: usize = 1_000_000;
const PACK: usize = 1_000;
/// Packs that are made before they are folded, so that making them is not timed.
const AHEAD: usize = 64;
/// CDRs of a card before the first one that is timed: a quarter of a day of one every 15 minutes.
const BEFORE: usize = 24;
/// CDRs of a card and day, one every 15 minutes and two.
const IDS_PER_DAY: usize = 98;
const ORIGIN: Origin<'static> = Origin { source: "usage.cdr", partition: 0, offset: 1, received_ms: 1 };

/// Whether cards have packages and rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sold {
    Bare,
    OnePackageTwoRules,
}

/// A source of random numbers of its own, so that every run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() >> 16) as usize % count
    }
}

/// A meter and the log it folds: log time goes on a second a pack.
struct Fleet {
    meter: Meter,
    effects: Effects,
    cards: Vec<CardId>,
    next: usize,
    /// Records so far: makes ids, and readings that rise.
    records: u64,
    offset: u64,
    time: UnixTime,
    writer: PackWriter,
    packs: Vec<Vec<u8>>,
}

impl Fleet {
    fn new(cards: usize, sold: Sold) -> Self {
        let mut fleet = Self {
            meter: Meter::new(0),
            effects: Effects::default(),
            next: 0,
            cards: (0..cards).map(card).collect(),
            records: 0,
            offset: 0,
            time: NEW_YEAR + 3_600,
            writer: PackWriter::new(),
            packs: Vec::new(),
        };
        let catalogue = json(&catalogue());
        fleet.push(&Record::Catalogue { json: &catalogue });
        for at in 0..cards {
            fleet.command("register", at, registration());
        }
        for at in 0..if sold == Sold::Bare { 0 } else { cards } {
            fleet.command("recharge", at, recharge());
        }
        fleet.fold_all();
        fleet
    }

    fn command(&mut self, id: &str, at: usize, body: CommandBody) {
        let card = self.cards[at];
        let command = CardCommand { id: id.to_owned(), card, iccid: format!("{card}7"), at: NEW_YEAR, body };
        self.push(&Record::Command { card, json: &json(&command), origin: ORIGIN });
    }

    fn push(&mut self, record: &Record<'_>) {
        if self.writer.len() == PACK || !self.writer.push(record) {
            self.packs.push(self.writer.finish());
            assert!(self.writer.push(record), "a record fits an empty pack");
        }
    }

    /// A CDR of a card, an hour ago.
    fn cdr(&mut self, card: CardId) {
        self.records += 1;
        let id = format!("85/10.1.2.3/{}/12", self.records);
        let start = self.time - 3_600;
        let (up, down) = (48_213, 351_042 + self.records % 1_000);
        self.push(&Record::Cdr(Cdr {
            card,
            feed: FeedName::new("gateway"),
            id: &id,
            start,
            end: start + 900,
            up,
            down,
            slices: Slices::default(),
            number: None,
            origin: ORIGIN,
        }));
    }

    /// A reading of a card: its counters rise with the fleet's records.
    fn reading(&mut self, card: CardId) {
        self.records += 1;
        self.push(&Record::Reading(Reading {
            card,
            feed: FeedName::new("modem"),
            imei: 860_000_000_000_011,
            counter: CounterKind("qgdcnt"),
            at: self.time,
            tx: self.records,
            rx: self.records * 7,
            width: 64,
            session: "",
            number: None,
            origin: ORIGIN,
        }));
    }

    /// All cards in turn, so that no reading is of its card's last second; their shards, by hash, make the order random.
    fn next_card(&mut self) -> CardId {
        self.next = (self.next + STRIDE) % self.cards.len();
        self.cards[self.next]
    }

    /// Folds what was pushed; answers for how long, and how many records it was.
    fn fold_all(&mut self) -> (Duration, u64) {
        if !self.writer.is_empty() {
            self.packs.push(self.writer.finish());
        }
        let mut records = 0;
        let begun = ThreadTime::now();
        for bytes in &self.packs {
            let pack = Pack::read(bytes).expect("the writer's own packs");
            records += pack.len() as u64;
            let folded = self.meter.fold(LogOffset(self.offset), self.time, &pack, &mut self.effects);
            folded.expect("the catalogue is right");
            self.offset += 1;
            self.time += 1;
        }
        let taken = begun.elapsed();
        self.packs.clear();
        self.effects.clear();
        self.effects.dirty_since = LogOffset(self.offset - 1);
        (taken, records)
    }

    /// Folds as many records as asked and more, to whole packs; answers the time of as many as asked.
    fn timed(&mut self, asked: u64, record: fn(&mut Self, CardId)) -> Duration {
        let (mut taken, mut folded) = (Duration::ZERO, 0);
        while folded < asked {
            let left = usize::try_from(asked - folded).unwrap_or(usize::MAX);
            for _ in 0..left.div_ceil(PACK).min(AHEAD) * PACK {
                let card = self.next_card();
                record(self, card);
            }
            let (time, records) = self.fold_all();
            (taken, folded) = (taken + time, folded + records);
        }
        of_each(taken, folded, asked)
    }

    /// CDRs for every card, so many each.
    fn use_all(&mut self, times: usize) {
        for _ in 0..times {
            for _ in 0..self.cards.len() {
                let card = self.next_card();
                self.cdr(card);
            }
            self.fold_all();
        }
    }

    fn chunks(&self) -> Vec<Vec<u8>> {
        let chunk = |shard| {
            let mut out = Vec::new();
            self.meter.encode_shard(shard, &mut out);
            out
        };
        (0..SHARDS).map(chunk).collect()
    }

    /// Records went the long way: none was refused but the odd one whose 32-bit key meets another's of its card and day.
    fn check(&self) {
        let ledger = self.meter.ledger();
        for input in Input::ALL {
            let folded = ledger.folded(input);
            assert!(
                folded - ledger.records(input, Outcome::Counted) <= folded / 1_000_000,
                "{input:?}: {ledger:?}"
            );
        }
    }
}

/// The time of `asked`, if all of `done` took `taken`.
fn of_each(taken: Duration, done: u64, asked: u64) -> Duration {
    taken.mul_f64(asked as f64 / done as f64)
}

fn card(at: usize) -> CardId {
    CardId::parse(&format!("898600{at:013}")).expect("19 digits")
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("canonical values have JSON")
}

fn catalogue() -> Catalogue {
    let feed = |name: &str, role| Feed { name: name.to_owned(), role, stale_after_minutes: None };
    let rule = |name: &str, kind| Rule { name: name.to_owned(), kind };
    Catalogue {
        version: 1,
        deployment: "bench".to_owned(),
        carriers: vec![Carrier {
            name: "north".to_owned(),
            settling_feed: Some("bills".to_owned()),
            split: SplitRule::Split,
            calendar: Calendar {
                offsets: vec![OffsetFrom { from: 0, offset_s: 0 }],
                cycle_starts: vec![20_454, 20_485, 20_513, 20_544, 20_574],
            },
            settling_days_first: 3,
            settling_days_last: 1,
        }],
        feeds: vec![feed("bills", FeedRole::Settling), feed("gateway", FeedRole::Estimate)],
        plans: vec![Plan { name: "basic".to_owned(), rules: Vec::new(), suspend_on_exhaustion: false }],
        default_rules: vec![
            rule("burnt-80", RuleKind::BurntPercent(80)),
            rule("left-100-MB", RuleKind::RemainingBytes(100_000_000)),
        ],
        late_horizon_days: 8,
        own_channels: vec!["own".to_owned()],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}

fn registration() -> CommandBody {
    let text = |text: &str| text.to_owned();
    let (channel, carrier, plan) = (text("own"), text("north"), text("basic"));
    CommandBody::Register(Box::new(Register {
        channel,
        carrier,
        plan,
        numbers: Vec::new(),
        recipients: None,
        opening: None,
    }))
}

fn recharge() -> CommandBody {
    let payment = Payment { provider: "p".to_owned(), reference: "r".to_owned(), paid_at: NEW_YEAR };
    let package = PackageSpec {
        kind: PackageKind::Base,
        quota: Some(10_000_000_000),
        validity: Validity::Months(2),
        per: Per::Cycle,
        priority: 0,
        pays_overage: false,
    };
    let (order, channel) = ("o-1".to_owned(), "own".to_owned());
    CommandBody::Recharge { order, channel, payment, package, mode: Mode::Immediate }
}

fn fold(c: &mut Criterion) {
    let mut group = c.benchmark_group("meter/fold");
    for (name, sold) in [("a CDR", Sold::Bare), ("a CDR, package and rules", Sold::OnePackageTwoRules)] {
        let mut fleet = None;
        group.bench_function(name, |b| {
            let fleet = fleet.get_or_insert_with(|| used(sold));
            b.iter_custom(|records| fleet.timed(records, Fleet::cdr));
        });
        fleet.iter().for_each(Fleet::check);
    }
    let mut fleet = None;
    group.bench_function("a reading", |b| {
        let fleet = fleet.get_or_insert_with(|| Fleet::new(CARDS, Sold::OnePackageTwoRules));
        b.iter_custom(|records| fleet.timed(records, Fleet::reading));
    });
    fleet.iter().for_each(Fleet::check);
    group.finish();
}

fn used(sold: Sold) -> Fleet {
    let mut fleet = Fleet::new(CARDS, sold);
    fleet.use_all(BEFORE);
    fleet
}

fn checkpoint(c: &mut Criterion) {
    let mut fleet = Fleet::new(CARDS, Sold::OnePackageTwoRules);
    println!("meter/bytes a card: {} without usage", bytes_a_card(&fleet));
    fleet.use_all(IDS_PER_DAY);
    println!("meter/bytes a card: {} with {IDS_PER_DAY} ids", bytes_a_card(&fleet));
    fleet.check();
    let mut group = c.benchmark_group("meter/checkpoint");
    let mut out = Vec::new();
    group.bench_function("write a card", |b| {
        b.iter_custom(|cards| {
            let (mut done, begun) = (0, ThreadTime::now());
            while done < cards {
                for shard in 0..SHARDS {
                    out.clear();
                    fleet.meter.encode_shard(shard, &mut out);
                }
                done += CARDS as u64;
            }
            of_each(begun.elapsed(), done, cards)
        });
    });
    let chunks = fleet.chunks();
    println!("meter/checkpoint: {} bytes a card", chunks.iter().map(Vec::len).sum::<usize>() / CARDS);
    let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let catalogues = fleet.meter.head().catalogues;
    group.bench_function("read a card", |b| {
        b.iter_custom(|cards| {
            let (mut done, mut taken) = (0, Duration::ZERO);
            while done < cards {
                let begun = ThreadTime::now();
                let meter = Meter::restore(0, catalogues.clone(), black_box(&chunks));
                taken += begun.elapsed();
                done += CARDS as u64;
                drop(meter.expect("chunks as they were written"));
            }
            of_each(taken, done, cards)
        });
    });
    group.finish();
}

fn bytes_a_card(fleet: &Fleet) -> usize {
    fleet.meter.memory().total() / CARDS
}

/// One counter line of a card, as large as a line of memory.
#[derive(Debug, Clone)]
struct Counter {
    card: CardId,
    bytes: u64,
    _rest: [u64; 5],
}

impl Counter {
    fn new(card: CardId) -> Self {
        Self { card, bytes: 0, _rest: [0; 5] }
    }
}

impl Line for Counter {
    fn card(&self) -> CardId {
        self.card
    }
}

/// The hash of a card's id, which is well mixed already: what its own table uses, given to the others too.
#[derive(Debug, Default)]
struct OwnHash(u64);

impl Hasher for OwnHash {
    fn write(&mut self, bytes: &[u8]) {
        let mut wire = [0; 10];
        wire.copy_from_slice(&bytes[..10]);
        self.0 = CardId::from_wire(wire).hash64();
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Own = BuildHasherDefault<OwnHash>;

fn table(c: &mut Criterion) {
    let cards: Vec<CardId> = (0..TABLE_CARDS).map(card).collect();
    let mut group = c.benchmark_group("meter/table");
    let mut owned = Table::default();
    for card in &cards {
        let _ = owned.insert(Counter::new(*card));
    }
    access(&mut group, "owned", &cards, |card, bytes| {
        let place = owned.find(card).expect("every card has a line");
        owned.get_mut(place).bytes += bytes;
    });
    drop(owned);
    let mut map: HashMap<_, _> = cards.iter().map(|card| (*card, Counter::new(*card))).collect();
    access(&mut group, "std HashMap", &cards, |card, bytes| add(map.get_mut(&card), bytes));
    drop(map);
    let mut map: HashMap<_, _, Own> = cards.iter().map(|card| (*card, Counter::new(*card))).collect();
    access(&mut group, "std HashMap, own hash", &cards, |card, bytes| add(map.get_mut(&card), bytes));
    drop(map);
    let lines = cards.iter().map(|card| (*card, Counter::new(*card)));
    let mut map: hashbrown::HashMap<_, _, Own> = lines.collect();
    access(&mut group, "hashbrown, own hash", &cards, |card, bytes| add(map.get_mut(&card), bytes));
    drop(map);
    #[cfg(feature = "full")]
    shared(&mut group, &cards);
    group.finish();
}

/// A map that many threads may share, here used by one: what its locks cost even when nobody waits.
#[cfg(feature = "full")]
fn shared(group: &mut BenchmarkGroup<'_, WallTime>, cards: &[CardId]) {
    let lines = cards.iter().map(|card| (*card, Counter::new(*card)));
    let map: dashmap::DashMap<_, _> = lines.clone().collect();
    access(group, "DashMap", cards, |card, bytes| add(map.get_mut(&card).as_deref_mut(), bytes));
    drop(map);
    let map: dashmap::DashMap<_, _, Own> = lines.collect();
    access(group, "DashMap, own hash", cards, |card, bytes| add(map.get_mut(&card).as_deref_mut(), bytes));
}

fn add(line: Option<&mut Counter>, bytes: u64) {
    line.expect("every card has a line").bytes += bytes;
}

fn access(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    cards: &[CardId],
    mut touch: impl FnMut(CardId, u64),
) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let order: Vec<CardId> = (0..TABLE_CARDS).map(|_| cards[random.below(cards.len())]).collect();
    group.bench_function(name, |b| {
        b.iter_custom(|records| {
            let begun = ThreadTime::now();
            for (card, bytes) in order.iter().cycle().zip(0..records) {
                touch(*card, black_box(bytes));
            }
            begun.elapsed()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    targets = fold, checkpoint, table
}
criterion_main!(benches);
