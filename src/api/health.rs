//! Probes and gauges.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Api, metrics as names};
use crate::codec::time;
use crate::shell::wall_ms;

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

/// How fresh the feeds are, by the partitions here: each hears of a feed by its own cards.
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
    let feeds = feeds.into_iter().map(|(name, mut feed)| {
        feed["last"] = time::text(feed["last"].as_i64().unwrap_or_default()).into();
        feed["feed"] = name.into();
        feed
    });
    Json(json!({ "feeds": feeds.collect::<Vec<_>>() }))
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
