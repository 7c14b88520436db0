//! The messages that ingest writes beside packs: parked records, dead letters, the unknown, conflicts of identity.

use serde_json::json;
use serde_json::value::RawValue;

use super::parking::{Envelope, Kind};
use crate::codec::directory::name_text;
use crate::limits::DEAD_LETTER_BYTES_MAX;
use crate::log::{Output, Topic};
use crate::model::{CardName, DirectoryEntry, Origin, Outcome, UnixTime};

/// An outside record, wherever it came from: its bytes and their place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub kind: Kind,
    pub bytes: &'a [u8],
    pub origin: Origin<'a>,
}

/// What ingest calls these outcomes in the headers; the meter uses the same words.
fn headers(outcome: Outcome, reason: &str, origin: &Origin<'_>) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("outcome", outcome.name().into()),
        ("reason", reason.into()),
        ("source", origin.source.into()),
        ("partition", origin.partition.to_string().into()),
        ("offset", origin.offset.to_string().into()),
    ]
}

/// A record that cannot be read, as it came; a very long one is cut and says so.
pub(super) fn dead(bytes: &[u8], key: &[u8], reason: &str, origin: &Origin<'_>) -> Output {
    let mut headers = headers(Outcome::Rejected, reason, origin);
    if bytes.len() > DEAD_LETTER_BYTES_MAX {
        headers.push(("cut_from_bytes", bytes.len().to_string().into()));
    }
    let value = Some(bytes.get(..DEAD_LETTER_BYTES_MAX).unwrap_or(bytes).to_vec());
    let key = key.get(..crate::limits::NAME_BYTES_MAX).unwrap_or(key).to_vec();
    Output { topic: Topic::DeadLetter, partition: None, key, value, headers, time_ms: None }
}

/// A record whose card nobody named in time.
pub(super) fn unknown(bytes: &[u8], name: Option<CardName>, reason: &str, origin: &Origin<'_>) -> Output {
    let headers = headers(Outcome::Unknown, reason, origin);
    let key = name.map(name_text).unwrap_or_default().into_bytes();
    let value = Some(bytes.to_vec());
    Output { topic: Topic::Quarantine, partition: None, key, value, headers, time_ms: None }
}

/// A record whose card the directory does not name yet; `None` if its bytes are no text.
pub(super) fn parked(raw: &Raw<'_>, name: CardName, first_seen_ms: i64) -> Option<Output> {
    let record: &RawValue = serde_json::from_slice(raw.bytes).ok()?;
    let envelope = Envelope {
        kind: raw.kind,
        first_seen_ms,
        source: raw.origin.source.into(),
        partition: raw.origin.partition,
        offset: raw.origin.offset,
        received_ms: raw.origin.received_ms,
        record,
    };
    let value = Some(serde_json::to_vec(&envelope).ok()?);
    let key = name_text(name).into_bytes();
    Some(Output { topic: Topic::Parked, partition: None, key, value, headers: Vec::new(), time_ms: None })
}

/// Two cards hold one number at the same time: a CloudEvent whose id is the same whoever meets it, in whatever order.
pub(super) fn conflict(deployment: &str, a: &DirectoryEntry, b: &DirectoryEntry) -> Output {
    let (first, second) = if a.card <= b.card { (a, b) } else { (b, a) };
    let name = name_text(a.name);
    let from = a.valid_from.max(b.valid_from);
    let to: Option<UnixTime> = [a.valid_to, b.valid_to].into_iter().flatten().min();
    let event = json!({
        "specversion": "1.0",
        "id": format!("identity.conflict/{name}/{}/{}/{from}", first.card, second.card),
        "source": deployment,
        "type": "io.tidegauge.identity.conflict.v1",
        "subject": name,
        "datacontenttype": "application/json",
        "data": { "name": name, "cards": [first.card, second.card], "from": from, "to": to },
    });
    Output {
        topic: Topic::FeedEvents,
        partition: None,
        key: name.into_bytes(),
        value: Some(event.to_string().into_bytes()),
        headers: Vec::new(),
        time_ms: None,
    }
}
