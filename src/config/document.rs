//! The configuration file as it was written: which keys stand in it, where, and which of them cannot be so.
//!
//! Invariant: one wrong key hides no other. Each is judged by itself, and what is right goes on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, Excerpt, Place, alike};
use super::said::{KEYS, Said, is_secret};
use crate::ingest::formats::feed::Feed;

/// What was said in a file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The keys that can be so.
    pub(super) table: toml::Table,
    /// Where each key was said.
    pub(super) places: BTreeMap<String, Place>,
    pub(super) complaints: Vec<Complaint>,
    pub(super) is_no_toml: bool,
    /// The file, if there is one.
    pub(super) path: Option<PathBuf>,
}

impl Document {
    pub(super) fn read(path: &Path, text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reading = Reading { path, text, document: Self::default() };
        if errors.is_empty() {
            reading.whole(table.into_inner());
        }
        reading.document.is_no_toml = !errors.is_empty();
        // A text that is no TOML is not judged further: its keys may stand anywhere.
        for error in errors {
            reading.complain(error.span().unwrap_or_default(), format!("no TOML: {}", error.message()), None);
        }
        reading.document.complaints.sort_by_key(|complaint| complaint.place.rank());
        reading.document.path = Some(path.to_owned());
        reading.document
    }
}

struct Reading<'t> {
    path: &'t Path,
    text: &'t str,
    document: Document,
}

impl Reading<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::File(Excerpt::of(self.path, self.text, span))
    }

    fn complain(&mut self, span: Range<usize>, problem: String, help: Option<String>) {
        let place = self.place(span);
        self.document.complaints.push(Complaint { place, problem, help });
    }

    fn whole(&mut self, table: DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if is_section(name) {
                self.section(name, value);
            } else if name == "feeds" {
                self.feeds(value);
            } else {
                self.key(None, &key, value);
            }
        }
    }

    fn section(&mut self, section: &str, value: Spanned<DeValue<'_>>) {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.complain(span, format!("{section}: a table is expected: [{section}]"), None);
            return;
        };
        for (key, value) in table {
            self.key(Some(section), &key, value);
        }
    }

    /// One key of a section, or of none.
    fn key(
        &mut self,
        section: Option<&str>,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: Spanned<DeValue<'_>>,
    ) {
        let name = key.get_ref().as_ref();
        let full = section.map_or_else(|| name.to_owned(), |section| format!("{section}.{name}"));
        if !KEYS.iter().any(|key| key.name == full) {
            self.complain(key.span(), format!("{full}: there is no such key"), Some(help(section, name)));
            return;
        }
        let span = value.span();
        let value = owned(value);
        if let Err(problem) = check(&full, &value) {
            self.complain(span, format!("{full}: {problem}"), None);
            return;
        }
        self.document.places.insert(full.clone(), self.place(span));
        // Just checked: it enters.
        let entered = enter(&mut self.document.table, &full, value);
        debug_assert!(entered.is_some(), "{full}");
    }

    fn feeds(&mut self, value: Spanned<DeValue<'_>>) {
        let span = value.span();
        let DeValue::Array(blocks) = value.into_inner() else {
            self.complain(span, "feeds: blocks are expected: [[feeds]]".to_owned(), None);
            return;
        };
        let mut right = Vec::new();
        for block in blocks {
            right.extend(self.feed(block));
        }
        self.document.table.insert("feeds".to_owned(), toml::Value::Array(right));
    }

    /// One block: its keys, then what they mean together.
    fn feed(&mut self, block: Spanned<DeValue<'_>>) -> Option<toml::Value> {
        let span = block.span();
        let Some(table) = block.get_ref().as_table() else {
            self.complain(span, "feeds: a block is expected: [[feeds]]".to_owned(), None);
            return None;
        };
        let known = |name: &str| KEYS.iter().any(|key| key.name.strip_prefix("feeds[].") == Some(name));
        let strange: Vec<_> = table.keys().filter(|key| !known(key.get_ref())).cloned().collect();
        for key in &strange {
            let name = key.get_ref().as_ref();
            let help = Some(help(Some("feeds[]"), name));
            self.complain(key.span(), format!("feeds[].{name}: there is no such key"), help);
        }
        if !strange.is_empty() {
            return None;
        }
        // What a block's sentence begins with is the key that it speaks of.
        let spoken_of = |text: &str| {
            let word = text.split_once("\": ").map_or(text, |(_, rest)| rest).split([' ', ':']).next()?;
            table.get(word).map(Spanned::span)
        };
        match Feed::deserialize(block.clone().into_deserializer()) {
            Ok(_) => Some(owned(block)),
            Err(error) => {
                let wrong = error.message().starts_with("invalid type");
                let of_kind = table.iter().filter(|_| wrong).find_map(|(key, value)| {
                    let full = format!("feeds[].{}", key.get_ref());
                    let kind = KEYS.iter().find(|known| known.name == full)?.kind;
                    let at = error.span().filter(|at| *at == value.span())?;
                    Some((at, format!("{full}: {}", misfit(&full, &owned(value.clone()), kind))))
                });
                let (at, problem) = of_kind.unwrap_or_else(|| {
                    let at = spoken_of(error.message()).or(error.span()).unwrap_or(span);
                    (at, format!("feeds: {}", error.message()))
                });
                self.complain(at, problem, None);
                None
            }
        }
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
}

/// What may have been meant by a key that does not exist.
fn help(section: Option<&str>, name: &str) -> String {
    let prefix = section.map(|section| format!("{section}.")).unwrap_or_default();
    let here =
        || KEYS.iter().filter_map(|key| key.name.strip_prefix(&prefix)).filter(|rest| !rest.contains('.'));
    let sections = ["kafka", "ingest", "worker", "clickhouse", "api", "log", "feeds"];
    let beside = sections.into_iter().filter(|_| section.is_none());
    if let Some(meant) = alike(name, here().chain(beside.clone())) {
        return format!("did you mean {prefix}{meant}?");
    }
    // The right key at the wrong place.
    let elsewhere = KEYS.iter().find(|key| key.name.rsplit_once('.').is_some_and(|(_, last)| last == name));
    match elsewhere {
        Some(key) if !key.name.starts_with("feeds") => format!("did you mean {}?", key.name),
        _ => {
            let tables =
                beside.map(|name| if name == "feeds" { "[[feeds]]".to_owned() } else { format!("[{name}]") });
            let names: Vec<String> = here().map(str::to_owned).chain(tables).collect();
            format!("there are {}", names.join(", "))
        }
    }
}

/// Whether a value can be that of a key.
pub(super) fn check(key: &str, value: &toml::Value) -> Result<(), String> {
    let mut table = toml::Table::new();
    enter(&mut table, key, value.clone()).ok_or("its section is no table")?;
    Said::deserialize(table).map(drop).map_err(|error: toml::de::Error| {
        let expected = KEYS.iter().find(|known| known.name == key).map(|known| known.kind);
        expected.map_or_else(|| error.message().to_owned(), |kind| misfit(key, value, kind))
    })
}

/// A value of another kind than its key takes, in words.
fn misfit(key: &str, value: &toml::Value, kind: &str) -> String {
    let sort = match value {
        toml::Value::String(_) => "text",
        toml::Value::Integer(_) => "a number",
        toml::Value::Float(_) => "a number with a point",
        toml::Value::Boolean(_) => "a truth value",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(table) => {
            let wrong = table.iter().find(|(_, value)| kind == "table" && !value.is_str());
            let within = wrong.map(|(name, value)| format!("{name}: {}", misfit(key, value, "text")));
            return within.unwrap_or_else(|| format!("a table does not fit: {kind} is expected"));
        }
    };
    match value {
        _ if is_secret(key) => format!("{sort} does not fit: {kind} is expected"),
        toml::Value::Array(_) => format!("{sort} does not fit: {kind} is expected"),
        toml::Value::Integer(_) => format!("{value} does not fit: {kind} is expected"),
        _ => format!("{value} is {sort}: {kind} is expected"),
    }
}

/// Puts a value under its key. `None`: the section is no table.
pub(super) fn enter(table: &mut toml::Table, key: &str, value: toml::Value) -> Option<()> {
    let target = match key.split_once('.') {
        Some((section, _)) => {
            table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut()?
        }
        None => table,
    };
    let name = key.split_once('.').map_or(key, |(_, name)| name);
    target.insert(name.to_owned(), value);
    Some(())
}

/// The value without its places. A number that TOML allows and nobody can hold stays text, and is refused as such.
fn owned(value: Spanned<DeValue<'_>>) -> toml::Value {
    let text = value.get_ref().as_str().unwrap_or_default().to_owned();
    toml::Value::deserialize(value.into_deserializer()).unwrap_or(toml::Value::String(text))
}
