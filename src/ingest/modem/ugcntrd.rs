//! u-blox `AT+UGCNTRD` → `+UGCNTRD: <cid>,<sent_sess_bytes>,<received_sess_bytes>,<sent_total_bytes>,<received_total_bytes>`,
//! a line a context (u-blox AT commands manual, UBX-13002752, "Get counter of sent/received PSD data +UGCNTRD"; samples in
//! ModemManager's tests of its u-blox plugin).
//!
//! The totals are read: they go on over sessions, and are restored at power-on as they were last saved.

use super::line::{figures, sum};
use super::{Answer, AnswerError};

const MARK: &str = "+UGCNTRD:";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    let contexts = figures::<5>(raw, MARK)?;
    Ok(Answer {
        counter: "ugcntrd.total",
        tx: sum(contexts.iter().map(|[_, _, _, tx, _]| *tx), MARK)?,
        rx: sum(contexts.iter().map(|[_, _, _, _, rx]| *rx), MARK)?,
        width: 0,
        session: String::new(),
    })
}
