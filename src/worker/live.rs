//! A partition whose state is in memory: how a message is folded, and what stops it.
//!
//! Invariant 6: what cannot be proved right does not run. A message that cannot be read stops the partition before it; a
//! panic in the fold condemns its memory, because what a half-done fold has left cannot be trusted.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::faults::Faults;
use super::rows::RowTracker;
use super::unsealed::{Stamp, Unsealed, time_ms};
use crate::checkpoint::{Clock, Marks, Restored, panic_text, work};
use crate::codec::pack::Pack;
use crate::codec::quarantine::{Entry, output};
use crate::limits::{CLOCK_AHEAD_MAX_S, STATE_BYTES_EVERY_MS, UNFLUSHED_S_MAX};
use crate::log::{Message, Output, Topic};
use crate::meter::{Effects, Meter};
use crate::model::{Catalogue, Ledger, LogOffset, Origin, UnixTime};

/// A partition in memory.
pub(super) struct Live {
    pub partition: u32,
    pub meter: Meter,
    pub marks: Marks,
    pub skips: BTreeMap<LogOffset, String>,
    pub catalogues: Vec<Known>,
    /// A place in the checkpoint partition before which nothing of ours lies that is still to be written.
    pub floor: Floor,
    pub effects: Effects,
    pub unsealed: Unsealed,
    pub rows: RowTracker,
    /// The committed offset as known; `None` = nothing was ever committed.
    pub committed: Option<LogOffset>,
    /// The end of what is sealed.
    pub sealed: Option<LogOffset>,
    pub ledger_sealed: Ledger,
    pub halted: Option<Halted>,
    pub hold: Option<Hold>,
    /// Fetching is stopped at the log.
    pub paused: bool,
    /// Messages were passed over while it did not fold: seek before it goes on.
    pub missed: bool,
    pub measured: Measured,
    pub last_message_ms: i64,
    pub last_tick_ms: i64,
    /// To be stopped at before folding: where a fold had panicked.
    pub stop_at: Option<(LogOffset, String)>,
}

/// Memory of the state: counting it looks at every card, so it is done now and then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub bytes: usize,
    pub at_ms: i64,
}

/// A catalogue that a live chunk may need.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub catalogue: Arc<Catalogue>,
    /// Its record's place in the checkpoint partition, or before it; `None` = not written yet.
    pub place: Option<LogOffset>,
}

/// A lower bound of where the next record of the checkpoint partition will stand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Floor {
    pub place: LogOffset,
    /// Chunks written since it was asked for.
    pub chunks: usize,
}

/// Why a partition does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halted {
    /// The message at this offset cannot be folded.
    Poison { at: LogOffset, why: String },
    /// The message's time is too far ahead; it is folded once the clock has come this far.
    Ahead { at: LogOffset, time_ms: i64 },
    /// The log no longer has what comes next.
    Gone { at: LogOffset, why: String },
    /// ClickHouse has been away so long that what is closed can be kept no longer; it goes on with the rows.
    Unflushed { at: LogOffset, time: UnixTime, since: UnixTime },
}

/// Why it is held although nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Being handed over or stopped.
    Leaving,
    /// Being drained, or drained.
    Drained,
}

/// What a message meets.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoldContext<'a> {
    pub deployment: &'a str,
    pub clock: Clock,
    pub now_ms: i64,
    pub clock_ms: i64,
    /// What is unsealed is at its bound.
    pub crowded: bool,
    pub faults: Faults,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Folded {
        records: usize,
    },
    /// Not now; the partition will seek back.
    Passed,
    /// The partition has halted before the message.
    Halted,
    /// The fold broke: its memory must be discarded, and the partition folded anew up to here.
    Condemned {
        at: LogOffset,
        why: String,
    },
}

impl Live {
    pub(super) fn new(partition: u32, restored: Restored, now_ms: i64) -> Self {
        let Restored { meter, committed, marks, skips, catalogues } = restored;
        let flushed = meter.flushed_through();
        let catalogues = catalogues.into_iter();
        let mut live = Self {
            partition,
            ledger_sealed: meter.ledger(),
            floor: Floor { place: marks.place(), chunks: usize::MAX },
            catalogues: catalogues.map(|(catalogue, at)| Known { catalogue, place: Some(at) }).collect(),
            effects: Effects::default(),
            unsealed: Unsealed::default(),
            rows: RowTracker::after_restore(flushed),
            sealed: committed,
            halted: None,
            hold: None,
            paused: false,
            missed: false,
            measured: Measured { bytes: meter.memory().total(), at_ms: now_ms },
            last_message_ms: now_ms,
            last_tick_ms: now_ms,
            stop_at: None,
            meter,
            marks,
            skips,
            committed,
        };
        live.find_dirty();
        live
    }

    /// Cards that have changed since what ClickHouse is known to have.
    pub(super) fn find_dirty(&mut self) {
        let flushed = self.meter.flushed_through();
        self.rows = RowTracker::after_restore(flushed);
        self.effects.dirty_since = flushed.unwrap_or_default();
        self.effects.dirty = self.meter.dirty_after(self.effects.dirty_since);
        self.rows.clean_at(self.meter.log_time());
    }

    /// Measures the state again if that was long ago.
    pub(super) fn measure(&mut self, now_ms: i64) {
        if now_ms - self.measured.at_ms >= STATE_BYTES_EVERY_MS {
            self.measured = Measured { bytes: self.meter.memory().total(), at_ms: now_ms };
        }
    }

    /// Whether it folds what comes.
    pub(super) fn runs(&self) -> bool {
        self.halted.is_none() && self.hold.is_none()
    }

    /// Folds a message, or says why not.
    pub(super) fn take(&mut self, message: &Message<'_>, context: FoldContext<'_>) -> Taken {
        if message.offset < self.meter.position() {
            return Taken::Passed;
        }
        // What was missed comes first: behind it nothing is folded, whatever was fetched already.
        if !self.runs() || self.missed || context.crowded {
            self.missed = true;
            return Taken::Passed;
        }
        if let Some(halted) =
            self.gap(message).or_else(|| self.obstacle(message, context)).or_else(|| self.unflushed(message))
        {
            self.halt(halted);
            return Taken::Halted;
        }
        self.last_message_ms = context.now_ms;
        let taken = self.fold(message, context);
        if let Taken::Folded { records } = taken {
            self.folded(records, context);
        }
        taken
    }

    /// Stops before a message: it is not folded, and fetched again when the partition goes on.
    pub(super) fn halt(&mut self, halted: Halted) {
        self.halted = Some(halted);
        self.missed = true;
    }

    /// The log has an offset for each message of its own and none for anything else: what is passed over is lost.
    fn gap(&self, message: &Message<'_>) -> Option<Halted> {
        let at = self.meter.position();
        let why = || format!("the log goes on at {}", message.offset.0);
        (message.offset > at).then(|| Halted::Gone { at, why: why() })
    }

    fn obstacle(&self, message: &Message<'_>, context: FoldContext<'_>) -> Option<Halted> {
        let at = message.offset;
        if self.skips.contains_key(&at) {
            return None;
        }
        if let Some((stop, why)) = self.stop_at.as_ref().filter(|(stop, _)| *stop == at) {
            return Some(Halted::Poison { at: *stop, why: why.clone() });
        }
        let ahead_ms = message.time_ms.saturating_sub(context.clock_ms);
        let too_far = context.clock == Clock::Log && ahead_ms > CLOCK_AHEAD_MAX_S * 1_000;
        too_far.then_some(Halted::Ahead { at, time_ms: message.time_ms })
    }

    /// Before a message that is so much later than what ClickHouse has.
    fn unflushed(&mut self, message: &Message<'_>) -> Option<Halted> {
        let (at, time) = (message.offset, message.time_ms.div_euclid(1_000));
        if self.rows.flushed_at().is_none() {
            // A new log, maybe with a catalogue of no time in it: it counts from here.
            self.rows.clean_at(time);
        }
        let since = self.unflushed_since()?;
        (time.saturating_sub(since) > UNFLUSHED_S_MAX).then_some(Halted::Unflushed { at, time, since })
    }

    /// Log time of what ClickHouse has, if it lacks anything.
    pub(super) fn unflushed_since(&mut self) -> Option<UnixTime> {
        if self.effects.dirty.is_empty() && self.rows.unacked() == 0 {
            self.rows.clean_at(self.meter.log_time());
            return None;
        }
        self.rows.flushed_at()
    }

    fn fold(&mut self, message: &Message<'_>, context: FoldContext<'_>) -> Taken {
        let (at, time) = (message.offset, message.time_ms.div_euclid(1_000));
        if let Some(reason) = self.skips.get(&at).cloned() {
            self.meter.skip(at, time, &mut self.effects);
            self.unsealed.push(skipped(message, &reason, self.stamp(context.clock)));
            return Taken::Folded { records: 0 };
        }
        let pack = match Pack::read(message.value.unwrap_or_default()) {
            Ok(pack) => pack,
            Err(error) => {
                self.halt(Halted::Poison { at, why: error.to_string() });
                return Taken::Halted;
            }
        };
        let (meter, effects) = (&mut self.meter, &mut self.effects);
        let fold = AssertUnwindSafe(|| {
            assert!(context.faults.panic_at != Some((message.partition, at)), "planted");
            meter.fold(at, time, &pack, effects)
        });
        match catch_unwind(fold) {
            Ok(Ok(())) => Taken::Folded { records: pack.len() },
            Ok(Err(error)) => Taken::Condemned { at, why: error.to_string() },
            Err(panic) => Taken::Condemned { at, why: panic_text(&*panic) },
        }
    }

    fn folded(&mut self, records: usize, context: FoldContext<'_>) {
        let stamp = Stamp { deployment: context.deployment, time_ms: self.stamp(context.clock) };
        self.marks.folded(work(records, self.effects.events.len()));
        self.unsealed.absorb(&mut self.effects, stamp);
        self.unsealed.folded(records, context.now_ms);
        self.know_catalogue();
    }

    /// The time of outputs: log time, where nothing else stamps them.
    fn stamp(&self, clock: Clock) -> Option<i64> {
        (clock == Clock::Supplied).then(|| time_ms(self.meter.log_time()))
    }

    /// Remembers a catalogue that has come into force.
    fn know_catalogue(&mut self) {
        let Some(now) = self.meter.catalogue() else { return };
        let newest = self.catalogues.last().map_or(0, |k| k.catalogue.version);
        if now.version > newest {
            self.catalogues.push(Known { catalogue: Arc::clone(now), place: None });
        }
    }

    /// The version of the catalogue in force; 0 = none yet.
    pub(super) fn catalogue_version(&self) -> u32 {
        self.meter.catalogue().map_or(0, |c| c.version)
    }
}

/// The message that was passed over, whole, for whoever looks into it.
fn skipped(message: &Message<'_>, reason: &str, time_ms: Option<i64>) -> Output {
    let origin = Origin {
        source: Topic::Log.name(),
        partition: message.partition,
        offset: message.offset.0,
        received_ms: message.time_ms,
    };
    let reason = format!("skipped by order: {reason}");
    output(&Entry::unreadable(message.value.unwrap_or_default(), &reason, origin), time_ms)
}
