//! What a card costs in memory, by what it holds: a fleet as vendors have them, with eight days and the running one open.
//!
//! The workload is a model (no public figures exist): 70 % of cards make 1 to 4 records a day, 25 % 10 to 30, 5 % 96. Each
//! card has a number, a package and two rules. Bytes are those that the state asks for; what the process has resident
//! includes what the allocator adds, and the program itself.

use std::sync::LazyLock;

use tidegauge::codec::canonical;
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::meter::{Effects, Meter};
use tidegauge::model::{
    Calendar, CardCommand, CardId, Carrier, Catalogue, Cdr, CommandBody, CounterRules, CreditsPolicy, Feed,
    FeedName, FeedRole, LogOffset, Mode, Number, NumberKind, OffsetFrom, Origin, PackageKind, PackageSpec,
    Payment, Per, Plan, Record, Register, Rule, RuleKind, RulesPolicy, Slices, SplitRule, UnixTime, Validity,
};

/// 2026-01-01 00:00:00 UTC.
const NEW_YEAR: UnixTime = 1_767_225_600;
const DAY_S: UnixTime = 86_400;
/// Open at once: the running day and the late horizon.
const DAYS: i64 = 9;
const ORIGIN: Origin<'static> = Origin { source: "usage.cdr", partition: 0, offset: 1, received_ms: 1 };

static OUT: LazyLock<Payment> = LazyLock::new(|| Payment {
    provider: "wechat".to_owned(),
    reference: "420000123420260101".to_owned(),
    paid_at: NEW_YEAR,
});

fn main() {
    // `cargo bench` and `cargo test` add arguments of their own.
    let cards = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let before = resident();
    let mut fleet = Fleet::new(cards);
    for day in 0..DAYS {
        fleet.day(day);
    }
    let memory = fleet.meter.memory();
    println!("memory: {cards} cards, {} records, {DAYS} days open", fleet.records);
    for (part, bytes) in memory.parts() {
        println!("  {part:<9} {:>7.1} bytes a card", bytes as f64 / cards as f64);
    }
    println!("  all       {:>7.1}", memory.total() as f64 / cards as f64);
    let resident = resident().saturating_sub(before);
    println!("  resident  {:>7.1}", resident as f64 / cards as f64);
}

struct Fleet {
    meter: Meter,
    effects: Effects,
    writer: PackWriter,
    cards: usize,
    records: u64,
    offset: u64,
    time: UnixTime,
    random: u64,
}

impl Fleet {
    fn new(cards: usize) -> Self {
        let mut fleet = Self {
            meter: Meter::new(0),
            effects: Effects::default(),
            writer: PackWriter::new(),
            cards,
            records: 0,
            offset: 0,
            time: NEW_YEAR + 1,
            random: 0x9E37_79B9_7F4A_7C15,
        };
        let catalogue = canonical::to_vec(&catalogue());
        fleet.push(&Record::Catalogue { json: &catalogue });
        for at in 0..cards {
            fleet.command("register", at, registration(at));
        }
        for at in 0..cards {
            fleet.command("recharge", at, recharge(at));
        }
        fleet.fold();
        fleet
    }

    fn command(&mut self, id: &str, at: usize, body: CommandBody) {
        let card = card(at);
        let command =
            CardCommand { id: format!("{id}-{at}"), card, iccid: format!("{card}7"), at: NEW_YEAR, body };
        self.push(&Record::Command { card, json: &canonical::to_vec(&command), origin: ORIGIN });
    }

    /// A day's records of all cards, hour by hour, as cards come.
    fn day(&mut self, day: i64) {
        for hour in 0..24 {
            self.time = NEW_YEAR + day * DAY_S + hour * 3_600 + 3_599;
            for at in 0..self.cards {
                for _ in 0..self.in_hour(at) {
                    self.cdr(at);
                }
            }
            self.fold();
        }
    }

    /// Records of a card in one hour.
    fn in_hour(&mut self, at: usize) -> u64 {
        let a_day = match at % 20 {
            0 => return 4,
            1..=5 => 10 + self.below(21),
            _ => 1 + self.below(4),
        };
        u64::from(self.below(24) < a_day % 24) + a_day / 24
    }

    fn below(&mut self, count: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % count
    }

    fn cdr(&mut self, at: usize) {
        self.records += 1;
        let id = format!("85/10.1.2.3/{}/12", self.records);
        let start = self.time - 3_590 + self.below(3_000) as i64;
        let (up, down) = (self.below(50_000), self.below(400_000));
        self.push(&Record::Cdr(Cdr {
            card: card(at),
            feed: FeedName::new("bills"),
            id: &id,
            start,
            end: start + 300,
            up,
            down,
            slices: Slices::default(),
            number: None,
            origin: ORIGIN,
        }));
    }

    fn push(&mut self, record: &Record<'_>) {
        if self.writer.len() == 1_000 || !self.writer.push(record) {
            self.fold();
            assert!(self.writer.push(record), "a record fits an empty pack");
        }
    }

    fn fold(&mut self) {
        if self.writer.is_empty() {
            return;
        }
        let pack = self.writer.finish();
        let pack = Pack::read(&pack).expect("it was written here");
        self.meter.fold(LogOffset(self.offset), self.time, &pack, &mut self.effects).expect("it folds");
        self.offset += 1;
        self.effects = Effects::default();
    }
}

fn card(at: usize) -> CardId {
    CardId::parse(&format!("8986{at:015}")).expect("19 digits")
}

fn registration(at: usize) -> CommandBody {
    let text = |text: &str| text.to_owned();
    CommandBody::Register(Box::new(Register {
        channel: text("own"),
        carrier: text("north"),
        plan: text("basic"),
        numbers: vec![Number { kind: NumberKind::Imsi, digits: 460_000_000_000_000 + at as u64 }],
        recipients: None,
        opening: None,
    }))
}

fn recharge(at: usize) -> CommandBody {
    let package = PackageSpec {
        kind: PackageKind::Base,
        quota: Some(10_000_000_000),
        validity: Validity::Months(2),
        per: Per::Cycle,
        priority: 0,
        pays_overage: false,
    };
    let payment = Payment { reference: format!("{}{at:08}", OUT.reference), ..OUT.clone() };
    let order = format!("2026010100{at:08}");
    CommandBody::Recharge { order, channel: "own".to_owned(), payment, package, mode: Mode::Immediate }
}

fn catalogue() -> Catalogue {
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
            settling_days_first: 0,
            settling_days_last: 0,
        }],
        feeds: vec![Feed { name: "bills".to_owned(), role: FeedRole::Settling, stale_after_minutes: None }],
        plans: vec![Plan { name: "basic".to_owned(), rules: Vec::new(), suspend_on_exhaustion: false }],
        default_rules: vec![
            rule("burnt-50", RuleKind::BurntPercent(50)),
            rule("burnt-80", RuleKind::BurntPercent(80)),
        ],
        late_horizon_days: 8,
        own_channels: vec!["own".to_owned()],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}

/// Of this process, bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}
