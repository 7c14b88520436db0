//! Records → packs, one open pack a log partition. A pack leaves when it is full, when its oldest record has waited for
//! the linger, or, where ingest supplies the clock, when the next record is of another second.

use super::Clock;
use super::outbox::{Letter, Outbox};
use super::sources::Ref;
use crate::codec::pack::PackWriter;
use crate::log::{Output, Topic};
use crate::model::Record;

/// When a record came, on the caller's clock, and when the outside says that it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub now_ms: i64,
    pub outside_ms: i64,
}

#[derive(Debug, Default)]
struct Open {
    writer: PackWriter,
    carried: Vec<Ref>,
    since_ms: i64,
    outside_ms: i64,
}

/// The open packs.
#[derive(Debug)]
pub(super) struct Packer {
    open: Vec<Open>,
    clock: Clock,
    linger_ms: i64,
}

/// A record that fits no pack.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Packer {
    pub(super) fn new(partitions: u32, clock: Clock, linger_ms: i64) -> Self {
        let open = (0..partitions.max(1)).map(|_| Open::default()).collect();
        Self { open, clock, linger_ms }
    }

    pub(super) fn partitions(&self) -> u32 {
        self.open.len() as u32
    }

    /// Adds a record to its partition's pack; a pack that had to leave before goes to the outbox.
    pub(super) fn push(
        &mut self,
        (partition, record): (u32, &Record<'_>),
        from: Ref,
        when: When,
        outbox: &mut Outbox,
    ) -> Result<(), TooLarge> {
        let clock = self.clock;
        let open = self.open.get_mut(partition as usize).ok_or(TooLarge)?;
        if open.leaves_before(when, clock) {
            outbox.post_all(open.close(partition, clock));
        }
        if !open.writer.push(record) {
            outbox.post_all(open.close(partition, clock));
            if !open.writer.push(record) {
                return Err(TooLarge);
            }
        }
        open.note(from, when);
        Ok(())
    }

    /// Packs whose linger is over.
    pub(super) fn due(&mut self, now_ms: i64) -> Vec<Letter> {
        let linger_ms = self.linger_ms;
        self.close_where(|open| now_ms.saturating_sub(open.since_ms) >= linger_ms)
    }

    /// All packs.
    pub(super) fn all(&mut self) -> Vec<Letter> {
        self.close_where(|_| true)
    }

    fn close_where(&mut self, which: impl Fn(&Open) -> bool) -> Vec<Letter> {
        let clock = self.clock;
        let open = self.open.iter_mut().enumerate().filter(|(_, open)| which(open));
        open.filter_map(|(partition, open)| open.close(partition as u32, clock)).collect()
    }

    /// When the next pack is due.
    pub(super) fn due_ms(&self) -> Option<i64> {
        let filled = self.open.iter().filter(|open| !open.writer.is_empty());
        filled.map(|open| open.since_ms.saturating_add(self.linger_ms)).min()
    }
}

impl Open {
    fn leaves_before(&self, when: When, clock: Clock) -> bool {
        let second = |ms: i64| ms.div_euclid(1_000);
        clock == Clock::Supplied
            && !self.writer.is_empty()
            && second(self.outside_ms) != second(when.outside_ms)
    }

    fn note(&mut self, from: Ref, when: When) {
        if self.writer.len() == 1 {
            self.since_ms = when.now_ms;
            self.outside_ms = when.outside_ms;
        }
        self.outside_ms = self.outside_ms.max(when.outside_ms);
        self.carried.push(from);
    }

    fn close(&mut self, partition: u32, clock: Clock) -> Option<Letter> {
        if self.writer.is_empty() {
            return None;
        }
        let output = Output {
            topic: Topic::Log,
            partition: Some(partition),
            key: Vec::new(),
            value: Some(self.writer.finish()),
            headers: Vec::new(),
            time_ms: (clock == Clock::Supplied).then_some(self.outside_ms),
        };
        Some(Letter { output, carried: std::mem::take(&mut self.carried) })
    }
}
