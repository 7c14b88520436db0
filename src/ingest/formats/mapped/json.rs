//! JSON → records and fields by JSON pointers (RFC 6901), borrowed.
//!
//! A record is proved to be JSON once; then each pointer is followed through it. A key that stands twice on a pointer's way is
//! refused: which of the two is meant nobody can say. Keys with escapes in them are not found.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Fields, Found};
use crate::codec::json::JsonError;
use crate::ingest::formats::pieces::{Piece, Walk, top, values};

const NO_RECORDS: &str = "no list of records where the mapping points";
const TWICE: &str = "stands there twice";

/// The records of a message.
pub(super) fn pieces<'a>(bytes: &'a [u8], in_lines: bool, records: Option<&str>) -> Vec<Piece<'a>> {
    let Some(pointer) = records else { return values(bytes, in_lines) };
    top(
        (bytes, in_lines),
        |_, _| None,
        |cut, value| match follow(bytes, value.clone(), pointer) {
            Ok(Some(list)) => cut.listed(list, None),
            Ok(None) | Err(_) => cut.fault(value, NO_RECORDS),
        },
    )
}

/// A record.
#[derive(Debug)]
pub(super) struct Object<'a>(&'a [u8]);

impl<'a> Object<'a> {
    pub(super) fn new(piece: &Piece<'a>) -> Result<Self, JsonError> {
        let _: IgnoredAny =
            serde_json::from_slice(piece.bytes).map_err(|error| JsonError::syntax(piece.bytes, &error))?;
        Ok(Self(piece.bytes))
    }
}

impl<'a> Fields<'a> for Object<'a> {
    fn find(&self, field: &str) -> Result<Option<Found<'a>>, JsonError> {
        let wrong = |problem: &str| JsonError::new(field, problem, "");
        let Some(range) = follow(self.0, 0..self.0.len(), field).map_err(wrong)? else { return Ok(None) };
        let at = range.start;
        let raw = self.0.get(range).unwrap_or_default();
        let text = text(raw).map_err(|problem| JsonError { at: Some(at), ..wrong(problem) })?;
        Ok(text.filter(|text| !text.trim().is_empty()).map(|text| Found { text, at }))
    }
}

/// A value's text: of a text without its quotes, of a number its digits as they stand.
fn text(raw: &[u8]) -> Result<Option<Cow<'_, str>>, &'static str> {
    match raw.first() {
        Some(b'"') => {
            let inner = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or_default();
            let text = match std::str::from_utf8(inner) {
                Ok(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
                _ => Cow::Owned(serde_json::from_slice(raw).map_err(|_| "is no text")?),
            };
            Ok(Some(text))
        }
        Some(b'-' | b'0'..=b'9') => Ok(std::str::from_utf8(raw).ok().map(Cow::Borrowed)),
        Some(b'n') => Ok(None),
        Some(b'[') => Err("is a list"),
        Some(b'{') => Err("is an object"),
        _ => Err("is neither text nor a number"),
    }
}

/// Where a pointer leads; `None` if it leads nowhere.
fn follow(bytes: &[u8], from: Range<usize>, pointer: &str) -> Result<Option<Range<usize>>, &'static str> {
    let mut here = from;
    for token in pointer.split('/').skip(1) {
        match step(bytes, here, &token.replace("~1", "/").replace("~0", "~"))? {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

fn step(bytes: &[u8], from: Range<usize>, token: &str) -> Result<Option<Range<usize>>, &'static str> {
    let mut walk = Walk::over(bytes, from);
    let (mut found, mut problem) = (None, None);
    match walk.peek() {
        Some(b'{') => walk.members(|member| match member {
            Ok((key, value)) if key == token.as_bytes() => {
                problem = found.replace(value).map(|_| TWICE).or(problem);
            }
            Ok(_) => {}
            Err(fault) => problem = Some(fault),
        }),
        Some(b'[') => {
            let (wanted, mut index) = (token.parse::<usize>().ok(), 0);
            walk.elements(|element| match element {
                Ok(value) => {
                    found = found.take().or((Some(index) == wanted).then_some(value));
                    index += 1;
                }
                Err(fault) => problem = Some(fault),
            });
        }
        _ => {}
    }
    problem.map_or(Ok(found), Err)
}

/// Whether a text can be a pointer.
pub(in crate::ingest::formats) fn is_pointer(text: &str) -> bool {
    text.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, pointer: &str) -> String {
        let piece = Piece { at: 0, bytes: json.as_bytes(), of: None, fault: None };
        match Object::new(&piece).and_then(|object| object.find(pointer)) {
            Ok(Some(found)) => format!("{} at {}", found.text, found.at),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn pointers_lead_to_values() {
        let json = r#"{"a":{"b/c":[10,{"d":"x\ny"}]},"e~f":1.5e-3,"g":null,"h":" ","i":true}"#;
        let cases = [
            ("/a/b~1c/0", "10 at 13"),
            ("/a/b~1c/1/d", "x\ny at 21"),
            ("/a/b~1c/2", "none"),
            ("/a/b~1c/x", "none"),
            ("/e~0f", "1.5e-3 at 37"),
            ("/g", "none"),
            ("/h", "none"),
            ("/none/of/it", "none"),
            ("/a", "field `/a` is an object (at byte 5)"),
            ("/a/b~1c", "field `/a/b~1c` is a list (at byte 12)"),
            ("/i", "field `/i` is neither text nor a number (at byte 65)"),
        ];
        for (pointer, expected) in cases {
            assert_eq!(find(json, pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        assert_eq!(find(r#"{"a":1,"a":2}"#, "/a"), "field `/a` stands there twice");
        assert!(find(r#"{"a":1"#, "/a").starts_with("not JSON: "));
    }
}
