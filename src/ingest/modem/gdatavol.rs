//! Telit `AT#GDATAVOL=2` → `#GDATAVOL: <cid>,<tot>,<sent>,<received>`, a line a context (Telit AT commands reference guide,
//! "GPRS Data Volume - #GDATAVOL"; 2 asks for what was counted since the last reset).
//!
//! A sample in public tests adds up only with the total last, which would be another order. So the figures must add up as
//! the guide has them; an answer in another order is an error, not a count of the wrong figures.

use super::line::{figures, sum};
use super::{Answer, AnswerError};

const MARK: &str = "#GDATAVOL:";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    let contexts = figures::<4>(raw, MARK)?;
    let adds_up = |[_, total, sent, received]: &[u64; 4]| sent.checked_add(*received) == Some(*total);
    if !contexts.iter().all(adds_up) {
        return Err(AnswerError::Sum(MARK));
    }
    Ok(Answer {
        counter: "gdatavol",
        tx: sum(contexts.iter().map(|[_, _, sent, _]| *sent), MARK)?,
        rx: sum(contexts.iter().map(|[_, _, _, received]| *received), MARK)?,
        width: 0,
        session: String::new(),
    })
}
