//! What people read of an answer: a card, what it has used, what happened to it, orders, the feeds. Programs take
//! `--json`, which leaves nothing out.
//!
//! Invariant: nothing is shown that the answer does not say; amounts are rounded for the eye, the exact bytes stand in the JSON.

mod answers;
mod catalogue;
mod past;

use std::fmt::Write as _;

pub use answers::{drained, ordered, rules_of, skipped};
pub use catalogue::catalogue;
pub use past::{event, usage};

use serde_json::{Map, Value};

/// A card as it stands, of the answer to `GET /v1/cards/{iccid}`, from memory or from ClickHouse.
#[must_use]
pub fn card(card: &Value) -> String {
    let mut out = format!("card {}  {}\n", text(&card["card"]), state(card));
    let mut field = |name: &str, what: String| {
        if !what.is_empty() {
            let _ = writeln!(out, "  {name:<11}{what}");
        }
    };
    field(
        "sold by",
        format!(
            "{}, carrier {}, plan {}",
            text(&card["channel"]),
            text(&card["carrier"]),
            text(&card["plan"])
        ),
    );
    field("numbers", numbers(card));
    let settling = if card["settling"] == true { ", the carrier is settling" } else { "" };
    field("cycle", format!("{} to {}{settling}", text(&card["cycle"]), text(&card["cycle_last"])));
    field(
        "used",
        format!(
            "{} (settled {}, provisional {})",
            bytes(&card["used"]),
            bytes(&card["settled"]),
            bytes(&card["provisional"])
        ),
    );
    field("remaining", remaining(card));
    let valid = (date(&card["effective_at"]), date(&card["expires_at"]));
    field(
        "valid",
        if card["expires_at"].is_null() { String::new() } else { format!("{} to {}", valid.0, valid.1) },
    );
    field("credits", card["credits"].as_u64().map(|credits| credits.to_string()).unwrap_or_default());
    field("as of", as_of(card));
    let packages = packages(card);
    if packages.len() > 1 {
        let _ = write!(out, "\n{}", table(&packages));
    }
    let rules = rules(card);
    if rules.len() > 1 {
        let _ = write!(out, "\n{}", table(&rules));
    }
    out.trim_end().to_owned()
}

/// `suspended since …, by expiry; cancelled on …`.
fn state(card: &Value) -> String {
    let mut state = text(&card["state"]).to_owned();
    if let Some(since) = card["stopped_at"].as_str() {
        let _ = write!(state, " since {since}");
    }
    if state.starts_with("suspended")
        && let Some(by) = card["suspended_by"].as_str()
    {
        let _ = write!(state, " by {}", by.replace('_', " "));
    }
    if let Some(at) = card["cancelled_at"].as_str() {
        let _ = write!(state, ", will be cancelled {at}");
    }
    if card["used_while_stopped"] == true {
        state.push_str(", used all the same");
    }
    let desired = card["desired"].as_str();
    if let Some(confirmed) = card["confirmed"].as_str()
        && desired.is_some_and(|desired| desired != confirmed)
    {
        let _ = write!(state, "; at the carrier: {confirmed}");
    }
    state
}

fn numbers(card: &Value) -> String {
    let numbers = list(card, "numbers");
    let numbers = numbers.map(|number| format!("{} {}", text(&number["kind"]), number["digits"]));
    numbers.collect::<Vec<_>>().join(", ")
}

fn remaining(card: &Value) -> String {
    let over = card["overage"].as_u64().filter(|over| *over > 0);
    let over = over.map(|_| format!(", {} over", bytes(&card["overage"]))).unwrap_or_default();
    if card["quota"].is_null() && card["remaining"].is_null() {
        return format!("not limited{over}");
    }
    format!("{} of {}{over}", bytes(&card["remaining"]), bytes(&card["quota"]))
}

fn as_of(card: &Value) -> String {
    let mut said = format!("{}, from {}", text(&card["as_of"]), text(&card["source"]));
    if card["stale"] == true {
        said.push_str(", STALE");
    }
    if let Some(why) = card["why"].as_str() {
        let _ = write!(said, ": {why}");
    }
    said
}

fn packages(card: &Value) -> Vec<Vec<String>> {
    let head = ["package", "", "used", "of", "from", "to"].map(str::to_owned).to_vec();
    let in_force = list(card, "packages").map(|package| (package, "in force"));
    let queued = list(card, "queue").map(|package| (package, "queued"));
    let rows = in_force.chain(queued).map(|(package, stands)| {
        let quota =
            if package["quota"].is_null() { "unlimited".to_owned() } else { bytes(&package["quota"]) };
        vec![
            text(&package["order"]).to_owned(),
            format!("{} {stands}", text(&package["kind"])),
            bytes(&package["burnt"]),
            quota,
            date(&package["effective_at"]).to_owned(),
            date(&package["expires_at"]).to_owned(),
        ]
    });
    std::iter::once(head).chain(rows).collect()
}

fn rules(card: &Value) -> Vec<Vec<String>> {
    let head = ["rule", "when", ""].map(str::to_owned).to_vec();
    let rows = list(card, "rules").map(|rule| {
        let stands = match (rule["alerting"] == true, text(&rule["stance"])) {
            (true, _) => "alerting",
            (false, "fired") => "has fired",
            (false, "held") => "waits until it no longer holds",
            (false, _) => "",
        };
        vec![text(&rule["name"]).to_owned(), when(rule), stands.to_owned()]
    });
    std::iter::once(head).chain(rows).collect()
}

/// `burnt 50 %`, of the field that says so.
fn when(rule: &Value) -> String {
    let of = |kind: &str| rule.get(kind).filter(|figure| !figure.is_null());
    let kinds = [
        ("burnt_percent", "burnt ", " %"),
        ("remaining_percent", "remaining ", " %"),
        ("expires_days", "expires within ", " days"),
        ("no_data_hours", "no data for ", " hours"),
    ];
    for (kind, before, after) in kinds {
        if let Some(figure) = of(kind) {
            return format!("{before}{figure}{after}");
        }
    }
    let amounts =
        [("remaining_bytes", "remaining "), ("used_bytes", "used "), ("used_day_bytes", "used in a day ")];
    for (kind, before) in amounts {
        if let Some(figure) = of(kind) {
            return format!("{before}{}", bytes(figure));
        }
    }
    if of("exhausted").is_some() { "nothing is left".to_owned() } else { String::new() }
}

/// The feeds, of the answer to `GET /v1/feeds`; what a reader is troubled by stands below.
#[must_use]
pub fn feeds(answer: &Value) -> String {
    let head =
        ["feed", "last record", "fresh in", "stale in", "arrived", "open gaps"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    let mut troubles = String::new();
    for feed in list(answer, "feeds") {
        let readers = || list(feed, "readers");
        let arrived = readers().filter_map(|reader| reader["last_arrival"].as_str()).max().unwrap_or("-");
        let gaps = readers().map(|reader| list(reader, "gaps_open").count()).sum::<usize>();
        let gaps = if readers().next().is_none() { "-".to_owned() } else { gaps.to_string() };
        let (name, last) = (text(&feed["feed"]), feed["last"].as_str().unwrap_or("-"));
        rows.push(vec![
            name.to_owned(),
            last.to_owned(),
            count(&feed["fresh_in"]),
            count(&feed["stale_in"]),
            arrived.to_owned(),
            gaps,
        ]);
        readers().for_each(|reader| trouble(name, reader, &mut troubles));
    }
    if rows.len() == 1 {
        return "no feed has been heard of here yet".to_owned();
    }
    format!("{}{troubles}", table(&rows)).trim_end().to_owned()
}

fn trouble(feed: &str, reader: &Value, out: &mut String) {
    for gap in list(reader, "gaps_open") {
        let node = gap["node"].as_str().unwrap_or("it");
        let what = match (gap["first"].as_u64(), gap["last"].as_u64()) {
            (Some(file), _) if gap["kind"] == "lost" => {
                format!("{node} has lost {} records or more, as its file {file} says", count(&gap["missing"]))
            }
            (Some(first), Some(last)) => format!("{first} to {last} of {node} are missing"),
            _ => format!("silent since {}", text(&gap["since"])),
        };
        let _ = writeln!(out, "{feed}: {what}, noticed {}", text(&gap["noticed"]));
    }
    let folder = &reader["folder"];
    if let Some(trouble) = folder["trouble"].as_str() {
        let _ = writeln!(out, "{feed}: {}: {trouble}", text(&folder["path"]));
    } else if let Some(waiting) = folder["waiting"].as_u64().filter(|waiting| *waiting > 0) {
        let _ = writeln!(out, "{feed}: {}: {waiting} files wait", text(&folder["path"]));
    }
    let file = &folder["file"];
    if let Some(percent) = file["percent"].as_u64() {
        let _ = writeln!(out, "{feed}: {}: {percent} % read", text(&file["name"]));
    }
}

fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), |count| count.to_string())
}

/// Columns under their heads, two spaces apart.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

/// `1.5 GiB`: rounded down, so that what is left is never shown as more.
fn bytes(value: &Value) -> String {
    let Some(bytes) = value.as_u64() else { return "-".to_owned() };
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        let one = 1u64 << shift;
        if bytes >= one {
            let tenths = (u128::from(bytes) * 10) >> shift;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

fn date(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    answer
        .as_object()
        .and_then(|fields: &Map<String, Value>| fields.get(name)?.as_array())
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_rounded_down_to_a_tenth() {
        for (amount, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (500 << 20, "500.0 MiB"),
            ((1 << 30) - 1, "1023.9 MiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(bytes(&json!(amount)), shown);
        }
        assert_eq!(bytes(&Value::Null), "-");
    }

    #[test]
    fn every_kind_of_rule_is_said_in_words() {
        for (rule, said) in [
            (json!({"burnt_percent": 50}), "burnt 50 %"),
            (json!({"remaining_percent": 20}), "remaining 20 %"),
            (json!({"remaining_bytes": 524_288_000}), "remaining 500.0 MiB"),
            (json!({"used_bytes": 1_024}), "used 1.0 KiB"),
            (json!({"used_day_bytes": 1_048_576}), "used in a day 1.0 MiB"),
            (json!({"expires_days": 7}), "expires within 7 days"),
            (json!({"exhausted": true}), "nothing is left"),
            (json!({"no_data_hours": 24}), "no data for 24 hours"),
        ] {
            assert_eq!(when(&rule), said);
        }
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let rows = [["a", "b"], ["long", ""], ["é", "c"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a     b\nlong\né     c\n");
    }
}
