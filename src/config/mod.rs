//! Configuration in two stages: what was said (file, then `TIDEGAUGE_…` variables, then flags) → what is meant (checked
//! and typed). Nothing here reaches the fold: the meter's configuration is the catalogue, which comes through the log.
//!
//! Invariant: an error names file, line or variable, the key, what is wrong and what would be right; a key that does not
//! exist is an error, not ignored.

pub mod catalogue;
mod environment;
mod meant;
pub mod said;
mod tokens;

use std::path::{Path, PathBuf};

pub use meant::{ClickHouse, Config, Kafka, LogFormat};

pub use tokens::{Role, tokens};

use crate::ingest::formats::feed::Feed;
use said::Said;

/// Where a configuration is looked for when none is named.
pub const PLACES: [&str; 2] = ["tidegauge.toml", "/etc/tidegauge/tidegauge.toml"];

/// Why a configuration cannot be used. Exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {detail}")]
    Syntax { path: PathBuf, detail: String },
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
    #[error("variable {name}: {problem}")]
    Variable { name: String, problem: String },
}

/// Reads the named file, or the first of [`PLACES`], or nothing; then the environment.
///
/// # Errors
/// [`ConfigError`]: a named file that is not there is one too.
pub fn load(named: Option<&Path>) -> Result<Config, ConfigError> {
    let table = match found(named) {
        Some(path) => parse(&path, &read(&path)?)?,
        None => toml::Table::new(),
    };
    let said = environment::apply(table, environment::variables())?;
    Config::from_said(said)
}

/// The feeds alone, of the named file or the first of [`PLACES`]: files can be looked at without a deployment.
///
/// # Errors
/// As [`load`], of what the file says.
pub fn load_feeds(named: Option<&Path>) -> Result<Vec<Feed>, ConfigError> {
    let Some(path) = found(named) else { return Ok(Vec::new()) };
    meant::feeds(said(&path, &read(&path)?)?.feeds)
}

fn found(named: Option<&Path>) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.is_file()))
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// The text is read twice: as what was said, for errors with line and column; and as a table, for the variables to enter.
fn parse(path: &Path, text: &str) -> Result<toml::Table, ConfigError> {
    said(path, text)?;
    toml::from_str(text).map_err(|error| syntax(path, &error))
}

fn said(path: &Path, text: &str) -> Result<Said, ConfigError> {
    toml::from_str(text).map_err(|error| syntax(path, &error))
}

fn syntax(path: &Path, error: &toml::de::Error) -> ConfigError {
    ConfigError::Syntax { path: path.to_owned(), detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let table = parse(Path::new("t.toml"), text)?;
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::from_said(environment::apply(table, variables)?)
    }

    #[test]
    fn a_name_is_all_that_is_required() {
        let config = config("deployment = 'test'", &[]).unwrap();
        assert_eq!(config.kafka.partitions, 16);
        assert_eq!(config.api_listen.port(), 8080);
        assert!(config.clickhouse.is_none());
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let error = config("deployment = 'test'\n[kafka]\nbroker = 'x:1'\n", &[]).unwrap_err().to_string();
        assert!(error.contains("t.toml") && error.contains("line 3") && error.contains("brokers"), "{error}");
    }

    #[test]
    fn variables_win_over_the_file() {
        let text = "deployment = 'test'\n[kafka]\nbrokers = 'a:1'\npartitions = 4";
        let config =
            config(text, &[("TIDEGAUGE_KAFKA_BROKERS", "b:2"), ("TIDEGAUGE_KAFKA_PARTITIONS", "8")]).unwrap();
        assert_eq!((config.kafka.brokers.as_str(), config.kafka.partitions), ("b:2", 8));
    }

    #[test]
    fn values_out_of_range_say_what_would_be_right() {
        for (text, expected) in [
            ("", "deployment: required"),
            ("deployment = 'a b'", "deployment: \"a b\""),
            ("deployment = 't'\nclock = 'wall'", "clock: \"wall\""),
            ("deployment = 't'\n[kafka]\npartitions = 0", "kafka.partitions: 0 is not within 1..=1024"),
            ("deployment = 't'\n[clickhouse]\nurl = 'localhost:8123'", "clickhouse.url"),
            ("deployment = 't'\n[api]\nlisten = '8080'", "api.listen"),
            ("deployment = 't'\n[api]\naddress = 'here:8080'", "api.address"),
        ] {
            let error = config(text, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    const FEED: &str = "\
deployment = 't'

[[feeds]]
id = 'cmcc'
format = '1nce'
carrier = 'x'

[[feeds]]
id = 'onelink'
format = 'mapped-json'
kind = 'cycle-total'
identity = '/iccid'
identity_kind = 'iccid'
at = '/at'
total = '/dataAmount'
unit = 'KiB'
time = '%Y%m%d%H%M%S'
zone = 'Asia/Shanghai'
";

    #[test]
    fn feeds_are_read_with_their_formats() {
        let config = config(FEED, &[]).unwrap();
        let formats: Vec<_> = config.feeds.iter().map(|f| (f.decoder.feed(), f.decoder.format())).collect();
        assert_eq!(formats, [("cmcc", "1nce"), ("onelink", "mapped-json")]);
        assert_eq!(config.feeds[0].carrier.as_deref(), Some("x"));
    }

    #[test]
    fn a_fault_in_a_feed_is_named_with_its_line() {
        for (from, to, line, expected) in [
            ("unit = 'KiB'", "unit = 'KB'", 8, "KB"),
            ("at = '/at'\n", "", 8, "feed \"onelink\": at is missing"),
            ("zone = 'Asia/Shanghai'", "colour = 'red'", 8, "colour"),
            ("format = '1nce'", "format = 'xml'", 5, "unknown variant `xml`"),
            ("carrier = 'x'", "unit = 'B'", 3, "only mapped formats take more keys"),
        ] {
            assert!(FEED.contains(from));
            let error = config(&FEED.replace(from, to), &[]).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(&format!("line {line}")), "{to}: {error}");
        }
        let twice = FEED.replace("'cmcc'", "'onelink'");
        let error = config(&twice, &[]).unwrap_err().to_string();
        assert!(error.contains("\"onelink\" is the name of two feeds"), "{error}");
        let ours = FEED.replace("carrier = 'x'", "topic = 'eu.usage.cdr'") + "[kafka]\nprefix = 'eu.'";
        let error = config(&ours, &[]).unwrap_err().to_string();
        assert!(
            error.contains("feeds[].topic: \"eu.usage.cdr\" is a topic of this deployment's own"),
            "{error}"
        );
    }

    #[test]
    fn the_reference_names_every_key_that_is_read() {
        for key in said::KEYS {
            let value = if key.name == "kafka.properties" { "{}" } else { "[]" };
            let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
            let text = match section.strip_suffix("[]") {
                Some(list) => format!("[[{list}]]\n{name} = {value}"),
                None if section.is_empty() => format!("{name} = {value}"),
                None => format!("[{section}]\n{name} = {value}"),
            };
            if let Err(error) = toml::from_str::<Said>(&text) {
                assert!(!error.to_string().contains("unknown field"), "{}: {error}", key.name);
            }
        }
    }
}
