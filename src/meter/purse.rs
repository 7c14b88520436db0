//! The purse of one card: credits, who is told of its alerts, and what was taken for whom (`docs/rules.md` A8).
//!
//! Push costs nothing and always goes. SMS and voice cost one credit a recipient, taken in the very step that makes the
//! alert; without it the alert is published all the same, and says which channel is withheld and why. Alerts of one record
//! are one message (A5): the most severe carries it.
//!
//! A SIM swap moves credits between cards that may be in two partitions, so a move is two commands under one reference:
//! first `to` on the card that gives, and when that is applied, `from` on the card that gets. Each side happens once,
//! however often it is sent; what has left one card and not yet come to the other is in the answer of the first.
//!
//! Invariant: `credits` is what was added, came and was given back, less what was taken and left; never below zero.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::seen::{Known, SeenCommands};
use crate::limits::{CREDITS_MAX, CREDITS_TAKEN_KEPT_MAX, DAY_S, NAME_BYTES_MAX, ORDER_DAYS, RECIPIENTS_MAX};
use crate::model::{Channel, CreditsPolicy, Delivery, Move, Recipient, UnixTime, Withheld};

/// What few cards have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purse {
    credits: u32,
    recipients: Vec<Kept>,
    /// One for each credit taken of late, oldest first.
    taken: Vec<Taken>,
    /// References of moves.
    references: SeenCommands,
}

/// A recipient as the state keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    channel: Channel,
    to: String,
}

/// A credit that was taken for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    /// Of the event's id and the recipient.
    key: u64,
    at: UnixTime,
    returned: bool,
}

/// Why not.
type Refusal = String;

impl Purse {
    pub(super) fn credits(&self) -> u32 {
        self.credits
    }

    pub(super) fn recipients(&self) -> Vec<Recipient> {
        self.recipients.iter().map(Kept::recipient).collect()
    }

    pub(super) fn has_recipients(&self) -> bool {
        !self.recipients.is_empty()
    }

    pub(super) fn set_recipients(&mut self, recipients: &[Recipient]) {
        self.recipients =
            recipients.iter().map(|r| Kept { channel: r.channel(), to: r.to().to_owned() }).collect();
    }

    pub(super) fn add(&mut self, credits: u32) -> Result<(), Refusal> {
        if credits == 0 {
            return Err("0 credits: say at least 1".to_owned());
        }
        let sum = self.credits.checked_add(credits).filter(|sum| *sum <= CREDITS_MAX);
        self.credits = sum.ok_or_else(|| {
            format!(
                "the card has {} credits; with {credits} more it would have over {CREDITS_MAX}",
                self.credits
            )
        })?;
        Ok(())
    }

    /// One side of a move; `false`: it has happened before.
    pub(super) fn take_part(
        &mut self,
        reference: &str,
        other: Move,
        credits: u32,
        now: UnixTime,
    ) -> Result<bool, Refusal> {
        // A move back under the same reference is another side, and so another content.
        let content = format!("{other:?}/{credits}");
        let mut references = self.references.clone();
        match references.note(reference, content.as_bytes(), 0, now) {
            Known::Duplicate => return Ok(false),
            Known::Conflict => {
                return Err(format!(
                    "reference {reference:?} was used for another move of this card's credits"
                ));
            }
            Known::Full => return Err("the card has 4,096 moves of the last 90 days already".to_owned()),
            Known::New => {}
        }
        match other {
            Move::From(_) => self.add(credits)?,
            Move::To(_) if credits == 0 => return Err("0 credits: say at least 1".to_owned()),
            Move::To(_) => {
                let left = self.credits.checked_sub(credits);
                self.credits = left.ok_or_else(|| {
                    format!("the card has {} credits, and {credits} are to leave it", self.credits)
                })?;
            }
        }
        self.references = references;
        Ok(true)
    }

    /// Gives back what a delivery that failed has cost; `false`: it was given back before.
    pub(super) fn give_back(
        &mut self,
        message: &str,
        recipient: &Recipient,
        now: UnixTime,
    ) -> Result<bool, Refusal> {
        self.forget(now);
        let key = key(message, recipient);
        let Some(at) = self.taken.iter().position(|taken| taken.key == key) else {
            return Err(format!(
                "no credit of the last {ORDER_DAYS} days was taken to tell {} of {message:?}",
                recipient.to()
            ));
        };
        if self.taken.get(at).is_some_and(|taken| taken.returned) {
            return Ok(false);
        }
        self.add(1)?;
        if let Some(taken) = self.taken.get_mut(at) {
            taken.returned = true;
        }
        Ok(true)
    }

    /// Takes the credits of a message, channel by channel.
    pub(super) fn pay(&mut self, message: &str, policy: CreditsPolicy, now: UnixTime) -> Delivery {
        let mut delivery = Delivery::default();
        for channel in Channel::ALL {
            let all: Vec<Recipient> =
                self.recipients.iter().filter(|r| r.channel == channel).map(Kept::recipient).collect();
            let wanted = all.len() as u32;
            let paid = match policy {
                CreditsPolicy::All if self.credits < wanted => 0,
                CreditsPolicy::All | CreditsPolicy::AsMany => self.credits.min(wanted),
            };
            if paid < wanted {
                let reason =
                    format!("a credit for each of {wanted} is needed, the card has {}", self.credits);
                delivery.withheld.push(Withheld { channel, recipients: wanted.saturating_sub(paid), reason });
            }
            self.credits = self.credits.saturating_sub(paid);
            delivery.credits = delivery.credits.saturating_add(paid);
            delivery.recipients.extend(all.into_iter().take(paid as usize));
        }
        delivery.balance = self.credits;
        self.note(message, &delivery.recipients, now);
        delivery
    }

    fn note(&mut self, message: &str, recipients: &[Recipient], now: UnixTime) {
        self.forget(now);
        let taken = |recipient| Taken { key: key(message, recipient), at: now, returned: false };
        self.taken.extend(recipients.iter().map(taken));
        let surplus = self.taken.len().saturating_sub(CREDITS_TAKEN_KEPT_MAX);
        self.taken.drain(..surplus);
        self.taken.shrink_to_fit();
    }

    fn forget(&mut self, now: UnixTime) {
        let oldest = now.saturating_sub(ORDER_DAYS.saturating_mul(DAY_S));
        self.taken.retain(|taken| taken.at >= oldest);
    }

    pub(super) fn bytes(&self) -> usize {
        let texts: usize = self.recipients.iter().map(|kept| kept.to.capacity()).sum();
        size_of::<Self>()
            + texts
            + self.recipients.capacity() * size_of::<Kept>()
            + self.taken.capacity() * size_of::<Taken>()
            + self.references.bytes()
    }
}

impl Kept {
    fn recipient(&self) -> Recipient {
        match self.channel {
            Channel::Sms => Recipient::Sms(self.to.clone()),
            Channel::Voice => Recipient::Voice(self.to.clone()),
        }
    }
}

/// What is wrong with recipients, readable.
pub(super) fn problem(recipients: &[Recipient]) -> Option<String> {
    if recipients.len() > RECIPIENTS_MAX {
        return Some(format!("{} recipients: a card has at most {RECIPIENTS_MAX}", recipients.len()));
    }
    let mut numbered = recipients.iter().enumerate();
    numbered.find_map(|(at, recipient)| {
        let to = recipient.to();
        if to.is_empty() || to.len() > NAME_BYTES_MAX {
            return Some(format!("recipient {to:?}: a number has 1 to {NAME_BYTES_MAX} bytes"));
        }
        let twice = recipients.iter().take(at).any(|other| other == recipient);
        twice.then(|| format!("recipient {to:?} is named twice for one channel"))
    })
}

fn key(message: &str, recipient: &Recipient) -> u64 {
    let channel = recipient.channel() as u64;
    xxh3_64_with_seed(recipient.to().as_bytes(), xxh3_64(message.as_bytes()).wrapping_add(channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINETY_DAYS: UnixTime = 90 * DAY_S;

    fn purse(credits: u32) -> (Purse, Recipient) {
        let (mut purse, recipient) = (Purse::default(), Recipient::Sms("+1".to_owned()));
        purse.add(credits).unwrap();
        purse.set_recipients(std::slice::from_ref(&recipient));
        assert_eq!(purse.recipients(), std::slice::from_ref(&recipient));
        (purse, recipient)
    }

    #[test]
    fn a_credit_comes_back_once_and_within_ninety_days() {
        let (mut purse, recipient) = purse(2);
        assert_eq!(purse.pay("a", CreditsPolicy::All, 0).balance, 1);
        assert_eq!(purse.pay("b", CreditsPolicy::All, 0).balance, 0);
        assert_eq!(purse.give_back("a", &recipient, NINETY_DAYS), Ok(true));
        assert_eq!(purse.give_back("a", &recipient, NINETY_DAYS), Ok(false));
        assert!(purse.give_back("b", &recipient, NINETY_DAYS + 1).is_err());
        assert_eq!(purse.credits(), 1);
    }

    #[test]
    fn of_more_credits_than_are_remembered_the_last_come_back() {
        let (mut purse, recipient) = purse(1_000);
        for message in 0..=CREDITS_TAKEN_KEPT_MAX {
            purse.pay(&message.to_string(), CreditsPolicy::All, 0);
        }
        assert!(purse.give_back("0", &recipient, 0).is_err());
        assert_eq!(purse.give_back("1", &recipient, 0), Ok(true));
    }
}
