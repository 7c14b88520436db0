//! Ticks: the owner's sign of life in the log.
//!
//! Where the log stamps, a tick after a second of silence carries log time on, and one at least every ten seconds says
//! what ClickHouse has. Where the clock is supplied no tick may move time: one is written only to say what ClickHouse has,
//! stamped with the partition's own log time.

use super::live::Live;
use super::settings::{Clock, Settings};
use super::unsealed::time_ms;
use crate::codec::pack::PackWriter;
use crate::limits::{FLUSHED_TICK_EVERY_MS, TICK_AFTER_MS};
use crate::log::WorkerLog;
use crate::model::{LogOffset, Record, Tick};

impl Live {
    /// Whether the partition wants a tick now.
    pub(super) fn wants_tick(&self, settings: &Settings, now_ms: i64) -> bool {
        if !self.runs() || self.paused || now_ms - self.last_tick_ms < TICK_AFTER_MS {
            return false;
        }
        // Asked last, for it looks at every shard.
        let news = || self.flushed_through(settings) > self.meter.flushed_through();
        match settings.clock {
            Clock::Supplied => news(),
            Clock::Log => {
                let silent = now_ms - self.last_message_ms >= TICK_AFTER_MS;
                silent || now_ms - self.last_tick_ms >= FLUSHED_TICK_EVERY_MS && news()
            }
        }
    }

    fn flushed_through(&self, settings: &Settings) -> Option<LogOffset> {
        if settings.faults.flushed_through_ahead {
            return self.meter.position().0.checked_sub(1).map(LogOffset);
        }
        self.rows.acked_through()
    }

    pub(super) fn tick(&mut self, log: &mut dyn WorkerLog, settings: &Settings, now_ms: i64) {
        let tick = Tick { flushed_through: self.flushed_through(settings) };
        let mut pack = PackWriter::new();
        assert!(pack.push(&Record::Tick(tick)), "a tick fits an empty pack");
        let stamp = (settings.clock == Clock::Supplied).then(|| time_ms(self.meter.log_time()));
        log.append_tick(self.partition, pack.finish(), stamp);
        self.last_tick_ms = now_ms;
    }
}
