//! The commit thread: one transaction after another, each from its first message to its end without a pause.
//!
//! Every transaction call blocks, some for minutes when a coordinator dies; so they have a thread of their own, which the
//! worker leaves behind when it gives no answer. A transaction is begun when everything is sealed, its messages are
//! drained, its offsets go last, and it is committed at once (about 5 ms). After any answer but "committed" the thread and
//! its producer are done: what came of the transaction is read from the group's offsets.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::deadline::Deadline;
use super::error::is_retriable;
use super::ffi::{self, GroupMetadata};
use super::producer::{Producer, send};
use crate::log::{CommitResult, LogError, Output, Topic, Transaction};

/// One transaction with its fence.
pub(super) struct Job {
    pub(super) transaction: Arc<Transaction>,
    /// As it was in the transaction's generation.
    pub(super) metadata: Arc<GroupMetadata>,
}

/// The worker's end of the thread. Dropping it lets the thread end by itself, after what it is doing.
pub(super) struct Committer {
    jobs: Sender<Job>,
    results: Receiver<CommitResult>,
}

impl Committer {
    /// Takes over an initialised producer.
    pub(super) fn start(config: &KafkaConfig, producer: Producer) -> Result<Self, LogError> {
        let (jobs, todo) = channel();
        let (done, results) = channel();
        let thread = Thread { config: config.clone(), producer };
        std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || thread.run(&todo, &done))
            .map_err(|e| LogError::Retriable(format!("starting the commit thread: {e}")))?;
        Ok(Self { jobs, results })
    }

    /// Hands a transaction over. `false`: the thread has ended.
    pub(super) fn begin(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    /// Its end, if it comes within `wait`.
    pub(super) fn result(&self, wait: Duration) -> Result<CommitResult, RecvTimeoutError> {
        self.results.recv_timeout(wait)
    }
}

struct Thread {
    config: KafkaConfig,
    producer: Producer,
}

/// Why a transaction was not seen to be committed.
type Trouble = String;

impl Thread {
    fn run(self, todo: &Receiver<Job>, done: &Sender<CommitResult>) {
        while let Ok(job) = todo.recv() {
            let result = match self.commit(&job) {
                Ok(()) => CommitResult::Committed,
                Err(trouble) => CommitResult::Unresolved(trouble),
            };
            let over = result != CommitResult::Committed;
            // The answer goes out before the producer is dropped, which takes a while.
            if done.send(result).is_err() || over {
                return;
            }
        }
    }

    fn commit(&self, job: &Job) -> Result<(), Trouble> {
        let deadline = Deadline::after(self.config.timeouts.commit_of(job.transaction.outputs.len()));
        self.producer.begin_transaction().map_err(|e| format!("beginning: {e}"))?;
        for (token, output) in (0..).zip(&job.transaction.outputs) {
            self.queue(output, token, deadline)?;
        }
        self.drain(deadline)?;
        let offsets = self.offsets(&job.transaction)?;
        ffi::send_offsets(&self.producer, &offsets, &job.metadata, deadline.left())
            .map_err(|e| format!("sending the offsets of {} partitions: {e}", offsets.count()))?;
        self.end(deadline)
    }

    /// Queues a message; where the queue is full, as soon as the brokers have taken some of it.
    fn queue(&self, output: &Output, token: u64, deadline: Deadline) -> Result<(), Trouble> {
        loop {
            match send(&self.producer, &self.config, output, token) {
                Ok(()) => return Ok(()),
                Err(KafkaError::MessageProduction(Code::QueueFull)) if !deadline.is_over() => {
                    self.producer.poll(ROOM_EVERY);
                    if let Some(error) = self.failure() {
                        return Err(error.to_string());
                    }
                }
                Err(error) => return Err(format!("queueing a message for {}: {error}", output.topic)),
            }
        }
    }

    /// Waits for the brokers to have every message.
    fn drain(&self, deadline: Deadline) -> Result<(), Trouble> {
        let drained = loop {
            let drained = ffi::drained(&self.producer, deadline.left().min(REPORTS_EVERY));
            // Only failures are reported; polling also keeps librdkafka's log lines moving.
            self.producer.poll(Duration::ZERO);
            if drained || deadline.is_over() {
                break drained;
            }
        };
        match self.failure() {
            Some(error) => Err(error.to_string()),
            None if drained => Ok(()),
            None => Err(format!("{} messages have no answer yet", self.producer.in_flight_count())),
        }
    }

    fn failure(&self) -> Option<LogError> {
        self.producer.context().take().into_iter().find_map(|(_, result)| result.err())
    }

    fn offsets(&self, transaction: &Transaction) -> Result<TopicPartitionList, Trouble> {
        let name = self.config.topic_name(Topic::Log);
        let mut list = TopicPartitionList::with_capacity(transaction.offsets.len());
        for (partition, committed) in &transaction.offsets {
            let mut place = list.add_partition(&name, *partition as i32);
            place
                .set_offset(Offset::Offset(committed.offset.0 as i64))
                .map_err(|e| format!("offset {} of {name} [{partition}]: {e}", committed.offset.0))?;
            place.set_metadata(&committed.metadata);
        }
        Ok(list)
    }

    /// A commit that timed out may be asked for again: it is the same one.
    fn end(&self, deadline: Deadline) -> Result<(), Trouble> {
        loop {
            match self.producer.commit_transaction(deadline.left()) {
                Ok(()) => return Ok(()),
                Err(error) if is_retriable(&error) && !deadline.is_over() => {
                    tracing::debug!(%error, "committing again");
                }
                Err(error) => return Err(format!("committing: {error}")),
            }
        }
    }
}

/// How often failures are looked for while messages are in flight.
const REPORTS_EVERY: Duration = Duration::from_millis(20);
/// How often room is looked for in a queue that is full.
const ROOM_EVERY: Duration = Duration::from_millis(5);
