//! Command ids of one card: each command has one effect and one answer, however often it is sent.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::exact::Exact;
use crate::limits::{ID_LIFE_S, ORDERS_MAX};
use crate::model::UnixTime;

/// Commands taken in the last 90 days, in log order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenCommands(Exact<SeenCommand>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct SeenCommand {
    id: u64,
    content: u64,
    /// Log time.
    at: UnixTime,
}

/// What is known of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    New,
    /// The same id with the same content was answered before.
    Duplicate,
    /// The same id, other content.
    Conflict,
    /// New, but no more ids can be kept.
    Full,
}

impl SeenCommands {
    /// Looks a command up. `json` is the canonical form of what it says.
    pub(super) fn look(&self, id: &str, json: &[u8], seed: u64, now: UnixTime) -> Known {
        let new = SeenCommand::of(id, json, seed, now);
        let mut held = self.0.iter().filter(|command| !command.is_forgotten(now));
        match held.clone().find(|command| command.id == new.id) {
            Some(command) if command.content == new.content => Known::Duplicate,
            Some(_) => Known::Conflict,
            None if held.nth(ORDERS_MAX.saturating_sub(1)).is_some() => Known::Full,
            None => Known::New,
        }
    }

    /// Looks a command up, and notes it if it is new.
    pub(super) fn note(&mut self, id: &str, json: &[u8], seed: u64, now: UnixTime) -> Known {
        self.0.retain(|seen| !seen.is_forgotten(now));
        let known = self.look(id, json, seed, now);
        if known == Known::New {
            self.0.push(SeenCommand::of(id, json, seed, now));
        }
        known
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

impl SeenCommand {
    fn of(id: &str, json: &[u8], seed: u64, at: UnixTime) -> Self {
        Self { id: xxh3_64_with_seed(id.as_bytes(), seed), content: xxh3_64(json), at }
    }

    fn is_forgotten(&self, now: UnixTime) -> bool {
        self.at < now.saturating_sub(ID_LIFE_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DAY_S;

    #[test]
    fn an_id_is_remembered_with_its_content_for_ninety_days() {
        let mut seen = SeenCommands::default();
        for (id, json, day, known) in [
            ("a", "1", 0, Known::New),
            ("a", "1", 1, Known::Duplicate),
            ("a", "2", 1, Known::Conflict),
            ("b", "1", 1, Known::New),
            ("a", "1", 90, Known::Duplicate),
            ("a", "1", 91, Known::New),
            ("b", "1", 91, Known::Duplicate),
        ] {
            assert_eq!(seen.note(id, json.as_bytes(), 0, day * DAY_S), known, "{id} {json} on day {day}");
        }
    }

    #[test]
    fn a_full_memory_takes_no_new_id() {
        let mut seen = SeenCommands::default();
        for n in 0..ORDERS_MAX {
            assert_eq!(seen.note(&n.to_string(), b"", 0, 0), Known::New);
        }
        assert_eq!(seen.note("more", b"", 0, 0), Known::Full);
        assert_eq!(seen.note("7", b"", 0, 0), Known::Duplicate);
    }
}
