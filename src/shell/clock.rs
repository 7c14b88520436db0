//! The two clocks of the shell. The fold sees neither: they pace seals and flushes, and measure latencies.

use std::time::{Instant, SystemTime};

use crate::worker::Now;

/// A steady clock with its origin, and the machine's.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    origin: Instant,
    /// What the machine's clock said then.
    began_ms: i64,
}

#[allow(clippy::disallowed_methods, reason = "the one place where the shell reads clocks")]
impl Clocks {
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now(), began_ms: wall_ms() }
    }

    /// Milliseconds since [`Self::start`].
    #[must_use]
    pub fn steady_ms(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970, as steady as the former: what one process writes down by it, another may compare.
    #[must_use]
    pub fn anchored_ms(&self) -> i64 {
        self.began_ms.saturating_add(self.steady_ms())
    }

    /// Both, as a worker's step takes them.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { ms: self.steady_ms(), clock_ms: wall_ms() }
    }

    /// For durations finer than a millisecond.
    #[must_use]
    pub fn instant() -> Instant {
        Instant::now()
    }
}

/// The machine's clock, milliseconds since 1970.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place where the shell reads clocks")]
pub fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
