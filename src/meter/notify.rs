//! Credits and recipients of a card: the commands that change them, and what alerts take (`docs/rules.md` A5, A8).

use super::card::Card;
use super::command::Refusal;
use super::ctx::{Because, Ctx};
use super::effects::Effects;
use super::event_id::event_id;
use super::purse::{self, Purse};
use crate::model::{CommandBody, Delivery, EventBody, Move, Recipient};

/// Decides who is told of what an account said: one message and one credit a recipient for all of it.
pub(super) fn deliver(card: &mut Card, ctx: &Ctx<'_>, because: &Because<'_>, said: &mut [EventBody]) {
    let id = card.id;
    let Some(purse) = card.purse_mut().filter(|purse| purse.has_recipients()) else { return };
    let mut first: Option<String> = None;
    for body in said {
        let name = match body {
            EventBody::AlertFired(alert) if !alert.late || ctx.faults.late_alerts_paid => {
                event_id(id, 0, because, body)
            }
            _ => continue,
        };
        let EventBody::AlertFired(alert) = body else { continue };
        let delivery = match &first {
            Some(first) => {
                Delivery { with: Some(first.clone()), balance: purse.credits(), ..Delivery::default() }
            }
            None => pay(purse, &name, ctx),
        };
        alert.delivery = Some(Box::new(delivery));
        first.get_or_insert(name);
    }
}

fn pay(purse: &mut Purse, message: &str, ctx: &Ctx<'_>) -> Delivery {
    let policy = ctx.index.catalogue().credits_policy;
    if ctx.faults.credits_twice {
        purse.pay(message, policy, ctx.now);
    }
    purse.pay(message, policy, ctx.now)
}

/// Recipients take the place of those before.
pub(super) fn set_recipients(card: &mut Card, recipients: &[Recipient]) -> Result<(), Refusal> {
    if let Some(problem) = purse::problem(recipients) {
        return Err(problem);
    }
    if card.purse_mut().is_some() || !recipients.is_empty() {
        card.purse().set_recipients(recipients);
    }
    Ok(())
}

/// Does a command about credits.
pub(super) fn obey(
    card: &mut Card,
    body: &CommandBody,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let id = card.id;
    let purse = card.purse();
    let said = match body {
        CommandBody::CreditsAdd { credits, payment } => {
            purse.add(*credits)?;
            Some(EventBody::CreditsAdded {
                credits: *credits,
                balance: purse.credits(),
                payment: payment.clone(),
            })
        }
        CommandBody::CreditsMove { reference, credits, other } => {
            let (Move::To(card) | Move::From(card)) = other;
            if *card == id {
                return Err("the other card is this one".to_owned());
            }
            moved(purse, reference, *other, *credits, ctx)?
        }
        CommandBody::CreditsReturn { reference, recipient } => {
            let back = purse.give_back(reference, recipient, ctx.now)?;
            back.then(|| EventBody::CreditsReturned {
                reference: reference.clone(),
                balance: purse.credits(),
            })
        }
        _ => unreachable!("only commands about credits come here"),
    };
    if let Some(body) = said {
        ctx.emit(card, because, body, effects);
    }
    Ok(())
}

fn moved(
    purse: &mut Purse,
    reference: &str,
    other: Move,
    credits: u32,
    ctx: &Ctx<'_>,
) -> Result<Option<EventBody>, Refusal> {
    let is_new = purse.take_part(reference, other, credits, ctx.now)?;
    let reference = reference.to_owned();
    Ok(is_new.then(|| EventBody::CreditsMoved { reference, credits, balance: purse.credits(), other }))
}
