//! ModemManager: `mmcli -b N -K` → lines `bearer.stats.bytes-tx: <bytes>`, `bearer.stats.bytes-rx: <bytes>`,
//! `bearer.stats.start-date: <seconds>` among others (D-Bus property `Stats` of `org.freedesktop.ModemManager1.Bearer`:
//! `tx-bytes` and `rx-bytes` are 64 bits, of the ongoing connection; `start-date` is when it began).
//!
//! They start at zero with each connection, and its beginning is their session. A start-date as a number of seconds is of
//! whoever asks.

use super::line::figure;
use super::{Answer, AnswerError};

const TX: &str = "bearer.stats.bytes-tx";
const RX: &str = "bearer.stats.bytes-rx";
const START: &str = "bearer.stats.start-date";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    let figure_of = |key| figure(value(raw, key)?, key);
    Ok(Answer {
        counter: "mm",
        tx: figure_of(TX)?,
        rx: figure_of(RX)?,
        width: 64,
        session: figure_of(START)?.to_string(),
    })
}

/// What stands behind a key: keys are padded with blanks up to the colon.
fn value<'a>(raw: &'a str, key: &'static str) -> Result<&'a str, AnswerError> {
    let pairs = raw.split(['\r', '\n']).filter_map(|line| line.split_once(':'));
    let found = pairs.filter(|(name, _)| name.trim() == key).map(|(_, value)| value).next();
    found.ok_or(AnswerError::Missing(key))
}
