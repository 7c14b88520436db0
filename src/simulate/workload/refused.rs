//! What the outside asks for and must not get: each refusal that the rules know is provoked.

use serde_json::{Value, json};

use super::{DAY, HOUR, Outside, WEALTHY, Workload, send, time};
use crate::log::Topic;
use crate::simulate::places::{DELTA_TOTALS, OWN_CHANNEL, PLACES, PLANS, ROAMING};

/// More renewals than a queue takes.
const HOARD: u32 = 36;

impl Workload {
    /// Something that is refused, as a rule.
    pub(super) fn refused(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        match self.rng.below(16) {
            0..3 => self.wrong_record(n, now, out),
            3 => self.wrong_declaration(now, out),
            4 => self.hoard(n, now, out),
            5..8 => self.wrong_order(n, now, out),
            8..11 => self.wrong_rules(n, now, out),
            11..13 => self.wrong_registration(n, now, out),
            _ => self.wrong_command(n, now, out),
        }
    }

    /// A command of a card with what differs from one to the next.
    pub(super) fn of_card(&mut self, n: usize, at: i64, with: Value, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let at = time(at, &mut self.rng);
        let mut command = json!({"id": format!("w{serial}"), "card": self.cards[n].iccid, "at": at});
        if let (Value::Object(command), Value::Object(with)) = (&mut command, with) {
            command.extend(with);
        }
        self.command(command, out);
    }

    /// A command that is too early, or asks for what cannot be.
    fn wrong_command(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let iccid = self.cards[n].iccid.clone();
        let adjust = |bytes: i64, day: Option<&str>| json!({"type": "usage.adjust", "reference": format!("none-{now}"), "bytes": bytes, "day": day});
        let some = self.rng.between(1, 3);
        let (at, with) = match self.rng.below(9) {
            0 => (now + HOUR, json!({"type": "card.resume"})),
            1 => (now, adjust(0, None)),
            2 => (now, adjust(1 << 20, Some("2020-02-20"))),
            3 => (now, json!({"type": "credits.add", "credits": 1_000_001})),
            4 => (now, json!({"type": "credits.add", "credits": 0})),
            5 => (
                now,
                json!({"type": "credits.move", "reference": format!("self-{now}"), "credits": 1, "to": iccid}),
            ),
            6 => (now, json!({"type": "recipients.set", "recipients": recipients(17)})),
            // One reference for several things, on few cards.
            7 => (now, json!({"type": "usage.adjust", "reference": "same", "bytes": some})),
            _ => (
                now,
                json!({"type": "credits.move", "reference": "same", "credits": some, "from": "8986009999999999998"}),
            ),
        };
        let few = with["reference"] == "same";
        self.of_card(if few { n % WEALTHY } else { n }, at, with, out);
    }

    fn wrong_rules(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let one = |name: &str, kind: &str, figure: u64| json!({"name": name, kind: figure});
        let rules = match self.rng.below(9) {
            0 => vec![one("none", "burnt_percent", 0)],
            1 => vec![one("always", "remaining_percent", 100)],
            2 => vec![one("always", "used_bytes", 0)],
            3 => vec![one("always", "used_day_bytes", 0)],
            4 => vec![one("never", "expires_days", 91)],
            5 => vec![one("never", "no_data_hours", 745)],
            6 => vec![one("same", "burnt_percent", 10), one("same", "burnt_percent", 20)],
            7 => (0..17).map(|at| one(&format!("rule-{at}"), "used_bytes", 1 << 40)).collect(),
            // Right everywhere, also where customers may set the product's own rules only.
            _ => vec![one("half", "burnt_percent", 50), json!({"name": "left", "remaining_bytes": "500MiB"})],
        };
        self.of_card(n, now, json!({"type": "rules.set", "rules": rules}), out);
    }

    fn wrong_registration(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let own = PLACES[self.cards[n].place].carrier;
        let other = PLACES[(self.cards[n].place + 1) % PLACES.len()].carrier;
        let (carrier, plan, told) = match self.rng.below(4) {
            0 => ("nobody", PLANS[0], 0),
            1 => (own, "no-plan", 0),
            2 => (own, PLANS[0], 17),
            _ => (other, PLANS[0], 1),
        };
        let mut with =
            json!({"type": "card.register", "channel": OWN_CHANNEL, "carrier": carrier, "plan": plan});
        if told > 0 {
            with["recipients"] = recipients(told);
        }
        self.of_card(n, now, with, out);
    }

    fn wrong_order(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let (quota, validity) = match self.rng.below(8) {
            0 => (json!(0), json!({"months": 1})),
            1 => (json!((1u64 << 48) + 1), json!({"months": 1})),
            2 => (json!("1GB"), json!({"months": 0})),
            3 => (json!("1GB"), json!({"cycles": 0})),
            4 => (json!("1GB"), json!({"months": 121})),
            5 => (json!("1GB"), json!({"days": 3_654})),
            _ => (json!("1GB"), json!({"cycles": 100})),
        };
        self.order(n, now, "immediate", (quota, validity), out);
    }

    /// A card buys more than it can hold: renewals on end, or packages for at once.
    fn hoard(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        if self.hoarded || self.rng.below(4) > 0 {
            return;
        }
        self.hoarded = true;
        let mode = *self.rng.pick(&["renewal", "immediate", "next_cycle"]).unwrap_or(&"renewal");
        for _ in 0..if mode == "renewal" { HOARD } else { HOARD / 2 } {
            self.order(n, now, mode, (json!(1_000_000), json!({"days": 2})), out);
        }
    }

    fn order(
        &mut self,
        n: usize,
        now: i64,
        mode: &str,
        (quota, validity): (Value, Value),
        out: &mut Vec<Outside>,
    ) {
        self.cards[n].orders += 1;
        let order = super::order_id(&self.cards[n].iccid, self.cards[n].orders, now);
        let paid_at = time(now, &mut self.rng);
        let with = json!({
            "type": "recharge", "order": order, "channel": OWN_CHANNEL, "mode": mode,
            "payment": {"provider": "bank", "reference": "w", "paid_at": paid_at},
            "package": {"kind": "base", "quota": quota, "validity": validity},
        });
        self.of_card(n, now, with, out);
    }

    /// By a feed that nobody knows, that settles for others, or by one that does not send such.
    fn wrong_record(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let (serial, card) = (self.serial(), self.cards[n].clone());
        let rng = &mut self.rng;
        let others = PLACES[(card.place + 1) % PLACES.len()].settling.unwrap_or(DELTA_TOTALS);
        let own = PLACES[card.place].settling.unwrap_or(ROAMING);
        let (start, end) = (time(now - 60, rng), time(now - 30, rng));
        let cdr = |feed: &str| {
            json!({
                "iccid": card.iccid, "feed": feed, "id": format!("w{serial}"), "start": start, "end": end, "up": 5, "down": 9,
            })
        };
        let reading = |feed: &str, counter: &str, tx: u64| {
            json!({
                "iccid": card.iccid, "feed": feed, "imei": card.imei.to_string(), "counter": counter, "at": end, "tx": tx, "rx": 1,
                "width": 32,
            })
        };
        match rng.below(7) {
            0 => send(Topic::Cdr, &cdr("nobodys"), out),
            1 => send(Topic::Cdr, &cdr(others), out),
            2 => send(Topic::Modem, &reading(own, "qgdcnt", 1), out),
            3 => send(Topic::Modem, &reading("modem", "qgdcnt", 1 << 33), out),
            4 => send(Topic::Modem, &reading("nobodys", "mm", 1), out),
            5 => send(Topic::Modem, &reading("modem", "day-total", 1), out),
            _ => {
                let mut early = reading(own, "day-total", 1);
                early["session"] = json!("2027-11-11");
                send(Topic::Modem, &early, out);
            }
        }
    }

    /// Of a feed that settles for nobody, or of a day that is not over.
    fn wrong_declaration(&mut self, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let feed = *self.rng.pick(&[ROAMING, "nobodys", "alpha-cdr"]).unwrap_or(&ROAMING);
        let date = chrono::DateTime::from_timestamp(now + DAY, 0).unwrap_or_default();
        let day = date.format("%Y-%m-%d").to_string();
        let command = json!({"id": format!("d{serial}"), "type": "feed.complete", "feed": feed, "day": day});
        send(Topic::Commands, &command, out);
    }

    /// What cannot be read, or belongs to nobody.
    pub(super) fn rubbish(&mut self, out: &mut Vec<Outside>) {
        let topic = *self.rng.pick(&[Topic::Cdr, Topic::Modem, Topic::Commands]).unwrap_or(&Topic::Cdr);
        let texts: [&[u8]; 6] = [
            b"", b"{", b"\xff\xfe", b"[1,2]",
            br#"{"iccid":"8986009999999999999","feed":"alpha-cdr","id":"x","start":"2026-08-01T00:00:00Z","end":"2026-08-01T00:00:09Z","up":1,"down":2}"#,
            br#"{"iccid":"8986001234567890123","feed":"alpha-cdr","id":"x","start":"yesterday","end":"2026-08-01T00:00:09Z","up":-1,"down":2}"#,
        ];
        let value = self.rng.pick(&texts).map_or_else(Vec::new, |t| t.to_vec());
        out.push(Outside { topic, value });
    }
}

/// So many people.
fn recipients(count: usize) -> Value {
    (0..count).map(|at| json!({"sms": format!("+4917{at:03}")})).collect()
}
