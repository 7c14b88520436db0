//! Counters of the simulated world: modems that wrap, restart, roll back and begin sessions, and carriers that tell totals.

use chrono::DateTime;
use serde_json::json;

use super::{DAY, MINUTE, Modem, Outside, Workload, send, time};
use crate::log::Topic;
use crate::log::sim::Rng;
use crate::simulate::places::{DELTA_TOTALS, PLACES, TARIFF};

impl Workload {
    pub(super) fn reading(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let (rng, card) = (&mut self.rng, &mut self.cards[n]);
        let modem = &mut card.modem;
        match rng.below(100) {
            0..6 => (modem.tx, modem.rx) = (modem.tx / 20, modem.rx / 20),
            6..8 => (modem.tx, modem.rx) = (modem.tx / 9, modem.rx + 9),
            8..11 => (modem.tx, modem.rx) = (modem.tx * 9 / 10, modem.rx * 9 / 10),
            11..16 => (modem.tx, modem.rx) = (4_294_900_000, 4_294_000_000),
            16..20 => *modem = Modem { session: modem.session + 1, ..Modem::default() },
            _ => {}
        }
        modem.tx = wrapped(modem.tx + rng.below(1 << 20), rng);
        modem.rx = wrapped(modem.rx + rng.below(1 << 23), rng);
        let at =
            now - if rng.below(8) == 0 { rng.between(-900, 3 * DAY) } else { rng.between(0, 20 * MINUTE) };
        let mut reading = json!({
            "iccid": card.iccid, "imei": card.imei.to_string(), "counter": "qgdcnt", "at": time(at, rng), "tx": modem.tx, "rx": modem.rx,
        });
        if serial.is_multiple_of(5) {
            reading["counter"] = json!("mm");
            reading["session"] = json!(format!("s{}", modem.session));
        }
        if serial.is_multiple_of(7) {
            reading["width"] = json!(if serial.is_multiple_of(2) { 32 } else { 64 });
        }
        send(Topic::Modem, &reading, out);
    }

    /// A carrier's total of a day or a cycle: rising, sometimes lower, the same again, of another day, or by nobody's feed.
    pub(super) fn total(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let (rng, card) = (&mut self.rng, &mut self.cards[n]);
        let settles = PLACES[card.place].settling == Some(DELTA_TOTALS);
        let feed = match rng.below(20) {
            0 => "modem",
            1 => PLACES[card.place].settling.unwrap_or(TARIFF),
            2..6 => TARIFF,
            _ if settles => DELTA_TOTALS,
            _ => TARIFF,
        };
        match rng.below(20) {
            0..3 => (card.total.0, card.total.1) = (card.total.0 / 2, card.total.1 * 3 / 4),
            3 => card.total = (0, 0),
            4 => {}
            5 => card.total = (card.total.0 * 3 / 4, card.total.1 + rng.below(1 << 20)),
            _ => card.total = (card.total.0 + rng.below(1 << 18), card.total.1 + rng.below(1 << 22)),
        }
        let counter = if rng.coin() { "day-total" } else { "cycle-total" };
        let at = now
            - match rng.below(10) {
                0 => rng.between(-900, 9 * DAY),
                1..4 => rng.between(0, 2 * DAY),
                _ => rng.between(0, 20 * MINUTE),
            };
        let mut reading = json!({
            "iccid": card.iccid, "feed": feed, "counter": counter, "at": time(at, rng),
            "tx": card.total.0, "rx": card.total.1,
        });
        if rng.below(3) == 0 {
            let date = DateTime::from_timestamp(at - rng.between(-DAY, 4 * DAY), 0).unwrap_or_default();
            reading["session"] = json!(date.format("%Y-%m-%d").to_string());
        }
        if rng.below(40) == 0 {
            reading["session"] = json!("yesterday");
        }
        if rng.below(8) == 0 {
            reading["imei"] = json!(card.imei.to_string());
        }
        send(Topic::Modem, &reading, out);
    }
}

/// A register that has come to its end begins anew, if it has 32 bits.
fn wrapped(register: u64, rng: &mut Rng) -> u64 {
    const END: u64 = 1 << 32;
    if register >= END && rng.below(5) > 0 { register - END } else { register }
}
