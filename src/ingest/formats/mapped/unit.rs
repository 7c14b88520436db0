//! Units of volumes: named by the configuration, or standing with each figure.
//!
//! Invariant: nothing is guessed. `KB` and `MB` mean 1000 with one carrier and 1024 with another, so a bare letter is no unit;
//! figures in decimal units must come to whole bytes, and those in binary units, which carriers round, are cut to whole bytes.

use super::super::decimal::{self, DecimalError};

/// What a feed's volumes are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub enum Unit {
    B,
    #[serde(rename = "kB")]
    Kilo,
    #[serde(rename = "MB")]
    Mega,
    #[serde(rename = "GB")]
    Giga,
    KiB,
    MiB,
    GiB,
    /// The unit stands with the figure (`1GB20MB`, `0.50KB`), in powers of 1000.
    #[serde(rename = "said-1000")]
    Said1000,
    /// The same in powers of 1024.
    #[serde(rename = "said-1024")]
    Said1024,
}

impl Unit {
    /// A figure in bytes.
    pub(super) fn bytes(self, text: &str) -> Result<u64, &'static str> {
        match self {
            Self::B => exact(text, 1),
            Self::Kilo => exact(text, 1_000),
            Self::Mega => exact(text, 1_000_000),
            Self::Giga => exact(text, 1_000_000_000),
            Self::KiB => cut(text, 1 << 10),
            Self::MiB => cut(text, 1 << 20),
            Self::GiB => cut(text, 1 << 30),
            Self::Said1000 => said(text, 1_000, exact),
            Self::Said1024 => said(text, 1_024, cut),
        }
    }
}

fn exact(text: &str, factor: u64) -> Result<u64, &'static str> {
    let bytes = decimal::bytes(text, factor).map_err(problem)?;
    if bytes.rest { Err("which is no whole number of bytes: is the unit another?") } else { Ok(bytes.whole) }
}

fn cut(text: &str, factor: u64) -> Result<u64, &'static str> {
    decimal::bytes(text, factor).map(|bytes| bytes.whole).map_err(problem)
}

fn problem(error: DecimalError) -> &'static str {
    match error {
        DecimalError::Form => "which is no decimal number from 0",
        DecimalError::Digits => "which has more than 24 digits",
        DecimalError::TooMuch => TOO_MUCH,
    }
}

const TOO_MUCH: &str = "which is more than 2^64 bytes";

/// Figures with their units, one after another: their sum.
fn said(
    text: &str,
    base: u64,
    bytes: impl Fn(&str, u64) -> Result<u64, &'static str>,
) -> Result<u64, &'static str> {
    const NO_UNIT: &str = "in which a figure has no unit of B, KB, MB, GB, TB";
    let mut rest = text.trim();
    let mut sum = 0_u64;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(NO_UNIT)?;
        let (figure, behind) = rest.split_at(digits);
        let behind = behind.trim_start();
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let power = power(unit).ok_or(NO_UNIT)?;
        sum = sum.checked_add(bytes(figure, base.pow(power))?).ok_or(TOO_MUCH)?;
        rest = behind.trim_start();
        if rest.is_empty() {
            return Ok(sum);
        }
    }
}

/// Which power of the base a unit is.
fn power(unit: &str) -> Option<u32> {
    let letters = unit.to_ascii_uppercase();
    let power = match letters.strip_suffix('B').unwrap_or(&letters) {
        "" if letters == "B" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return None,
    };
    Some(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_bytes() {
        let cases = [
            (Unit::B, "1536", 1_536),
            (Unit::B, "1536.000", 1_536),
            (Unit::Kilo, "1.536", 1_536),
            (Unit::Mega, "0.001", 1_000),
            (Unit::Giga, "2", 2_000_000_000),
            (Unit::KiB, "1.5", 1_536),
            (Unit::MiB, "0.01", 10_485), // 10,485.76
            (Unit::GiB, "1", 1_073_741_824),
            (Unit::Said1024, "0.00MB", 0),
            (Unit::Said1024, "1GB2MB3KB", 1_073_741_824 + 2_097_152 + 3_072),
            (Unit::Said1024, "12.5 M", 13_107_200),
            (Unit::Said1000, "1gb 2mb 7B", 1_002_000_007),
        ];
        for (unit, text, bytes) in cases {
            assert_eq!(unit.bytes(text), Ok(bytes), "{unit:?} {text}");
        }
    }

    #[test]
    fn what_is_no_volume_is_refused() {
        let cases = [
            (Unit::B, "1.5", "no whole number of bytes"),
            (Unit::Mega, "0.0000001", "no whole number of bytes"),
            (Unit::MiB, "x", "no decimal number"),
            (Unit::MiB, "-1", "no decimal number"),
            (Unit::MiB, "1MB", "no decimal number"),
            (Unit::GiB, "99999999999999", "more than 2^64"),
            (Unit::Said1024, "5", "no unit"),
            (Unit::Said1024, "5XB", "no unit"),
            (Unit::Said1024, "MB", "no decimal number"),
            (Unit::Said1024, "5MiB", "no unit"),
            (Unit::Said1024, "", "no unit"),
            (Unit::Said1024, "16777215TB16777215TB", "more than 2^64"),
        ];
        for (unit, text, problem) in cases {
            let found = unit.bytes(text).unwrap_err();
            assert!(found.contains(problem), "{unit:?} {text}: {found}");
        }
    }
}
