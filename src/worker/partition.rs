//! One assigned partition: being restored, in memory, refused, or lost.

use super::live::{Hold, Live};
use super::parked::Parked;
use super::report::StateName;
use crate::checkpoint::{Expected, Progress, Refused, Restore, Restored};
use crate::limits::UNSTABLE_OFFSET_MS;
use crate::log::{LogError, WorkerLog};
use crate::model::LogOffset;

/// What a worker holds of a partition.
pub(super) enum Partition {
    Restoring(Box<Restoring>),
    Live(Box<Live>),
    /// Halted: no state could be restored. Stays assigned and paused.
    Refused {
        why: String,
        committed: LogOffset,
        /// When it is tried again, where it was the log that could not be read; what is wrong with the state stays wrong.
        again_ms: Option<i64>,
    },
    /// Another member has committed for it; the group has not told us yet.
    Lost,
}

/// A partition on its way into memory.
pub(super) struct Restoring {
    pub partition: u32,
    parked: Option<Parked>,
    restore: Restore,
    /// Something outside was in the way when it was last asked for.
    pub waiting: bool,
    pub since_ms: i64,
    /// Why it is folded anew, and up to where.
    pub stop_at: Option<(LogOffset, String)>,
}

/// How a restore goes.
pub(super) enum Restoration {
    Going,
    Waiting(String),
    Live(Box<Live>),
    Refused(Refused),
}

impl Partition {
    pub(super) fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(super) fn state(&self) -> StateName {
        match self {
            Self::Restoring(_) => StateName::Restoring,
            Self::Live(live) if live.halted.is_some() => StateName::Halted,
            Self::Live(live) => match live.hold {
                Some(Hold::Drained) => StateName::Drained,
                Some(Hold::Leaving) => StateName::Leaving,
                None => StateName::Running,
            },
            Self::Refused { .. } => StateName::Halted,
            Self::Lost => StateName::Lost,
        }
    }
}

impl Restoring {
    pub(super) fn new(partition: u32, parked: Option<Parked>, now_ms: i64) -> Self {
        let restore = Restore::new(partition, now_ms);
        Self { partition, parked, restore, waiting: false, since_ms: now_ms, stop_at: None }
    }

    /// Folded anew from the last commit, up to a message that broke the fold if there is one.
    pub(super) fn anew(partition: u32, stop_at: Option<(LogOffset, String)>, now_ms: i64) -> Self {
        Self { stop_at, ..Self::new(partition, None, now_ms) }
    }

    /// Goes on for at most `messages` messages.
    pub(super) fn step(
        &mut self,
        log: &mut dyn WorkerLog,
        expected: &Expected,
        budget: crate::checkpoint::Budget,
        trust_parked: bool,
    ) -> Result<Restoration, LogError> {
        if let Some(parked) = self.parked.take() {
            return self.resume(log, parked, budget.now_ms, trust_parked);
        }
        Ok(match self.restore.step(log, expected, budget)? {
            Progress::Going => Restoration::Going,
            Progress::Waiting(why) => Restoration::Waiting(why),
            Progress::Refused(refused) => Restoration::Refused(refused),
            Progress::Done(restored) => Restoration::Live(Box::new(self.live(*restored, budget.now_ms))),
        })
    }

    /// Parked state is the state at the group's stable offset, or it is nothing. Where that cannot be asked for, the whole
    /// restore meets the same and judges it, for this partition alone.
    fn resume(
        &mut self,
        log: &mut dyn WorkerLog,
        parked: Parked,
        now_ms: i64,
        trust_parked: bool,
    ) -> Result<Restoration, LogError> {
        let stable = match log.stable_offset(self.partition) {
            Ok(stable) => stable.map(|c| c.offset),
            Err(LogError::Retriable(why)) => {
                // A dead predecessor's transaction is for the whole restore to end: it has committed, too.
                if now_ms - self.since_ms < UNSTABLE_OFFSET_MS {
                    self.parked = Some(parked);
                }
                return Ok(Restoration::Waiting(why));
            }
            Err(LogError::Fenced(text)) => return Err(LogError::Fenced(text)),
            Err(LogError::OutOfRange { .. } | LogError::Fatal(_)) => return Ok(Restoration::Going),
        };
        if trust_parked || (stable.is_some() && stable == parked.committed()) {
            return Ok(Restoration::Live(parked.unpark(now_ms)));
        }
        Ok(Restoration::Going)
    }

    fn live(&mut self, restored: Restored, now_ms: i64) -> Live {
        let mut live = Live::new(self.partition, restored, now_ms);
        live.stop_at = self.stop_at.take();
        live
    }
}
