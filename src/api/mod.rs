//! HTTP: cards, health, metrics, and the orders of the operations team.
//!
//! | path | what |
//! |---|---|
//! | `GET /v1/cards/{iccid}` | a card as of its partition's log time |
//! | `GET /v1/cards/{iccid}/usage` | its days and cycles, past ones from ClickHouse |
//! | `GET /v1/cards/{iccid}/events`, `/v1/events` | what happened, from ClickHouse; what happens, as a stream |
//! | `POST /v1/cards`, `/v1/cards/{iccid}/recharges`, `…/credits`, `…/commands`, `PUT …/rules` | commands: see `commands` |
//! | `POST /v1/feeds/{feed}` | a batch of a feed's records: see `feeds` |
//! | `GET /v1/fleet` | cards by state and bytes, over all partitions |
//! | `GET /v1/quarantine`, `POST /v1/quarantine/{id}/post` | records that were set aside; one of them is to count |
//! | `GET /v1/feeds` | when each feed was last heard of, by the partitions held here |
//! | `GET /v1/partitions` | state, position, debt of every partition held here |
//! | `POST /v1/partitions/{partition}/skip` | pass over the message at which it has halted |
//! | `POST /v1/drain` | write every shard at the last offset, before an upgrade |
//! | `GET /openapi.json` | all of this for programs |
//! | `GET /health/live`, `/health/ready`, `/metrics` | probes, and metrics, at an address of their own too |
//!
//! Answers come from the workers' own state, read where it lies while they wait, or through bounded mailboxes; what another
//! instance meters is asked there. Errors are RFC 9457 problems.

mod access;
mod ahead;
mod answered;
mod cards;
mod coding;
mod commands;
mod cursor;
mod events;
mod feeds;
mod fleet;
mod forward;
mod health;
mod limits;
mod live;
pub mod metrics;
mod names;
mod openapi;
mod orders;
mod problem;
mod quarantine;
mod replayed;
mod shape;
mod usage;

pub use access::{Access, Allowed};
pub use forward::{Peers, peers};
pub use live::{Live, Reader};
pub use names::Names;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::ingest::formats::Decoder;
use crate::limits::API_BODY_BYTES_MAX;
use crate::model::CardId;
use crate::rollup::Archive;
use crate::shell::{Board, Commands, Owners, Pushes, Workers, wall_ms};

/// What the handlers read.
#[derive(Clone)]
pub struct Api {
    pub board: Arc<Board>,
    pub workers: Arc<Workers>,
    pub metrics: PrometheusHandle,
    /// Whether log time is supplied instead of the brokers': every answer says so.
    pub clock_supplied: bool,
    /// The way of commands into the log, if this process has one.
    pub commands: Option<Commands>,
    /// The past, if a ClickHouse is configured.
    pub archive: Option<Archive>,
    /// Feeds of which batches are taken, and the way to the ingests.
    pub feeds: Arc<[Decoder]>,
    pub pushes: Arc<Pushes>,
    pub access: Access,
    /// What happens, as it is committed, if this process hears it.
    pub live: Option<Live>,
    /// Who holds which number, if this process knows.
    pub names: Option<Names>,
    /// Sums of the fleet, for a while.
    sums: fleet::Sums,
    /// For commands on their way.
    room: limits::Room,
    /// As events name it.
    pub deployment: String,
    /// Where other instances are, and this one.
    pub owners: Arc<Owners>,
    pub address: String,
    pub peers: Peers,
}

/// What an instance always has.
pub struct Basis {
    pub board: Arc<Board>,
    pub workers: Arc<Workers>,
    pub pushes: Arc<Pushes>,
    pub metrics: PrometheusHandle,
    pub clock_supplied: bool,
    pub access: Access,
}

impl Api {
    /// One that answers of its own memory alone: what else there is, is set.
    #[must_use]
    pub fn new(basis: Basis) -> Self {
        let Basis { board, workers, pushes, metrics, clock_supplied, access } = basis;
        Self {
            board,
            workers,
            metrics,
            clock_supplied,
            commands: None,
            archive: None,
            access,
            owners: Arc::default(),
            address: String::new(),
            peers: peers(),
            feeds: Arc::default(),
            pushes,
            live: None,
            names: None,
            sums: Arc::default(),
            room: limits::Room::default(),
            deployment: String::new(),
        }
    }

    /// Whose time the log carries, as answers say it.
    fn clock(&self) -> &'static str {
        if self.clock_supplied { "supplied" } else { "log" }
    }

    /// When a command of a card is given now: where the clock is supplied, by its partition's log time, which alone knows.
    fn now_ms(&self, card: &str) -> i64 {
        if !self.clock_supplied {
            return wall_ms();
        }
        let partition = CardId::parse(card).map_or(0, |card| self.workers.partition_of(card));
        let held = self.board.partitions();
        let of_card = held.iter().find(|status| status.partition == partition).map(|status| status.log_time);
        let newest = of_card.or_else(|| held.iter().map(|status| status.log_time).max());
        newest.filter(|at| *at > 0).map_or_else(wall_ms, |at| at.saturating_mul(1_000))
    }
}

/// What is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Questions, orders and probes; metrics are elsewhere.
    Api,
    /// That, and metrics.
    All,
    /// Probes and metrics alone.
    Operations,
}

/// The routes of an address.
pub fn router(api: Api, serves: Serves) -> Router {
    let router = match serves {
        Serves::Api => questions_and_orders().merge(probes()),
        Serves::All => questions_and_orders().merge(probes()).merge(metering()),
        Serves::Operations => probes().merge(metering()),
    };
    let router = router
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .layer(middleware::from_fn(limits::body_in_time))
        .layer(middleware::from_fn_with_state(api.access.clone(), access::guard))
        .with_state(api);
    // Around the whole: `Allow` is put on outside of a router's own layers.
    Router::new().fallback_service(router).layer(middleware::map_response(problem::name_methods))
}

fn probes() -> Router<Api> {
    Router::new().route("/health/live", get(health::live)).route("/health/ready", get(health::ready))
}

fn metering() -> Router<Api> {
    Router::new().route("/metrics", get(health::metrics))
}

/// Orders of the operations team end when they are done: a drain of much state takes its time.
fn orders() -> Router<Api> {
    Router::new()
        .route("/v1/partitions/{partition}/skip", post(orders::skip))
        .route("/v1/drain", post(orders::drain))
}

/// All others are answered in time, streams by their beginning.
fn questions_and_orders() -> Router<Api> {
    let plain = Router::new()
        .route("/v1/cards/{iccid}", get(cards::card))
        .route("/v1/cards", post(commands::register))
        .route("/v1/cards/{iccid}/recharges", post(commands::recharge))
        .route("/v1/cards/{iccid}/rules", put(commands::rules))
        .route("/v1/cards/{iccid}/credits", post(commands::credits))
        .route("/v1/cards/{iccid}/commands", post(commands::any))
        .route("/v1/fleet", get(fleet::fleet))
        .route("/v1/quarantine/{id}/post", post(quarantine::post))
        .route("/v1/feeds", get(health::feeds))
        .route("/v1/partitions", get(health::partitions));
    let filtered = Router::new()
        .route("/openapi.json", get(openapi::openapi))
        // What a platform puts behind the address that it pushes to is its own affair.
        .route("/v1/feeds/{feed}", post(feeds::push))
        .route("/v1/cards/{iccid}/usage", get(usage::usage))
        .route("/v1/cards/{iccid}/events", get(events::of_card))
        .route("/v1/events", get(events::of_fleet))
        .route("/v1/quarantine", get(quarantine::list));
    let timely = without_filters(plain).merge(filtered).route_layer(middleware::from_fn(limits::in_time));
    timely.merge(without_filters(orders()))
}

/// A filter that nobody reads would be taken for one that was heeded.
fn without_filters(routes: Router<Api>) -> Router<Api> {
    routes.route_layer(middleware::from_fn(problem::no_filters))
}
