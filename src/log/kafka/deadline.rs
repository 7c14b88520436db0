//! How long something may still take. The Kafka log's only use of a clock: it bounds waits and decides nothing else.

use std::time::{Duration, Instant};

/// A moment after which waiting is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    #[allow(clippy::disallowed_methods, reason = "the edge to the brokers: bounds waits, reaches no record")]
    pub(super) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    #[allow(clippy::disallowed_methods, reason = "the edge to the brokers: bounds waits, reaches no record")]
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}
