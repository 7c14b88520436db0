//! Ids of events: card, what, and which one of it. The same after any crash, whoever folds the log: consumers drop a
//! repeat by its id.

use super::ctx::Because;
use crate::model::{CardId, EventBody, RuleKind};

/// The id of an event of a card. `turned`: how often the card's state has turned, modulo 16.
pub(super) fn event_id(card: CardId, turned: u8, because: &Because<'_>, body: &EventBody) -> String {
    let kind = body.kind();
    match body {
        EventBody::AlertFired(alert) | EventBody::AlertResolved(alert) => {
            let which = alert.occasion.day.map(i64::from).or(alert.occasion.since);
            // A declaration may be looked at after its cycle: two cycles can reach a rule in one arming.
            let of_cycle = alert.late || matches!(alert.kind, RuleKind::UsedBytes(_));
            let which = which.or(of_cycle.then_some(i64::from(alert.cycle)));
            let which = which.map(|which| format!("/{which}")).unwrap_or_default();
            format!("{card}/{kind}/{}/{}{which}", alert.rule, alert.arming)
        }
        EventBody::PackageQueued(package)
        | EventBody::PackageActivated(package)
        | EventBody::PackageExpired(package)
        | EventBody::PackageExhausted(package) => match package.cycle {
            Some(cycle) => format!("{card}/{kind}/{}/{cycle}", package.order),
            None => format!("{card}/{kind}/{}", package.order),
        },
        EventBody::PackageVoided(void) => format!("{card}/{kind}/{}", void.package.order),
        // A card can be stopped twice in one second, for two causes: also by one command, that leaves nothing of its
        // packages and then takes the last of them.
        EventBody::CardSuspended { cause } if because.command.is_some() && cause == "exhaustion" => {
            format!("{card}/{kind}/{}/{cause}", because.command.unwrap_or_default())
        }
        // Exhausted, resumed and exhausted again, and once more resumed, within a second: the records tell them apart. So it
        // may be by two declarations of one second with a record between them: there the turns tell.
        EventBody::CardSuspended { cause } | EventBody::CardResumed { cause }
            if because.command.is_none() =>
        {
            let which = match because.position {
                Some(at) => format!("{}/{}", at.offset.0, at.index),
                None => turned.to_string(),
            };
            format!("{card}/{kind}/{}/{cause}/{which}", because.at)
        }
        EventBody::CycleClosed { cycle, revision, .. } | EventBody::CycleRestated { cycle, revision, .. } => {
            format!("{card}/{kind}/{cycle}/{revision}")
        }
        EventBody::CommandApplied { command } | EventBody::CommandRefused { command, .. } => {
            command_answer_id(card, command)
        }
        EventBody::CounterWrapped(_)
        | EventBody::CounterRestarted(_)
        | EventBody::CounterUnexplained(_)
        | EventBody::CounterBegun(_)
        | EventBody::CounterLowered(_)
        | EventBody::CardUsedWhileStopped { .. } => {
            // Several counters of a card may be read in one second, and it may be stopped, resumed and stopped again: the
            // record tells them apart.
            let place = because.position.map_or((0, 0), |at| (at.offset.0, at.index));
            format!("{card}/{kind}/{}/{}/{}", because.at, place.0, place.1)
        }
        _ => match because.command {
            Some(command) => format!("{card}/{kind}/{command}"),
            None => format!("{card}/{kind}/{}", because.at),
        },
    }
}

/// A command has one answer, applied or refused, so both go by one id.
fn command_answer_id(card: CardId, command: &str) -> String {
    format!("{card}/command/{command}")
}
