//! What happened to a card: from ClickHouse, newest first, in pages; or as it is committed, see `live`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cursor::Question;
use super::live::{self, Wanted};
use super::names::Named;
use super::usage::limit;
use super::{Api, problem::Problem};
use crate::codec::event::CloudEvent;
use crate::codec::time;
use crate::model::{CardId, EventBody};
use crate::rollup::{Archived, ArchivedPlace};

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(rename = "type")]
    kind: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Asked {
    fn kind(&self) -> Result<Option<String>, Problem> {
        let Some(kind) = &self.kind else { return Ok(None) };
        // What no event is would be told by silence.
        if kind.is_empty() || !EventBody::KINDS.iter().any(|known| known.starts_with(kind)) {
            return Err(Problem::BadRequest(format!(
                "type: no event's type begins with {kind:?}; there are {}",
                EventBody::KINDS.join(", ")
            )));
        }
        Ok(Some(kind.clone()))
    }
}

pub(super) async fn of_card(
    State(api): State<Api>,
    Named(name): Named,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked?;
    let (card, kind) = (api.card_of(&name)?, asked.kind()?);
    if follows(&headers) {
        return stream(&api, Wanted { card: Some(card), kind }, &headers).await;
    }
    page(&api, card, kind, &asked).await
}

pub(super) async fn of_fleet(
    State(api): State<Api>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked?;
    if !follows(&headers) {
        return Err(Problem::NotAcceptable);
    }
    stream(&api, Wanted { card: None, kind: asked.kind()? }, &headers).await
}

async fn stream(api: &Api, wanted: Wanted, headers: &HeaderMap) -> Result<Response, Problem> {
    let live = api.live.as_ref().ok_or(Problem::NoEvents)?;
    live::answer(live, &api.deployment, wanted, headers).await
}

/// Whether events are asked for as they come.
fn follows(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

async fn page(api: &Api, card: CardId, kind: Option<String>, asked: &Asked) -> Result<Response, Problem> {
    let archive = api.archive.as_ref().ok_or(Problem::NoArchive)?;
    let limit = limit(asked.limit)?;
    let kind = kind.unwrap_or_default();
    let question = Question::of(&["events", &card.to_string(), &kind]);
    let place = asked.cursor.as_deref().map(|cursor| question.place(cursor)).transpose()?;
    let before = place.map(|place| read(place).ok_or(Problem::Cursor)).transpose()?;
    let mut rows = archive.events(card, &kind, before.as_ref(), limit.saturating_add(1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| {
        let cursor = question.after(write(&last.place()));
        let kind = if kind.is_empty() { String::new() } else { format!("&type={kind}") };
        format!("/v1/cards/{card}/events?limit={limit}{kind}&cursor={cursor}")
    });
    let events: Vec<Value> = rows.into_iter().map(|row| json!(event(row, card, &api.deployment))).collect();
    Ok(Json(json!({ "card": card, "events": events, "source": "clickhouse", "next": next })).into_response())
}

/// The event as its topic has it, without what only the topic has: log time and cause.
fn event(row: Archived, card: CardId, deployment: &str) -> CloudEvent {
    let data = serde_json::from_str(&row.data).unwrap_or_default();
    CloudEvent {
        time: time::text(i64::from(row.at)),
        iccid: Some(row.iccid),
        data,
        ..CloudEvent::new(&row.kind, row.id, card.to_string(), deployment)
    }
}

/// Ids hold what stands in no URL.
fn write(place: &ArchivedPlace) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let id: String = place.id.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect();
    format!("{}-{id}", place.at)
}

fn read(text: &str) -> Option<ArchivedPlace> {
    let (at, id) = text.split_once('-')?;
    let bytes =
        id.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Some(ArchivedPlace { at: at.parse().ok()?, id: String::from_utf8(bytes.collect::<Option<_>>()?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = ArchivedPlace { at: 1_785_547_815, id: "8986/alert/é'\\/3".to_owned() };
        assert_eq!(read(&write(&place)), Some(place));
        for text in ["", "1", "x-00", "1-0g", "1-ff"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_type_that_no_event_has_is_refused_with_those_there_are() {
        let asked = |kind: &str| Asked { kind: Some(kind.to_owned()), ..Asked::default() }.kind();
        for kind in ["alert.", "alert.fired", "card", "credits.moved"] {
            assert_eq!(asked(kind).ok().flatten().as_deref(), Some(kind));
        }
        for kind in ["", "alerts", "alert.fired.v1", "io.tidegauge.alert.fired.v1", "feed.gap", "' OR 1"] {
            match asked(kind) {
                Err(Problem::BadRequest(why)) => {
                    assert!(why.contains("alert.fired, alert.resolved"), "{why}");
                }
                told => panic!("{kind}: {told:?}"),
            }
        }
    }

    #[test]
    fn a_stream_is_asked_for_by_its_media_type() {
        let asks = |accept: &str| {
            follows(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().expect("a header"))]))
        };
        assert!(asks("text/event-stream") && asks("application/json;q=0.5, Text/Event-Stream;q=1"));
        assert!(!asks("*/*") && !asks("application/json") && !follows(&HeaderMap::new()));
    }
}
