//! How long something may still take. The logs' only use of a clock: it bounds waits and decides nothing else.

use std::time::{Duration, Instant};

/// A moment after which waiting is over.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) struct Deadline(Instant);

impl Deadline {
    #[allow(
        clippy::disallowed_methods,
        reason = "the edge to brokers and disks: bounds waits, reaches no record"
    )]
    pub(in crate::log) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the edge to brokers and disks: bounds waits, reaches no record"
    )]
    pub(in crate::log) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(in crate::log) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}
