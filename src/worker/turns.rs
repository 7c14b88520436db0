//! Whose turn it is to be restored.
//!
//! Asking for a partition that something outside is in the way of takes time from those that live: a transaction that is
//! open, a broker that is away. Invariant: of a worker's time at most half is spent on asking in vain, and no partition is
//! asked for in vain twice before every other has had its turn.

use std::collections::BTreeMap;

use crate::limits::RESTORE_REST_MS_MAX;

/// Where the round stands, and how long it rests.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The partition behind the one that was last asked for in vain.
    first: u32,
    /// When that began, until it is known how long it took.
    asked_ms: Option<i64>,
    rest_until_ms: i64,
}

impl Turns {
    /// A step begins: what the one before took is known.
    pub(super) fn begin(&mut self, now_ms: i64) {
        if let Some(asked_ms) = self.asked_ms.take() {
            // A clock that leaps is no step that took so long.
            self.rest_until_ms = now_ms + (now_ms - asked_ms).clamp(0, RESTORE_REST_MS_MAX);
        }
    }

    /// In the step that has begun a partition was asked for, and something is in the way.
    pub(super) fn in_vain(&mut self, partition: u32, now_ms: i64) {
        (self.first, self.asked_ms) = (partition.saturating_add(1), Some(now_ms));
    }

    /// Whether those in whose way something is are let be.
    pub(super) fn rests(&self, now_ms: i64) -> bool {
        now_ms < self.rest_until_ms
    }

    /// For how long, if they are.
    pub(super) fn rest_ms(&self, now_ms: i64) -> Option<u64> {
        self.rests(now_ms).then(|| (self.rest_until_ms - now_ms) as u64)
    }

    /// Partitions in the order of their turns.
    pub(super) fn in_order<'a, T>(
        &self,
        partitions: &'a BTreeMap<u32, T>,
    ) -> impl Iterator<Item = (&'a u32, &'a T)> + use<'a, T> {
        partitions.range(self.first..).chain(partitions.range(..self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round() {
        let partitions: BTreeMap<u32, char> = [(2, 'a'), (5, 'b'), (7, 'c')].into();
        let mut turns = Turns::default();
        let order = |turns: &Turns| turns.in_order(&partitions).map(|(p, _)| *p).collect::<Vec<_>>();
        assert_eq!(order(&turns), [2, 5, 7]);
        turns.in_vain(2, 0);
        assert_eq!(order(&turns), [5, 7, 2]);
        turns.in_vain(7, 0);
        assert_eq!(order(&turns), [2, 5, 7]);
    }

    #[test]
    fn what_was_in_vain_is_followed_by_as_long_a_rest() {
        let mut turns = Turns::default();
        turns.begin(1_000);
        assert!(!turns.rests(1_000));
        turns.in_vain(0, 1_000);
        turns.begin(1_250);
        assert_eq!((turns.rest_ms(1_250), turns.rest_ms(1_499)), (Some(250), Some(1)));
        turns.begin(1_499);
        assert!(!turns.rests(1_500), "a step without asking does not lengthen it");
        turns.in_vain(0, 1_500);
        turns.begin(90_000_000);
        assert!(!turns.rests(90_000_000 + RESTORE_REST_MS_MAX), "a clock that leaps does not either");
    }
}
