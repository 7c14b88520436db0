//! Twilio Super SIM, usage records.
//!
//! Source: Twilio, "UsageRecord resource" (<https://www.twilio.com/docs/iot/supersim/api/usage-record-resource>) and its OpenAPI
//! description (<https://github.com/twilio/twilio-oai>, commit d50069b4, `twilio_supersim_v1.json`): `period.start_time` and
//! `period.end_time`, `data_upload`, `data_download` and `data_total` in bytes as int64; `sim_sid`, `network_sid` and
//! `iso_country` where the question asked for them.
//!
//! An answer names no ICCID: whoever asks puts it beside (`{"iccid": "…", "usage_records": [ … ]}`), or into each record. The id
//! is made of the SIDs (the fleet's where it is said), the country and the period's end. Usage may come up to 24 h late
//! and is whole after 48 h; an hour that has grown since is a conflict, so ask for hours that are 48 h past.
//!
//! Records are read in one pass as they mostly are; whatever is not so is left to the careful way, which says what it is.
//! Invariant: what the one pass reads, the careful way would have read as the same; a property test holds it.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::object::{adds_up, nested, object, once, within_bounds};
use super::pieces::{Cut, Piece, Walk, top};
use crate::codec::json::{CdrIn, Field, JsonError, Scanner};
use crate::codec::time;
use crate::limits::RECORD_BYTES_MAX;
use crate::model::{CardId, CardName, NumberKind, Slices, UnixTime};

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Record<'a> {
    iccid: Field<'a>,
    imsi: Field<'a>,
    #[serde(borrow)]
    period: Option<&'a RawValue>,
    sim_sid: Field<'a>,
    network_sid: Field<'a>,
    iso_country: Field<'a>,
    fleet_sid: Field<'a>,
    data_upload: Field<'a>,
    data_download: Field<'a>,
    data_total: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Period<'a> {
    start_time: Field<'a>,
    end_time: Field<'a>,
}

/// The records of each page, or records by themselves.
pub(super) fn pieces(bytes: &[u8], in_lines: bool) -> Vec<Piece<'_>> {
    top((bytes, in_lines), straight, page)
}

/// A page, its records cut on the way; `None`: it must be looked at with care.
fn straight<'a>(cut: &mut Cut<'a>, walk: &mut Walk<'a>) -> Option<()> {
    if walk.peek()? != b'{' {
        return cut.straight(walk, None);
    }
    let first = cut.pieces.len();
    let (mut iccid, mut has_records) = (None, false);
    walk.straight_members(|walk, key| match key {
        b"iccid" => walk.value().map(|range| iccid = cut.bytes.get(range).and_then(unquoted)),
        b"usage_records" if has_records => None,
        b"usage_records" => {
            has_records = true;
            cut.straight(walk, None)
        }
        _ => walk.value().map(drop),
    })?;
    cut.pieces.iter_mut().skip(first).for_each(|piece| piece.of = iccid);
    has_records.then_some(())
}

pub(super) fn page(cut: &mut Cut<'_>, value: Range<usize>) {
    let mut walk = Walk::over(cut.bytes, value.clone());
    if walk.peek() != Some(b'{') {
        return cut.listed(value, None);
    }
    let (mut iccid, mut records, mut fault) = (None, None, None);
    walk.members(|member| match member {
        Ok((b"iccid", range)) => iccid = cut.bytes.get(range).and_then(unquoted),
        Ok((b"usage_records", range)) => records = Some(range),
        Ok(_) => {}
        Err(why) => fault = Some(why),
    });
    match (records, fault) {
        (_, Some(fault)) => cut.fault(value, fault),
        (Some(records), None) => cut.listed(records, iccid),
        (None, None) => cut.piece(value, None),
    }
}

fn unquoted(bytes: &[u8]) -> Option<&str> {
    let text = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""))?;
    std::str::from_utf8(text).ok()
}

/// Reads a record as one of `feed`.
pub(super) fn read<'a>(piece: &Piece<'a>, feed: &'a str) -> Result<Said<'a>, JsonError> {
    match plain(piece, feed) {
        Some(cdr) => Ok(Said::Cdr(cdr)),
        None => careful(piece, feed),
    }
}

/// The same in one pass.
pub(super) fn plain<'a>(piece: &Piece<'a>, feed: &'a str) -> Option<CdrIn<'a>> {
    Plain::read(piece.bytes)?.cdr(piece.of?, feed)
}

/// A record of a page that names its card, as it mostly is.
#[derive(Default)]
struct Plain<'a> {
    start: Option<UnixTime>,
    end: Option<UnixTime>,
    /// Of the SIM, the network, the country and the fleet; a null is said, and empty.
    sids: [Option<&'a str>; 4],
    up: Option<u64>,
    down: Option<u64>,
    total: Option<u64>,
    period: Option<()>,
}

impl<'a> Plain<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut plain = Self::default();
        Scanner::whole(bytes, |scanner, key| plain.take(scanner, key))?;
        Some(plain)
    }

    #[inline]
    fn take(&mut self, scanner: &mut Scanner<'a>, key: &str) -> Option<()> {
        let [sim, network, country, fleet] = &mut self.sids;
        match key.as_bytes() {
            b"period" => once(&mut self.period, Some(())).and_then(|()| self.period(scanner)),
            b"sim_sid" => once(sim, said_sid(scanner)),
            b"network_sid" => once(network, said_sid(scanner)),
            b"iso_country" => once(country, said_sid(scanner)),
            b"fleet_sid" => once(fleet, said_sid(scanner)),
            b"data_upload" => once(&mut self.up, scanner.whole_number()),
            b"data_download" => once(&mut self.down, scanner.whole_number()),
            b"data_total" => once(&mut self.total, scanner.whole_number()),
            // It names its card itself.
            b"iccid" | b"imsi" => None,
            _ => scanner.skip(),
        }
    }

    fn period(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        scanner.object(|scanner, key| match key {
            "start_time" => once(&mut self.start, time::parse(scanner.text()?)),
            "end_time" => once(&mut self.end, time::parse(scanner.text()?)),
            _ => scanner.skip(),
        })
    }

    fn cdr(&self, page: &str, feed: &'a str) -> Option<CdrIn<'a>> {
        let (up, down, end) = (self.up?, self.down?, self.end?);
        let fits = up <= RECORD_BYTES_MAX && down <= RECORD_BYTES_MAX;
        (fits && self.total.is_none_or(|total| total == up + down)).then_some(())?;
        let [sim, network, country, fleet] = self.sids.map(Option::unwrap_or_default);
        Some(CdrIn {
            card: CardName::Iccid(CardId::parse(page).ok()?),
            feed: Cow::Borrowed(feed),
            id: Cow::Owned(written_id([sim, network, country], fleet, end)),
            start: self.start?,
            end,
            up,
            down,
            slices: Slices::default(),
        })
    }
}

/// A SID's text, empty for a null; an empty text is a fault.
fn said_sid<'a>(scanner: &mut Scanner<'a>) -> Option<&'a str> {
    match scanner.value()? {
        Field::Text(Cow::Borrowed(text)) if (1..=SID_BYTES).contains(&text.len()) => Some(text),
        Field::Null => Some(""),
        _ => None,
    }
}

/// Reads a record as one of `feed`, whatever it looks like.
pub(super) fn careful<'a>(piece: &Piece<'a>, feed: &'a str) -> Result<Said<'a>, JsonError> {
    let record: Record<'a> = object(piece.bytes)?;
    let period: Period<'a> = nested(record.period, "period")?;
    let (start, end) =
        (period.start_time.time("period.start_time")?, period.end_time.time("period.end_time")?);
    let up = record.data_upload.whole("data_upload", RECORD_BYTES_MAX)?;
    let down = record.data_download.whole("data_download", RECORD_BYTES_MAX)?;
    let total = record.data_total;
    let total = if total.is_said() { Some(total.whole("data_total", u64::MAX)?) } else { None };
    adds_up(within_bounds(up, "data_upload")?, down, total, "data_total")?;
    let card = card(&record.iccid, record.imsi, piece.of)?;
    let id = id([record.sim_sid, record.network_sid, record.iso_country], record.fleet_sid, end)?;
    Ok(Said::Cdr(CdrIn {
        card,
        feed: Cow::Borrowed(feed),
        id: Cow::Owned(id),
        start,
        end,
        up,
        down,
        slices: Slices::default(),
    }))
}

fn card(iccid: &Field<'_>, imsi: Field<'_>, page: Option<&str>) -> Result<CardName, JsonError> {
    if iccid.is_said() {
        return iccid.iccid("iccid").map(CardName::Iccid);
    }
    if let Some(number) = imsi.optional_number("imsi", NumberKind::Imsi)? {
        return Ok(CardName::Number(number));
    }
    let Some(page) = page else {
        let expected = "the ICCID, beside usage_records or in the record: a sim_sid names no card here";
        return Err(JsonError::missing("iccid", expected));
    };
    let wrong = |error| JsonError::new("iccid of the page", format!("is {page:?}: {error}"), "");
    CardId::parse(page).map(CardName::Iccid).map_err(wrong)
}

/// What tells two records of one card and one start apart.
fn id(parts: [Field<'_>; 3], fleet: Field<'_>, end: UnixTime) -> Result<String, JsonError> {
    let [sim, network, country] = parts;
    let sim = sid("sim_sid", sim)?.unwrap_or_default();
    let network = sid("network_sid", network)?.unwrap_or_default();
    let country = sid("iso_country", country)?.unwrap_or_default();
    let fleet = sid("fleet_sid", fleet)?.unwrap_or_default();
    Ok(written_id([&sim, &network, &country], &fleet, end))
}

/// SIM, network and country, the fleet where the question was by fleets, and the period's end.
fn written_id(parts: [&str; 3], fleet: &str, end: UnixTime) -> String {
    let mut id = String::with_capacity(5 * (SID_BYTES + 1));
    for part in parts {
        id.push_str(part);
        id.push('/');
    }
    if !fleet.is_empty() {
        id.push_str(fleet);
        id.push('/');
    }
    time::push_text(&mut id, end);
    id
}

fn sid<'a>(field: &'static str, part: Field<'a>) -> Result<Option<Cow<'a, str>>, JsonError> {
    let part = part.optional_name(field)?;
    match part.as_ref().map(|part| part.len()).filter(|len| *len > SID_BYTES) {
        Some(len) => Err(JsonError::new(field, format!("has {len} bytes"), "at most 34 characters")),
        None => Ok(part),
    }
}

/// Length of a SID.
const SID_BYTES: usize = 34;
