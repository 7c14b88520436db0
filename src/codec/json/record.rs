//! CDRs and readings as they come from outside, read without allocation unless a text has escapes.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::JsonError;
use super::field::{DIGITS, Field};
use super::plain;
use super::scan::scan;
use crate::codec::time;
use crate::limits::{RECORD_BYTES_MAX, SLICES_MAX};
use crate::model::{CardName, CounterKind, Number, NumberKind, Slice, Slices, UnixTime};

/// Reusable memory of a reader: the slices of the last CDR, packed.
#[derive(Debug, Default)]
pub struct Scratch {
    slices: Vec<u8>,
}

/// A CDR whose card is not resolved yet.
#[derive(Debug, Clone, PartialEq)]
pub struct CdrIn<'a> {
    /// What the record calls its card: `iccid`, else `imsi`, else `msisdn`.
    pub card: CardName,
    pub feed: Cow<'a, str>,
    pub id: Cow<'a, str>,
    pub start: UnixTime,
    pub end: UnixTime,
    /// Bytes.
    pub up: u64,
    pub down: u64,
    pub slices: Slices<'a>,
}

/// A reading whose card is not resolved yet.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingIn<'a> {
    pub card: CardName,
    /// `modem` unless said.
    pub feed: Cow<'a, str>,
    /// 0 of a carrier's total that names none.
    pub imei: u64,
    pub counter: Cow<'a, str>,
    pub at: UnixTime,
    /// Bytes.
    pub tx: u64,
    pub rx: u64,
    /// 32, 64, or 0 = not said.
    pub width: u8,
    /// Empty = none.
    pub session: Cow<'a, str>,
}

/// The feed of readings that name none.
pub const FEED_OF_READINGS: &str = "modem";

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCdr<'a> {
    iccid: Field<'a>,
    imsi: Field<'a>,
    msisdn: Field<'a>,
    feed: Field<'a>,
    id: Field<'a>,
    start: Field<'a>,
    end: Field<'a>,
    up: Field<'a>,
    down: Field<'a>,
    #[serde(borrow)]
    slices: Option<&'a RawValue>,
    imei: Field<'a>,
    // Not metered; checked, so that a carrier's mistake is seen where it is made.
    apn: Field<'a>,
    rat: Field<'a>,
    plmn: Field<'a>,
    rating_group: Field<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReading<'a> {
    iccid: Field<'a>,
    imsi: Field<'a>,
    msisdn: Field<'a>,
    feed: Field<'a>,
    imei: Field<'a>,
    counter: Field<'a>,
    at: Field<'a>,
    tx: Field<'a>,
    rx: Field<'a>,
    width: Field<'a>,
    session: Field<'a>,
}

impl<'a> RawReading<'a> {
    fn scan(bytes: &'a [u8]) -> Option<Self> {
        let mut raw = Self::default();
        scan(bytes, |key, value| raw.set(key, value))?;
        Some(raw)
    }

    #[inline]
    fn set(&mut self, key: &str, value: Field<'a>) -> bool {
        let slot = match key {
            "iccid" => &mut self.iccid,
            "imsi" => &mut self.imsi,
            "msisdn" => &mut self.msisdn,
            "feed" => &mut self.feed,
            "imei" => &mut self.imei,
            "counter" => &mut self.counter,
            "at" => &mut self.at,
            "tx" => &mut self.tx,
            "rx" => &mut self.rx,
            "width" => &mut self.width,
            "session" => &mut self.session,
            _ => return true,
        };
        fill(slot, value)
    }
}

/// A field that stands there twice is for serde to refuse.
#[inline]
fn fill<'a>(slot: &mut Field<'a>, value: Field<'a>) -> bool {
    let first = matches!(slot, Field::Absent);
    *slot = value;
    first
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSlice<'a> {
    end: Field<'a>,
    up: Field<'a>,
    down: Field<'a>,
}

/// Reads a CDR of `usage.cdr`.
///
/// # Errors
/// The first field that is missing, of another type or out of bounds.
pub fn cdr<'a>(bytes: &'a [u8], scratch: &'a mut Scratch) -> Result<CdrIn<'a>, JsonError> {
    if let Some(cdr) = plain::cdr(bytes) {
        return Ok(cdr);
    }
    careful_cdr(bytes, scratch)
}

/// The same, whatever the record looks like.
pub(super) fn careful_cdr<'a>(bytes: &'a [u8], scratch: &'a mut Scratch) -> Result<CdrIn<'a>, JsonError> {
    read_cdr(object(bytes)?, &mut scratch.slices).map_err(|e| e.locate(bytes))
}

/// Reads a reading of `usage.modem`.
///
/// # Errors
/// The first field that is missing, of another type or out of bounds.
pub fn reading(bytes: &[u8]) -> Result<ReadingIn<'_>, JsonError> {
    let raw = match RawReading::scan(bytes) {
        Some(raw) => raw,
        None => object(bytes)?,
    };
    read_reading(raw).map_err(|e| e.locate(bytes))
}

/// Reads an object. serde would take a list of the fields' values for one as well.
fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JsonError> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') | None => serde_json::from_slice(bytes).map_err(|e| JsonError::syntax(bytes, &e)),
        Some(_) => Err(JsonError::new("", "not a JSON object", "")),
    }
}

fn read_cdr<'a>(raw: RawCdr<'a>, packed: &'a mut Vec<u8>) -> Result<CdrIn<'a>, JsonError> {
    let imei = raw.imei.optional_number("imei", NumberKind::Imei)?;
    for (field, value) in [("apn", raw.apn), ("rat", raw.rat), ("plmn", raw.plmn)] {
        value.optional_name(field)?;
    }
    if raw.rating_group.is_said() {
        raw.rating_group.whole("rating_group", u64::from(u32::MAX))?;
    }
    let (up, down) = (raw.up.whole("up", RECORD_BYTES_MAX)?, raw.down.whole("down", RECORD_BYTES_MAX)?);
    Ok(CdrIn {
        card: card(&raw.iccid, raw.imsi, raw.msisdn, imei)?,
        feed: raw.feed.name("feed")?,
        id: raw.id.name("id")?,
        start: raw.start.time("start")?,
        end: raw.end.time("end")?,
        up,
        down,
        slices: slices(raw.slices, (up, down), packed)?,
    })
}

fn read_reading(raw: RawReading<'_>) -> Result<ReadingIn<'_>, JsonError> {
    let device = raw.imei.optional_number("imei", NumberKind::Imei)?;
    let card = card(&raw.iccid, raw.imsi, raw.msisdn, device)?;
    let feed = raw.feed.optional_name("feed")?.unwrap_or(Cow::Borrowed(FEED_OF_READINGS));
    let counter = raw.counter.name("counter")?;
    let is_total = CounterKind(&counter).total().is_some();
    // A carrier's total has no device; a device's counter has one.
    let imei = match device {
        Some(device) => device.digits,
        None if is_total => 0,
        None => return Err(JsonError::missing("imei", DIGITS)),
    };
    let session = raw.session.optional_name("session")?.unwrap_or_default();
    if is_total && !session.is_empty() && time::parse_day(&session).is_none() {
        return Err(JsonError::new("session", "is of a carrier's total, and no date", "like 2026-08-01"));
    }
    Ok(ReadingIn {
        card,
        feed,
        imei,
        counter,
        at: raw.at.time("at")?,
        tx: raw.tx.whole("tx", u64::MAX)?,
        rx: raw.rx.whole("rx", u64::MAX)?,
        width: width(raw.width)?,
        session,
    })
}

/// The name that counts; the others, if they are said, must be names all the same. A device names the card that it is
/// registered with where nothing else does.
fn card(
    iccid: &Field<'_>,
    imsi: Field<'_>,
    msisdn: Field<'_>,
    device: Option<Number>,
) -> Result<CardName, JsonError> {
    let imsi = imsi.optional_number("imsi", NumberKind::Imsi)?;
    let msisdn = msisdn.optional_number("msisdn", NumberKind::Msisdn)?;
    if iccid.is_said() {
        return iccid.iccid("iccid").map(CardName::Iccid);
    }
    imsi.or(msisdn)
        .or(device)
        .map(CardName::Number)
        .ok_or_else(|| JsonError::missing("iccid", "iccid, or imsi, msisdn or imei in its place"))
}

fn width(field: Field<'_>) -> Result<u8, JsonError> {
    const WIDTH: &str = "32 or 64";
    match field {
        Field::Absent | Field::Null => Ok(0),
        Field::Whole(32) => Ok(32),
        Field::Whole(64) => Ok(64),
        other => Err(other.wrong("width", WIDTH)),
    }
}

/// Reads slices into `packed` and holds their sums against the record's.
fn slices<'a>(
    raw: Option<&RawValue>,
    sums: (u64, u64),
    packed: &'a mut Vec<u8>,
) -> Result<Slices<'a>, JsonError> {
    packed.clear();
    let Some(raw) = raw else { return Ok(Slices::default()) };
    let mut reader = SliceReader { packed, up: 0, down: 0, problem: None };
    let read = (&mut reader).deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
    if let Some(problem) = reader.problem.take() {
        return Err(problem);
    }
    if read.is_err() {
        return Err(JsonError::new("slices", "is no list of slices", "[{end, up, down}, ...]"));
    }
    if !reader.packed.is_empty() && (reader.up, reader.down) != sums {
        let problem = format!("add up to {} up and {} down, not to the record's", reader.up, reader.down);
        return Err(JsonError::new("slices", problem, ""));
    }
    let packed = match in_order(packed) {
        Some(slices) => Slices::pack(&slices, packed),
        None => Slices::from_packed(packed).unwrap_or_default(),
    };
    Ok(packed)
}

/// The slices by their ends, if they are not: each is of the time since the one before.
fn in_order(packed: &[u8]) -> Option<Vec<Slice>> {
    let slices = Slices::from_packed(packed)?;
    if slices.iter().is_sorted_by_key(|slice| slice.end) {
        return None;
    }
    let mut slices: Vec<Slice> = slices.iter().collect();
    slices.sort_by_key(|slice| slice.end);
    Some(slices)
}

/// Packs slices as they are read. `problem` is what is wrong in the words of this module.
struct SliceReader<'p> {
    packed: &'p mut Vec<u8>,
    up: u64,
    down: u64,
    problem: Option<JsonError>,
}

impl<'de> DeserializeSeed<'de> for &mut SliceReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut SliceReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of slices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(raw) = seq.next_element::<&'de RawValue>()? {
            let pushed = match index {
                0..SLICES_MAX => object(raw.get().as_bytes()).and_then(|slice| self.push(slice)),
                _ => Err(too_many()),
            };
            if let Err(problem) = pushed {
                let place = if index < SLICES_MAX { format!("slices[{index}]") } else { "slices".to_owned() };
                self.problem.get_or_insert(JsonError { at: None, ..problem }.within(&place));
            }
            index += 1;
        }
        Ok(())
    }
}

impl SliceReader<'_> {
    fn push(&mut self, raw: RawSlice<'_>) -> Result<(), JsonError> {
        let end = raw.end.time("end")?;
        let (up, down) = (raw.up.whole("up", RECORD_BYTES_MAX)?, raw.down.whole("down", RECORD_BYTES_MAX)?);
        self.packed.extend_from_slice(&end.to_le_bytes());
        self.packed.extend_from_slice(&up.to_le_bytes());
        self.packed.extend_from_slice(&down.to_le_bytes());
        (self.up, self.down) = (self.up.saturating_add(up), self.down.saturating_add(down));
        Ok(())
    }
}

fn too_many() -> JsonError {
    JsonError::new("", format!("holds more than {SLICES_MAX} slices"), "")
}
