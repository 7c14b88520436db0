//! Twilio Super SIM, usage records.
//!
//! Source: Twilio, "UsageRecord resource" (<https://www.twilio.com/docs/iot/supersim/api/usage-record-resource>) and its OpenAPI
//! description (<https://github.com/twilio/twilio-oai>, commit d50069b4, `twilio_supersim_v1.json`): `period.start_time` and
//! `period.end_time`, `data_upload`, `data_download` and `data_total` in bytes as int64; `sim_sid`, `network_sid` and
//! `iso_country` where the question asked for them.
//!
//! An answer names no ICCID: whoever asks puts it beside (`{"iccid": "…", "usage_records": [ … ]}`), or into each record. The id
//! is made of the SIDs (the fleet's where it is said), the country and the period's end. Usage may come up to 24 h late and is whole after 48 h; an hour
//! that has grown since is a conflict, so ask for hours that are 48 h past.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::object::{adds_up, nested, object, within_bounds};
use super::pieces::{Cut, Piece, Walk, top};
use crate::codec::json::{CdrIn, Field, JsonError};
use crate::codec::time;
use crate::limits::RECORD_BYTES_MAX;
use crate::model::{CardId, CardName, NumberKind, Slices};

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
pub(super) fn pieces(bytes: &[u8]) -> Vec<Piece<'_>> {
    top(bytes, page)
}

fn page(cut: &mut Cut<'_>, value: Range<usize>) {
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
fn id(parts: [Field<'_>; 3], fleet: Field<'_>, end: i64) -> Result<String, JsonError> {
    let [sim, network, country] = parts;
    let mut id = String::new();
    for (field, part) in [("sim_sid", sim), ("network_sid", network), ("iso_country", country)] {
        id.push_str(&sid(field, part)?.unwrap_or_default());
        id.push('/');
    }
    // Said only where the question was by fleets.
    if let Some(fleet) = sid("fleet_sid", fleet)? {
        id.push_str(&fleet);
        id.push('/');
    }
    id.push_str(&time::text(end));
    Ok(id)
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
