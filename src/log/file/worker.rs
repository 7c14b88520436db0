//! A worker's handle on the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FileLogError, GroupOffset, Member, Store};
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
    result: Option<CommitResult>,
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
            result: None,
        }
    }

    fn read(&mut self, budget: PollBudget, each: &mut dyn FnMut(Message<'_>)) -> Result<usize, FileLogError> {
        let mut count = 0;
        let (mut messages, mut bytes) = (budget.messages, budget.bytes);
        for (partition, place) in self.places.iter_mut().filter(|(p, _)| !self.paused.contains(p)) {
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
        self.result = Some(match self.store.append(transaction.outputs.clone(), &offsets) {
            Ok(()) => CommitResult::Committed,
            Err(error) => CommitResult::Unresolved(error.to_string()),
        });
    }

    fn commit_result(&mut self, _wait_ms: u64) -> Option<CommitResult> {
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
        if let Err(error) = self.store.append(vec![tick], &[]) {
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
