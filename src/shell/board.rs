//! What the workers and ingests of this process last said of themselves: read by health, metrics and the demo.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ingest::gaps::Standing;
use crate::ingest::{IngestLedger, Report as IngestReport};
use crate::model::Ledger;
use crate::worker::{PartitionStatus, Report, StateName};

/// Characters of an error that are shown: the log has it whole.
const WHY_CHARS_MAX: usize = 300;

/// The board. Written a few times a second, so a lock will do.
#[derive(Debug, Default)]
pub struct Board(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    workers: BTreeMap<usize, Vec<PartitionStatus>>,
    workers_expected: usize,
    ingests: BTreeMap<usize, IngestSaid>,
    ingests_expected: usize,
    /// Why a worker has ended, by its number, until the one in its place has joined ...
    workers_ended: BTreeMap<usize, String>,
    /// ... and an ingest, until the one in its place has read the directory.
    ingests_ended: BTreeMap<usize, String>,
    feeds: BTreeMap<String, Vec<FeedStatus>>,
    ledger: Ledger,
    events: BTreeMap<&'static str, u64>,
    stopping: bool,
}

/// What an ingest said last.
#[derive(Debug, Clone, Default)]
struct IngestSaid {
    ledger: IngestLedger,
    report: IngestReport,
    /// Outside records that it has not read yet, when that was known last.
    behind: u64,
}

/// How the ingests of this process stand, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputStatus {
    /// Records that wait for their card.
    pub parked: u64,
    /// Outside records read and not acknowledged by the log.
    pub in_flight: u64,
    /// Outside records that were not read yet.
    pub behind: u64,
    /// Age of the newest outside message of the ingest that is behind most; 0 where all has been read.
    pub lag_ms: i64,
}

/// How a feed stands, by what one reader of this process has seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedStatus {
    pub standing: Standing,
    /// Where its files are dropped, of a feed that comes so.
    pub folder: Option<FolderStatus>,
}

/// How a feed's folder stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FolderStatus {
    pub path: String,
    /// Files that wait, with the one in hand.
    pub waiting: usize,
    pub file: Option<InHand>,
    /// Why nothing is read.
    pub trouble: Option<String>,
}

/// The file that is read of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InHand {
    pub name: String,
    /// The byte of its content that has been reached: behind the last record taken.
    pub byte: u64,
    /// Bytes that were read of it, as it stands on the disk ...
    pub read: u64,
    /// ... and how many it has there.
    pub size: u64,
}

impl InHand {
    /// How much of it was read, percent.
    #[must_use]
    pub fn percent(&self) -> u64 {
        self.read.min(self.size).saturating_mul(100).checked_div(self.size).unwrap_or(100)
    }
}

/// Whether this process is ready, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Readiness {
    pub ready: bool,
    pub why: Vec<String>,
    pub partitions: Vec<PartitionStatus>,
}

impl Board {
    /// A board for so many workers and ingests.
    #[must_use]
    pub fn new(workers: usize, ingests: usize) -> Self {
        Self(Mutex::new(Said { workers_expected: workers, ingests_expected: ingests, ..Said::default() }))
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Every write is whole: a panic elsewhere leaves nothing half said.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker that the group has told which partitions are its own.
    pub fn worker(&self, worker: usize, partitions: Vec<PartitionStatus>) {
        let mut said = self.said();
        said.workers_ended.remove(&worker);
        said.workers.insert(worker, partitions);
    }

    /// A worker has failed, and the one made in its place has not joined yet.
    pub fn worker_ended(&self, worker: usize) {
        self.said().workers.remove(&worker);
    }

    /// Why it has, for readiness.
    pub fn worker_ended_by(&self, worker: usize, why: &str) {
        self.said().workers_ended.insert(worker, short(why));
    }

    pub fn committed(&self, report: &Report) {
        let mut said = self.said();
        said.ledger.merge(&report.ledger);
        for (kind, count) in &report.events {
            *said.events.entry(kind).or_default() += count;
        }
    }

    /// What an ingest says of itself; `behind` where it is known how much it has not read.
    pub fn ingest(&self, ingest: usize, ledger: IngestLedger, report: IngestReport, behind: Option<u64>) {
        let mut said = self.said();
        let before = said.ingests.get(&ingest).map_or(0, |said| said.behind);
        let behind = behind.unwrap_or(before);
        if report.directory_ready {
            said.ingests_ended.remove(&ingest);
        }
        said.ingests.insert(ingest, IngestSaid { ledger, report, behind });
    }

    /// How far the ingests here are, at a time.
    #[must_use]
    pub fn input(&self, now_ms: i64) -> InputStatus {
        self.said().ingests.values().fold(InputStatus::default(), |sum, IngestSaid { report, behind, .. }| {
            let lag_ms = if report.idle { 0 } else { now_ms.saturating_sub(report.outside_ms) };
            InputStatus {
                parked: sum.parked.saturating_add(report.parked_held as u64),
                in_flight: sum.in_flight.saturating_add(report.in_flight_records as u64),
                behind: sum.behind.saturating_add(*behind),
                lag_ms: sum.lag_ms.max(lag_ms),
            }
        })
    }

    /// An ingest has failed, and the one made in its place does not know the cards yet. What was read before stays counted.
    pub fn ingest_ended(&self, ingest: usize) {
        if let Some(said) = self.said().ingests.get_mut(&ingest) {
            said.report.directory_ready = false;
        }
    }

    /// Why it has, for readiness.
    pub fn ingest_ended_by(&self, ingest: usize, why: &str) {
        self.said().ingests_ended.insert(ingest, short(why));
    }

    /// What a reader says of its feeds.
    pub fn feeds(&self, reader: &str, feeds: Vec<FeedStatus>) {
        self.said().feeds.insert(reader.to_owned(), feeds);
    }

    /// What the readers of this process last said of their feeds.
    #[must_use]
    pub fn watched(&self) -> Vec<FeedStatus> {
        self.said().feeds.values().flatten().cloned().collect()
    }

    pub fn stopping(&self) {
        self.said().stopping = true;
    }

    /// Every partition of every worker here.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionStatus> {
        self.said().workers.values().flatten().cloned().collect()
    }

    /// Outcomes of the records committed since this process began.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.said().ledger
    }

    /// Events committed since this process began, by type.
    #[must_use]
    pub fn events(&self) -> BTreeMap<&'static str, u64> {
        self.said().events.clone()
    }

    /// What ingest has read since this process began.
    #[must_use]
    pub fn ingest_ledger(&self) -> IngestLedger {
        let mut sum = IngestLedger::default();
        self.said().ingests.values().for_each(|said| sum.merge(&said.ledger));
        sum
    }

    /// Whether an ingest here has read the directory to its end.
    #[must_use]
    pub fn directory_ready(&self) -> bool {
        self.said().ingests.values().any(|said| said.report.directory_ready)
    }

    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let said = self.said();
        let partitions: Vec<PartitionStatus> = said.workers.values().flatten().cloned().collect();
        let mut why = Vec::new();
        if said.stopping {
            why.push("stopping".to_owned());
        }
        if said.workers.len() < said.workers_expected {
            let joined = format!("{} of {} workers have joined", said.workers.len(), said.workers_expected);
            why.push(with_why(joined, &said.workers_ended));
        }
        let ingests = said.ingests.values().filter(|said| said.report.directory_ready).count();
        if ingests < said.ingests_expected {
            let read = format!("{ingests} of {} ingests have read the directory", said.ingests_expected);
            why.push(with_why(read, &said.ingests_ended));
        }
        let drained = partitions.iter().filter(|status| status.state == StateName::Drained).count();
        if drained > 0 && !said.stopping {
            why.push(format!(
                "{drained} partitions are drained: they fold no more until this instance is started again"
            ));
        }
        for status in &partitions {
            match status.state {
                StateName::Restoring => why.push(format!("partition {} is restoring", status.partition)),
                StateName::Halted => {
                    why.push(format!("partition {} has halted: {}", status.partition, status.halted));
                }
                StateName::Running | StateName::Leaving | StateName::Drained | StateName::Lost => {}
            }
        }
        Readiness { ready: why.is_empty(), why, partitions }
    }
}

/// A sentence about those that are missing, with why one of them has ended, where that is known.
fn with_why(sentence: String, ended: &BTreeMap<usize, String>) -> String {
    match ended.values().next() {
        Some(why) => format!("{sentence}: {why}"),
        None => sentence,
    }
}

/// As much of an error as is shown.
fn short(why: &str) -> String {
    match why.char_indices().nth(WHY_CHARS_MAX) {
        Some((end, _)) => format!("{}…", why.get(..end).unwrap_or_default()),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_missing_is_told_with_why_the_last_one_ended() {
        let board = Board::new(1, 1);
        let (joined, read) = ("0 of 1 workers have joined", "0 of 1 ingests have read the directory");
        assert_eq!(board.readiness().why, [joined, read]);
        board.worker_ended_by(0, "asking b:9092: refused");
        board.ingest_ended_by(0, "following b:9092: refused");
        let told =
            [format!("{joined}: asking b:9092: refused"), format!("{read}: following b:9092: refused")];
        assert_eq!(board.readiness().why, told);
        board.worker(0, Vec::new());
        let ready = IngestReport { directory_ready: true, ..IngestReport::default() };
        board.ingest(0, IngestLedger::default(), ready, None);
        assert!(board.readiness().ready);
        board.worker_ended(0);
        assert_eq!(board.readiness().why, [joined], "what was mended is not told again");
    }

    #[test]
    fn an_error_is_shown_only_so_far() {
        assert_eq!(short("away"), "away");
        let shown = short(&"é".repeat(10_000));
        assert_eq!((shown.chars().count(), shown.ends_with('…')), (WHY_CHARS_MAX + 1, true));
    }
}
