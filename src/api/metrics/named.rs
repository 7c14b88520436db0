//! Every metric by name, with its labels and its meaning: what `/metrics` says in its HELP lines, and
//! `docs/reference/metrics.md` in a table.
//!
//! Invariant: nothing is counted under a name that is not here (`tests/reference` looks).

/// What Prometheus calls its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub means: &'static str,
}

impl Kind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    means: &'static str,
) -> Metric {
    Metric { name, kind, labels, means }
}

use Kind::{Counter, Gauge, Histogram};

/// All of them.
pub const METRICS: &[Metric] = &[
    metric("tidegauge_records_total", Counter, &["input", "outcome"], "records folded, by input and outcome"),
    metric("tidegauge_bytes_total", Counter, &["input", "outcome"], "bytes folded, by input and outcome"),
    metric("tidegauge_events_total", Counter, &["type"], "events committed, by type"),
    metric(
        "tidegauge_ingest_read_total",
        Counter,
        &["input"],
        "outside records read, by source: the sum of what became of them",
    ),
    metric(
        "tidegauge_ingest_records_total",
        Counter,
        &["input", "outcome"],
        "outside records read, by source and outcome",
    ),
    metric(
        "tidegauge_ingest_bytes_total",
        Counter,
        &["input", "outcome"],
        "bytes of outside messages, by source and outcome",
    ),
    metric(
        "tidegauge_ingest_asides_total",
        Counter,
        &["input"],
        "what came among records and is none: an SMS in a feed, a poll that failed; no part of the ledger",
    ),
    metric(
        "tidegauge_feed_local_times_total",
        Counter,
        &["kind"],
        "local times of feeds that the clock change made twice or skipped",
    ),
    metric("tidegauge_event_streams", Gauge, &[], "streams of events that clients follow here"),
    metric("tidegauge_parked_records", Gauge, &[], "records that wait for their card's registration"),
    metric(
        "tidegauge_input_in_flight_records",
        Gauge,
        &[],
        "outside records read and not yet acknowledged by the log",
    ),
    metric("tidegauge_input_lag_records", Gauge, &[], "outside records that were not read yet"),
    metric(
        "tidegauge_input_lag_seconds",
        Gauge,
        &[],
        "age of the newest outside message read; 0 when all has been read",
    ),
    metric(
        "tidegauge_log_lag_seconds",
        Gauge,
        &["partition"],
        "age of a partition's log time by this machine's clock",
    ),
    metric(
        "tidegauge_clock_skew_seconds",
        Gauge,
        &[],
        "newest log time less this machine's clock: above zero the log runs ahead",
    ),
    metric(
        "tidegauge_feed_gaps_total",
        Counter,
        &["feed"],
        "gaps opened: numbers that nodes or files skipped, records that nodes say they lost, and silences",
    ),
    metric("tidegauge_feed_gaps_open", Gauge, &["feed"], "gaps of a feed that are open, silence included"),
    metric(
        "tidegauge_feed_silent",
        Gauge,
        &["feed"],
        "1 while a feed is silent for longer than its rhythm or its block allows",
    ),
    metric(
        "tidegauge_feed_event_lag_seconds",
        Gauge,
        &["feed"],
        "age of the newest record of a feed, by its own time",
    ),
    metric("tidegauge_feed_files_waiting", Gauge, &["feed"], "files that wait in a feed's folder"),
    metric(
        "tidegauge_feed_file_read_bytes",
        Gauge,
        &["feed"],
        "bytes read of the file in hand of a feed's folder, as it stands on the disk; 0 without one",
    ),
    metric(
        "tidegauge_feed_file_bytes",
        Gauge,
        &["feed"],
        "size of the file in hand of a feed's folder; 0 without one",
    ),
    metric(
        "tidegauge_feed_folder_trouble",
        Gauge,
        &["feed"],
        "1 while a feed's folder cannot be read; GET /v1/feeds says why",
    ),
    metric(
        "tidegauge_feed_freshness_seconds",
        Gauge,
        &["feed"],
        "since the last record of a feed, in any partition here",
    ),
    metric("tidegauge_catalogue_version", Gauge, &["partition"], "catalogue in force, by partition"),
    metric("tidegauge_partitions", Gauge, &["state"], "partitions held, by state"),
    metric("tidegauge_cards", Gauge, &["state"], "cards, by state"),
    metric("tidegauge_state_bytes", Gauge, &[], "memory of the meters' state"),
    metric("tidegauge_worker_seconds_total", Counter, &["state"], "where a worker's time goes"),
    metric("tidegauge_fold_seconds", Histogram, &[], "a worker's step that folded something"),
    metric("tidegauge_commit_seconds", Histogram, &[], "from a commit's beginning to its known end"),
    metric("tidegauge_commits_lost_total", Counter, &[], "partitions lost in the middle of a commit"),
    metric(
        "tidegauge_ingest_latency_seconds",
        Histogram,
        &[],
        "outside record's Kafka time to the commit of its fold, oldest of a batch",
    ),
    metric(
        "tidegauge_alert_latency_seconds",
        Histogram,
        &[],
        "outside record's Kafka time to the commit of the alert it caused",
    ),
    metric("tidegauge_restore_seconds", Histogram, &[], "from assignment to live"),
    metric(
        "tidegauge_replay_debt_records",
        Gauge,
        &[],
        "records that a restore would replay (an event counts as eight), most indebted partition",
    ),
    metric(
        "tidegauge_checkpoint_age_seconds",
        Gauge,
        &[],
        "log time since the oldest live chunk, oldest partition",
    ),
    metric(
        "tidegauge_rollup_dirty_cards",
        Gauge,
        &[],
        "cards with changes that ClickHouse has not acknowledged",
    ),
    metric("tidegauge_rollup_flush_seconds", Histogram, &[], "one insert into ClickHouse"),
    metric(
        "tidegauge_rollup_errors_total",
        Counter,
        &["code"],
        "inserts into ClickHouse that failed, by its error number",
    ),
    metric(
        "tidegauge_restarts_total",
        Counter,
        &["thread", "why"],
        "work of threads that was begun anew: it had failed, or panicked",
    ),
    metric("tidegauge_build_info", Gauge, &["version"], "the version that runs"),
];
