//! Canonical JSON in the log: commands and catalogues in the serde form of the model, checked by ingest before they are
//! appended. The meter reads what this wrote, on every replay.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{Broadcast, CardCommand, Catalogue, CommandBody};

/// A value that stands in the log as canonical JSON.
pub trait Canonical: Serialize + DeserializeOwned {
    /// What it is, for messages.
    const WHAT: &'static str;
}

impl Canonical for CardCommand {
    const WHAT: &'static str = "command";
}

impl Canonical for CommandBody {
    const WHAT: &'static str = "what a command says";
}

impl Canonical for Broadcast {
    const WHAT: &'static str = "command to all partitions";
}

impl Canonical for Catalogue {
    const WHAT: &'static str = "catalogue";
}

/// Bytes in the log that are not what they should be: written by another version, or not by ingest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("canonical {what} in the log cannot be read: {detail}")]
pub struct CanonicalError {
    pub what: &'static str,
    pub detail: String,
}

/// The canonical JSON of a value: the same bytes for the same value.
#[must_use]
pub fn to_vec<T: Canonical>(value: &T) -> Vec<u8> {
    // Only maps with keys that are no text could fail, and there are none in the model.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads what [`to_vec`] wrote.
///
/// # Errors
/// What serde says, with what was expected.
pub fn from_slice<T: Canonical>(json: &[u8]) -> Result<T, CanonicalError> {
    serde_json::from_slice(json).map_err(|e| CanonicalError { what: T::WHAT, detail: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CardId;

    #[test]
    fn a_command_keeps_its_bytes() {
        let command = CardCommand {
            id: "c-1".into(),
            card: CardId::parse("8986001234567890123").unwrap(),
            iccid: "89860012345678901236".into(),
            at: 1_785_542_400,
            body: CommandBody::Suspend { reason: Some("lost".into()) },
        };
        let json = r#"{"id":"c-1","card":"8986001234567890123","iccid":"89860012345678901236","at":1785542400,"type":"card.suspend","reason":"lost"}"#;
        assert_eq!(String::from_utf8(to_vec(&command)).unwrap(), json);
        assert_eq!(from_slice(json.as_bytes()), Ok(command));
    }

    #[test]
    fn a_broadcast_keeps_its_bytes() {
        let complete = Broadcast::FeedComplete { id: "f".into(), feed: "cmcc".into(), day: 20_666 };
        let json = r#"{"type":"feed.complete","id":"f","feed":"cmcc","day":20666}"#;
        assert_eq!(String::from_utf8(to_vec(&complete)).unwrap(), json);
        assert_eq!(from_slice(json.as_bytes()), Ok(complete));
    }

    #[test]
    fn what_is_not_canonical_is_named() {
        let error = from_slice::<Broadcast>(b"{}").unwrap_err().to_string();
        assert!(
            error.starts_with("canonical command to all partitions in the log cannot be read: "),
            "{error}"
        );
    }
}
