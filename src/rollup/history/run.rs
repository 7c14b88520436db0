//! The thread that keeps the history: poll, write, commit, again.
//!
//! It waits for ClickHouse as long as that takes: the topics hold what it has not yet read, and nothing else waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{HistoryRows, HistorySource, Round};
use crate::guard::{caught, or_exit};
use crate::limits::{HISTORY_BYTES_MAX, HISTORY_LINGER_MS, HISTORY_MESSAGES_MAX};
use crate::log::{LogError, Message, PollBudget, TopicPartition};
use crate::model::LogOffset;
use crate::rollup::{Backoff, Writer};

/// What the history needs.
pub struct HistoryOptions<F> {
    /// Opens its source, again after a failure: it goes on from the committed offsets.
    pub open: F,
    pub writer: Writer,
    /// Where the writer's sockets are served.
    pub runtime: Handle,
}

/// A running history.
pub struct History {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    /// Cuts a write short that waits for ClickHouse.
    stop: Notify,
    messages: AtomicU64,
}

impl History {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system has no thread left.
    pub fn start<S: HistorySource, F: FnMut() -> Result<S, LogError> + Send + 'static>(
        options: HistoryOptions<F>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut keeper = Keeper {
            writer: options.writer,
            runtime: options.runtime,
            shared: Arc::clone(&shared),
            retry: Backoff::new(0),
        };
        let body = move || or_exit("history", || keeper.run(options.open));
        let thread = std::thread::Builder::new().name("history".to_owned()).spawn(body)?;
        Ok(Self { shared, thread })
    }

    /// Messages whose rows are in ClickHouse and whose offsets are committed.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.shared.messages.load(Relaxed)
    }

    /// Ends it within a poll, or an opening; a write that waits for ClickHouse is given up: its messages are read again
    /// next time.
    ///
    /// # Errors
    /// Its thread had panicked.
    pub fn stop(self) -> Result<(), LogError> {
        self.shared.stopping.store(true, Relaxed);
        self.shared.stop.notify_one();
        self.thread.join().map_err(|_| LogError::Fatal("the history's thread panicked".to_owned()))
    }
}

/// A round in the making.
#[derive(Default)]
struct Gathered {
    round: Round,
    messages: usize,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, message: &Message<'_>) {
        self.messages += 1;
        self.bytes += message.value.map_or(0, <[u8]>::len);
        self.round.add(message);
    }

    fn budget(&self) -> PollBudget {
        PollBudget {
            messages: HISTORY_MESSAGES_MAX.saturating_sub(self.messages),
            bytes: HISTORY_BYTES_MAX.saturating_sub(self.bytes),
            wait_ms: HISTORY_LINGER_MS,
        }
    }

    /// Nothing at all: nothing to wait for.
    fn wants_more(&self) -> bool {
        self.messages > 0 && self.messages < HISTORY_MESSAGES_MAX && self.bytes < HISTORY_BYTES_MAX
    }
}

struct Keeper {
    writer: Writer,
    runtime: Handle,
    shared: Arc<Shared>,
    retry: Backoff,
}

impl Keeper {
    fn run<S: HistorySource>(&mut self, mut open: impl FnMut() -> Result<S, LogError>) {
        while !self.shared.stopping.load(Relaxed) {
            // What no further try would mend may be mended by a new member; what was not committed is read again.
            let ended = caught(|| open().and_then(|mut source| self.keep(&mut source)));
            let ended = ended.unwrap_or_else(|panicked| Err(LogError::Fatal(panicked.to_string())));
            if let Err(error) = ended {
                tracing::error!(%error, "the history's source is opened again");
                self.wait(&error.to_string());
            }
        }
    }

    fn keep(&mut self, source: &mut impl HistorySource) -> Result<(), LogError> {
        while !self.shared.stopping.load(Relaxed) {
            match self.round(source) {
                Ok(true) => self.retry.reset(),
                Ok(false) => {}
                Err(LogError::Retriable(why)) => self.wait(&why),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Answers whether anything was committed.
    fn round(&self, source: &mut impl HistorySource) -> Result<bool, LogError> {
        let (round, messages) = poll(source)?;
        if round.is_empty() {
            return Ok(false);
        }
        let next = round.next();
        if self.write(&round.rows.sealed()) {
            commit(source, &next)?;
            self.shared.messages.fetch_add(messages, Relaxed);
            return Ok(true);
        }
        Ok(false)
    }

    /// `false` when stopped before all was written.
    fn write(&self, rows: &HistoryRows) -> bool {
        let written = async {
            self.writer.write(&rows.alerts).await;
            self.writer.write(&rows.activations).await;
            self.writer.write(&rows.lifecycle).await;
            self.writer.write(&rows.quarantine).await;
            self.writer.write(&rows.usage_records).await;
        };
        self.runtime.block_on(async {
            tokio::select! {
                () = written => true,
                () = self.shared.stop.notified() => false,
            }
        })
    }

    fn wait(&mut self, why: &str) {
        let wait = self.retry.next_wait();
        tracing::warn!("history: {why}; again in {:.1} s", wait.as_secs_f32());
        let stopped = self.shared.stop.notified();
        self.runtime.block_on(async { drop(tokio::time::timeout(wait, stopped).await) });
    }
}

/// Gathers what is there, and what comes within a moment: it shares the insert.
fn poll(source: &mut impl HistorySource) -> Result<(Round, u64), LogError> {
    let mut gathered = Gathered::default();
    let until = Instant::now() + Duration::from_millis(HISTORY_LINGER_MS);
    loop {
        match poll_once(source, &mut gathered) {
            Ok(()) => {}
            // What was handed over must be written first: the source has moved on. The trouble comes again.
            Err(LogError::Retriable(_)) if gathered.messages > 0 => break,
            Err(error) => return Err(error),
        }
        if !gathered.wants_more() || Instant::now() >= until {
            break;
        }
    }
    Ok((gathered.round, gathered.messages as u64))
}

fn poll_once(source: &mut impl HistorySource, gathered: &mut Gathered) -> Result<(), LogError> {
    let budget = gathered.budget();
    let polled = source.poll(budget, &mut |message| gathered.add(&message))?;
    gathered.round.forget(&polled.dropped);
    Ok(())
}

/// A partition that went meanwhile is read again by its new owner: its rows take the place of ours.
fn commit(source: &mut impl HistorySource, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
    match source.commit(next) {
        Err(LogError::Fenced(why)) => {
            tracing::warn!("history: {why}; it is read again, which does no harm");
            Ok(())
        }
        other => other,
    }
}
