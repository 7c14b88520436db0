//! The worker's log on Kafka.
//!
//! A worker has one member of the group, one transactional producer on a commit thread, one producer for ticks, one
//! reader for restores and one client that asks. The fence is kept here: each generation's metadata is as it was in the
//! rebalance callback, a transaction goes out with that of the generation it was sealed in, and never without offsets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use rdkafka::producer::Producer as _;

use super::asking::Asking;
use super::commit::{Committer, Job};
use super::config::{KafkaConfig, Reset};
use super::deadline::Deadline;
use super::error::from_kafka;
use super::ffi::GroupMetadata;
use super::group::{Change, Note};
use super::member::{Gaps, Headers, Member, Reading};
use super::offsets;
use super::producer::{self, Initialised, Producer};
use super::scan::{Scanner, Stretch};
use crate::limits::KAFKA_GENERATIONS_KEPT;
use crate::log::{
    CommitResult, Committed, Generation, GroupEvent, LogError, Message, Output, PollBudget, Topic, TopicInfo,
    TopicPartition, Transaction, WorkerLog,
};
use crate::model::LogOffset;

/// Longest wait for messages in one poll: membership changes are seen at least this often.
const WAIT_MS_MAX: u64 = 100;

/// First wait in which the group is not heard.
const SLICE: Duration = Duration::from_millis(100);

/// See the module.
pub struct KafkaWorkerLog {
    config: KafkaConfig,
    member_id: String,
    member: Member,
    current: Generation,
    /// Metadata of the last generations, for transactions sealed in them.
    generations: BTreeMap<Generation, Arc<GroupMetadata>>,
    producer: TransactionalProducer,
    ticks: Option<Producer>,
    scanner: Option<Scanner>,
    asking: Asking,
}

/// The states of the transactional producer.
enum TransactionalProducer {
    /// To be made anew; with the handle whose initialisation has begun, if there is one.
    None(Option<Producer>),
    Ready(Committer),
    /// A transaction is on its way, until the watchdog's deadline.
    Busy(Committer, Deadline),
    /// It was refused here, without a broker seeing it.
    Refused(String),
}

impl KafkaWorkerLog {
    /// Initialises the transactional id, which ends what a former run under it left open, and then joins the group.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while the brokers are away; [`LogError::Fatal`] for settings that cannot be right.
    pub fn open(config: KafkaConfig) -> Result<Self, LogError> {
        let member_id = config.member_id();
        let asking = Asking::new(&config)?;
        let producer = match producer::initialise(&config, &member_id, None, config.timeouts.request) {
            Initialised::Ready(producer) => {
                TransactionalProducer::Ready(Committer::start(&config, producer)?)
            }
            Initialised::Failed(error, _) => return Err(error),
        };
        let client = config.member(Reset::Error);
        let reading = Reading { gaps: Gaps::Refused, headers: Headers::Skipped, gather_ms: 0 };
        let member = Member::join(&config, &client, &[Topic::Log], reading)?;
        Ok(Self {
            config,
            member_id,
            member,
            current: Generation::default(),
            generations: BTreeMap::new(),
            producer,
            ticks: None,
            scanner: None,
            asking,
        })
    }

    fn next_event(&mut self) -> Option<GroupEvent> {
        let note = self.member.next_note()?;
        let partitions: Vec<u32> =
            self.member.partitions_of(&note.partitions).into_iter().map(|at| at.partition).collect();
        self.note_generation(&note);
        let generation = self.current;
        Some(match note.change {
            Change::Assigned => GroupEvent::Assigned { generation, partitions },
            Change::Revoked => GroupEvent::Revoked { generation, partitions },
            Change::Lost => GroupEvent::Lost { partitions },
        })
    }

    fn note_generation(&mut self, note: &Note) {
        if note.change == Change::Lost {
            self.generations.clear();
            return;
        }
        let Some(metadata) = &note.metadata else { return };
        let generation = Generation(metadata.generation().max(0) as u64);
        if generation < self.current {
            // The group began anew: claims of its former life are worth nothing.
            self.generations.clear();
        }
        self.current = generation;
        self.generations.insert(self.current, Arc::clone(metadata));
        while self.generations.len() > KAFKA_GENERATIONS_KEPT {
            self.generations.pop_first();
        }
    }

    /// Why a transaction must not go out at all.
    fn job(&self, transaction: &Arc<Transaction>) -> Result<Job, String> {
        if transaction.offsets.is_empty() {
            return Err("a transaction without offsets is not fenced: nothing was sent".to_owned());
        }
        let generation = transaction.generation;
        let metadata = self
            .generations
            .get(&generation)
            .ok_or_else(|| format!("generation {} is over: nothing was sent", generation.0))?;
        Ok(Job { transaction: Arc::clone(transaction), metadata: Arc::clone(metadata) })
    }

    fn log_partitions(partitions: &[u32]) -> Vec<TopicPartition> {
        partitions.iter().map(|p| TopicPartition { topic: Topic::Log, partition: *p }).collect()
    }
}

impl WorkerLog for KafkaWorkerLog {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Option<GroupEvent>, LogError> {
        self.member.serve()?;
        if let Some(event) = self.next_event() {
            return Ok(Some(event));
        }
        let budget = PollBudget { wait_ms: budget.wait_ms.min(WAIT_MS_MAX), ..budget };
        self.member.consume(budget, each)?;
        Ok(None)
    }

    fn assign(&mut self, from: &[(u32, LogOffset)]) -> Result<(), LogError> {
        let from: Vec<_> = from
            .iter()
            .map(|(partition, offset)| (TopicPartition { topic: Topic::Log, partition: *partition }, *offset))
            .collect();
        self.member.assign(&from)
    }

    fn unassign(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.member.unassign(&Self::log_partitions(partitions))
    }

    fn pause(&mut self, partitions: &[u32]) {
        self.member.pause(&Self::log_partitions(partitions));
    }

    fn resume(&mut self, partitions: &[u32]) {
        self.member.resume(&Self::log_partitions(partitions));
    }

    fn seek(&mut self, partition: u32, to: LogOffset) -> Result<(), LogError> {
        self.member.seek(TopicPartition { topic: Topic::Log, partition }, to)
    }

    fn commit(&mut self, transaction: Arc<Transaction>) {
        let job = self.job(&transaction);
        self.producer = match (std::mem::replace(&mut self.producer, TransactionalProducer::None(None)), job)
        {
            (TransactionalProducer::Busy(..), _) => {
                unreachable!("a transaction is begun only when the former one has its result")
            }
            (TransactionalProducer::Ready(committer), Ok(job)) => {
                let within = self.config.timeouts.commit_of(transaction.outputs.len());
                let deadline = Deadline::after(within);
                if committer.begin(job) {
                    TransactionalProducer::Busy(committer, deadline)
                } else {
                    TransactionalProducer::Refused("the commit thread has ended".to_owned())
                }
            }
            (_, Err(refusal)) => TransactionalProducer::Refused(refusal),
            (_, Ok(_)) => TransactionalProducer::Refused("there is no producer: renew it first".to_owned()),
        };
    }

    fn commit_result(&mut self, wait_ms: u64) -> Option<CommitResult> {
        let state = std::mem::replace(&mut self.producer, TransactionalProducer::None(None));
        let (state, result) = match state {
            TransactionalProducer::Busy(committer, deadline) => {
                watched(committer, deadline, Duration::from_millis(wait_ms))
            }
            TransactionalProducer::Refused(why) => {
                (TransactionalProducer::None(None), Some(CommitResult::Unresolved(why)))
            }
            other => (other, None),
        };
        self.producer = state;
        result
    }

    fn renew_producer(&mut self) -> Result<(), LogError> {
        let mut started = match std::mem::replace(&mut self.producer, TransactionalProducer::None(None)) {
            TransactionalProducer::None(started) => started,
            // Dropping the committer leaves its thread to end by itself; the new epoch fences what it may still do.
            _ => None,
        };
        let deadline = Deadline::after(self.config.timeouts.request);
        // In slices, so that the group is heard meanwhile (see `group` on losses), and growing ones, so that brokers far
        // away have time to answer.
        let mut slice = SLICE;
        loop {
            let wait = deadline.left().min(slice);
            slice = slice.saturating_mul(2);
            match producer::initialise(&self.config, &self.member_id, started, wait) {
                Initialised::Ready(producer) => {
                    self.producer = TransactionalProducer::Ready(Committer::start(&self.config, producer)?);
                    return Ok(());
                }
                Initialised::Failed(_, Some(producer)) if !deadline.is_over() => started = Some(producer),
                Initialised::Failed(error, producer) => {
                    self.producer = TransactionalProducer::None(producer);
                    return Err(error);
                }
            }
            self.member.serve()?;
        }
    }

    fn stable_offset(&mut self, partition: u32) -> Result<Option<Committed>, LogError> {
        self.member.serve()?;
        offsets::stable(&self.config, self.member.consumer(), partition)
    }

    fn end_transaction_of(&mut self, transactional_id: &str) -> Result<(), LogError> {
        match producer::initialise(&self.config, transactional_id, None, self.config.timeouts.request) {
            Initialised::Ready(_) => Ok(()),
            Initialised::Failed(error, _) => Err(error),
        }
    }

    fn bounds(&mut self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError> {
        self.member.serve()?;
        self.asking.bounds(topic, partition)
    }

    fn scan(
        &mut self,
        topic: Topic,
        partition: u32,
        from: LogOffset,
        to: LogOffset,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        let scanner = match &mut self.scanner {
            Some(scanner) => scanner,
            none => none.insert(Scanner::of_worker(&self.config)?),
        };
        let stretch = Stretch { at: TopicPartition { topic, partition }, from, to };
        // Membership changes are noted while a long scan runs, and the group sees the member poll.
        let member = &self.member;
        scanner.scan(stretch, each, &mut || member.serve())
    }

    fn append_tick(&mut self, partition: u32, pack: Vec<u8>, time_ms: Option<i64>) {
        let output = Output {
            topic: Topic::Log,
            partition: Some(partition),
            key: Vec::new(),
            value: Some(pack),
            headers: Vec::new(),
            time_ms,
        };
        if let Err(error) = self.try_append(&output) {
            tracing::warn!(partition, %error, "a tick is lost; the next one makes up for it");
        }
    }

    fn topic(&mut self, topic: Topic) -> Result<TopicInfo, LogError> {
        self.asking.topic(topic)
    }

    fn transactional_id(&self) -> &str {
        &self.member_id
    }
}

impl KafkaWorkerLog {
    fn try_append(&mut self, output: &Output) -> Result<(), LogError> {
        let ticks = match &mut self.ticks {
            Some(ticks) => ticks,
            none => {
                let mut client = self.config.producer();
                client.set("delivery.report.only.error", "true");
                none.insert(producer::create(&self.config, &client)?)
            }
        };
        ticks.poll(Duration::ZERO);
        // Failures alone are reported. They must be taken, or they would gather for as long as the brokers are away.
        let failed = ticks.context().take();
        if let Some((_, Err(error))) = failed.first() {
            tracing::warn!(%error, ticks = failed.len(), "ticks are lost; the next ones make up for them");
        }
        let sent = producer::send(ticks, &self.config, output, 0);
        let failed = ticks.client().fatal_error().is_some();
        sent.map_err(|e| from_kafka("appending a tick", &e)).inspect_err(|_| {
            if failed {
                self.ticks = None;
            }
        })
    }
}

/// Waits for a commit's end, but not longer than the watchdog.
fn watched(
    committer: Committer,
    deadline: Deadline,
    wait: Duration,
) -> (TransactionalProducer, Option<CommitResult>) {
    match committer.result(wait.min(deadline.left())) {
        Ok(CommitResult::Committed) => {
            (TransactionalProducer::Ready(committer), Some(CommitResult::Committed))
        }
        Ok(unresolved) => (TransactionalProducer::None(None), Some(unresolved)),
        Err(RecvTimeoutError::Timeout) if !deadline.is_over() => {
            (TransactionalProducer::Busy(committer, deadline), None)
        }
        Err(RecvTimeoutError::Timeout) => {
            let why = "no answer to the commit in time; its thread is left behind".to_owned();
            (TransactionalProducer::None(None), Some(CommitResult::Unresolved(why)))
        }
        Err(RecvTimeoutError::Disconnected) => {
            let why = "the commit thread ended without an answer".to_owned();
            (TransactionalProducer::None(None), Some(CommitResult::Unresolved(why)))
        }
    }
}
