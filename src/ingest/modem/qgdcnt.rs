//! Quectel `AT+QGDCNT?` → `+QGDCNT: <bytes_sent>,<bytes_recv>` (Quectel's AT commands manuals, "AT+QGDCNT Packet Data
//! Counter"; answers of an EM12-G in public notes bear the order out, one public reader has it reversed).
//!
//! The counter is loaded at power-on as it was last saved; saving by itself (`AT+QAUGDCNT`) is off unless it is switched
//! on, so that it rolls back. It does not start at zero with a session.

use super::line::figures;
use super::{Answer, AnswerError};

pub(super) const MARK: &str = "+QGDCNT:";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    let [tx, rx] = registers(raw, MARK)?;
    Ok(Answer { counter: "qgdcnt", tx, rx, width: 0, session: String::new() })
}

/// Sent and received; of several answers in one text the last, as the module was asked again.
pub(super) fn registers(raw: &str, mark: &'static str) -> Result<[u64; 2], AnswerError> {
    figures::<2>(raw, mark)?.pop().ok_or(AnswerError::Missing(mark))
}
