//! Ids of events, by the words of the contract: consumers drop a repeat by its id, so no two events may share one.

use super::fold::Cause;
use crate::model::{CardId, EventBody, RuleKind};

/// The id of an event: card, what, and which one of it.
pub(super) fn id(card: CardId, turns: usize, cause: Cause<'_>, body: &EventBody) -> String {
    let kind = body.kind();
    match body {
        EventBody::AlertFired(alert) | EventBody::AlertResolved(alert) => {
            let named = format!("{card}/{kind}/{}/{}", alert.rule, alert.arming);
            match (alert.occasion.day, alert.occasion.since) {
                (Some(day), _) => format!("{named}/{day}"),
                (None, Some(since)) => format!("{named}/{since}"),
                (None, None) if alert.late || matches!(alert.kind, RuleKind::UsedBytes(_)) => {
                    format!("{named}/{}", alert.cycle)
                }
                (None, None) => named,
            }
        }
        EventBody::PackageExhausted(package) if package.cycle.is_some() => {
            format!("{card}/{kind}/{}/{}", package.order, package.cycle.unwrap_or_default())
        }
        EventBody::PackageQueued(package)
        | EventBody::PackageActivated(package)
        | EventBody::PackageExpired(package)
        | EventBody::PackageExhausted(package) => format!("{card}/{kind}/{}", package.order),
        EventBody::PackageVoided(void) => format!("{card}/{kind}/{}", void.package.order),
        EventBody::CardSuspended { cause: why } | EventBody::CardResumed { cause: why }
            if cause.command.is_none() =>
        {
            let nth = (turns % 16).to_string();
            let which = cause.position.map_or(nth, |at| format!("{}/{}", at.offset.0, at.index));
            format!("{card}/{kind}/{}/{why}/{which}", cause.at)
        }
        EventBody::CardSuspended { cause: why } if why == "exhaustion" => {
            format!("{card}/{kind}/{}/exhaustion", cause.command.unwrap_or_default())
        }
        EventBody::CycleClosed { cycle, revision, .. } | EventBody::CycleRestated { cycle, revision, .. } => {
            format!("{card}/{kind}/{cycle}/{revision}")
        }
        EventBody::CommandApplied { command } | EventBody::CommandRefused { command, .. } => {
            format!("{card}/command/{command}")
        }
        _ if kind.starts_with("counter.") || kind == "card.used.stopped" => {
            let place = cause.position.map(|at| (at.offset.0, at.index)).unwrap_or_default();
            format!("{card}/{kind}/{}/{}/{}", cause.at, place.0, place.1)
        }
        _ => match cause.command {
            Some(command) => format!("{card}/{kind}/{command}"),
            None => format!("{card}/{kind}/{}", cause.at),
        },
    }
}
