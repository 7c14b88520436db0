//! P-GW and S-GW records (TS 32.298 clauses 5.2.2.2 and 5.2.2.3): the fields that usage needs have the same tags in
//! both, except that only a P-GW writes a list of service data.

use super::containers::Container;
use super::fields::{
    identifier, imsi, local_number, msisdn, push_address, push_text, seconds, time, unsigned,
};
use super::{RecordError, RecordType, UsageRecord};
use crate::ingest::ber::{Reader, Tlv};
use crate::model::{Number, UnixTime};

/// What is kept of a record while its fields, which may come in any order, are walked.
#[derive(Default)]
struct Fields<'a> {
    imsi: Option<Number>,
    /// Read only where there is no IMSI: many data cards have none, and it is written in many ways then.
    msisdn: Option<Tlv<'a>>,
    address: Option<&'a [u8]>,
    node: Option<&'a [u8]>,
    charging_id: Option<u64>,
    sequence: u64,
    local_number: Option<u64>,
    opened: Option<UnixTime>,
    duration: Option<i64>,
    volumes: Option<Reader<'a>>,
    services: Option<Reader<'a>>,
}

/// Tags of a container of either list.
struct ListTags {
    up: u32,
    down: u32,
    time: u32,
}

/// `ChangeOfCharCondition` in listOfTrafficVolumes.
const VOLUMES: ListTags = ListTags { up: 3, down: 4, time: 6 };
/// `ChangeOfServiceCondition` in listOfServiceData.
const SERVICES: ListTags = ListTags { up: 12, down: 13, time: 14 };

/// Reads a record of a type from the reader over its fields.
pub(super) fn decode(kind: RecordType, reader: Reader<'_>, out: &mut UsageRecord) -> Result<(), RecordError> {
    let at = reader.position();
    let fields = walk(kind, reader)?;
    let opened = fields.opened.ok_or(RecordError::Missing { at, field: "recordOpeningTime" })?;
    out.number = match (fields.imsi, fields.msisdn) {
        (None, Some(tlv)) => Some(msisdn(&tlv)?),
        (imsi, _) => imsi,
    };
    out.start = opened;
    out.end = opened.saturating_add(fields.duration.unwrap_or(0));
    out.local_number = fields.local_number;
    push_node(&fields, &mut out.node);
    out.push_id(kind, fields.charging_id, fields.sequence);
    match (fields.services, fields.volumes) {
        (Some(list), _) => containers(list, &SERVICES, out)?,
        (None, Some(list)) => containers(list, &VOLUMES, out)?,
        (None, None) => {}
    }
    if fields.duration.is_none() {
        out.end = out.slices.iter().map(|s| s.end).filter(|end| *end < UnixTime::MAX).fold(opened, i64::max);
    }
    out.close(at)
}

fn walk(kind: RecordType, mut reader: Reader<'_>) -> Result<Fields<'_>, RecordError> {
    let mut fields = Fields::default();
    while let Some(tlv) = reader.element()? {
        match tlv.tag.context_number() {
            Some(3) => fields.imsi = Some(imsi(&tlv)?),
            Some(4) => fields.address = inner(reader, &tlv)?,
            Some(5) => fields.charging_id = Some(identifier(&tlv)),
            Some(12) => fields.volumes = list(reader, &tlv)?,
            Some(13) => fields.opened = time(&tlv, "recordOpeningTime")?,
            Some(14) => fields.duration = Some(seconds(&tlv)?),
            Some(17) => fields.sequence = unsigned(&tlv, "recordSequenceNumber")?,
            Some(18) => fields.node = Some(tlv.value),
            Some(20) => fields.local_number = local_number(&tlv),
            Some(22) => fields.msisdn = Some(tlv),
            // In an S-GW record the tag is something else.
            Some(34) if kind == RecordType::Pgw => fields.services = list(reader, &tlv)?,
            _ => {}
        }
    }
    Ok(fields)
}

/// The value within a CHOICE's wrapper.
fn inner<'a>(reader: Reader<'a>, tlv: &Tlv<'a>) -> Result<Option<&'a [u8]>, RecordError> {
    Ok(reader.inside(tlv)?.element()?.map(|inner| inner.value))
}

/// The elements of a list, `None` if it is empty.
fn list<'a>(reader: Reader<'a>, tlv: &Tlv<'a>) -> Result<Option<Reader<'a>>, RecordError> {
    if tlv.value.is_empty() { Ok(None) } else { Ok(Some(reader.inside(tlv)?)) }
}

fn push_node(fields: &Fields<'_>, node: &mut String) {
    match (fields.node, fields.address) {
        (Some(name), _) => push_text(node, name),
        (None, Some(address)) => push_address(node, address),
        (None, None) => node.push('-'),
    }
}

fn containers(mut list: Reader<'_>, tags: &ListTags, out: &mut UsageRecord) -> Result<(), RecordError> {
    while let Some(tlv) = list.element()? {
        if let Some(container) = container(list.inside(&tlv)?, tags)? {
            out.push(container)?;
        }
    }
    Ok(())
}

/// One container; `None` if its time is the zero value, by which some vendors mark a container of an earlier record
/// that is repeated and carries no new volume.
fn container(mut reader: Reader<'_>, tags: &ListTags) -> Result<Option<Container>, RecordError> {
    let mut out = Container { at: reader.position(), ..Container::default() };
    while let Some(tlv) = reader.element()? {
        match tlv.tag.context_number() {
            Some(tag) if tag == tags.up => out.up = unsigned(&tlv, "uplink volume")?,
            Some(tag) if tag == tags.down => out.down = unsigned(&tlv, "downlink volume")?,
            Some(tag) if tag == tags.time => match time(&tlv, "container time")? {
                Some(end) => out.end = Some(end),
                None => return Ok(None),
            },
            _ => {}
        }
    }
    Ok(Some(out))
}
