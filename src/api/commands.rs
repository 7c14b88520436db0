//! Commands by HTTP: what stands in the body becomes the command of the contract, goes into `card.commands`, and is
//! answered with its place; with `Prefer: wait=N` with what became of it.
//!
//! | path | command | its id unless `Idempotency-Key` says it |
//! |---|---|---|
//! | `POST /v1/cards` | `card.register` | made of what it says |
//! | `POST /v1/cards/{iccid}/recharges` | `recharge` | made of the order's and of what it says |
//! | `PUT /v1/cards/{iccid}/rules` | `rules.set` | (must be said) |
//! | `POST /v1/cards/{iccid}/credits` | `credits.add` | (must be said) |
//! | `POST /v1/cards/{iccid}/commands` | as `type` says | (must be said) |
//!
//! A request whose answer was lost is sent again as it was: the id makes the second one a repeat, which has no effect, and is
//! told what was answered before. One that was refused and put right says something else, so it is another command, and is
//! answered.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::answered::{Awaited, Heard};
use super::names::Named;
use super::{Api, problem::Problem};
use crate::codec::json::{CommandIn, JsonError, command as read_command};
use crate::codec::time;
use crate::limits::{ANSWER_WAIT_S_MAX, NAME_BYTES_MAX};
use crate::log::{LogError, Topic};
use crate::model::CardId;
use crate::shell::{Answer, Commands};

/// The header that names a command.
const KEY: &str = "idempotency-key";

pub(super) type Body = Result<Json<Map<String, Value>>, JsonRejection>;

pub(super) async fn register(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut body = read(body)?;
    let card = body.remove("card").or_else(|| body.remove("iccid"));
    let card = card.as_ref().and_then(Value::as_str).ok_or_else(|| missing("card"))?.to_owned();
    let fields = ["channel", "carrier", "plan", "imsi", "msisdn", "imei", "recipients", "opening"];
    let id = id_by_content("register", &body);
    let order = Order { card: &card, kind: "card.register", fields: Some(&fields), id: Some(&id) };
    give(&api, &headers, body, &order).await
}

pub(super) async fn recharge(
    State(api): State<Api>,
    Named(card): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let card = api.iccid_of(&card)?;
    let body = read(body)?;
    let id = body.get("order").and_then(Value::as_str).map(|order| id_by_content(order, &body));
    let fields = ["order", "channel", "mode", "payment", "package"];
    let order = Order { card: &card, kind: "recharge", fields: Some(&fields), id: id.as_deref() };
    give(&api, &headers, body, &order).await
}

pub(super) async fn rules(
    State(api): State<Api>,
    Named(card): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let card = api.iccid_of(&card)?;
    let order = Order { card: &card, kind: "rules.set", fields: Some(&["rules"]), id: None };
    give(&api, &headers, read(body)?, &order).await
}

pub(super) async fn credits(
    State(api): State<Api>,
    Named(card): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let card = api.iccid_of(&card)?;
    let order = Order { card: &card, kind: "credits.add", fields: Some(&["credits", "payment"]), id: None };
    give(&api, &headers, read(body)?, &order).await
}

pub(super) async fn any(
    State(api): State<Api>,
    Named(card): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let card = api.iccid_of(&card)?;
    let mut body = read(body)?;
    let kind = body.remove("type");
    let kind = kind.as_ref().and_then(Value::as_str).ok_or_else(|| missing("type"))?;
    give(&api, &headers, body, &Order { card: &card, kind, fields: None, id: None }).await
}

/// A command in the making.
pub(super) struct Order<'a> {
    pub(super) card: &'a str,
    pub(super) kind: &'a str,
    /// Fields that it may have beside `at`; `None` = what the codec makes of it.
    pub(super) fields: Option<&'a [&'a str]>,
    /// Its id, if no key is given.
    pub(super) id: Option<&'a str>,
}

pub(super) fn read(body: Body) -> Result<Map<String, Value>, Problem> {
    Ok(body?.0)
}

/// The same for the same words, whenever they were given. A name that leaves no room for the hash is cut: the hash is of the
/// whole.
pub(super) fn id_by_content(name: &str, body: &Map<String, Value>) -> String {
    const HASH: usize = "/0123456789abcdef".len();
    let said: Map<String, Value> = body.iter().filter(|(name, _)| *name != "at").map(pair).collect();
    let hash = xxh3_64(Value::Object(said).to_string().as_bytes());
    let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX - HASH)];
    format!("{name}/{hash:016x}")
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn missing(field: &str) -> Problem {
    Problem::BadRequest(format!("field `{field}` is missing"))
}

/// The command that would be given.
pub(super) fn draft(
    api: &Api,
    headers: &HeaderMap,
    body: Map<String, Value>,
    order: &Order<'_>,
) -> Result<Value, Problem> {
    let (json, _, _) = command(body, order, &id_of(headers, order)?, api.now_ms(order.card))?;
    serde_json::from_slice(&json).map_err(|e| Problem::Internal(format!("a command that is no JSON: {e}")))
}

pub(super) async fn give(
    api: &Api,
    headers: &HeaderMap,
    body: Map<String, Value>,
    order: &Order<'_>,
) -> Result<Response, Problem> {
    let commands = api.commands.as_ref().ok_or(Problem::NoCommands)?;
    let id = id_of(headers, order)?;
    let (json, card, at_ms) = command(body, order, &id, api.now_ms(order.card))?;
    let wait = wait_of(headers)?;
    let waiting = wait.and_then(|wait| Some((commands.answers.wait_for(card, &id)?, wait)));
    let awaited = waiting.map(|(waiting, wait)| (Awaited::new(api, waiting, card, &id), wait));
    let taken = append(api, commands, card, &json, at_ms).await?;
    let taken = json!({ "command": id, "card": card, "taken": taken });
    let heard = match awaited {
        Some((awaited, wait)) => awaited.answer(wait).await,
        None => Heard::Nothing,
    };
    // An id that is made of what the command says is that of no other.
    answered(taken, heard, !headers.contains_key(KEY))
}

/// `is_repeat`: a command of the same id has said the same. If that was refused, this one may not be: the card may have been
/// registered since.
fn answered(mut taken: Value, heard: Heard, is_repeat: bool) -> Result<Response, Problem> {
    let answer = match heard {
        Heard::Answer(answer) => Some(answer),
        Heard::Earlier(earlier) => {
            taken["earlier"] = earlier.shown();
            Some(earlier.answer).filter(|answer| is_repeat && *answer == Answer::Applied)
        }
        Heard::Nothing => None,
    };
    match answer {
        Some(Answer::Applied) => {
            taken["outcome"] = "applied".into();
            Ok((StatusCode::OK, Json(taken)).into_response())
        }
        Some(Answer::Refused(reason)) => Err(Problem::Refused(reason)),
        None => Ok((StatusCode::ACCEPTED, Json(taken)).into_response()),
    }
}

async fn append(
    api: &Api,
    commands: &Commands,
    card: CardId,
    json: &[u8],
    at_ms: i64,
) -> Result<Value, Problem> {
    let _room = api.room.take()?;
    let place = commands.log.append(&card.to_string(), json, at_ms).await;
    let place = place.map_err(failed)?;
    Ok(json!({ "topic": Topic::Commands.name(), "partition": place.partition, "offset": place.offset.0 }))
}

/// Whoever is told that a command was not taken gives it anew, under another id, and it counts twice if it was.
fn failed(error: LogError) -> Problem {
    let why = match error {
        LogError::Fatal(why) => return Problem::Internal(format!("the command was not taken: {why}")),
        LogError::Retriable(why) => why,
        error => error.to_string(),
    };
    Problem::NotReady(format!(
        "it is not known whether the command was taken: {why}; send it again under the same Idempotency-Key"
    ))
}

/// The command as it goes into the log, checked by the very code that will read it there.
fn command(
    mut body: Map<String, Value>,
    order: &Order<'_>,
    id: &str,
    now_ms: i64,
) -> Result<(Vec<u8>, CardId, i64), Problem> {
    let known =
        |name: &String| name == "at" || order.fields.is_none_or(|fields| fields.contains(&name.as_str()));
    if let Some(unknown) = body.keys().find(|name| !known(name)) {
        let may = order.fields.unwrap_or_default().join(", ");
        return Err(Problem::BadRequest(format!("field `{unknown}` is none of {}: {may}, at", order.kind)));
    }
    body.entry("at").or_insert_with(|| time::text(now_ms.div_euclid(1_000)).into());
    for (name, value) in [("id", id), ("card", order.card), ("type", order.kind)] {
        let said = body.insert(name.to_owned(), value.into());
        if let Some(other) = said.filter(|said| said != value) {
            return Err(Problem::BadRequest(format!(
                "field `{name}` is {other}, but the request says {value:?}"
            )));
        }
    }
    let json = Value::Object(body).to_string().into_bytes();
    match read_command(&json) {
        Ok(CommandIn::Card(command)) => Ok((json, command.card, command.at.saturating_mul(1_000))),
        Ok(CommandIn::Broadcast { .. }) => {
            Err(Problem::BadRequest(format!("type: {} is not for one card", order.kind)))
        }
        // Where it stands in the command would not be where it stands in the body.
        Err(error) => Err(Problem::BadRequest(JsonError { at: None, ..error }.to_string())),
    }
}

fn id_of(headers: &HeaderMap, order: &Order<'_>) -> Result<String, Problem> {
    let key = headers.get(KEY).map(|key| key.to_str().unwrap_or_default().trim_matches('"'));
    match key.or(order.id) {
        Some("") => Err(Problem::BadRequest("Idempotency-Key: is not readable text".to_owned())),
        Some(id) => Ok(id.to_owned()),
        None => Err(Problem::BadRequest(
            "Idempotency-Key: is missing: it names the command, so that it can be sent again".to_owned(),
        )),
    }
}

/// `Prefer: wait=N` (RFC 7240), seconds.
fn wait_of(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut waits = preferences.flat_map(|value| value.split([',', ';'])).filter_map(|preference| {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').to_owned())
    });
    let Some(wait) = waits.next() else { return Ok(None) };
    let seconds = if wait.is_empty() { Ok(ANSWER_WAIT_S_MAX) } else { wait.parse::<u64>() };
    match seconds {
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds.min(ANSWER_WAIT_S_MAX)))),
        Err(_) => Err(Problem::BadRequest(format!("Prefer: wait={wait}: is no number of seconds"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_command_was_not_taken_only_where_the_log_is_certain() {
        assert!(matches!(failed(LogError::Fatal("too large".to_owned())), Problem::Internal(_)));
        for error in [LogError::Retriable("away".to_owned()), LogError::Fenced("another".to_owned())] {
            let Problem::NotReady(detail) = failed(error) else { panic!("not known") };
            assert!(detail.contains("not known") && detail.contains("same Idempotency-Key"), "{detail}");
        }
    }

    #[test]
    fn a_preference_is_read_as_rfc_7240_has_it() {
        let s = |n| Some(Duration::from_secs(n));
        for (prefer, wait) in [
            (vec![], Some(None)),
            (vec![("prefer", "respond-async")], Some(None)),
            (vec![("prefer", "wait=5")], Some(s(5))),
            (vec![("prefer", "respond-async, wait=\"7\"")], Some(s(7))),
            (vec![("prefer", "Wait")], Some(s(ANSWER_WAIT_S_MAX))),
            (vec![("prefer", "wait=86400")], Some(s(ANSWER_WAIT_S_MAX))),
            (vec![("prefer", "wait=soon")], None),
        ] {
            assert_eq!(wait_of(&headers(&prefer)).ok(), wait, "{prefer:?}");
        }
    }

    #[test]
    fn what_is_put_right_is_another_command_and_the_same_later_is_not() {
        let id = |body: Value| id_by_content("o-1", body.as_object().unwrap());
        let first = id(json!({"quota": 1, "at": "2026-08-01T00:00:00Z"}));
        assert_eq!(first, id(json!({"at": "2026-08-02T00:00:00Z", "quota": 1})));
        assert_ne!(first, id(json!({"quota": 2, "at": "2026-08-01T00:00:00Z"})));
    }

    #[test]
    fn an_order_whose_name_is_as_long_as_it_may_be_has_an_id_too() {
        let id = |name: &str, quota: u64| id_by_content(name, json!({"quota": quota}).as_object().unwrap());
        for name in ["o".repeat(NAME_BYTES_MAX), "é".repeat(NAME_BYTES_MAX / 2), "o".repeat(112)] {
            let (one, other) = (id(&name, 1), id(&name, 2));
            assert!(one.len() <= NAME_BYTES_MAX && one != other, "{one} {other}");
        }
        let short = "o".repeat(NAME_BYTES_MAX - 17);
        assert!(id(&short, 1).starts_with(&format!("{short}/")) && id(&short, 1).len() == NAME_BYTES_MAX);
    }

    #[test]
    fn a_command_has_the_id_of_its_key_or_of_its_order() {
        let order = |id| Order { card: "c", kind: "recharge", fields: None, id };
        let key = headers(&[("idempotency-key", "\"k-1\"")]);
        assert_eq!(id_of(&key, &order(Some("o-1"))).ok().as_deref(), Some("k-1"));
        assert_eq!(id_of(&headers(&[]), &order(Some("o-1"))).ok().as_deref(), Some("o-1"));
        assert!(id_of(&headers(&[]), &order(None)).is_err());
    }

    #[test]
    fn what_is_no_command_is_refused_with_the_field() {
        let order =
            Order { card: "8986001234567890123", kind: "rules.set", fields: Some(&["rules"]), id: None };
        let refused = |body: Value| match command(body.as_object().unwrap().clone(), &order, "k", 0) {
            Err(Problem::BadRequest(detail)) => detail,
            other => panic!("{other:?}"),
        };
        assert!(refused(json!({"rule": []})).starts_with("field `rule` is none of rules.set: rules, at"));
        assert!(refused(json!({})).starts_with("field `rules`"));
        assert!(refused(json!({"rules": [{"name": "a", "burnt_percent": "x"}]})).contains("burnt_percent"));
    }
}
