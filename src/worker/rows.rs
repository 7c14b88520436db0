//! Which cards ClickHouse has not seen, and what is on its way there.
//!
//! A round takes all dirty cards of a partition at one offset and sends them in parts; when every part is acknowledged,
//! all changes up to that offset are flushed. Cards that change meanwhile are the next round, so a busy sink costs memory
//! by the number of cards, never by the number of changes. Rows wait for nobody and nobody waits for them.

use crate::limits::{
    FLUSH_EVERY_MS, FLUSH_EVERY_MS_MAX, FLUSH_MS_PER_CARD, ROW_BATCHES_IN_FLIGHT_MAX, ROWS_CARDS_PER_SEAL,
};
use crate::meter::{Effects, Meter, Rows};
use crate::model::{CardId, LogOffset, UnixTime};
use crate::rollup::{RowBatch, RowSink, RowVersion, VersionedRows};

/// The rows of one partition.
#[derive(Debug, Default)]
pub(super) struct RowTracker {
    /// Cards of the round still to be encoded.
    waiting: Vec<CardId>,
    /// The last offset whose changes the round covers.
    through: Option<LogOffset>,
    in_flight: Vec<InFlight>,
    /// Committed, to be submitted.
    outbox: Vec<RowBatch>,
    acked_through: Option<LogOffset>,
    taken_ms: i64,
    /// Log time at which the round began, and up to which every change is in ClickHouse.
    begun_at: Option<UnixTime>,
    flushed_at: Option<UnixTime>,
}

#[derive(Debug)]
struct InFlight {
    id: u64,
    cards: Vec<CardId>,
}

/// How long a round waits after the last, if it will be of so many cards: the longer, the more changes fall together.
fn rest(cards: usize) -> i64 {
    let cards = i64::try_from(cards).unwrap_or(i64::MAX);
    cards.saturating_mul(FLUSH_MS_PER_CARD).clamp(FLUSH_EVERY_MS, FLUSH_EVERY_MS_MAX)
}

/// What encoding needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding {
    pub partition: u32,
    /// Of the deployment.
    pub generation: u32,
    pub id: u64,
    pub now_ms: i64,
}

impl RowTracker {
    /// Nothing on its way; everything up to `flushed` is in ClickHouse.
    pub(super) fn after_restore(flushed: Option<LogOffset>) -> Self {
        Self { acked_through: flushed, ..Self::default() }
    }

    /// Nothing waits at this log time. Before the first message that has one there is nothing to count from.
    pub(super) fn clean_at(&mut self, log_time: UnixTime) {
        self.flushed_at = (log_time > 0).then_some(log_time);
    }

    /// Log time up to which every change is in ClickHouse, as far as is known: a restore counts from its own.
    pub(super) fn flushed_at(&self) -> Option<UnixTime> {
        self.flushed_at
    }

    /// Whether a part should be encoded with the next seal.
    pub(super) fn wants(&self, effects: &Effects, now_ms: i64) -> bool {
        if self.in_flight.len() >= ROW_BATCHES_IN_FLIGHT_MAX {
            return false;
        }
        let rested = now_ms.saturating_sub(self.taken_ms);
        if !self.waiting.is_empty() {
            return rested >= FLUSH_EVERY_MS;
        }
        self.in_flight.is_empty() && !effects.dirty.is_empty() && rested >= rest(effects.dirty.len())
    }

    /// Encodes the next part as of the meter's position; begins a round if none is under way.
    pub(super) fn encode(&mut self, meter: &Meter, effects: &mut Effects, how: Encoding) -> Option<RowBatch> {
        let last = LogOffset(meter.position().0.checked_sub(1)?);
        if self.waiting.is_empty() {
            self.begin(effects, last);
            self.begun_at = Some(meter.log_time());
        }
        self.taken_ms = how.now_ms;
        let cards = self.waiting.split_off(self.waiting.len().saturating_sub(ROWS_CARDS_PER_SEAL));
        let since = self.acked_through.unwrap_or_default();
        let mut rows = Rows::default();
        meter.rows(&cards, since, &mut rows);
        self.in_flight.push(InFlight { id: how.id, cards });
        Some(RowBatch {
            partition: how.partition,
            through: self.through.unwrap_or(last),
            last_part: self.waiting.is_empty(),
            rows: VersionedRows { version: RowVersion::new(how.generation, last), rows },
            id: how.id,
        })
    }

    fn begin(&mut self, effects: &mut Effects, last: LogOffset) {
        self.waiting = std::mem::take(&mut effects.dirty);
        self.waiting.sort_unstable();
        self.waiting.dedup();
        effects.dirty_since = last;
        self.through = Some(last);
    }

    /// The commit of a batch is through.
    pub(super) fn committed(&mut self, batch: RowBatch) {
        self.outbox.push(batch);
    }

    /// Hands over what is committed. What the sink does not take is encoded again later, as it is then.
    pub(super) fn submit<S: RowSink>(&mut self, sink: &mut S) {
        for batch in std::mem::take(&mut self.outbox) {
            let id = batch.id;
            if !sink.submit(batch) {
                self.give_back(id);
            }
        }
    }

    fn give_back(&mut self, id: u64) {
        if let Some(at) = self.in_flight.iter().position(|b| b.id == id) {
            self.waiting.extend(self.in_flight.swap_remove(at).cards);
        }
    }

    /// ClickHouse has a batch. Ids of an earlier life of the partition are passed over.
    pub(super) fn acked(&mut self, id: u64) {
        let Some(at) = self.in_flight.iter().position(|b| b.id == id) else { return };
        self.in_flight.swap_remove(at);
        if self.in_flight.is_empty() && self.waiting.is_empty() {
            self.acked_through = self.acked_through.max(self.through);
            self.flushed_at = self.flushed_at.max(self.begun_at);
        }
    }

    /// Every change at or before this offset is in ClickHouse. Never goes back.
    pub(super) fn acked_through(&self) -> Option<LogOffset> {
        self.acked_through
    }

    /// Cards of the round that are not acknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.waiting.len() + self.in_flight.iter().map(|b| b.cards.len()).sum::<usize>()
    }
}
