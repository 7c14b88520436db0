//! The CDR as it comes most, read straight into its values: the hot path of ingest.
//!
//! Whatever is not as it mostly is (escapes, nested values, a field twice, anything wrong) is left to the careful way in
//! `record`, which says what it is. Invariant: a CDR that is read here would have been read there as the same; a property
//! test holds it.

use std::borrow::Cow;

use super::field::{Field, parse_digits};
use super::record::CdrIn;
use super::scan::scan;
use crate::codec::time;
use crate::limits::{NAME_BYTES_MAX, RECORD_BYTES_MAX};
use crate::model::{CardId, CardName, Number, NumberKind, Slices, UnixTime};

#[derive(Default)]
struct Plain<'a> {
    iccid: Option<CardId>,
    imsi: Option<u64>,
    msisdn: Option<u64>,
    imei: Option<u64>,
    feed: Option<&'a str>,
    id: Option<&'a str>,
    start: Option<UnixTime>,
    end: Option<UnixTime>,
    up: Option<u64>,
    down: Option<u64>,
    /// Of the fields that are checked and not kept, one bit each: said already.
    said: u8,
}

/// Reads a CDR; `None`: the careful way must look at it.
#[inline]
pub(super) fn cdr(bytes: &[u8]) -> Option<CdrIn<'_>> {
    let mut plain = Plain::default();
    scan(bytes, |key, value| plain.set(key, &value).is_some())?;
    let number = |kind, digits: Option<u64>| digits.map(|digits| CardName::Number(Number { kind, digits }));
    let card = plain.iccid.map(CardName::Iccid);
    let card = card.or_else(|| number(NumberKind::Imsi, plain.imsi));
    let card = card.or_else(|| number(NumberKind::Msisdn, plain.msisdn));
    Some(CdrIn {
        card: card.or_else(|| number(NumberKind::Imei, plain.imei))?,
        feed: Cow::Borrowed(plain.feed?),
        id: Cow::Borrowed(plain.id?),
        start: plain.start?,
        end: plain.end?,
        up: plain.up?,
        down: plain.down?,
        slices: Slices::default(),
    })
}

impl<'a> Plain<'a> {
    /// Takes a field; `None` if there is anything about it.
    #[inline]
    fn set(&mut self, key: &str, value: &Field<'a>) -> Option<()> {
        match key.as_bytes() {
            b"iccid" => once(&mut self.iccid, CardId::parse(text(value)?).ok()),
            b"feed" => once(&mut self.feed, name(value)),
            b"id" => once(&mut self.id, name(value)),
            b"start" => once(&mut self.start, time::parse(text(value)?)),
            b"end" => once(&mut self.end, time::parse(text(value)?)),
            b"up" => once(&mut self.up, volume(value)),
            b"down" => once(&mut self.down, volume(value)),
            b"imsi" => once(&mut self.imsi, parse_digits(text(value)?)),
            b"msisdn" => once(&mut self.msisdn, parse_digits(text(value)?)),
            b"imei" => once(&mut self.imei, parse_digits(text(value)?)),
            b"apn" => name(value).and_then(|_| self.first(0)),
            b"rat" => name(value).and_then(|_| self.first(1)),
            b"plmn" => name(value).and_then(|_| self.first(2)),
            b"rating_group" => rating_group(value).and_then(|()| self.first(3)),
            b"slices" => None,
            _ => Some(()),
        }
    }

    /// Notes that a field was said; `None` the second time.
    fn first(&mut self, field: u8) -> Option<()> {
        let again = self.said & 1 << field != 0;
        self.said |= 1 << field;
        (!again).then_some(())
    }
}

/// Puts a value where none is yet.
#[inline]
fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    if slot.is_some() || value.is_none() {
        return None;
    }
    *slot = value;
    Some(())
}

#[inline]
fn text<'a>(value: &Field<'a>) -> Option<&'a str> {
    match value {
        Field::Text(Cow::Borrowed(text)) => Some(text),
        _ => None,
    }
}

#[inline]
fn name<'a>(value: &Field<'a>) -> Option<&'a str> {
    text(value).filter(|text| (1..=NAME_BYTES_MAX).contains(&text.len()))
}

#[inline]
fn rating_group(value: &Field<'_>) -> Option<()> {
    matches!(value, Field::Whole(group) if u32::try_from(*group).is_ok()).then_some(())
}

#[inline]
fn volume(value: &Field<'_>) -> Option<u64> {
    match value {
        Field::Whole(bytes) if *bytes <= RECORD_BYTES_MAX => Some(*bytes),
        _ => None,
    }
}
