//! A record that was not counted → its row of `quarantine`; and a message that this history cannot read, likewise.

use crate::codec::quarantine::header;
use crate::log::Message;
use crate::model::CardId;
use crate::rollup::rows::{CardText, NO_CARD, Quarantine, Raw};

/// Outcome of a message that the history could not read: not one of the meter's.
const UNREADABLE: &str = "unreadable";

/// A message of `usage.quarantine` or `usage.dead-letter`: why and where from stand in its headers.
pub(super) fn row(message: &Message<'_>, value: &[u8]) -> Quarantine {
    let text = |name| header_text(message, name);
    let id = text(header::QID);
    Quarantine {
        // One without an id is told apart by its place, as what cannot be read is.
        id: if id.is_empty() { place(message) } else { id },
        outcome: text(header::OUTCOME),
        reason: text(header::REASON),
        source: text(header::SOURCE),
        source_partition: text(header::PARTITION).parse().unwrap_or_default(),
        source_offset: text(header::OFFSET).parse().unwrap_or_default(),
        log_position: text(header::POSITION),
        ..bare(message, value)
    }
}

/// A message that should have been an event, or a pack, and is not.
pub(super) fn unreadable(message: &Message<'_>, value: &[u8], reason: String) -> Quarantine {
    Quarantine {
        id: place(message),
        outcome: UNREADABLE.to_owned(),
        reason,
        source: message.topic.name().to_owned(),
        source_partition: message.partition,
        source_offset: message.offset.0,
        ..bare(message, value)
    }
}

fn bare(message: &Message<'_>, value: &[u8]) -> Quarantine {
    Quarantine {
        card: card(message.key),
        seen: message.time_ms,
        record: Raw(value.to_vec()),
        topic: message.topic.name().to_owned(),
        topic_partition: message.partition,
        topic_offset: message.offset.0,
        ..Quarantine::default()
    }
}

fn place(message: &Message<'_>) -> String {
    format!("{}/{}/{}", message.topic, message.partition, message.offset.0)
}

fn card(key: Option<&[u8]>) -> CardText {
    let text = key.and_then(|key| std::str::from_utf8(key).ok());
    text.and_then(|text| CardId::parse(text).ok()).map_or(NO_CARD, CardId::text)
}

fn header_text(message: &Message<'_>, name: &str) -> String {
    let value = message.headers.iter().find(|(header, _)| *header == name);
    value.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}
