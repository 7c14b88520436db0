//! Writes rows until they are there: one portion after the other, each tried for ever.
//!
//! Invariant: a portion is left only when ClickHouse has answered for all of it. After a timeout or a broken answer its
//! rows may be there already; they are sent again, and their versions make that harmless. Only the tables' engine makes it so:
//! a writer that is told to look first ([`Writer::after_check`]) writes nothing before the tables were found to be right.

use std::sync::Arc;
use std::time::Duration;

use clickhouse::{RowOwned, RowWrite};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::rows::Columns;
use super::schema::check_schema;
use super::{Backoff, Client, Failure, Verdict, WriteStats, portions};
use crate::limits::RETRY_MAX_MS;

/// A client and its patience. One portion of a table is under way at a time: callers of [`Self::write`] see to it.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    stats: Arc<WriteStats>,
    /// How often what needs somebody to act is tried.
    keep_retry: Duration,
    /// Set once the tables were found to be right, for all clones; `None`: nobody looks.
    right: Option<Arc<OnceCell<()>>>,
}

/// What fails as long as the tables are not those of this program.
const SCHEMA: &str = "system.columns";

impl Writer {
    #[must_use]
    pub fn new(client: Client) -> Self {
        let keep_retry = Duration::from_millis(RETRY_MAX_MS);
        Self { client, stats: Arc::default(), keep_retry, right: None }
    }

    /// Tries what needs somebody to act each `wait` instead of each 30 s.
    #[must_use]
    pub fn with_keep_retry(self, wait: Duration) -> Self {
        Self { keep_retry: wait, ..self }
    }

    /// Writes nothing before the tables were found to be as this program has them.
    #[must_use]
    pub fn after_check(self) -> Self {
        Self { right: Some(Arc::default()), ..self }
    }

    /// Returns once the tables are right, if they are to be looked at. One looks, whoever else waits shares the answer.
    pub async fn checked(&self) {
        if let Some(right) = &self.right {
            right.get_or_init(|| self.until_right()).await;
        }
    }

    async fn until_right(&self) {
        let mut backoff = Backoff::new(jitter_seed());
        while let Err(error) = check_schema(&self.client).await {
            let text = error.to_string();
            let failure = Failure::from(error);
            let wait = self.wait_after(&failure, &mut backoff);
            tracing::error!(
                code = %failure.code,
                "ClickHouse: {text}; rows wait, metering and alerts go on; again in {:.1} s", wait.as_secs_f32()
            );
            self.stats.failed(SCHEMA, failure);
            sleep(wait).await;
        }
        self.stats.mended(SCHEMA);
    }

    /// What was written, and what fails.
    #[must_use]
    pub fn stats(&self) -> Arc<WriteStats> {
        Arc::clone(&self.stats)
    }

    /// Writes sorted rows of one table. Returns when all are there.
    pub async fn write<R>(&self, rows: &[R])
    where
        R: Columns + RowOwned + RowWrite,
    {
        for portion in portions(rows) {
            self.write_portion(portion).await;
        }
    }

    async fn write_portion<R>(&self, rows: &[R])
    where
        R: Columns + RowOwned + RowWrite,
    {
        self.checked().await;
        let mut backoff = Backoff::new(jitter_seed());
        loop {
            let began = Instant::now();
            let Err(failure) = self.client.insert(rows).await else {
                return self.stats.written(R::TABLE, rows.len(), began.elapsed());
            };
            let wait = self.wait_after(&failure, &mut backoff);
            tell(R::TABLE, rows.len(), &failure, backoff.tries(), wait);
            self.stats.failed(R::TABLE, failure);
            self.client.forget_schema().await;
            sleep(wait).await;
        }
    }

    fn wait_after(&self, failure: &Failure, backoff: &mut Backoff) -> Duration {
        let soon = backoff.next_wait();
        match failure.verdict {
            Verdict::Retry => soon,
            Verdict::Keep => self.keep_retry,
        }
    }
}

/// Load passes with a word; what needs somebody is shouted each time.
fn tell(table: &str, rows: usize, failure: &Failure, tries: u32, wait: Duration) {
    let wait_s = wait.as_secs_f32();
    match failure.verdict {
        Verdict::Retry => {
            tracing::warn!(table, rows, code = %failure.code, tries, "rows not written: {failure}; again in {wait_s:.1} s");
        }
        Verdict::Keep => {
            tracing::error!(
                table, rows, code = %failure.code, tries,
                "ROWS ARE KEPT, NOT WRITTEN, until somebody acts: {failure}; again in {wait_s:.1} s"
            );
        }
    }
}

/// Another number a call and a process: the standard library's own source of hash keys.
fn jitter_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}
