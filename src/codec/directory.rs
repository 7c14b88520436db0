//! `card.directory`: key `kind:number:iccid` (an ICCID is a kind too), value `{"valid_from":s,"valid_to":s|null}` in UTC
//! seconds. The meter writes it, ingest reads it; a key is written by its own card only.

use serde::{Deserialize, Serialize};

use crate::log::{Output, Topic};
use crate::model::{CardId, CardName, DirectoryEntry, Number, NumberKind, UnixTime};

/// The value under a key.
#[derive(Serialize, Deserialize)]
struct Validity {
    valid_from: UnixTime,
    #[serde(default)]
    valid_to: Option<UnixTime>,
}

/// What is wrong with a message of the directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    #[error("key {0:?} is not kind:number:iccid")]
    Key(String),
    #[error("value under {key:?}: {detail}")]
    Value { key: String, detail: String },
}

/// The kind's name in keys and outside JSON.
#[must_use]
pub fn kind_name(kind: NumberKind) -> &'static str {
    match kind {
        NumberKind::Imsi => "imsi",
        NumberKind::Msisdn => "msisdn",
        NumberKind::Imei => "imei",
    }
}

/// `kind:number` of a name: the key under which its records are parked.
#[must_use]
pub fn name_text(name: CardName) -> String {
    match name {
        CardName::Iccid(card) => format!("iccid:{card}"),
        CardName::Number(number) => format!("{}:{}", kind_name(number.kind), number.digits),
    }
}

/// Reads what [`name_text`] wrote.
#[must_use]
pub fn parse_name(text: &str) -> Option<CardName> {
    let (kind, number) = text.split_once(':')?;
    let kind = match kind {
        "iccid" => return CardId::parse(number).ok().map(CardName::Iccid),
        "imsi" => NumberKind::Imsi,
        "msisdn" => NumberKind::Msisdn,
        "imei" => NumberKind::Imei,
        _ => return None,
    };
    number.parse().ok().map(|digits| CardName::Number(Number { kind, digits }))
}

/// The message that says an entry.
#[must_use]
pub fn output(entry: &DirectoryEntry, time_ms: Option<i64>) -> Output {
    let validity = Validity { valid_from: entry.valid_from, valid_to: entry.valid_to };
    Output {
        topic: Topic::Directory,
        partition: None,
        key: format!("{}:{}", name_text(entry.name), entry.card).into_bytes(),
        value: serde_json::to_vec(&validity).ok(),
        headers: Vec::new(),
        time_ms,
    }
}

/// Reads a message: whose entry, and its interval; `None` in place of the entry if the message deletes it.
///
/// # Errors
/// A key or a value of another form.
pub fn read(
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(CardName, CardId, Option<DirectoryEntry>), DirectoryError> {
    let text = String::from_utf8_lossy(key);
    let parts =
        text.rsplit_once(':').and_then(|(name, card)| Some((parse_name(name)?, CardId::parse(card).ok()?)));
    let (name, card) = parts.ok_or_else(|| DirectoryError::Key(text.clone().into_owned()))?;
    let Some(value) = value else { return Ok((name, card, None)) };
    let validity: Validity = serde_json::from_slice(value)
        .map_err(|e| DirectoryError::Value { key: text.into_owned(), detail: e.to_string() })?;
    let Validity { valid_from, valid_to } = validity;
    Ok((name, card, Some(DirectoryEntry { name, card, valid_from, valid_to })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> CardId {
        CardId::parse("8986001234567890123").unwrap()
    }

    #[test]
    fn an_entry_survives_its_message() {
        let imsi = Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 };
        for name in [CardName::Iccid(card()), CardName::Number(imsi)] {
            for valid_to in [None, Some(1_800_000_000)] {
                let entry = DirectoryEntry { name, card: card(), valid_from: 1_785_000_000, valid_to };
                let message = output(&entry, None);
                assert_eq!(read(&message.key, message.value.as_deref()), Ok((name, card(), Some(entry))));
            }
        }
    }

    #[test]
    fn the_message_has_the_form_of_the_contract() {
        let name = CardName::Number(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 });
        let entry = DirectoryEntry { name, card: card(), valid_from: 7, valid_to: None };
        let message = output(&entry, None);
        assert_eq!(message.key, b"imsi:460041234567890:8986001234567890123");
        assert_eq!(message.value.unwrap(), br#"{"valid_from":7,"valid_to":null}"#);
    }

    #[test]
    fn what_is_no_entry_is_named() {
        for key in ["", "imsi:46", "tel:46:8986001234567890123", "imsi:x:8986001234567890123", "imsi:1:8986"]
        {
            assert_eq!(read(key.as_bytes(), None), Err(DirectoryError::Key(key.to_owned())), "{key}");
        }
        let key = b"imsi:46:8986001234567890123";
        assert!(matches!(read(key, Some(b"{}")), Err(DirectoryError::Value { .. })));
        assert_eq!(read(key, None).map(|(_, _, entry)| entry), Ok(None));
    }
}
