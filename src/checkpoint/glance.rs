//! A glance at a partition's checkpoint: would a worker refuse it at once? Reads the end of the topic, not the state.
//!
//! What it finds wrong a restore finds wrong too; what only the chunks show (a damaged record, inputs that are gone) is
//! left to [`super::verify()`].

use super::checks::{self, Unchecked};
use super::found::Found;
use super::head::{Expected, Head};
use super::refused::{Refused, Why};
use crate::limits::{HEAD_LOOK_BACK, VERIFY_ATTEMPTS};
use crate::log::{LogError, Topic, WorkerLog};
use crate::model::LogOffset;

/// What a glance shows of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// `None`: nothing was ever committed.
    pub head: Option<Head>,
    /// First offset that the log still has.
    pub first: LogOffset,
    /// The next offset that the log will give.
    pub end: LogOffset,
}

/// Looks at one partition. While a worker commits, head and offset may be read apart: a few more attempts.
///
/// # Errors
/// Why a worker would refuse it.
pub fn glance(log: &mut dyn WorkerLog, partition: u32, expected: &Expected) -> Result<Glance, Refused> {
    let mut attempt = 1;
    loop {
        match look(log, partition, expected) {
            Err(Why::NotAtCommit { .. }) if attempt < VERIFY_ATTEMPTS => attempt += 1,
            other => return other.map_err(|why| Refused { partition, why }),
        }
    }
}

fn look(log: &mut dyn WorkerLog, partition: u32, expected: &Expected) -> Result<Glance, Why> {
    let failed = |error: LogError| Why::Log(error.to_string());
    let committed = log.stable_offset(partition).map_err(failed)?.map(|committed| committed.offset);
    checks::topics(log, expected)?;
    let head = last_head(log, partition)?;
    let (first, end) = log.bounds(Topic::Log, partition).map_err(failed)?;
    match (committed, &head) {
        (None, None) => {}
        (None, Some(head)) => return Err(Why::NoOffset { head: head.offset }),
        (Some(committed), None) => return Err(Why::NoHead { committed }),
        (Some(committed), Some(head)) if head.offset != committed => {
            return Err(Why::NotAtCommit { committed, head: head.offset });
        }
        (Some(_), Some(head)) => {
            checks::head(log, expected, head)?;
            checks::end(head, end)?;
        }
    }
    Ok(Glance { head, first, end })
}

/// The newest head: among the last records of the partition, as every commit writes one; further back if it must be.
pub(super) fn last_head(log: &mut dyn WorkerLog, partition: u32) -> Result<Option<Head>, Why> {
    let failed = |error: LogError| Why::Log(error.to_string());
    let (first, end) = log.bounds(Topic::Checkpoint, partition).map_err(failed)?;
    let mut back = HEAD_LOOK_BACK;
    loop {
        let from = LogOffset(end.0.saturating_sub(back)).max(first);
        let mut found = Found::default();
        let each = &mut |message: crate::log::Message<'_>| {
            found.take(&message);
            true
        };
        log.scan(Topic::Checkpoint, partition, from, end, each).map_err(failed)?;
        let head = found.head()?;
        if head.is_some() || from == first {
            return Ok(head);
        }
        back = back.saturating_mul(8);
    }
}

impl From<Unchecked> for Why {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::Log(error) => Self::Log(error.to_string()),
            Unchecked::Why(why) => why,
        }
    }
}
