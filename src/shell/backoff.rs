//! Pauses between attempts: doubling, bounded, ended early by the order to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Clocks;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// Trouble that comes so long after the last, its pause among that, is another.
const CALM: Duration = Duration::from_mins(2);
/// How soon the order to stop is heard.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
    last: Option<Instant>,
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        self.next_at(Clocks::instant())
    }

    fn next_at(&mut self, now: Instant) -> Duration {
        if self.last.replace(now).is_some_and(|last| now.duration_since(last) > CALM) {
            self.reset();
        }
        let pause = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        pause
    }

    /// What was tried has worked: the next trouble is a new one.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Waits, or until told to stop.
    pub(super) fn wait(pause: Duration, stop: &AtomicBool) {
        let mut left = pause;
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            let part = left.min(LISTEN_EVERY);
            std::thread::park_timeout(part);
            left -= part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_begin_anew_after_what_worked_or_a_calm() {
        let (mut backoff, mut now) = (Backoff::default(), Clocks::instant());
        let mut next = |backoff: &mut Backoff, after| {
            now += after;
            backoff.next_at(now).as_millis()
        };
        for pause in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            assert_eq!(next(&mut backoff, Duration::from_millis(pause as u64)), pause);
        }
        assert_eq!(next(&mut backoff, CALM), 30_000);
        assert_eq!(next(&mut backoff, CALM + Duration::from_millis(1)), 200);
        assert_eq!(next(&mut backoff, Duration::ZERO), 400);
        backoff.reset();
        assert_eq!(next(&mut backoff, Duration::ZERO), 200);
    }
}
