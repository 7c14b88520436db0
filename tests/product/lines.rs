//! An event in one line: its topic, its time, what happened, and the figures that the rules decide.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

/// Hours that the carrier's zone is ahead.
const HOURS_AHEAD: i32 = 8;

/// Armings have numbers that count raises, which need not tell anything: here they are in the order in which they did.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    armings: Vec<u64>,
}

impl Lines {
    /// The line of an event in a topic.
    pub(crate) fn line(&mut self, topic: &str, event: &[u8]) -> String {
        let event: Value = serde_json::from_slice(event).expect("JSON");
        let topic = topic.rsplit_once("card.").map_or(topic, |(_, name)| name);
        let kind =
            text(&event["type"]).trim_start_matches("io.tidegauge.").trim_end_matches(".v1").to_owned();
        let data = &event["data"];
        let said = match kind.split_once('.') {
            Some(("alert", _)) => self.alert(data),
            Some(("package", _)) => package(data),
            _ => other(&kind, data),
        };
        format!("{topic:<11} {} {kind} {said}", local(&event["time"]))
    }

    fn alert(&mut self, data: &Value) -> String {
        let arming = data["arming"].as_u64().expect("an arming");
        if !self.armings.contains(&arming) {
            self.armings.push(arming);
        }
        let nth = self.armings.iter().position(|held| *held == arming).map_or(0, |at| at + 1);
        let mut line = format!(
            "{} #{nth}: burnt {} of {}, {} left, overage {}; used {} ({} settled, {} provisional) in {}",
            text(&data["rule"]),
            data["burnt"],
            data["quota"],
            data["remaining"],
            data["overage"],
            data["used"],
            data["settled"],
            data["provisional"],
            text(&data["cycle"]),
        );
        if data["settling"] == true {
            line += ", settling";
        }
        line + &delivery(&data["delivery"])
    }
}

/// Who is told beside the push, and who is not.
fn delivery(data: &Value) -> String {
    let mut said = String::new();
    if data.is_null() {
        return said;
    }
    for withheld in data["withheld"].as_array().into_iter().flatten() {
        let (channel, reason) = (text(&withheld["channel"]), text(&withheld["reason"]));
        write!(said, "; withheld {channel} from {}: {reason}", withheld["recipients"])
            .expect("a string takes it");
    }
    let told: Vec<String> = data["recipients"].as_array().into_iter().flatten().map(recipient).collect();
    let told = if told.is_empty() { "nobody".to_owned() } else { told.join(" ") };
    said + &format!("; told {told} for {}, {} left", data["credits"], data["balance"])
}

fn recipient(data: &Value) -> String {
    let (channel, to) = data.as_object().and_then(|one| one.iter().next()).expect("a channel");
    format!("{channel} {}", text(to))
}

fn package(data: &Value) -> String {
    let (order, kind, mode) = (text(&data["order"]), text(&data["kind"]), text(&data["mode"]));
    let dates = match (&data["effective_at"], &data["expires_at"]) {
        (Value::Null, _) => String::new(),
        (from, to) => format!(", {} to {}", local(from), local(to)),
    };
    format!("{order} {kind} {mode}: burnt {} of {}{dates}", data["burnt"], data["quota"])
}

fn other(kind: &str, data: &Value) -> String {
    let of = |name: &str| match &data[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match kind {
        "card.registered" => format!("{} {} {}", of("channel"), of("carrier"), of("plan")),
        "card.warned" => format!(
            "{} days, suspended {}, cancelled {}",
            of("days"),
            local(&data["suspended_at"]),
            local(&data["cancelled_at"])
        ),
        "card.used.stopped" => {
            format!("{} since {}, used until {}", of("state"), local(&data["since"]), local(&data["used_at"]))
        }
        "cycle.closed" => format!(
            "{} used {}, settled {}, estimate {}, overage {}, unsettled {}, revision {}",
            of("cycle"),
            of("used"),
            of("settled"),
            of("estimate"),
            of("overage"),
            of("unsettled_days"),
            of("revision"),
        ),
        "credits.added" => format!("{}, {} now", of("credits"), of("balance")),
        "command.applied" => of("command"),
        _ if data.get("cause").is_some() => of("cause"),
        _ => data.to_string(),
    }
}

/// A time in the carrier's zone.
fn local(value: &Value) -> String {
    let at = DateTime::parse_from_rfc3339(text(value)).expect("a time");
    let zone = FixedOffset::east_opt(HOURS_AHEAD * 3_600).expect("a zone");
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
