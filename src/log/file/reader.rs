//! A plain reader of whole topics as a group: the rollup's event topics and the log. At least once: it begins at the
//! group's committed offsets, and these are committed by the caller when the records are safe.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GroupOffset, Store};
use crate::log::{Committed, LogError, Message, PollBudget, Topic, TopicPartition};
use crate::model::LogOffset;

/// See the module.
pub struct FileReader {
    store: Arc<Store>,
    group: String,
    places: BTreeMap<TopicPartition, LogOffset>,
}

impl FileReader {
    /// Begins where the group has committed, else at the earliest message.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new(store: Arc<Store>, group: &str, topics: &[Topic]) -> Result<Self, LogError> {
        let mut places = BTreeMap::new();
        for &topic in topics {
            for partition in 0..store.partitions() {
                let from = match store.committed(group, topic, partition)? {
                    Some(committed) => committed.offset,
                    None => store.begin(topic, partition)?,
                };
                places.insert(TopicPartition { topic, partition }, from);
            }
        }
        Ok(Self { store, group: group.to_owned(), places })
    }

    /// Hands over messages, in order a partition.
    ///
    /// # Errors
    /// What the disk says.
    pub fn poll(&mut self, budget: PollBudget, each: &mut dyn FnMut(Message<'_>)) -> Result<(), LogError> {
        let seen = self.store.appends();
        if self.read(budget, each)? == 0 && budget.wait_ms > 0 {
            self.store.wait(seen, budget.wait_ms);
            self.read(budget, each)?;
        }
        Ok(())
    }

    fn read(&mut self, budget: PollBudget, each: &mut dyn FnMut(Message<'_>)) -> Result<usize, LogError> {
        let mut left = budget;
        for (at, place) in &mut self.places {
            *place = self.store.read((at.topic, at.partition), *place, left, &mut |message| {
                left.messages -= 1;
                left.bytes = left.bytes.saturating_sub(message.value.map_or(0, <[u8]>::len));
                each(message);
                true
            })?;
        }
        Ok(budget.messages - left.messages)
    }

    /// Commits the next offsets to read.
    ///
    /// # Errors
    /// What the disk says.
    pub fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError> {
        let committed: Vec<_> = next
            .iter()
            .map(|(at, offset)| (*at, Committed { offset: *offset, metadata: String::new() }))
            .collect();
        let offsets: Vec<_> = committed
            .iter()
            .map(|(at, committed)| GroupOffset {
                group: &self.group,
                topic: at.topic,
                partition: at.partition,
                committed,
            })
            .collect();
        Ok(self.store.append(Vec::new(), &offsets)?)
    }
}
