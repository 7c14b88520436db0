//! The messages that ingest writes beside packs: parked records, dead letters, the unknown, conflicts of identity.

use serde_json::json;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::parking::{Envelope, Kind};
use crate::codec::directory::name_text;
use crate::codec::event::CloudEvent;
use crate::codec::json::{self as outside, CdrIn, Scratch};
use crate::codec::quarantine::{self, Content, Entry, Qid};
use crate::codec::time;
use crate::limits::NAME_BYTES_MAX;
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

/// A part of a file that cannot be read, as it came; where nothing of it is repeated, the reason tells it from others.
pub(super) fn dead_in_file(bytes: &[u8], reason: &str, origin: Origin<'_>) -> Output {
    let content = if bytes.is_empty() { reason.as_bytes() } else { bytes };
    let qid = Qid::of_file(&origin, content);
    quarantine::output(&Entry { qid, ..Entry::unreadable(bytes, reason, origin) }, None)
}

/// The name that records have as their origin, within the bound of names: of a longer one its beginning, and a hash by which
/// it is told from others that begin so.
pub(super) fn source_name(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let hash = format!("~{:016x}", xxh3_64(name.as_bytes()));
    let most = NAME_BYTES_MAX - hash.len();
    let end = (0..=most).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    format!("{}{hash}", name.get(..end).unwrap_or_default())
}

/// A part of a message that cannot be read, as it came.
pub(super) fn dead_part(bytes: &[u8], at: usize, reason: &str, origin: Origin<'_>) -> Output {
    let qid = Qid::of_part(&origin, at);
    quarantine::output(&Entry { qid, ..Entry::unreadable(bytes, reason, origin) }, None)
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
    let entry = Entry { qid: qid.unwrap_or(Qid::of_place(&raw.origin)), card, ..nobodys_entry(raw, reason) };
    quarantine::output(&entry, None)
}

/// A record that names neither a card nor a number.
pub(super) fn nobodys(raw: &Raw<'_>, cdr: &CdrIn<'_>) -> Output {
    let entry = nobodys_entry(raw, "the record names neither IMSI nor MSISDN");
    quarantine::output(&Entry { qid: Qid::of_cdr_in(cdr), ..entry }, None)
}

/// The same, by its place until its caller knows better.
fn nobodys_entry<'a>(raw: &Raw<'a>, reason: &'a str) -> Entry<'a> {
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
    let mut data = json!({ "name": name, "cards": [first.card, second.card], "from": time::text(from) });
    if let Some(to) = to {
        data["to"] = time::text(to).into();
    }
    let id = format!("identity.conflict/{name}/{}/{}/{from}", first.card, second.card);
    let event = CloudEvent::new("identity.conflict", id, name.clone(), deployment);
    let event = CloudEvent { time: time::text(from), data, ..event };
    event.output(Topic::FeedEvents, name.into_bytes(), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CardId, Number, NumberKind};

    fn entry(card: &str, valid_from: UnixTime, valid_to: Option<UnixTime>) -> DirectoryEntry {
        let number = Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 };
        DirectoryEntry {
            name: CardName::Number(number),
            card: CardId::parse(card).unwrap(),
            valid_from,
            valid_to,
        }
    }

    #[test]
    fn long_names_of_one_beginning_are_told_apart_within_the_bound() {
        assert_eq!(source_name("file:f/a.dat".to_owned()), "file:f/a.dat");
        let names = [1, 2].map(|n| source_name(format!("file:f/{}ü{n}.dat", "ü".repeat(70))));
        assert_ne!(names[0], names[1]);
        for name in &names {
            assert!(
                (NAME_BYTES_MAX - 1..=NAME_BYTES_MAX).contains(&name.len()) && name.starts_with("file:f/ü"),
                "{name}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_in_another_file_of_the_same_name_is_another_letter() {
        let origin = Origin { source: "file:f/usage.csv", partition: 0, offset: 7, received_ms: 1 };
        let qid = |bytes: &[u8], reason: &str, received_ms| {
            let letter = dead_in_file(bytes, reason, Origin { received_ms, ..origin });
            letter.headers.into_iter().find(|(name, _)| *name == quarantine::header::QID).unwrap().1
        };
        let monday = qid(b"a", "no record", 1);
        assert_eq!(monday, qid(b"a", "no record", 2), "read again");
        assert_ne!(monday, qid(b"b", "no record", 1));
        assert_ne!(qid(b"", "cut short", 1), qid(b"", "no archive", 1));
    }

    #[test]
    fn a_conflict_is_the_same_event_whoever_comes_first() {
        let a = entry("8986001234567890001", 0, Some(1_785_542_400));
        let b = entry("8986001234567890002", 1_785_456_000, None);
        let told = conflict("test", &a, &b);
        assert_eq!(told, conflict("test", &b, &a));
        let event: serde_json::Value = serde_json::from_slice(told.value.as_deref().unwrap()).unwrap();
        let id = "identity.conflict/imsi:460041234567890/8986001234567890001/8986001234567890002/1785456000";
        assert_eq!(event["id"], id);
        assert_eq!(event["type"], "io.tidegauge.identity.conflict.v1");
        let data = json!({
            "name": "imsi:460041234567890",
            "cards": ["8986001234567890001", "8986001234567890002"],
            "from": "2026-07-31T00:00:00Z",
            "to": "2026-08-01T00:00:00Z",
        });
        assert_eq!(event["data"], data);
    }
}
