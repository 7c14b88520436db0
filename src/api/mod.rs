//! HTTP: cards, health, metrics, and the orders of the operations team.
//!
//! | path | what |
//! |---|---|
//! | `GET /v1/cards/{iccid}` | a card as of its partition's log time |
//! | `GET /v1/partitions` | state, position, debt of every partition held here |
//! | `POST /v1/partitions/{partition}/skip` | pass over the message at which it has halted |
//! | `POST /v1/drain` | write every shard at the last offset, before an upgrade |
//! | `GET /health/live`, `/health/ready`, `/metrics` | probes |
//!
//! Answers come from the workers' own state through bounded mailboxes. Errors are RFC 9457 problems.

mod cards;
mod health;
pub mod metrics;
mod orders;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::limits::API_BODY_BYTES_MAX;
use crate::shell::{Board, Workers};

/// What the handlers read.
#[derive(Clone)]
pub struct Api {
    pub board: Arc<Board>,
    pub workers: Arc<Workers>,
    pub metrics: PrometheusHandle,
    /// Whether log time is supplied instead of the brokers': every answer says so.
    pub clock_supplied: bool,
}

/// The routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/cards/{iccid}", get(cards::card))
        .route("/v1/partitions", get(health::partitions))
        .route("/v1/partitions/{partition}/skip", post(orders::skip))
        .route("/v1/drain", post(orders::drain))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .with_state(api)
}
