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
use crate::limits::{HISTORY_BYTES_MAX, HISTORY_LINGER_MS, HISTORY_MESSAGES_MAX};
use crate::log::{LogError, Message, PollBudget, TopicPartition};
use crate::model::LogOffset;
use crate::rollup::{Backoff, Writer};

/// What the history needs.
pub struct HistoryOptions<S> {
    pub source: S,
    pub writer: Writer,
    /// Where the writer's sockets are served.
    pub runtime: Handle,
}

/// A running history.
pub struct History {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<(), LogError>>,
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
    pub fn start<S: HistorySource + Send + 'static>(options: HistoryOptions<S>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let keeper = Keeper {
            source: options.source,
            writer: options.writer,
            runtime: options.runtime,
            shared: Arc::clone(&shared),
            retry: Backoff::new(0),
        };
        let thread = std::thread::Builder::new().name("history".to_owned()).spawn(move || keeper.run())?;
        Ok(Self { shared, thread })
    }

    /// Messages whose rows are in ClickHouse and whose offsets are committed.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.shared.messages.load(Relaxed)
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it within a poll; a write that waits for ClickHouse is given up: its messages are read again next time.
    ///
    /// # Errors
    /// What had ended it before.
    pub fn stop(self) -> Result<(), LogError> {
        self.shared.stopping.store(true, Relaxed);
        self.shared.stop.notify_one();
        self.thread
            .join()
            .unwrap_or_else(|_| Err(LogError::Fatal("the history's thread panicked".to_owned())))
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

struct Keeper<S> {
    source: S,
    writer: Writer,
    runtime: Handle,
    shared: Arc<Shared>,
    retry: Backoff,
}

impl<S: HistorySource> Keeper<S> {
    fn run(mut self) -> Result<(), LogError> {
        while !self.shared.stopping.load(Relaxed) {
            match self.round() {
                Ok(()) => self.retry.reset(),
                Err(LogError::Retriable(why)) => self.wait(&why),
                Err(error) => {
                    tracing::error!(
                        "the history has ended: {error}; it goes on where it was when started again"
                    );
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn round(&mut self) -> Result<(), LogError> {
        let (round, messages) = self.poll()?;
        if round.is_empty() {
            return Ok(());
        }
        let next = round.next();
        if self.write(&round.rows.sealed()) {
            self.commit(&next)?;
            self.shared.messages.fetch_add(messages, Relaxed);
        }
        Ok(())
    }

    /// Gathers what is there, and what comes within a moment: it shares the insert.
    fn poll(&mut self) -> Result<(Round, u64), LogError> {
        let mut gathered = Gathered::default();
        let until = Instant::now() + Duration::from_millis(HISTORY_LINGER_MS);
        loop {
            match self.poll_once(&mut gathered) {
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

    fn poll_once(&mut self, gathered: &mut Gathered) -> Result<(), LogError> {
        let budget = gathered.budget();
        let polled = self.source.poll(budget, &mut |message| gathered.add(&message))?;
        gathered.round.forget(&polled.dropped);
        Ok(())
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

    /// A partition that went meanwhile is read again by its new owner: its rows take the place of ours.
    fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        match self.source.commit(next) {
            Err(LogError::Fenced(why)) => {
                tracing::warn!("history: {why}; it is read again, which does no harm");
                Ok(())
            }
            other => other,
        }
    }

    fn wait(&mut self, why: &str) {
        let wait = self.retry.next_wait();
        tracing::warn!("history: {why}; again in {:.1} s", wait.as_secs_f32());
        let stopped = self.shared.stop.notified();
        self.runtime.block_on(async { drop(tokio::time::timeout(wait, stopped).await) });
    }
}
