//! A message or a file of JSON → its pieces, without reading them: brackets and quotes are followed, nothing else.
//!
//! A file is either lines, each a value, or values that go over lines; which of them, its first line says. A list at the top
//! is its elements. Where the brackets of a value do not close, the rest (of the line, where there are lines) is one
//! piece that says so. One pass over the bytes a level of nesting looked into.

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
}

/// A member of an object or an element of a list.
pub(super) type Found = Result<Range<usize>, &'static str>;

impl<'a> Walk<'a> {
    /// Walks a part of the same text.
    pub(super) fn over(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes, at: range.start, end: range.end.min(bytes.len()) }
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
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.byte()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A number or a word, or what stands in the place of one: at least a byte, so that a walk goes on.
    fn scalar(&mut self) {
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

    fn member(&mut self) -> Result<(&'a [u8], Range<usize>), &'static str> {
        let key = self.value().ok_or(UNCLOSED)?;
        if !self.take(b':') {
            return Err(NO_COLON);
        }
        let value = self.value().ok_or(UNCLOSED)?;
        let quoted = self.bytes.get(key).unwrap_or_default();
        let text = quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(quoted);
        Ok((text, value))
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

/// The values at the top of a text, each handed to `each`.
pub(super) fn top<'a>(bytes: &'a [u8], mut each: impl FnMut(&mut Cut<'a>, Range<usize>)) -> Vec<Piece<'a>> {
    let mut cut = Cut { bytes, pieces: Vec::new() };
    let start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let mut walk = Walk::over(bytes, start..bytes.len());
    if is_lines(&mut walk.clone()) {
        for line in lines(bytes, start) {
            each(&mut cut, line);
        }
        return cut.pieces;
    }
    while walk.peek().is_some() {
        let from = walk.at;
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

pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Whether a text that begins so is lines, each a value of its own.
pub(super) fn is_written_in_lines(start: &[u8]) -> bool {
    let from = if start.starts_with(BOM) { BOM.len() } else { 0 };
    is_lines(&mut Walk::over(start, from..start.len()))
}

/// Whether the first line with anything in it holds one value and nothing else.
fn is_lines(walk: &mut Walk<'_>) -> bool {
    if walk.peek().is_none() {
        return false;
    }
    let line_end = walk.bytes.get(walk.at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'));
    let Some(line_end) = line_end.map(|len| walk.at + len) else { return false };
    let mut line = Walk { end: line_end, ..walk.clone() };
    line.value().is_some() && line.peek().is_none()
}

/// The lines with anything in them, without the spaces around.
fn lines(bytes: &[u8], start: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = start;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
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
pub(super) fn values(bytes: &[u8]) -> Vec<Piece<'_>> {
    top(bytes, |cut, value| cut.listed(value, None))
}
