//! Cisco IoT Control Center (formerly Jasper; China Unicom and others run it), polls of a device's usage.
//!
//! Source: Cisco, "Get Device Usage" (<https://developer.cisco.com/docs/control-center/get-device-usage>): `ctdDataUsage`, bytes
//! since the billing cycle began. The answer has no time: whoever polls wraps it as `{"polledAt": "…", "status": 200, "body":
//! { … }}`; a poll with another status says nothing.
//!
//! A cumulative figure is no CDR but a carrier's own total (`docs/rules.md` R3): a reading of the counter `cycle-total`, the one
//! sum as `rx`, of the cycle that holds the second of `polledAt`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Said;
use super::object::{card, nested, object};
use crate::codec::json::{Field, JsonError, ReadingIn};
use crate::limits::CARD_BYTES_MAX;
use crate::model::TotalOf;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Poll<'a> {
    polled_at: Field<'a>,
    status: Field<'a>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Body<'a> {
    iccid: Field<'a>,
    imsi: Field<'a>,
    ctd_data_usage: Field<'a>,
}

const OK: u64 = 200;

/// Reads a poll as a reading of `feed`.
pub(super) fn read<'a>(bytes: &'a [u8], feed: &'a str) -> Result<Said<'a>, JsonError> {
    let poll: Poll<'a> = object(bytes)?;
    if poll.status.is_said() && poll.status.whole("status", 999)? != OK {
        return Ok(Said::Aside("a poll that failed"));
    }
    let body: Body<'a> = nested(poll.body, "body")?;
    Ok(Said::Reading(ReadingIn {
        card: card(&body.iccid, body.imsi, ["body.iccid", "body.imsi"])?,
        feed: Cow::Borrowed(feed),
        imei: 0,
        counter: Cow::Borrowed(TotalOf::Cycle.counter()),
        // A total is of the cycle that holds the second before its time: here that is the second of the poll, so that one
        // at a cycle's first instant is of the cycle that it begins.
        at: poll.polled_at.time("polledAt")?.saturating_add(1),
        tx: 0,
        rx: body.ctd_data_usage.whole("body.ctdDataUsage", CARD_BYTES_MAX)?,
        width: 0,
        session: Cow::Borrowed(""),
    }))
}
