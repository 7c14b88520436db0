//! What the outside world sends: carriers, modems and the vendor's systems, in all the ways that are met: twice, late,
//! early, contradictory, absurd, unreadable, before the card is known.

mod corrections;
mod counters;
mod credits;
mod opening;
mod refused;

pub(super) use credits::Paid;

use chrono::{DateTime, FixedOffset};
use credits::recipients;
use serde_json::{Value, json};

use super::places::{FOREIGN_CHANNEL, OWN_CHANNEL, PLACES, PLANS, ROAMING};
use crate::log::Topic;
use crate::log::sim::{Chance, Rng};

/// A message of the outside world.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outside {
    pub(super) topic: Topic,
    pub(super) value: Vec<u8>,
}

/// A card as the outside world knows it.
#[derive(Debug, Clone)]
struct Sim {
    iccid: String,
    imsi: String,
    msisdn: String,
    imei: u64,
    place: usize,
    /// The phase in which its registration is sent; usage may come before.
    registered_in: usize,
    modem: Modem,
    /// What the carrier's own counter shows.
    total: (u64, u64),
    orders: u32,
}

/// A modem's counters.
#[derive(Debug, Clone, Copy, Default)]
struct Modem {
    tx: u64,
    rx: u64,
    session: u32,
}

/// The source of all outside messages of one world.
#[derive(Debug)]
pub(super) struct Workload {
    rng: Rng,
    cards: Vec<Sim>,
    /// Everything sent, to be sent again.
    sent: Vec<Outside>,
    /// Decoded CDRs, to be contradicted.
    cdrs: Vec<Value>,
    commands: Vec<Value>,
    serial: u64,
    phase: usize,
    records_a_phase: u64,
    /// Whether a card has bought more than it can hold.
    hoarded: bool,
    /// Alerts that somebody was told of at a price.
    paid: Vec<Paid>,
}

/// The first cards have credits and somebody to be told from the beginning on.
const WEALTHY: usize = 4;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// RFC 3339 in some zone.
fn time(at: i64, rng: &mut Rng) -> String {
    let offset = *rng.pick(&[0, 8 * 3_600, -5 * 3_600, 2 * 3_600]).unwrap_or(&0);
    let zone = FixedOffset::east_opt(offset)
        .unwrap_or_else(|| FixedOffset::east_opt(0).unwrap_or(chrono::offset::Offset::fix(&chrono::Utc)));
    DateTime::from_timestamp(at, 0).unwrap_or_default().with_timezone(&zone).to_rfc3339()
}

impl Workload {
    pub(super) fn new(mut rng: Rng, phases: usize) -> Self {
        let count = 30 + rng.below(90);
        let cards = (0..count).map(|n| card(n, phases, &mut rng)).collect();
        let records_a_phase = 300 / phases as u64 + rng.below(900 / phases as u64);
        Self {
            rng,
            cards,
            sent: vec![],
            cdrs: vec![],
            commands: vec![],
            serial: 0,
            phase: 0,
            records_a_phase,
            hoarded: false,
            paid: vec![],
        }
    }

    /// What is sent in the next phase, as of now.
    pub(super) fn next_phase(&mut self, now: i64) -> Vec<Outside> {
        let mut out = Vec::new();
        for n in 0..self.cards.len() {
            if self.cards[n].registered_in == self.phase {
                self.register(n, now, &mut out);
            }
        }
        for _ in 0..self.rng.between(self.records_a_phase as i64 / 2, self.records_a_phase as i64 * 3 / 2) {
            let n = self.rng.below(self.cards.len() as u64) as usize;
            self.something(n, now, &mut out);
        }
        self.phase += 1;
        self.sent.extend(out.iter().cloned());
        out
    }

    /// Registrations that have not been sent, and the end of the story: cycles have closed by now, and are corrected.
    pub(super) fn last_phase(&mut self, now: i64) -> Vec<Outside> {
        let mut out = Vec::new();
        for n in 0..self.cards.len() {
            if self.cards[n].registered_in >= self.phase && self.rng.coin() {
                self.register(n, now, &mut out);
            }
            if self.rng.below(3) == 0 {
                self.correct(n, now, &mut out);
            }
        }
        out
    }

    fn something(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        match self.rng.below(100) {
            0..51 => self.cdr(n, now, out),
            51..55 => self.refused(n, now, out),
            55 => self.credits(n % WEALTHY, now, out),
            56..66 => self.reading(n, now, out),
            66..70 => self.total(n, now, out),
            70..78 => self.recharge(n, now, out),
            78 => self.void(n, now, out),
            79..82 => self.rules(n, now, out),
            82 => self.credits(n, now, out),
            83 if self.rng.below(6) == 0 => self.register(n, now, out),
            83 => self.state(n, now, out),
            84..88 => self.again(out),
            88..90 => self.contradiction(out),
            90..92 => self.correct(n, now, out),
            92..95 => self.complete(now, out),
            95..97 => self.advance(now, out),
            _ => self.rubbish(out),
        }
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A CDR that names its card by ICCID (with check digit or without), IMSI or MSISDN.
    fn cdr(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let (start, end) = self.interval(now);
        let (id, card) = (self.serial(), self.cards[n].clone());
        let rng = &mut self.rng;
        let feed = if rng.below(4) == 0 { ROAMING } else { PLACES[card.place].settling.unwrap_or(ROAMING) };
        let scale = 1 << (10 + rng.below(16));
        let (up, down) = (rng.below(scale), rng.below(4 * scale));
        let mut cdr = json!({
            "feed": feed, "id": format!("r{id}"), "start": time(start, rng), "end": time(end, rng), "up": up, "down": down,
        });
        match rng.below(10) {
            0 => cdr["imsi"] = json!(card.imsi),
            1 => cdr["msisdn"] = json!(card.msisdn),
            2 => cdr["iccid"] = json!(format!("{}7", card.iccid)),
            _ => cdr["iccid"] = json!(card.iccid),
        }
        if rng.happens(Chance::per_mille(80)) && end > start {
            slice(&mut cdr, start, end, rng);
        }
        self.cdrs.push(cdr.clone());
        send(Topic::Cdr, &cdr, out);
    }

    /// Mostly of the last hours; sometimes over a day's edge, late, in the future, of no length, backward, or too long.
    fn interval(&mut self, now: i64) -> (i64, i64) {
        let rng = &mut self.rng;
        let age = match rng.below(100) {
            0..60 => rng.between(0, 3 * HOUR),
            60..85 => rng.between(0, 2 * DAY),
            85..94 => rng.between(0, 8 * DAY),
            94..97 => rng.between(7 * DAY, 14 * DAY),
            97..99 => -rng.between(0, 10 * MINUTE),
            _ => -rng.between(10 * MINUTE, 2 * DAY),
        };
        let length = match rng.below(100) {
            0..70 => rng.between(1, HOUR),
            70..90 => rng.between(HOUR, 30 * HOUR),
            90..94 => rng.between(DAY, 7 * DAY),
            94..96 => 0,
            96..98 => -rng.between(1, HOUR),
            _ => rng.between(7 * DAY - 1, 9 * DAY),
        };
        let end = now - age;
        let start = end - length;
        (start, end)
    }

    fn recharge(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let (rng, card) = (&mut self.rng, &mut self.cards[n]);
        card.orders += 1;
        let reused = rng.below(25) == 0 && card.orders > 1;
        let order = if reused { card.orders - 1 } else { card.orders };
        let validity = match rng.below(5) {
            0 | 1 => json!({"months": 1 + rng.below(3)}),
            2 | 3 => json!({"days": if rng.below(20) == 0 { 0 } else { 1 + rng.below(20) }}),
            _ => json!({"cycles": 1 + rng.below(2)}),
        };
        let quota = match rng.below(12) {
            0 => Value::Null,
            1 => json!("500MiB"),
            2 => json!("1GB"),
            _ => {
                let scale = 1 << (21 + rng.below(8));
                json!(1_000_000 + rng.below(scale))
            }
        };
        let mode = *rng
            .pick(&["immediate", "immediate", "immediate", "renewal", "next_cycle"])
            .unwrap_or(&"immediate");
        let paid_at =
            now - if rng.below(6) == 0 { rng.between(0, 3 * DAY) } else { rng.between(0, 10 * MINUTE) };
        let command = json!({
            "id": format!("o{serial}"), "card": card.iccid, "type": "recharge", "at": time(now, rng),
            "order": order_id(&card.iccid, order, now),
            "channel": if rng.below(15) == 0 { FOREIGN_CHANNEL } else { OWN_CHANNEL },
            "payment": {"provider": "bank", "reference": format!("p{serial}"), "paid_at": time(paid_at, rng)},
            "package": {
                "kind": if rng.below(3) == 0 { "booster" } else { "base" }, "quota": quota, "validity": validity,
                "per": if rng.below(4) == 0 { "cycle" } else { "validity" }, "priority": rng.below(3),
                "pays_overage": rng.below(5) == 0,
            },
            "mode": mode,
        });
        self.command(command, out);
    }

    /// One of the card's last orders is taken back; now and then twice, or one that never was.
    fn void(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let (rng, card) = (&mut self.rng, &self.cards[n]);
        let order = i64::from(card.orders) - rng.between(-1, 4);
        let command = json!({
            "id": format!("v{serial}"), "card": card.iccid, "type": "recharge.void", "at": time(now, rng),
            "order": order_id(&card.iccid, order, now), "reference": format!("refund-{}", rng.below(2)),
            "burnt": if rng.coin() { "overage" } else { "waived" },
        });
        self.command(command, out);
    }

    fn rules(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let rng = &mut self.rng;
        let mut rules = vec![
            json!({"name": "mine-percent", "burnt_percent": 1 + rng.below(100)}),
            json!({"name": "mine-left", "remaining_bytes": rng.below(1 << 24)}),
            json!({"name": "mine-left-percent", "remaining_percent": rng.below(50)}),
            json!({"name": "mine-used", "used_bytes": rng.below(1 << 27)}),
            json!({"name": "mine-day", "used_day_bytes": 1 + rng.below(1 << 25)}),
            json!({"name": "mine-gone", "exhausted": true}),
            json!({"name": "mine-end", "expires_days": 1 + rng.below(9)}),
            json!({"name": "mine-silent", "no_data_hours": 1 + rng.below(20)}),
        ];
        rng.shuffle(&mut rules);
        rules.truncate(rng.below(6) as usize);
        let command = json!({
            "id": format!("l{serial}"), "card": self.cards[n].iccid, "type": "rules.set", "at": time(now, rng), "rules": rules,
        });
        self.command(command, out);
    }

    fn state(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let rng = &mut self.rng;
        let kinds = ["card.suspend", "card.resume", "card.suspend", "card.resume", "card.cancel"];
        let kind =
            if rng.below(4) == 0 { "card.confirm" } else { rng.pick(&kinds).copied().unwrap_or_default() };
        let old = if rng.below(10) == 0 { 100 * DAY } else { 0 };
        let mut command = json!({
            "id": format!("s{serial}"), "card": self.cards[n].iccid, "type": kind, "at": time(now - old, rng),
        });
        if kind == "card.confirm" {
            command["state"] = json!(rng.pick(&["active", "suspended", "cancelled"]));
        }
        self.command(command, out);
    }

    fn register(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let (rng, card) = (&mut self.rng, &self.cards[n]);
        let mut command = json!({
            "id": format!("c{serial}"), "card": format!("{}7", card.iccid), "type": "card.register", "at": time(now, rng),
            "channel": OWN_CHANNEL, "carrier": PLACES[card.place].carrier, "plan": PLANS[rng.below(2) as usize],
            "imsi": card.imsi, "msisdn": card.msisdn, "imei": card.imei.to_string(),
        });
        if n < WEALTHY {
            command["recipients"] = json!([{"sms": "+49170000"}]);
        } else if self.rng.coin() {
            command["recipients"] = recipients(&mut self.rng);
        }
        if self.rng.below(3) == 0 {
            command["opening"] = opening::of(&self.cards[n].iccid, now, &mut self.rng);
        }
        self.command(command, out);
        if n < WEALTHY {
            self.of_card(n, now, json!({"type": "credits.add", "credits": 40}), out);
        }
    }

    fn command(&mut self, command: Value, out: &mut Vec<Outside>) {
        send(Topic::Commands, &command, out);
        self.commands.push(command);
    }

    /// The very bytes again.
    fn again(&mut self, out: &mut Vec<Outside>) {
        out.extend(self.rng.pick(&self.sent).cloned());
    }

    /// The same identity with other content: another volume, another end, another order under the same id.
    fn contradiction(&mut self, out: &mut Vec<Outside>) {
        if self.rng.below(4) == 0 {
            let Some(mut command) = self.rng.pick(&self.commands).cloned() else { return };
            if let Some(package) = command.get_mut("package") {
                package["priority"] = json!(9);
            }
            return send(Topic::Commands, &command, out);
        }
        let Some(mut cdr) = self.rng.pick(&self.cdrs).cloned() else { return };
        if cdr.get("slices").is_none() {
            cdr["up"] = json!(cdr["up"].as_u64().unwrap_or_default() + 1);
        }
        send(Topic::Cdr, &cdr, out);
    }

    fn complete(&mut self, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let Some(feed) = self.rng.pick(&PLACES).and_then(|p| p.settling) else { return };
        let date = DateTime::from_timestamp(now - self.rng.between(DAY, 4 * DAY), 0).unwrap_or_default();
        let day = date.format("%Y-%m-%d").to_string();
        send(
            Topic::Commands,
            &json!({"id": format!("d{serial}"), "type": "feed.complete", "feed": feed, "day": day}),
            out,
        );
    }

    fn advance(&mut self, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let at = time(now, &mut self.rng);
        send(Topic::Commands, &json!({"id": format!("t{serial}"), "type": "clock.advance", "at": at}), out);
    }
}

fn card(n: u64, phases: usize, rng: &mut Rng) -> Sim {
    let letter = if n.is_multiple_of(9) { "A" } else { "0" };
    Sim {
        iccid: format!("89860{letter}{n:06}{:07}", rng.below(10_000_000)),
        imsi: format!("46004{:010}", n * 7_919 + 13),
        msisdn: format!("86130{n:08}"),
        imei: 860_000_000_000_000 + n,
        place: rng.below(PLACES.len() as u64) as usize,
        registered_in: if rng.below(5) == 0 { rng.below(phases as u64 * 2) as usize } else { 0 },
        modem: Modem::default(),
        total: (0, 0),
        orders: 0,
    }
}

/// Two or three measured parts whose sums are the record's volumes.
fn slice(cdr: &mut Value, start: i64, end: i64, rng: &mut Rng) {
    let (up, down) = (cdr["up"].as_u64().unwrap_or_default(), cdr["down"].as_u64().unwrap_or_default());
    let middle = rng.between(start, end);
    let (up_first, down_first) = (rng.below(up + 1), rng.below(down + 1));
    cdr["slices"] = json!([
        {"end": time(middle, rng), "up": up_first, "down": down_first},
        {"end": time(end, rng), "up": up - up_first, "down": down - down_first},
    ]);
}

fn send(topic: Topic, value: &Value, out: &mut Vec<Outside>) {
    out.push(Outside { topic, value: value.to_string().into_bytes() });
}

/// The id of a card's order. Ids are remembered for 90 days, and a vendor's books do not begin anew: no order of another
/// season goes by it.
fn order_id(iccid: &str, order: impl std::fmt::Display, now: i64) -> String {
    format!("order-{iccid}-{order}-{}", now / (80 * DAY))
}
