//! The usage record that 1NCE and emnify stream: one record a stretch of a data session, or an SMS.
//!
//! `id` is the record's and comes again with a retransmission; the card is `sim.iccid`, else `imsi`; `volume` is in decimal
//! MB (10^6 bytes), as text with the one and as a number with the other: both are read as decimals, and both come to whole
//! bytes. The end may precede the start.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::object::{adds_up, card, nested, number_text, object, volume};
use crate::codec::json::{CdrIn, Field, JsonError};
use crate::model::Slices;

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
