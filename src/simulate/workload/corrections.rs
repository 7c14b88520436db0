//! What operators correct: usage adjusted by hand, and records posted that may have been set aside.

use chrono::DateTime;
use serde_json::json;

use super::{DAY, Outside, Workload, time};
use crate::codec::json::Scratch;
use crate::codec::quarantine::Qid;

impl Workload {
    /// Usage is adjusted by hand, or a record that may have been set aside is posted.
    pub(super) fn correct(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let rng = &mut self.rng;
        let at = time(now, rng);
        if rng.coin() {
            // Now and then of a cycle that has closed.
            let age = if rng.coin() { rng.between(8 * DAY, 50 * DAY) } else { rng.between(-DAY, 12 * DAY) };
            let day = DateTime::from_timestamp(now - age, 0).unwrap_or_default();
            let mut command = json!({
                "id": format!("j{serial}"), "card": self.cards[n].iccid, "type": "usage.adjust", "at": at,
                "reference": format!("correction-{}", serial / 30), "bytes": rng.between(-(1 << 25), 1 << 22),
            });
            if rng.below(3) > 0 {
                command["day"] = json!(day.format("%Y-%m-%d").to_string());
            }
            return self.command(command, out);
        }
        let Some(cdr) = rng.pick(&self.cdrs).cloned().filter(|cdr| cdr.get("iccid").is_some()) else {
            return;
        };
        let (bytes, mut scratch) = (cdr.to_string().into_bytes(), Scratch::default());
        let Ok(read) = crate::codec::json::cdr(&bytes, &mut scratch) else { return };
        let reference = if rng.below(9) == 0 { "0".to_owned() } else { Qid::of_cdr_in(&read).to_string() };
        let set_aside = now - if rng.below(9) == 0 { 100 * DAY } else { rng.between(0, 10 * DAY) };
        let command = json!({
            "id": format!("q{serial}"), "card": cdr["iccid"], "type": "record.post", "at": at,
            "reference": reference, "into": if rng.coin() { "open" } else { "original" }, "quarantined_at": time(set_aside, rng), "record": cdr,
        });
        self.command(command, out);
    }
}
