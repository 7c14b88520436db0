//! Soracom Air statistics: points of five minutes, a sum over the speed classes.
//!
//! Source: Soracom API, `AirStatsResponse` (<https://github.com/soracom/soracom-cli>, commit bad112d5,
//! `soracom-api.en.yaml`): a list of `{date, unixtime, dataTrafficStatsMap: {class: {uploadByteSizeTotal,
//! downloadByteSizeTotal, …}}}`, bytes as int64. The answer does not name its card: whoever asks puts it under the IMSI
//! (or the ICCID), `{"440103929795636": [ … ]}`.
//!
//! A point is one CDR from `unixtime` on, [`PERIOD_S`] long, and `unixtime` is its id. A point asked for before its five
//! minutes are over is another record than the same point asked for later, and the meter would call it a conflict: ask
//! for what is past.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::object::{nested, number_text, object, within_bounds};
use super::pieces::{Piece, Walk, top};
use crate::codec::json::{CdrIn, Field, JsonError};
use crate::limits::RECORD_BYTES_MAX;
use crate::model::{CardId, CardName, NumberKind, Slices, UnixTime};

/// Seconds of a point with `period=minutes`.
pub(super) const PERIOD_S: i64 = 300;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Point<'a> {
    #[serde(borrow)]
    unixtime: Option<&'a RawValue>,
    #[serde(borrow)]
    data_traffic_stats_map: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Class<'a> {
    upload_byte_size_total: Field<'a>,
    download_byte_size_total: Field<'a>,
}

/// The points under each name.
pub(super) fn pieces(bytes: &[u8]) -> Vec<Piece<'_>> {
    top(bytes, |cut, value| {
        let mut walk = Walk::over(bytes, value.clone());
        if walk.peek() != Some(b'{') {
            return cut.fault(value, "points that are not under their card's IMSI, {\"440…\": [...]}");
        }
        let mut last = value.start;
        walk.members(|member| match member {
            Ok((name, points)) => {
                last = points.end;
                cut.listed(points, std::str::from_utf8(name).ok());
            }
            Err(fault) => cut.fault(last..value.end, fault),
        });
    })
}

/// Reads a point as a record of `feed`.
pub(super) fn read<'a>(piece: &Piece<'a>, feed: &'a str) -> Result<Said<'a>, JsonError> {
    let point: Point<'a> = object(piece.bytes)?;
    let id = number_text(point.unixtime, "unixtime")?;
    let start = moment(id)?;
    let (up, down) = sums(point.data_traffic_stats_map)?;
    Ok(Said::Cdr(CdrIn {
        card: card(piece.of.unwrap_or_default())?,
        feed: Cow::Borrowed(feed),
        id: Cow::Borrowed(id),
        start,
        end: start.saturating_add(PERIOD_S),
        up,
        down,
        slices: Slices::default(),
    }))
}

/// The last second that a point can have: the year 9999 (milliseconds for seconds lie far behind).
const LAST: UnixTime = 253_402_300_799;

fn moment(text: &str) -> Result<UnixTime, JsonError> {
    text.parse()
        .ok()
        .filter(|second| (0..=LAST).contains(second))
        .ok_or_else(|| JsonError::new("unixtime", format!("is {text}"), "seconds since 1970"))
}

/// An ICCID is longer than an IMSI can be.
fn card(name: &str) -> Result<CardName, JsonError> {
    const FIELD: &str = "name of the points";
    if name.len() >= 19 {
        let wrong = |error| JsonError::new(FIELD, format!("is {name:?}: {error}"), "");
        return CardId::parse(name).map(CardName::Iccid).map_err(wrong);
    }
    Field::Text(Cow::Borrowed(name)).number(FIELD, NumberKind::Imsi).map(CardName::Number)
}

fn sums(raw: Option<&RawValue>) -> Result<(u64, u64), JsonError> {
    const MAP: &str = "dataTrafficStatsMap";
    let classes: BTreeMap<Cow<'_, str>, &RawValue> = nested(raw, MAP)?;
    let (mut up, mut down) = (0_u64, 0_u64);
    for (name, raw) in classes {
        let (more_up, more_down) = class(raw).map_err(|error| error.within(&format!("{MAP}.{name}")))?;
        (up, down) = (up.saturating_add(more_up), down.saturating_add(more_down));
    }
    Ok((within_bounds(up, MAP)?, within_bounds(down, MAP)?))
}

fn class(raw: &RawValue) -> Result<(u64, u64), JsonError> {
    let class: Class<'_> = object(raw.get().as_bytes()).map_err(|error| JsonError { at: None, ..error })?;
    Ok((
        class.upload_byte_size_total.whole("uploadByteSizeTotal", RECORD_BYTES_MAX)?,
        class.download_byte_size_total.whole("downloadByteSizeTotal", RECORD_BYTES_MAX)?,
    ))
}
