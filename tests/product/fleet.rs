//! Cards of a fleet, registered before their usage comes.

use serde_json::json;

use crate::deployment::{Deployment, Running};
use crate::eventually;

/// A card as its vendor registers it.
pub(crate) struct Card<'a> {
    pub(crate) iccid: &'a str,
    pub(crate) imsi: Option<&'a str>,
    pub(crate) carrier: &'a str,
}

/// Applies a catalogue, and registers cards at a time, as RFC 3339 and in milliseconds.
pub(crate) fn begin(
    deployment: &Deployment,
    running: &Running<'_>,
    catalogue: &str,
    cards: &[Card<'_>],
    at: (&str, i64),
) {
    let catalogue = deployment.file("catalogue.toml", catalogue);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(deployment, running, cards, at);
}

/// Registers cards, and waits until all of them are.
pub(crate) fn register(
    deployment: &Deployment,
    running: &Running<'_>,
    cards: &[Card<'_>],
    (at, at_ms): (&str, i64),
) {
    let command = |card: &Card<'_>| {
        let mut command = json!({
            "id": "r", "card": card.iccid, "type": "card.register", "at": at, "channel": "web",
            "carrier": card.carrier, "plan": "standard",
        });
        if let Some(imsi) = card.imsi {
            command["imsi"] = imsi.into();
        }
        command.to_string()
    };
    let commands: Vec<String> = cards.iter().map(command).collect();
    let messages = cards.iter().zip(&commands);
    deployment.send("card.commands", messages.map(|(card, json)| (card.iccid, json.as_bytes(), at_ms)));
    eventually("every card registered", || {
        let registered = running.counter("tidegauge_events_total", &[("type", "card.registered")]);
        (registered == cards.len() as u64).then_some(())
    });
}
