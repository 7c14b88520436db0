//! Chunks: the bytes of a shard for the checkpoint.
//!
//! Canonical: cards in their order, everything else as it stands in memory, what can be derived left out. So a chunk and
//! the log after it give the next chunk byte for byte. Internal and versioned by [`super::STATE_LAYOUT`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::card::Card;
use super::feeds::Feeds;
use super::shard::{Said, Shard};
use super::{RestoreError, STATE_LAYOUT};
use crate::limits::DECODED_BYTES_MAX;
use crate::model::{LogOffset, UnixTime};

/// What opens a chunk: checked before anything else is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkHead {
    layout: u32,
    pub partition: u32,
    pub shard: u32,
    /// Next to fold.
    pub position: LogOffset,
    pub log_time: UnixTime,
    /// Version of the catalogue in force; 0 = none.
    pub catalogue: u32,
    cards: u64,
}

/// Where the meter is when it writes a shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub feeds: &'a Feeds,
    pub partition: u32,
    pub shard: u32,
    pub position: LogOffset,
    pub log_time: UnixTime,
    pub catalogue: u32,
}

/// Appends a shard.
pub(super) fn encode(shard: &Shard, place: &Place<'_>, out: &mut Vec<u8>) {
    let head = ChunkHead {
        layout: STATE_LAYOUT,
        partition: place.partition,
        shard: place.shard,
        position: place.position,
        log_time: place.log_time,
        catalogue: place.catalogue,
        cards: shard.table.lines().len() as u64,
    };
    write(&head, out);
    write(place.feeds, out);
    write(&shard.said, out);
    shard.table.lines().iter().for_each(|card| write(card, out));
}

/// Reads a shard back. Its terms are not there yet: the catalogue in force is not known here.
pub(super) fn decode(mut bytes: &[u8]) -> Result<(ChunkHead, Feeds, Shard), RestoreError> {
    let head: ChunkHead = read(&mut bytes)?;
    if head.layout != STATE_LAYOUT {
        return Err(RestoreError::Layout { chunk: head.layout });
    }
    let feeds: Feeds = read(&mut bytes)?;
    let said: Said = read(&mut bytes)?;
    let mut shard = Shard::restored(said, head.position);
    for _ in 0..head.cards {
        let card: Card = read(&mut bytes)?;
        shard.restore_card(card);
    }
    if bytes.is_empty() {
        Ok((head, feeds, shard))
    } else {
        Err(RestoreError::Leftover { bytes: bytes.len() })
    }
}

fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let config = bincode::config::legacy();
    bincode::serde::encode_into_std_write(value, out, config).expect("memory takes every value");
}

fn read<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, RestoreError> {
    let config = bincode::config::legacy().with_limit::<DECODED_BYTES_MAX>();
    let (value, len) = bincode::serde::decode_from_slice(bytes, config)?;
    *bytes = bytes.get(len..).unwrap_or_default();
    Ok(value)
}
