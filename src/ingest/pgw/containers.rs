//! Containers → slices: what a gateway measured up to a moment.

use super::{FieldProblem, RecordError, UsageRecord};
use crate::limits::{RECORD_BYTES_MAX, SLICES_MAX};
use crate::model::{Slice, UnixTime};

/// One container as it stands in the record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Container {
    /// `None`: the record's end.
    pub end: Option<UnixTime>,
    pub up: u64,
    pub down: u64,
    /// Where it stands in the file.
    pub at: usize,
}

/// A place for containers whose time is not known before the whole record is read: they are dated by its end.
const UNDATED: UnixTime = UnixTime::MAX;

impl UsageRecord {
    /// Adds a container to the record's slices.
    pub(super) fn push(&mut self, container: Container) -> Result<(), RecordError> {
        let Container { end, up, down, at } = container;
        if up > RECORD_BYTES_MAX || down > RECORD_BYTES_MAX {
            return Err(RecordError::field(at, "volume", FieldProblem::Absurd));
        }
        if up != 0 || down != 0 {
            self.slices.push(Slice { end: end.unwrap_or(UNDATED), up, down });
        }
        Ok(())
    }

    /// Dates and orders the slices and sums them up, once start and end are known.
    pub(super) fn close(&mut self, at: usize) -> Result<(), RecordError> {
        let end = self.end;
        for slice in &mut self.slices {
            slice.end = if slice.end == UNDATED { end } else { slice.end };
        }
        self.slices.sort_by_key(|slice| slice.end);
        self.slices.dedup_by(|next, kept| next.end == kept.end && join(kept, *next));
        self.thin();
        self.up = self.slices.iter().map(|slice| slice.up).sum();
        self.down = self.slices.iter().map(|slice| slice.down).sum();
        if self.up > RECORD_BYTES_MAX || self.down > RECORD_BYTES_MAX {
            return Err(RecordError::field(at, "volume", FieldProblem::Absurd));
        }
        Ok(())
    }

    /// Joins neighbours of a record with very many containers, so that it keeps within its bound; a joined slice is dated
    /// by the end of its last part.
    fn thin(&mut self) {
        let group = self.slices.len().div_ceil(SLICES_MAX);
        if group <= 1 {
            return;
        }
        let joined = self.slices.chunks(group).filter_map(|part| {
            let mut parts = part.iter();
            let mut whole = *parts.next()?;
            parts.for_each(|next| {
                join(&mut whole, *next);
            });
            Some(whole)
        });
        self.slices = joined.collect();
    }
}

/// Adds a slice to one before it. Sums stay far below 2^64: a record of 64 KiB holds a few thousand containers.
fn join(kept: &mut Slice, next: Slice) -> bool {
    kept.end = next.end;
    kept.up += next.up;
    kept.down += next.down;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(containers: &[(Option<UnixTime>, u64, u64)]) -> Result<UsageRecord, RecordError> {
        let mut record = UsageRecord { start: 100, end: 500, ..UsageRecord::default() };
        for (end, up, down) in containers {
            record.push(Container { end: *end, up: *up, down: *down, at: 0 })?;
        }
        record.close(0)?;
        Ok(record)
    }

    #[test]
    fn slices_are_ordered_by_their_ends_and_equal_ends_are_one() {
        let record = record(&[(Some(300), 1, 2), (Some(200), 10, 20), (Some(300), 100, 200)]).unwrap();
        let slice = |end, up, down| Slice { end, up, down };
        assert_eq!(record.slices, [slice(200, 10, 20), slice(300, 101, 202)]);
        assert_eq!((record.up, record.down), (111, 222));
    }

    #[test]
    fn a_container_without_time_is_dated_by_the_records_end() {
        let record = record(&[(None, 1, 2), (Some(200), 3, 4)]).unwrap();
        assert_eq!(record.slices.last(), Some(&Slice { end: 500, up: 1, down: 2 }));
    }

    #[test]
    fn very_many_containers_are_joined_without_losing_a_byte() {
        let containers: Vec<_> = (0..1_000).map(|n| (Some(100 + n), 1, 2)).collect();
        let record = record(&containers).unwrap();
        assert!(record.slices.len() <= SLICES_MAX);
        assert_eq!((record.up, record.down), (1_000, 2_000));
        assert_eq!(record.slices.last().map(|slice| slice.end), Some(1_099));
    }

    #[test]
    fn a_volume_that_no_bearer_moves_is_refused() {
        assert!(record(&[(None, RECORD_BYTES_MAX, 0)]).is_ok());
        assert!(record(&[(None, RECORD_BYTES_MAX + 1, 0)]).is_err());
        assert!(record(&[(None, RECORD_BYTES_MAX, 0), (None, 1, 0)]).is_err());
    }
}
