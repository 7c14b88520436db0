//! Nordic nRF91 `AT%XCONNSTAT?` → `%XCONNSTAT: <SMS Tx>,<SMS Rx>,<Data Tx>,<Data Rx>,<Packet max>,<Packet average>` (nRF91
//! AT commands command reference, "Connectivity statistics %XCONNSTAT"; data in kB, packets in bytes).
//!
//! Collected since `AT%XCONNSTAT=1`, which resets it. In bytes it does not wrap at 2^32.

use super::line::{bytes, figures};
use super::{Answer, AnswerError};

const MARK: &str = "%XCONNSTAT:";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    let last = figures::<6>(raw, MARK)?.pop().ok_or(AnswerError::Missing(MARK))?;
    let [_, _, tx, rx, _, _] = last;
    Ok(Answer {
        counter: "xconnstat",
        tx: bytes(tx, MARK)?,
        rx: bytes(rx, MARK)?,
        width: 64,
        session: String::new(),
    })
}
