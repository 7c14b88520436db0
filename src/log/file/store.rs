//! The store: messages by place in an embedded LSM tree, appended in atomic, synced batches.
//!
//! Invariant 2: one append (messages and offsets) is one batch of the store, and is acknowledged after its fsync.
//! Compacted topics keep the newest message of a key: the older one goes in the same batch that brings the newer.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::record::{Stored, newest, offset_of, place};
use super::{FileLogError, Stamp};
use crate::limits::DAY_S;
use crate::log::{Committed, LogError, Message, Output, PollBudget, Retention, Topic, TopicInfo};
use crate::model::{LogOffset, partition_of_key};

/// The log of one process, shared by its workers, ingests and readers.
pub struct Store {
    db: Database,
    messages: Keyspace,
    newest: Keyspace,
    offsets: Keyspace,
    partitions: u32,
    id: String,
    stamp: Stamp,
    ends: Mutex<Ends>,
    appended: Condvar,
    _lock: File,
}

/// The offset after the last message of each topic's partition, and how often something was appended.
#[derive(Default)]
struct Ends {
    next: BTreeMap<(Topic, u32), LogOffset>,
    appends: u64,
}

/// A group's offset of a topic's partition, to be committed.
pub struct GroupOffset<'a> {
    pub group: &'a str,
    pub topic: Topic,
    pub partition: u32,
    pub committed: &'a Committed,
}

impl Store {
    /// Opens the directory, or makes it with this many partitions a topic.
    ///
    /// # Errors
    /// Another process has it open; it was made with another number of partitions; it cannot be read.
    pub fn open(directory: &Path, partitions: u32, stamp: Stamp) -> Result<Arc<Self>, FileLogError> {
        std::fs::create_dir_all(directory)
            .map_err(|e| FileLogError::Directory(directory.to_owned(), e.to_string()))?;
        let lock = lock(directory)?;
        let db = Database::builder(directory.join("store")).open()?;
        let keyspace = |name: &str| db.keyspace(name, KeyspaceCreateOptions::default);
        let (messages, newest, offsets) = (keyspace("messages")?, keyspace("newest")?, keyspace("offsets")?);
        let id = about(&offsets, partitions, (stamp)())?;
        let store = Self {
            db,
            messages,
            newest,
            offsets,
            partitions,
            id,
            stamp,
            ends: Mutex::default(),
            appended: Condvar::new(),
            _lock: lock,
        };
        store.find_ends()?;
        store.forget_old()?;
        Ok(Arc::new(store))
    }

    fn find_ends(&self) -> Result<(), FileLogError> {
        let mut ends = self.ends();
        for topic in Topic::ALL {
            for partition in 0..self.partitions {
                // Kept apart from the messages, for a compacted or emptied partition does not show its end.
                let next = self.offsets.get(end_key(topic, partition))?;
                let next = next.and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?)));
                ends.next.insert((topic, partition), LogOffset(next.unwrap_or(0)));
            }
        }
        Ok(())
    }

    /// Deletes messages beyond their topic's retention.
    fn forget_old(&self) -> Result<(), FileLogError> {
        let now_ms = (self.stamp)();
        for topic in Topic::ALL {
            let Retention::Days(days) = topic.retention() else { continue };
            let oldest_ms = now_ms - i64::from(days) * DAY_S * 1000;
            for partition in 0..self.partitions {
                self.forget_before(topic, partition, oldest_ms)?;
            }
        }
        Ok(())
    }

    fn forget_before(&self, topic: Topic, partition: u32, oldest_ms: i64) -> Result<(), FileLogError> {
        let range = place(topic, partition, LogOffset(0))..place(topic, partition, LogOffset(u64::MAX));
        for guard in self.messages.range(range) {
            let (key, value) = guard.into_inner()?;
            if Stored::decode(&value)?.time_ms >= oldest_ms {
                break;
            }
            self.messages.remove(key)?;
        }
        Ok(())
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        // The map is only touched after the batch it speaks of is durable: a panic elsewhere leaves it true.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends messages and commits offsets: all or nothing, durable when it returns.
    ///
    /// # Errors
    /// What the disk says. Nothing was appended then.
    pub fn append(&self, outputs: Vec<Output>, offsets: &[GroupOffset<'_>]) -> Result<(), FileLogError> {
        let mut ends = self.ends();
        let mut next = BTreeMap::new();
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        let mut within = BTreeMap::new();
        for output in outputs {
            let topic = output.topic;
            let partition =
                output.partition.unwrap_or_else(|| partition_of_key(&output.key, self.partitions));
            let end = next
                .entry((topic, partition))
                .or_insert(ends.next.get(&(topic, partition)).copied().unwrap_or_default());
            let stored = Stored::of(output, (self.stamp)());
            if topic.retention() == Retention::Compact {
                self.compact(
                    &mut batch,
                    &mut within,
                    (topic, partition, *end),
                    stored.key.as_ref().map_or(&[][..], |key| key.as_slice()),
                )?;
            }
            batch.insert(&self.messages, place(topic, partition, *end), stored.encode()?);
            *end = end.next();
        }
        for ((topic, partition), end) in &next {
            batch.insert(&self.offsets, end_key(*topic, *partition), end.0.to_be_bytes());
        }
        for offset in offsets {
            let value =
                [&offset.committed.offset.0.to_be_bytes()[..], offset.committed.metadata.as_bytes()].concat();
            batch.insert(&self.offsets, group_key(offset.group, offset.topic, offset.partition), value);
        }
        batch.commit()?;
        ends.next.extend(next);
        ends.appends = ends.appends.wrapping_add(1);
        drop(ends);
        self.appended.notify_all();
        Ok(())
    }

    /// Removes what the message at this place replaces. `within`: what this very batch has written before it.
    fn compact(
        &self,
        batch: &mut fjall::OwnedWriteBatch,
        within: &mut BTreeMap<Vec<u8>, LogOffset>,
        (topic, partition, at): (Topic, u32, LogOffset),
        key: &[u8],
    ) -> Result<(), FileLogError> {
        let key = newest(topic, partition, key);
        let before = match within.get(&key) {
            Some(offset) => Some(*offset),
            None => self
                .newest
                .get(&key)?
                .and_then(|b| Some(LogOffset(u64::from_be_bytes(b.as_ref().try_into().ok()?)))),
        };
        if let Some(before) = before {
            batch.remove(&self.messages, place(topic, partition, before));
        }
        batch.insert(&self.newest, key.clone(), at.0.to_be_bytes());
        within.insert(key, at);
        Ok(())
    }

    /// Hands over messages from `from` on, within a budget, until `each` answers `false`; gives the next place to read.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(
        &self,
        (topic, partition): (Topic, u32),
        from: LogOffset,
        budget: PollBudget,
        each: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<LogOffset, FileLogError> {
        let end = self.end(topic, partition);
        if from >= end {
            return Ok(from);
        }
        let (mut messages, mut bytes) = (0, 0);
        for guard in self.messages.range(place(topic, partition, from)..place(topic, partition, end)) {
            let (key, value) = guard.into_inner()?;
            let offset =
                offset_of(&key).ok_or_else(|| FileLogError::Record("a key of another length".to_owned()))?;
            if messages == budget.messages || bytes >= budget.bytes {
                return Ok(offset);
            }
            (messages, bytes) = (messages + 1, bytes + value.len());
            let stored = Stored::decode(&value)?;
            if !hand_over((topic, partition, offset), &stored, each) {
                return Ok(offset.next());
            }
        }
        Ok(end)
    }

    /// The offset after the last message.
    pub fn end(&self, topic: Topic, partition: u32) -> LogOffset {
        self.ends().next.get(&(topic, partition)).copied().unwrap_or_default()
    }

    /// The first offset that a reader may ask for.
    ///
    /// # Errors
    /// What the disk says.
    pub fn begin(&self, topic: Topic, partition: u32) -> Result<LogOffset, FileLogError> {
        if topic.retention() == Retention::Compact {
            return Ok(LogOffset(0));
        }
        let range = place(topic, partition, LogOffset(0))..place(topic, partition, LogOffset(u64::MAX));
        match self.messages.range(range).next() {
            Some(guard) => Ok(offset_of(&guard.key()?).unwrap_or_default()),
            None => Ok(self.end(topic, partition)),
        }
    }

    /// A group's committed offset.
    ///
    /// # Errors
    /// What the disk says.
    pub fn committed(
        &self,
        group: &str,
        topic: Topic,
        partition: u32,
    ) -> Result<Option<Committed>, FileLogError> {
        let Some(bytes) = self.offsets.get(group_key(group, topic, partition))? else { return Ok(None) };
        let (offset, metadata) =
            bytes.split_first_chunk().ok_or_else(|| FileLogError::Record("an offset".to_owned()))?;
        Ok(Some(Committed {
            offset: LogOffset(u64::from_be_bytes(*offset)),
            metadata: String::from_utf8_lossy(metadata).into_owned(),
        }))
    }

    /// How often something has been appended: what [`Self::wait`] waits on.
    pub fn appends(&self) -> u64 {
        self.ends().appends
    }

    /// Waits until something is appended after `seen`, at most so long.
    pub fn wait(&self, seen: u64, wait_ms: u64) {
        let ends = self.ends();
        let waited =
            self.appended.wait_timeout_while(ends, Duration::from_millis(wait_ms), |e| e.appends == seen);
        drop(waited);
    }

    /// Every topic has as many.
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// The id of a topic: changes when the directory is deleted and made again.
    pub fn info(&self, topic: Topic) -> TopicInfo {
        TopicInfo { id: format!("{}/{topic}", self.id), partitions: self.partitions }
    }
}

fn hand_over(
    (topic, partition, offset): (Topic, u32, LogOffset),
    stored: &Stored,
    each: &mut dyn FnMut(Message<'_>) -> bool,
) -> bool {
    let headers: Vec<(&str, &[u8])> =
        stored.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    each(Message {
        topic,
        partition,
        offset,
        time_ms: stored.time_ms,
        key: stored.key.as_ref().map(|key| key.as_slice()),
        value: stored.value.as_ref().map(|value| value.as_slice()),
        headers: &headers,
    })
}

fn lock(directory: &Path) -> Result<File, FileLogError> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(|e| FileLogError::Directory(path.clone(), e.to_string()))?;
    file.try_lock().map_err(|_| FileLogError::InUse(directory.to_owned()))?;
    Ok(file)
}

/// The directory's id and partition count, written when it is made.
fn about(offsets: &Keyspace, partitions: u32, made_ms: i64) -> Result<String, FileLogError> {
    const KEY: &[u8] = b"about";
    if let Some(bytes) = offsets.get(KEY)? {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (count, id) = text.split_once(' ').ok_or_else(|| FileLogError::Record("about".to_owned()))?;
        return match count.parse::<u32>() {
            Ok(made) if made == partitions => Ok(id.to_owned()),
            _ => Err(FileLogError::Partitions { made: count.to_owned(), wanted: partitions }),
        };
    }
    let id = format!("{made_ms:x}");
    offsets.insert(KEY, format!("{partitions} {id}"))?;
    Ok(id)
}

fn end_key(topic: Topic, partition: u32) -> String {
    format!("end/{topic}/{partition}")
}

fn group_key(group: &str, topic: Topic, partition: u32) -> String {
    format!("group/{group}/{topic}/{partition}")
}

impl From<FileLogError> for LogError {
    fn from(error: FileLogError) -> Self {
        Self::Fatal(error.to_string())
    }
}
