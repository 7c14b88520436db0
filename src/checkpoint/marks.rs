//! Where each shard's live chunk stands, and which shards are due: the pacing of the checkpoint by replay debt.
//!
//! Debt is work that a restore would do again: a record is one, an event that was told with it as much as [`EVENT_WORK`].
//! A small state is written more often than its debt asks for, as often as costs little.
//!
//! Invariant: no live chunk is older than the pace's records and seconds, once a whole round has been written.

use super::chunk::ChunkInfo;
use crate::limits::{
    CHUNK_BYTES_PER_RECORD, CHUNK_BYTES_PER_S, EVENT_WORK, REPLAY_DEBT_RECORDS_MAX, REPLAY_DEBT_S_MAX,
    ROUND_RECORDS_MIN, ROUND_S_MIN, SHARDS,
};
use crate::model::{LogOffset, UnixTime};

/// How often a shard is written: a whole round of shards within this much replay debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Records that a restore may have to replay, at most.
    pub records: u64,
    /// Seconds of log time that a restore may have to replay, at most.
    pub seconds: i64,
    /// Rounds may come more often, while their chunks cost no more than this for each record, bytes.
    pub bytes_per_record: u64,
    /// ... or than this for each second of log time, bytes.
    pub bytes_per_s: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            records: REPLAY_DEBT_RECORDS_MAX,
            seconds: REPLAY_DEBT_S_MAX,
            bytes_per_record: CHUNK_BYTES_PER_RECORD,
            bytes_per_s: CHUNK_BYTES_PER_S,
        }
    }
}

impl Pace {
    /// Records of a round of chunks that take so many bytes.
    fn round_records(self, bytes: u64) -> u64 {
        (bytes / self.bytes_per_record.max(1)).max(ROUND_RECORDS_MIN).min(self.records.max(1))
    }

    /// Seconds of log time of such a round.
    fn round_s(self, bytes: u64) -> u64 {
        let most = u64::try_from(self.seconds).unwrap_or(1).max(1);
        (bytes / self.bytes_per_s.max(1)).max(ROUND_S_MIN).min(most)
    }
}

/// What folding has cost, and folding again would cost.
#[must_use]
pub fn work(records: usize, events: usize) -> u64 {
    (records as u64).saturating_add((events as u64).saturating_mul(EVENT_WORK))
}

/// The live chunk of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub offset: LogOffset,
    pub log_time: UnixTime,
    /// The partition's `work` when it was written: an event counts as several records.
    pub records: u64,
    pub catalogue: u32,
    pub parts: u16,
    /// What all parts hold.
    pub bytes: u64,
    /// A place in the checkpoint partition at or before the chunk's first part.
    pub place: LogOffset,
}

/// The live chunks of a partition.
#[derive(Debug, Clone)]
pub struct Marks {
    shards: Vec<Option<Mark>>,
    /// Work of folding since these marks were begun, see [`work`]: the measure of debt.
    records: u64,
    /// Up to where chunks have been written for: what was folded since, in records, and the log time that has passed since, in
    /// [`SHARDS`]ths of a second.
    paid_records: u64,
    paid_time: i64,
}

/// What makes one shard due.
struct Step {
    records: u64,
    /// In [`SHARDS`]ths of a second.
    time: i64,
}

impl Step {
    fn records_of(&self, shards: usize) -> u64 {
        self.records.saturating_mul(shards as u64)
    }

    fn time_of(&self, shards: usize) -> i64 {
        self.time.saturating_mul(shards as i64)
    }
}

/// A time in [`SHARDS`]ths of a second.
fn fine(time: UnixTime) -> i64 {
    time.saturating_mul(SHARDS as i64)
}

impl Marks {
    /// No chunk is written yet: all are due.
    #[must_use]
    pub fn none() -> Self {
        Self { shards: vec![None; SHARDS], records: 0, paid_records: 0, paid_time: i64::MIN }
    }

    /// Marks of chunks as found, none of them replayed from yet.
    #[must_use]
    pub fn found(chunks: impl Iterator<Item = (ChunkInfo, u64, LogOffset)>) -> Self {
        let mut marks = Self::none();
        for (info, bytes, place) in chunks {
            marks.paid_time = marks.paid_time.max(fine(info.log_time));
            marks.set(
                usize::from(info.shard),
                Mark {
                    offset: info.offset,
                    log_time: info.log_time,
                    records: 0,
                    catalogue: info.catalogue,
                    parts: info.parts,
                    bytes,
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

    /// Notes [`work`] that was done.
    pub fn folded(&mut self, work: u64) {
        self.records = self.records.saturating_add(work);
    }

    /// Notes work that is replayed at `offset`: debt of the shards that were written at or before it only.
    pub fn replayed(&mut self, offset: LogOffset, work: u64) {
        self.folded(work);
        let now = self.records;
        for mark in self.shards.iter_mut().flatten().filter(|m| m.offset > offset) {
            mark.records = now;
        }
        self.paid_records = now;
    }

    /// Notes a chunk that has been sealed: so many parts and bytes.
    pub fn written(&mut self, info: &ChunkInfo, (parts, bytes): (u16, u64), place: LogOffset) {
        if self.is_new() {
            (self.paid_records, self.paid_time) = (self.records, fine(info.log_time));
        }
        self.set(
            usize::from(info.shard),
            Mark {
                offset: info.offset,
                log_time: info.log_time,
                records: self.records,
                catalogue: info.catalogue,
                parts,
                bytes,
                place,
            },
        );
    }

    /// Notes that so many of the shards that were due have been written. What was due and had no room, and what was folded
    /// towards the next, is not forgotten: else rounds would take longer than the pace has it.
    pub fn paid(&mut self, shards: usize, pace: Pace, log_time: UnixTime) {
        let (step, now) = (self.step(pace), fine(log_time));
        // More than a round behind is a round behind: then every shard is due.
        let records = self.paid_records.max(self.records.saturating_sub(step.records_of(SHARDS)));
        self.paid_records = records.saturating_add(step.records_of(shards)).min(self.records);
        let time = self.paid_time.max(now.saturating_sub(step.time_of(SHARDS)));
        self.paid_time = time.saturating_add(step.time_of(shards)).min(now);
    }

    fn step(&self, pace: Pace) -> Step {
        let bytes = self.shards.iter().flatten().map(|mark| mark.bytes).sum();
        let records = (pace.round_records(bytes) / SHARDS as u64).max(1);
        // A round's seconds are a shard's SHARDSths of a second.
        Step { records, time: i64::try_from(pace.round_s(bytes)).unwrap_or(i64::MAX) }
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

    /// How many shards are due now. All that have none; else as many steps of the pace as have gone by and were not
    /// [`Self::paid`].
    #[must_use]
    pub fn due(&self, pace: Pace, log_time: UnixTime) -> usize {
        let missing = self.shards.iter().filter(|m| m.is_none()).count();
        if missing > 0 {
            return missing;
        }
        let step = self.step(pace);
        let by_records = (self.records - self.paid_records) / step.records;
        let by_time = fine(log_time).saturating_sub(self.paid_time).max(0) / step.time;
        by_records.max(by_time.unsigned_abs()).min(SHARDS as u64) as usize
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

    /// Work that a restore would do again now, in records.
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

    const PACE: Pace = Pace { records: 2_560, seconds: 512, bytes_per_record: 1, bytes_per_s: 1 };

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
        Marks::found((0..SHARDS as u16).map(|s| (info(s, offset, time), 100, LogOffset(u64::from(s) + 100))))
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
    fn a_small_state_is_written_more_often_but_at_a_bounded_cost() {
        let bytes = 100 * SHARDS as u64;
        let pace = Pace { records: u64::MAX, seconds: i64::MAX, bytes_per_record: 0, bytes_per_s: 0 };
        assert_eq!((pace.round_records(0), pace.round_s(0)), (ROUND_RECORDS_MIN, ROUND_S_MIN));
        let cheap = Pace { bytes_per_record: 1, bytes_per_s: 2, ..pace };
        let many = bytes.max(ROUND_RECORDS_MIN).max(ROUND_S_MIN) * 4;
        assert_eq!((cheap.round_records(many), cheap.round_s(many)), (many, many / 2));
        assert_eq!((PACE.round_records(many), PACE.round_s(many)), (2_560, 512));
    }

    #[test]
    fn the_oldest_goes_first_and_the_place_follows_it() {
        let mut marks = all_at(5, 1_000);
        assert_eq!((marks.by_age()[0], marks.place()), (0, LogOffset(100)));
        marks.folded(10);
        marks.written(&info(0, 8, 1_002), (1, 100), LogOffset(400));
        marks.paid(1, PACE, 1_002);
        assert_eq!((marks.by_age()[0], marks.by_age()[SHARDS - 1]), (1, 0));
        assert_eq!((marks.place(), marks.due(PACE, 1_002)), (LogOffset(101), 0));
    }

    /// Seals come when they come: now with less than a shard's records, now with almost two.
    #[test]
    fn a_round_takes_no_longer_than_the_pace_has_it_however_seals_fall() {
        let mut marks = all_at(0, 1_000);
        let mut offset = 0;
        for seal in 0..2_000 {
            let folded = if seal % 3 == 0 { 7 } else { 19 };
            offset += 1;
            marks.folded(folded);
            let due: Vec<usize> = marks.by_age().into_iter().take(marks.due(PACE, 1_000)).collect();
            for shard in &due {
                marks.written(&info(*shard as u16, offset, 1_000), (1, 100), LogOffset(0));
            }
            marks.paid(due.len(), PACE, 1_000);
            assert!(marks.debt_records() <= PACE.records + folded, "{} at seal {seal}", marks.debt_records());
        }
    }

    #[test]
    fn what_had_no_room_stays_due_up_to_a_round() {
        let mut marks = all_at(5, 1_000);
        marks.folded(50);
        marks.written(&info(0, 8, 1_000), (1, 100), LogOffset(0));
        marks.paid(1, PACE, 1_000);
        assert_eq!(marks.due(PACE, 1_000), 4);
        marks.folded(1_000_000);
        marks.paid(SHARDS - 1, PACE, 1_000);
        assert_eq!(marks.due(PACE, 1_000), 1, "of what lies further back nothing is owed");
        marks.paid(1, PACE, 1_000);
        assert_eq!(marks.due(PACE, 1_000), 0);
    }

    #[test]
    fn what_is_replayed_is_debt_of_the_older_chunks_only() {
        let mut marks = Marks::found(
            (0..SHARDS as u16).map(|s| (info(s, if s == 0 { 5 } else { 8 }, 1_000), 100, LogOffset(0))),
        );
        marks.replayed(LogOffset(5), 10);
        marks.replayed(LogOffset(7), 10);
        marks.replayed(LogOffset(8), 1);
        assert_eq!(marks.debt_records(), 21);
        marks.written(&info(0, 9, 1_000), (1, 100), LogOffset(0));
        assert_eq!(marks.debt_records(), 1);
    }
}
