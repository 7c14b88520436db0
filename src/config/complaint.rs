//! What is wrong with a configuration, and where it was said: shown as compilers show it, with the line and a caret.
//!
//! Invariant: no secret is shown. Of a line only a value of a key that exists and can hold none is: a key that does not exist
//! may be a password's, misspelt or in the wrong section.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::said::{KEYS, is_secret};

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
    /// The line as far as it may be shown.
    text: String,
    /// Characters of it before the caret, and under it; at least one.
    before: usize,
    width: usize,
}

/// Stands for what is not shown.
const HIDDEN: char = '…';

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
        let column = text[line_start..start].chars().count() + 1;
        let width = text[start..end.min(line_end)].trim_end().chars().count();
        let whole = text[line_start..line_end].trim_end();
        let shown = &whole[..shown(&section(&text[..line_start]), whole)];
        let mut excerpt = Self {
            path: path.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column,
            text: shown.to_owned(),
            before: column - 1,
            width: width.max(1),
        };
        if shown.len() < whole.len() {
            let visible = shown.chars().count();
            excerpt.text.push(HIDDEN);
            excerpt.before = excerpt.before.min(visible);
            excerpt.width = excerpt.width.min(visible + 1 - excerpt.before);
        }
        excerpt
    }
}

/// The section that a line stands in, by the text before it: that text need not be TOML.
fn section(before: &str) -> String {
    let header = before.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    let Some(header) = header else { return String::new() };
    let name = header.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
    if header.starts_with("[[") { format!("{name}[]") } else { name.to_owned() }
}

/// How many bytes of a line may be shown: all of a section's header, and of what can hold no secret.
fn shown(section: &str, line: &str) -> usize {
    let body = line.trim_start();
    if body.starts_with('[') {
        let end = line.find('=').unwrap_or(line.len());
        return line.rfind(']').map_or(end, |at| end.min(at + 1));
    }
    let (name, assigned) = line.split_once('=').unwrap_or((line, ""));
    let key = if section.is_empty() { name.trim().to_owned() } else { format!("{section}.{}", name.trim()) };
    let known = KEYS.iter().any(|known| known.name == key);
    match line.len() - assigned.len() {
        _ if known && !is_secret(&key) => line.len(),
        // Something is assigned to it.
        value if value > name.len() => value + (assigned.len() - assigned.trim_start().len()),
        _ if known => line.len(),
        _ => line.len() - body.len(),
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
                let (gutter, before) = (number.len(), at.before);
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

    fn excerpt(text: &str, of: &str) -> String {
        let start = text.find(of).unwrap();
        let place = Place::File(Excerpt::of(Path::new("t.toml"), text, start..start + of.len()));
        Complaint { place, problem: "no".to_owned(), help: None }.to_string()
    }

    #[test]
    fn the_caret_stands_under_what_is_meant() {
        let text = "a = 1\n[kafka]\n# höhe\nprefix = 'ä' # y\n";
        assert_eq!(excerpt(text, "'ä'"), "t.toml:4:10: no\n  |\n4 | prefix = 'ä' # y\n  |          ^^^");
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_not_shown() {
        for (text, of, line, caret) in [
            ("[clickhouse]\npassword = hunter2", "hunter2", "2 | password = …", "           ^"),
            ("[clickhouse]\npasswrod = 'hunter2'", "passwrod", "2 | passwrod = …", "^^^^^^^^"),
            ("[kafka]\npassword= 'hunter2' # x", "password", "2 | password= …", "^^^^^^^^"),
            (
                "[kafka.properties]\n'sasl.password' = 4",
                "4",
                "2 | 'sasl.password' = …",
                "                  ^",
            ),
            ("[kafka]\nproperties = { a = 'hunter2' }", "{ a", "2 | properties = …", "             ^"),
            ("clickhous.password = 'hunter2'", "clickhous", "1 | clickhous.password = …", "^^^^^^^^^"),
            ("clickhouse = { password = 'hunter2' }", "password", "1 | clickhouse = …", "             ^"),
            ("[clickhouse] password = 'hunter2'", "password", "1 | [clickhouse]…", "            ^"),
            ("[clickhouse]\n  password 'hunter2'", "password", "2 |   …", "  ^"),
            ("[clickhouse]\npassword = '''\nhunter2", "hunter2", "3 | …", "^"),
        ] {
            let shown = excerpt(text, of);
            let expected = format!(" |\n{line}\n  | {caret}");
            assert!(shown.ends_with(&expected) && !shown.contains("hunter2"), "{text}\n{shown}\n{expected}");
        }
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
