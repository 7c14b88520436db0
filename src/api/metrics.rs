//! Metrics: every name in one place, handles made once (a macro with labels costs a look-up a call).
//!
//! No label carries a card. Histograms have buckets of their own; counters that a report gives as sums are added as such,
//! so that both ledgers of the domain (C1) can be added up from what Prometheus holds.

mod ingest;
mod named;

pub use ingest::{FeedMetrics, IngestMetrics};

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;

pub use named::{Kind, METRICS, Metric};

use crate::limits::METRICS_UPKEEP_MS;
use crate::meter::CardCounts;
use crate::model::{Input, Outcome, UnixTime};
use crate::worker::{PartitionStatus, Report, StateName};

/// Buckets of latencies, seconds: fine around what a commit takes, coarse around an outage.
const LATENCY_S: [f64; 16] =
    [0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.125, 0.2, 0.4, 1.0, 3.0, 10.0, 60.0, 600.0];
/// How long a gauge is shown that nobody sets any more.
const GAUGES_LAST: Duration = Duration::from_mins(2);
/// Buckets of work, seconds.
const WORK_S: [f64; 12] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0];

/// Installs the recorder. Once a process.
///
/// # Errors
/// When one is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("tidegauge_alert_latency_seconds".to_owned()), &LATENCY_S)?
        .set_buckets_for_metric(Matcher::Full("tidegauge_ingest_latency_seconds".to_owned()), &LATENCY_S)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &WORK_S)?
        // A partition or a feed that has gone elsewhere is not shown as it was last.
        .idle_timeout(MetricKindMask::GAUGE, Some(GAUGES_LAST))
        .install_recorder()?;
    describe();
    Ok(handle)
}

/// Sums up what was observed, for as long as the process runs: else it would grow where nobody asks for it.
pub async fn upkeep(handle: PrometheusHandle) {
    upkeep_every(Duration::from_millis(METRICS_UPKEEP_MS), handle).await;
}

/// The same, as often as a test has it.
pub async fn upkeep_every(pause: Duration, handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(pause).await;
        handle.run_upkeep();
    }
}

fn describe() {
    for Metric { name, kind, means, .. } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *means),
            Kind::Gauge => describe_gauge!(*name, *means),
            Kind::Histogram => describe_histogram!(*name, *means),
        }
    }
}

fn table<const R: usize, const C: usize>(
    name: &'static str,
    row: (&'static str, [&'static str; R]),
    column: (&'static str, [&'static str; C]),
) -> [[Counter; C]; R] {
    row.1.map(|r| column.1.map(|c| counter!(name, row.0 => r, column.0 => c)))
}

/// Handles of a worker.
pub struct WorkerMetrics {
    records: [[Counter; 7]; 3],
    bytes: [[Counter; 7]; 3],
    fold: Histogram,
    commit: Histogram,
    latency: Histogram,
    alert_latency: Histogram,
    restore: Histogram,
    lost: Counter,
    folding: Seconds,
    waiting: Seconds,
    other: Seconds,
}

/// A counter of whole seconds, as the facade has it, that loses no part of one.
struct Seconds {
    counter: Counter,
    rest: Duration,
}

impl Seconds {
    fn of(state: &'static str) -> Self {
        Self { counter: counter!("tidegauge_worker_seconds_total", "state" => state), rest: Duration::ZERO }
    }

    fn add(&mut self, took: Duration) {
        let sum = self.rest + took;
        self.rest = Duration::from_nanos(u64::from(sum.subsec_nanos()));
        add(&self.counter, sum.as_secs());
    }
}

impl WorkerMetrics {
    #[must_use]
    pub fn new() -> Self {
        let inputs = ("input", Input::ALL.map(Input::name));
        let outcomes = ("outcome", Outcome::ALL.map(Outcome::name));
        Self {
            records: table("tidegauge_records_total", inputs, outcomes),
            bytes: table("tidegauge_bytes_total", inputs, outcomes),
            fold: histogram!("tidegauge_fold_seconds"),
            commit: histogram!("tidegauge_commit_seconds"),
            latency: histogram!("tidegauge_ingest_latency_seconds"),
            alert_latency: histogram!("tidegauge_alert_latency_seconds"),
            restore: histogram!("tidegauge_restore_seconds"),
            lost: counter!("tidegauge_commits_lost_total"),
            folding: Seconds::of("folding"),
            waiting: Seconds::of("waiting"),
            other: Seconds::of("other"),
        }
    }

    /// Takes up what one step did.
    pub fn step(&mut self, report: &Report, took: Duration) {
        self.time(report, took);
        for (i, input) in Input::ALL.into_iter().enumerate() {
            for (o, outcome) in Outcome::ALL.into_iter().enumerate() {
                add(&self.records[i][o], report.ledger.records(input, outcome));
                add(&self.bytes[i][o], report.ledger.bytes(input, outcome));
            }
        }
        for commit in &report.commits {
            self.commit.record(seconds(commit.took_ms));
            commit.latency_ms.iter().for_each(|ms| self.latency.record(seconds(*ms)));
            commit.alert_latency_ms.iter().for_each(|ms| self.alert_latency.record(seconds(*ms)));
        }
        for (kind, count) in &report.events {
            counter!("tidegauge_events_total", "type" => *kind).increment(*count);
        }
        report.restored.iter().for_each(|(_, ms)| self.restore.record(seconds(*ms)));
        add(&self.lost, report.commits_lost);
    }

    fn time(&mut self, report: &Report, took: Duration) {
        if report.records > 0 {
            self.fold.record(took.as_secs_f64());
            self.folding.add(took);
        } else if report.idle {
            self.waiting.add(took);
        } else {
            self.other.add(took);
        }
    }
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets the gauge of event streams that clients follow here.
pub fn event_streams(open: usize) {
    gauge!("tidegauge_event_streams").set(open as f64);
}

/// Sets the gauges that speak for all partitions of this process. `clock_ms`: the machine's clock, milliseconds since 1970.
pub fn partitions(all: &[PartitionStatus], clock_ms: i64) {
    const STATES: [StateName; 6] = [
        StateName::Restoring,
        StateName::Running,
        StateName::Halted,
        StateName::Leaving,
        StateName::Drained,
        StateName::Lost,
    ];
    gauge!("tidegauge_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for state in STATES {
        let count = all.iter().filter(|s| s.state == state).count();
        gauge!("tidegauge_partitions", "state" => state.name()).set(count as f64);
    }
    let sum = |of: fn(&PartitionStatus) -> f64| all.iter().map(of).sum::<f64>();
    let max = |of: fn(&PartitionStatus) -> f64| all.iter().map(of).fold(0.0, f64::max);
    gauge!("tidegauge_state_bytes").set(sum(|s| s.state_bytes as f64));
    gauge!("tidegauge_rollup_dirty_cards").set(sum(|s| s.dirty_cards as f64));
    gauge!("tidegauge_replay_debt_records").set(max(|s| s.replay_debt_records as f64));
    gauge!("tidegauge_checkpoint_age_seconds").set(max(|s| s.checkpoint_age_s as f64));
    let cards = |of: fn(&CardCounts) -> u64| all.iter().map(|s| of(&s.cards)).sum::<u64>() as f64;
    gauge!("tidegauge_cards", "state" => "registered").set(cards(|c| c.registered));
    gauge!("tidegauge_cards", "state" => "active").set(cards(|c| c.active));
    gauge!("tidegauge_cards", "state" => "suspended").set(cards(|c| c.suspended));
    gauge!("tidegauge_cards", "state" => "cancelled").set(cards(|c| c.cancelled));
    gauge!("tidegauge_clock_skew_seconds").set(max(|s| s.log_time as f64) - clock_ms as f64 / 1000.0);
    for (feed, last) in last_heard(all) {
        gauge!("tidegauge_feed_freshness_seconds", "feed" => feed)
            .set((clock_ms / 1000 - last).max(0) as f64);
    }
    for status in all {
        let labels = [("partition", status.partition.to_string())];
        gauge!("tidegauge_log_lag_seconds", &labels).set((clock_ms / 1000 - status.log_time).max(0) as f64);
        gauge!("tidegauge_catalogue_version", &labels).set(f64::from(status.catalogue_version));
    }
}

/// When each feed was last heard of, in any partition.
fn last_heard(all: &[PartitionStatus]) -> BTreeMap<String, UnixTime> {
    let mut last = BTreeMap::new();
    for heard in all.iter().flat_map(|status| &status.feeds) {
        let at = last.entry(heard.feed.clone()).or_insert(heard.last);
        *at = heard.last.max(*at);
    }
    last
}

fn add(counter: &Counter, more: u64) {
    if more > 0 {
        counter.increment(more);
    }
}

fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1000.0
}
