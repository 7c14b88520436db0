//! What librdkafka says over and over, as it does of brokers that are away, is told once a minute, with how often it was said
//! meanwhile.
//!
//! Invariant: what was not told within the last minute is told; and no more is remembered than a few sayings.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode;
use xxhash_rust::xxh3::xxh3_64;

/// For so long an equal saying is not told again.
const QUIET_MS: u64 = 60_000;
/// So many are remembered; beyond, the one that was told longest ago is forgotten.
const REMEMBERED: usize = 32;

/// What kind of client says it: what one meets, all of its kind meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Member,
    Plain,
    Producer,
}

static ERRORS: Mutex<Repeats<(Client, Option<RDKafkaErrorCode>)>> = Mutex::new(Repeats::new());
static LINES: Mutex<Repeats<u64>> = Mutex::new(Repeats::new());

/// What stands behind an error that is to be told: how many equal ones were not.
pub(super) fn of_error(client: Client, code: Option<RDKafkaErrorCode>) -> Option<String> {
    let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
    errors.hear((client, code), steady_ms()).map(more)
}

/// The same of a line of librdkafka's own log.
pub(super) fn of_line(facility: &str, message: &str) -> Option<String> {
    let said = xxh3_64(format!("{facility} {}", lasting(message)).as_bytes());
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.hear(said, steady_ms()).map(more)
}

/// A line without how long its attempt took, in which no two are equal.
fn lasting(message: &str) -> &str {
    message.split_once(" (after ").map_or(message, |(lasting, _)| lasting)
}

fn more(withheld: u64) -> String {
    if withheld == 0 { String::new() } else { format!(" ... {withheld} more since") }
}

#[allow(clippy::disallowed_methods, reason = "the edge to brokers: paces what is logged, reaches no record")]
fn steady_ms() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What was told lately.
struct Repeats<K> {
    told: Vec<Told<K>>,
}

struct Told<K> {
    what: K,
    at_ms: u64,
    /// Equal ones that were not told since.
    withheld: u64,
}

impl<K: PartialEq> Repeats<K> {
    const fn new() -> Self {
        Self { told: Vec::new() }
    }

    /// How many equal ones were withheld since it was told last; `None` if this one is withheld too.
    fn hear(&mut self, what: K, now_ms: u64) -> Option<u64> {
        let Some(told) = self.told.iter_mut().find(|told| told.what == what) else {
            self.remember(what, now_ms);
            return Some(0);
        };
        if now_ms.saturating_sub(told.at_ms) < QUIET_MS {
            told.withheld = told.withheld.saturating_add(1);
            return None;
        }
        told.at_ms = now_ms;
        Some(std::mem::take(&mut told.withheld))
    }

    fn remember(&mut self, what: K, now_ms: u64) {
        if self.told.len() >= REMEMBERED {
            let oldest = self.told.iter().enumerate().min_by_key(|(_, told)| told.at_ms).map(|(at, _)| at);
            if let Some(oldest) = oldest {
                self.told.swap_remove(oldest);
            }
        }
        self.told.push(Told { what, at_ms: now_ms, withheld: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_over_and_over_is_told_once_a_minute_with_how_often() {
        let mut repeats = Repeats::new();
        assert_eq!(repeats.hear("down", 5), Some(0));
        for now_ms in 6..1_240 {
            assert_eq!(repeats.hear("down", now_ms), None);
        }
        assert_eq!(repeats.hear("refused", 1_240), Some(0), "another thing is told at once");
        assert_eq!(repeats.hear("down", 4 + QUIET_MS), None);
        assert_eq!(repeats.hear("down", 5 + QUIET_MS), Some(1_235));
        assert_eq!(repeats.hear("down", 6 + QUIET_MS), None);
        assert_eq!(repeats.hear("down", 3 * QUIET_MS), Some(1));
    }

    #[test]
    fn however_many_things_are_said_few_are_remembered() {
        let mut repeats = Repeats::new();
        for what in 0..10_000 {
            assert_eq!(repeats.hear(what, what), Some(0));
        }
        assert_eq!(repeats.told.len(), REMEMBERED);
        assert_eq!(repeats.hear(9_999, 10_000), None);
        assert_eq!(repeats.hear(0, 10_000), Some(0), "forgotten, so it is told again");
    }

    #[test]
    fn lines_that_differ_only_in_how_long_it_took_are_equal() {
        let refused = |took: &str| format!("b:9092: Connect to b failed: Connection refused (after {took})");
        assert_eq!(lasting(&refused("0ms in state CONNECT")), lasting(&refused("3ms in state CONNECT")));
        assert_ne!(lasting("b1:9092: Disconnected"), lasting("b2:9092: Disconnected"));
    }

    #[test]
    fn what_was_withheld_is_counted_behind_the_line() {
        assert_eq!((more(0), more(1_234)), (String::new(), " ... 1234 more since".to_owned()));
    }
}
