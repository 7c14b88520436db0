//! What the group tells a member, noted as it comes.
//!
//! The callback does nothing but take the group metadata and write a note: the metadata is of the very generation that
//! the note speaks of, and the member answers from its own loop, when it has restored or committed. librdkafka waits for
//! the answer. Two answers are given here: for a member that is leaving, since its loop has ended, and to a loss, at once:
//! nothing can be committed any more, and until then a static member sends heartbeats without a name, for which a broker
//! that has come back would fence it for good.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::ffi::GroupMetadata;
use super::repeats::{Client, of_error, of_line};

/// A membership change, in the order of the callbacks.
pub(super) struct Note {
    pub(super) change: Change,
    /// As of the callback; `None` if the member belonged to no generation then.
    pub(super) metadata: Option<Arc<GroupMetadata>>,
    pub(super) partitions: TopicPartitionList,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Assigned,
    Revoked,
    Lost,
}

/// The context of a group member.
#[derive(Default)]
pub(super) struct GroupContext {
    notes: Mutex<VecDeque<Note>>,
    leaving: AtomicBool,
    /// A leaving member has given its answer.
    parted: AtomicBool,
    /// Topic and partition of what is being fetched. librdkafka knows too, but a member that is closing may ask it and get
    /// no answer, ever.
    assigned: Mutex<BTreeSet<(String, i32)>>,
}

impl GroupContext {
    /// The oldest note that nobody has taken.
    pub(super) fn next(&self) -> Option<Note> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// From now on the member is closing, and changes are answered here.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Fetches these partitions too. An empty list answers an assignment as well.
    pub(super) fn take(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> KafkaResult<()> {
        consumer.incremental_assign(list)?;
        self.assigned().extend(list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())));
        Ok(())
    }

    /// Gives up those of a list that are fetched: librdkafka refuses the list if one of them never was.
    pub(super) fn release(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> KafkaResult<()> {
        let mut ours = TopicPartitionList::new();
        for e in list.elements() {
            if self.assigned().remove(&(e.topic().to_owned(), e.partition())) {
                ours.add_partition(e.topic(), e.partition());
            }
        }
        consumer.incremental_unassign(&ours)
    }

    /// Whether any of these is fetched.
    pub(super) fn holds_any(&self, list: &TopicPartitionList) -> bool {
        let assigned = self.assigned();
        list.elements().iter().any(|e| assigned.contains(&(e.topic().to_owned(), e.partition())))
    }

    fn assigned(&self) -> MutexGuard<'_, BTreeSet<(String, i32)>> {
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one answer of a member that is closing. librdkafka takes any answer for giving all back, closes, and would not
    /// reply to a second one, ever; but a second question may be on its way.
    fn part(&self, consumer: &BaseConsumer<Self>) {
        if !self.parted.swap(true, Ordering::AcqRel) {
            log_answer(consumer.incremental_unassign(&TopicPartitionList::new()));
        }
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.is_leaving() {
            self.part(consumer);
            return;
        }
        let change = match assigned {
            true => Change::Assigned,
            false if consumer.assignment_lost() => Change::Lost,
            false => Change::Revoked,
        };
        if change == Change::Lost {
            log_answer(self.release(consumer, partitions));
        }
        let metadata =
            GroupMetadata::take(consumer).filter(|metadata| metadata.generation() >= 0).map(Arc::new);
        let note = Note { change, metadata, partitions: partitions.clone() };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push_back(note);
    }
}

fn log_answer(answered: KafkaResult<()>) {
    if let Err(error) = answered {
        tracing::warn!(%error, "answering the group");
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(Client::Member, &error, reason);
    }
}

/// The context of a client that is no group member.
pub(super) struct PlainContext;

impl ClientContext for PlainContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(Client::Plain, &error, reason);
    }
}

impl ConsumerContext for PlainContext {}

/// librdkafka's own log goes where ours goes; of its troubles equal ones once a minute.
pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => {
            if let Some(more) = of_line(facility, message) {
                tracing::error!(target: "librdkafka", "{facility} {message}{more}");
            }
        }
        RDKafkaLogLevel::Warning => {
            if let Some(more) = of_line(facility, message) {
                tracing::warn!(target: "librdkafka", "{facility} {message}{more}");
            }
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", "{facility} {message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", "{facility} {message}"),
    }
}

/// Errors that librdkafka goes on from by itself: worth a line a minute, not a decision.
pub(super) fn log_error(client: Client, error: &KafkaError, reason: &str) {
    if let Some(more) = of_error(client, error.rdkafka_error_code()) {
        tracing::warn!(target: "librdkafka", %error, "{reason}{more}");
    }
}
