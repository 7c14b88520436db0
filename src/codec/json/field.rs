//! One JSON value of any type, borrowed, so that a value of the wrong type can be named by its field: serde alone would
//! say where it is, but not which field.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use serde_json::Value;

use super::error::{JsonError, shown};
use crate::codec::amount::{self, AmountError};
use crate::codec::time;
use crate::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use crate::model::{Amount, CardId, Day, Number, NumberKind, UnixTime};

/// A value.
#[derive(Debug, Default)]
pub(crate) enum Field<'a> {
    #[default]
    Absent,
    Null,
    Text(Cow<'a, str>),
    Whole(u64),
    /// A number below zero or with a fraction.
    Odd(f64),
    Other(&'static str),
}

pub(crate) const TIME: &str = "RFC 3339 with an offset, like 2026-08-01T09:30:15+08:00";
const ICCID: &str = "text of 19 or 20 characters 0-9 and A-F";
const DAY: &str = "a date, like 2026-08-01";
const REASON: &str = "text of 1 to 1024 bytes";
const NAME: &str = "text of 1 to 128 bytes";
const WHOLE: &str = "a whole number from 0";
pub(super) const DIGITS: &str = "text of 1 to 16 digits";

impl<'a> Field<'a> {
    pub(crate) fn is_said(&self) -> bool {
        !matches!(self, Self::Absent | Self::Null)
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self, Self::Other("true"))
    }

    /// Text of a name's length, not empty.
    pub(crate) fn name(self, field: &'static str) -> Result<Cow<'a, str>, JsonError> {
        self.text(field, NAME_BYTES_MAX, NAME)
    }

    fn text(
        self,
        field: &'static str,
        bytes_max: usize,
        expected: &'static str,
    ) -> Result<Cow<'a, str>, JsonError> {
        match self {
            Self::Text(text) if (1..=bytes_max).contains(&text.len()) => Ok(text),
            Self::Text(text) => Err(JsonError::new(field, format!("has {} bytes", text.len()), expected)),
            other => Err(other.wrong(field, expected)),
        }
    }

    /// The id of an event or of a record that was set aside.
    pub(crate) fn reference(self, field: &'static str) -> Result<String, JsonError> {
        self.text(field, REASON_BYTES_MAX, REASON).map(Cow::into_owned)
    }

    /// What a person wrote, if it is said.
    pub(crate) fn optional_reason(self, field: &'static str) -> Result<Option<String>, JsonError> {
        if !self.is_said() {
            return Ok(None);
        }
        self.text(field, REASON_BYTES_MAX, REASON).map(|text| Some(text.into_owned()))
    }

    /// The same, if it is said.
    pub(crate) fn optional_name(self, field: &'static str) -> Result<Option<Cow<'a, str>>, JsonError> {
        if self.is_said() { self.name(field).map(Some) } else { Ok(None) }
    }

    pub(crate) fn time(self, field: &'static str) -> Result<UnixTime, JsonError> {
        match self {
            Self::Text(text) => time::parse(&text)
                .ok_or_else(|| JsonError::new(field, format!("is {}, which is no time", shown(&text)), TIME)),
            other => Err(other.wrong(field, TIME)),
        }
    }

    /// A whole number up to `max`; `1.0` is one, as JSON Schema has it.
    pub(crate) fn whole(self, field: &'static str, max: u64) -> Result<u64, JsonError> {
        let value = match self {
            Self::Whole(value) => value,
            #[allow(clippy::cast_sign_loss, reason = "not below zero")]
            Self::Odd(value) if value >= 0.0 && value.fract() == 0.0 && value <= EXACT => value as u64,
            other => return Err(other.wrong(field, WHOLE)),
        };
        if value <= max {
            return Ok(value);
        }
        Err(JsonError::new(field, format!("is {value}; the most is {max}"), ""))
    }

    pub(crate) fn flag(self, field: &'static str) -> Result<bool, JsonError> {
        match self {
            Self::Other("true") => Ok(true),
            Self::Other("false") => Ok(false),
            other => Err(other.wrong(field, "true or false")),
        }
    }

    /// An amount of bytes with a clear unit.
    pub(crate) fn amount(self, field: &'static str) -> Result<Amount, JsonError> {
        match &self {
            Self::Text(text) => amount::parse(text).map_err(|error| {
                let expected = if matches!(error, AmountError::Form(_)) { amount::EXPECTED } else { "" };
                JsonError::new(field, format!("cannot be used: {error}"), expected)
            }),
            Self::Whole(_) | Self::Odd(_) => self.whole(field, u64::MAX),
            _ => Err(self.wrong(field, amount::EXPECTED)),
        }
    }

    /// A signed amount: a whole number, or text like `500MiB` or `-1GB`.
    pub(crate) fn signed(self, field: &'static str) -> Result<i64, JsonError> {
        const SIGNED: &str = "bytes, as a whole number or as text with a unit, like -500MiB";
        let too_much = |bytes| JsonError::new(field, format!("is {bytes} bytes, which is too much"), SIGNED);
        match &self {
            Self::Text(text) => {
                let (sign, digits) = text.strip_prefix('-').map_or((1, &**text), |digits| (-1, digits));
                let wrong = |e: AmountError| JsonError::new(field, format!("cannot be used: {e}"), SIGNED);
                let bytes = amount::parse(digits).map_err(wrong)?;
                i64::try_from(bytes).map(|bytes| sign * bytes).map_err(|_| too_much(bytes))
            }
            Self::Whole(bytes) => i64::try_from(*bytes).map_err(|_| too_much(*bytes)),
            Self::Odd(value) if value.fract() == 0.0 && value.abs() <= EXACT => Ok(*value as i64),
            _ => Err(self.wrong(field, SIGNED)),
        }
    }

    /// An ICCID as text.
    pub(crate) fn iccid(&self, field: &'static str) -> Result<CardId, JsonError> {
        let Self::Text(text) = self else { return Err(self.wrong(field, ICCID)) };
        CardId::parse(text).map_err(|error| JsonError::new(field, format!("is {}: {error}", shown(text)), ""))
    }

    /// A calendar day.
    pub(crate) fn day(self, field: &'static str) -> Result<Day, JsonError> {
        match self {
            Self::Text(text) => time::parse_day(&text)
                .ok_or_else(|| JsonError::new(field, format!("is {}, which is no day", shown(&text)), DAY)),
            other => Err(other.wrong(field, DAY)),
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(
        self,
        field: &'static str,
        words: &[(&str, T)],
        expected: &'static str,
    ) -> Result<T, JsonError> {
        let Self::Text(text) = &self else { return Err(self.wrong(field, expected)) };
        let chosen = words.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
        chosen.ok_or_else(|| self.wrong(field, expected))
    }

    /// A subscriber number as text; an MSISDN may have a plus.
    pub(crate) fn number(self, field: &'static str, kind: NumberKind) -> Result<Number, JsonError> {
        let Self::Text(text) = &self else { return Err(self.wrong(field, DIGITS)) };
        let digits = match kind {
            NumberKind::Msisdn => text.strip_prefix('+').unwrap_or(text),
            NumberKind::Imsi | NumberKind::Imei => text,
        };
        parse_digits(digits)
            .map(|digits| Number { kind, digits })
            .ok_or_else(|| JsonError::new(field, format!("is {}", shown(text)), DIGITS))
    }

    /// The same, if it is said.
    pub(crate) fn optional_number(
        self,
        field: &'static str,
        kind: NumberKind,
    ) -> Result<Option<Number>, JsonError> {
        if self.is_said() { self.number(field, kind).map(Some) } else { Ok(None) }
    }

    #[cold]
    pub(crate) fn wrong(&self, field: &'static str, expected: &'static str) -> JsonError {
        let problem = match self {
            Self::Absent => return JsonError::missing(field, expected),
            Self::Null => "is null".to_owned(),
            Self::Text(text) => format!("is the text {}", shown(text)),
            Self::Whole(value) => format!("is the number {value}"),
            Self::Odd(value) => format!("is the number {value}"),
            Self::Other(kind) => format!("is {kind}"),
        };
        JsonError::new(field, problem, expected)
    }
}

/// Greatest whole number up to which every whole number is an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(crate) fn parse_digits(text: &str) -> Option<u64> {
    let fits = (1..=crate::limits::NUMBER_DIGITS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.bytes().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

impl<'a> From<&'a Value> for Field<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Number(number) => match number.as_u64() {
                Some(whole) => Self::Whole(whole),
                None => Self::Odd(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::Bool(true) => Self::Other("true"),
            Value::Bool(false) => Self::Other("false"),
            Value::Array(_) => Self::Other("a list"),
            Value::Object(_) => Self::Other("an object"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Field::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(value).map_or(Field::Odd(value as f64), Field::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Field::Odd(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Field::Other(if value { "true" } else { "false" }))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other("an object"))
    }
}
