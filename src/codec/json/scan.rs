//! The fast way through the objects that come most: flat, texts without escapes, whole numbers, nulls.
//!
//! Anything else (escapes, nested values, fractions, faults of any kind) is not judged here: the scan gives up and serde
//! reads the record. Invariant: where the scan succeeds, serde would have read the same fields; a property test holds it.

use std::borrow::Cow;

use super::field::Field;

/// Hands each field to `set`, in order; `None` if the object is not of the plain kind, or `set` answers `false`.
pub(super) fn scan<'a>(bytes: &'a [u8], mut set: impl FnMut(&'a str, Field<'a>) -> bool) -> Option<()> {
    let mut scanner = Scanner { text: std::str::from_utf8(bytes).ok()?, bytes, at: 0 };
    scanner.expect(b'{')?;
    loop {
        scanner.expect(b'"')?;
        let key = scanner.string()?;
        scanner.expect(b':')?;
        let value = scanner.value()?;
        if !set(key, value) {
            return None;
        }
        match scanner.token()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    scanner.token().is_none().then_some(())
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The next byte that is no space.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.token()? == byte).then_some(())
    }

    #[inline]
    fn value(&mut self) -> Option<Field<'a>> {
        match self.token()? {
            b'"' => self.string().map(|text| Field::Text(Cow::Borrowed(text))),
            digit @ b'0'..=b'9' => self.number(digit).map(Field::Whole),
            b'n' => self.literal(b"ull").map(|()| Field::Null),
            _ => None,
        }
    }

    /// A text whose opening quote has been taken; its closing quote is taken too.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = self.quote()?;
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// Where the next quote is, if no escape and no control character comes before it. Eight bytes at a time.
    #[inline]
    fn quote(&self) -> Option<usize> {
        let mut at = self.at;
        while let Some(word) = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let marks = marks(u64::from_le_bytes(*word));
            if marks != 0 {
                let found = at + marks.trailing_zeros() as usize / 8;
                return (*self.bytes.get(found)? == b'"').then_some(found);
            }
            at += 8;
        }
        let rest = self.bytes.get(at..)?;
        let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        (*rest.get(found)? == b'"').then_some(at + found)
    }

    /// A whole number of up to 19 digits, the first of which has been taken.
    #[inline]
    fn number(&mut self, first: u8) -> Option<u64> {
        const DIGITS_MAX: usize = 19;
        let start = self.at;
        let mut value = u64::from(first - b'0');
        while let Some(digit) =
            self.bytes.get(self.at).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10)
        {
            if self.at - start + 1 >= DIGITS_MAX {
                return None;
            }
            value = value * 10 + u64::from(digit);
            self.at += 1;
        }
        let leading_zero = first == b'0' && self.at > start;
        let goes_on = matches!(self.bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        (!leading_zero && !goes_on).then_some(value)
    }

    fn literal(&mut self, rest: &[u8]) -> Option<()> {
        let end = self.at + rest.len();
        (self.bytes.get(self.at..end)? == rest).then_some(())?;
        self.at = end;
        Some(())
    }
}

/// The high bit of each byte that is a quote, a backslash or a control character; exact up to the lowest one.
#[inline]
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let quote = word ^ u64::from_le_bytes([b'"'; 8]);
    let backslash = word ^ u64::from_le_bytes([b'\\'; 8]);
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let control = word.wrapping_sub(u64::from_le_bytes([0x20; 8])) & !word;
    (zero(quote) | zero(backslash) | control) & HIGHS
}
