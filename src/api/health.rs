//! Probes and gauges.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Api, metrics as names};
use crate::codec::time;
use crate::ingest::gaps::Told;
use crate::shell::{FeedStatus, FolderStatus, InHand, wall_ms};

/// The process answers: it is not for this probe to judge more.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// Whether everything held here is restored and live.
pub(super) async fn ready(State(api): State<Api>) -> impl IntoResponse {
    let readiness = api.board.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": readiness.ready, "why": readiness.why, "clock": api.clock() })))
}

pub(super) async fn partitions(State(api): State<Api>) -> impl IntoResponse {
    Json(api.board.partitions())
}

/// How the feeds stand: how fresh, by the partitions here (each hears of a feed by its own cards), and what is missing, by
/// the readers here.
pub(super) async fn feeds(State(api): State<Api>) -> impl IntoResponse {
    let mut feeds: BTreeMap<String, Value> = BTreeMap::new();
    for status in api.board.partitions() {
        for heard in status.feeds {
            let feed =
                feeds.entry(heard.feed).or_insert_with(|| json!({"last": 0, "fresh_in": 0, "stale_in": 0}));
            feed["last"] = feed["last"].as_i64().unwrap_or_default().max(heard.last).into();
            let count = if heard.fresh { "fresh_in" } else { "stale_in" };
            feed[count] = (feed[count].as_u64().unwrap_or_default() + 1).into();
        }
    }
    for feed in feeds.values_mut() {
        feed["last"] = time::text(feed["last"].as_i64().unwrap_or_default()).into();
    }
    for status in api.board.watched() {
        let feed = feeds.entry(status.standing.feed.clone()).or_insert_with(|| json!({}));
        let readers = feed["readers"].as_array().cloned().unwrap_or_default();
        feed["readers"] = readers.into_iter().chain([reader(&status)]).collect();
    }
    let feeds = feeds.into_iter().map(|(name, mut feed)| {
        feed["feed"] = name.into();
        feed
    });
    Json(json!({ "feeds": feeds.collect::<Vec<_>>() }))
}

/// What one reader has seen of a feed. What is not known is not there.
fn reader(status: &FeedStatus) -> Value {
    let standing = &status.standing;
    let utc = |ms: i64| Value::from(time::text(ms.div_euclid(1_000)));
    let open: Vec<Value> = standing.open.iter().map(Told::data).collect();
    let mut told = json!({
        "gaps_open": open, "gaps_opened": standing.opened, "series": standing.series, "unreliable": standing.unreliable,
    });
    let known = [
        ("last_arrival", standing.last_ms.map(utc)),
        ("silent_since", standing.silent_since_ms.map(utc)),
        ("allowed_seconds", standing.allowed_ms.map(|ms| (ms / 1_000).into())),
        ("newest_record", standing.newest.map(|at| time::text(at).into())),
        ("folder", status.folder.as_ref().map(folder)),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            told[name] = value;
        }
    }
    told
}

fn folder(folder: &FolderStatus) -> Value {
    let mut told = json!({ "path": folder.path, "waiting": folder.waiting });
    if let Some(file) = &folder.file {
        let InHand { name, byte, read, size } = file;
        told["file"] =
            json!({ "name": name, "byte": byte, "read": read, "size": size, "percent": file.percent() });
    }
    if let Some(trouble) = &folder.trouble {
        told["trouble"] = trouble.as_str().into();
    }
    told
}

/// Prometheus's text format 0.0.4.
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    names::partitions(&api.board.partitions(), wall_ms());
    if let Some(live) = &api.live {
        names::event_streams(live.events.streams());
    }
    api.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], api.metrics.render())
}
