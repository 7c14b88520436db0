//! A card as the outside sees it: one object, times RFC 3339 in UTC, days dates, as events have them.
//!
//! Invariant: every time and every day of a view is named here: `tests/product/commands.rs` walks an answer for what is not.

use serde_json::{Value, json};

use crate::codec::time;
use crate::model::{CardId, Day, UnixTime};
use crate::rollup::Row;
use crate::worker::Answer;

/// Fields of a view that are seconds inside.
const TIMES: [&str; 6] =
    ["as_of", "cancelled_at", "confirmed_at", "effective_at", "expires_at", "stopped_at"];
/// Fields that are days since 1970 inside.
const DAYS: [&str; 3] = ["cycle", "cycle_last", "day"];
/// What a view says of its account; the rest it says itself.
const OF_ACCOUNT: [&str; 6] = ["effective_at", "expires_at", "packages", "queue", "rules", "arming"];

/// The answer about a card. `clock`: whose time the log carries.
pub(super) fn card(answer: &Answer, clock: &str) -> Value {
    let mut card = json!(answer.view);
    let mut account = card["account"].take();
    if let Value::Object(fields) = &mut card {
        fields.remove("account");
        // Offsets of the log, but of the answer itself, are the meter's own.
        fields.remove("as_of_offset");
        fields.remove("changed_at");
        fields.extend(OF_ACCOUNT.map(|name| (name.to_owned(), account[name].take())));
        fields.insert("source".to_owned(), "memory".into());
        fields.insert("clock".to_owned(), clock.into());
        fields.insert("stale".to_owned(), answer.stale.into());
        fields.insert("partition".to_owned(), answer.partition.into());
        fields.insert("offset".to_owned(), answer.offset.0.into());
        fields.insert("as_of".to_owned(), answer.log_time.into());
    }
    dress(&mut card);
    card
}

/// As of when and from where an answer of memory is.
pub(super) fn as_of(answer: &Answer, clock: &str) -> Value {
    json!({
        "as_of": answer.log_time, "stale": answer.stale, "clock": clock, "partition": answer.partition,
        "offset": answer.offset.0,
    })
}

/// What ClickHouse was told last of a card: its newest cycle. Packages, rules and credits it does not know.
pub(super) fn last_known(card: CardId, month: Row, clock: &str, why: &str) -> Value {
    let mut known = Value::Object(month);
    known["card"] = json!(card);
    known["source"] = "clickhouse".into();
    known["clock"] = clock.into();
    known["stale"] = true.into();
    known["why"] = why.into();
    dress(&mut known);
    known
}

/// Writes times and days as text, at any depth, and makes cycles say the same wherever they are from.
pub(super) fn dress(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(dress),
        Value::Object(fields) => {
            if fields.contains_key("cycle_last") {
                of_cycle(fields);
            }
            for (name, field) in fields {
                match field.as_i64() {
                    Some(seconds) if TIMES.contains(&name.as_str()) => {
                        *field = time::text(seconds as UnixTime).into();
                    }
                    Some(day) if DAYS.contains(&name.as_str()) => {
                        *field = time::day_text(day as Day).into();
                    }
                    _ => dress(field),
                }
            }
        }
        _ => {}
    }
}

/// A cycle says the same wherever it is from: what is not limited has no rest, what nobody has said is null.
fn of_cycle(fields: &mut Row) {
    if fields.get("quota").is_some_and(Value::is_null) && fields.contains_key("remaining") {
        fields.insert("remaining".to_owned(), Value::Null);
    }
    if fields.get("confirmed").is_some_and(|confirmed| confirmed == "") {
        fields.insert("confirmed".to_owned(), Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days_are_texts_wherever_they_stand() {
        let mut value = json!({
            "cycle": 20_665, "as_of": 1_785_542_400, "stopped_at": null, "used": 1_785_542_400,
            "packages": [{"expires_at": 1_785_542_400, "quota": 7}], "days": [{"day": 20_666}],
        });
        dress(&mut value);
        let expected = json!({
            "cycle": "2026-07-31", "as_of": "2026-08-01T00:00:00Z", "stopped_at": null, "used": 1_785_542_400,
            "packages": [{"expires_at": "2026-08-01T00:00:00Z", "quota": 7}], "days": [{"day": "2026-08-01"}],
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_cycle_of_a_table_is_told_as_one_of_memory() {
        let cycle = |quota: Value, remaining: Value, confirmed: Value| json!({"cycle_last": "2026-08-31", "quota": quota, "remaining": remaining, "confirmed": confirmed});
        for (held, told) in [
            (cycle(json!(7), json!(0), json!("")), cycle(json!(7), json!(0), Value::Null)),
            (cycle(Value::Null, json!(0), json!("active")), cycle(Value::Null, Value::Null, json!("active"))),
        ] {
            let mut answer = json!({ "cycles": [held] });
            dress(&mut answer);
            assert_eq!(answer["cycles"][0], told);
        }
    }
}
