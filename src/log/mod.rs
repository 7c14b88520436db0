//! The one log, behind traits: what a worker, ingest and a reader need of it, and nothing of Kafka's own words beyond
//! topic, partition, offset, group and transaction.
//!
//! Three implementations keep the same contract: [`kafka`] (the product), [`mod@file`] (one process, durable, nothing
//! installed) and [`sim`] (a simulated broker with faults, driven by a seed). The traits poll and never wait longer than
//! they are told, so that a simulation can drive worker and ingest call by call and crash them between any two.
//!
//! Invariant 2: a commit is one transaction: events, checkpoint records and input offsets, or nothing.

mod command;
#[cfg(feature = "full")]
mod deadline;
#[cfg(feature = "full")]
pub mod file;
#[cfg(feature = "full")]
pub mod kafka;
pub mod sim;
mod topic;

pub use command::{Appended, CommandLog, CommandPlace, Places, Replay, Tail};
pub use topic::{Retention, Topic};

use std::sync::Arc;

use crate::model::LogOffset;

/// Where one topic's partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Topic,
    pub partition: u32,
}

/// A message as read: borrowed, valid during the callback only.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub topic: Topic,
    pub partition: u32,
    pub offset: LogOffset,
    /// The log's (or the producer's) timestamp, milliseconds since 1970.
    pub time_ms: i64,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers packed as pairs of name and value; empty on topics that are read without them.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// A message to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub topic: Topic,
    /// `None`: by murmur2 of the key, as Java clients have it.
    pub partition: Option<u32>,
    pub key: Vec<u8>,
    /// `None` deletes the key on a compacted topic.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// `Some` in deployments with the supplied clock: the `CreateTime`. Else the log stamps.
    pub time_ms: Option<i64>,
}

/// How much one poll may take.
#[derive(Debug, Clone, Copy)]
pub struct PollBudget {
    pub messages: usize,
    pub bytes: usize,
    /// How long to wait for a first message, milliseconds; 0 = not at all.
    pub wait_ms: u64,
}

/// Membership changes of the consumer group. Until the member answers (`assign`, `unassign`) the group waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    /// These partitions are newly ours, in this generation. Answer with [`WorkerLog::assign`], of those that are restored, if
    /// only with an empty list; the others by and by. There may be none: then the generation alone has moved on, for those
    /// kept.
    Assigned { generation: Generation, partitions: Vec<u32> },
    /// These are being taken away in good order: they still count as ours until [`WorkerLog::unassign`].
    Revoked { generation: Generation, partitions: Vec<u32> },
    /// These were lost: nothing can be committed for them any more. Answer with [`WorkerLog::unassign`].
    Lost { partitions: Vec<u32> },
}

/// The number of a group membership, as taken in the rebalance callback. Rising within a member's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// A committed offset with its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to fold.
    pub offset: LogOffset,
    /// What the commit noted beside it: a worker the oldest live chunk's place, ingest what is known of a feed's gaps.
    pub metadata: String,
}

/// One worker commit: immutable once made, so that a retry sends the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub generation: Generation,
    pub outputs: Vec<Output>,
    /// The offsets of **every** partition that `outputs` speak for, changed or not: they are the fence.
    pub offsets: Vec<(u32, Committed)>,
}

/// What came of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitResult {
    Committed,
    /// Not known, or known to have failed. The member must [`WorkerLog::renew_producer`] and look at the stable offsets.
    Unresolved(String),
}

/// What can go wrong at the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Offsets of an open transaction, a coordinator on the move, a broker away: the same call may succeed later.
    #[error("{0} (will be tried again)")]
    Retriable(String),
    /// Another member runs under this instance id, or the group has dropped this one.
    #[error("fenced: {0}")]
    Fenced(String),
    /// Nothing to be read there: the place was deleted, or lies past the end.
    #[error("{topic} [{partition}]: offset {} is not in the log: {detail}", offset.0)]
    OutOfRange { topic: Topic, partition: u32, offset: LogOffset, detail: String },
    /// A topic is missing, or set up in a way that cannot be right.
    #[error("{0}")]
    Fatal(String),
}

/// What a worker needs of the log: a consumer group member on [`Topic::Log`], with a transactional producer.
///
/// Contract. `poll` drives everything; after a [`GroupEvent`] was returned, further polls give messages of the partitions
/// kept, and the same event is not repeated. `commit` starts a transaction and returns at once; at most one is open;
/// `commit_result` gives its end. Between `commit` and its result the worker goes on polling and folding.
pub trait WorkerLog {
    /// Hands fetched messages of assigned, unpaused partitions to `each`, in offset order a partition.
    ///
    /// # Errors
    /// [`LogError::Fenced`] ends the member; [`LogError::OutOfRange`] names a partition that must be halted.
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Option<GroupEvent>, LogError>;

    /// Fetch these partitions, which are ours, from these offsets on. Answers [`GroupEvent::Assigned`] if it waits for that.
    ///
    /// # Errors
    /// As the log has them.
    fn assign(&mut self, from: &[(u32, LogOffset)]) -> Result<(), LogError>;

    /// Answers [`GroupEvent::Revoked`] and [`GroupEvent::Lost`].
    ///
    /// # Errors
    /// As the log has them.
    fn unassign(&mut self, partitions: &[u32]) -> Result<(), LogError>;

    /// Stops fetching without giving partitions up. Messages already fetched may still be handed over once.
    fn pause(&mut self, partitions: &[u32]);

    /// Goes on fetching.
    fn resume(&mut self, partitions: &[u32]);

    /// Fetches from another offset on (a partition that is folded anew).
    ///
    /// # Errors
    /// As the log has them.
    fn seek(&mut self, partition: u32, to: LogOffset) -> Result<(), LogError>;

    /// Begins a transaction with these bytes.
    fn commit(&mut self, transaction: Arc<Transaction>);

    /// The end of the open transaction, if it is there within `wait_ms`.
    fn commit_result(&mut self, wait_ms: u64) -> Option<CommitResult>;

    /// Drops the producer and initialises a new one under the same transactional id, which ends whatever the old one left
    /// open.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while the coordinator is away.
    fn renew_producer(&mut self) -> Result<(), LogError>;

    /// The group's committed offset of a partition, `None` if there is none; stable: no transaction with offsets of this
    /// partition is open.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while such a transaction is open.
    fn stable_offset(&mut self, partition: u32) -> Result<Option<Committed>, LogError>;

    /// Ends the open transaction of a dead predecessor by initialising its transactional id once.
    ///
    /// # Errors
    /// As the log has them.
    fn end_transaction_of(&mut self, transactional_id: &str) -> Result<(), LogError>;

    /// First offset kept, and the offset after the last message, open transactions included (the high watermark).
    ///
    /// # Errors
    /// As the log has them.
    fn bounds(&mut self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError>;

    /// Reads committed messages in order from `from` until the reader's position has reached `to`; markers and aborted
    /// messages take offsets and are passed over. Stops early when `each` answers `false`.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] if `from` is no longer kept (on a compacted topic gaps are fine, the start is not);
    /// [`LogError::Retriable`] if an open transaction or a broker bars the way for now: what could be read was handed over.
    fn scan(
        &mut self,
        topic: Topic,
        partition: u32,
        from: LogOffset,
        to: LogOffset,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError>;

    /// Appends one message to [`Topic::Log`] outside any transaction (a tick). Lost ticks do no harm. `time_ms` is its
    /// `CreateTime` in deployments with the supplied clock (the partition's own log time, so that the tick moves no
    /// time); `None` where the log stamps.
    fn append_tick(&mut self, partition: u32, pack: Vec<u8>, time_ms: Option<i64>);

    /// Id of the topic as the log has it (changes when a topic is deleted and made again), and its partition count.
    ///
    /// # Errors
    /// [`LogError::Fatal`] if it does not exist.
    fn topic(&mut self, topic: Topic) -> Result<TopicInfo, LogError>;

    /// This member's transactional id, for the checkpoint head.
    fn transactional_id(&self) -> &str;
}

/// What a start-up check compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    pub id: String,
    pub partitions: u32,
}

/// What ingest needs of the log: a group member on the outside topics and [`Topic::Parked`], a full reader of
/// [`Topic::Directory`], and an idempotent producer.
pub trait IngestLog {
    /// As [`WorkerLog::poll`], over all outside topics. Offsets start at the group's committed ones, else at the earliest.
    /// Assignment needs no restore and is answered inside; events are returned so that per-partition state is made or
    /// dropped; a poll that answers with some hands over no messages. A budget without messages serves the group alone.
    ///
    /// # Errors
    /// As the log has them.
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError>;

    /// Hands over new messages of the directory, all partitions, in order a partition.
    /// Answers whether the reader has reached the end that the topic had when the process started.
    ///
    /// # Errors
    /// As the log has them.
    fn poll_directory(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError>;

    /// Queues a message with `acks=all`, in order a partition; its end is told by [`Self::acked`] under the token.
    ///
    /// # Errors
    /// [`LogError::Retriable`] when the queue is full: poll `acked` and try again.
    fn produce(&mut self, token: u64, output: &Output) -> Result<(), LogError>;

    /// Tells of finished messages, waiting up to `wait_ms` for a first one where they finish elsewhere.
    fn acked(&mut self, wait_ms: u64, each: &mut dyn FnMut(u64, Result<(), LogError>));

    /// Outside messages of such topics that were not handed over yet, as far as the log tells unasked; `None` where it does not.
    /// Behind the last message of a topic that is written in transactions their ends are counted too.
    fn lag(&self, of: &dyn Fn(Topic) -> bool) -> Option<u64> {
        let _ = of;
        None
    }

    /// Commits source positions: the next offset to read, by topic partition.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if the partition is no longer ours: the records are read again by its new owner.
    fn commit_offsets(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError>;

    /// The same with a note beside each, committed in one with it; whoever reads the partition next is told it
    /// ([`IngestPolled::noted`]). Where no notes are kept the offsets alone are committed.
    ///
    /// # Errors
    /// As [`Self::commit_offsets`].
    fn commit_noted(&mut self, next: &[(TopicPartition, Committed)]) -> Result<(), LogError> {
        let next: Vec<_> = next.iter().map(|(at, committed)| (*at, committed.offset)).collect();
        self.commit_offsets(&next)
    }

    /// Stops and goes on fetching.
    fn pause(&mut self, which: &[TopicPartition]);
    fn resume(&mut self, which: &[TopicPartition]);

    /// Partitions of [`Topic::Log`].
    fn log_partitions(&self) -> u32;
}

/// What a poll of ingest met besides messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestPolled {
    pub assigned: Vec<TopicPartition>,
    /// Dropped, in good order or not: forget what is not yet committed, others read it again.
    pub dropped: Vec<TopicPartition>,
    /// Of those assigned: where the group had committed, and the note beside it, if reading begins just there.
    pub noted: Vec<(TopicPartition, Committed)>,
}
