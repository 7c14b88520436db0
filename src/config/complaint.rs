//! What is wrong with a configuration, and where it was said: shown as compilers show it, with the line and a caret.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Names this alike are taken for a slip of the fingers.
const ALIKE_MIN: f64 = 0.85;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub place: Place,
    /// What is wrong, beginning with the key.
    pub problem: String,
    /// What may have been meant.
    pub help: Option<String>,
}

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nobody said it: it is missing.
    Nowhere,
    Variable(String),
    File(Excerpt),
}

/// A stretch of one line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    path: PathBuf,
    line: usize,
    /// Characters, from 1.
    column: usize,
    text: String,
    /// Characters; at least one.
    width: usize,
}

impl Place {
    /// Orders what is told: as it stands in the file, then variables, then what is missing.
    pub(super) fn rank(&self) -> (u8, usize, usize) {
        match self {
            Self::File(at) => (0, at.line, at.column),
            Self::Variable(_) => (1, 0, 0),
            Self::Nowhere => (2, 0, 0),
        }
    }
}

impl Excerpt {
    /// The stretch of a text that stands at these bytes; of several lines the first.
    pub(super) fn of(path: &Path, text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Self {
            path: path.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end().to_owned(),
            width: text[start..end.min(line_end)].trim_end().chars().count().max(1),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = self.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
        match &self.place {
            Place::Nowhere => write!(f, "{}{help}", self.problem),
            Place::Variable(name) => write!(f, "variable {name}: {}{help}", self.problem),
            Place::File(at) => {
                writeln!(f, "{}:{}:{}: {}{help}", at.path.display(), at.line, at.column, self.problem)?;
                let number = at.line.to_string();
                let (gutter, before) = (number.len(), at.column - 1);
                writeln!(f, "{:gutter$} |", "")?;
                writeln!(f, "{number} | {}", at.text)?;
                write!(f, "{:gutter$} | {:before$}{}", "", "", "^".repeat(at.width))
            }
        }
    }
}

/// The name that was probably meant, if one of these is alike.
pub(super) fn alike<'n>(said: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let said = said.to_lowercase();
    let rated = names.map(|name| (strsim::jaro_winkler(&said, &name.to_lowercase()), name));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE_MIN).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_what_is_meant() {
        let text = "a = 1\n[käse]\nhöhe = 'x' # y\n";
        let start = text.find("'x'").unwrap();
        let complaint = Complaint {
            place: Place::File(Excerpt::of(Path::new("t.toml"), text, start..start + 3)),
            problem: "höhe: a number is expected".to_owned(),
            help: None,
        };
        let expected = "t.toml:3:8: höhe: a number is expected\n  |\n3 | höhe = 'x' # y\n  |        ^^^";
        assert_eq!(complaint.to_string(), expected);
    }

    #[test]
    fn any_stretch_of_any_text_has_a_place() {
        let text = "ä\n\nö = 2";
        for start in 0..=text.len() + 1 {
            for end in start..=text.len() + 2 {
                let excerpt = Excerpt::of(Path::new("t"), text, start..end);
                assert!((1..=3).contains(&excerpt.line) && excerpt.width >= 1, "{start}..{end}: {excerpt:?}");
            }
        }
    }

    #[test]
    fn a_slip_of_the_fingers_is_told_from_another_word() {
        let names = ["brokers", "prefix", "partitions", "session_timeout_ms"];
        for (said, expected) in [
            ("broker", Some("brokers")),
            ("parititons", Some("partitions")),
            ("session_timeout", Some("session_timeout_ms")),
            ("colour", None),
        ] {
            assert_eq!(alike(said, names.into_iter()), expected, "{said}");
        }
    }
}
