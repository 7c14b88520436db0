//! Records that were set aside: looked at, and posted by an operator so that they count (`record.post`).
//!
//! Invariant: a posting has one effect, however often it is asked for: its reference is the quarantine id, and the meter keeps
//! it. What else the log holds under the record's id is shown before: advice, the reference is the guard.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::commands::{Body, Order, draft, give, id_by_content, read};
use super::cursor::Question;
use super::names::Named;
use super::usage::limit;
use super::{Api, problem::Problem};
use crate::codec::json::{Scratch, cdr};
use crate::codec::time;
use crate::model::CardId;
use crate::rollup::{Archive, Match, SetAside, SetAsidePlace, SetAsideRecord};

/// Outcomes that can be put right by counting the record all the same.
const POSTABLE: [&str; 4] = ["late", "conflict", "flood", "unknown"];

/// Every outcome under which a record may stand here.
const OUTCOMES: [&str; 6] = ["late", "conflict", "flood", "unknown", "rejected", "unreadable"];

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    card: Option<String>,
    outcome: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(api): State<Api>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = asked?;
    let archive = api.archive.as_ref().ok_or(Problem::NoQuarantine)?;
    let card = asked.card.as_deref().map(|name| api.card_of(name)).transpose()?;
    let limit = limit(asked.limit)?;
    let (card_text, outcome) = (card.map(|card| card.to_string()).unwrap_or_default(), asked.outcome);
    known(outcome.as_deref())?;
    let outcome_text = outcome.clone().unwrap_or_default();
    let question = Question::of(&["quarantine", &card_text, &outcome_text]);
    let place = asked.cursor.as_deref().map(|cursor| question.place(cursor)).transpose()?;
    let before = place.map(|place| read_place(place).ok_or(Problem::Cursor)).transpose()?;
    let which = SetAside { card, outcome, before };
    let mut rows = archive.set_aside(&which, limit.saturating_add(1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| {
        let cursor = question.after(format!("{}-{}", last.seen_ms, last.id.replace('/', ":")));
        let of = |name: &str, value: &str| {
            if value.is_empty() { String::new() } else { format!("&{name}={value}") }
        };
        let (card, outcome) = (of("card", &card_text), of("outcome", &outcome_text));
        format!("/v1/quarantine?limit={limit}{card}{outcome}&cursor={cursor}")
    });
    let records: Vec<Value> = archive.shown_once(rows).await?.iter().map(shown).collect();
    Ok(Json(json!({ "records": records, "source": "clickhouse", "next": next })))
}

/// A list of what there cannot be would be empty, and look as if all were well.
fn known(outcome: Option<&str>) -> Result<(), Problem> {
    match outcome.filter(|outcome| !OUTCOMES.contains(outcome)) {
        Some(other) => {
            Err(Problem::BadRequest(format!("outcome: {other:?} is none of {}", OUTCOMES.join(", "))))
        }
        None => Ok(()),
    }
}

/// Ids are hexadecimal digits, or a place in a topic.
fn read_place(text: &str) -> Option<SetAsidePlace> {
    let (seen, id) = text.split_once('-')?;
    Some(SetAsidePlace { seen_ms: seen.parse().ok()?, id: id.replace(':', "/") })
}

fn shown(row: &SetAsideRecord) -> Value {
    let record = serde_json::from_slice(&row.record.0)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&row.record.0).into_owned()));
    json!({
        "id": row.id, "card": (!row.card.is_empty()).then_some(&row.card), "outcome": row.outcome,
        "reason": row.reason, "seen": seen(row), "record": record,
        "source": {"name": row.source, "partition": row.source_partition, "offset": row.source_offset},
        "position": (!row.log_position.is_empty()).then_some(&row.log_position),
        "postable": is_postable(row),
    })
}

/// Whether posting it is taken: commands and readings are set aside under the same outcomes.
fn is_postable(row: &SetAsideRecord) -> bool {
    POSTABLE.contains(&row.outcome.as_str()) && cdr(&row.record.0, &mut Scratch::default()).is_ok()
}

fn seen(row: &SetAsideRecord) -> String {
    time::text(row.seen_ms.div_euclid(1_000))
}

pub(super) async fn post(
    State(api): State<Api>,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut body = read(body)?;
    let dry_run = match body.remove("dry_run") {
        None => false,
        Some(Value::Bool(dry_run)) => dry_run,
        Some(_) => return Err(Problem::BadRequest("field `dry_run`: true or false".to_owned())),
    };
    let archive = api.archive.as_ref().ok_or(Problem::NoQuarantine)?;
    let said = said(&api, body.remove("card"))?;
    let row = the_one(archive.set_aside_as(&id, said).await?, &id, said)?;
    let card = card_of(&row, said)?;
    command_of(&row, &mut body)?;
    let key = id_by_content(&format!("post/{id}"), &body);
    let name = card.to_string();
    let fields = ["reference", "quarantined_at", "record", "into"];
    let order = Order { card: &name, kind: "record.post", fields: Some(&fields), id: Some(&key) };
    if !dry_run {
        return give(&api, &headers, body, &order).await;
    }
    let command = draft(&api, &headers, body, &order)?;
    let matches = matches(archive, card, &row).await?;
    Ok(Json(json!({ "dry_run": true, "command": command, "matches": matches })).into_response())
}

/// The card that the operator names.
fn said(api: &Api, card: Option<Value>) -> Result<Option<CardId>, Problem> {
    match card {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(api.card_of(&name)?)),
        Some(_) => Err(Problem::BadRequest("field `card`: is no name of a card".to_owned())),
    }
}

/// Of the records of an id, as the archive orders them, the one that is meant. Equal records of several cards share their id.
fn the_one(rows: Vec<SetAsideRecord>, id: &str, said: Option<CardId>) -> Result<SetAsideRecord, Problem> {
    let mut rows = rows.into_iter();
    let none = || Problem::NotFound(format!("no record is set aside as {id}"));
    let row = rows.next().ok_or_else(none)?;
    match rows.find(|other| said.is_none() && !other.card.is_empty()) {
        Some(other) => Err(Problem::Conflict(format!(
            "records of several cards are set aside as {id}, of {} and {} among them: say whose is meant, as field `card` \
             (`quarantine post --card`)",
            row.card, other.card
        ))),
        None => Ok(row),
    }
}

/// Whose the record is: as it was set aside, or as the operator says of one that nobody was known for.
fn card_of(row: &SetAsideRecord, said: Option<CardId>) -> Result<CardId, Problem> {
    match (CardId::parse(&row.card).ok(), said) {
        (Some(known), Some(said)) if known != said => {
            Err(Problem::Conflict(format!("the record is of card {known}, not of {said}")))
        }
        (Some(card), _) | (None, Some(card)) => Ok(card),
        (None, None) => {
            Err(Problem::Conflict("the record's card was not known: say which, as field `card`".to_owned()))
        }
    }
}

/// What the row makes of a command.
fn command_of(row: &SetAsideRecord, body: &mut Map<String, Value>) -> Result<(), Problem> {
    if !POSTABLE.contains(&row.outcome.as_str()) {
        let outcome = &row.outcome;
        return Err(Problem::Conflict(format!(
            "it is {outcome}: put right, it is to be sent again by its feed"
        )));
    }
    if cdr(&row.record.0, &mut Scratch::default()).is_err() {
        return Err(Problem::Conflict("only CDRs can be posted, and this record is none".to_owned()));
    }
    let record: Value = serde_json::from_slice(&row.record.0)
        .map_err(|e| Problem::Internal(format!("the record was read and is no JSON: {e}")))?;
    for (name, value) in
        [("reference", json!(row.id)), ("quarantined_at", json!(seen(row))), ("record", record)]
    {
        if body.insert(name.to_owned(), value).is_some() {
            return Err(Problem::BadRequest(format!("field `{name}` is the quarantine's to say")));
        }
    }
    Ok(())
}

/// What the log holds under the record's id beside itself.
async fn matches(archive: &Archive, card: CardId, row: &SetAsideRecord) -> Result<Vec<Value>, Problem> {
    let mut scratch = Scratch::default();
    let Ok(cdr) = cdr(&row.record.0, &mut scratch) else { return Ok(Vec::new()) };
    let found = archive.matches(card, &cdr.feed, &cdr.id).await?;
    let others = found.into_iter().filter(|found| found.log_position != row.log_position);
    let text = |seconds: u32| time::text(i64::from(seconds));
    let shown = |Match { start, end, up, down, log_time, log_position }| {
        json!({"start": text(start), "end": text(end), "up": up, "down": down, "log_time": text(log_time),
            "position": log_position})
    };
    Ok(others.map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::rows::Raw;

    fn row(outcome: &str, record: &str) -> SetAsideRecord {
        SetAsideRecord {
            card: String::new(),
            id: "97e6ee830345c53342bb3d4963c1b557".to_owned(),
            seen_ms: 1_785_547_815_999,
            outcome: outcome.to_owned(),
            reason: "its day is closed".to_owned(),
            source: "usage.cdr".to_owned(),
            source_partition: 2,
            source_offset: 41,
            log_position: "3/77/5".to_owned(),
            record: Raw(record.as_bytes().to_vec()),
        }
    }

    const CDR: &str = r#"{"imsi":"460041234567890","feed":"f","id":"85/1","start":"2026-08-01T01:30:15Z","end":"2026-08-01T01:45:15Z","up":1,"down":2}"#;

    #[test]
    fn a_record_makes_its_command() {
        let mut body = Map::from_iter([("into".to_owned(), json!("original"))]);
        command_of(&row("late", CDR), &mut body).expect("a command");
        assert_eq!(shown(&row("late", CDR))["postable"], true);
        assert_eq!(body["quarantined_at"], "2026-08-01T01:30:15Z");
        assert_eq!(body["reference"], "97e6ee830345c53342bb3d4963c1b557");
        assert_eq!((&body["record"]["up"], &body["into"]), (&json!(1), &json!("original")));
    }

    #[test]
    fn what_cannot_be_posted_is_refused() {
        for (outcome, record, said) in [
            ("rejected", CDR, "sent again"),
            ("late", "{\"iccid\":1}", "only CDRs"),
            ("late", "\u{7f}", "only CDRs"),
        ] {
            assert_eq!(shown(&row(outcome, record))["postable"], false, "{outcome} {record}");
            match command_of(&row(outcome, record), &mut Map::new()) {
                Err(Problem::Conflict(detail)) => assert!(detail.contains(said), "{detail}"),
                other => panic!("{outcome}: {other:?}"),
            }
        }
        let mut body = Map::from_iter([("record".to_owned(), json!({}))]);
        assert!(matches!(command_of(&row("late", CDR), &mut body), Err(Problem::BadRequest(_))));
    }

    #[test]
    fn an_outcome_that_there_is_none_of_is_refused_with_those_there_are() {
        assert!(known(None).is_ok() && OUTCOMES.into_iter().all(|outcome| known(Some(outcome)).is_ok()));
        assert!(POSTABLE.iter().all(|outcome| OUTCOMES.contains(outcome)));
        for other in ["", "Late", "lost", "counted"] {
            match known(Some(other)) {
                Err(Problem::BadRequest(why)) => assert!(why.ends_with(&OUTCOMES.join(", ")), "{why}"),
                told => panic!("{other}: {told:?}"),
            }
        }
    }

    #[test]
    fn an_id_of_several_cards_needs_the_card() {
        let of = |card: &str| SetAsideRecord { card: card.to_owned(), ..row("late", CDR) };
        let [a, b] = ["8986001234567890123", "8986001234567890131"];
        let card = |text| CardId::parse(text).expect("a card");
        match the_one(vec![of(a), of(b)], "97", None) {
            Err(Problem::Conflict(why)) => {
                assert!([a, b, "`card`", "--card"].iter().all(|said| why.contains(said)), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(the_one(vec![of(b), of(a)], "97", Some(card(b))).expect("named").card, b);
        // One that nobody was known for yet is no other card's.
        let one = the_one(vec![of(a), of("")], "97", None).expect("one card");
        assert_eq!(card_of(&one, None).expect("its card"), card(a));
        assert!(matches!(card_of(&one, Some(card(b))), Err(Problem::Conflict(why)) if why.contains(a)));
        assert!(matches!(the_one(Vec::new(), "97", None), Err(Problem::NotFound(_))));
    }

    #[test]
    fn a_place_in_the_list_is_read_as_it_was_written() {
        let place = |seen_ms, id: &str| Some(SetAsidePlace { seen_ms, id: id.to_owned() });
        assert_eq!(read_place("5-ab"), place(5, "ab"));
        assert_eq!(read_place("5-tidegauge.log:1:7"), place(5, "tidegauge.log/1/7"));
        assert_eq!((read_place("x-ab"), read_place("5")), (None, None));
    }
}
