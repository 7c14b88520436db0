//! CHF records (TS 32.298 clause 5.2.5): 5G charging, containers within multiple unit usage.

use super::containers::Container;
use super::fields::{identifier, imsi_text, local_number, push_text, seconds, time, unsigned};
use super::{RecordError, RecordType, UsageRecord};
use crate::ingest::ber::Reader;
use crate::model::{Number, UnixTime};

#[derive(Default)]
struct Fields<'a> {
    number: Option<Number>,
    function: Option<&'a [u8]>,
    charging_id: Option<u64>,
    sequence: u64,
    local_number: Option<u64>,
    opened: Option<UnixTime>,
    duration: i64,
    usage: Option<Reader<'a>>,
}

/// Reads a record from the reader over its fields.
pub(super) fn decode(reader: Reader<'_>, out: &mut UsageRecord) -> Result<(), RecordError> {
    let at = reader.position();
    let fields = walk(reader)?;
    let opened = fields.opened.ok_or(RecordError::Missing { at, field: "recordOpeningTime" })?;
    out.number = fields.number;
    out.start = opened;
    out.end = opened.saturating_add(fields.duration);
    out.local_number = fields.local_number;
    push_text(&mut out.node, fields.function.unwrap_or(b"-"));
    out.push_id(RecordType::Chf, fields.charging_id, fields.sequence);
    if let Some(usage) = fields.usage {
        units(usage, out)?;
    }
    out.close(at)
}

fn walk(mut reader: Reader<'_>) -> Result<Fields<'_>, RecordError> {
    let mut fields = Fields::default();
    while let Some(tlv) = reader.element()? {
        match tlv.tag.context_number() {
            Some(1) => fields.function = Some(tlv.value),
            Some(2) => fields.number = subscriber(reader.inside(&tlv)?)?,
            Some(5) => fields.usage = Some(reader.inside(&tlv)?),
            Some(6) => fields.opened = time(&tlv, "recordOpeningTime")?,
            Some(7) => fields.duration = seconds(&tlv)?,
            Some(8) => fields.sequence = unsigned(&tlv, "recordSequenceNumber")?,
            Some(11) => fields.local_number = local_number(&tlv),
            Some(13) => session(reader.inside(&tlv)?, &mut fields)?,
            Some(27) => fields.charging_id = Some(identifier(&tlv)),
            _ => {}
        }
    }
    Ok(fields)
}

/// subscriberIdentifier: type `[0]`, data `[1]`; a type other than IMSI or SUPI (NAI) is left to the data's own form.
fn subscriber(mut reader: Reader<'_>) -> Result<Option<Number>, RecordError> {
    while let Some(tlv) = reader.element()? {
        if tlv.tag.context_number() == Some(1) {
            return imsi_text(&tlv).map(Some);
        }
    }
    Ok(None)
}

/// pDUSessionChargingInformation: its charging id `[0]` stands for the record's own where that is absent.
fn session(mut reader: Reader<'_>, fields: &mut Fields<'_>) -> Result<(), RecordError> {
    while let Some(tlv) = reader.element()? {
        if tlv.tag.context_number() == Some(0) {
            fields.charging_id = fields.charging_id.or(Some(identifier(&tlv)));
        }
    }
    Ok(())
}

/// listOfMultipleUnitUsage → usedUnitContainers `[1]` → containers.
fn units(mut usage: Reader<'_>, out: &mut UsageRecord) -> Result<(), RecordError> {
    while let Some(unit) = usage.element()? {
        let mut parts = usage.inside(&unit)?;
        while let Some(part) = parts.element()? {
            if part.tag.context_number() == Some(1) {
                containers(parts.inside(&part)?, out)?;
            }
        }
    }
    Ok(())
}

fn containers(mut list: Reader<'_>, out: &mut UsageRecord) -> Result<(), RecordError> {
    while let Some(tlv) = list.element()? {
        out.push(container(list.inside(&tlv)?)?)?;
    }
    Ok(())
}

/// One container. A stated total decides: what it leaves beside the uplink is downlink.
fn container(mut reader: Reader<'_>) -> Result<Container, RecordError> {
    let mut out = Container { at: reader.position(), ..Container::default() };
    let mut total = None;
    while let Some(tlv) = reader.element()? {
        match tlv.tag.context_number() {
            Some(3) => out.end = time(&tlv, "triggerTimeStamp")?,
            Some(4) => total = Some(unsigned(&tlv, "dataTotalVolume")?),
            Some(5) => out.up = unsigned(&tlv, "dataVolumeUplink")?,
            Some(6) => out.down = unsigned(&tlv, "dataVolumeDownlink")?,
            _ => {}
        }
    }
    if let Some(total) = total {
        out.up = out.up.min(total);
        out.down = total - out.up;
    }
    Ok(out)
}
