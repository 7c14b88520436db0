//! Configuration in two stages: what was said (file, then `TIDEGAUGE_…` variables, then flags) → what is meant (checked
//! and typed). Nothing here reaches the fold: the meter's configuration is the catalogue, which comes through the log.
//!
//! Invariant: all errors are told at once; each names file, line and column or variable, the key, what is wrong and what would
//! be right. A key that does not exist is an error, not ignored.

pub mod catalogue;
mod complaint;
mod document;
mod environment;
mod meant;
pub mod said;
#[cfg(test)]
mod tests;
mod tokens;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

pub use complaint::{Complaint, Excerpt, Place};
pub use meant::{ClickHouse, Config, Kafka, LogFormat, SaidIn, Unmeant};

pub use tokens::{Role, tokens};

use crate::ingest::formats::feed::Feed;
use document::Document;
use said::Said;

/// Where a configuration is looked for when none is named.
pub const PLACES: [&str; 2] = ["tidegauge.toml", "/etc/tidegauge/tidegauge.toml"];

/// Why a configuration cannot be used. Exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
    /// At least one.
    #[error("{}", Several(.0))]
    Wrong(Vec<Complaint>),
}

struct Several<'c>(&'c [Complaint]);

impl fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0 {
            return write!(f, "{only}");
        }
        write!(f, "the configuration has {} errors", self.0.len())?;
        self.0.iter().try_for_each(|complaint| write!(f, "\n\n{complaint}"))
    }
}

/// Reads the named file, or the first of [`PLACES`], or nothing; then the environment.
///
/// # Errors
/// [`ConfigError`]: a named file that is not there is one too.
pub fn load(named: Option<&Path>) -> Result<Config, ConfigError> {
    config(document(named)?, environment::variables())
}

/// The feeds alone, of the named file or the first of [`PLACES`]: files can be looked at without a deployment.
///
/// # Errors
/// As [`load`], of what the file says.
pub fn load_feeds(named: Option<&Path>) -> Result<Vec<Feed>, ConfigError> {
    let document = document(named)?;
    let places = document.places.clone();
    meant::feeds(said(document)?.feeds).map_err(|unmeant| wrong(&unmeant, &places))
}

/// Where an instance of this machine answers: orders for cards need no more of the configuration.
///
/// # Errors
/// As [`load`], of what was said.
pub fn load_listen(named: Option<&Path>) -> Result<std::net::SocketAddr, ConfigError> {
    let mut document = document(named)?;
    environment::apply(&mut document, environment::variables());
    let places = document.places.clone();
    let said = said(document)?;
    meant::listen(said.api.listen.as_deref()).map_err(|unmeant| wrong(&unmeant, &places))
}

fn document(named: Option<&Path>) -> Result<Document, ConfigError> {
    let found = named.map(Path::to_owned);
    let found = found.or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.is_file()));
    let Some(path) = found else { return Ok(Document::default()) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Document::read(&path, &text)),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

fn said(document: Document) -> Result<Said, ConfigError> {
    if !document.complaints.is_empty() {
        return Err(ConfigError::Wrong(document.complaints));
    }
    let said = Said::deserialize(document.table);
    said.map_err(|error: toml::de::Error| ConfigError::Value {
        key: "configuration",
        problem: error.message().to_owned(),
    })
}

fn config(
    mut document: Document,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    if document.is_no_toml {
        return Err(ConfigError::Wrong(document.complaints));
    }
    let unread = environment::apply(&mut document, variables);
    let (mut complaints, places) = (std::mem::take(&mut document.complaints), document.places.clone());
    let said_in = SaidIn { file: document.path.clone(), variables: spoken(&places) };
    match Config::from_said(said(document)?) {
        Ok(mut config) if complaints.is_empty() => {
            config.unread = unread;
            config.said_in = said_in;
            Ok(config)
        }
        Ok(_) => Err(ConfigError::Wrong(complaints)),
        Err(unmeant) => {
            // What was said wrongly is not missing.
            let told = |key: &str| complaints.iter().any(|told| told.problem.starts_with(&format!("{key}:")));
            let more: Vec<_> = unmeant.iter().filter(|unmeant| !told(unmeant.key)).collect();
            complaints.extend(more.into_iter().map(|unmeant| complaint(unmeant, &places)));
            // A misspelt variable may be why something is missing.
            complaints.extend(unread.into_iter().filter(|unread| unread.help.is_some()));
            complaints.sort_by_key(|complaint| complaint.place.rank());
            Err(ConfigError::Wrong(complaints))
        }
    }
}

type Places = std::collections::BTreeMap<String, Place>;

/// The variables that say something.
fn spoken(places: &Places) -> Vec<String> {
    let name = |place: &Place| match place {
        Place::Variable(name) => Some(name.clone()),
        Place::File(_) | Place::Nowhere => None,
    };
    let mut names: Vec<String> = places.values().filter_map(name).collect();
    names.sort();
    names
}

fn wrong(unmeant: &Unmeant, places: &Places) -> ConfigError {
    ConfigError::Wrong(vec![complaint(unmeant, places)])
}

fn complaint(unmeant: &Unmeant, places: &Places) -> Complaint {
    let place = places.get(unmeant.key).cloned().unwrap_or(Place::Nowhere);
    Complaint { place, problem: unmeant.to_string(), help: None }
}
