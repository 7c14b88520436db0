//! A simulated fleet: what carriers, modems and the vendor's shop would send, minute by minute of its own time.
//!
//! Every step is a pure function of its number, and is appended in one batch with the number of the next one: a demo that
//! was killed goes on where it was, and the log holds each step once. A little of what real feeds do wrong is in it:
//! repeats, corrections under the same id, records of the future, of unknown cards, and bytes that are no JSON.

use serde_json::{Value, json};

use super::story;
use crate::log::{Output, Topic};
use crate::model::UnixTime;

/// Seconds of one step.
pub const STEP_S: i64 = 60;
/// Steps between two CDRs of a card.
const CDR_EVERY: u64 = 15;
/// Steps between two readings of a card.
const READING_EVERY: u64 = 60;
/// Bytes of usage a step, by rank of appetite: most devices are meters, a few are cameras.
const BYTES_PER_STEP: [u64; 4] = [2_000, 20_000, 120_000, 900_000];
/// Days that the first package of a card lasts, in tenths, by its number: so that thresholds are met all the time.
const PACKAGE_TENTH_DAYS: u64 = 97;

/// The two carriers of the demo's catalogue.
pub(super) const CARRIERS: [(&str, &str); 2] = [("east", "east-pgw"), ("west", "west-pgw")];

/// The fleet: how many cards, and when its time began.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    pub cards: u32,
    pub origin: UnixTime,
}

/// ICCID of a card: 89 (telecom), a country and an issuer code that nobody has, and its number.
#[must_use]
pub fn iccid(card: u32) -> String {
    format!("8999990{card:012}")
}

impl Fleet {
    /// The fleet's time at a step.
    #[must_use]
    pub fn time(&self, step: u64) -> UnixTime {
        self.origin + i64::try_from(step).unwrap_or(i64::MAX / STEP_S) * STEP_S
    }

    /// What was sent before the first step: every card is registered and buys a package.
    #[must_use]
    pub fn birth(&self) -> Vec<Output> {
        let purchases = (story::HEROES..self.cards).map(|card| self.purchase(card));
        (0..self.cards).map(|card| self.registration(card)).chain(purchases).collect()
    }

    fn registration(&self, card: u32) -> Output {
        let (carrier, _) = carrier_of(card);
        self.command(
            0,
            card,
            "register",
            json!({
                "type": "card.register", "channel": "demo", "carrier": carrier, "plan": "meter",
                "imsi": format!("99999{card:010}"),
            }),
        )
    }

    fn purchase(&self, card: u32) -> Output {
        let bytes = appetite(card) * 144 * (1 + mix(u64::from(card), 5) % PACKAGE_TENTH_DAYS);
        self.recharge(0, card, "order-1", (bytes, 30))
    }

    /// A package of so many bytes and days.
    pub(super) fn recharge(&self, step: u64, card: u32, order: &str, (bytes, days): (u64, u16)) -> Output {
        let paid_at = rfc3339(self.time(step));
        self.command(
            step,
            card,
            order,
            json!({
                "type": "recharge", "order": order, "channel": "demo", "mode": "immediate",
                "payment": {"provider": "demo", "reference": order, "paid_at": paid_at},
                "package": {"kind": "base", "quota": bytes, "validity": {"days": days}},
            }),
        )
    }

    fn command(&self, step: u64, card: u32, id: &str, body: Value) -> Output {
        let mut message = json!({"id": id, "card": iccid(card), "at": rfc3339(self.time(step))});
        if let (Some(message), Value::Object(body)) = (message.as_object_mut(), body) {
            message.extend(body);
        }
        self.output(Topic::Commands, step, card, message.to_string().into_bytes())
    }

    fn output(&self, topic: Topic, step: u64, card: u32, value: Vec<u8>) -> Output {
        Output {
            topic,
            partition: None,
            key: iccid(card).into_bytes(),
            value: Some(value),
            headers: Vec::new(),
            time_ms: Some(self.time(step) * 1000),
        }
    }

    /// Everything that is sent in one step.
    #[must_use]
    pub fn step(&self, step: u64) -> Vec<Output> {
        let mut out = Vec::new();
        self.usage(step, &mut out);
        out.extend(story::step(self, step));
        if step.is_multiple_of(60 * 24) {
            out.extend(CARRIERS.iter().map(|(_, feed)| self.day_complete(step, feed)));
        }
        out
    }

    fn usage(&self, step: u64, out: &mut Vec<Output>) {
        for card in cards_at(step, CDR_EVERY, self.cards).filter(|card| !story::is_hero(*card)) {
            let cdr = self.cdr(
                step,
                card,
                CDR_EVERY,
                appetite(card) * CDR_EVERY * (50 + mix(step, u64::from(card)) % 101) / 100,
            );
            self.what_feeds_do_wrong(step, card, &cdr, out);
            out.push(cdr);
        }
        out.extend(
            cards_at(step, READING_EVERY, self.cards)
                .filter(|c| !story::is_hero(*c))
                .map(|c| self.reading(step, c)),
        );
    }

    pub(super) fn cdr(&self, step: u64, card: u32, steps: u64, bytes: u64) -> Output {
        let (_, feed) = carrier_of(card);
        let end = self.time(step);
        let start = end - i64::try_from(steps).unwrap_or(0) * STEP_S;
        let up = bytes / 8;
        let value = json!({
            "iccid": iccid(card), "feed": feed, "id": format!("85/demo/{card}/{step}"),
            "start": rfc3339(start), "end": rfc3339(end), "up": up, "down": bytes - up,
        });
        self.output(Topic::Cdr, step, card, value.to_string().into_bytes())
    }

    /// One record in two hundred comes twice; rarer things in one of thousands.
    fn what_feeds_do_wrong(&self, step: u64, card: u32, cdr: &Output, out: &mut Vec<Output>) {
        match mix(step, u64::from(card) + 77) % 10_000 {
            0..50 => out.push(cdr.clone()),
            50..53 => out.push(self.cdr(step, card, CDR_EVERY, 1)),
            53..56 => out.push(self.cdr(step + 60, card, 1, 1_000)),
            56..58 => out.push(self.output(Topic::Cdr, step, card, b"{\"iccid\":".to_vec())),
            _ => {}
        }
    }

    /// Counters that a modem has counted since it was built.
    fn reading(&self, step: u64, card: u32) -> Output {
        let total = appetite(card) * (step + 1_000);
        let value = json!({
            "iccid": iccid(card), "imei": format!("86{card:013}"), "counter": "qgdcnt", "at": rfc3339(self.time(step)),
            "tx": total / 8, "rx": total - total / 8,
        });
        self.output(Topic::Modem, step, card, value.to_string().into_bytes())
    }

    /// Yesterday is whole, says the feed.
    fn day_complete(&self, step: u64, feed: &str) -> Output {
        let day = rfc3339(self.time(step) - 86_400 - 12 * 3_600);
        let value = json!({
            "id": format!("complete-{feed}-{step}"), "type": "feed.complete", "feed": feed, "day": &day[..10],
            "at": rfc3339(self.time(step)),
        });
        Output {
            topic: Topic::Commands,
            partition: Some(0),
            key: Vec::new(),
            value: Some(value.to_string().into_bytes()),
            headers: Vec::new(),
            time_ms: Some(self.time(step) * 1000),
        }
    }
}

fn carrier_of(card: u32) -> (&'static str, &'static str) {
    if card.is_multiple_of(2) { CARRIERS[0] } else { CARRIERS[1] }
}

fn cards_at(step: u64, every: u64, cards: u32) -> impl Iterator<Item = u32> {
    let first = u32::try_from(step % every).unwrap_or(0);
    (first..cards).step_by(usize::try_from(every).unwrap_or(1))
}

/// Bytes a step.
fn appetite(card: u32) -> u64 {
    let rank = mix(u64::from(card), 3) % 100;
    BYTES_PER_STEP[match rank {
        0..50 => 0,
        50..85 => 1,
        85..98 => 2,
        _ => 3,
    }]
}

/// A well-mixed number of two (the finalizer of splitmix64).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let z = a.wrapping_add(b.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

fn rfc3339(time: UnixTime) -> String {
    crate::codec::time::text(time)
}
