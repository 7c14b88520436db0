//! Pauses between attempts: doubling, bounded, ended early by the order to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// How soon the order to stop is heard.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
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
