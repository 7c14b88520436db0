//! One partition of a topic, as a broker keeps it: data and markers take offsets, readers of committed messages stop at
//! the last stable offset and pass over what was aborted, compaction leaves gaps.
//!
//! Nothing is ever thrown away: what retention or compaction deletes is marked as gone, so that an auditor sees all.

use std::collections::{BTreeMap, BTreeSet};

use super::rng::Rng;

/// Who wrote a message: the number of a transactional id and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Writer {
    pub(super) id: u64,
    pub(super) epoch: u32,
}

/// How a message came to stand in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// Of a transaction that is open, was committed, or was aborted.
    Open(Writer),
    Committed,
    Aborted,
    /// The end of a transaction: an offset without a message.
    Marker,
}

/// A message at its offset (its index in [`PartitionLog::entries`]).
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) time_ms: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) kind: Kind,
    /// Deleted by compaction.
    pub(super) gone: bool,
}

impl Entry {
    /// Whether a reader of committed messages gets it, once it is below the last stable offset.
    pub(super) fn is_readable(&self) -> bool {
        !self.gone && self.is_committed()
    }

    /// Whether it counts, deleted since or not.
    pub(super) fn is_committed(&self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Committed)
    }
}

/// The log of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    entries: Vec<Entry>,
    /// First offset kept.
    start: u64,
    /// First offset of each open transaction here.
    open: BTreeMap<u64, u64>,
    /// The highest epoch seen of each transactional writer: older ones are fenced here.
    epochs: BTreeMap<u64, u32>,
}

impl PartitionLog {
    pub(super) fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The last stable offset: before the first message of any open transaction.
    pub(super) fn stable_end(&self) -> u64 {
        self.open.values().copied().min().unwrap_or_else(|| self.end())
    }

    pub(super) fn entry(&self, offset: u64) -> Option<&Entry> {
        self.entries.get(offset as usize)
    }

    /// Appends a message; `false` if its writer's epoch is fenced.
    pub(super) fn append(&mut self, entry: Entry) -> bool {
        if let Kind::Open(writer) = entry.kind {
            let known = self.epochs.entry(writer.id).or_insert(writer.epoch);
            if writer.epoch < *known {
                return false;
            }
            *known = writer.epoch;
            let at = self.entries.len() as u64;
            self.open.entry(writer.id).or_insert(at);
        }
        self.entries.push(entry);
        true
    }

    /// Ends a writer's open transaction here: its messages become committed or aborted, the marker takes an offset.
    pub(super) fn end_transaction(&mut self, writer: Writer, commit: bool, time_ms: i64) {
        self.epochs.insert(writer.id, writer.epoch);
        if let Some(first) = self.open.remove(&writer.id) {
            let kind = if commit { Kind::Committed } else { Kind::Aborted };
            for entry in self.entries.iter_mut().skip(first as usize) {
                if matches!(entry.kind, Kind::Open(w) if w.id == writer.id) {
                    entry.kind = kind;
                }
            }
        }
        let marker =
            Entry { time_ms, key: None, value: None, headers: vec![], kind: Kind::Marker, gone: false };
        self.entries.push(marker);
    }

    /// The next readable message at or after `from`, below the last stable offset.
    pub(super) fn next_readable(&self, from: u64) -> Option<(u64, &Entry)> {
        let end = self.stable_end();
        (from.max(self.start)..end).find_map(|at| self.entry(at).filter(|e| e.is_readable()).map(|e| (at, e)))
    }

    /// Deletes everything before an offset.
    pub(super) fn truncate_before(&mut self, offset: u64) {
        self.start = self.start.max(offset.min(self.stable_end()));
    }

    /// Time of the last message, milliseconds; 0 of an empty partition.
    pub(super) fn last_time_ms(&self) -> i64 {
        self.entries.last().map_or(0, |e| e.time_ms)
    }

    /// One pass of the cleaner: below a point chosen at random, at most the last message of a key stays.
    ///
    /// Each superseded message goes or stays by the toss of a coin, which is a state that real passes over segments can
    /// leave. Tombstones older than `tombstones_before_ms` may go once nothing older of their key is left.
    pub(super) fn compact(&mut self, rng: &mut Rng, tombstones_before_ms: i64) {
        let clean_to = rng.below(self.stable_end() + 1) as usize;
        let Some(clean) = self.entries.get_mut(..clean_to) else { return };
        let mut newest = BTreeSet::new();
        for entry in clean.iter_mut().rev() {
            let superseded = match entry.kind {
                Kind::Marker | Kind::Open(_) => false,
                Kind::Aborted => true,
                Kind::Plain | Kind::Committed => entry.key.as_deref().is_some_and(|key| !newest.insert(key)),
            };
            entry.gone |= superseded && rng.coin();
        }
        let mut alive = BTreeSet::new();
        for entry in clean.iter_mut().filter(|e| e.is_readable()) {
            let deletes = entry.value.is_none() && entry.time_ms < tombstones_before_ms;
            if deletes && entry.key.as_deref().is_none_or(|key| !alive.contains(key)) && rng.coin() {
                entry.gone = true;
            } else if let Some(key) = entry.key.as_deref() {
                alive.insert(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, kind: Kind) -> Entry {
        let bytes = Some(key.as_bytes().to_vec());
        Entry { time_ms: 0, key: bytes.clone(), value: bytes, headers: vec![], kind, gone: false }
    }

    fn readable(log: &PartitionLog) -> Vec<u64> {
        std::iter::successors(log.next_readable(0), |(at, _)| log.next_readable(at + 1))
            .map(|(at, _)| at)
            .collect()
    }

    const A: Writer = Writer { id: 1, epoch: 0 };
    const B: Writer = Writer { id: 2, epoch: 0 };

    #[test]
    fn readers_stop_at_the_first_open_transaction_and_markers_take_offsets() {
        let mut log = PartitionLog::default();
        log.append(entry("a", Kind::Open(A)));
        log.append(entry("b", Kind::Open(B)));
        log.end_transaction(B, true, 0);
        assert_eq!((log.end(), log.stable_end()), (3, 0), "A is still open");
        log.end_transaction(A, false, 0);
        assert_eq!((log.end(), log.stable_end()), (4, 4));
        assert_eq!(readable(&log), [1], "A was aborted");
    }

    #[test]
    fn a_fenced_epoch_writes_nothing() {
        let mut log = PartitionLog::default();
        log.append(entry("a", Kind::Open(A)));
        log.end_transaction(Writer { id: 1, epoch: 1 }, false, 0);
        assert!(!log.append(entry("a", Kind::Open(A))));
        assert!(log.append(entry("a", Kind::Open(Writer { id: 1, epoch: 1 }))));
    }

    #[test]
    fn compaction_keeps_the_last_committed_message_of_each_key() {
        for seed in 0..200 {
            let mut log = PartitionLog::default();
            for key in ["x", "y", "x", "x", "y"] {
                log.append(entry(key, Kind::Plain));
            }
            log.append(entry("x", Kind::Open(A)));
            log.end_transaction(A, false, 0);
            log.compact(&mut Rng::new(seed), 0);
            let left = readable(&log);
            assert!(left.contains(&3) && left.contains(&4), "seed {seed}: {left:?}");
        }
    }
}
