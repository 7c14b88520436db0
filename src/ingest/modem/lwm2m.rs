//! OMA LwM2M object 7, Connectivity Statistics (OMA-TS-LightweightM2M-V1_0_3 appendix E.8, `7.xml` of the OMNA registry):
//! resource 2, Tx Data, and resource 3, Rx Data, "in kilobytes", IP headers included, during the collection period.
//!
//! Resource 6 (start) resets them; the period has no name, so that it is no session. The text form, `/7/0/2=<kB>
//! /7/0/3=<kB>` set apart by blanks, is of whoever asks. In bytes they do not wrap at 2^32.

use super::line::{bytes, figure};
use super::{Answer, AnswerError};

const TX: &str = "/7/0/2=";
const RX: &str = "/7/0/3=";

pub(super) fn decode(raw: &str) -> Result<Answer, AnswerError> {
    Ok(Answer {
        counter: "lwm2m.7",
        tx: resource(raw, TX)?,
        rx: resource(raw, RX)?,
        width: 64,
        session: String::new(),
    })
}

fn resource(raw: &str, path: &'static str) -> Result<u64, AnswerError> {
    let said = raw.split_ascii_whitespace().find_map(|word| word.strip_prefix(path));
    bytes(figure(said.ok_or(AnswerError::Missing(path))?, path)?, path)
}
