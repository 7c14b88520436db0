//! Writing a meter down and reading it back: heads, chunks, and the replay between them.
//!
//! Shards are written at different offsets. A restored meter starts at the oldest one's; each shard lets messages pass that
//! it had folded when it was written. At the newest one's offset the meter is what it was (invariant 7).

use std::sync::Arc;

use super::chunk::{self, ChunkHead};
use super::fold::{FoldError, Meter};
use super::index::CatalogueIndex;
use super::shard::Shard;
use crate::limits::SHARDS;
use crate::model::{Catalogue, LogOffset, UnixTime};

/// What a checkpoint's head says of the meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterHead {
    /// Next to fold.
    pub position: LogOffset,
    pub log_time: UnixTime,
    /// Every version that a live chunk may need, ascending.
    pub catalogues: Vec<Arc<Catalogue>>,
}

/// Why chunks make no meter.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("a chunk cannot be decoded: {0}")]
    Decode(#[from] bincode::error::DecodeError),
    #[error(
        "a chunk has layout {chunk}, this program reads {}: start the version that wrote it, or one that reads both",
        super::STATE_LAYOUT
    )]
    Layout { chunk: u32 },
    #[error("{bytes} bytes follow the last card of a chunk")]
    Leftover { bytes: usize },
    #[error("{found} chunks, {SHARDS} are needed")]
    Count { found: usize },
    #[error("chunk {place} is of partition {partition}, shard {shard}")]
    Misplaced { place: usize, partition: u32, shard: u32 },
    #[error("catalogue version {version}, which a chunk was written under, is not in the head")]
    Catalogue { version: u32 },
    #[error("a catalogue of the head: {0}")]
    Index(#[from] FoldError),
}

impl Meter {
    /// Appends a shard's chunk: its state as it is now.
    ///
    /// # Panics
    /// The shard has not been replayed to where it was written: there is nothing new to write.
    pub fn encode_shard(&self, shard: usize, out: &mut Vec<u8>) {
        let state = &self.shards[shard];
        assert!(state.resumes_at <= self.position, "shard {shard} is written in the middle of its replay");
        let place = chunk::Place {
            feeds: &self.feeds,
            partition: self.partition,
            shard: shard as u32,
            position: self.position,
            log_time: self.log_time,
            catalogue: self.index.catalogue().version,
        };
        chunk::encode(state, &place, out);
    }

    #[must_use]
    pub fn head(&self) -> MeterHead {
        MeterHead { position: self.position, log_time: self.log_time, catalogues: self.catalogues.clone() }
    }

    /// Forgets catalogues that no live chunk needs: those below `version`, never the one in force.
    pub fn keep_catalogues_from(&mut self, version: u32) {
        let in_force = self.index.catalogue().version;
        self.catalogues.retain(|held| held.version >= version.min(in_force));
    }

    /// A meter as its shards were written, ready for the log from [`Self::replay_from`] on; effects of the replay are to be
    /// discarded.
    ///
    /// # Errors
    /// Chunks that are broken, of another version or partition, or whose catalogue is missing.
    pub fn restore(
        partition: u32,
        catalogues: Vec<Arc<Catalogue>>,
        shards: &[&[u8]],
    ) -> Result<Self, RestoreError> {
        if shards.len() != SHARDS {
            return Err(RestoreError::Count { found: shards.len() });
        }
        let decoded = shards.iter().map(|bytes| chunk::decode(bytes)).collect::<Result<Vec<_>, _>>()?;
        let heads = decoded.iter().map(|(head, ..)| head).enumerate();
        if let Some((place, head)) = heads
            .into_iter()
            .find(|(place, head)| head.partition != partition || head.shard as usize != *place)
        {
            return Err(RestoreError::Misplaced { place, partition: head.partition, shard: head.shard });
        }
        let oldest = decoded.iter().min_by_key(|(head, ..)| head.position);
        let (oldest, feeds, _) = oldest.ok_or(RestoreError::Count { found: 0 })?;
        let (oldest, feeds) = (*oldest, feeds.clone());
        let (held, index) = in_force(catalogues, &oldest)?;
        let mut meter = Self::new(partition);
        (meter.position, meter.log_time) = (oldest.position, oldest.log_time);
        (meter.catalogues, meter.feeds) = (held, feeds);
        meter.shards = decoded.into_iter().map(|(_, _, shard)| shard).collect();
        meter.shards.iter_mut().for_each(|shard: &mut Shard| shard.settle_in(&index));
        meter.index = index;
        Ok(meter)
    }

    /// From which offset on a restored meter folds the log.
    #[must_use]
    pub fn replay_from(&self) -> LogOffset {
        self.position
    }
}

/// The catalogues up to the one that was in force when the oldest chunk was written; the replay meets the later ones.
fn in_force(
    mut catalogues: Vec<Arc<Catalogue>>,
    oldest: &ChunkHead,
) -> Result<(Vec<Arc<Catalogue>>, CatalogueIndex), RestoreError> {
    catalogues.retain(|held| held.version <= oldest.catalogue);
    match catalogues.last() {
        Some(last) if last.version == oldest.catalogue => {
            let index = CatalogueIndex::new(last.clone())?;
            Ok((catalogues, index))
        }
        None if oldest.catalogue == 0 => Ok((catalogues, CatalogueIndex::none())),
        _ => Err(RestoreError::Catalogue { version: oldest.catalogue }),
    }
}
