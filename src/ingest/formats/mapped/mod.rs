//! Feeds described by configuration alone: CSV or JSON, with columns or JSON pointers for what a record needs.
//!
//! A mapping names where card, times, volumes and record id stand, what the unit is and how times are written; so the
//! exports of OneLink, CTWing or a vendor's own system need no code. A record is a CDR, or a carrier's total of a day or
//! cycle (`docs/rules.md` R3).
//!
//! Invariant: a mapping that is there is whole: what a kind of record needs is named in it, or it was refused.

mod csv;
pub(super) mod json;
mod time;
mod unit;

pub use time::{Notes, TimeFormat, Zone};
pub use unit::Unit;

use std::borrow::Cow;

use super::object::within_bounds;
use super::pieces::Piece;
use super::{Media, Numbered, Said};
use crate::codec::json::{CdrIn, Field, JsonError, ReadingIn};
use crate::codec::time::day_text;
use crate::limits::{CARD_BYTES_MAX, NAME_BYTES_MAX};
use crate::model::{CardName, Number, NumberKind, Slices, TotalOf};

/// How a feed's records are written and where in them everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub syntax: Syntax,
    /// Where the card is named, and by what.
    pub identity: String,
    pub identity_kind: Identity,
    pub record: RecordKind,
    /// Which records are of usage of data; without it all are.
    pub only: Option<Only>,
    /// Where the number stands that records have in turn, and whose it is.
    pub number: Option<NumberAt>,
    pub volume: Volume,
    pub unit: Unit,
    /// What a volume is that is not said.
    pub blank: Blank,
    pub time: TimeFormat,
}

/// The text around the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syntax {
    /// Fields are named by the header, or by `columns` where there is none.
    Csv { delimiter: u8, columns: Option<Vec<String>> },
    /// Fields are named by JSON pointers (RFC 6901) from the record; `records` points at the list of records in a message.
    Json { records: Option<String> },
}

/// What names the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    Iccid,
    Imsi,
    Msisdn,
    /// The device that the card was registered with.
    Imei,
}

/// What a record becomes, and where the parts of that stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    Cdr {
        start: String,
        end: String,
        /// The fields that the id is made of, joined by `/`.
        id: Vec<String>,
    },
    Total {
        of: TotalOf,
        at: String,
        /// A date that says of which day or cycle it is.
        day: Option<String>,
    },
}

/// Records of usage of data are those of which a field has one of these values; others (an SMS) are set aside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    pub field: String,
    pub values: Vec<String>,
}

/// Where a record's number stands, and the node that numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberAt {
    pub number: String,
    /// `None`: the feed as a whole numbers.
    pub node: Option<String>,
}

/// Where the volume stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volume {
    Directions {
        up: String,
        down: String,
    },
    /// One sum: told as downlink.
    Total(String),
}

/// What a volume is that is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blank {
    #[default]
    Refused,
    Zero,
}

/// A value found in a record: its text, and its byte in the piece.
#[derive(Debug, Clone)]
struct Found<'a> {
    text: Cow<'a, str>,
    at: usize,
}

/// A record whose fields can be asked for by name. Blank fields are `None`.
trait Fields<'a> {
    fn find(&self, field: &str) -> Result<Option<Found<'a>>, JsonError>;
}

impl Mapping {
    /// The format's name.
    pub(super) fn format(&self) -> &'static str {
        match self.syntax {
            Syntax::Csv { .. } => "mapped-csv",
            Syntax::Json { .. } => "mapped-json",
        }
    }

    /// Cuts a message or a file into records; of JSON it is told whether it is lines.
    pub(super) fn pieces<'a>(&'a self, bytes: &'a [u8], in_lines: bool) -> Vec<Piece<'a>> {
        match &self.syntax {
            Syntax::Csv { delimiter, columns } => csv::pieces(bytes, *delimiter, columns.as_deref()),
            Syntax::Json { records } => json::pieces(bytes, in_lines, records.as_deref()),
        }
    }

    /// What kind of text its messages are.
    pub(super) fn media(&self) -> Media {
        match &self.syntax {
            Syntax::Csv { .. } => Media::Csv,
            Syntax::Json { .. } => Media::Json,
        }
    }

    /// Reads a record as one of `feed`.
    pub(super) fn read<'a>(
        &'a self,
        piece: &Piece<'a>,
        feed: &'a str,
        notes: &mut Notes,
    ) -> Result<(Said<'a>, Option<Numbered<'a>>), JsonError> {
        match &self.syntax {
            Syntax::Csv { delimiter, columns } => {
                let row = csv::Row::new(piece, *delimiter, columns.as_deref());
                Ok((self.record(&row, feed, notes)?, self.numbered(&row)?))
            }
            Syntax::Json { .. } => {
                let object = json::Object::new(piece)?;
                Ok((self.record(&object, feed, notes)?, self.numbered(&object)?))
            }
        }
    }

    /// The record's number and its node. Not every record has one; what stands there must be one.
    fn numbered<'a>(&self, fields: &impl Fields<'a>) -> Result<Option<Numbered<'a>>, JsonError> {
        let Some(NumberAt { number, node }) = &self.number else { return Ok(None) };
        let Some(found) = fields.find(number)? else { return Ok(None) };
        let said =
            found.text.parse().map_err(|_| wrong(number, &found, "which is no whole number from 0"))?;
        let node = match node {
            Some(node) => fields.find(node)?.map_or(Cow::Borrowed(""), |found| found.text),
            None => Cow::Borrowed(""),
        };
        if node.len() > NAME_BYTES_MAX {
            return Err(JsonError::new("node", format!("has {} bytes", node.len()), "at most 128 bytes"));
        }
        Ok(Some((node, said)))
    }

    fn record<'a>(
        &'a self,
        fields: &impl Fields<'a>,
        feed: &'a str,
        notes: &mut Notes,
    ) -> Result<Said<'a>, JsonError> {
        if !self.is_usage(fields)? {
            return Ok(Said::Aside("left out by `only`"));
        }
        let card = self.card(fields)?;
        let (up, down) = self.volume(fields)?;
        let mut moment = |field: &str| {
            let found = said(fields, field, "a time")?;
            self.time.moment(&found.text, notes).map_err(|problem| wrong(field, &found, problem))
        };
        match &self.record {
            RecordKind::Cdr { start, end, id } => {
                let (start, end) = (moment(start)?, moment(end)?);
                within_bounds(up, "volume up")?;
                within_bounds(down, "volume down")?;
                let (feed, slices) = (Cow::Borrowed(feed), Slices::default());
                Ok(Said::Cdr(CdrIn { card, feed, id: id_of(fields, id)?, start, end, up, down, slices }))
            }
            RecordKind::Total { of, at, day } => {
                let at = moment(at)?;
                let session = match day {
                    Some(field) => Cow::Owned(self.day(fields, field)?),
                    None => Cow::Borrowed(""),
                };
                Ok(Said::Reading(ReadingIn {
                    card,
                    feed: Cow::Borrowed(feed),
                    imei: device(&card),
                    counter: Cow::Borrowed(of.counter()),
                    at,
                    tx: bounded(up)?,
                    rx: bounded(down)?,
                    width: 0,
                    session,
                }))
            }
        }
    }

    fn is_usage<'a>(&self, fields: &impl Fields<'a>) -> Result<bool, JsonError> {
        let Some(Only { field, values }) = &self.only else { return Ok(true) };
        let found = said(fields, field, "what says whether this is usage of data (`only`)")?;
        Ok(values.iter().any(|value| value == found.text.trim()))
    }

    fn card<'a>(&self, fields: &impl Fields<'a>) -> Result<CardName, JsonError> {
        let field = self.identity.as_str();
        let found = said(fields, field, "what names the card")?;
        let at = found.at;
        let text = Field::Text(found.text);
        let card = match self.identity_kind {
            Identity::Iccid => text.iccid("").map(CardName::Iccid),
            Identity::Imsi => text.number("", NumberKind::Imsi).map(CardName::Number),
            Identity::Msisdn => text.number("", NumberKind::Msisdn).map(CardName::Number),
            Identity::Imei => text.number("", NumberKind::Imei).map(CardName::Number),
        };
        card.map_err(|error| JsonError { at: Some(at), ..error.within(field) })
    }

    /// Up and down, bytes.
    fn volume<'a>(&self, fields: &impl Fields<'a>) -> Result<(u64, u64), JsonError> {
        match &self.volume {
            Volume::Directions { up, down } => Ok((self.bytes(fields, up)?, self.bytes(fields, down)?)),
            Volume::Total(total) => Ok((0, self.bytes(fields, total)?)),
        }
    }

    fn bytes<'a>(&self, fields: &impl Fields<'a>, field: &str) -> Result<u64, JsonError> {
        let found = match (fields.find(field)?, self.blank) {
            (None, Blank::Zero) => return Ok(0),
            (None, Blank::Refused) => return Err(JsonError::missing(field, "a volume")),
            (Some(found), _) => found,
        };
        self.unit.bytes(&found.text).map_err(|problem| wrong(field, &found, problem))
    }

    fn day<'a>(&self, fields: &impl Fields<'a>, field: &str) -> Result<String, JsonError> {
        let found = said(fields, field, "a date")?;
        self.time.day(&found.text).map(day_text).map_err(|problem| wrong(field, &found, problem))
    }
}

/// The device, where it names the card.
fn device(card: &CardName) -> u64 {
    match card {
        CardName::Number(Number { kind: NumberKind::Imei, digits }) => *digits,
        _ => 0,
    }
}

/// A card's cycles never hold more.
fn bounded(bytes: u64) -> Result<u64, JsonError> {
    if bytes <= CARD_BYTES_MAX {
        return Ok(bytes);
    }
    Err(JsonError::new("volume", format!("is {bytes} bytes; the most is {CARD_BYTES_MAX}"), ""))
}

fn id_of<'a>(fields: &impl Fields<'a>, parts: &[String]) -> Result<Cow<'a, str>, JsonError> {
    const ID: &str = "a part of the record's id";
    let id = match parts {
        [one] => said(fields, one, ID)?.text,
        several => {
            let mut id = String::new();
            for part in several {
                if !id.is_empty() {
                    id.push('/');
                }
                id.push_str(&said(fields, part, ID)?.text);
            }
            Cow::Owned(id)
        }
    };
    if id.len() <= NAME_BYTES_MAX {
        return Ok(id);
    }
    Err(JsonError::new(parts.join(", "), format!("has {} bytes", id.len()), "an id of at most 128 bytes"))
}

fn said<'a>(fields: &impl Fields<'a>, field: &str, expected: &'static str) -> Result<Found<'a>, JsonError> {
    fields.find(field)?.ok_or_else(|| JsonError::missing(field, expected))
}

fn wrong(field: &str, found: &Found<'_>, problem: &'static str) -> JsonError {
    let problem = format!("is {}, {problem}", crate::codec::json::shown(&found.text));
    JsonError { at: Some(found.at), ..JsonError::new(field, problem, "") }
}
