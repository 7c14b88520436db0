//! The fast way through the objects that come most: texts without escapes, whole numbers, nulls; what nobody asks for is
//! passed over, nested or not.
//!
//! Anything else (escapes, faults of any kind) is not judged here: the scan gives up and serde reads the record. Invariant:
//! where the scan succeeds, serde would have read the same fields; a property test holds it.

use std::borrow::Cow;

use super::field::Field;

/// Levels of what is passed over; serde goes deeper.
const DEPTH_MAX: usize = 16;

/// Hands each field of a flat object to `set`, in order; `None` if the object is not of the plain kind, or `set` answers
/// `false`.
pub(super) fn scan<'a>(bytes: &'a [u8], mut set: impl FnMut(&'a str, Field<'a>) -> bool) -> Option<()> {
    Scanner::whole(bytes, |scanner, key| {
        let value = scanner.value()?;
        set(key, value).then_some(())
    })
}

/// A place in a record. Whatever is asked of it, `None` means that serde must look at the record.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Reads an object that is all there is: `each` is called before each value, and must take it.
    #[inline]
    pub(crate) fn whole(bytes: &'a [u8], each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        let mut scanner = Scanner { text: std::str::from_utf8(bytes).ok()?, bytes, at: 0 };
        scanner.object(each)?;
        scanner.token().is_none().then_some(())
    }

    /// Takes an object: `each` is called before each value, and must take it.
    #[inline]
    pub(crate) fn object(&mut self, each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        self.members(each)
    }

    #[inline]
    fn members(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        let mut token = self.token()?;
        if token == b'}' {
            return Some(());
        }
        while token == b'"' {
            let key = self.string()?;
            self.expect(b':')?;
            each(self, key)?;
            match self.token()? {
                b',' => token = self.token()?,
                b'}' => return Some(()),
                _ => return None,
            }
        }
        None
    }

    fn elements(&mut self, depth: usize) -> Option<()> {
        let mut token = self.token()?;
        if token == b']' {
            return Some(());
        }
        loop {
            self.pass(token, depth)?;
            match self.token()? {
                b',' => token = self.token()?,
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Passes over a value, whatever it is.
    #[inline]
    pub(crate) fn skip(&mut self) -> Option<()> {
        let first = self.token()?;
        self.pass(first, 0)
    }

    /// Passes over a value whose first byte has been taken.
    fn pass(&mut self, first: u8, depth: usize) -> Option<()> {
        match first {
            b'"' => self.string().map(drop),
            b'{' | b'[' if depth >= DEPTH_MAX => None,
            b'{' => self.members(|scanner, _| {
                let first = scanner.token()?;
                scanner.pass(first, depth + 1)
            }),
            b'[' => self.elements(depth + 1),
            b'n' => self.literal(b"ull"),
            b't' => self.literal(b"rue"),
            b'f' => self.literal(b"alse"),
            _ => self.decimal(first).map(drop),
        }
    }

    /// Takes a text.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        self.string()
    }

    /// Takes a number, or a text, as it stands there.
    #[inline]
    pub(crate) fn figure(&mut self) -> Option<&'a str> {
        match self.token()? {
            b'"' => self.string(),
            first => self.decimal(first),
        }
    }

    /// Takes a whole number.
    #[inline]
    pub(crate) fn whole_number(&mut self) -> Option<u64> {
        let first = self.token()?;
        self.number(first)
    }

    /// Takes a whole number of at most 19 digits, as it stands there.
    #[inline]
    pub(crate) fn digits(&mut self) -> Option<&'a str> {
        let first = self.token()?;
        let start = self.at - 1;
        self.number(first)?;
        self.text.get(start..self.at)
    }

    /// A number whose first byte has been taken, in the grammar of JSON.
    fn decimal(&mut self, first: u8) -> Option<&'a str> {
        let start = self.at - 1;
        let first = if first == b'-' { self.byte()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.pass_digits(),
            _ => return None,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        self.text.get(start..self.at)
    }

    fn byte(&mut self) -> Option<u8> {
        self.at += 1;
        self.bytes.get(self.at - 1).copied()
    }

    fn some_digits(&mut self) -> Option<()> {
        self.byte()?.is_ascii_digit().then(|| self.pass_digits())
    }

    fn pass_digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

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

    /// Takes a text, a whole number or a null.
    #[inline]
    pub(crate) fn value(&mut self) -> Option<Field<'a>> {
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
        let mut value = u64::from(Some(first.wrapping_sub(b'0')).filter(|digit| *digit < 10)?);
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
