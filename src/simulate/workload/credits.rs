//! Credits and recipients of the simulated world, and who sends the messages: deliveries fail, and credits are given back.

use serde_json::{Value, json};

use super::{Outside, Workload, time};
use crate::log::sim::Rng;
use crate::model::Recipient;

/// A message that a card's credits have paid for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::simulate) struct Paid {
    pub(in crate::simulate) card: String,
    pub(in crate::simulate) message: String,
    pub(in crate::simulate) to: Recipient,
}

impl Workload {
    /// Credits come, go, move and are given back; recipients change.
    pub(super) fn credits(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let serial = self.serial();
        let other = self.rng.below(self.cards.len() as u64) as usize;
        let (rng, there) = (&mut self.rng, self.cards[other].iccid.clone());
        let card = self.cards[n].iccid.clone();
        let mut command = json!({"id": format!("k{serial}"), "card": card, "at": time(now, rng)});
        let with = match rng.below(10) {
            0..4 => json!({"type": "credits.add", "credits": rng.below(6)}),
            4..6 => json!({"type": "recipients.set", "recipients": recipients(rng)}),
            6 => {
                json!({"type": "credits.move", "reference": format!("swap{}", serial / 20), "credits": rng.below(4), "to": there})
            }
            7 => {
                json!({"type": "credits.move", "reference": format!("swap{}", serial / 20), "credits": rng.below(4), "from": there})
            }
            _ => return self.give_back(n, now, out),
        };
        if let (Value::Object(command), Value::Object(with)) = (&mut command, with) {
            command.extend(with);
        }
        self.command(command, out);
    }

    /// Who sends the messages has read the alerts.
    pub(in crate::simulate) fn hear(&mut self, paid: Vec<Paid>) {
        self.paid = paid;
    }

    /// The delivery of a message has failed, or of one that was never paid for.
    pub(super) fn give_back(&mut self, n: usize, now: i64, out: &mut Vec<Outside>) {
        let paid = self.rng.pick(&self.paid).cloned();
        let of = |paid: &Paid| self.cards.iter().position(|card| card.iccid == paid.card);
        let (n, message, to) = match paid.as_ref().and_then(|paid| Some((of(paid)?, paid))) {
            Some((n, paid)) if self.rng.below(4) > 0 => (n, paid.message.clone(), paid.to.clone()),
            _ => (n, format!("{}/alert.fired/ends/1", self.cards[n].iccid), Recipient::Sms("+1".to_owned())),
        };
        let mut with = json!({"type": "credits.return", "reference": message});
        match to {
            Recipient::Sms(to) => with["sms"] = to.into(),
            Recipient::Voice(to) => with["voice"] = to.into(),
        }
        self.of_card(n, now, with, out);
    }
}

/// Up to three people, now and then one twice.
pub(super) fn recipients(rng: &mut Rng) -> Value {
    let all = [json!({"sms": "+49170000"}), json!({"voice": "+49170000"}), json!({"sms": "+8613900"})];
    let count = rng.below(4);
    (0..count).map(|n| all[if rng.below(9) == 0 { 0 } else { n as usize }].clone()).collect()
}
