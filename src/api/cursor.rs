//! Where a page ended, as the next request says it: opaque to clients.
//!
//! Invariant: a cursor names the question that it is of, so that one of another question is refused instead of answered with
//! the wrong rows.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::problem::Problem;

/// A question, whatever page of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question(u64);

impl Question {
    /// Of all that makes the question what it is; not the size of a page.
    pub(super) fn of(parts: &[&str]) -> Self {
        let mut hasher = Xxh3::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher.digest())
    }

    /// The cursor that goes on after a place.
    pub(super) fn after(self, place: impl fmt::Display) -> String {
        format!("{:016x}.{place}", self.0)
    }

    /// The place of a cursor.
    ///
    /// # Errors
    /// [`Problem::Cursor`]: it is of another question, or none.
    pub(super) fn place(self, cursor: &str) -> Result<&str, Problem> {
        let (question, place) = cursor.split_once('.').ok_or(Problem::Cursor)?;
        if u64::from_str_radix(question, 16).is_ok_and(|question| question == self.0) {
            return Ok(place);
        }
        Err(Problem::Cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_question_is_refused() {
        let question = Question::of(&["usage", "a", "bc"]);
        let cursor = question.after(20_665);
        assert_eq!(question.place(&cursor).ok(), Some("20665"));
        for other in [&["usage", "ab", "c"][..], &["events", "a", "bc"], &["usage", "a", "bc", ""], &[]] {
            assert!(matches!(Question::of(other).place(&cursor), Err(Problem::Cursor)), "{other:?}");
        }
        for text in ["", ".", "20665", "x.20665", "0000000000000000.20665"] {
            assert!(question.place(text).is_err(), "{text:?}");
        }
    }
}
