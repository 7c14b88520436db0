//! Answers of modems → readings: what a module says to a question about its counters, in bytes sent and received.
//!
//! | module | question | file |
//! |---|---|---|
//! | `quectel` | `AT+QGDCNT?` | `qgdcnt` |
//! | `quectel5g` | `AT+QGDCNT?;+QGDNRCNT?` | `qgdnrcnt` |
//! | `ublox` | `AT+UGCNTRD` | `ugcntrd` |
//! | `telit` | `AT#GDATAVOL=2` | `gdatavol` |
//! | `nordic` | `AT%XCONNSTAT?` | `xconnstat` |
//! | `lwm2m` | object 7 | `lwm2m` |
//! | `mm` | `mmcli -b N -K` | `modem_manager` |
//!
//! Whoever asks the modems wraps an answer into a line of JSON with `iccid`, `imei`, `at`, `module` and `raw`; [`canonical`]
//! makes of it a message of `usage.modem`. Units are converted here, and nowhere later.
//!
//! Invariant: no bytes whatever make it panic, and what is not read to the last figure is an error that names it.

mod gdatavol;
mod line;
mod lwm2m;
mod modem_manager;
mod qgdcnt;
mod qgdnrcnt;
#[cfg(test)]
mod tests;
mod ugcntrd;
mod xconnstat;

use serde::{Deserialize, Serialize};

/// What a module has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Kind of the counter, as readings name it.
    pub counter: &'static str,
    /// Bytes sent.
    pub tx: u64,
    /// Bytes received.
    pub rx: u64,
    /// 64 if the bytes are known not to wrap at 2^32; 0 = not known.
    pub width: u8,
    /// Only of counters that start at zero with it; empty = none.
    pub session: String,
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("not a line of JSON with iccid, imei, at, module and raw: {0}")]
    Line(String),
    #[error("module {0:?} is not known: quectel, quectel5g, ublox, telit, nordic, lwm2m and mm are")]
    Module(String),
    #[error("the answer has no {0:?}")]
    Missing(&'static str),
    #[error("{mark:?} is followed by {found} figures, not {wanted}")]
    Count { mark: &'static str, found: usize, wanted: usize },
    #[error("{mark:?}: {text:?} is no whole number of 64 bits")]
    Figure { mark: &'static str, text: String },
    #[error("{0:?}: in bytes more than 64 bits hold")]
    TooMuch(&'static str),
    #[error(
        "{0:?}: sent and received do not add up to the total; another module may tell them in another order"
    )]
    Sum(&'static str),
}

/// An answer as it is wrapped by whoever asked.
#[derive(Debug, Deserialize)]
struct Wrapped<'a> {
    iccid: String,
    imei: String,
    at: String,
    module: String,
    #[serde(borrow)]
    raw: std::borrow::Cow<'a, str>,
}

/// A message of `usage.modem`.
#[derive(Debug, Serialize)]
struct Canonical<'a> {
    iccid: &'a str,
    imei: &'a str,
    counter: &'a str,
    at: &'a str,
    tx: u64,
    rx: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u8>,
    #[serde(skip_serializing_if = "str::is_empty")]
    session: &'a str,
}

/// Reads a module's answer.
///
/// # Errors
/// A module that is not known, or the first thing of the answer that cannot be read.
pub fn decode(module: &str, raw: &str) -> Result<Answer, AnswerError> {
    match module {
        "quectel" => qgdcnt::decode(raw),
        "quectel5g" => qgdnrcnt::decode(raw),
        "ublox" => ugcntrd::decode(raw),
        "telit" => gdatavol::decode(raw),
        "nordic" => xconnstat::decode(raw),
        "lwm2m" => lwm2m::decode(raw),
        "mm" => modem_manager::decode(raw),
        other => Err(AnswerError::Module(other.to_owned())),
    }
}

/// A wrapped answer as a message of `usage.modem`. Whether card, device and time are right is for its reader to say.
///
/// # Errors
/// What cannot be read of the line or of the answer.
pub fn canonical(line: &[u8]) -> Result<Vec<u8>, AnswerError> {
    let wrapped: Wrapped<'_> = serde_json::from_slice(line).map_err(|e| AnswerError::Line(e.to_string()))?;
    let answer = decode(&wrapped.module, &wrapped.raw)?;
    let message = Canonical {
        iccid: &wrapped.iccid,
        imei: &wrapped.imei,
        counter: answer.counter,
        at: &wrapped.at,
        tx: answer.tx,
        rx: answer.rx,
        width: (answer.width != 0).then_some(answer.width),
        session: &answer.session,
    };
    serde_json::to_vec(&message).map_err(|e| AnswerError::Line(e.to_string()))
}
