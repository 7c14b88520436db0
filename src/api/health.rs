//! Probes and gauges.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;

use super::{Api, metrics as names};
use crate::shell::wall_ms;

/// The process answers: it is not for this probe to judge more.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// Whether everything held here is restored and live.
pub(super) async fn ready(State(api): State<Api>) -> impl IntoResponse {
    let readiness = api.board.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let clock = if api.clock_supplied { "supplied" } else { "log" };
    (status, Json(json!({ "ready": readiness.ready, "why": readiness.why, "clock": clock })))
}

pub(super) async fn partitions(State(api): State<Api>) -> impl IntoResponse {
    Json(api.board.partitions())
}

/// Prometheus's text format 0.0.4.
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    names::partitions(&api.board.partitions(), wall_ms());
    api.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], api.metrics.render())
}
