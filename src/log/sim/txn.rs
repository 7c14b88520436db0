//! The transaction coordinator, as Kafka has it for clients of transactions V1: an epoch a transactional id, a decision
//! that comes first, and markers that reach each partition later, each in its own time.

use std::collections::{BTreeMap, BTreeSet};

use super::partition::Writer;
use crate::log::TopicPartition;

/// Where a transactional id stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Idle,
    /// Open since a virtual time; the partitions it has told the coordinator of.
    Ongoing { since_ms: i64, partitions: BTreeSet<TopicPartition>, offsets: bool },
    /// Decided; this many markers are still on their way.
    Ending { markers: usize },
}

/// One transactional id.
#[derive(Debug)]
pub(super) struct Transactional {
    pub(super) writer: Writer,
    pub(super) state: State,
}

/// A marker on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marker {
    pub(super) due_ms: i64,
    /// The transactional id it belongs to.
    pub(super) id: u64,
    /// The writer whose transaction it ends; its epoch fences older ones in the partition.
    pub(super) writer: Writer,
    pub(super) to: MarkerTarget,
    pub(super) commit: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum MarkerTarget {
    Partition(TopicPartition),
    /// The group's offsets: what was pending becomes stable, or is dropped.
    Offsets,
}

/// Why the coordinator says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Fenced,
    /// The transaction before is still ending: ask again.
    Concurrent,
    InvalidState,
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    ids: BTreeMap<String, u64>,
    all: BTreeMap<u64, Transactional>,
}

impl Coordinator {
    fn of(&mut self, name: &str) -> &mut Transactional {
        let next = self.ids.len() as u64;
        let id = *self.ids.entry(name.to_owned()).or_insert(next);
        let fresh = || Transactional { writer: Writer { id, epoch: 0 }, state: State::Idle };
        self.all.entry(id).or_insert_with(fresh)
    }

    /// Initialises a producer: fences all before it. With a transaction open, that one is to be aborted first: the
    /// partitions to send markers to are answered, and the caller has to ask again.
    pub(super) fn init(&mut self, name: &str) -> Result<Writer, Ending> {
        let own = self.of(name);
        match &own.state {
            State::Idle => {
                own.writer.epoch += 1;
                Ok(own.writer)
            }
            State::Ending { .. } => Err(Ending { writer: own.writer, targets: Vec::new() }),
            State::Ongoing { .. } => {
                own.writer.epoch += 1;
                Err(own.end())
            }
        }
    }

    /// Adds partitions to a transaction, and opens it if it is not.
    pub(super) fn add(
        &mut self,
        writer: Writer,
        partitions: &[TopicPartition],
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let own = self.checked(writer)?;
        match &mut own.state {
            State::Ending { .. } => return Err(Refusal::Concurrent),
            State::Ongoing { partitions: known, .. } => known.extend(partitions),
            State::Idle => {
                let partitions = partitions.iter().copied().collect();
                own.state = State::Ongoing { since_ms: now_ms, partitions, offsets: false };
            }
        }
        Ok(())
    }

    /// Adds the group's offsets to an open transaction.
    pub(super) fn add_offsets(&mut self, writer: Writer, now_ms: i64) -> Result<(), Refusal> {
        self.add(writer, &[], now_ms)?;
        if let State::Ongoing { offsets, .. } = &mut self.checked(writer)?.state {
            *offsets = true;
        }
        Ok(())
    }

    /// Decides a transaction: from here on it is committed, whoever hears of it.
    pub(super) fn end(&mut self, writer: Writer) -> Result<Ending, Refusal> {
        let own = self.checked(writer)?;
        match own.state {
            State::Ongoing { .. } => Ok(own.end()),
            State::Ending { .. } | State::Idle => Err(Refusal::InvalidState),
        }
    }

    /// Transactions open for longer than the timeout: aborted by the coordinator, their writers fenced.
    pub(super) fn expire(&mut self, before_ms: i64) -> Vec<Ending> {
        let expired = |t: &&mut Transactional| matches!(t.state, State::Ongoing { since_ms, .. } if since_ms < before_ms);
        self.all
            .values_mut()
            .filter(expired)
            .map(|own| {
                own.writer.epoch += 1;
                own.end()
            })
            .collect()
    }

    /// Time that does not count.
    pub(super) fn leap(&mut self, by_ms: i64) {
        for own in self.all.values_mut() {
            if let State::Ongoing { since_ms, .. } = &mut own.state {
                *since_ms += by_ms;
            }
        }
    }

    /// A marker has arrived.
    pub(super) fn marked(&mut self, id: u64) {
        let Some(own) = self.all.get_mut(&id) else { return };
        if let State::Ending { markers } = &mut own.state {
            *markers -= 1;
            if *markers == 0 {
                own.state = State::Idle;
            }
        }
    }

    pub(super) fn is_open(&self, id: u64) -> bool {
        self.all.get(&id).is_some_and(|t| t.state != State::Idle)
    }

    fn checked(&mut self, writer: Writer) -> Result<&mut Transactional, Refusal> {
        let own = self.all.get_mut(&writer.id).ok_or(Refusal::Fenced)?;
        if own.writer == writer { Ok(own) } else { Err(Refusal::Fenced) }
    }
}

/// A decided transaction: where its markers have to go.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) writer: Writer,
    pub(super) targets: Vec<MarkerTarget>,
}

impl Transactional {
    fn end(&mut self) -> Ending {
        let State::Ongoing { partitions, offsets, .. } = std::mem::take(&mut self.state) else {
            return Ending { writer: self.writer, targets: Vec::new() };
        };
        let mut targets: Vec<_> = partitions.into_iter().map(MarkerTarget::Partition).collect();
        targets.extend(offsets.then_some(MarkerTarget::Offsets));
        if !targets.is_empty() {
            self.state = State::Ending { markers: targets.len() };
        }
        Ending { writer: self.writer, targets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initialised_successor_fences_and_ends_what_was_open() {
        let mut coordinator = Coordinator::default();
        let old = coordinator.init("w").unwrap();
        coordinator.add_offsets(old, 0).unwrap();
        let ending = coordinator.init("w").unwrap_err();
        assert_eq!(ending.targets.len(), 1);
        assert_eq!(coordinator.end(old).unwrap_err(), Refusal::Fenced);
        assert!(coordinator.init("w").is_err(), "its markers are not there yet");
        coordinator.marked(old.id);
        assert!(coordinator.init("w").unwrap().epoch > old.epoch + 1);
    }

    #[test]
    fn the_next_transaction_waits_for_the_markers_of_the_one_before() {
        let mut coordinator = Coordinator::default();
        let writer = coordinator.init("w").unwrap();
        coordinator.add_offsets(writer, 0).unwrap();
        coordinator.end(writer).unwrap();
        assert_eq!(coordinator.add_offsets(writer, 1), Err(Refusal::Concurrent));
        coordinator.marked(writer.id);
        assert_eq!(coordinator.add_offsets(writer, 1), Ok(()));
    }

    #[test]
    fn a_forgotten_transaction_is_aborted_at_its_timeout() {
        let mut coordinator = Coordinator::default();
        let writer = coordinator.init("w").unwrap();
        coordinator.add_offsets(writer, 10).unwrap();
        assert!(coordinator.expire(10).is_empty());
        assert_eq!(coordinator.expire(11).len(), 1);
        assert_eq!(coordinator.end(writer).unwrap_err(), Refusal::Fenced);
    }
}
