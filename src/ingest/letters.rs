//! The messages that ingest writes beside packs: parked records, dead letters, the unknown, conflicts of identity.

use serde_json::json;
use serde_json::value::RawValue;

use super::parking::{Envelope, Kind};
use crate::codec::directory::name_text;
use crate::codec::json::{self as outside, Scratch};
use crate::codec::quarantine::{self, Content, Entry, Qid};
use crate::log::{Output, Topic};
use crate::model::{CardName, DirectoryEntry, Origin, Outcome, UnixTime};

/// An outside record, wherever it came from: its bytes and their place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub kind: Kind,
    pub bytes: &'a [u8],
    pub origin: Origin<'a>,
}

/// A record that cannot be read, as it came.
pub(super) fn dead(bytes: &[u8], reason: &str, origin: Origin<'_>) -> Output {
    quarantine::output(&Entry::unreadable(bytes, reason, origin), None)
}

/// A record whose card nobody named in time.
pub(super) fn unknown(raw: &Raw<'_>, name: CardName, reason: &str) -> Output {
    let mut scratch = Scratch::default();
    let qid = match raw.kind {
        Kind::Cdr => outside::cdr(raw.bytes, &mut scratch).ok().map(|cdr| Qid::of_cdr_in(&cdr)),
        Kind::Reading => outside::reading(raw.bytes).ok().map(|reading| Qid::of_reading_in(&reading)),
    };
    let card = match name {
        CardName::Iccid(card) => Some(card),
        CardName::Number(_) => None,
    };
    let entry = Entry { qid: qid.unwrap_or(Qid::of_place(&raw.origin)), card, ..nobodys(raw, reason) };
    quarantine::output(&entry, None)
}

/// A record that names nobody, by its place until its caller knows better.
pub(super) fn nobodys<'a>(raw: &Raw<'a>, reason: &'a str) -> Entry<'a> {
    Entry {
        outcome: Outcome::Unknown,
        reason,
        card: None,
        content: Content::Bytes(raw.bytes),
        qid: Qid::of_place(&raw.origin),
        origin: raw.origin,
        position: None,
    }
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
