//! What flows at the edges of the loop: fetching follows what each partition may do, ticks go into the log, rows to
//! ClickHouse, and at the end the partitions are given up.

use super::live::{Halted, Hold, Live};
use super::partition::Partition;
use super::{Clock, Stop, Worker, WorkerError};
use crate::limits::{CLOCK_AHEAD_MAX_S, UNFLUSHED_S_MAX};
use crate::log::{LogError, WorkerLog};
use crate::rollup::RowSink;

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    /// What ClickHouse has acknowledged, and what is now committed and may go there.
    pub(super) fn rows(&mut self) {
        while let Some((partition, id)) = self.sink.acked() {
            if let Some(live) = self.partitions.get_mut(&partition).and_then(Partition::live_mut) {
                live.rows.acked(id);
            }
        }
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            live.rows.submit(&mut self.sink);
        }
    }

    pub(super) fn ticks(&mut self) {
        if self.stalled {
            // What has come has not been read: there is no silence to be broken.
            return;
        }
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if self.group.holds(live.partition) && live.wants_tick(&self.settings, self.now.ms) {
                live.tick(&mut self.log, &self.settings, self.now.ms);
            }
        }
    }

    /// Makes fetching follow what each partition may do.
    pub(super) fn flow(&mut self) -> Result<(), WorkerError> {
        if self.stopping.is_some() {
            self.hold(Hold::Leaving);
        }
        let (clock_ms, clock) = (self.now.clock_ms, self.settings.clock);
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if !self.group.holds(live.partition) {
                continue;
            }
            live.measure(self.now.ms);
            if clock == Clock::Log {
                live.catch_up(clock_ms);
            }
            live.go_on_with_rows();
            if let Err(error) = live.flow(&mut self.log) {
                match error {
                    LogError::Retriable(why) => self.report.troubles.push(format!("seek: {why}")),
                    other => return Err(other.into()),
                }
            }
        }
        Ok(())
    }

    pub(super) fn try_stop(&mut self) -> Result<(), WorkerError> {
        let Some(stop) = self.stopping else { return Ok(()) };
        let mut lives = self.partitions.values().filter_map(Partition::live);
        let busy = !self.commits.is_empty() || lives.any(|l| l.unsealed.since_ms.is_some());
        if busy || stop == Stop::Drained && !self.is_drained() {
            return Ok(());
        }
        let partitions: Vec<u32> = self.partitions.keys().copied().collect();
        self.log.unassign(&partitions)?;
        self.partitions.clear();
        self.group.assigned.clear();
        self.report.stopped = true;
        Ok(())
    }
}

impl Live {
    /// A partition that waits for the clock goes on once the clocks agree.
    fn catch_up(&mut self, clock_ms: i64) {
        if let Some(Halted::Ahead { time_ms, .. }) = self.halted
            && time_ms.saturating_sub(clock_ms) <= CLOCK_AHEAD_MAX_S * 1_000
        {
            self.halted = None;
        }
    }

    /// A partition that waits for ClickHouse goes on once the rows are there.
    fn go_on_with_rows(&mut self) {
        let Some(Halted::Unflushed { time, .. }) = self.halted else { return };
        if self.unflushed_since().is_none_or(|since| time.saturating_sub(since) <= UNFLUSHED_S_MAX) {
            self.halted = None;
        }
    }

    /// Pauses, or seeks to what was missed and resumes.
    fn flow(&mut self, log: &mut dyn WorkerLog) -> Result<(), LogError> {
        let partition = self.partition;
        if !self.runs() {
            if !self.paused {
                log.pause(&[partition]);
                self.paused = true;
            }
            return Ok(());
        }
        if self.missed {
            match log.seek(partition, self.meter.position()) {
                Ok(()) => self.missed = false,
                Err(LogError::OutOfRange { offset, detail, .. }) => {
                    self.halt(Halted::Gone { at: offset, why: detail });
                    return Ok(());
                }
                Err(other) => return Err(other),
            }
        }
        if self.paused {
            log.resume(&[partition]);
            self.paused = false;
        }
        Ok(())
    }
}
