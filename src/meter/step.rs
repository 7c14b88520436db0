//! One record of one card: state × record × log time → state × effects. It sees nothing beside its card.

use super::card::Card;
use super::ctx::{Ctx, Verdict};
use super::effects::Effects;
use super::state::CardState;
use super::{cdr, command, due, life, reading};
use crate::model::{CardCommand, Cdr, Reading};

/// A record of a card.
#[derive(Debug, Clone, Copy)]
pub(super) enum CardRecord<'a> {
    Cdr(&'a Cdr<'a>),
    Reading(&'a Reading<'a>),
    Command {
        command: &'a CardCommand,
        /// When Kafka had it, milliseconds; 0 = unknown.
        received_ms: i64,
    },
}

/// Folds a record into its card. What was due at or before log time happens first.
pub(super) fn step(card: &mut Card, input: &CardRecord<'_>, ctx: &Ctx<'_>, effects: &mut Effects) -> Verdict {
    if !ctx.faults.timers_unordered {
        due::catch_up(card, ctx, effects);
    }
    if card.state == CardState::Cancelled
        && let Some(verdict) = refuse(card, input, ctx)
    {
        return verdict;
    }
    match input {
        CardRecord::Cdr(cdr) => cdr::fold(card, cdr, ctx, effects),
        CardRecord::Reading(reading) => reading::fold(card, reading, ctx, effects),
        CardRecord::Command { command, received_ms } => {
            let because = super::ctx::Because { command: Some(&command.id), ..ctx.record(*received_ms) };
            command::fold(card, command, &because, ctx, effects)
        }
    }
}

/// A card whose last cycle is closed takes no usage.
fn refuse(card: &Card, input: &CardRecord<'_>, ctx: &Ctx<'_>) -> Option<Verdict> {
    let bytes = match input {
        CardRecord::Cdr(cdr) => cdr.up.saturating_add(cdr.down),
        CardRecord::Reading(_) => 0,
        CardRecord::Command { .. } => return None,
    };
    life::refusal(card, ctx.now, bytes)
}
