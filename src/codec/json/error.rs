//! What is wrong with an outside record: which field, what is there, what was expected, and where.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A record that cannot be read. It becomes a dead letter with this text as the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Path of the field, like `payment.paid_at` or `slices[2].end`; empty: the record as a whole.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right; empty if the problem says it.
    pub expected: &'static str,
    /// Byte position in the record of the field (of its outermost part), or of the fault in the JSON; if known.
    pub at: Option<usize>,
}

impl std::error::Error for JsonError {}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.field.is_empty() {
            write!(f, "field `{}` ", self.field)?;
        }
        f.write_str(&self.problem)?;
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        match self.at {
            Some(at) => write!(f, " (at byte {at})"),
            None => Ok(()),
        }
    }
}

/// Characters of a wrong value that a message repeats.
const SHOWN: usize = 40;

impl JsonError {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>, expected: &'static str) -> Self {
        Self { field: field.into(), problem: problem.into(), expected, at: None }
    }

    pub(crate) fn missing(field: &str, expected: &'static str) -> Self {
        Self::new(field, "is missing", expected)
    }

    /// Bytes that are no JSON object, or name a field twice.
    pub(crate) fn syntax(bytes: &[u8], error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let problem = match text.split_once(" at line ") {
            Some((problem, _)) => problem,
            None => &text,
        };
        let at = position(bytes, error.line(), error.column());
        if let Some(field) = problem.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'))
        {
            return Self { at, ..Self::new(field, "stands there twice", "each field once") };
        }
        let problem =
            if error.is_data() { "not a JSON object".to_owned() } else { format!("not JSON: {problem}") };
        Self { at, ..Self::new("", problem, "") }
    }

    /// Puts the field's path under an outer one.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{outer}{dot}{}", self.field);
        self
    }

    /// Finds the field in the record that was read. Cold: reads the record a second time.
    #[cold]
    pub(crate) fn locate(mut self, bytes: &[u8]) -> Self {
        let outermost = self.field.split(['.', '[']).next().unwrap_or_default();
        let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(bytes).unwrap_or_default();
        self.at = self.at.or_else(|| {
            let value = fields.get(outermost)?.get();
            (value.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)
        });
        self
    }
}

/// A value as a message shows it.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", text.split_at(end).0),
        None => format!("{text:?}"),
    }
}

/// Byte position of a line and column, both from 1.
fn position(bytes: &[u8], line: usize, column: usize) -> Option<usize> {
    let line_starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = std::iter::once(0).chain(line_starts).nth(line.checked_sub(1)?)?;
    Some(start + column.saturating_sub(1))
}
