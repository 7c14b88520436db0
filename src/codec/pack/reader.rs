//! The bytes of a pack → records, borrowed from it.

use super::envelope::{PackError, Sections, check_head, check_sum, read_names};
use super::fields::{chunk, i64_at, u16_at, u32_at, u64_at};
use super::layout::{
    CDR, COMMON, HEADER, KIND_BROADCAST, KIND_CATALOGUE, KIND_CDR, KIND_COMMAND, KIND_READING, KIND_TICK,
    READING, TICK, cdr, common, header, reading, tick,
};
use crate::limits::PACK_RECORDS_MAX;
use crate::model::{
    CardId, Cdr, CounterKind, FeedName, LogOffset, Number, NumberKind, Origin, Reading, Record, Slices, Tick,
};

/// A pack whose checksum is right and whose dictionary is resolved.
#[derive(Debug)]
pub struct Pack<'a> {
    /// Every name with its hash, taken once a pack.
    names: Vec<FeedName<'a>>,
    text: &'a str,
    records: &'a [u8],
    count: usize,
}

impl<'a> Pack<'a> {
    /// Checks the envelope and resolves the dictionary; records are read by [`Self::records`].
    ///
    /// # Errors
    /// The first thing that is wrong, from the outside in.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PackError> {
        let head = bytes.first_chunk::<HEADER>().ok_or(PackError::Short(bytes.len()))?;
        check_head(head)?;
        let sections = Sections::read(head);
        if sections.total() != bytes.len() {
            return Err(PackError::Length { said: sections.total(), is: bytes.len() });
        }
        check_sum(bytes)?;
        let count = usize::from(u16_at(head, header::COUNT));
        if count > PACK_RECORDS_MAX {
            return Err(PackError::Count(count));
        }
        let text = sections.text(bytes).and_then(|text| std::str::from_utf8(text).ok());
        Ok(Self {
            names: read_names(sections.dictionary(bytes), usize::from(u16_at(head, header::NAMES)))?,
            text: text.ok_or(PackError::Text)?,
            records: sections.records(bytes),
            count,
        })
    }

    /// Records in the pack.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The records in their order. After an error there are no more.
    #[must_use]
    pub fn records(&self) -> Records<'_, 'a> {
        Records { pack: self, rest: self.records, index: 0 }
    }

    fn name(&self, place: u16) -> Result<FeedName<'a>, &'static str> {
        self.names.get(usize::from(place)).copied().ok_or("names no entry of the dictionary")
    }

    fn text(&self, at: u32, bytes: u16) -> Result<&'a str, &'static str> {
        let at = at as usize;
        self.text
            .get(at..at.saturating_add(usize::from(bytes)))
            .ok_or("its text lies outside the text section")
    }
}

/// Iterator of [`Pack::records`].
#[derive(Debug)]
pub struct Records<'p, 'a> {
    pack: &'p Pack<'a>,
    rest: &'a [u8],
    index: usize,
}

impl<'a> Iterator for Records<'_, 'a> {
    type Item = Result<Record<'a>, PackError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.pack.count {
            return self.leftover();
        }
        let index = self.index;
        self.index += 1;
        let item = self.advance().map_err(|problem| PackError::Record { index, problem });
        if item.is_err() {
            (self.index, self.rest) = (usize::MAX, &[]);
        }
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.pack.count.saturating_sub(self.index).saturating_add(1)))
    }
}

impl<'a> Records<'_, 'a> {
    /// Bytes after the last record are an error, told once.
    fn leftover(&mut self) -> Option<Result<Record<'a>, PackError>> {
        if self.rest.is_empty() {
            return None;
        }
        self.rest = &[];
        Some(Err(PackError::Record { index: self.index, problem: "bytes follow the last record" }))
    }

    fn advance(&mut self) -> Result<Record<'a>, &'static str> {
        let head = self.rest.first_chunk::<COMMON>().ok_or("is cut off")?;
        let size = u32_at(head, common::SIZE) as usize;
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or("is cut off")?;
        self.rest = rest;
        decode(self.pack, head, bytes)
    }
}

fn decode<'a>(pack: &Pack<'a>, head: &[u8; COMMON], bytes: &'a [u8]) -> Result<Record<'a>, &'static str> {
    match head[common::KIND] {
        KIND_CDR => decode_cdr(pack, head, bytes).map(Record::Cdr),
        KIND_READING => decode_reading(pack, head, bytes).map(Record::Reading),
        KIND_COMMAND => {
            Ok(Record::Command { card: card(head), json: blob(bytes)?, origin: origin(pack, head)? })
        }
        KIND_BROADCAST => Ok(Record::Broadcast { json: blob(bytes)?, origin: origin(pack, head)? }),
        KIND_CATALOGUE => Ok(Record::Catalogue { json: blob(bytes)? }),
        KIND_TICK => decode_tick(head, bytes).map(Record::Tick),
        _ => Err("is of no known kind"),
    }
}

#[inline]
fn decode_cdr<'a>(pack: &Pack<'a>, head: &[u8; COMMON], bytes: &'a [u8]) -> Result<Cdr<'a>, &'static str> {
    let (fixed, slices) = bytes.split_first_chunk::<CDR>().ok_or("is too short for a CDR")?;
    if slices.len() != usize::from(u16_at(fixed, cdr::SLICES)) * Slices::WIDTH {
        return Err("its size does not fit its slices");
    }
    Ok(Cdr {
        card: card(head),
        feed: pack.name(u16_at(head, common::FEED))?,
        id: pack.text(u32_at(fixed, cdr::TEXT_AT), u16_at(fixed, cdr::TEXT_BYTES))?,
        start: i64_at(fixed, cdr::START),
        end: i64_at(fixed, cdr::END),
        up: u64_at(fixed, cdr::UP),
        down: u64_at(fixed, cdr::DOWN),
        slices: Slices::from_packed(slices).ok_or("its size does not fit its slices")?,
        number: number(head[common::FLAG], u64_at(fixed, cdr::NUMBER))?,
        origin: origin(pack, head)?,
    })
}

#[inline]
fn decode_reading<'a>(
    pack: &Pack<'a>,
    head: &[u8; COMMON],
    bytes: &'a [u8],
) -> Result<Reading<'a>, &'static str> {
    let fixed: &[u8; READING] = bytes.try_into().map_err(|_| "is not as long as a reading")?;
    Ok(Reading {
        card: card(head),
        feed: pack.name(u16_at(head, common::FEED))?,
        imei: u64_at(fixed, reading::IMEI),
        counter: CounterKind(pack.name(u16_at(fixed, reading::COUNTER))?.name),
        at: i64_at(fixed, reading::AT),
        tx: u64_at(fixed, reading::TX),
        rx: u64_at(fixed, reading::RX),
        width: fixed[reading::WIDTH],
        session: pack.text(u32_at(fixed, reading::TEXT_AT), u16_at(fixed, reading::TEXT_BYTES))?,
        number: number(head[common::FLAG], u64_at(fixed, reading::NUMBER))?,
        origin: origin(pack, head)?,
    })
}

fn decode_tick(head: &[u8; COMMON], bytes: &[u8]) -> Result<Tick, &'static str> {
    let fixed: &[u8; TICK] = bytes.try_into().map_err(|_| "is not as long as a tick")?;
    let through = LogOffset(u64_at(fixed, tick::FLUSHED_THROUGH));
    match head[common::FLAG] {
        0 => Ok(Tick { flushed_through: None }),
        1 => Ok(Tick { flushed_through: Some(through) }),
        _ => Err("has an unknown flag"),
    }
}

fn card(head: &[u8; COMMON]) -> CardId {
    CardId::from_wire(chunk(head, common::CARD))
}

#[inline]
fn origin<'a>(pack: &Pack<'a>, head: &[u8; COMMON]) -> Result<Origin<'a>, &'static str> {
    Ok(Origin {
        source: pack.name(u16_at(head, common::SOURCE))?.name,
        partition: u32_at(head, common::SOURCE_PARTITION),
        offset: u64_at(head, common::SOURCE_OFFSET),
        received_ms: i64_at(head, common::RECEIVED_MS),
    })
}

fn number(kind: u8, digits: u64) -> Result<Option<Number>, &'static str> {
    let kind = match kind {
        0 => return Ok(None),
        1 => NumberKind::Imsi,
        2 => NumberKind::Msisdn,
        3 => NumberKind::Imei,
        _ => return Err("has a number of no known kind"),
    };
    Ok(Some(Number { kind, digits }))
}

fn blob(bytes: &[u8]) -> Result<&[u8], &'static str> {
    bytes.get(COMMON..).ok_or("is shorter than the common fields")
}
