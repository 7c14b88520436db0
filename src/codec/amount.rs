//! Amounts of bytes as people write them: `500MiB`, `1GB`, `1048576`.
//!
//! Invariant: what could mean two things is refused. The trade says "500M" and means MiB, a carrier means MB: so a bare
//! `M` or `G` is an error that shows both ways to write it.

use crate::model::Amount;

/// What an amount looks like, for messages.
pub const EXPECTED: &str = "bytes as a whole number, or text with a unit: 500MiB (2^20), 1GB (10^9)";

/// Units by the powers they stand for.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("{text:?} may mean powers of 1024 or of 1000: write {digits}{letter}iB or {digits}{letter}B")]
    Ambiguous { text: String, digits: String, letter: char },
    #[error("{0:?} is not an amount")]
    Form(String),
    #[error("{0:?} is more than 2^64 bytes")]
    TooMuch(String),
}

/// Reads an amount; one space may stand before the unit.
///
/// # Errors
/// A bare `K`, `M`, `G` or `T`, another form, or more than `u64` holds.
pub fn parse(text: &str) -> Result<Amount, AmountError> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() {
        return Err(AmountError::Form(text.to_owned()));
    }
    let unit = unit.strip_prefix(' ').filter(|unit| !unit.is_empty()).unwrap_or(unit);
    let factor = factor(text, digits, unit)?;
    let amount = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor));
    amount.ok_or_else(|| AmountError::TooMuch(text.to_owned()))
}

fn factor(text: &str, digits: &str, unit: &str) -> Result<u64, AmountError> {
    if let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    match unit.as_bytes() {
        [letter] if b"kmgtKMGT".contains(letter) => {
            let letter = char::from(letter.to_ascii_uppercase());
            Err(AmountError::Ambiguous { text: text.to_owned(), digits: digits.to_owned(), letter })
        }
        _ => Err(AmountError::Form(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_bytes() {
        let cases = [
            ("0", 0),
            ("1048576", 1_048_576),
            ("7B", 7),
            ("3kB", 3_000),
            ("3KB", 3_000),
            ("1GB", 1_000_000_000),
            ("500MB", 500_000_000),
            ("2TB", 2_000_000_000_000),
            ("500MiB", 524_288_000),
            ("1000 MiB", 1_048_576_000),
            ("1KiB", 1_024),
            ("1GiB", 1_073_741_824),
            ("1TiB", 1_099_511_627_776),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_refused_says_how_to_write_it() {
        let cases = [
            ("500M", "\"500M\" may mean powers of 1024 or of 1000: write 500MiB or 500MB"),
            ("1g", "\"1g\" may mean powers of 1024 or of 1000: write 1GiB or 1GB"),
            ("1.5GB", "\"1.5GB\" is not an amount"),
            ("MiB", "\"MiB\" is not an amount"),
            ("", "\"\" is not an amount"),
            ("-1", "\"-1\" is not an amount"),
            ("5  MiB", "\"5  MiB\" is not an amount"),
            ("5 ", "\"5 \" is not an amount"),
            ("5Mb", "\"5Mb\" is not an amount"),
            ("20000000TiB", "\"20000000TiB\" is more than 2^64 bytes"),
            ("99999999999999999999", "\"99999999999999999999\" is more than 2^64 bytes"),
        ];
        for (text, said) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), said);
        }
    }
}
