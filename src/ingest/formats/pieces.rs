//! A message or a file of JSON → its pieces, without reading them: brackets and quotes are followed, nothing else.
//!
//! A file is either lines, each a value, or values that go over lines; which of them, its first line says, and where that
//! breaks off the second. A list at the top is its elements. Where the brackets of a value do not close, the rest (of
//! the line, where there are lines) is one piece that says so. Where nothing is wrong with it, a text is cut straight
//! away in one pass; else it is looked at with care, one pass a level of nesting looked into. Invariant: both come to
//! the same pieces.

use std::ops::Range;

/// A part of a message that is one record, or should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Byte position in the message or file.
    pub at: usize,
    /// The piece as it stands there.
    pub bytes: &'a [u8],
    /// Whose it is, where that stands outside of it.
    pub of: Option<&'a str>,
    /// Why it is no record, if that was seen before it was read.
    pub fault: Option<&'static str>,
}

/// Why the rest of a message cannot be cut.
pub(super) const UNCLOSED: &str = "a JSON value does not end";
pub(super) const NO_COMMA: &str = "between two JSON values a comma is missing";
const NO_COLON: &str = "a JSON object without a colon behind a key";

/// A walk over JSON text.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    /// Where it ends.
    pub end: usize,
    /// Whether a bracket stood where a value should: then the elements of a list may end elsewhere than its brackets do.
    is_odd: bool,
}

/// Whether a byte outside of texts is a quote or a bracket.
const IS_MARK: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 5 {
        table[b"\"{}[]"[at] as usize] = true;
        at += 1;
    }
    table
};

/// A member of an object or an element of a list.
pub(super) type Found = Result<Range<usize>, &'static str>;

impl<'a> Walk<'a> {
    /// Walks a part of the same text.
    pub(super) fn over(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes, at: range.start, end: range.end.min(bytes.len()), is_odd: false }
    }

    fn byte(&self) -> Option<u8> {
        if self.at < self.end { self.bytes.get(self.at).copied() } else { None }
    }

    /// The next byte that is no space; it is not taken.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    /// Passes over one value; `None` if it does not end.
    pub(super) fn value(&mut self) -> Option<Range<usize>> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => self.scalar(),
        }
        Some(start..self.at)
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            while let Some(word) = self.rest().and_then(<[u8]>::first_chunk::<8>) {
                let marks = marks(*word);
                self.at += marks.trailing_zeros() as usize / 8;
                if marks != 0 {
                    break;
                }
            }
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    fn rest(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.at..self.end)
    }

    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let rest = self.rest()?;
            let passed = rest.iter().position(|byte| IS_MARK[usize::from(*byte)])?;
            self.at += passed;
            match rest.get(passed)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Whether an object may follow in the next line, behind what is open at the end of this one.
    fn goes_on_with_an_object(mut self) -> bool {
        let last = self.rest().and_then(|rest| rest.trim_ascii_end().last().copied());
        let mut open = Vec::new();
        while let Some(passed) =
            self.rest().and_then(|rest| rest.iter().position(|byte| IS_MARK[usize::from(*byte)]))
        {
            self.at += passed;
            match self.byte() {
                // No text goes over lines.
                Some(b'"') if self.string().is_none() => return false,
                Some(b'"') => continue,
                Some(bracket @ (b'{' | b'[')) => open.push(bracket),
                _ => drop(open.pop()),
            }
            self.at += 1;
        }
        match open.last() {
            Some(b'{') => last == Some(b':'),
            _ => matches!(last, Some(b',' | b'[')),
        }
    }

    /// A number or a word, or what stands in the place of one: at least a byte, so that a walk goes on.
    fn scalar(&mut self) {
        self.is_odd |= matches!(self.byte(), Some(b']' | b'}'));
        self.at += 1;
        while self.byte().is_some_and(|byte| !b" \n\r\t,]}[{\":".contains(&byte)) {
            self.at += 1;
        }
    }

    /// The elements of the list that begins here, to its end; behind a fault nothing more is looked for.
    pub(super) fn elements(&mut self, mut each: impl FnMut(Found)) {
        self.inside(b']', |walk| walk.value().ok_or(UNCLOSED), &mut each);
    }

    /// The members of the object that begins here: each with its key's text between the quotes, and its value.
    pub(super) fn members(&mut self, mut each: impl FnMut(Result<(&'a [u8], Range<usize>), &'static str>)) {
        self.inside(b'}', Self::member, &mut each);
    }

    /// The members of the object that begins here, to its end, with nothing wrong: `each` is called before each value, and
    /// must pass over it; else `None`.
    pub(super) fn straight_members(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        let mut whole = true;
        let next = |walk: &mut Self| {
            let key = walk.key()?;
            each(walk, key).ok_or(UNCLOSED)
        };
        self.inside(b'}', next, &mut |found| whole &= found.is_ok());
        (whole && !self.is_odd).then_some(())
    }

    fn member(&mut self) -> Result<(&'a [u8], Range<usize>), &'static str> {
        let key = self.key()?;
        let value = self.value().ok_or(UNCLOSED)?;
        Ok((key, value))
    }

    /// A key's text between the quotes, and its colon.
    fn key(&mut self) -> Result<&'a [u8], &'static str> {
        let key = self.value().ok_or(UNCLOSED)?;
        if !self.take(b':') {
            return Err(NO_COLON);
        }
        let quoted = self.bytes.get(key).unwrap_or_default();
        let text = quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(quoted);
        Ok(text)
    }

    fn inside<T>(
        &mut self,
        close: u8,
        mut next: impl FnMut(&mut Self) -> Result<T, &'static str>,
        each: &mut impl FnMut(Result<T, &'static str>),
    ) {
        self.at += 1;
        if self.take(close) {
            return;
        }
        loop {
            let found = next(self);
            let failed = found.is_err();
            each(found);
            if failed || self.take(close) {
                return;
            }
            if !self.take(b',') {
                return each(Err(if self.peek().is_none() { UNCLOSED } else { NO_COMMA }));
            }
        }
    }
}

/// The high bit of each byte that is a quote or a backslash; exact up to the lowest one.
#[inline]
fn marks(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let word = u64::from_le_bytes(word);
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGHS;
    let quote = word ^ u64::from_le_bytes([b'"'; 8]);
    let backslash = word ^ u64::from_le_bytes([b'\\'; 8]);
    zero(quote) | zero(backslash)
}

/// The pieces found so far.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    pub bytes: &'a [u8],
    pub pieces: Vec<Piece<'a>>,
}

impl<'a> Cut<'a> {
    /// A piece of that range.
    pub(super) fn piece(&mut self, range: Range<usize>, of: Option<&'a str>) {
        let at = range.start;
        let bytes = self.bytes.get(range).unwrap_or_default();
        self.pieces.push(Piece { at, bytes, of, fault: None });
    }

    /// A piece that cannot be one.
    pub(super) fn fault(&mut self, range: Range<usize>, fault: &'static str) {
        self.piece(range, None);
        if let Some(piece) = self.pieces.last_mut() {
            piece.fault = Some(fault);
        }
    }

    /// The elements of the list that begins here, each a piece of `of`; `None` if anything is wrong, or it is no list.
    pub(super) fn straight(&mut self, walk: &mut Walk<'a>, of: Option<&'a str>) -> Option<()> {
        (walk.peek()? == b'[').then_some(())?;
        let mut whole = true;
        walk.elements(|found| match found {
            Ok(range) => self.piece(range, of),
            Err(_) => whole = false,
        });
        (whole && !walk.is_odd).then_some(())
    }

    /// The elements of a list, each a piece of `of`; anything else is a piece itself.
    pub(super) fn listed(&mut self, range: Range<usize>, of: Option<&'a str>) {
        let mut walk = Walk::over(self.bytes, range.clone());
        if walk.peek() != Some(b'[') {
            return self.piece(range, of);
        }
        let mut last = walk.at;
        walk.elements(|found| match found {
            Ok(element) => {
                last = element.end;
                self.piece(element, of);
            }
            Err(fault) => self.fault(last..range.end, fault),
        });
    }
}

/// The values at the top of a text, in lines or over them. Each is cut `straight` if it can be; else it is handed to `each`, as
/// if nothing had been cut of it.
pub(super) fn top<'a>(
    (bytes, in_lines): (&'a [u8], bool),
    straight: impl Fn(&mut Cut<'a>, &mut Walk<'a>) -> Option<()>,
    mut each: impl FnMut(&mut Cut<'a>, Range<usize>),
) -> Vec<Piece<'a>> {
    let mut cut = Cut { bytes, pieces: Vec::new() };
    let start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let mut walk = Walk::over(bytes, start..bytes.len());
    if in_lines {
        for line in lines(bytes, start) {
            each(&mut cut, line);
        }
        return cut.pieces;
    }
    while walk.peek().is_some() {
        let (from, before) = (walk.at, cut.pieces.len());
        let mut ahead = walk.clone();
        if straight(&mut cut, &mut ahead).is_some() {
            walk = ahead;
            continue;
        }
        cut.pieces.truncate(before);
        match walk.value() {
            Some(value) => each(&mut cut, value),
            // An open list is looked into, so that what is whole of it is read.
            None if bytes.get(from) == Some(&b'[') => {
                each(&mut cut, from..bytes.len());
                break;
            }
            None => {
                cut.fault(from..bytes.len(), UNCLOSED);
                break;
            }
        }
    }
    cut.pieces
}

/// What some programs put before a text in UTF-8.
pub(in crate::ingest) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Whether a text that begins so is lines, each a value of its own: the first line with anything in it holds one value and
/// nothing else. Where it is an object that breaks off, the next line is one by itself, where no text over several lines could
/// have one: one broken line must not swallow a whole file.
pub(super) fn is_written_in_lines(start: &[u8]) -> bool {
    let from = if start.starts_with(BOM) { BOM.len() } else { 0 };
    let mut lines = lines(start, from);
    let Some(first) = lines.next() else { return false };
    let rest = start.get(first.end..).unwrap_or_default();
    if memchr::memchr(b'\n', rest).is_none() {
        return false;
    }
    let begins_object = |line: &Range<usize>| start.get(line.start) == Some(&b'{');
    match Walk::over(start, first.clone()).value() {
        Some(value) => value == first,
        None if !begins_object(&first) || Walk::over(start, first.clone()).goes_on_with_an_object() => false,
        None => lines.next().is_some_and(|second| {
            begins_object(&second) && Walk::over(start, second.clone()).value() == Some(second)
        }),
    }
}

/// The lines with anything in them, without the spaces around.
fn lines(bytes: &[u8], start: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = start;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..len)?;
            let from = at + (len - line.trim_ascii_start().len());
            at += len + 1;
            let text = line.trim_ascii();
            if !text.is_empty() {
                return Some(from..from + text.len());
            }
        }
    })
}

/// Each value at the top, or each element of a list there, is a piece.
pub(super) fn values(bytes: &[u8], in_lines: bool) -> Vec<Piece<'_>> {
    top((bytes, in_lines), |cut, walk| cut.straight(walk, None), listed)
}

pub(super) fn listed(cut: &mut Cut<'_>, value: Range<usize>) {
    cut.listed(value, None);
}
