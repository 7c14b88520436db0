//! What came up in the worlds: every type of event, every outcome of a record, every kind of reason. An auditor that is
//! content proves nothing of what never happened, so what never did is named.
//!
//! Counted is what a reader of committed messages finds, and the ledgers. Invariant: [`Coverage::all`] is the whole of what
//! can be; what is seen beside it ([`Coverage::unlisted`]) is a reason that has no kind yet in `reasons`.

mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::world::Evidence;
use crate::checkpoint::{Head, Key, decode};
use crate::codec::event;
use crate::ingest::{IngestOutcome, Source};
use crate::log::sim::Read;
use crate::log::{Topic, TopicPartition};
use crate::model::{EventBody, Input, Ledger, Outcome};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Events, by type.
    Event,
    /// The meter's outcomes, by input.
    Outcome,
    /// Ingest's outcomes.
    Ingest,
    /// Why commands and recharges were refused.
    Refusal,
    /// Why records were set aside.
    SetAside,
}

impl Group {
    pub const ALL: [Self; 5] = [Self::Event, Self::Outcome, Self::Ingest, Self::Refusal, Self::SetAside];

    fn name(self) -> &'static str {
        match self {
            Self::Event => "events",
            Self::Outcome => "outcomes of the meter",
            Self::Ingest => "outcomes of ingest",
            Self::Refusal => "refused, because",
            Self::SetAside => "set aside, because",
        }
    }

    /// The kinds of a reason of this group, most telling first; none of what is no reason.
    fn reasons(self) -> impl Iterator<Item = &'static str> {
        let (expected, bounds): (&[_], &[_]) = match self {
            Self::Refusal => (&reasons::REFUSALS, &reasons::REFUSALS_AT_BOUNDS),
            Self::SetAside => (&reasons::SET_ASIDE, &reasons::SET_ASIDE_AT_BOUNDS),
            Self::Event | Self::Outcome | Self::Ingest => (&[], &[]),
        };
        expected.iter().chain(bounds).copied()
    }
}

/// How often what came up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    seen: BTreeMap<(Group, String), u64>,
}

impl Coverage {
    /// Of one world that has run.
    pub(super) fn of(evidence: &Evidence) -> Self {
        let mut coverage = Self::default();
        for topic in [Topic::Alerts, Topic::Activations, Topic::Lifecycle] {
            for message in all(evidence, topic) {
                coverage.note_event(&message);
            }
        }
        for topic in [Topic::Quarantine, Topic::DeadLetter] {
            for message in all(evidence, topic) {
                coverage.note_set_aside(&message);
            }
        }
        (0..evidence.partitions)
            .filter_map(|partition| ledger(evidence, partition))
            .for_each(|ledger| coverage.note_ledger(&ledger));
        for (source, outcome) in ingest_outcomes() {
            let of = |ledger: &crate::ingest::IngestLedger| ledger.records(source, outcome);
            coverage.add(Group::Ingest, outcome.name(), evidence.ingest_ledgers.iter().map(of).sum());
        }
        coverage
    }

    /// Adds what came up elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for ((group, name), times) in &other.seen {
            self.add(*group, name, *times);
        }
    }

    /// All that a group can be, in the order in which it is shown.
    #[must_use]
    pub fn all(group: Group) -> Vec<String> {
        match group {
            Group::Event => EventBody::KINDS.map(str::to_owned).to_vec(),
            Group::Outcome => outcomes().map(|(input, outcome)| name(input, outcome)).collect(),
            Group::Ingest => IngestOutcome::ALL.map(|outcome| outcome.name().to_owned()).to_vec(),
            Group::Refusal => reasons::REFUSALS.map(str::to_owned).to_vec(),
            Group::SetAside => reasons::SET_ASIDE.map(str::to_owned).to_vec(),
        }
    }

    /// How often it came up.
    #[must_use]
    pub fn times(&self, group: Group, name: &str) -> u64 {
        self.seen.get(&(group, name.to_owned())).copied().unwrap_or(0)
    }

    /// What came up of a group, and how often.
    pub fn counts(&self, group: Group) -> impl Iterator<Item = (&str, u64)> {
        let of_group = self.seen.iter().filter(move |((of, _), _)| *of == group);
        of_group.map(|((_, name), times)| (name.as_str(), *times))
    }

    /// What of a group never came up.
    #[must_use]
    pub fn missing(&self, group: Group) -> Vec<String> {
        Self::all(group).into_iter().filter(|name| self.times(group, name) == 0).collect()
    }

    /// What came up and is not listed.
    #[must_use]
    pub fn unlisted(&self, group: Group) -> Vec<&str> {
        let listed: BTreeSet<String> =
            Self::all(group).into_iter().chain(group.reasons().map(str::to_owned)).collect();
        self.counts(group).map(|(name, _)| name).filter(|name| !listed.contains(*name)).collect()
    }

    fn add(&mut self, group: Group, name: &str, times: u64) {
        if times > 0 {
            *self.seen.entry((group, name.to_owned())).or_default() += times;
        }
    }

    fn add_reason(&mut self, group: Group, reason: &str) {
        let kind = group.reasons().find(|kind| reasons::is_of(reason, kind)).unwrap_or(reason);
        self.add(group, kind, 1);
    }

    fn note_event(&mut self, message: &Read) {
        let Ok(event) = event::read(message.value.as_deref().unwrap_or_default()) else { return };
        self.add(Group::Event, event.body.kind(), 1);
        if let EventBody::CommandRefused { reason, .. } | EventBody::RechargeRefused { reason, .. } =
            &event.body
        {
            self.add_reason(Group::Refusal, reason);
        }
    }

    /// What the meter set aside; ingest's reasons are those of the decoders, which have tests of their own.
    fn note_set_aside(&mut self, message: &Read) {
        let header = |name| message.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
        if let (Some(_), Some(reason)) = (header("position"), header("reason")) {
            self.add_reason(Group::SetAside, &String::from_utf8_lossy(reason));
        }
    }

    fn note_ledger(&mut self, ledger: &Ledger) {
        for input in Input::ALL {
            for outcome in Outcome::ALL {
                self.add(Group::Outcome, &name(input, outcome), ledger.records(input, outcome));
            }
        }
    }
}

/// What can become of which input. A reading of the same time with other content is late, and totals have room for all days
/// that are open; a command has no day, and its card no room for many more than 4,096.
fn outcomes() -> impl Iterator<Item = (Input, Outcome)> {
    let pairs = Input::ALL.into_iter().flat_map(|input| Outcome::ALL.map(|outcome| (input, outcome)));
    pairs.filter(|pair| {
        !matches!(
            pair,
            (Input::Reading, Outcome::Conflict | Outcome::Flood)
                | (Input::Command, Outcome::Late | Outcome::Flood)
        )
    })
}

fn ingest_outcomes() -> impl Iterator<Item = (Source, IngestOutcome)> {
    Source::ALL.into_iter().flat_map(|source| IngestOutcome::ALL.map(|outcome| (source, outcome)))
}

fn name(input: Input, outcome: Outcome) -> String {
    format!("{} {}", input.name(), outcome.name())
}

/// All committed messages of an outside topic.
fn all(evidence: &Evidence, topic: Topic) -> Vec<Read> {
    (0..evidence.outside_partitions).flat_map(|partition| history(evidence, topic, partition)).collect()
}

fn history(evidence: &Evidence, topic: Topic, partition: u32) -> Vec<Read> {
    evidence.sim.history(TopicPartition { topic, partition }).unwrap_or_default()
}

/// A partition's ledger as its last head has it.
fn ledger(evidence: &Evidence, partition: u32) -> Option<Ledger> {
    let is_head = |message: &&Read| message.key.as_deref().and_then(Key::parse) == Some(Key::Head);
    let checkpoint = history(evidence, Topic::Checkpoint, partition);
    let head: Head = decode(checkpoint.iter().rfind(is_head)?.value.as_deref()?).ok()?;
    Some(head.ledger)
}

impl fmt::Display for Coverage {
    /// Each group with its counts, then what never came up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in Group::ALL {
            writeln!(f, "{}:", group.name())?;
            for (name, times) in self.counts(group) {
                writeln!(f, "{times:>12}  {name}")?;
            }
        }
        for group in Group::ALL {
            let missing = self.missing(group);
            if !missing.is_empty() {
                writeln!(f, "never seen of {}:", group.name())?;
                missing.iter().try_for_each(|name| writeln!(f, "{:>12}  {name}", "-"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_all_worlds_and_what_never_came_up_is_named() {
        let (mut sum, mut other) = (Coverage::default(), Coverage::default());
        sum.add(Group::Event, "alert.fired", 2);
        sum.add_reason(Group::Refusal, "the card is active, not suspended");
        other.add(Group::Event, "alert.fired", 3);
        other.add_reason(Group::Refusal, "because");
        sum.merge(&other);
        assert_eq!(sum.times(Group::Event, "alert.fired"), 5);
        assert_eq!(sum.times(Group::Refusal, "the card is …, not suspended"), 1);
        assert_eq!(sum.unlisted(Group::Refusal), ["because"]);
        assert_eq!(sum.missing(Group::Event).len(), EventBody::KINDS.len() - 1);
        assert!(sum.to_string().contains("never seen of outcomes of ingest:"), "{sum}");
    }
}
