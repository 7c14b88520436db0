//! Lines of an answer: a mark and figures after it, as AT commands answer (3GPP TS 27.007 clause 4: information responses
//! between CR LF, values set apart by commas). Blanks around a figure do not count; an echo or an `OK` is another line.

use super::AnswerError;

/// How many bytes a kilobyte has in the counters that say kB. No document that was found says whether 1,000 or 1,024; this is
/// the one place to change if a module proves to mean the other.
pub(super) const KILOBYTE: u64 = 1_024;

/// The figures of each line with a mark, as many as there must be.
pub(super) fn figures<const N: usize>(raw: &str, mark: &'static str) -> Result<Vec<[u64; N]>, AnswerError> {
    let rests = raw.split(['\r', '\n']).filter_map(|line| line.trim_start().strip_prefix(mark));
    let lines = rests.map(|rest| of_line(rest, mark)).collect::<Result<Vec<_>, _>>()?;
    if lines.is_empty() { Err(AnswerError::Missing(mark)) } else { Ok(lines) }
}

fn of_line<const N: usize>(rest: &str, mark: &'static str) -> Result<[u64; N], AnswerError> {
    let figures = rest.split(',').map(|text| figure(text, mark)).collect::<Result<Vec<_>, _>>()?;
    let found = figures.len();
    figures.try_into().map_err(|_| AnswerError::Count { mark, found, wanted: N })
}

/// One figure: decimal digits, nothing else.
pub(super) fn figure(text: &str, mark: &'static str) -> Result<u64, AnswerError> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = || AnswerError::Figure { mark, text: text.chars().take(40).collect() };
    if digits { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

/// The sum of one of the figures over lines, one a context.
pub(super) fn sum(figures: impl Iterator<Item = u64>, mark: &'static str) -> Result<u64, AnswerError> {
    figures.into_iter().try_fold(0u64, u64::checked_add).ok_or(AnswerError::TooMuch(mark))
}

/// Kilobytes in bytes.
pub(super) fn bytes(kilobytes: u64, mark: &'static str) -> Result<u64, AnswerError> {
    kilobytes.checked_mul(KILOBYTE).ok_or(AnswerError::TooMuch(mark))
}
