//! What a step is told besides its card and its record: where the log is, and the terms of the card's carrier.

use super::Faults;
use super::feeds::Feeds;
use super::index::{CatalogueIndex, Terms};
use super::names::Names;
use crate::model::{Calendar, Carrier, Event, EventBody, LogOffset, Outcome, Position, Reason, UnixTime};

use super::card::Card;
use super::effects::Effects;

/// The same for every card of a carrier in a shard while one record is folded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ctx<'a> {
    /// Of the message being folded.
    pub position: Position,
    /// Log time.
    pub now: UnixTime,
    pub index: &'a CatalogueIndex,
    pub carrier: &'a Carrier,
    pub terms: &'a Terms,
    pub names: &'a Names,
    /// How fresh the feeds of the partition are.
    pub feeds: &'a Feeds,
    /// What ClickHouse has, as the last tick said.
    pub flushed_through: Option<LogOffset>,
    pub faults: Faults,
}

/// What came of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub outcome: Outcome,
    /// Of a CDR its own; of a reading what was taken.
    pub bytes: u64,
    /// Empty for what was counted.
    pub reason: Reason,
}

/// Why and when something happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Because<'a> {
    /// Effective time.
    pub at: UnixTime,
    /// The record; `None` = a timer.
    pub position: Option<Position>,
    /// The command's id, if a command did.
    pub command: Option<&'a str>,
    /// When Kafka had the outside record, milliseconds; 0 = unknown.
    pub received_ms: i64,
}

impl Verdict {
    pub(super) fn counted(bytes: u64) -> Self {
        Self { outcome: Outcome::Counted, bytes, reason: Reason::Borrowed("") }
    }

    pub(super) fn new(outcome: Outcome, bytes: u64, reason: impl Into<Reason>) -> Self {
        Self { outcome, bytes, reason: reason.into() }
    }

    /// Whether an operator must be able to find the record.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self.outcome, Outcome::Counted | Outcome::Duplicate)
    }
}

impl Because<'_> {
    pub(super) fn timer(due: UnixTime) -> Self {
        Self { at: due, position: None, command: None, received_ms: 0 }
    }
}

impl<'a> Ctx<'a> {
    pub(super) fn calendar(&self) -> &'a Calendar {
        &self.carrier.calendar
    }

    /// The cause of what this record does now.
    pub(super) fn record(&self, received_ms: i64) -> Because<'static> {
        Because { at: self.now, position: Some(self.position), command: None, received_ms }
    }

    /// Notes that the card's rows are no longer what was told of them.
    pub(super) fn changed(&self, card: &mut Card, effects: &mut Effects) {
        let offset = self.position.offset;
        let before = std::mem::replace(&mut card.changed_at, offset);
        if before == Card::NEVER || before <= effects.dirty_since && before != offset {
            effects.dirty.push(card.id);
        }
    }

    /// Publishes what happened to a card.
    pub(super) fn emit(&self, card: &Card, because: &Because<'_>, body: EventBody, effects: &mut Effects) {
        if matches!(body, EventBody::AlertFired(_)) {
            effects.alerts_received_ms.push(because.received_ms);
        }
        effects.events.push(Event {
            card: card.id,
            iccid: card.iccid(),
            id: super::event_id::event_id(card.id, card.turned(), because, &body),
            at: because.at,
            log_time: self.now,
            cause: because.position,
            body,
        });
    }
}
