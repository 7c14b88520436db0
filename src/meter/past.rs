//! Cycles that are closed and in `ClickHouse`, and may still be restated (`docs/rules.md` C5, C6), packed: a card has three of
//! them at most times, and hardly any is ever looked at.
//!
//! Invariant: what comes out is what went in, but for `changed_at`, which is long flushed.

use serde::{Deserialize, Serialize};

use super::cycle::Cycle;
use crate::limits::DECODED_BYTES_MAX;
use crate::model::{Day, LogOffset};

/// Packed cycles, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past(Box<[u8]>);

/// A cycle as it is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PastCycle {
    pub cycle: Cycle,
    /// What packages burnt of it.
    pub burnt: u64,
}

/// Small figures are short, and most are small.
fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<DECODED_BYTES_MAX>()
}

impl Past {
    /// All, oldest first.
    pub(super) fn cycles(&self) -> Vec<PastCycle> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let unpacked = bincode::serde::decode_from_slice(&self.0, config());
        unpacked.map(|(cycles, _)| cycles).expect("it was packed here, and chunks have checksums")
    }

    /// First day of the oldest.
    pub(super) fn first(&self) -> Option<Day> {
        self.cycles().first().map(|past| past.cycle.start)
    }

    pub(super) fn of(&self, day: Day) -> Option<Cycle> {
        let holds = |past: &PastCycle| past.cycle.start <= day && day < past.cycle.end;
        self.cycles().into_iter().find(holds).map(|past| past.cycle)
    }

    /// Packs some more.
    pub(super) fn add(&mut self, more: Vec<PastCycle>) {
        if !more.is_empty() {
            let mut cycles = self.cycles();
            cycles.extend(more);
            cycles.sort_by_key(|past| past.cycle.start);
            self.pack(cycles);
        }
    }

    /// Takes out the cycle of a day.
    pub(super) fn take(&mut self, day: Day) -> Option<PastCycle> {
        let mut cycles = self.cycles();
        let at = cycles.iter().position(|past| past.cycle.start <= day && day < past.cycle.end)?;
        let taken = cycles.remove(at);
        self.pack(cycles);
        Some(taken)
    }

    /// Keeps what stays; answers whether any did not.
    pub(super) fn retain(&mut self, stays: impl Fn(&Cycle) -> bool) -> bool {
        let mut cycles = self.cycles();
        let before = cycles.len();
        cycles.retain(|past| stays(&past.cycle));
        let any_went = cycles.len() != before;
        if any_went {
            self.pack(cycles);
        }
        any_went
    }

    fn pack(&mut self, mut cycles: Vec<PastCycle>) {
        for past in &mut cycles {
            past.cycle.changed_at = LogOffset(0);
        }
        self.0 = if cycles.is_empty() {
            Box::default()
        } else {
            let packed = bincode::serde::encode_to_vec(&cycles, config());
            packed.expect("memory takes every value").into_boxed_slice()
        };
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::cycle::Source;
    use crate::meter::dates::Volume;

    fn past(start: Day, used: u64) -> PastCycle {
        let mut cycle = Cycle::new((start, start + 30));
        cycle.by.add(Source::Settling, Volume { up: used / 3, down: used - used / 3 });
        (cycle.used, cycle.closed, cycle.changed_at) = (used, true, LogOffset(u64::MAX - 1));
        cycle.ended_with = Some(Box::new((Some(100_000_000), None)));
        PastCycle { cycle, burnt: used / 2 }
    }

    fn unchanged(mut past: PastCycle) -> PastCycle {
        past.cycle.changed_at = LogOffset(0);
        past
    }

    #[test]
    fn what_comes_out_is_what_went_in_oldest_first() {
        let mut packed = Past::default();
        packed.add(vec![past(90, u64::MAX), past(60, 10_000_000)]);
        packed.add(vec![past(30, 0)]);
        assert_eq!(packed.cycles(), [past(30, 0), past(60, 10_000_000), past(90, u64::MAX)].map(unchanged));
        assert_eq!(packed.of(89).map(|cycle| cycle.start), Some(60));
        assert_eq!((packed.of(29), packed.of(120)), (None, None));
        assert_eq!(packed.take(60), Some(unchanged(past(60, 10_000_000))));
        assert_eq!(packed.take(60), None);
        assert!(packed.retain(|cycle| cycle.start > 30));
        assert!(!packed.retain(|cycle| cycle.start > 30));
        assert_eq!(packed.cycles(), [unchanged(past(90, u64::MAX))]);
        assert!(packed.retain(|_| false));
        assert_eq!(packed, Past::default());
    }

    #[test]
    fn a_usual_cycle_takes_less_than_two_thirds_of_its_line() {
        let mut packed = Past::default();
        packed.add(vec![past(20_666, 10_000_000)]);
        assert!(packed.bytes() * 3 < size_of::<Cycle>() * 2, "{} bytes", packed.bytes());
    }
}
