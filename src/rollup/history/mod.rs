//! What happened, for as long as ClickHouse keeps it: events, records that were not counted, and which records there were.
//!
//! A reader of the topics, as a group of its own. Invariant: rows first, offsets after. What is read twice comes out once,
//! for every row is keyed by what it tells of; and nothing is passed over: a message that cannot be read becomes a row of
//! `quarantine` with its bytes, its place and the reason.

mod cdrs;
mod event;
mod refused;

#[cfg(feature = "full")]
mod run;
#[cfg(feature = "full")]
mod sources;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

#[cfg(feature = "full")]
pub use run::{History, HistoryOptions};

use super::newest;
use super::rows::{Activation, Alert, Lifecycle, Quarantine, UsageRecord};
use crate::log::{IngestPolled, LogError, Message, PollBudget, Topic, TopicPartition};
use crate::model::LogOffset;

/// The topics of events and of records that were not counted.
pub const EVENT_TOPICS: [Topic; 5] =
    [Topic::Alerts, Topic::Activations, Topic::Lifecycle, Topic::Quarantine, Topic::DeadLetter];

/// With [`Topic::Log`], from which `usage_records` is filled: some 115 million rows a day at 10 million cards.
pub const ALL_TOPICS: [Topic; 6] =
    [Topic::Alerts, Topic::Activations, Topic::Lifecycle, Topic::Quarantine, Topic::DeadLetter, Topic::Log];

/// Where the history reads: a group's place in some topics.
pub trait HistorySource {
    /// Hands over committed messages, in order a partition, from the group's offsets on; says which partitions went.
    ///
    /// # Errors
    /// [`LogError::Retriable`]: poll again. After anything else a new source is opened.
    fn poll(
        &mut self,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<IngestPolled, LogError>;

    /// Commits the next offsets to read. Their messages are in ClickHouse.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if a partition is no longer ours: its new owner reads it again, which does no harm.
    fn commit(&mut self, next: &[(TopicPartition, LogOffset)]) -> Result<(), LogError>;
}

/// Rows of one round, and the offsets that may be committed once they are written.
#[derive(Debug, Default)]
pub struct Round {
    pub rows: HistoryRows,
    next: BTreeMap<TopicPartition, LogOffset>,
}

/// Rows by table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HistoryRows {
    pub alerts: Vec<Alert>,
    pub activations: Vec<Activation>,
    pub lifecycle: Vec<Lifecycle>,
    pub quarantine: Vec<Quarantine>,
    pub usage_records: Vec<UsageRecord>,
}

impl Round {
    /// Takes a message.
    pub fn add(&mut self, message: &Message<'_>) {
        self.rows.add(message);
        let at = TopicPartition { topic: message.topic, partition: message.partition };
        self.next.insert(at, message.offset.next());
    }

    /// Forgets partitions that are no longer ours; their rows are written all the same.
    pub fn forget(&mut self, dropped: &[TopicPartition]) {
        self.next.retain(|at, _| !dropped.contains(at));
    }

    /// What to commit when the rows are written.
    #[must_use]
    pub fn next(&self) -> Vec<(TopicPartition, LogOffset)> {
        self.next.iter().map(|(at, offset)| (*at, *offset)).collect()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next.is_empty() && self.rows == HistoryRows::default()
    }
}

impl HistoryRows {
    /// Turns a message into rows. A tombstone has nothing to tell; other topics are none of ours.
    pub fn add(&mut self, message: &Message<'_>) {
        let Some(value) = message.value else { return };
        let added = match message.topic {
            Topic::Alerts | Topic::Activations | Topic::Lifecycle => event::add(self, message, value),
            Topic::Quarantine | Topic::DeadLetter => {
                self.quarantine.push(refused::row(message, value));
                Ok(())
            }
            Topic::Log => cdrs::add(self, message, value),
            _ => Ok(()),
        };
        if let Err(reason) = added {
            self.quarantine.push(refused::unreadable(message, value, reason));
        }
    }

    /// Sorted for their tables, one row a key: the one that would win there.
    #[must_use]
    pub fn sealed(self) -> Self {
        Self {
            alerts: newest(self.alerts),
            activations: newest(self.activations),
            lifecycle: newest(self.lifecycle),
            quarantine: newest(self.quarantine),
            usage_records: newest(self.usage_records),
        }
    }
}
