//! Credits of one card, by the words of `docs/rules.md` A5 and A8: every one that came and went is kept, and the balance is
//! their sum.

use std::collections::BTreeMap;

use super::event_id::id;
use super::fold::{Cause, Expected};
use super::line::{Line, Terms};
use super::obey::emit;
use crate::model::{
    AlertData, CardId, Channel, CommandBody, CreditsPolicy, Delivery, EventBody, Move, Recipient, RuleKind,
    UnixTime, Withheld,
};

/// What happened to a card's credits.
#[derive(Debug, Clone, Default)]
pub(super) struct Credits {
    entries: Vec<i64>,
    pub(super) recipients: Vec<Recipient>,
    /// Moves by reference: content and log time.
    moves: BTreeMap<String, (Move, u32, UnixTime)>,
    /// Credits taken in the order in which they were: message, recipient, log time, given back.
    taken: Vec<(String, Recipient, UnixTime, bool)>,
}

impl Credits {
    /// Credits that the card had elsewhere.
    pub(super) fn bring(&mut self, credits: u32) {
        self.entries.push(i64::from(credits));
    }

    pub(super) fn balance(&self) -> u32 {
        self.entries.iter().sum::<i64>() as u32
    }

    fn pay(&mut self, message: &str, terms: Terms<'_>) -> Delivery {
        let mut told = Delivery::default();
        for channel in [Channel::Sms, Channel::Voice] {
            let wanted: Vec<_> = self.recipients.iter().filter(|r| r.channel() == channel).cloned().collect();
            let have = self.balance() as usize;
            let paid = match terms.catalogue.credits_policy {
                CreditsPolicy::All => {
                    if have >= wanted.len() {
                        wanted.len()
                    } else {
                        0
                    }
                }
                CreditsPolicy::AsMany => have.min(wanted.len()),
            };
            if paid < wanted.len() {
                let (recipients, reason) = ((wanted.len() - paid) as u32, String::new());
                told.withheld.push(Withheld { channel, recipients, reason });
            }
            for recipient in &wanted[..paid] {
                self.entries.push(-1);
                self.taken.push((message.to_owned(), recipient.clone(), terms.now, false));
                told.recipients.push(recipient.clone());
                told.credits += 1;
            }
        }
        told.balance = self.balance();
        told
    }

    fn give_back(&mut self, message: &str, recipient: &Recipient, now: UnixTime) -> Option<bool> {
        let of_late = self.taken.iter_mut().rev().take(256).filter(|(.., at, _)| *at >= now - 90 * 86_400);
        let mut found: Vec<_> = of_late.filter(|(m, r, ..)| m == message && r == recipient).collect();
        let taken = found.pop()?;
        if !taken.3 {
            taken.3 = true;
            self.entries.push(1);
            return Some(true);
        }
        Some(false)
    }
}

/// The most severe of what was told carries the message of all.
pub(super) fn deliver(
    card: CardId,
    line: &mut Line,
    cause: Cause<'_>,
    terms: Terms<'_>,
    said: &mut [EventBody],
) {
    if line.credits.recipients.is_empty() {
        return;
    }
    let mut fired: Vec<(usize, &AlertData)> = Vec::new();
    for (at, body) in said.iter().enumerate() {
        if let EventBody::AlertFired(alert) = body
            && !alert.late
        {
            fired.push((at, alert));
        }
    }
    fired.sort_by_key(|(_, alert)| severity(alert));
    let order: Vec<usize> = fired.into_iter().map(|(at, _)| at).collect();
    let mut first: Option<String> = None;
    for at in order {
        let name = id(card, 0, cause, &said[at]);
        let delivery = match &first {
            None => line.credits.pay(&name, terms),
            Some(first) => {
                Delivery { with: Some(first.clone()), balance: line.credits.balance(), ..Delivery::default() }
            }
        };
        if let EventBody::AlertFired(alert) = &mut said[at] {
            alert.delivery = Some(Box::new(delivery));
        }
        first.get_or_insert(name);
    }
}

/// The smaller the worse: what is left first, then use, then ends, then silence.
fn severity(alert: &AlertData) -> (u8, u64, Option<i32>, String) {
    let quota = u128::from(alert.quota.unwrap_or(0));
    let (class, figure) = match alert.kind {
        RuleKind::Exhausted(_) => (0, 0),
        RuleKind::RemainingBytes(bytes) => (0, bytes),
        RuleKind::RemainingPercent(p) => (0, (quota * u128::from(p) / 100) as u64),
        RuleKind::BurntPercent(p) => (0, (quota - (quota * u128::from(p)).div_ceil(100)) as u64),
        RuleKind::UsedBytes(bytes) => (1, u64::MAX - bytes),
        RuleKind::UsedDayBytes(bytes) => (2, u64::MAX - bytes),
        RuleKind::ExpiresDays(days) => (3, u64::from(days)),
        RuleKind::NoDataHours(hours) => (4, u64::MAX - u64::from(hours)),
    };
    (class, figure, alert.occasion.day, alert.rule.clone())
}

/// Whether recipients are right.
pub(super) fn are_right(recipients: &[Recipient]) -> bool {
    let fits = |r: &Recipient| (1..=128).contains(&r.to().len());
    let twice = |at: usize| recipients[..at].contains(&recipients[at]);
    recipients.len() <= 16 && recipients.iter().all(fits) && !(0..recipients.len()).any(twice)
}

/// Does a command about credits; whether it was applied.
pub(super) fn obey(
    card: CardId,
    line: &mut Line,
    body: &CommandBody,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let purse = &mut line.credits;
    let fits =
        |purse: &Credits, more: u32| more > 0 && u64::from(purse.balance()) + u64::from(more) <= 1_000_000;
    let said = match body {
        CommandBody::CreditsAdd { credits, payment } if fits(purse, *credits) => {
            purse.entries.push(i64::from(*credits));
            EventBody::CreditsAdded { credits: *credits, balance: purse.balance(), payment: payment.clone() }
        }
        CommandBody::CreditsMove { reference, credits, other } => {
            let (Move::To(there) | Move::From(there)) = *other;
            purse.moves.retain(|_, (.., at)| *at >= terms.now - 90 * 86_400);
            if there == card {
                return false;
            }
            if let Some((side, amount, _)) = purse.moves.get(reference) {
                return side == other && amount == credits;
            }
            let possible = match other {
                Move::From(_) => fits(purse, *credits),
                Move::To(_) => *credits > 0 && *credits <= purse.balance(),
            };
            if !possible {
                return false;
            }
            let sign = if matches!(other, Move::From(_)) { 1 } else { -1 };
            purse.entries.push(sign * i64::from(*credits));
            purse.moves.insert(reference.clone(), (*other, *credits, terms.now));
            let (reference, credits, balance) = (reference.clone(), *credits, purse.balance());
            EventBody::CreditsMoved { reference, credits, balance, other: *other }
        }
        CommandBody::CreditsReturn { reference, recipient } => {
            match purse.give_back(reference, recipient, terms.now) {
                None => return false,
                Some(false) => return true,
                Some(true) => {
                    EventBody::CreditsReturned { reference: reference.clone(), balance: purse.balance() }
                }
            }
        }
        _ => return false,
    };
    emit(card, line, cause, terms, said, out);
    true
}
