//! CSV (RFC 4180) → rows and fields, borrowed: the text is cut at delimiters, and only what is asked for is unquoted.
//!
//! Only the fields that a mapping names must be UTF-8, so that a carrier's remarks in another encoding do no harm. A quoted
//! field may go over lines, up to [`ROW_BYTES_MAX`]; where a quote does not close, or one within a field that is not
//! doubled leaves the field open at the end of its line, the line alone is broken: it must not swallow the next. Lines
//! end with LF or CR LF; a row with a CR alone in it is broken, or a whole file of such lines would pass for its
//! header.

use std::borrow::Cow;

use super::{Fields, Found};
use crate::codec::json::JsonError;
use crate::ingest::formats::pieces::{BOM, Piece};
use crate::limits::FEED_ROW_BYTES_MAX as ROW_BYTES_MAX;

const UNCLOSED: &str = "a quote does not end";
const CR_ALONE: &str =
    "a CR alone ends no line: have lines end with LF or CR LF, and what has a CR in it stand in quotes";
/// The header of rows that have none which could be read: no column has a name.
const NO_HEADER: &str = "\"\"";
const STRAY: &str = "a quote within quotes is not doubled";

/// The rows, each with the header it stands under. Without `columns` the first row is the header.
pub(super) fn pieces<'a>(bytes: &'a [u8], delimiter: u8, columns: Option<&[String]>) -> Vec<Piece<'a>> {
    let mut at = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let (mut header, mut pieces) = (None, Vec::new());
    while at < bytes.len() {
        let (len, fault) = row(bytes.get(at..).unwrap_or_default(), delimiter);
        let text = bytes.get(at..at + len).unwrap_or_default();
        let piece = Piece { at, bytes: text.strip_suffix(b"\r").unwrap_or(text), of: header, fault };
        at += len + 1;
        if piece.bytes.trim_ascii().is_empty() {
            continue;
        }
        if columns.is_none() && header.is_none() {
            let text =
                std::str::from_utf8(piece.bytes).map_err(|_| "the header is not UTF-8: name the columns");
            match fault.map_or(text, Err) {
                Ok(text) => header = Some(text),
                Err(fault) => {
                    header = Some(NO_HEADER);
                    pieces.push(Piece { fault: Some(fault), of: header, ..piece });
                }
            }
            continue;
        }
        pieces.push(piece);
    }
    pieces
}

/// Bytes of the row that begins here, without its line feed, and what is wrong with it.
fn row(text: &[u8], delimiter: u8) -> (usize, Option<&'static str>) {
    // Whether the field began with a quote, and whether that is still open.
    let (mut of_quotes, mut open, mut begins) = (false, false, true);
    // Whether something else stands behind a quote that has closed.
    let mut stray = false;
    let mut cr_alone = None;
    for (at, byte) in text.iter().enumerate().take(ROW_BYTES_MAX) {
        match byte {
            b'"' if begins => (of_quotes, open) = (true, true),
            // Twice within quotes is a quote: it closes and opens again.
            b'"' if of_quotes => {
                stray |= open && !ends(text.get(at + 1), delimiter);
                open = !open;
            }
            b'\n' if !open => return (at, cr_alone),
            b'\r' if !open && text.get(at + 1).is_some_and(|next| !b"\r\n".contains(next)) => {
                cr_alone = Some(CR_ALONE);
            }
            b'\n' if stray => return (at, Some(STRAY)),
            _ => {}
        }
        begins = !open && *byte == delimiter;
        of_quotes &= !begins;
    }
    if text.len() <= ROW_BYTES_MAX && !open {
        return (text.len(), cr_alone);
    }
    (text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len()), cr_alone.or(Some(UNCLOSED)))
}

/// Whether a quote may close before this byte, or be the first of two.
fn ends(next: Option<&u8>, delimiter: u8) -> bool {
    next.is_none_or(|next| *next == delimiter || b"\"\r\n".contains(next))
}

/// A row with its columns.
#[derive(Debug)]
pub(super) struct Row<'a, 'c> {
    text: &'a [u8],
    header: Header<'a, 'c>,
    delimiter: u8,
}

#[derive(Debug)]
enum Header<'a, 'c> {
    Said(&'a str),
    Columns(&'c [String]),
}

impl<'a, 'c> Row<'a, 'c> {
    pub(super) fn new(piece: &Piece<'a>, delimiter: u8, columns: Option<&'c [String]>) -> Self {
        let header = match columns {
            Some(columns) => Header::Columns(columns),
            None => Header::Said(piece.of.unwrap_or_default()),
        };
        Self { text: piece.bytes, header, delimiter }
    }

    fn column(&self, name: &str) -> Option<usize> {
        match self.header {
            Header::Columns(columns) => columns.iter().position(|column| column == name),
            Header::Said(header) => {
                let mut columns = fields(header.as_bytes(), self.delimiter);
                columns.position(|(_, raw)| plain(raw).is_ok_and(|column| column.trim() == name))
            }
        }
    }
}

impl<'a> Fields<'a> for Row<'a, '_> {
    fn find(&self, field: &str) -> Result<Option<Found<'a>>, JsonError> {
        let column = self.column(field).ok_or_else(|| JsonError::new(field, "is no column", ""))?;
        // Blank is what stands there as such: a row that is cut short has no figure of zero.
        let (at, raw) = fields(self.text, self.delimiter).nth(column).ok_or_else(|| {
            JsonError::new(field, "is missing: the row ends before it", "as many fields as there are columns")
        })?;
        let text =
            plain(raw).map_err(|problem| JsonError { at: Some(at), ..JsonError::new(field, problem, "") })?;
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        Ok((!text.is_empty()).then_some(Found { text, at }))
    }
}

/// The fields of a row as they stand there, quotes included, each with its byte.
fn fields(row: &[u8], delimiter: u8) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = row.get(start..)?;
        let len = field_len(rest, delimiter);
        next = (len < rest.len()).then_some(start + len + 1);
        Some((start, rest.get(..len)?))
    })
}

fn field_len(rest: &[u8], delimiter: u8) -> usize {
    let mut quoted = rest.first() == Some(&b'"');
    let from = usize::from(quoted);
    for (at, byte) in rest.iter().enumerate().skip(from) {
        if *byte == b'"' && from == 1 {
            quoted = !quoted;
        } else if *byte == delimiter && !quoted {
            return at;
        }
    }
    rest.len()
}

/// A field without its quotes.
fn plain(raw: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    let text = std::str::from_utf8(raw).map_err(|_| "is not UTF-8")?;
    let Some(inner) = text.strip_prefix('"') else { return Ok(Cow::Borrowed(text)) };
    let inner = inner.strip_suffix('"').ok_or("has something behind its quotes")?;
    if !inner.contains('"') {
        return Ok(Cow::Borrowed(inner));
    }
    Ok(Cow::Owned(inner.replace("\"\"", "\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(usize, &str, Option<&str>)> {
        let of = |p: Piece<'_>| (p.at, p.fault);
        let pieces = pieces(text.as_bytes(), b',', Some(&[]));
        pieces.into_iter().map(|p| (of(p).0, std::str::from_utf8(p.bytes).unwrap(), p.fault)).collect()
    }

    #[test]
    fn rows_end_at_line_feeds_outside_of_quotes() {
        assert_eq!(
            rows("a,b\r\n\"x\ny\",c\n\n \nlast"),
            [(0, "a,b", None), (5, "\"x\ny\",c", None), (16, "last", None)]
        );
        assert_eq!(rows("\"a\"\"\n\"\nb"), [(0, "\"a\"\"\n\"", None), (7, "b", None)]);
        assert_eq!(rows("5\"\" pipe\nb"), [(0, "5\"\" pipe", None), (9, "b", None)]);
    }

    #[test]
    fn a_quote_that_does_not_end_breaks_its_line_alone() {
        assert_eq!(rows("\"a,b\nc\n"), [(0, "\"a,b", Some(UNCLOSED)), (5, "c", None)]);
    }

    #[test]
    fn a_quote_that_is_not_doubled_breaks_its_line_alone() {
        let (inch, good) = ("A,\"5\" pipe\",s1,100", "B,\"x\",s2,200");
        let text = format!("{inch}\n{inch}\n{good}\n");
        let second = inch.len() + 1;
        assert_eq!(
            rows(&text),
            [(0, inch, Some(STRAY)), (second, inch, Some(STRAY)), (2 * second, good, None)]
        );
        // What closes again in its line is cut as before.
        assert_eq!(rows("\"5\" a \"b\",c\nd"), [(0, "\"5\" a \"b\",c", None), (12, "d", None)]);
    }

    #[test]
    fn a_cr_alone_breaks_its_line_and_a_header_that_is_broken_is_told() {
        assert_eq!(rows("a,b\rc,d\ne,f\r\n"), [(0, "a,b\rc,d", Some(CR_ALONE)), (8, "e,f", None)]);
        assert_eq!(rows("\"a\rb\",c\r\r\nd\r"), [(0, "\"a\rb\",c\r", None), (10, "d", None)]);
        let found = |text: &'static str| -> Vec<(usize, Option<&str>)> {
            pieces(text.as_bytes(), b',', None).into_iter().map(|p| (p.at, p.fault)).collect()
        };
        assert_eq!(found("iccid,up\r898,1\r899,2\r"), [(0, Some(CR_ALONE))]);
        assert_eq!(found("iccid,\"up\n898,1\n"), [(0, Some(UNCLOSED)), (10, None)]);
        assert_eq!(found("iccid,\"u\"p\"\r\n898,1\r\n"), [(0, Some(STRAY)), (13, None)]);
        // However long it is.
        let long = format!("iccid,up\r{}", "898,1\r".repeat(ROW_BYTES_MAX));
        assert_eq!(pieces(long.as_bytes(), b',', None)[0].fault, Some(CR_ALONE));
        // No row under such a header has a column of any name, in a later window too.
        let text = b"iccid,\"up\n898,1\n";
        let second = pieces(text, b',', None)[1];
        assert_eq!(
            Row::new(&second, b',', None).find("iccid").unwrap_err().to_string(),
            "field `iccid` is no column"
        );
        let window = format!("{}\n898,1\n", second.of.unwrap());
        assert_eq!(pieces(window.as_bytes(), b',', None).len(), 1);
    }

    #[test]
    fn fields_are_cut_at_delimiters_outside_of_quotes() {
        let cut = |text: &'static str| -> Vec<String> {
            fields(text.as_bytes(), b',').map(|(_, raw)| plain(raw).unwrap().into_owned()).collect()
        };
        assert_eq!(cut("a,,\"b,\"\"c\"\"\",d"), ["a", "", "b,\"c\"", "d"]);
        assert_eq!(cut(""), [""]);
        assert_eq!(cut("a,"), ["a", ""]);
        assert!(plain(b"\"a\"b").is_err());
    }

    #[test]
    fn only_what_is_asked_for_must_be_utf_8() {
        let text = b"iccid,remark\n898,\xB1\xB8\xD7\xA2\n";
        let piece = pieces(text, b',', None)[0];
        let row = Row::new(&piece, b',', None);
        assert_eq!(row.find("iccid").unwrap().unwrap().text, "898");
        assert_eq!(row.find("remark").unwrap_err().to_string(), "field `remark` is not UTF-8 (at byte 4)");
        let (piece, blank) = (Piece { bytes: b"898", ..piece }, Piece { bytes: b"898,", ..piece });
        let cut = Row::new(&piece, b',', None).find("remark").unwrap_err().to_string();
        assert!(cut.starts_with("field `remark` is missing: the row ends before it"), "{cut}");
        assert!(Row::new(&blank, b',', None).find("remark").unwrap().is_none());
        assert_eq!(row.find("none").unwrap_err().to_string(), "field `none` is no column");
    }
}
