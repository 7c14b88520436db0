//! What ingest is told, and what it reports.

use std::sync::Arc;

use super::formats::Decoder;
use super::gaps::Watch;
use crate::limits;
use crate::log::Topic;
use crate::model::Clock;

/// How ingest runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of the deployment, the `source` of its events.
    pub deployment: String,
    pub clock: Clock,
    /// How long one poll may wait for a first message when nothing else is due, milliseconds; 0 = never.
    pub wait_ms: u64,
    pub bounds: Bounds,
    /// Feeds that come by topics of their own.
    pub feeds: Arc<[RawFeed]>,
    /// Feeds of which batches may be pushed.
    pub pushed: Arc<[Decoder]>,
}

/// A feed that comes by a topic of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFeed {
    pub topic: Topic,
    pub decoder: Decoder,
    pub watch: Watch,
}

impl Options {
    #[must_use]
    pub fn new(deployment: &str, clock: Clock) -> Self {
        Self {
            deployment: deployment.to_owned(),
            clock,
            wait_ms: 0,
            bounds: Bounds::default(),
            feeds: Arc::default(),
            pushed: Arc::default(),
        }
    }
}

/// Bounds of one ingest; smaller ones in tests, so that tests meet them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Records read and not yet acknowledged: here nothing more is read, until half of them are left.
    pub in_flight_records: usize,
    pub in_flight_bytes: usize,
    /// Records parked in memory: the parked topic pauses here.
    pub parked_records: usize,
    pub parked_bytes: usize,
    /// Of one identity; beyond they are unknown.
    pub parked_per_identity: usize,
    pub poll_records: usize,
    pub poll_bytes: usize,
    pub linger_ms: i64,
    pub commit_every_ms: i64,
}

impl Bounds {
    /// Records between the oldest in flight and the newest read, of all sources: one log partition that does not answer
    /// must not let the others run on for ever.
    pub(super) fn in_flight_span(&self) -> usize {
        self.in_flight_records.saturating_mul(limits::IN_FLIGHT_SPAN)
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            in_flight_records: limits::IN_FLIGHT_RECORDS_MAX,
            in_flight_bytes: limits::IN_FLIGHT_BYTES_MAX,
            parked_records: limits::PARKED_RECORDS_MAX,
            parked_bytes: limits::PARKED_BYTES_MAX,
            parked_per_identity: limits::PARKED_PER_IDENTITY_MAX,
            poll_records: limits::INGEST_POLL_RECORDS,
            poll_bytes: limits::INGEST_POLL_BYTES,
            linger_ms: limits::PACK_LINGER_MS,
            commit_every_ms: limits::INGEST_COMMIT_EVERY_MS,
        }
    }
}

/// What one step did, and how things stand after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Outside messages taken in this step.
    pub read: usize,
    /// Messages acknowledged by the log in this step.
    pub acked: usize,
    /// Records read and not yet acknowledged, and their bytes.
    pub in_flight_records: usize,
    pub in_flight_bytes: usize,
    /// Parked records held in memory.
    pub parked_held: usize,
    /// Whether the directory has been read to the end that it had at the start.
    pub directory_ready: bool,
    /// Newest time of the outside messages read so far, milliseconds since 1970; 0 = none.
    pub outside_ms: i64,
    /// Whether something is not read just now: at a bound, or before the directory has been read.
    pub paused: bool,
    /// Nothing in flight, nothing waiting, every finished offset committed.
    pub idle: bool,
    /// When the next step is due at the latest, in the caller's milliseconds; `None` = when messages come.
    pub due_ms: Option<i64>,
}
