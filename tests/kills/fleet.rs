//! The load, and what must come of it: worked out record by record as it is made, from the rules of the domain alone.
//!
//! The log's clock is the brokers', so times lie around now. The cycle begins today at 00:00 of a zone where it is about
//! noon: yesterday's records belong to the cycle before, and some records lie across.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _};
use serde_json::{Value, json};
use tidegauge::log::Topic;

const DAY_S: i64 = 86_400;
/// Between two readings of a modem; one interval lies across midnight, half on either side.
const READING_EVERY_S: i64 = 600;
/// Readings begin half a day before midnight and end before now.
const READINGS_MAX: i64 = 130;
/// Shares of the first package that a card burns, percent.
const BURNS: [u64; 4] = [30, 65, 90, 120];
/// The rules of every card, burnt percent.
const RULES: [u64; 2] = [50, 80];

/// What is sent: where, under which key, and what.
pub(crate) type Message = (Topic, String, String);

/// Bytes of one card on one day by source.
#[derive(Debug, Clone, Copy, Default)]
struct Day {
    cdr: u64,
    modem: u64,
}

/// Everything sent, and what must come of it.
pub(crate) struct Fleet {
    pub(crate) cards: u32,
    times: Times,
    dice: u64,
    days: BTreeMap<(u32, i64), Day>,
    /// Bytes with times within the first package.
    burning: BTreeMap<u32, u64>,
    modems: BTreeMap<u32, (i64, u64)>,
    pub(crate) load: Vec<Message>,
}

/// Moments, UTC seconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    offset_s: i64,
    midnight: i64,
    now: i64,
    /// When usage begins that burns: every first package is in force by then.
    burning: i64,
}

impl Times {
    fn around(now: i64) -> Self {
        let hour = now.rem_euclid(DAY_S) / 3_600;
        let offset_s = (12 - hour) * 3_600;
        let midnight = (now + offset_s).div_euclid(DAY_S) * DAY_S - offset_s;
        Self { offset_s, midnight, now, burning: now + 120 }
    }

    fn day_of(&self, time: i64) -> i64 {
        (time + self.offset_s).div_euclid(DAY_S)
    }
}

pub(crate) fn iccid(card: u32) -> String {
    format!("8999991{card:012}")
}

fn rfc3339(time: i64) -> String {
    DateTime::from_timestamp(time, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What kind of life a card leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Bought at first, burns.
    Burning,
    /// Buys while processes die.
    Buying,
    /// Has a modem that reports too.
    Reporting,
}

fn life(card: u32) -> Life {
    match card % 4 {
        0 | 1 => Life::Burning,
        2 => Life::Buying,
        _ => Life::Reporting,
    }
}

impl Fleet {
    pub(crate) fn new(cards: u32, records: usize, seed: u64, now: i64) -> Self {
        let mut fleet = Self {
            cards,
            times: Times::around(now),
            dice: seed,
            days: BTreeMap::new(),
            burning: BTreeMap::new(),
            modems: BTreeMap::new(),
            load: Vec::with_capacity(records + cards as usize),
        };
        fleet.make(records);
        fleet
    }

    /// The next number below `n` of a seeded row (splitmix64).
    pub(crate) fn dice(&mut self, n: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % n
    }

    /// The catalogue: the cycle begins today.
    pub(crate) fn catalogue(&self) -> String {
        let hours = self.times.offset_s / 3_600;
        let first = DateTime::from_timestamp(self.times.midnight + self.times.offset_s, 0).unwrap();
        // The signs of these names are the other way round.
        let zone = if hours == 0 { "Etc/GMT".to_owned() } else { format!("Etc/GMT{:+}", -hours) };
        format!(
            "version = 1\nown_channels = [\"shop\"]\n[[feeds]]\nname = \"pgw\"\nrole = \"settling\"\n\
             [[carriers]]\nname = \"here\"\nzone = \"{zone}\"\nanchor_day = {}\nsettling_feed = \"pgw\"\n\
             [[plans]]\nname = \"plan\"\nrules = [{{ name = \"burnt-50\", burnt_percent = 50 }}, {{ name = \"burnt-80\", burnt_percent = 80 }}]\n",
            first.day()
        )
    }

    /// Registrations and first packages.
    pub(crate) fn birth(&self) -> Vec<Message> {
        let first = self.quotas().map(|(card, quota)| self.recharge(card, "first", quota));
        self.registrations().chain(first).collect()
    }

    fn registrations(&self) -> impl Iterator<Item = Message> {
        (0..self.cards).map(|card| {
            let rest = json!({"type": "card.register", "channel": "shop", "carrier": "here", "plan": "plan"});
            self.command(card, "register", rest)
        })
    }

    /// First packages, such that cards end at chosen shares of them.
    fn quotas(&self) -> impl Iterator<Item = (u32, u64)> {
        self.burning.iter().map(|(card, sum)| (*card, sum * 100 / BURNS[*card as usize / 4 % 4]))
    }

    fn command(&self, card: u32, what: &str, mut value: Value) -> Message {
        value["id"] = json!(format!("{what}-{card}"));
        value["card"] = json!(iccid(card));
        value["at"] = json!(rfc3339(self.times.now));
        (Topic::Commands, iccid(card), value.to_string())
    }

    fn recharge(&self, card: u32, order: &str, quota: u64) -> Message {
        let rest = json!({
            "type": "recharge", "order": order, "channel": "shop", "mode": "immediate",
            "payment": {"provider": "p", "reference": format!("{order}-{card}"), "paid_at": rfc3339(self.times.now)},
            "package": {"kind": "base", "quota": quota, "validity": {"days": 30}},
        });
        self.command(card, order, rest)
    }

    fn make(&mut self, records: usize) {
        for number in 0..records {
            if number % 100 == 99 {
                let at = self.load.len() - 1 - self.dice(self.load.len() as u64 / 2) as usize;
                let again = self.load[at].clone();
                self.load.push(again);
                continue;
            }
            let card = self.dice(u64::from(self.cards)) as u32;
            let message =
                if life(card) == Life::Reporting && self.dice(2) == 0 { self.reading(card) } else { None };
            let message = message.unwrap_or_else(|| self.cdr(card, number));
            self.load.push(message);
        }
        for card in (0..self.cards).filter(|card| life(*card) == Life::Buying) {
            let (at, order) =
                (self.dice(self.load.len() as u64 + 1) as usize, self.recharge(card, "later", 1_000_000));
            self.load.insert(at, order);
        }
    }

    fn day(&mut self, card: u32, time: i64) -> &mut Day {
        self.days.entry((card, self.times.day_of(time))).or_default()
    }

    fn cdr(&mut self, card: u32, number: usize) -> Message {
        let Times { midnight, burning, .. } = self.times;
        let burns = life(card) == Life::Burning;
        let (start, end) = match self.dice(10) {
            0..4 => self.within(midnight - 39_600, 36_000),
            4 => (midnight - 300, midnight + 300),
            5..7 if burns => (burning + 1, burning + 61),
            _ => self.within(midnight, 36_000),
        };
        // Even, so that half of it is a whole number.
        let (up, down) = (2 * self.dice(5_000), 2 * self.dice(500_000));
        let half = u64::midpoint(up, down);
        self.day(card, start).cdr += half;
        self.day(card, end - 1).cdr += half;
        if start > burning {
            *self.burning.entry(card).or_default() += up + down;
        }
        cdr(card, &format!("r{number}"), (start, end), (up, down))
    }

    /// A quarter of an hour within a span.
    fn within(&mut self, from: i64, span_s: u64) -> (i64, i64) {
        let start = from + self.dice(span_s - 900) as i64;
        (start, start + 900)
    }

    /// `None` when the modem has come to the present.
    fn reading(&mut self, card: u32) -> Option<Message> {
        let (number, counter) = self.modems.get(&card).copied().unwrap_or((0, 1_000));
        if number > READINGS_MAX {
            return None;
        }
        let at = self.times.midnight - DAY_S / 2 + READING_EVERY_S / 2 + number * READING_EVERY_S;
        let half = self.dice(300_000);
        let counter = if number == 0 { counter } else { counter + 2 * half };
        if number > 0 {
            self.day(card, at - READING_EVERY_S).modem += half;
            self.day(card, at - 1).modem += half;
        }
        self.modems.insert(card, (number + 1, counter));
        let value = json!({
            "iccid": iccid(card), "imei": format!("86{card:013}"), "counter": "qgdcnt", "at": rfc3339(at),
            "tx": 0, "rx": counter,
        });
        Some((Topic::Modem, iccid(card), value.to_string()))
    }

    /// Used bytes by card and first day of the cycle: of each day the greater source.
    pub(crate) fn months(&self) -> BTreeMap<(String, i64), u64> {
        let today = self.times.day_of(self.times.midnight);
        let mut months = BTreeMap::new();
        for ((card, day), by) in &self.days {
            let cycle = if *day >= today { today } else { self.cycle_before() };
            *months.entry((iccid(*card), cycle)).or_default() += by.cdr.max(by.modem);
        }
        months
    }

    /// First day of the cycle before: the same day of the month before, or its last.
    fn cycle_before(&self) -> i64 {
        let first =
            DateTime::from_timestamp(self.times.midnight + self.times.offset_s, 0).unwrap().date_naive();
        let before = first.checked_sub_months(chrono::Months::new(1)).unwrap();
        before.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / DAY_S
    }

    /// Used bytes by card and day.
    pub(crate) fn days(&self) -> BTreeMap<(String, i64), u64> {
        self.days.iter().map(|((card, day), by)| ((iccid(*card), *day), by.cdr.max(by.modem))).collect()
    }

    /// Burnt bytes of the first packages.
    pub(crate) fn burnt(&self) -> BTreeMap<String, u64> {
        self.quotas().map(|(card, quota)| (iccid(card), quota.min(self.burning[&card]))).collect()
    }

    /// (card, type, rule or order) of every alert and of what happens to packages.
    pub(crate) fn events(&self) -> BTreeMap<(String, String, String), u32> {
        let mut events = BTreeMap::new();
        let mut once = |card, kind: &str, what: String| {
            events.insert((iccid(card), format!("io.tidegauge.{kind}.v1"), what), 1);
        };
        for (card, quota) in self.quotas() {
            let burnt = quota.min(self.burning[&card]);
            once(card, "package.activated", "first".to_owned());
            if burnt == quota {
                once(card, "package.exhausted", "first".to_owned());
            }
            for percent in RULES.into_iter().filter(|percent| burnt * 100 >= percent * quota) {
                once(card, "alert.fired", format!("burnt-{percent}"));
            }
        }
        for card in (0..self.cards).filter(|card| life(*card) == Life::Buying) {
            once(card, "package.activated", "later".to_owned());
        }
        events
    }

    /// Until when every first package must be in force.
    pub(crate) fn born_by(&self) -> i64 {
        self.times.burning
    }
}

/// A fleet of which each card has one alert to come.
pub(crate) struct Alarms(Fleet);

/// A quota that one record burns half of.
const ALARM_QUOTA: u64 = 1_000_000;

impl Alarms {
    pub(crate) fn new(cards: u32, now: i64) -> Self {
        Self(Fleet::new(cards, 0, 0, now))
    }

    pub(crate) fn catalogue(&self) -> String {
        self.0.catalogue()
    }

    pub(crate) fn birth(&self) -> Vec<Message> {
        let recharges = (0..self.0.cards).map(|card| self.0.recharge(card, "first", ALARM_QUOTA));
        self.0.registrations().chain(recharges).collect()
    }

    /// One record that burns 60 % of the card's package, and others whose time is before it.
    pub(crate) fn usage(&self, card: u32, beside: u32) -> Vec<Message> {
        let Times { midnight, burning, .. } = self.0.times;
        let mut messages = vec![cdr(card, "alarm", (burning + 1, burning + 61), (0, ALARM_QUOTA * 6 / 10))];
        for number in 0..beside {
            messages.push(cdr(card, &format!("beside-{number}"), (midnight, midnight + 60), (1, 2)));
        }
        messages
    }

    /// Used bytes of every card in its cycle at the end.
    pub(crate) fn used(&self, beside: u32) -> BTreeMap<String, u64> {
        (0..self.0.cards).map(|card| (iccid(card), ALARM_QUOTA * 6 / 10 + u64::from(beside) * 3)).collect()
    }
}

fn cdr(card: u32, id: &str, (start, end): (i64, i64), (up, down): (u64, u64)) -> Message {
    let value = json!({
        "iccid": iccid(card), "feed": "pgw", "id": id,
        "start": rfc3339(start), "end": rfc3339(end), "up": up, "down": down,
    });
    (Topic::Cdr, iccid(card), value.to_string())
}
