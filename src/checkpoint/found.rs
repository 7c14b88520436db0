//! What one partition of the checkpoint topic holds: the last record of each key, as compaction would leave them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::chunk::{self, ChunkInfo, Part};
use super::frame::{self, FrameError};
use super::head::{Head, Skip};
use super::key::Key;
use super::refused::Why;
use crate::limits::SHARDS;
use crate::log::Message;
use crate::model::{Catalogue, LogOffset};

/// Records by key. Only what is live at the end is decoded and judged.
#[derive(Debug, Default)]
pub(super) struct Found {
    records: BTreeMap<Key, Record>,
}

#[derive(Debug)]
struct Record {
    place: LogOffset,
    value: Vec<u8>,
}

/// One shard's chunk with its place in the checkpoint partition.
#[derive(Debug)]
pub(super) struct Chunk {
    pub info: ChunkInfo,
    pub place: LogOffset,
    pub bytes: Vec<u8>,
}

impl Found {
    /// Takes the next message of the partition. Keys of later versions are passed over.
    pub(super) fn take(&mut self, message: &Message<'_>) {
        let Some(key) = message.key.and_then(Key::parse) else { return };
        match message.value {
            Some(value) => {
                let record = Record { place: message.offset, value: value.to_vec() };
                self.records.insert(key, record);
            }
            None => drop(self.records.remove(&key)),
        }
    }

    fn read<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>, Why> {
        let Some(record) = self.records.get(&key) else { return Ok(None) };
        frame::decode(&record.value).map(Some).map_err(|error| Why::Record {
            place: record.place,
            key,
            error,
        })
    }

    /// The head, if there is one.
    ///
    /// # Errors
    /// When its bytes are damaged.
    pub(super) fn head(&self) -> Result<Option<Head>, Why> {
        self.read(Key::Head)
    }

    /// Orders to pass over messages.
    ///
    /// # Errors
    /// When one is damaged.
    pub(super) fn skips(&self) -> Result<BTreeMap<LogOffset, String>, Why> {
        let mut skips = BTreeMap::new();
        for key in self.records.keys().filter(|k| matches!(k, Key::Skip { .. })) {
            if let Some(skip) = self.read::<Skip>(*key)? {
                skips.insert(skip.offset, skip.reason);
            }
        }
        Ok(skips)
    }

    /// The catalogues that the head names, each with its place.
    ///
    /// # Errors
    /// When one is missing or damaged.
    pub(super) fn catalogues(&self, head: &Head) -> Result<Vec<(Arc<Catalogue>, LogOffset)>, Why> {
        head.catalogues.iter().map(|version| self.catalogue(*version)).collect()
    }

    fn catalogue(&self, version: u32) -> Result<(Arc<Catalogue>, LogOffset), Why> {
        let key = Key::Catalogue { version };
        let json: Vec<u8> = self.read(key)?.ok_or(Why::Catalogue { version })?;
        let place = self.records.get(&key).map_or(LogOffset(0), |r| r.place);
        let catalogue = serde_json::from_slice(&json).map_err(|error| {
            let error = FrameError::Content(error.to_string());
            Why::Record { place, key, error }
        })?;
        Ok((Arc::new(catalogue), place))
    }

    /// Every shard's chunk, in the order of the shards. Empties the parts.
    ///
    /// # Errors
    /// When one is missing, damaged, or its parts do not belong together.
    pub(super) fn take_chunks(&mut self) -> Result<Vec<Chunk>, Why> {
        (0..SHARDS as u16).map(|shard| self.take_chunk(shard)).collect()
    }

    fn take_chunk(&mut self, shard: u16) -> Result<Chunk, Why> {
        let mut parts: Vec<Option<Part>> = Vec::new();
        let mut place = LogOffset(u64::MAX);
        for part in 0.. {
            let key = Key::Part { shard, part };
            let Some(found) = self.read::<Part>(key)? else { break };
            let record = self.records.remove(&key);
            place = place.min(record.map_or(place, |r| r.place));
            let last = part.saturating_add(1) >= found.info.parts;
            parts.push(Some(found));
            if last {
                break;
            }
        }
        let (info, bytes) = chunk::join(shard, &parts).map_err(|error| Why::Chunk { error })?;
        Ok(Chunk { info, place, bytes })
    }
}
