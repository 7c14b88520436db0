//! Parts of a record in JSON: nested objects, decimal volumes and names of cards, each fault named by its path.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::decimal::{self, Bytes};
use crate::codec::json::{Field, JsonError, shown};
use crate::limits::RECORD_BYTES_MAX;
use crate::model::{CardName, NumberKind};

/// Reads an object. serde would take a list of the fields' values for one as well.
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JsonError> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') | None => serde_json::from_slice(bytes).map_err(|e| JsonError::syntax(bytes, &e)),
        Some(_) => Err(JsonError::new("", "not a JSON object", "")),
    }
}

/// Reads an object within a record.
pub(super) fn nested<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    field: &'static str,
) -> Result<T, JsonError> {
    let raw = raw.ok_or_else(|| JsonError::missing(field, "an object"))?;
    if !raw.get().starts_with('{') {
        return Err(JsonError::new(field, format!("is {}", shown_json(raw.get())), "an object"));
    }
    object(raw.get().as_bytes()).map_err(|error| JsonError { at: None, ..error }.within(field))
}

/// A figure in decimal units of `factor` bytes, a JSON number or text; `None` if it is not said.
pub(super) fn volume(
    raw: Option<&RawValue>,
    field: &'static str,
    factor: u64,
) -> Result<Option<u64>, JsonError> {
    const EXPECTED: &str = "a decimal number from 0, as a number or text";
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    let wrong = |why: &str| JsonError::new(field, format!("is {}{why}", shown_json(raw.get())), EXPECTED);
    let text = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw.get());
    match decimal::bytes(text, factor) {
        Ok(Bytes { rest: true, .. }) => Err(JsonError::new(
            field,
            format!("is {}, which is no whole number of bytes", shown_json(raw.get())),
            "so many places as whole bytes have: is the unit another?",
        )),
        Ok(Bytes { whole, .. }) => within_bounds(whole, field).map(Some),
        Err(error) => Err(wrong(&format!(", {error}"))),
    }
}

/// No bearer moves more in a record.
pub(super) fn within_bounds(bytes: u64, field: &'static str) -> Result<u64, JsonError> {
    if bytes <= RECORD_BYTES_MAX {
        return Ok(bytes);
    }
    Err(JsonError::new(field, format!("is {bytes} bytes; the most is {RECORD_BYTES_MAX}"), ""))
}

/// Volumes of both directions, and that they add up to the total if there is one.
pub(super) fn adds_up(up: u64, down: u64, total: Option<u64>, field: &'static str) -> Result<(), JsonError> {
    let sum = up.saturating_add(down);
    match total.filter(|total| *total != sum) {
        None => Ok(()),
        Some(total) => {
            let problem = format!("is {total} bytes, and up and down are {sum}");
            Err(JsonError::new(field, problem, "the sum of both directions"))
        }
    }
}

/// A whole number as the text that it stands there as.
pub(super) fn number_text<'a>(raw: Option<&'a RawValue>, field: &'static str) -> Result<&'a str, JsonError> {
    const WHOLE: &str = "a whole number";
    let text = raw.ok_or_else(|| JsonError::missing(field, WHOLE))?.get();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text);
    }
    Err(JsonError::new(field, format!("is {}", shown_json(text)), WHOLE))
}

/// The card by its ICCID, else by its IMSI.
pub(super) fn card(
    iccid: &Field<'_>,
    imsi: Field<'_>,
    fields: [&'static str; 2],
) -> Result<CardName, JsonError> {
    let imsi = imsi.optional_number(fields[1], NumberKind::Imsi)?;
    if iccid.is_said() {
        return iccid.iccid(fields[0]).map(CardName::Iccid);
    }
    imsi.map(CardName::Number)
        .ok_or_else(|| JsonError::missing(fields[0], "the card's ICCID, or its IMSI in its place"))
}

/// Puts a value where none is yet; `None` if there is none to put, or one already.
#[inline]
pub(super) fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    if slot.is_some() || value.is_none() {
        return None;
    }
    *slot = value;
    Some(())
}

/// A piece of JSON as a message shows it.
fn shown_json(text: &str) -> String {
    match text.as_bytes().first() {
        Some(b'"') => format!("the text {}", shown(text.trim_matches('"'))),
        Some(b'[') => "a list".to_owned(),
        Some(b'{') => "an object".to_owned(),
        _ => shown(text).trim_matches('"').to_owned(),
    }
}
