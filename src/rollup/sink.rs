//! The worker's side of the rollup: what it hands over, and how it learns that ClickHouse has it.
//!
//! Invariant: `submit` and `acked` never wait. ClickHouse away means `false`, and the worker goes on metering; rows of a
//! card that changes meanwhile coalesce in the meter, where memory is bounded by the number of cards.

use crate::meter::Rows;
use crate::model::LogOffset;

/// Which of two rows of one key is the newer: generation of the deployment in the high 24 bits, log offset in the low 40.
///
/// It never goes back: offsets only grow within a generation, and a new log (a reshard) begins a new generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowVersion(u64);

impl RowVersion {
    const OFFSET_BITS: u32 = 40;

    /// The version of rows that hold everything up to `through`.
    ///
    /// # Panics
    /// When either number outgrows its bits: 10^12 messages in one partition, or 16 million reshards.
    #[must_use]
    pub fn new(generation: u32, through: LogOffset) -> Self {
        assert!(through.0 < 1 << Self::OFFSET_BITS, "offset {} does not fit a row version", through.0);
        assert!(generation < 1 << (u64::BITS - Self::OFFSET_BITS), "generation {generation} does not fit");
        Self(u64::from(generation) << Self::OFFSET_BITS | through.0)
    }

    /// The `version` column.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// Rows as of one log offset.
#[derive(Debug, Clone, Default)]
pub struct VersionedRows {
    pub version: RowVersion,
    pub rows: Rows,
}

/// A part of what one partition has to tell: encoded at a seal, submitted after its commit.
#[derive(Debug, Clone)]
pub struct RowBatch {
    pub partition: u32,
    /// The last offset whose changes are in the rows.
    pub through: LogOffset,
    /// Whether, with this part, every change up to `through` has been handed over.
    pub last_part: bool,
    pub rows: VersionedRows,
    /// Names the batch in [`RowSink::acked`]; rising within a partition.
    pub id: u64,
}

impl RowBatch {
    /// Rows of both tables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.rows.months.len() + self.rows.rows.days.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a worker's rows go: a bounded channel to the flusher, or a simulation of one.
pub trait RowSink {
    /// Whether a batch would be taken now: asked before rows are encoded. An answer that turns out wrong does no harm.
    fn ready(&self) -> bool {
        true
    }

    /// Takes a batch. `false`: busy, the batch was dropped; keep the cards dirty and try later.
    fn submit(&mut self, batch: RowBatch) -> bool;

    /// A batch that ClickHouse has whole, as (partition, id): each once, in the order of `submit` a partition.
    fn acked(&mut self) -> Option<(u32, u64)>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_rises_with_the_offset_and_beyond_it_with_the_generation() {
        let version = |generation, offset| RowVersion::new(generation, LogOffset(offset));
        assert_eq!(version(0, 7).as_u64(), 7);
        assert_eq!(version(3, 7).as_u64(), 3 * 1_099_511_627_776 + 7);
        assert!(version(1, 0) > version(0, (1 << 40) - 1));
    }
}
