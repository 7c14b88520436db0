//! The usage record that 1NCE and emnify stream: one record a stretch of a data session, or an SMS.
//!
//! `id` is the record's and comes again with a retransmission; the card is `sim.iccid`, else `imsi`; `volume` is in decimal
//! MB (10^6 bytes), as text with the one and as a number with the other: both are read as decimals, and both come to whole
//! bytes. The end may precede the start.
//!
//! Records are read in one pass as they mostly are; whatever is not so is left to the careful way, which says what it is.
//! Invariant: what the one pass reads, the careful way would have read as the same; a property test holds it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::decimal::{self, Bytes};
use super::object::{adds_up, card, nested, number_text, object, once, volume};
use crate::codec::json::{CdrIn, Field, JsonError, Scanner, parse_digits};
use crate::codec::time;
use crate::limits::RECORD_BYTES_MAX;
use crate::model::{CardId, CardName, Slices, UnixTime};

/// Bytes of a decimal megabyte.
const MB: u64 = 1_000_000;
/// `traffic_type.id`.
const DATA: u64 = 5;
const SMS: u64 = 6;

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Record<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    imsi: Field<'a>,
    #[serde(borrow)]
    sim: Option<&'a RawValue>,
    start_timestamp: Field<'a>,
    end_timestamp: Field<'a>,
    #[serde(borrow)]
    traffic_type: Option<&'a RawValue>,
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Sim<'a> {
    iccid: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct TrafficType<'a> {
    id: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Volume<'a> {
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    tx: Option<&'a RawValue>,
    #[serde(borrow)]
    rx: Option<&'a RawValue>,
}

/// Reads a record as one of `feed`.
pub(super) fn read<'a>(bytes: &'a [u8], feed: &'a str) -> Result<Said<'a>, JsonError> {
    match plain(bytes, feed) {
        Some(cdr) => Ok(Said::Cdr(cdr)),
        None => careful(bytes, feed),
    }
}

/// The same in one pass.
pub(super) fn plain<'a>(bytes: &'a [u8], feed: &'a str) -> Option<CdrIn<'a>> {
    Plain::read(bytes)?.cdr(feed)
}

/// A record of data as it mostly is.
#[derive(Default)]
struct Plain<'a> {
    id: Option<&'a str>,
    imsi: Option<u64>,
    iccid: Option<CardId>,
    start: Option<UnixTime>,
    end: Option<UnixTime>,
    traffic: Option<u64>,
    total: Option<u64>,
    tx: Option<u64>,
    rx: Option<u64>,
    /// Of the objects within, one bit each: met already.
    met: u8,
}

impl<'a> Plain<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut plain = Self::default();
        Scanner::whole(bytes, |scanner, key| plain.take(scanner, key))?;
        Some(plain)
    }

    #[inline]
    fn take(&mut self, scanner: &mut Scanner<'a>, key: &str) -> Option<()> {
        match key.as_bytes() {
            b"id" => once(&mut self.id, scanner.digits()),
            b"imsi" => once(&mut self.imsi, parse_digits(scanner.text()?)),
            b"sim" => self.first(0).and_then(|()| self.sim(scanner)),
            b"start_timestamp" => once(&mut self.start, time::parse(scanner.text()?)),
            b"end_timestamp" => once(&mut self.end, time::parse(scanner.text()?)),
            b"traffic_type" => self.first(1).and_then(|()| self.traffic(scanner)),
            b"volume" => self.first(2).and_then(|()| self.volume(scanner)),
            _ => scanner.skip(),
        }
    }

    fn sim(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        scanner.object(|scanner, key| match key {
            "iccid" => once(&mut self.iccid, CardId::parse(scanner.text()?).ok()),
            _ => scanner.skip(),
        })
    }

    fn traffic(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        scanner.object(|scanner, key| match key {
            "id" => once(&mut self.traffic, scanner.whole_number()),
            _ => scanner.skip(),
        })
    }

    fn volume(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        scanner.object(|scanner, key| match key {
            "total" => once(&mut self.total, megabytes(scanner.figure()?)),
            "tx" => once(&mut self.tx, megabytes(scanner.figure()?)),
            "rx" => once(&mut self.rx, megabytes(scanner.figure()?)),
            _ => scanner.skip(),
        })
    }

    /// `None` the second time.
    fn first(&mut self, object: u8) -> Option<()> {
        let again = self.met & 1 << object != 0;
        self.met |= 1 << object;
        (!again).then_some(())
    }

    fn cdr(&self, feed: &'a str) -> Option<CdrIn<'a>> {
        let (up, down) = (self.tx?, self.rx?);
        let adds_up = self.total.is_none_or(|total| total == up + down);
        (adds_up && self.traffic == Some(DATA)).then_some(())?;
        Some(CdrIn {
            card: CardName::Iccid(self.iccid?),
            feed: Cow::Borrowed(feed),
            id: Cow::Borrowed(self.id?),
            start: self.start?,
            end: self.end?,
            up,
            down,
            slices: Slices::default(),
        })
    }
}

/// Whole bytes of a figure in MB, within the bound of a record.
fn megabytes(text: &str) -> Option<u64> {
    let Bytes { whole, rest } = decimal::bytes(text, MB).ok()?;
    (!rest && whole <= RECORD_BYTES_MAX).then_some(whole)
}

/// Reads a record as one of `feed`, whatever it looks like.
pub(super) fn careful<'a>(bytes: &'a [u8], feed: &'a str) -> Result<Said<'a>, JsonError> {
    let record: Record<'a> = object(bytes)?;
    let traffic: TrafficType<'a> = nested(record.traffic_type, "traffic_type")?;
    match traffic.id.whole("traffic_type.id", u64::MAX)? {
        DATA => {}
        SMS => return Ok(Said::Aside("SMS")),
        other => {
            return Err(JsonError::new("traffic_type.id", format!("is {other}"), "5 (data) or 6 (SMS)"));
        }
    }
    // Some records have no `sim`; then the IMSI must do.
    let sim: Sim<'a> = if record.sim.is_some() { nested(record.sim, "sim")? } else { Sim::default() };
    let (up, down) = volumes(record.volume)?;
    Ok(Said::Cdr(CdrIn {
        card: card(&sim.iccid, record.imsi, ["sim.iccid", "imsi"])?,
        feed: Cow::Borrowed(feed),
        id: Cow::Borrowed(number_text(record.id, "id")?),
        start: record.start_timestamp.time("start_timestamp")?,
        end: record.end_timestamp.time("end_timestamp")?,
        up,
        down,
        slices: Slices::default(),
    }))
}

fn volumes(raw: Option<&RawValue>) -> Result<(u64, u64), JsonError> {
    const BOTH: &str = "MB in both directions: tx and rx";
    let parts: Volume<'_> = nested(raw, "volume")?;
    let tx = volume(parts.tx, "volume.tx", MB)?.ok_or_else(|| JsonError::missing("volume.tx", BOTH))?;
    let rx = volume(parts.rx, "volume.rx", MB)?.ok_or_else(|| JsonError::missing("volume.rx", BOTH))?;
    adds_up(tx, rx, volume(parts.total, "volume.total", MB)?, "volume.total")?;
    Ok((tx, rx))
}
