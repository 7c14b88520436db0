//! What the writers have done and what fails, for metrics, `/health/ready` and the live view.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Failure;

/// Counts since the start, and the tables that cannot be written now.
#[derive(Debug, Default)]
pub struct WriteStats {
    rows: AtomicU64,
    inserts: AtomicU64,
    errors: AtomicU64,
    failing: Mutex<BTreeMap<&'static str, Failure>>,
}

impl WriteStats {
    /// Rows that ClickHouse has acknowledged, repeats by a retry counted once.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Inserts that succeeded.
    #[must_use]
    pub fn inserts(&self) -> u64 {
        self.inserts.load(Relaxed)
    }

    /// Tries that failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Tables whose last try failed, and by what.
    #[must_use]
    pub fn failing(&self) -> Vec<(&'static str, Failure)> {
        self.failing_now().iter().map(|(table, failure)| (*table, failure.clone())).collect()
    }

    pub(super) fn written(&self, table: &'static str, rows: usize, took: Duration) {
        self.rows.fetch_add(rows as u64, Relaxed);
        self.inserts.fetch_add(1, Relaxed);
        self.failing_now().remove(table);
        metrics::histogram!("tidegauge_rollup_flush_seconds").record(took);
    }

    pub(super) fn failed(&self, table: &'static str, failure: Failure) {
        self.errors.fetch_add(1, Relaxed);
        metrics::counter!("tidegauge_rollup_errors_total", "code" => failure.code.to_string()).increment(1);
        self.failing_now().insert(table, failure);
    }

    /// What failed and is not a table fails no more.
    pub(super) fn mended(&self, what: &'static str) {
        self.failing_now().remove(what);
    }

    /// A map is whole whatever its last writer did: poison means nothing here.
    fn failing_now(&self) -> MutexGuard<'_, BTreeMap<&'static str, Failure>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
