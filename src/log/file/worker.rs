//! A worker's handle on the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{FileLogError, GroupOffset, Member, Store};
use crate::limits::{FILE_REFUSED_FIRST_MS, FILE_REFUSED_MAX_MS};
use crate::log::deadline::Deadline;
use crate::log::{
    CommitResult, Committed, Generation, GroupEvent, LogError, Message, Output, PollBudget, Topic, TopicInfo,
    Transaction, WorkerLog,
};
use crate::model::LogOffset;

const GROUP: &str = "tidegauge";

/// One worker of the process.
pub struct FileWorkerLog {
    store: Arc<Store>,
    id: String,
    share: Vec<u32>,
    announced: bool,
    places: BTreeMap<u32, LogOffset>,
    paused: BTreeSet<u32>,
    /// Where the next poll begins, so that no partition starves.
    turn: usize,
    result: Option<CommitResult>,
    refused: Refused,
}

/// How often in a row the disk has refused what was to be written, and until when it is let be.
#[derive(Debug, Default)]
struct Refused {
    times: u32,
    until: Option<Deadline>,
}

impl Refused {
    /// What came of writing something: after each refusal in a row twice the pause.
    fn note(&mut self, written: bool) {
        if written {
            *self = Self::default();
            return;
        }
        let pause_ms = FILE_REFUSED_FIRST_MS.saturating_mul(2_u64.saturating_pow(self.times));
        self.times = self.times.saturating_add(1);
        self.until = Some(Deadline::after(Duration::from_millis(pause_ms.min(FILE_REFUSED_MAX_MS))));
    }

    fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, Deadline::left)
    }
}

impl FileWorkerLog {
    #[must_use]
    pub fn new(store: Arc<Store>, member: Member) -> Self {
        let share = member.share(store.partitions());
        Self {
            store,
            id: format!("{GROUP}-{}", member.number),
            share,
            announced: false,
            places: BTreeMap::new(),
            paused: BTreeSet::new(),
            turn: 0,
            result: None,
            refused: Refused::default(),
        }
    }

    fn read(&mut self, budget: PollBudget, each: &mut dyn FnMut(Message<'_>)) -> Result<usize, FileLogError> {
        let mut count = 0;
        let (mut messages, mut bytes) = (budget.messages, budget.bytes);
        let partitions: Vec<u32> = self.places.keys().copied().filter(|p| !self.paused.contains(p)).collect();
        self.turn = (self.turn + 1) % partitions.len().max(1);
        for partition in partitions.iter().cycle().skip(self.turn).take(partitions.len()) {
            let Some(place) = self.places.get_mut(partition).filter(|_| messages > 0 && bytes > 0) else {
                break;
            };
            let left = PollBudget { messages, bytes, wait_ms: 0 };
            *place = self.store.read((Topic::Log, *partition), *place, left, &mut |message| {
                messages -= 1;
                bytes = bytes.saturating_sub(message.value.map_or(0, <[u8]>::len));
                count += 1;
                each(message);
                true
            })?;
        }
        Ok(count)
    }

    /// A commit has ended. That it was refused is told after a pause: whoever is told sends it again.
    fn ended(&mut self, end: Result<(), FileLogError>) {
        self.refused.note(end.is_ok());
        self.result = Some(match end {
            Ok(()) => CommitResult::Committed,
            Err(error) => CommitResult::Unresolved(error.to_string()),
        });
    }
}

impl WorkerLog for FileWorkerLog {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Option<GroupEvent>, LogError> {
        if !self.announced {
            self.announced = true;
            return Ok(Some(GroupEvent::Assigned {
                generation: Generation(1),
                partitions: self.share.clone(),
            }));
        }
        let seen = self.store.appends();
        if self.read(budget, each)? == 0 && budget.wait_ms > 0 {
            self.store.wait(seen, budget.wait_ms);
            self.read(budget, each)?;
        }
        Ok(None)
    }

    fn assign(&mut self, from: &[(u32, LogOffset)]) -> Result<(), LogError> {
        self.places.extend(from.iter().copied());
        Ok(())
    }

    fn unassign(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.places.retain(|partition, _| !partitions.contains(partition));
        Ok(())
    }

    fn pause(&mut self, partitions: &[u32]) {
        self.paused.extend(partitions);
    }

    fn resume(&mut self, partitions: &[u32]) {
        self.paused.retain(|partition| !partitions.contains(partition));
    }

    fn seek(&mut self, partition: u32, to: LogOffset) -> Result<(), LogError> {
        if let Some(place) = self.places.get_mut(&partition) {
            *place = to;
        }
        Ok(())
    }

    fn commit(&mut self, transaction: Arc<Transaction>) {
        let offset =
            |(partition, committed)| GroupOffset { group: GROUP, topic: Topic::Log, partition, committed };
        let offsets: Vec<GroupOffset<'_>> =
            transaction.offsets.iter().map(|(p, c)| offset((*p, c))).collect();
        let end = self.store.append(transaction.outputs.clone(), &offsets);
        self.ended(end);
    }

    fn commit_result(&mut self, wait_ms: u64) -> Option<CommitResult> {
        if matches!(self.result, Some(CommitResult::Unresolved(_))) && !self.refused.left().is_zero() {
            // Whatever is appended meanwhile shows that the disk takes something; the worker looks again.
            let left_ms = u64::try_from(self.refused.left().as_millis()).unwrap_or(u64::MAX);
            self.store.wait(self.store.appends(), wait_ms.min(left_ms.saturating_add(1)));
            if !self.refused.left().is_zero() {
                return None;
            }
        }
        self.result.take()
    }

    fn renew_producer(&mut self) -> Result<(), LogError> {
        self.result = None;
        Ok(())
    }

    fn stable_offset(&mut self, partition: u32) -> Result<Option<Committed>, LogError> {
        Ok(self.store.committed(GROUP, Topic::Log, partition)?)
    }

    fn end_transaction_of(&mut self, _transactional_id: &str) -> Result<(), LogError> {
        Ok(())
    }

    fn bounds(&mut self, topic: Topic, partition: u32) -> Result<(LogOffset, LogOffset), LogError> {
        Ok((self.store.begin(topic, partition)?, self.store.end(topic, partition)))
    }

    fn scan(
        &mut self,
        topic: Topic,
        partition: u32,
        from: LogOffset,
        to: LogOffset,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<(), LogError> {
        let begin = self.store.begin(topic, partition)?;
        if from < begin {
            let detail = format!("the first kept is {}", begin.0);
            return Err(LogError::OutOfRange { topic, partition, offset: from, detail });
        }
        let all = PollBudget { messages: usize::MAX, bytes: usize::MAX, wait_ms: 0 };
        self.store
            .read((topic, partition), from, all, &mut |message| message.offset < to && each(message))?;
        Ok(())
    }

    fn append_tick(&mut self, partition: u32, pack: Vec<u8>, time_ms: Option<i64>) {
        let tick = Output {
            topic: Topic::Log,
            partition: Some(partition),
            key: Vec::new(),
            value: Some(pack),
            headers: Vec::new(),
            time_ms,
        };
        if !self.refused.left().is_zero() {
            return;
        }
        let end = self.store.append(vec![tick], &[]);
        self.refused.note(end.is_ok());
        if let Err(error) = end {
            tracing::warn!(partition, %error, "a tick was not written; the next one follows");
        }
    }

    fn topic(&mut self, topic: Topic) -> Result<TopicInfo, LogError> {
        Ok(self.store.info(topic))
    }

    fn transactional_id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wait for a refusal's end, in pieces, as a worker waits.
    fn told(log: &mut FileWorkerLog) -> Option<CommitResult> {
        (0..1_000).find_map(|_| log.commit_result(50))
    }

    #[test]
    fn a_disk_that_refuses_is_let_be_for_a_while_and_longer_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), 1, Arc::new(|| 1_000)).unwrap();
        let mut log = FileWorkerLog::new(store, Member::ONLY);
        for times in [1, 2] {
            log.ended(Err(FileLogError::Record("full".to_owned())));
            let left = log.refused.left();
            assert!(left > Duration::from_millis(FILE_REFUSED_FIRST_MS) * times / 2, "{left:?}");
            assert_eq!(log.commit_result(0), None, "nobody is to try again at once");
            assert!(matches!(told(&mut log), Some(CommitResult::Unresolved(_))));
            assert!(log.refused.left().is_zero());
            log.renew_producer().unwrap();
        }
        log.refused.times = 60;
        log.ended(Err(FileLogError::Record("full".to_owned())));
        assert!(log.refused.left() <= Duration::from_millis(FILE_REFUSED_MAX_MS));
        log.ended(Ok(()));
        assert_eq!((log.refused.times, log.commit_result(0)), (0, Some(CommitResult::Committed)));
    }
}
