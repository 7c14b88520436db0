//! Quectel's 5G modules: `AT+QGDCNT?;+QGDNRCNT?` → a line `+QGDCNT: <sent>,<received>` and a line `+QGDNRCNT:
//! <sent>,<received>` (as public readers of RG50xQ and RM5xxQ modules have it; no manual was at hand), to be added.
//!
//! Most of those readers take the second line as sent, received, and so does this; one takes it the other way round. The sum
//! of both directions does not depend on it. A sum of two registers does not wrap at 2^32.

use super::line::sum;
use super::qgdcnt::{self, registers};
use super::{Answer, AnswerError};

const MARK: &str = "+QGDNRCNT:";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    let ([lte_tx, lte_rx], [nr_tx, nr_rx]) = (registers(raw, qgdcnt::MARK)?, registers(raw, MARK)?);
    Ok(Answer {
        counter: "qgdcnt+qgdnrcnt",
        tx: sum([lte_tx, nr_tx].into_iter(), MARK)?,
        rx: sum([lte_rx, nr_rx].into_iter(), MARK)?,
        width: 64,
        session: String::new(),
    })
}
