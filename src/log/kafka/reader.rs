//! A plain reader of whole topics as a group: ingest's sources, the rollup's event topics, the log's tail.
//!
//! At least once: it begins at the group's committed offsets, and these are committed by the caller when the records are
//! safe. A place that the group never had begins at the earliest message. What retention took before it was read is said
//! aloud, with its number; it is never passed over in silence.

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::asking::Asking;
use super::config::{KafkaConfig, Reset};
use super::error::from_kafka;
use super::group::{Change, Note};
use super::member::{Gaps, Headers, Member, Reading};
use crate::log::{Committed, IngestPolled, LogError, Message, PollBudget, Topic, TopicPartition};
use crate::model::LogOffset;

/// See the module.
pub struct KafkaReader {
    config: KafkaConfig,
    member: Member,
    asking: Asking,
    /// A change whose answer failed and is tried again.
    pending: Option<Note>,
}

/// A partition and where its reading begins.
type From = (TopicPartition, LogOffset);
/// A partition with what the group has committed of it.
type Noted = (TopicPartition, Committed);

/// A millisecond of a record's way, for batches that are worth their overhead.
const GATHER_MS: u64 = 1;
/// Longest wait for messages in one poll: membership changes are seen at least this often.
const WAIT_MS_MAX: u64 = 100;

impl KafkaReader {
    /// Joins the group; nothing is waited for.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings that cannot be right.
    pub fn open(config: KafkaConfig, topics: &[Topic]) -> Result<Self, LogError> {
        let asking = Asking::new(&config)?;
        let client = config.member(Reset::Earliest);
        let reading = Reading { gaps: Gaps::Expected, headers: Headers::Read, gather_ms: GATHER_MS };
        let member = Member::join(&config, &client, topics, reading)?;
        Ok(Self { config, member, asking, pending: None })
    }

    /// Hands over messages, and tells which partitions came and went.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if another member runs under this instance id; [`LogError::Retriable`] while brokers are away.
    pub fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        self.member.serve()?;
        let mut polled = IngestPolled::default();
        while let Some(note) = self.pending.take().or_else(|| self.member.next_note()) {
            if let Err(error) = self.answer(&note, &mut polled) {
                // What was answered before must still be told; the error comes back with the next poll.
                self.pending = Some(note);
                if polled == IngestPolled::default() {
                    return Err(error);
                }
                return Ok(polled);
            }
        }
        let budget = PollBudget { wait_ms: budget.wait_ms.min(WAIT_MS_MAX), ..budget };
        if polled == IngestPolled::default() {
            self.member.consume(budget, each)?;
        }
        Ok(polled)
    }

    /// Messages of its partitions of such topics that were not handed over yet, by the ends that the brokers' last answers told.
    #[must_use]
    pub fn lag(&self, of: impl Fn(Topic) -> bool) -> u64 {
        self.member.lag(of)
    }

    fn answer(&mut self, note: &Note, polled: &mut IngestPolled) -> Result<(), LogError> {
        let partitions = self.member.partitions_of(&note.partitions);
        if note.change == Change::Assigned {
            let (from, noted) = self.starts(&partitions)?;
            self.member.assign(&from)?;
            polled.assigned.extend(partitions);
            polled.noted.extend(noted);
        } else {
            self.member.unassign(&partitions)?;
            polled.dropped.extend(partitions);
        }
        Ok(())
    }

    /// Where each partition begins, and the notes of those that begin where the group had come.
    fn starts(&self, partitions: &[TopicPartition]) -> Result<(Vec<From>, Vec<Noted>), LogError> {
        let (mut from, mut noted) = (Vec::new(), Vec::new());
        if partitions.is_empty() {
            return Ok((from, noted));
        }
        let list = self.committed(partitions)?;
        for at in partitions {
            let bounds = self.asking.bounds(at.topic, at.partition)?;
            let committed = self.committed_in(&list, *at);
            let start = start(*at, committed.as_ref().map(|committed| committed.offset), bounds);
            from.push((*at, start));
            noted.extend(committed.filter(|committed| committed.offset == start).map(|found| (*at, found)));
        }
        Ok((from, noted))
    }

    fn committed(&self, partitions: &[TopicPartition]) -> Result<TopicPartitionList, LogError> {
        let doing = || format!("asking for the offsets of group {}", self.config.group_id());
        let list = self
            .member
            .consumer()
            .committed_offsets(self.member.list(partitions), self.config.timeouts.request)
            .map_err(|e| from_kafka(&doing(), &e))?;
        for place in list.elements() {
            place.error().map_err(|e| from_kafka(&doing(), &e))?;
        }
        Ok(list)
    }

    fn committed_in(&self, list: &TopicPartitionList, at: TopicPartition) -> Option<Committed> {
        let place = list.find_partition(self.member.name_of(at.topic), at.partition as i32)?;
        let Offset::Offset(offset) = place.offset() else { return None };
        Some(Committed { offset: LogOffset(offset.max(0) as u64), metadata: place.metadata().to_owned() })
    }

    /// Commits the next offsets to read, and waits for it.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if a partition is no longer ours; those that are were committed.
    pub fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        let bare = |(at, offset): &(_, _)| (*at, Committed { offset: *offset, metadata: String::new() });
        self.commit_noted(&next.iter().map(bare).collect::<Vec<_>>())
    }

    /// The same with a note beside each.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_noted(&mut self, next: &[Noted]) -> Result<(), LogError> {
        let doing = || format!("committing offsets of group {}", self.config.group_id());
        let list = self.list(next, true).map_err(|e| from_kafka(&doing(), &e))?;
        if list.count() > 0 {
            self.commit_list(next, &list).map_err(|e| from_kafka(&doing(), &e))?;
        }
        match next.iter().find(|(at, _)| !self.member.is_assigned(*at)) {
            None => Ok(()),
            Some((at, _)) => Err(LogError::Fenced(format!(
                "{}: {} [{}] is no longer ours",
                doing(),
                at.topic,
                at.partition
            ))),
        }
    }

    /// The offsets of those partitions that are ours, with their notes or without.
    fn list(&self, next: &[Noted], with_notes: bool) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (at, committed) in next.iter().filter(|(at, _)| self.member.is_assigned(*at)) {
            let mut place = list.add_partition(self.member.name_of(at.topic), at.partition as i32);
            place.set_offset(Offset::Offset(committed.offset.0 as i64))?;
            if with_notes && !committed.metadata.is_empty() {
                place.set_metadata(&committed.metadata);
            }
        }
        Ok(list)
    }

    /// An offset must be committed whatever becomes of its note.
    fn commit_list(&self, next: &[Noted], list: &TopicPartitionList) -> KafkaResult<()> {
        let commit = |list: &TopicPartitionList| self.member.consumer().commit(list, CommitMode::Sync);
        match commit(list) {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OffsetMetadataTooLarge) => {
                tracing::error!(
                    "the brokers keep less beside an offset than what is known of feeds' gaps: raise \
                     offset.metadata.max.bytes to 4096, or gaps are forgotten at each restart"
                );
                commit(&self.list(next, false)?)
            }
            other => other,
        }
    }

    /// Stops fetching.
    pub fn pause(&mut self, which: &[TopicPartition]) {
        self.member.pause(which);
    }

    /// Goes on fetching.
    pub fn resume(&mut self, which: &[TopicPartition]) {
        self.member.resume(which);
    }

    /// Goes on from another offset.
    ///
    /// # Errors
    /// [`LogError::Retriable`] if the partition is not being fetched.
    pub fn seek(&mut self, at: TopicPartition, to: LogOffset) -> Result<(), LogError> {
        self.member.seek(at, to)
    }
}

/// Where to begin, given what the group has and what the log keeps.
fn start(at: TopicPartition, committed: Option<LogOffset>, (low, high): (LogOffset, LogOffset)) -> LogOffset {
    let (topic, partition) = (at.topic, at.partition);
    match committed {
        None => low,
        Some(offset) if offset < low => {
            let lost = low.0 - offset.0;
            tracing::error!(
                %topic, partition, lost, "retention took {lost} messages before they were read: raise retention.ms"
            );
            low
        }
        Some(offset) if offset > high => {
            tracing::error!(
                %topic, partition, committed = offset.0, end = high.0,
                "the committed offset lies past the end: the topic was made anew, or lost its end; reading it all"
            );
            low
        }
        Some(offset) => offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_begins_where_the_group_was_if_that_is_still_there() {
        let at = TopicPartition { topic: Topic::Cdr, partition: 3 };
        let bounds = (LogOffset(10), LogOffset(20));
        let cases =
            [(None, 10), (Some(9), 10), (Some(10), 10), (Some(15), 15), (Some(20), 20), (Some(21), 10)];
        for (committed, expected) in cases {
            assert_eq!(start(at, committed.map(LogOffset), bounds), LogOffset(expected), "{committed:?}");
        }
    }
}
