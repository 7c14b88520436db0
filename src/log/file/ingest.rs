//! An ingest's handle on the store. Messages queue until `acked`, which appends them in one synced batch: so many
//! records share one fsync.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{GroupOffset, Member, Store};
use crate::log::{
    Committed, IngestLog, IngestPolled, LogError, Message, Output, PollBudget, Topic, TopicPartition,
};
use crate::model::LogOffset;

const GROUP: &str = "tidegauge-ingest";
/// Messages queued before `produce` asks the caller to take acknowledgements.
const QUEUED_MAX: usize = 10_000;

/// One ingest of the process.
pub struct FileIngestLog {
    store: Arc<Store>,
    places: BTreeMap<TopicPartition, LogOffset>,
    paused: BTreeSet<TopicPartition>,
    /// Ends to be reached before the directory counts as read, and places reached.
    directory: BTreeMap<u32, (LogOffset, LogOffset)>,
    announced: bool,
    queued: Vec<(u64, Output)>,
    /// Where the next poll begins, so that no source starves.
    turn: usize,
}

impl FileIngestLog {
    /// Joins: reads go on from the committed offsets.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new(store: Arc<Store>, member: Member) -> Result<Self, LogError> {
        let mut places = BTreeMap::new();
        for topic in Topic::OUTSIDE {
            for partition in member.share(store.partitions()) {
                let from = match store.committed(GROUP, topic, partition)? {
                    Some(committed) => committed.offset,
                    None => store.begin(topic, partition)?,
                };
                places.insert(TopicPartition { topic, partition }, from);
            }
        }
        let directory =
            (0..store.partitions()).map(|p| (p, (LogOffset(0), store.end(Topic::Directory, p)))).collect();
        Ok(Self {
            store,
            places,
            paused: BTreeSet::new(),
            directory,
            announced: false,
            queued: Vec::new(),
            turn: 0,
        })
    }

    fn read(&mut self, budget: PollBudget, each: &mut dyn FnMut(Message<'_>)) -> Result<usize, LogError> {
        let sources: Vec<TopicPartition> = self.places.keys().copied().collect();
        let mut left = budget;
        let mut count = 0;
        self.turn = (self.turn + 1) % sources.len().max(1);
        for source in sources.iter().cycle().skip(self.turn).take(sources.len()) {
            if self.paused.contains(source) || left.messages == 0 {
                continue;
            }
            let Some(place) = self.places.get_mut(source) else { continue };
            let share = left;
            *place = self.store.read((source.topic, source.partition), *place, share, &mut |message| {
                left.messages -= 1;
                left.bytes = left.bytes.saturating_sub(message.value.map_or(0, <[u8]>::len));
                count += 1;
                each(message);
                true
            })?;
        }
        Ok(count)
    }
}

impl IngestLog for FileIngestLog {
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError> {
        if !self.announced {
            self.announced = true;
            return Ok(IngestPolled {
                assigned: self.places.keys().copied().collect(),
                ..IngestPolled::default()
            });
        }
        let seen = self.store.appends();
        if self.read(budget, each)? == 0 && budget.wait_ms > 0 {
            self.store.wait(seen, budget.wait_ms);
            self.read(budget, each)?;
        }
        Ok(IngestPolled::default())
    }

    fn poll_directory(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        let budget = PollBudget { messages: 4_096, bytes: usize::MAX, wait_ms: 0 };
        for (partition, (place, _)) in &mut self.directory {
            *place = self.store.read((Topic::Directory, *partition), *place, budget, &mut |message| {
                each(message);
                true
            })?;
        }
        Ok(self.directory.values().all(|(place, end)| place >= end))
    }

    fn produce(&mut self, token: u64, output: &Output) -> Result<(), LogError> {
        if self.queued.len() >= QUEUED_MAX {
            return Err(LogError::Retriable(format!("{QUEUED_MAX} messages are queued")));
        }
        self.queued.push((token, output.clone()));
        Ok(())
    }

    fn acked(&mut self, _wait_ms: u64, each: &mut dyn FnMut(u64, Result<(), LogError>)) {
        if self.queued.is_empty() {
            return;
        }
        let (tokens, outputs): (Vec<u64>, Vec<Output>) = std::mem::take(&mut self.queued).into_iter().unzip();
        let result = self.store.append(outputs, &[]).map_err(LogError::from);
        for token in tokens {
            each(token, result.clone());
        }
    }

    fn lag(&self, of: &dyn Fn(Topic) -> bool) -> Option<u64> {
        let behind = |(at, place): (&TopicPartition, &LogOffset)| {
            self.store.end(at.topic, at.partition).0.saturating_sub(place.0)
        };
        Some(self.places.iter().filter(|(at, _)| of(at.topic)).map(behind).sum())
    }

    fn commit_offsets(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        let committed: Vec<(TopicPartition, Committed)> = next
            .iter()
            .map(|(source, offset)| (*source, Committed { offset: *offset, metadata: String::new() }))
            .collect();
        let offsets: Vec<GroupOffset<'_>> = committed
            .iter()
            .map(|(s, committed)| GroupOffset {
                group: GROUP,
                topic: s.topic,
                partition: s.partition,
                committed,
            })
            .collect();
        Ok(self.store.append(Vec::new(), &offsets)?)
    }

    fn pause(&mut self, which: &[TopicPartition]) {
        self.paused.extend(which);
    }

    fn resume(&mut self, which: &[TopicPartition]) {
        self.paused.retain(|source| !which.contains(source));
    }

    fn log_partitions(&self) -> u32 {
        self.store.partitions()
    }
}
