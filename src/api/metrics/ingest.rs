//! What ingest and the readers of folders tell: records by outcome, and how feeds stand.

use std::collections::{BTreeMap, BTreeSet};

use metrics::{Counter, Gauge, counter, gauge};

use super::{add, seconds, table};
use crate::ingest::gaps::Standing;
use crate::ingest::{IngestLedger, IngestOutcome, Source};
use crate::shell::FeedStatus;

/// Handles of an ingest.
pub struct IngestMetrics {
    read: [Counter; Source::ALL.len()],
    records: [[Counter; IngestOutcome::ALL.len()]; Source::ALL.len()],
    bytes: [[Counter; IngestOutcome::ALL.len()]; Source::ALL.len()],
    parked: Gauge,
    in_flight: Gauge,
    lag: Gauge,
    behind: Gauge,
    asides: [Counter; Source::ALL.len()],
    local_times: [Counter; 2],
    told: IngestLedger,
}

impl IngestMetrics {
    #[must_use]
    pub fn new() -> Self {
        let sources = ("input", Source::ALL.map(Source::name));
        let outcomes = ("outcome", IngestOutcome::ALL.map(IngestOutcome::name));
        Self {
            read: sources.1.map(|source| counter!("tidegauge_ingest_read_total", "input" => source)),
            records: table("tidegauge_ingest_records_total", sources, outcomes),
            bytes: table("tidegauge_ingest_bytes_total", sources, outcomes),
            parked: gauge!("tidegauge_parked_records"),
            in_flight: gauge!("tidegauge_input_in_flight_records"),
            lag: gauge!("tidegauge_input_lag_seconds"),
            behind: gauge!("tidegauge_input_lag_records"),
            asides: sources.1.map(|source| counter!("tidegauge_ingest_asides_total", "input" => source)),
            local_times: ["twice", "skipped"]
                .map(|kind| counter!("tidegauge_feed_local_times_total", "kind" => kind)),
            told: IngestLedger::default(),
        }
    }

    /// Takes up how many outside records were not read yet, where that is known.
    pub fn behind(&self, records: Option<u64>) {
        if let Some(records) = records {
            self.behind.set(records as f64);
        }
    }

    /// A new ingest follows, whose ledger begins at zero.
    pub fn anew(&mut self) {
        self.told = IngestLedger::default();
    }

    /// Takes up one step: the ledger as it stands, of which the part not yet told is added.
    pub fn step(&mut self, ledger: &IngestLedger, report: &crate::ingest::Report, clock_ms: i64) {
        self.lag.set(if report.idle { 0.0 } else { seconds(clock_ms - report.outside_ms) });
        self.parked.set(report.parked_held as f64);
        self.in_flight.set(report.in_flight_records as f64);
        self.counted(ledger);
    }

    /// Takes up the ledger alone: of a reader of files.
    pub fn counted(&mut self, ledger: &IngestLedger) {
        if *ledger == self.told {
            return;
        }
        for (s, source) in Source::ALL.into_iter().enumerate() {
            add(&self.read[s], ledger.read(source) - self.told.read(source));
            add(&self.asides[s], ledger.asides(source) - self.told.asides(source));
            for (o, outcome) in IngestOutcome::ALL.into_iter().enumerate() {
                add(
                    &self.records[s][o],
                    ledger.records(source, outcome) - self.told.records(source, outcome),
                );
                add(&self.bytes[s][o], ledger.bytes(source, outcome) - self.told.bytes(source, outcome));
            }
        }
        let (now, told) = (ledger.local_times(), self.told.local_times());
        add(&self.local_times[0], now.twice - told.twice);
        add(&self.local_times[1], now.skipped - told.skipped);
        self.told = *ledger;
    }
}

impl Default for IngestMetrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What one reader tells of its feeds.
#[derive(Debug, Default)]
pub struct FeedMetrics {
    /// Gaps opened that were told already.
    told: BTreeMap<String, u64>,
    /// Feeds whose state was told last: their gauges are this reader's.
    known: BTreeSet<String>,
}

impl FeedMetrics {
    /// A new reader follows, whose counts begin at zero.
    pub fn anew(&mut self) {
        self.told.clear();
    }

    /// Takes up how the feeds stand.
    pub fn stand(&mut self, standing: &[Standing], clock_ms: i64) {
        for feed in standing {
            let label = || [("feed", feed.feed.clone())];
            let told = self.told.entry(feed.feed.clone()).or_default();
            // Made at zero, so that the first gap is an increase.
            counter!("tidegauge_feed_gaps_total", &label()).increment(feed.opened.saturating_sub(*told));
            *told = feed.opened;
            // A reader that has none of its partitions knows nothing of it; what it knew is another's to tell.
            if feed.last_ms.is_none() && feed.newest.is_none() && feed.series == 0 {
                if self.known.remove(&feed.feed) {
                    gauge!("tidegauge_feed_gaps_open", &label()).set(0.0);
                    gauge!("tidegauge_feed_silent", &label()).set(0.0);
                }
                continue;
            }
            self.known.insert(feed.feed.clone());
            gauge!("tidegauge_feed_gaps_open", &label()).set(feed.open.len() as f64);
            gauge!("tidegauge_feed_silent", &label())
                .set(f64::from(u8::from(feed.silent_since_ms.is_some())));
            if let Some(newest) = feed.newest {
                let lag_ms = clock_ms.saturating_sub(newest.saturating_mul(1_000));
                gauge!("tidegauge_feed_event_lag_seconds", &label()).set(seconds(lag_ms));
            }
        }
    }

    /// Takes up how a feed's folder stands.
    pub fn folder(&self, status: &FeedStatus) {
        let Some(folder) = &status.folder else { return };
        let label = [("feed", status.standing.feed.clone())];
        gauge!("tidegauge_feed_files_waiting", &label).set(folder.waiting as f64);
        let (read, size) = folder.file.as_ref().map_or((0, 0), |file| (file.read, file.size));
        gauge!("tidegauge_feed_file_read_bytes", &label).set(read as f64);
        gauge!("tidegauge_feed_file_bytes", &label).set(size as f64);
        gauge!("tidegauge_feed_folder_trouble", &label).set(f64::from(u8::from(folder.trouble.is_some())));
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn what_was_told_of_a_feed_ends_with_its_last_partition() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let says = |value| {
            let text = handle.render();
            let series = format!("{}{{feed=\"f\"}} {value}", "tidegauge_feed_silent");
            assert!(text.contains(&series), "{text}");
        };
        let silent = Standing {
            feed: "f".to_owned(),
            last_ms: Some(1),
            silent_since_ms: Some(1),
            series: 1,
            ..Standing::default()
        };
        metrics::with_local_recorder(&recorder, || {
            let mut metrics = FeedMetrics::default();
            metrics.stand(&[silent], 0);
            says(1);
            metrics.anew();
            metrics.stand(&[Standing { feed: "f".to_owned(), ..Standing::default() }], 0);
        });
        says(0);
    }
}
