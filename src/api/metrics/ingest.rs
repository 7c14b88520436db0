//! What ingest and the readers of folders tell: records by outcome, and how feeds stand.

use std::collections::BTreeMap;

use metrics::{Counter, Gauge, counter, gauge};

use super::{add, seconds, table};
use crate::ingest::gaps::Standing;
use crate::ingest::{IngestLedger, IngestOutcome, Source};
use crate::model::UnixTime;
use crate::shell::{FeedStatus, InputStatus};

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

    /// A new ingest follows, whose ledger begins at zero.
    pub fn anew(&mut self) {
        self.told = IngestLedger::default();
    }

    /// Takes up how the ingests of this process stand, all of them: whoever tells it, tells the same.
    pub fn stand(&self, input: InputStatus) {
        self.parked.set(input.parked as f64);
        self.in_flight.set(input.in_flight as f64);
        self.behind.set(input.behind as f64);
        self.lag.set(seconds(input.lag_ms));
    }

    /// Takes up the ledger as it stands, of which the part not yet told is added.
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
}

impl FeedMetrics {
    /// A new reader follows, whose counts begin at zero.
    pub fn anew(&mut self) {
        self.told.clear();
    }

    /// Takes up the gaps that this reader has opened.
    pub fn count(&mut self, standing: &[Standing]) {
        for feed in standing {
            let told = self.told.entry(feed.feed.clone()).or_default();
            // Made at zero, so that the first gap is an increase.
            counter!("tidegauge_feed_gaps_total", "feed" => feed.feed.clone())
                .increment(feed.opened.saturating_sub(*told));
            *told = feed.opened;
        }
    }

    /// Takes up how feeds stand, by what all readers of this process have seen of them: each has some partitions of a feed.
    pub fn stand(&self, watched: &[FeedStatus], clock_ms: i64) {
        let mut feeds: BTreeMap<&str, (usize, bool, Option<UnixTime>)> = BTreeMap::new();
        for FeedStatus { standing, .. } in watched {
            let (open, silent, newest) = feeds.entry(&standing.feed).or_default();
            *open += standing.open.len();
            *silent |= standing.silent_since_ms.is_some();
            *newest = standing.newest.max(*newest);
        }
        for (feed, (open, silent, newest)) in feeds {
            let label = || [("feed", feed.to_owned())];
            gauge!("tidegauge_feed_gaps_open", &label()).set(open as f64);
            gauge!("tidegauge_feed_silent", &label()).set(f64::from(u8::from(silent)));
            if let Some(newest) = newest {
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
    fn a_feed_stands_as_all_its_readers_have_it_and_what_was_told_ends_with_its_last_partition() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let says = |name: &str, value: u8| {
            let text = handle.render();
            assert!(text.contains(&format!("{name}{{feed=\"f\"}} {value}\n")), "{text}");
        };
        let of = |silent_since_ms, newest| {
            let standing = Standing { feed: "f".to_owned(), silent_since_ms, newest, ..Standing::default() };
            FeedStatus { standing, folder: None }
        };
        let metrics = FeedMetrics::default();
        metrics::with_local_recorder(&recorder, || {
            metrics.stand(&[of(Some(1), Some(5)), of(None, Some(7))], 10_000);
            says("tidegauge_feed_silent", 1);
            says("tidegauge_feed_event_lag_seconds", 3);
            metrics.stand(&[of(None, None), of(None, None)], 11_000);
        });
        says("tidegauge_feed_silent", 0);
    }
}
