//! Records that were not counted: the message for `usage.quarantine`, or `usage.dead-letter` for what cannot be right.
//!
//! The value is the record in its outside form (what could not be read: its bytes as they came), so that it can be sent
//! again; why and where from stand in headers. A repeat gets the same quarantine id, so that views show it once.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::canonical;
use super::event::position_text;
use super::json::{CdrIn, ReadingIn, write};
use crate::limits::DEAD_LETTER_BYTES_MAX;
use crate::log::{Output, Topic};
use crate::model::{Broadcast, CardCommand, CardId, Origin, Outcome, Position, Record, Slices, UnixTime};

/// Names of the headers.
pub mod header {
    /// [`crate::model::Outcome::name`].
    pub const OUTCOME: &str = "outcome";
    pub const REASON: &str = "reason";
    /// Outside topic, or `file:` and the file's name.
    pub const SOURCE: &str = "source";
    pub const PARTITION: &str = "partition";
    /// Offset in the topic, or byte in the file.
    pub const OFFSET: &str = "offset";
    /// `partition/offset/index` in the log, if the record got there.
    pub const POSITION: &str = "position";
    /// The quarantine id, 32 hexadecimal digits.
    pub const QID: &str = "qid";
    /// How many bytes the record had, if the value is only its beginning.
    pub const CUT_FROM: &str = "cut_from";
}

/// Names a record that was not counted: the same for a repeat, wherever it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qid(pub u128);

impl fmt::Display for Qid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Qid {
    /// Of a record of the log: by feed, id, start and content; of a command by its content.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Self {
        match record {
            Record::Cdr(r) => Self::of_cdr(&Identity {
                feed: r.feed.name,
                id: r.id,
                times: (r.start, r.end),
                bytes: (r.up, r.down),
                slices: r.slices,
            }),
            Record::Reading(r) => hash(
                "reading",
                &[
                    r.feed.name.as_bytes(),
                    r.counter.0.as_bytes(),
                    r.session.as_bytes(),
                    &r.card.to_wire(),
                    &r.imei.to_le_bytes(),
                    &r.at.to_le_bytes(),
                    &r.tx.to_le_bytes(),
                    &r.rx.to_le_bytes(),
                ],
            ),
            Record::Command { json, .. } => hash("command", &[json]),
            Record::Broadcast { json, .. } => hash("broadcast", &[json]),
            Record::Catalogue { json } => hash("catalogue", &[json]),
            Record::Tick(_) => hash("tick", &[]),
        }
    }

    /// Of a CDR whose card is not known: the same as once it is.
    #[must_use]
    pub fn of_cdr_in(cdr: &CdrIn<'_>) -> Self {
        Self::of_cdr(&Identity {
            feed: &cdr.feed,
            id: &cdr.id,
            times: (cdr.start, cdr.end),
            bytes: (cdr.up, cdr.down),
            slices: cdr.slices,
        })
    }

    /// Of a reading whose card is not known, by the name that it came under.
    #[must_use]
    pub fn of_reading_in(reading: &ReadingIn<'_>) -> Self {
        let name = super::directory::name_text(reading.card);
        hash(
            "reading of",
            &[
                reading.feed.as_bytes(),
                reading.counter.as_bytes(),
                reading.session.as_bytes(),
                name.as_bytes(),
                &reading.imei.to_le_bytes(),
                &reading.at.to_le_bytes(),
                &reading.tx.to_le_bytes(),
                &reading.rx.to_le_bytes(),
            ],
        )
    }

    /// Of what could not be read: by where it stands.
    #[must_use]
    pub fn of_place(origin: &Origin<'_>) -> Self {
        hash(
            "place",
            &[origin.source.as_bytes(), &origin.partition.to_le_bytes(), &origin.offset.to_le_bytes()],
        )
    }

    /// Of what could not be read in a file: by where it stands and what it is, since names of files come again.
    #[must_use]
    pub fn of_file(origin: &Origin<'_>, content: &[u8]) -> Self {
        hash("file", &[origin.source.as_bytes(), &origin.offset.to_le_bytes(), content])
    }

    /// Of a part of what stands there, by its byte: a message may hold many records.
    #[must_use]
    pub fn of_part(origin: &Origin<'_>, at: usize) -> Self {
        if at == 0 {
            return Self::of_place(origin);
        }
        let place = (origin.partition.to_le_bytes(), origin.offset.to_le_bytes(), (at as u64).to_le_bytes());
        hash("part", &[origin.source.as_bytes(), &place.0, &place.1, &place.2])
    }

    fn of_cdr(cdr: &Identity<'_>) -> Self {
        hash(
            "cdr",
            &[
                cdr.feed.as_bytes(),
                cdr.id.as_bytes(),
                &cdr.times.0.to_le_bytes(),
                &cdr.times.1.to_le_bytes(),
                &cdr.bytes.0.to_le_bytes(),
                &cdr.bytes.1.to_le_bytes(),
                cdr.slices.packed(),
            ],
        )
    }
}

/// What makes a CDR the same again.
struct Identity<'a> {
    feed: &'a str,
    id: &'a str,
    times: (UnixTime, UnixTime),
    bytes: (u64, u64),
    slices: Slices<'a>,
}

/// Each part with its length before it, so that no two lists of parts are the same bytes.
fn hash(kind: &str, parts: &[&[u8]]) -> Qid {
    let mut hasher = Xxh3::new();
    for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Qid(hasher.digest128())
}

/// A record and why it was not counted.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub outcome: Outcome,
    pub reason: &'a str,
    /// The record's card, if it is known: the key.
    pub card: Option<CardId>,
    pub content: Content<'a>,
    pub qid: Qid,
    pub origin: Origin<'a>,
    /// Where it stands in the log, if it got there.
    pub position: Option<Position>,
}

/// The record itself.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Of the log: written in its outside form.
    Record(Record<'a>),
    /// As it came; repeated up to `DEAD_LETTER_BYTES_MAX`.
    Bytes(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// Of a record of the log. `None` of a tick or a catalogue: nobody sent them.
    #[must_use]
    pub fn of(record: Record<'a>, outcome: Outcome, reason: &'a str, position: Position) -> Option<Self> {
        let (card, origin) = match record {
            Record::Cdr(r) => (Some(r.card), r.origin),
            Record::Reading(r) => (Some(r.card), r.origin),
            Record::Command { card, origin, .. } => (Some(card), origin),
            Record::Broadcast { origin, .. } => (None, origin),
            Record::Catalogue { .. } | Record::Tick(_) => return None,
        };
        Some(Self {
            outcome,
            reason,
            card,
            content: Content::Record(record),
            qid: Qid::of(&record),
            origin,
            position: Some(position),
        })
    }

    /// Of bytes that could not be read.
    #[must_use]
    pub fn unreadable(bytes: &'a [u8], reason: &'a str, origin: Origin<'a>) -> Self {
        Self {
            outcome: Outcome::Rejected,
            reason,
            card: None,
            content: Content::Bytes(bytes),
            qid: Qid::of_place(&origin),
            origin,
            position: None,
        }
    }
}

/// The message of an entry.
#[must_use]
pub fn output(entry: &Entry<'_>, time_ms: Option<i64>) -> Output {
    let topic = if entry.outcome == Outcome::Rejected { Topic::DeadLetter } else { Topic::Quarantine };
    let mut headers = headers(entry);
    let mut value = value(entry.content);
    if value.len() > DEAD_LETTER_BYTES_MAX {
        headers.push((header::CUT_FROM, value.len().to_string().into_bytes()));
        value.truncate(DEAD_LETTER_BYTES_MAX);
    }
    Output {
        topic,
        partition: None,
        key: entry.card.map(|card| card.text().to_vec()).unwrap_or_default(),
        value: Some(value),
        headers,
        time_ms,
    }
}

fn headers(entry: &Entry<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let mut headers: Vec<(&'static str, Vec<u8>)> = vec![
        (header::OUTCOME, entry.outcome.name().into()),
        (header::REASON, entry.reason.into()),
        (header::SOURCE, entry.origin.source.into()),
        (header::PARTITION, entry.origin.partition.to_string().into_bytes()),
        (header::OFFSET, entry.origin.offset.to_string().into_bytes()),
        (header::QID, entry.qid.to_string().into_bytes()),
    ];
    if let Some(position) = entry.position {
        headers.push((header::POSITION, position_text(position).into_bytes()));
    }
    headers
}

fn value(content: Content<'_>) -> Vec<u8> {
    match content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::Record(Record::Cdr(record)) => write::cdr(&record),
        Content::Record(Record::Reading(record)) => write::reading(&record),
        Content::Record(Record::Command { json, .. }) => canonical::from_slice::<CardCommand>(json)
            .map_or_else(|_| json.to_vec(), |command| write::command(&command)),
        Content::Record(Record::Broadcast { json, .. }) => canonical::from_slice::<Broadcast>(json)
            .map_or_else(|_| json.to_vec(), |broadcast| write::broadcast(&broadcast, None)),
        Content::Record(Record::Catalogue { json }) => json.to_vec(),
        Content::Record(Record::Tick(_)) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::{self, CommandIn, Scratch};
    use crate::model::{Cdr, CommandBody, CounterKind, FeedName, LogOffset, Number, NumberKind, Reading};

    const ORIGIN: Origin<'_> = Origin { source: "usage.cdr", partition: 2, offset: 41, received_ms: 5 };
    const POSITION: Position = Position { partition: 3, offset: LogOffset(77), index: 5 };

    fn card() -> CardId {
        CardId::parse("8986001234567890123").unwrap()
    }

    fn cdr<'a>() -> Cdr<'a> {
        Cdr {
            card: card(),
            feed: FeedName::new("cmcc-pgw-1"),
            id: "85/1",
            start: 1_785_547_815,
            end: 1_785_548_715,
            up: 48_213,
            down: 1_351_042,
            slices: Slices::default(),
            number: Some(Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }),
            origin: ORIGIN,
        }
    }

    fn reading<'a>() -> Reading<'a> {
        Reading {
            card: card(),
            feed: FeedName::new("modem"),
            imei: 7,
            counter: CounterKind("mm"),
            at: 1,
            tx: 2,
            rx: 3,
            width: 0,
            session: "s",
            number: None,
            origin: ORIGIN,
        }
    }

    fn header<'a>(message: &'a Output, name: &str) -> &'a str {
        let value = message.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value);
        std::str::from_utf8(value.unwrap()).unwrap()
    }

    #[test]
    fn a_late_cdr_is_kept_as_it_came_with_why_and_where_from() {
        let record = Record::Cdr(cdr());
        let entry = Entry::of(record, Outcome::Late, "its day is closed", POSITION).unwrap();
        let message = output(&entry, Some(9));
        assert_eq!(message.topic, Topic::Quarantine);
        assert_eq!(message.key, b"8986001234567890123");
        assert_eq!(
            String::from_utf8(message.value.clone().unwrap()).unwrap(),
            r#"{"imsi":"460041234567890","feed":"cmcc-pgw-1","id":"85/1","start":"2026-08-01T01:30:15Z","end":"2026-08-01T01:45:15Z","up":48213,"down":1351042}"#
        );
        let headers = ["outcome", "reason", "source", "partition", "offset", "position"];
        assert_eq!(
            headers.map(|name| header(&message, name)),
            ["late", "its day is closed", "usage.cdr", "2", "41", "3/77/5"]
        );
        assert_eq!(header(&message, "qid"), Qid::of(&record).to_string());
    }

    #[test]
    fn a_repeat_has_the_same_id_whatever_it_was_resolved_by_and_other_content_another() {
        let base = cdr();
        let other_place = Cdr { number: None, origin: Origin { offset: 99, ..ORIGIN }, ..base };
        assert_eq!(Qid::of(&Record::Cdr(base)), Qid::of(&Record::Cdr(other_place)));
        let others = [
            Cdr { feed: FeedName::new("cmcc-pgw-18"), id: "5/1", ..base },
            Cdr { id: "85/2", ..base },
            Cdr { start: base.start + 1, ..base },
            Cdr { end: base.end + 1, ..base },
            Cdr { up: base.down, down: base.up, ..base },
            Cdr { up: base.up + 1, ..base },
            Cdr { slices: Slices::from_packed(&[0; 24]).unwrap(), ..base },
        ];
        for other in others {
            assert_ne!(Qid::of(&Record::Cdr(base)), Qid::of(&Record::Cdr(other)), "{other:?}");
        }
    }

    #[test]
    fn ids_do_not_change_between_versions() {
        // xxh3-128 of the parts with their lengths, by the reference implementation.
        assert_eq!(Qid::of(&Record::Cdr(cdr())).to_string(), "97e6ee830345c53342bb3d4963c1b557");
        assert_eq!(Qid::of_place(&ORIGIN).to_string(), "ff42611b7866947548f094e719b22077");
    }

    #[test]
    fn a_record_has_its_id_before_its_card_is_known() {
        let json = write::cdr(&cdr());
        let mut scratch = Scratch::default();
        assert_eq!(Qid::of_cdr_in(&json::cdr(&json, &mut scratch).unwrap()), Qid::of(&Record::Cdr(cdr())));
        let json = write::reading(&reading());
        let read = json::reading(&json).unwrap();
        assert_eq!(Qid::of_reading_in(&read), Qid::of_reading_in(&read.clone()));
        assert_ne!(Qid::of_reading_in(&read), Qid::of_reading_in(&ReadingIn { at: 2, ..read.clone() }));
    }

    #[test]
    fn what_cannot_be_right_is_a_dead_letter() {
        let entry =
            Entry::of(Record::Reading(reading()), Outcome::Rejected, "from the future", POSITION).unwrap();
        let message = output(&entry, None);
        assert_eq!(message.topic, Topic::DeadLetter);
        assert!(json::reading(message.value.as_deref().unwrap()).is_ok());
    }

    #[test]
    fn bytes_that_could_not_be_read_are_repeated_up_to_the_bound() {
        let message = output(&Entry::unreadable(b"\xFF{", "not JSON", ORIGIN), None);
        assert_eq!((message.value.as_deref(), message.key.len()), (Some(b"\xFF{".as_slice()), 0));
        assert!(message.headers.iter().all(|(name, _)| *name != "position" && *name != "cut_from"));
        let long = vec![b'x'; DEAD_LETTER_BYTES_MAX + 1];
        let message = output(&Entry::unreadable(&long, "too long", ORIGIN), None);
        assert_eq!(message.value.as_ref().unwrap().len(), DEAD_LETTER_BYTES_MAX);
        assert_eq!(header(&message, "cut_from"), "524289");
    }

    #[test]
    fn a_command_is_kept_in_the_form_in_which_it_can_be_sent_again() {
        let command = CardCommand {
            id: "c-1".into(),
            card: card(),
            iccid: card().to_string(),
            at: 1_785_542_400,
            body: CommandBody::Resume,
        };
        let json = canonical::to_vec(&command);
        let record = Record::Command { card: card(), json: &json, origin: ORIGIN };
        let message = output(&Entry::of(record, Outcome::Unknown, "no such card", POSITION).unwrap(), None);
        assert_eq!(json::command(message.value.as_deref().unwrap()), Ok(CommandIn::Card(command)));
    }
}
