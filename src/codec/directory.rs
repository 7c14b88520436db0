//! `card.directory`: key `kind:number:iccid` (an ICCID is a kind too), value `{"valid_from":s,"valid_to":s|null}` in UTC
//! seconds, and `"before":[[from,to],…]` of a card that took the number back. The meter writes it, ingest reads it; a key is
//! written by its own card only. Invariant 5: at most [`NUMBERS_MAX`] intervals before the last.

use serde::{Deserialize, Serialize};

use crate::limits::NUMBERS_MAX;
use crate::log::{Output, Topic};
use crate::model::{CardId, CardName, DirectoryEntry, Number, NumberKind, UnixTime};

/// The value under a key.
#[derive(Serialize, Deserialize)]
struct Validity {
    valid_from: UnixTime,
    #[serde(default)]
    valid_to: Option<UnixTime>,
    /// Earlier intervals, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<(UnixTime, UnixTime)>,
}

impl Validity {
    /// Of a card's intervals, the oldest first; what is said of one again replaces it.
    fn of(last: &DirectoryEntry, earlier: &[DirectoryEntry]) -> Self {
        let mut before: Vec<(UnixTime, UnixTime)> = Vec::new();
        for entry in earlier {
            before.retain(|(from, _)| *from != entry.valid_from);
            before.extend(entry.valid_to.map(|to| (entry.valid_from, to)));
        }
        before.retain(|(from, to)| from < to && *from != last.valid_from);
        before.drain(..before.len().saturating_sub(NUMBERS_MAX));
        Self { valid_from: last.valid_from, valid_to: last.valid_to, before }
    }
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

/// The messages that say these entries. Those of one name and card that stand one after another are one message: its intervals,
/// the oldest first.
pub fn outputs(entries: &[DirectoryEntry], time_ms: Option<i64>) -> impl Iterator<Item = Output> {
    let of_one = entries.chunk_by(|a, b| (a.name, a.card) == (b.name, b.card));
    of_one.filter_map(move |entries| {
        let (last, earlier) = entries.split_last()?;
        Some(message(last, &Validity::of(last, earlier), time_ms))
    })
}

/// The message that says an entry.
#[must_use]
pub fn output(entry: &DirectoryEntry, time_ms: Option<i64>) -> Output {
    message(entry, &Validity::of(entry, &[]), time_ms)
}

fn message(entry: &DirectoryEntry, validity: &Validity, time_ms: Option<i64>) -> Output {
    Output {
        topic: Topic::Directory,
        partition: None,
        key: format!("{}:{}", name_text(entry.name), entry.card).into_bytes(),
        value: serde_json::to_vec(validity).ok(),
        headers: Vec::new(),
        time_ms,
    }
}

/// Reads a message: whose entries, and the intervals, the oldest first; none if the message deletes them.
///
/// # Errors
/// A key or a value of another form.
pub fn read(
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(CardName, CardId, Vec<DirectoryEntry>), DirectoryError> {
    let text = String::from_utf8_lossy(key);
    let parts =
        text.rsplit_once(':').and_then(|(name, card)| Some((parse_name(name)?, CardId::parse(card).ok()?)));
    let (name, card) = parts.ok_or_else(|| DirectoryError::Key(text.clone().into_owned()))?;
    let Some(value) = value else { return Ok((name, card, Vec::new())) };
    let validity: Validity = serde_json::from_slice(value)
        .map_err(|e| DirectoryError::Value { key: text.into_owned(), detail: e.to_string() })?;
    let entry = |valid_from, valid_to| DirectoryEntry { name, card, valid_from, valid_to };
    let surplus = validity.before.len().saturating_sub(NUMBERS_MAX);
    let before = validity.before.iter().skip(surplus).map(|(from, to)| entry(*from, Some(*to)));
    Ok((name, card, before.chain([entry(validity.valid_from, validity.valid_to)]).collect()))
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
                assert_eq!(read(&message.key, message.value.as_deref()), Ok((name, card(), vec![entry])));
            }
        }
    }

    #[test]
    fn intervals_of_a_number_that_was_taken_back_are_one_message() {
        let name = CardName::Number(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 });
        let entry = |valid_from, valid_to| DirectoryEntry { name, card: card(), valid_from, valid_to };
        let other = DirectoryEntry { name: CardName::Iccid(card()), ..entry(9, None) };
        // Said twice in one fold: held from 100 on, then to 200; then taken back.
        let said = [entry(100, None), entry(100, Some(200)), entry(300, None), other, entry(300, Some(400))];
        let values = |said: &[DirectoryEntry]| -> Vec<String> {
            outputs(said, None).map(|output| String::from_utf8(output.value.unwrap()).unwrap()).collect()
        };
        assert_eq!(
            values(&said),
            [
                r#"{"valid_from":300,"valid_to":null,"before":[[100,200]]}"#,
                r#"{"valid_from":9,"valid_to":null}"#,
                r#"{"valid_from":300,"valid_to":400}"#
            ]
        );
        let message = outputs(&said[..3], None).next().unwrap();
        let read_back = read(&message.key, message.value.as_deref()).unwrap();
        assert_eq!(read_back, (name, card(), vec![entry(100, Some(200)), entry(300, None)]));
        // However many there are.
        let many: Vec<_> = (0..50).map(|n| entry(n, Some(n + 1))).collect();
        let message = outputs(&many, None).next().unwrap();
        let kept = read(&message.key, message.value.as_deref()).unwrap().2;
        assert_eq!((kept.len(), kept[0].valid_from, kept[NUMBERS_MAX].valid_from), (NUMBERS_MAX + 1, 33, 49));
        let long = format!("{{\"valid_from\":99,\"before\":{:?}}}", vec![[1, 2]; 50]);
        assert_eq!(read(&message.key, Some(long.as_bytes())).unwrap().2.len(), NUMBERS_MAX + 1);
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
        assert_eq!(read(key, None).map(|(_, _, entry)| entry), Ok(Vec::new()));
    }
}
