//! Where each shard's live chunk stands, and which shards are due: the pacing of the checkpoint by replay debt.
//!
//! Invariant: no live chunk is older than the pace's records and seconds, once a whole round has been written.

use super::chunk::ChunkInfo;
use crate::limits::SHARDS;
use crate::model::{LogOffset, UnixTime};

/// How often a shard is written: a whole round of shards within this much replay debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Records that a restore may have to replay, at most.
    pub records: u64,
    /// Seconds of log time that a restore may have to replay, at most.
    pub seconds: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { records: crate::limits::REPLAY_DEBT_RECORDS_MAX, seconds: crate::limits::REPLAY_DEBT_S_MAX }
    }
}

/// The live chunk of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub offset: LogOffset,
    pub log_time: UnixTime,
    /// The partition's count of records when it was written.
    pub records: u64,
    pub catalogue: u32,
    pub parts: u16,
    /// A place in the checkpoint partition at or before the chunk's first part.
    pub place: LogOffset,
}

/// The live chunks of a partition.
#[derive(Debug, Clone)]
pub struct Marks {
    shards: Vec<Option<Mark>>,
    /// Records folded since these marks were begun: the measure of debt.
    records: u64,
    /// Records and log time when the last chunk was written.
    last_records: u64,
    last_time: UnixTime,
}

impl Marks {
    /// No chunk is written yet: all are due.
    #[must_use]
    pub fn none() -> Self {
        Self { shards: vec![None; SHARDS], records: 0, last_records: 0, last_time: UnixTime::MIN }
    }

    /// Marks of chunks as found, none of them replayed from yet.
    #[must_use]
    pub fn found(chunks: impl Iterator<Item = (ChunkInfo, LogOffset)>) -> Self {
        let mut marks = Self::none();
        for (info, place) in chunks {
            marks.last_time = marks.last_time.max(info.log_time);
            marks.set(
                usize::from(info.shard),
                Mark {
                    offset: info.offset,
                    log_time: info.log_time,
                    records: 0,
                    catalogue: info.catalogue,
                    parts: info.parts,
                    place,
                },
            );
        }
        marks
    }

    fn set(&mut self, shard: usize, mark: Mark) {
        if let Some(slot) = self.shards.get_mut(shard) {
            *slot = Some(mark);
        }
    }

    /// Notes folded records.
    pub fn folded(&mut self, records: usize) {
        self.records = self.records.saturating_add(records as u64);
    }

    /// Notes records that are replayed at `offset`: debt of the shards that were written at or before it only.
    pub fn replayed(&mut self, offset: LogOffset, records: usize) {
        self.folded(records);
        let now = self.records;
        for mark in self.shards.iter_mut().flatten().filter(|m| m.offset > offset) {
            mark.records = now;
        }
        self.last_records = now;
    }

    /// Notes a chunk that has been sealed.
    pub fn written(&mut self, info: &ChunkInfo, parts: u16, place: LogOffset) {
        self.last_records = self.records;
        self.last_time = info.log_time;
        self.set(
            usize::from(info.shard),
            Mark {
                offset: info.offset,
                log_time: info.log_time,
                records: self.records,
                catalogue: info.catalogue,
                parts,
                place,
            },
        );
    }

    /// Parts of the live chunk of a shard.
    #[must_use]
    pub fn parts(&self, shard: usize) -> u16 {
        self.shards.get(shard).copied().flatten().map_or(0, |m| m.parts)
    }

    /// Shards in the order in which they want to be written: those without a chunk, then the oldest first.
    #[must_use]
    pub fn by_age(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.shards.len()).collect();
        order.sort_by_key(|shard| self.shards.get(*shard).copied().flatten().map(|m| (m.offset, m.records)));
        order
    }

    /// Shards whose chunk is not as of `offset`.
    #[must_use]
    pub fn behind(&self, offset: LogOffset) -> usize {
        self.shards.iter().filter(|m| m.is_none_or(|m| m.offset != offset)).count()
    }

    /// Whether some shard has no chunk yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.shards.iter().any(Option::is_none)
    }

    /// How many shards are due now. All that have none; else as many steps of the pace as have gone by since the last.
    #[must_use]
    pub fn due(&self, pace: Pace, log_time: UnixTime) -> usize {
        let missing = self.shards.iter().filter(|m| m.is_none()).count();
        if missing > 0 {
            return missing;
        }
        let shards = self.shards.len() as u64;
        let by_records = (self.records - self.last_records) / (pace.records / shards).max(1);
        let gone = log_time.saturating_sub(self.last_time).max(0) as u64;
        let by_time = gone.saturating_mul(shards) / (pace.seconds.max(1) as u64);
        by_records.max(by_time).min(shards) as usize
    }

    /// Where a restore must begin to read the checkpoint partition.
    #[must_use]
    pub fn place(&self) -> LogOffset {
        self.shards.iter().map(|m| m.map_or(LogOffset(0), |m| m.place)).min().unwrap_or_default()
    }

    /// The oldest catalogue that a live chunk was made under; 0 = before any.
    #[must_use]
    pub fn oldest_catalogue(&self) -> u32 {
        self.shards.iter().map(|m| m.map_or(0, |m| m.catalogue)).min().unwrap_or(0)
    }

    /// Records that a restore would replay now.
    #[must_use]
    pub fn debt_records(&self) -> u64 {
        let oldest = self.shards.iter().map(|m| m.map_or(0, |m| m.records)).min().unwrap_or(0);
        self.records - oldest
    }

    /// Seconds of log time that a restore would replay now.
    #[must_use]
    pub fn debt_s(&self, log_time: UnixTime) -> i64 {
        let oldest = self.shards.iter().flatten().map(|m| m.log_time).min().unwrap_or(log_time);
        log_time.saturating_sub(oldest).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { records: 2_560, seconds: 512 };

    fn info(shard: u16, offset: u64, log_time: i64) -> ChunkInfo {
        ChunkInfo {
            shard,
            offset: LogOffset(offset),
            log_time,
            fold_version: 1,
            catalogue: 1,
            parts: 1,
            checksum: 0,
        }
    }

    fn all_at(offset: u64, time: i64) -> Marks {
        Marks::found((0..SHARDS as u16).map(|s| (info(s, offset, time), LogOffset(u64::from(s) + 100))))
    }

    #[test]
    fn a_new_partition_owes_every_shard() {
        assert_eq!(Marks::none().due(PACE, 0), SHARDS);
    }

    #[test]
    fn a_shard_is_due_each_256th_of_the_pace_in_records_or_in_time() {
        let mut marks = all_at(5, 1_000);
        assert_eq!(marks.due(PACE, 1_000), 0);
        marks.folded(9);
        assert_eq!(marks.due(PACE, 1_001), 0);
        marks.folded(1);
        assert_eq!(marks.due(PACE, 1_001), 1);
        assert_eq!(marks.due(PACE, 1_006), 3);
        marks.folded(1_000_000);
        assert_eq!(marks.due(PACE, 1_006), SHARDS);
    }

    #[test]
    fn the_oldest_goes_first_and_the_place_follows_it() {
        let mut marks = all_at(5, 1_000);
        assert_eq!((marks.by_age()[0], marks.place()), (0, LogOffset(100)));
        marks.folded(10);
        marks.written(&info(0, 8, 1_002), 1, LogOffset(400));
        assert_eq!((marks.by_age()[0], marks.by_age()[SHARDS - 1]), (1, 0));
        assert_eq!((marks.place(), marks.due(PACE, 1_002)), (LogOffset(101), 0));
    }

    #[test]
    fn what_is_replayed_is_debt_of_the_older_chunks_only() {
        let mut marks = Marks::found(
            (0..SHARDS as u16).map(|s| (info(s, if s == 0 { 5 } else { 8 }, 1_000), LogOffset(0))),
        );
        marks.replayed(LogOffset(5), 10);
        marks.replayed(LogOffset(7), 10);
        marks.replayed(LogOffset(8), 1);
        assert_eq!(marks.debt_records(), 21);
        marks.written(&info(0, 9, 1_000), 1, LogOffset(0));
        assert_eq!(marks.debt_records(), 1);
    }
}
