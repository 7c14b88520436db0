//! How long to wait before the next try: doubling from 0.2 s to 30 s, each wait shortened by up to half at random, so that
//! many writers that failed together do not come back together.

use std::time::Duration;

use crate::limits::{RETRY_FIRST_MS, RETRY_MAX_MS};

/// The waits of one operation that is tried for ever.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// Sets the jitter apart from that of others.
    seed: u64,
    tries: u32,
}

impl Backoff {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, tries: 0 }
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let full = RETRY_FIRST_MS.saturating_mul(1 << self.tries.min(16)).min(RETRY_MAX_MS);
        let noise = xxhash_rust::xxh3::xxh3_64_with_seed(&self.tries.to_le_bytes(), self.seed);
        self.tries = self.tries.saturating_add(1);
        Duration::from_millis(full - noise % (full / 2 + 1))
    }

    /// It worked: the next failure begins anew.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// Failures in a row.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_are_shortened_by_half_at_most() {
        let mut backoff = Backoff::new(7);
        for full_ms in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            let wait_ms = backoff.next_wait().as_millis();
            assert!((full_ms / 2..=full_ms).contains(&wait_ms), "{wait_ms} of {full_ms}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(200));
    }

    #[test]
    fn many_tries_stay_at_the_longest_wait() {
        let mut backoff = Backoff { seed: 1, tries: u32::MAX };
        assert!(backoff.next_wait() >= Duration::from_secs(15));
    }

    #[test]
    fn two_writers_do_not_wait_alike() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            [backoff.next_wait(), backoff.next_wait(), backoff.next_wait()]
        };
        assert_ne!(waits(1), waits(2));
    }
}
