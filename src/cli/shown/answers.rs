//! What people read of the answers to orders: in a sentence what was done, and under which name to ask for it again.

use serde_json::Value;

use super::{list, rules, table, text};

/// The answer to an order for a card; `what` says what was ordered.
#[must_use]
pub fn ordered(what: &str, answer: &Value) -> String {
    let (card, command) = (text(&answer["card"]), text(&answer["command"]));
    let earlier = &answer["earlier"];
    let before = earlier["outcome"].as_str().map(|outcome| format!("{outcome} at {}", text(&earlier["at"])));
    match (answer["outcome"].as_str(), before) {
        (Some(_), Some(before)) => {
            return format!(
                "card {card}: {what}: was {before} already, nothing was done again (command {command})"
            );
        }
        (Some(outcome), None) => return format!("card {card}: {what}: {outcome} (command {command})"),
        (None, Some(before)) => {
            return format!(
                "card {card}: {what}: taken, but a command {command} was {before}: if it said the same, nothing is done again; \
                 if not, this one is set aside (`tidegauge quarantine list --card {card}`)"
            );
        }
        (None, None) => {}
    }
    let taken = &answer["taken"];
    let place = format!("{} [{}] offset {}", text(&taken["topic"]), taken["partition"], taken["offset"]);
    format!("card {card}: {what}: taken (command {command}, {place})")
}

/// The rules of a card, of the answer to `GET /v1/cards/{iccid}`.
#[must_use]
pub fn rules_of(card: &Value) -> String {
    let name = text(&card["card"]);
    if card["rules"].is_null() {
        return format!("card {name}: its rules are not known just now: {}", text(&card["why"]));
    }
    if list(card, "rules").next().is_none() {
        return format!("card {name} has no rules");
    }
    format!("card {name}\n\n{}", table(&rules(card))).trim_end().to_owned()
}

/// The answer to `POST /v1/drain`.
#[must_use]
pub fn drained(answer: &Value) -> String {
    let partitions = &answer["drained"];
    format!("{partitions} partitions are drained: they fold no more until this instance is started again")
}

/// The answer to `POST /v1/partitions/{partition}/skip`.
#[must_use]
pub fn skipped(answer: &Value) -> String {
    let skipped = &answer["skipped"];
    let (partition, offset) = (&skipped["partition"], &skipped["offset"]);
    format!(
        "partition {partition}: the message at offset {offset} is passed over and goes to usage.quarantine"
    )
}
