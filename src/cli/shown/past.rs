//! What people read of what was: a card's days and cycles, and its events.

use std::fmt::Write as _;

use serde_json::Value;

use super::{bytes, date, list, table, text};

/// Fields of events and rows that are amounts.
const AMOUNTS: [&str; 13] = [
    "used",
    "settled",
    "provisional",
    "estimate",
    "quota",
    "remaining",
    "burnt",
    "overage",
    "bytes",
    "left_over",
    "remaining_bytes",
    "used_bytes",
    "used_day_bytes",
];

/// Days and cycles, of the answer to `GET /v1/cards/{iccid}/usage`.
#[must_use]
pub fn usage(answer: &Value) -> String {
    let (card, from, to) = (text(&answer["card"]), text(&answer["from"]), text(&answer["to"]));
    let mut out = format!("card {card}, {from} to {to}\n");
    let cycles = rows(answer, ("cycles", "cycle"), &["used", "settled", "provisional", "overage"]);
    let days = rows(answer, ("days", "day"), &["used"]);
    for rows in [cycles, days].iter().filter(|rows| rows.len() > 1) {
        let _ = write!(out, "\n{}", table(rows));
    }
    if list(answer, "days").next().is_none() {
        let _ = write!(out, "\nno day has any use\n");
    }
    if let Some(why) = answer["why"].as_str() {
        let _ = write!(out, "\nnot from memory: {why}\n");
    }
    if answer["clickhouse"] == false {
        let _ = write!(
            out,
            "\nno ClickHouse is asked there (clickhouse.url; the demo asks none): closed days are not known\n"
        );
    }
    out.trim_end().to_owned()
}

/// A head and the rows of a list: what they are of, figures, how they stand, from where and as of when.
fn rows(answer: &Value, (name, key): (&str, &str), figures: &[&str]) -> Vec<Vec<String>> {
    let head =
        std::iter::once(key).chain(figures.iter().copied()).chain(["", "from", "as of"]).map(str::to_owned);
    let row = |row: &Value| {
        let amounts = figures.iter().map(|name| bytes(&row[*name]));
        let stands = ["complete", "unsettled", "closed"].into_iter().filter(|flag| row[*flag] == true);
        let stands = stands.collect::<Vec<_>>().join(", ");
        let ends = [stands, text(&row["source"]).to_owned(), date(&row["as_of"]).to_owned()];
        [text(&row[key]).to_owned()].into_iter().chain(amounts).chain(ends).collect()
    };
    std::iter::once(head.collect()).chain(list(answer, name).map(row)).collect()
}

/// One line an event: when, what, whose, and what it says.
#[must_use]
pub fn event(event: &Value) -> String {
    let kind = text(&event["type"]).trim_start_matches("io.tidegauge.").trim_end_matches(".v1");
    let mut said = Vec::new();
    flatten("", &event["data"], &mut said);
    let line =
        format!("{}  {kind:<17}  {}  {}", text(&event["time"]), text(&event["subject"]), said.join(", "));
    line.trim_end().to_owned()
}

/// A correction may take away.
fn amount(value: &Value) -> String {
    match value.as_i64().filter(|bytes| *bytes < 0) {
        Some(taken) => format!("-{}", bytes(&taken.unsigned_abs().into())),
        None => bytes(value),
    }
}

/// `used 286.1 MiB, rule burnt-50`: every field that says something, those of parts behind the part's name.
fn flatten(name: &str, value: &Value, said: &mut Vec<String>) {
    let leaf = name.rsplit('.').next().unwrap_or_default();
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, said);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            said.push(format!("{name} {}", items.join(" ")));
        }
        Value::Null => said.push(format!("{name} -")),
        Value::Bool(false) => {}
        Value::Bool(true) => said.push(name.to_owned()),
        Value::Number(_) if AMOUNTS.contains(&leaf) => said.push(format!("{name} {}", amount(value))),
        Value::Number(number) => said.push(format!("{name} {number}")),
        Value::String(text) => said.push(format!("{name} {text}")),
    }
}
