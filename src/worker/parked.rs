//! State of partitions that were handed back in good order, kept for a while: if the partition comes back and nobody has
//! moved its offset, it goes on where it was.

use std::collections::BTreeMap;

use super::live::Live;
use crate::limits::PARKED_STATE_S;
use crate::model::LogOffset;

/// A parked partition: everything folded is committed.
pub(super) struct Parked {
    live: Box<Live>,
    since_ms: i64,
}

impl Parked {
    pub(super) fn committed(&self) -> Option<LogOffset> {
        self.live.committed
    }

    /// Back into service. What was on its way to ClickHouse is on its way anew.
    pub(super) fn unpark(self, now_ms: i64) -> Box<Live> {
        let mut live = self.live;
        live.hold = None;
        live.paused = false;
        live.missed = false;
        live.last_message_ms = now_ms;
        live.last_tick_ms = now_ms;
        // Who had it meanwhile may have written newer chunks at this very offset, and deleted what those need no more.
        live.catalogues.iter_mut().for_each(|known| known.place = None);
        live.find_dirty();
        live
    }
}

/// All parked partitions.
#[derive(Default)]
pub(super) struct Lot(BTreeMap<u32, Parked>);

impl Lot {
    /// Keeps a partition whose folded state is all committed; another is dropped.
    pub(super) fn park(&mut self, live: Box<Live>, now_ms: i64) {
        if live.committed == Some(live.meter.position()) {
            self.0.insert(live.partition, Parked { live, since_ms: now_ms });
        }
    }

    pub(super) fn take(&mut self, partition: u32) -> Option<Parked> {
        self.0.remove(&partition)
    }

    /// Drops what has been parked for too long.
    pub(super) fn expire(&mut self, now_ms: i64) {
        self.0.retain(|_, parked| now_ms - parked.since_ms < PARKED_STATE_S * 1_000);
    }
}
