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
//!
//! Points are read in one pass as they mostly are; whatever is not so is left to the careful way, which says what it is.
//! Invariant: what the one pass reads, the careful way would have read as the same; a property test holds it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::object::{nested, number_text, object, once, within_bounds};
use super::pieces::{Cut, Piece, Walk, top};
use crate::codec::json::{CdrIn, Field, JsonError, Scanner};
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
pub(super) fn pieces(bytes: &[u8], in_lines: bool) -> Vec<Piece<'_>> {
    top((bytes, in_lines), straight, named)
}

pub(super) fn named(cut: &mut Cut<'_>, value: Range<usize>) {
    let mut walk = Walk::over(cut.bytes, value.clone());
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
}

/// The names, their points cut on the way; `None`: it must be looked at with care.
fn straight<'a>(cut: &mut Cut<'a>, walk: &mut Walk<'a>) -> Option<()> {
    (walk.peek()? == b'{').then_some(())?;
    walk.straight_members(|walk, name| cut.straight(walk, std::str::from_utf8(name).ok()))
}

/// Reads a point as a record of `feed`.
pub(super) fn read<'a>(piece: &Piece<'a>, feed: &'a str) -> Result<Said<'a>, JsonError> {
    match plain(piece) {
        Some((id, volumes)) => said(id, volumes, piece, feed),
        None => careful(piece, feed),
    }
}

/// A point's id, and its bytes up and down, in one pass.
pub(super) fn plain<'a>(piece: &Piece<'a>) -> Option<(&'a str, (u64, u64))> {
    let Plain { id, up, down, met } = Plain::read(piece.bytes)?;
    met.and(id).map(|id| (id, (up, down)))
}

/// Classes of a point that are told apart in one pass.
const CLASSES_MAX: usize = 8;

/// A point as it mostly is.
#[derive(Default)]
struct Plain<'a> {
    id: Option<&'a str>,
    up: u64,
    down: u64,
    /// Whether its map has been met.
    met: Option<()>,
}

impl<'a> Plain<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut plain = Self::default();
        Scanner::whole(bytes, |scanner, key| match key {
            "unixtime" => once(&mut plain.id, scanner.digits()),
            "dataTrafficStatsMap" => once(&mut plain.met, Some(())).and_then(|()| plain.classes(scanner)),
            _ => scanner.skip(),
        })?;
        Some(plain)
    }

    fn classes(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        let (mut names, mut count) = ([""; CLASSES_MAX], 0);
        scanner.object(|scanner, name| {
            // Of a class that stands there twice the careful way takes the last.
            let again = names.iter().take(count).any(|met| *met == name);
            *names.get_mut(count).filter(|_| !again)? = name;
            count += 1;
            self.class(scanner)
        })?;
        (self.up <= RECORD_BYTES_MAX && self.down <= RECORD_BYTES_MAX).then_some(())
    }

    fn class(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        let (mut up, mut down) = (None, None);
        scanner.object(|scanner, key| match key {
            "uploadByteSizeTotal" => once(&mut up, scanner.whole_number()),
            "downloadByteSizeTotal" => once(&mut down, scanner.whole_number()),
            _ => scanner.skip(),
        })?;
        let within = |bytes: &u64| *bytes <= RECORD_BYTES_MAX;
        (self.up, self.down) = (self.up + up.filter(within)?, self.down + down.filter(within)?);
        Some(())
    }
}

/// Reads a point as a record of `feed`, whatever it looks like.
pub(super) fn careful<'a>(piece: &Piece<'a>, feed: &'a str) -> Result<Said<'a>, JsonError> {
    let point: Point<'a> = object(piece.bytes)?;
    let id = number_text(point.unixtime, "unixtime")?;
    moment(id)?;
    said(id, sums(point.data_traffic_stats_map)?, piece, feed)
}

/// A point of so many bytes up and down.
fn said<'a>(
    id: &'a str,
    (up, down): (u64, u64),
    piece: &Piece<'a>,
    feed: &'a str,
) -> Result<Said<'a>, JsonError> {
    let start = moment(id)?;
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
