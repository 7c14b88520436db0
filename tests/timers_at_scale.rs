//! Packages of many cards end in one second, and metering goes on (`docs/rules.md` T): a worker over simulated brokers, fed by
//! a script of packs.
//!
//! Each shard fires at most [`TIMERS_PER_SECOND`] timers whenever log time enters a new second, in the order of (due, card);
//! so the cards are put into few shards, and take as many seconds as ten million would in a whole partition. Meanwhile
//! records of other cards are metered, a record of a card that waits is metered after its own hand-over, and a worker that
//! dies in the middle is followed by one that repeats and loses nothing.

#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegauge::codec::json::{CommandIn, command};
use tidegauge::codec::pack::PackWriter;
use tidegauge::codec::{canonical, event};
use tidegauge::limits::{DAY_S, TIMERS_PER_SECOND};
use tidegauge::log::sim::{FaultRates, Setup, Sim, SimWorkerLog, Stamp, Trace};
use tidegauge::log::{Topic, TopicPartition};
use tidegauge::model::{
    CardId, Cdr, Event, EventBody, FeedName, Origin, PackageData, Record, Slices, UnixTime, shard_of,
};
use tidegauge::rollup::{RowBatch, RowSink};
use tidegauge::worker::{Clock, New, Now, Report, Settings, Worker};

/// Shards that the cards are in, and cards of each.
const SHARDS_USED: usize = 4;
const CARDS_A_SHARD: usize = 2_200;
/// Seconds that a shard needs for them.
const SECONDS: i64 = CARDS_A_SHARD.div_ceil(TIMERS_PER_SECOND) as i64;
/// The worker dies in this second of the hand-over.
const DIES_IN: i64 = SECONDS / 2;
/// 2026-08-03 00:00:00 UTC; packages are bought then, for a day, and a renewal behind each.
const BOUGHT: UnixTime = 1_785_715_200;
const DUE: UnixTime = BOUGHT + DAY_S;
const QUOTA: u64 = 1_000;
/// Bytes of a record: the fifth reaches 50 %.
const BYTES: u64 = 100;
const LOG: TopicPartition = TopicPartition { topic: Topic::Log, partition: 0 };

/// Rows go nowhere.
struct Nowhere(Vec<(u32, u64)>);

impl RowSink for Nowhere {
    fn submit(&mut self, batch: RowBatch) -> bool {
        self.0.push((batch.partition, batch.id));
        true
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

/// The cards whose packages end, ascending by shard and card; and one of each shard whose package does not.
fn cards() -> (Vec<CardId>, Vec<CardId>) {
    let mut of_shard: BTreeMap<usize, Vec<CardId>> = BTreeMap::new();
    let mut next = (0u64..).map(|n| CardId::parse(&format!("8986{n:015}")).unwrap());
    while of_shard.len() < SHARDS_USED || of_shard.values().any(|cards| cards.len() <= CARDS_A_SHARD) {
        let card = next.next().unwrap();
        let cards = of_shard.entry(shard_of(card)).or_default();
        if shard_of(card) < SHARDS_USED && cards.len() <= CARDS_A_SHARD {
            cards.push(card);
        }
        of_shard.retain(|shard, _| *shard < SHARDS_USED);
    }
    // The middle one of each shard is metered while the others wait.
    let others = of_shard.values_mut().map(|cards| cards.remove(CARDS_A_SHARD / 2)).collect();
    (of_shard.into_values().flatten().collect(), others)
}

fn catalogue() -> Vec<u8> {
    let catalogue = json!({
        "version": 1, "deployment": "scale", "late_horizon_days": 8, "own_channels": ["shop"],
        "carriers": [{
            "name": "north", "settling_feed": "gateway", "split": "split", "settling_days_first": 0, "settling_days_last": 0,
            "calendar": {"offsets": [{"from": 0, "offset_s": 0}], "cycle_starts": [20_635, 20_666, 20_697, 20_727]},
        }],
        "feeds": [{"name": "gateway", "role": "settling"}],
        "plans": [{"name": "basic", "rules": [], "suspend_on_exhaustion": false}],
        "default_rules": [{"name": "half", "burnt_percent": 50}],
    });
    catalogue.to_string().into_bytes()
}

/// The script: what is written to the log, and when.
struct Script {
    sim: Sim,
    writer: PackWriter,
    records: u64,
}

impl Script {
    fn write(&mut self, record: &Record<'_>, time: UnixTime) {
        if self.writer.len() == 1_000 || !self.writer.push(record) {
            self.finish(time);
            assert!(self.writer.push(record), "a record fits an empty pack");
        }
    }

    /// Ends the pack, as of a time.
    fn finish(&mut self, time: UnixTime) {
        let pack = self.writer.finish();
        self.sim.produce_at(LOG, &pack, time * 1_000);
    }

    /// A command as the outside sends it.
    fn command(&mut self, card: CardId, mut said: Value, time: UnixTime) {
        said["card"] = card.to_string().into();
        said["at"] = chrono::DateTime::from_timestamp(time, 0).unwrap().to_rfc3339().into();
        let CommandIn::Card(command) = command(said.to_string().as_bytes()).unwrap() else {
            panic!("of a card")
        };
        let origin = origin();
        self.write(&Record::Command { card, json: &canonical::to_vec(&command), origin }, time);
    }

    fn sell(&mut self, card: CardId, days: u32) {
        let order = |id: &str, mode: &str| {
            json!({
                "id": id, "type": "recharge", "channel": "shop", "mode": mode,
                "payment": {"provider": "bank", "reference": "p", "paid_at": "2026-08-03T00:00:00Z"},
                "package": {"kind": "base", "quota": QUOTA, "validity": {"days": days}},
            })
        };
        let register = json!({"id": "r", "type": "card.register", "channel": "shop", "carrier": "north", "plan": "basic"});
        self.command(card, register, BOUGHT);
        self.command(card, order("first", "immediate"), BOUGHT);
        self.command(card, order("second", "renewal"), BOUGHT);
    }

    /// A record of now.
    fn cdr(&mut self, card: CardId, time: UnixTime) {
        self.records += 1;
        let id = self.records.to_string();
        let slices = Slices::default();
        let (feed, origin) = (FeedName::new("gateway"), origin());
        let cdr = Cdr {
            card,
            feed,
            id: &id,
            start: time,
            end: time,
            up: BYTES,
            down: 0,
            slices,
            number: None,
            origin,
        };
        self.write(&Record::Cdr(cdr), time);
    }

    fn worker(&self) -> Worker<SimWorkerLog, Nowhere> {
        let settings =
            Settings { clock: Clock::Supplied, new: New::Allowed, ..Settings::new("scale", "w0", 1) };
        Worker::new(self.sim.worker("w0", FaultRates::none()), Nowhere(Vec::new()), settings)
    }

    fn step(&self, worker: &mut Worker<SimWorkerLog, Nowhere>) -> Report {
        worker.step(self.now(), 0, &mut ()).unwrap()
    }

    fn now(&self) -> Now {
        Now { ms: self.sim.now_ms() - BOUGHT * 1_000, clock_ms: self.sim.now_ms() }
    }

    /// Until all that is written is committed.
    fn drain(&self, worker: &mut Worker<SimWorkerLog, Nowhere>) {
        let end = self.sim.end(LOG).unwrap();
        for _ in 0..10_000 {
            if self.sim.committed(LOG).is_some_and(|committed| committed >= end) {
                return;
            }
            self.step(worker);
            self.sim.advance(20);
        }
        panic!("only committed to {:?} of {end:?}: {:?}", self.sim.committed(LOG), worker.status(self.now()));
    }

    /// All that a reader of committed messages finds.
    fn events(&self, topic: Topic) -> Vec<Event> {
        let of = |partition| self.sim.history(TopicPartition { topic, partition }).unwrap();
        (0..2).flat_map(of).map(|read| event::read(&read.value.unwrap()).unwrap()).collect()
    }
}

fn origin() -> Origin<'static> {
    Origin { source: "script", partition: 0, offset: 0, received_ms: 0 }
}

/// Sells all packages and folds that; then the second in which they end, and those after it, with a crash in one of them.
fn hand_over(cards: &[CardId], others: &[CardId], hurried: CardId) -> Script {
    let setup = Setup { stamp: Stamp::Created, ..Setup::quiet(BOUGHT * 1_000, 1) };
    let sim = Sim::new(setup, 1, Trace::default());
    let mut script = Script { sim, writer: PackWriter::new(), records: 0 };
    script.write(&Record::Catalogue { json: &catalogue() }, BOUGHT);
    for card in cards {
        script.sell(*card, 1);
    }
    for card in others {
        script.sell(*card, 9);
    }
    script.finish(BOUGHT);
    let mut worker = script.worker();
    script.drain(&mut worker);
    for second in 0..SECONDS {
        for card in others {
            script.cdr(*card, DUE + second);
        }
        if second == 0 {
            (0..5).for_each(|_| script.cdr(hurried, DUE));
        }
        script.finish(DUE + second);
        if second == DIES_IN {
            // It has folded this second, and dies before it has committed anything of it.
            let committed = script.sim.committed(LOG);
            assert_eq!(script.step(&mut worker).messages, 1);
            assert_eq!(script.sim.committed(LOG), committed);
            drop(worker);
            worker = script.worker();
        }
        script.drain(&mut worker);
    }
    script
}

/// The log time of each event of a kind, by card.
fn when(
    events: &[Event],
    of: impl Fn(&EventBody) -> Option<&PackageData>,
) -> BTreeMap<CardId, Vec<(UnixTime, UnixTime)>> {
    let mut when: BTreeMap<CardId, Vec<_>> = BTreeMap::new();
    for event in events.iter().filter(|event| of(&event.body).is_some()) {
        when.entry(event.card).or_default().push((event.at, event.log_time));
    }
    when
}

#[test]
fn packages_that_end_in_one_second_are_handed_over_in_bounded_steps_while_metering_goes_on() {
    let (cards, others) = cards();
    // The last of its shard: its turn would come at the very end.
    let hurried = cards[CARDS_A_SHARD - 1];
    let script = hand_over(&cards, &others, hurried);
    let activations = script.events(Topic::Activations);
    let expired = when(&activations, |body| match body {
        EventBody::PackageExpired(package) => Some(package),
        _ => None,
    });
    let renewed = when(&activations, |body| match body {
        EventBody::PackageActivated(package) if package.order == "second" => Some(package),
        _ => None,
    });

    // Each once, as of the second in which it was due.
    assert_eq!(expired.len(), cards.len());
    assert_eq!(expired, renewed, "the renewal starts with the end");
    assert!(expired.values().all(|ends| ends.len() == 1 && ends[0].0 == DUE));

    // In bounded steps, in the order of the cards; one whose record comes is handed over before it.
    for shard in 0..SHARDS_USED {
        let of_shard = expired.iter().filter(|(card, _)| shard_of(**card) == shard && **card != hurried);
        let in_turn: Vec<UnixTime> = of_shard.map(|(_, ends)| ends[0].1 - DUE).collect();
        let by_rule: Vec<UnixTime> = (0..in_turn.len()).map(|at| (at / TIMERS_PER_SECOND) as i64).collect();
        assert_eq!(in_turn, by_rule, "shard {shard}");
    }
    assert_eq!(expired[&hurried], [(DUE, DUE)]);

    // Meanwhile: the fifth record of each other card tells its 50 % in its own second, long before the hand-over ends.
    let told: BTreeMap<CardId, UnixTime> = script
        .events(Topic::Alerts)
        .into_iter()
        .filter(|event| matches!(event.body, EventBody::AlertFired(_)))
        .map(|event| (event.card, event.log_time))
        .collect();
    let expected = others.iter().map(|card| (*card, DUE + 4)).chain([(hurried, DUE)]);
    assert_eq!(told, expected.collect::<BTreeMap<_, _>>());
    const { assert!(SECONDS > 5, "the hand-over outlasts what is metered in it") };
}
