//! Decimal text and a unit → whole bytes, in whole numbers: `0.092628` MB are 92,628 bytes, not 92,627.99.
//!
//! Invariant: no binary fraction is involved; what is left over is told, never lost.

/// Significant digits that a figure may have: with the greatest unit and these, 128 bits hold all.
const DIGITS_MAX: usize = 24;
/// Powers of ten that 128 bits hold.
const POWER_MAX: i32 = 38;

/// Whole bytes, and whether a fraction of a byte was left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes {
    pub whole: u64,
    pub rest: bool,
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecimalError {
    #[error("which is no decimal number from 0")]
    Form,
    #[error("which has more than 24 digits")]
    Digits,
    #[error("which is more than 2^64 bytes")]
    TooMuch,
}

/// Reads digits with an optional point and an optional exponent, as JSON has them, in units of `factor` bytes.
pub(super) fn bytes(text: &str, factor: u64) -> Result<Bytes, DecimalError> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point_alone = mantissa.ends_with('.') || whole.is_empty();
    let all_digits = [whole, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if point_alone || !all_digits {
        return Err(DecimalError::Form);
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    if digits.clone().count() > DIGITS_MAX {
        return Err(DecimalError::Digits);
    }
    let figure = digits.fold(0_u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let fraction_digits = i32::try_from(fraction.len()).map_err(|_| DecimalError::Digits)?;
    scale(figure * u128::from(factor.min(FACTOR_MAX)), self::exponent(exponent)? - fraction_digits)
}

/// The greatest unit: 1 TiB.
const FACTOR_MAX: u64 = 1 << 40;

fn exponent(text: &str) -> Result<i32, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().map_err(|_| DecimalError::Form) } else { Err(DecimalError::Form) }
}

fn scale(figure: u128, power: i32) -> Result<Bytes, DecimalError> {
    let ten = 10_u128.pow(power.unsigned_abs().min(POWER_MAX as u32));
    if figure == 0 {
        return Ok(Bytes { whole: 0, rest: false });
    }
    let (whole, rest) = match power {
        0.. => (figure.checked_mul(ten).filter(|_| power <= POWER_MAX).ok_or(DecimalError::TooMuch)?, false),
        _ if power < -POWER_MAX => (0, true),
        _ => (figure / ten, !figure.is_multiple_of(ten)),
    };
    u64::try_from(whole).map(|whole| Bytes { whole, rest }).map_err(|_| DecimalError::TooMuch)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn amounts_are_whole_bytes_or_say_what_is_left() {
        let cases = [
            ("0", MB, 0, false),
            ("0.092628", MB, 92_628, false),
            ("1", MB, 1_000_000, false),
            ("3.1e-05", MB, 31, false),
            ("3.1E-5", MB, 31, false),
            ("1e3", 1, 1_000, false),
            ("6.53135", MB, 6_531_350, false),
            ("0.0000001", MB, 0, true),
            ("0.01", 1 << 20, 10_485, true),
            ("0.50", 1 << 20, 524_288, false),
            ("000012.5000000000000000000000000000", 1 << 10, 12_800, false),
            ("18446744073709551615", 1, u64::MAX, false),
            ("1e-999", MB, 0, true),
            ("0e999", MB, 0, false),
        ];
        for (text, factor, whole, rest) in cases {
            assert_eq!(bytes(text, factor), Ok(Bytes { whole, rest }), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let cases = [
            ("", DecimalError::Form),
            (".5", DecimalError::Form),
            ("5.", DecimalError::Form),
            ("-1", DecimalError::Form),
            ("+1", DecimalError::Form),
            ("1,5", DecimalError::Form),
            ("1.5.5", DecimalError::Form),
            ("1e", DecimalError::Form),
            ("1e+-5", DecimalError::Form),
            ("1e1000", DecimalError::Form),
            ("NaN", DecimalError::Form),
            ("１", DecimalError::Form),
            ("18446744073709551616", DecimalError::TooMuch),
            ("1e999", DecimalError::TooMuch),
            ("1234567890123456789012345", DecimalError::Digits),
        ];
        for (text, wrong) in cases {
            assert_eq!(bytes(text, 1), Err(wrong), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Any count of bytes, written as MB with six places, comes back.
        #[test]
        fn megabytes_with_six_places_are_exact(count in any::<u64>()) {
            let text = format!("{}.{:06}", count / MB, count % MB);
            prop_assert_eq!(bytes(&text, MB), Ok(Bytes { whole: count, rest: false }));
        }

        #[test]
        fn any_text_is_an_amount_or_refused(text in "[0-9.eE+-]{0,40}", factor in any::<u64>()) {
            let _ = bytes(&text, factor);
        }
    }
}
