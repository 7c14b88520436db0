//! The answers of `tests/data/modem` (see its SOURCE.md): every line is decoded, goes through canonical JSON and a pack, and
//! into a meter whose clock is the readings' own. What arrives gives the sums that the data's generator worked out for its
//! plain rules; what the meter makes of it lies between the two, and each difference to them is named by a counter event.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::Value;
use tidegauge::codec::json::{self, ReadingIn};
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::codec::{canonical, time};
use tidegauge::ingest::modem;
use tidegauge::meter::{Effects, Meter};
use tidegauge::model::{
    Calendar, CardCommand, CardId, CardName, Carrier, Catalogue, CommandBody, CounterData, CounterKind,
    CounterRules, CreditsPolicy, EventBody, FeedName, Input, LogOffset, OffsetFrom, Origin, Outcome, Plan,
    Reading, Record, Register, RulesPolicy, SplitRule, UnixTime,
};

const LINES: &str = include_str!("data/modem/readings.jsonl");
const ORIGIN: Origin<'_> = Origin { source: "usage.modem", partition: 0, offset: 0, received_ms: 0 };

/// Bytes sent and received.
type Both = [u64; 2];

fn expected() -> Value {
    serde_json::from_str(include_str!("data/modem/expected.json")).unwrap()
}

fn figures(card: &Value, fields: [&str; 2]) -> Both {
    fields.map(|field| card[field].as_u64().unwrap())
}

fn record<'a>(read: &'a ReadingIn<'a>) -> Record<'a> {
    let CardName::Iccid(card) = read.card else { panic!("every line has an ICCID") };
    Record::Reading(Reading {
        card,
        feed: FeedName::new(&read.feed),
        imei: read.imei,
        counter: CounterKind(&read.counter),
        at: read.at,
        tx: read.tx,
        rx: read.rx,
        width: read.width,
        session: &read.session,
        number: None,
        origin: ORIGIN,
    })
}

/// The pack of each line, in the order of the file, with the time of its reading.
fn packs() -> Vec<(UnixTime, Vec<u8>)> {
    let pack = |(place, line): (usize, &str)| {
        let message = modem::canonical(line.as_bytes()).unwrap_or_else(|e| panic!("line {place}: {e}"));
        let read = json::reading(&message).unwrap_or_else(|e| panic!("line {place}: {e}"));
        let mut writer = PackWriter::new();
        assert!(writer.push(&record(&read)));
        (read.at, writer.finish())
    };
    LINES.lines().enumerate().map(pack).collect()
}

/// Readings of each card by time, with their sessions; of one time the first.
type ByCard = BTreeMap<CardId, BTreeMap<UnixTime, (Both, String)>>;

fn by_card(packs: &[(UnixTime, Vec<u8>)]) -> ByCard {
    let mut cards = ByCard::new();
    for (_, bytes) in packs {
        for record in Pack::read(bytes).unwrap().records() {
            let Record::Reading(r) = record.unwrap() else { panic!("only readings were packed") };
            let told = ([r.tx, r.rx], r.session.to_owned());
            cards.entry(r.card).or_default().entry(r.at).or_insert(told);
        }
    }
    cards
}

/// Sums of both directions by two rules: increases only, and a fall counted from zero.
fn plain_rules(readings: &BTreeMap<UnixTime, (Both, String)>) -> (Both, Both) {
    let (mut lower, mut from_zero) = ([0; 2], [0; 2]);
    let values: Vec<_> = readings.values().map(|(figures, _)| figures).collect();
    for pair in values.windows(2) {
        for way in 0..2 {
            let (before, now) = (pair[0][way], pair[1][way]);
            lower[way] += now.saturating_sub(before);
            from_zero[way] += if now < before { now } else { now - before };
        }
    }
    (lower, from_zero)
}

#[test]
fn every_answer_is_read_and_arrives() {
    let packs = packs();
    let (cards, expected) = (by_card(&packs), expected());
    assert_eq!(packs.len() as u64, expected["readings_in_file"]);
    assert_eq!(cards.len() as u64, expected["devices"]);
    assert_eq!(cards.values().map(BTreeMap::len).sum::<usize>() as u64, expected["unique_by_iccid_and_time"]);
}

#[test]
fn what_arrives_gives_the_generators_sums() {
    let cards = by_card(&packs());
    for (iccid, card) in expected()["by_iccid"].as_object().unwrap() {
        let (lower, from_zero) = plain_rules(&cards[&CardId::parse(iccid).unwrap()]);
        assert_eq!(lower, figures(card, ["lower_tx", "lower_rx"]), "{iccid}");
        assert_eq!(from_zero, figures(card, ["from_zero_tx", "from_zero_rx"]), "{iccid}");
    }
}

fn day(text: &str) -> i32 {
    time::parse_day(text).unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue {
        version: 1,
        deployment: "modems".to_owned(),
        carriers: vec![Carrier {
            name: "carrier".to_owned(),
            settling_feed: None,
            split: SplitRule::Split,
            calendar: Calendar {
                offsets: vec![OffsetFrom { from: 0, offset_s: 8 * 3_600 }],
                cycle_starts: ["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01"].map(day).into(),
            },
            settling_days_first: 0,
            settling_days_last: 0,
        }],
        feeds: vec![],
        plans: vec![Plan { name: "plan".to_owned(), rules: vec![], suspend_on_exhaustion: false }],
        default_rules: vec![],
        late_horizon_days: 8,
        own_channels: vec![],
        counters: CounterRules::default(),
        rules_policy: RulesPolicy::Free,
        credits_policy: CreditsPolicy::All,
    }
}

/// A meter and what it said.
struct Metered {
    meter: Meter,
    events: BTreeMap<CardId, Vec<EventBody>>,
    next: u64,
}

impl Metered {
    /// All cards registered, all readings folded, in the order of the file; log time is the greatest time of a reading.
    fn of(packs: &[(UnixTime, Vec<u8>)]) -> Self {
        let mut metered = Self { meter: Meter::new(0), events: BTreeMap::new(), next: 0 };
        let begin = packs[0].0;
        metered.record(begin, &Record::Catalogue { json: &canonical::to_vec(&catalogue()) });
        for card in by_card(packs).into_keys() {
            metered.register(begin, card);
        }
        for (at, pack) in packs {
            metered.fold(*at, pack);
        }
        metered
    }

    fn register(&mut self, at: UnixTime, card: CardId) {
        let text = |text: &str| text.to_owned();
        let register = Register {
            channel: text("shop"),
            carrier: text("carrier"),
            plan: text("plan"),
            numbers: vec![],
            recipients: None,
            opening: None,
        };
        let body = CommandBody::Register(Box::new(register));
        let command = CardCommand { id: text("c"), card, iccid: card.to_string(), at, body };
        let json = canonical::to_vec(&command);
        self.record(at, &Record::Command { card, json: &json, origin: ORIGIN });
    }

    fn record(&mut self, at: UnixTime, record: &Record<'_>) {
        let mut writer = PackWriter::new();
        assert!(writer.push(record));
        self.fold(at, &writer.finish());
    }

    fn fold(&mut self, at: UnixTime, pack: &[u8]) {
        let mut effects = Effects::default();
        self.meter.fold(LogOffset(self.next), at, &Pack::read(pack).unwrap(), &mut effects).unwrap();
        self.next += 1;
        for event in effects.events {
            self.events.entry(event.card).or_default().push(event.body);
        }
    }

    fn of_card(&self, card: CardId) -> Both {
        let months = self.meter.card(card).unwrap().months;
        months.iter().fold([0; 2], |sum, month| [sum[0] + month.modem_up, sum[1] + month.modem_down])
    }
}

/// What of a reading fell: the figures of the directions that did, 0 of the others.
fn fallen(data: &CounterData) -> Both {
    [(data.before_tx, data.tx), (data.before_rx, data.rx)]
        .map(|(before, now)| if now < before { now } else { 0 })
}

fn add(sum: &mut Both, more: Both) {
    *sum = [sum[0] + more[0], sum[1] + more[1]];
}

/// What the events of a card say of the two rules: how much more than by the lower one, how much less than by the other.
fn explained(events: &[EventBody]) -> (Both, Both) {
    let (mut above_lower, mut below_zero) = ([0; 2], [0; 2]);
    for event in events {
        match event {
            EventBody::CounterRestarted(data) => add(&mut above_lower, fallen(data)),
            EventBody::CounterUnexplained(data) => add(&mut below_zero, fallen(data)),
            EventBody::CounterWrapped(data) => panic!("no counter of the data comes near 2^32: {data:?}"),
            _ => {}
        }
    }
    (above_lower, below_zero)
}

/// What sessions add that fell when they began: they say themselves that they begin at zero.
fn begun(readings: &BTreeMap<UnixTime, (Both, String)>) -> Both {
    let mut sum = [0; 2];
    let told: Vec<_> = readings.values().collect();
    for pair in told.windows(2).filter(|pair| pair[0].1 != pair[1].1) {
        let (before, now) = (pair[0].0, pair[1].0);
        let fell = |way: usize| {
            assert!(now[way] < before[way], "a session that begins above the last one is in no plain rule");
            now[way]
        };
        add(&mut sum, [fell(0), fell(1)]);
    }
    sum
}

#[test]
fn the_meter_stays_between_the_plain_rules_and_names_each_difference() {
    let packs = packs();
    let (cards, metered) = (by_card(&packs), Metered::of(&packs));
    let (mut restarted, mut unexplained) = (0, 0);
    for (iccid, card) in expected()["by_iccid"].as_object().unwrap() {
        let id = CardId::parse(iccid).unwrap();
        let (lower, zero) =
            (figures(card, ["lower_tx", "lower_rx"]), figures(card, ["from_zero_tx", "from_zero_rx"]));
        let events = metered.events.get(&id).map(Vec::as_slice).unwrap_or_default();
        let ((mut above_lower, below_zero), counted) = (explained(events), metered.of_card(id));
        add(&mut above_lower, begun(&cards[&id]));
        for way in 0..2 {
            assert!(lower[way] <= counted[way] && counted[way] <= zero[way], "{iccid} {counted:?}");
            assert_eq!(
                counted[way],
                lower[way] + above_lower[way],
                "{iccid}: above the increases {events:?}"
            );
            assert_eq!(
                counted[way],
                zero[way] - below_zero[way],
                "{iccid}: below counting from zero {events:?}"
            );
        }
        restarted += events.iter().filter(|event| matches!(event, EventBody::CounterRestarted(_))).count();
        unexplained +=
            events.iter().filter(|event| matches!(event, EventBody::CounterUnexplained(_))).count();
    }
    assert!(restarted > 40 && unexplained > 30, "{restarted} restarts, {unexplained} unexplained");
}

#[test]
fn every_reading_of_the_file_is_counted_known_or_late() {
    let packs = packs();
    let ledger = Metered::of(&packs).meter.ledger();
    let of = |outcome| ledger.records(Input::Reading, outcome);
    assert_eq!(of(Outcome::Counted) + of(Outcome::Duplicate) + of(Outcome::Late), packs.len() as u64);
    assert!(of(Outcome::Late) < 20, "{}", of(Outcome::Late));
    assert!(ledger.adds_up());
}
