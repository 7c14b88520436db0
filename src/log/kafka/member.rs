//! A member of a consumer group that reads in batches: what worker, ingest and readers have in common.
//!
//! A position is kept for each partition, and nothing is handed over but what stands at or after it: what was fetched
//! before a seek, a revocation or a pause is never handed over twice, whatever still lies in a queue.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::error::from_kafka;
use super::ffi::{BatchConsumer, Fetched, high_watermark};
use super::group::{Change, GroupContext, Note};
use super::judge::{judge, judge_partition};
use crate::limits::KAFKA_BATCH_MAX;
use crate::log::{LogError, Message, PollBudget, Topic, TopicPartition};
use crate::model::LogOffset;

/// Whether offsets may be missing between two messages of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Markers, aborted messages, compaction: as usual.
    Expected,
    /// Written without transactions and never compacted: a gap is a loss, and the partition must not go on.
    Refused,
}

/// Whether headers are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    Read,
    Skipped,
}

/// How a member reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) gaps: Gaps,
    pub(super) headers: Headers,
    /// How long a poll waits for more once it has something, milliseconds: fewer, fuller batches for a little time.
    pub(super) gather_ms: u64,
}

/// Events served by one call: the crate does not tell an event from none, and log lines and errors may stand before a
/// membership change.
const EVENTS: usize = 4;

/// The member. Dropping it leaves the group; a static member's partitions wait for its return, or for its session's end.
pub(super) struct Member {
    inbox: BatchConsumer<GroupContext>,
    topics: Vec<(Topic, String)>,
    /// The next offset to hand over, of every partition assigned.
    positions: HashMap<TopicPartition, u64>,
    paused: HashSet<TopicPartition>,
    reading: Reading,
    timeouts: super::Timeouts,
    /// Changes that were taken and wait for an answer, as librdkafka does. Losses are answered as they come.
    unanswered: Vec<Change>,
}

impl Member {
    /// Joins the group, in the background; nothing is waited for.
    pub(super) fn join(
        config: &KafkaConfig,
        client: &ClientConfig,
        topics: &[Topic],
        reading: Reading,
    ) -> Result<Self, LogError> {
        let doing = || format!("joining group {} at {}", config.group_id(), config.brokers);
        let consumer: BaseConsumer<GroupContext> = client
            .create_with_context(GroupContext::default())
            .map_err(|e| LogError::Fatal(format!("{}: {e}; check the Kafka settings", doing())))?;
        let topics: Vec<_> = topics.iter().map(|t| (*t, config.topic_name(*t))).collect();
        let names: Vec<_> = topics.iter().map(|(_, name)| name.as_str()).collect();
        consumer.subscribe(&names).map_err(|e| from_kafka(&doing(), &e))?;
        let inbox = BatchConsumer::new(consumer, KAFKA_BATCH_MAX)
            .ok_or_else(|| LogError::Fatal(format!("{}: no memory for a queue", doing())))?;
        Ok(Self {
            inbox,
            topics,
            positions: HashMap::new(),
            paused: HashSet::new(),
            reading,
            timeouts: config.timeouts,
            unanswered: Vec::new(),
        })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<GroupContext> {
        self.inbox.consumer()
    }

    /// Serves what comes beside messages: membership changes are noted, errors that end the member are returned.
    ///
    /// To be called at least twice a second whatever else goes on, for the sake of losses: see `group`.
    pub(super) fn serve(&self) -> Result<(), LogError> {
        for _ in 0..EVENTS {
            match self.consumer().poll(Duration::ZERO) {
                None => {}
                Some(Ok(_)) => {
                    unreachable!("every partition is forwarded to the batch queue before it is assigned")
                }
                Some(Err(error)) => judge(&error, self.consumer().client().fatal_error())?,
            }
        }
        Ok(())
    }

    /// The next membership change. It must be answered: [`Self::assign`], [`Self::unassign`].
    pub(super) fn next_note(&mut self) -> Option<Note> {
        let note = self.consumer().context().next()?;
        if note.change != Change::Lost {
            self.unanswered.push(note.change);
        }
        Some(note)
    }

    /// The partitions of a note, as far as they are of topics that this member asked for.
    pub(super) fn partitions_of(&self, list: &TopicPartitionList) -> Vec<TopicPartition> {
        list.elements()
            .iter()
            .filter_map(|e| {
                let topic = self.topic_of(e.topic())?;
                Some(TopicPartition { topic, partition: e.partition() as u32 })
            })
            .collect()
    }

    /// Fetches these partitions too, from these offsets on. An empty list answers as well.
    pub(super) fn assign(&mut self, from: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        self.answered(Change::Assigned);
        self.fetch(from)
    }

    fn fetch(&mut self, from: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        let mut list = TopicPartitionList::new();
        for (at, offset) in from {
            let name = self.name_of(at.topic).to_owned();
            if !self.inbox.forward(&name, at.partition) {
                return Err(LogError::Fatal(format!("no queue for {name} [{}]", at.partition)));
            }
            list.add_partition_offset(&name, at.partition as i32, Offset::Offset(offset.0 as i64)).map_err(
                |e| from_kafka(&format!("assigning {name} [{}] from {}", at.partition, offset.0), &e),
            )?;
        }
        // librdkafka forgets no pause: a partition that was given up while it was paused would come back and never be read.
        // Before it is fetched, since a resume throws away what was.
        self.consumer().resume(&list).map_err(|e| from_kafka("resuming what is assigned", &e))?;
        self.consumer()
            .context()
            .take(self.consumer(), &list)
            .map_err(|e| from_kafka(&format!("assigning {} partitions", from.len()), &e))?;
        self.positions.extend(from.iter().map(|(at, offset)| (*at, offset.0)));
        Ok(())
    }

    /// Fetches these partitions no more. Those that never were assigned are passed over.
    pub(super) fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        self.positions.retain(|at, _| !partitions.contains(at));
        self.paused.retain(|at| !partitions.contains(at));
        self.drop_held(partitions);
        // What was lost is given up already; an answer to nobody could be taken for the one to the next change.
        let list = self.list(partitions);
        if !self.answered(Change::Revoked) && !self.consumer().context().holds_any(&list) {
            return Ok(());
        }
        self.release(&list)
            .map_err(|e| from_kafka(&format!("giving up {} partitions", partitions.len()), &e))?;
        settle(self.consumer(), &list);
        Ok(())
    }

    fn release(&self, list: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer().context().release(self.consumer(), list)
    }

    /// Notes that a change of this kind has its answer. `false`: none was waiting.
    fn answered(&mut self, change: Change) -> bool {
        let at = self.unanswered.iter().position(|c| *c == change);
        at.map(|at| self.unanswered.remove(at)).is_some()
    }

    pub(super) fn is_assigned(&self, at: TopicPartition) -> bool {
        self.positions.contains_key(&at)
    }

    pub(super) fn pause(&mut self, partitions: &[TopicPartition]) {
        let list = self.assigned_list(partitions);
        self.paused.extend(partitions.iter().filter(|at| self.positions.contains_key(at)));
        if let Err(error) = self.consumer().pause(&list) {
            tracing::warn!(%error, "pausing {} partitions", list.count());
        }
    }

    pub(super) fn resume(&mut self, partitions: &[TopicPartition]) {
        let list = self.assigned_list(partitions);
        self.paused.retain(|at| !partitions.contains(at));
        if let Err(error) = self.consumer().resume(&list) {
            tracing::warn!(%error, "resuming {} partitions", list.count());
        }
    }

    /// Goes on from another offset.
    pub(super) fn seek(&mut self, at: TopicPartition, to: LogOffset) -> Result<(), LogError> {
        if !self.is_assigned(at) {
            return Err(LogError::Retriable(format!(
                "seeking {} [{}]: it is not ours",
                at.topic, at.partition
            )));
        }
        self.drop_held(&[at]);
        let (name, partition) = (self.name_of(at.topic).to_owned(), at.partition as i32);
        let offset = Offset::Offset(to.0 as i64);
        if let Err(error) = self.consumer().seek(&name, partition, offset, self.timeouts.request) {
            // A partition that stopped at an error cannot seek; given up and taken again it can.
            tracing::debug!(%error, topic = name, partition, "seeking by assigning anew");
            self.assign_anew(at, to)?;
        }
        self.positions.insert(at, to.0);
        Ok(())
    }

    fn assign_anew(&mut self, at: TopicPartition, to: LogOffset) -> Result<(), LogError> {
        let list = self.list(&[at]);
        self.release(&list).map_err(|e| from_kafka("giving a partition up to take it anew", &e))?;
        settle(self.consumer(), &list);
        self.fetch(&[(at, to)])?;
        if self.paused.contains(&at) {
            self.pause(&[at]);
        }
        Ok(())
    }

    /// Messages of such topics not handed over yet, as far as is known without asking.
    pub(super) fn lag(&self, of: impl Fn(Topic) -> bool) -> u64 {
        let behind = |(at, next): (&TopicPartition, &u64)| {
            let end = high_watermark(self.consumer(), self.name_of(at.topic), at.partition)?;
            Some(end.saturating_sub(*next))
        };
        self.positions.iter().filter(|(at, _)| of(at.topic)).filter_map(behind).sum()
    }

    /// Hands over messages until the budget is spent or nothing is there.
    pub(super) fn consume(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<(), LogError> {
        let mut left = Left { messages: budget.messages, bytes: budget.bytes };
        let (mut wait_ms, mut gather_ms) = (budget.wait_ms, self.reading.gather_ms);
        while left.any() {
            self.inbox.fill(left.messages.min(KAFKA_BATCH_MAX), wait_ms, gather_ms);
            if !self.hand_over(&mut left, each)? {
                break;
            }
            (wait_ms, gather_ms) = (0, 0);
        }
        Ok(())
    }

    /// Hands over what is held. Answers whether anything was.
    fn hand_over(&mut self, left: &mut Left, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        let mut any = false;
        while left.any() {
            let Some((name, partition)) = self.inbox.place() else { break };
            any = true;
            let Some(topic) = self.topic_of(name) else {
                drop(self.inbox.next());
                continue;
            };
            let at = TopicPartition { topic, partition };
            if self.hand_over_run(at, left, each)? == Run::Failed {
                self.set_right(at);
            }
        }
        Ok(any)
    }

    /// Hands over what is held of one partition up to a message of another: the place is looked up once a run.
    fn hand_over_run(
        &mut self,
        at: TopicPartition,
        left: &mut Left,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Run, LogError> {
        let mut position = self.positions.get_mut(&at);
        while left.any()
            && let Some(fetched) = self.inbox.next()
        {
            if let Some(error) = fetched.error() {
                judge_partition(at, fetched.offset(), &error)?;
                return Ok(Run::Failed);
            }
            if let Some(next) = position.as_deref_mut()
                && advance(next, at, fetched.offset(), self.reading.gaps)?
            {
                left.take(hand(&fetched, at, self.reading.headers, each));
            }
            if !fetched.run_goes_on() {
                break;
            }
        }
        Ok(Run::Over)
    }

    /// librdkafka takes an error in a batch for a message and moves its position past it; after a pause it would go on
    /// there, and one message would be missing. So it is told where we are.
    fn set_right(&mut self, at: TopicPartition) {
        if let Some(next) = self.positions.get(&at).copied()
            && let Err(error) = self.seek(at, LogOffset(next))
        {
            tracing::warn!(topic = %at.topic, partition = at.partition, %error, "after an error");
        }
    }

    pub(super) fn topic_of(&self, name: &str) -> Option<Topic> {
        self.topics.iter().find(|(_, n)| n == name).map(|(topic, _)| *topic)
    }

    pub(super) fn name_of(&self, topic: Topic) -> &str {
        self.topics.iter().find(|(t, _)| *t == topic).map_or(topic.name(), |(_, name)| name)
    }

    pub(super) fn list(&self, partitions: &[TopicPartition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for at in partitions {
            list.add_partition(self.name_of(at.topic), at.partition as i32);
        }
        list
    }

    fn assigned_list(&self, partitions: &[TopicPartition]) -> TopicPartitionList {
        let assigned: Vec<_> = partitions.iter().copied().filter(|at| self.is_assigned(*at)).collect();
        self.list(&assigned)
    }

    fn drop_held(&mut self, partitions: &[TopicPartition]) {
        let names: Vec<_> =
            partitions.iter().map(|at| (self.name_of(at.topic).to_owned(), at.partition)).collect();
        self.inbox.retain(|topic, partition| !names.iter().any(|(t, p)| t == topic && *p == partition));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.consumer().context().leave();
        // A change that was taken and not answered would be waited for.
        let context = Arc::clone(self.consumer().context());
        let mut open = std::mem::take(&mut self.unanswered);
        open.extend(std::iter::from_fn(|| context.next()).map(|note| note.change));
        for change in open {
            let answered = match change {
                Change::Assigned => self.consumer().incremental_assign(&TopicPartitionList::new()),
                Change::Revoked => self.consumer().incremental_unassign(&TopicPartitionList::new()),
                Change::Lost => Ok(()),
            };
            if let Err(error) = answered {
                tracing::warn!(%error, "leaving the group");
            }
        }
    }
}

/// Waits until librdkafka has stopped fetching partitions that were given up.
///
/// The stop is handled by another thread, and takes the forwarding to our queue away. Were it handled after the partition
/// is forwarded anew, its messages would lie where nobody reads: no error, no message, for ever. Each partition's orders
/// are handled one after another, and a seek is waited for; that it is refused is expected.
pub(super) fn settle<C: ConsumerContext>(consumer: &BaseConsumer<C>, partitions: &TopicPartitionList) {
    for at in partitions.elements() {
        if let Err(error) = consumer.seek(at.topic(), at.partition(), Offset::Offset(0), SETTLED_WITHIN) {
            tracing::trace!(%error, topic = at.topic(), partition = at.partition(), "stopped");
        }
    }
}

/// The other thread does nothing that takes long.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// How a run of one partition's messages ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Over,
    /// At an error of the partition.
    Failed,
}

/// What a poll may still take.
struct Left {
    messages: usize,
    bytes: usize,
}

impl Left {
    fn any(&self) -> bool {
        self.messages > 0 && self.bytes > 0
    }

    fn take(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Moves a position past a message. Answers whether the message is to be handed over.
fn advance(next: &mut u64, at: TopicPartition, offset: i64, gaps: Gaps) -> Result<bool, LogError> {
    let offset = offset.max(0) as u64;
    if offset < *next {
        return Ok(false);
    }
    if offset > *next && gaps == Gaps::Refused {
        return Err(LogError::OutOfRange {
            topic: at.topic,
            partition: at.partition,
            offset: LogOffset(*next),
            detail: format!(
                "the log goes on at {offset}: messages were deleted, or written in a transaction"
            ),
        });
    }
    *next = offset + 1;
    Ok(true)
}

/// Hands one message over; answers its size.
pub(super) fn hand(
    fetched: &Fetched<'_>,
    at: TopicPartition,
    headers: Headers,
    each: &mut dyn FnMut(Message<'_>),
) -> usize {
    let (key, value) = (fetched.key(), fetched.value());
    let headers = if headers == Headers::Read { fetched.headers() } else { Vec::new() };
    each(Message {
        topic: at.topic,
        partition: at.partition,
        offset: LogOffset(fetched.offset().max(0) as u64),
        time_ms: fetched.time_ms(),
        key,
        value,
        headers: &headers,
    });
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}
