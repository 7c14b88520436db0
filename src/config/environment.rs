//! Variables: `TIDEGAUGE_KAFKA_BROKERS` stands for `kafka.brokers`. They win over the file; flags win over them.

use super::ConfigError;
use super::said::{KEYS, Said};

const PREFIX: &str = "TIDEGAUGE_";

/// The process's variables that begin with [`PREFIX`].
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX))
}

/// Puts variables over the file's table. Those that name no key belong to the scripts in `deploy/` and are left alone.
pub(super) fn apply(
    mut table: toml::Table,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Said, ConfigError> {
    for (name, value) in variables {
        if let Some(key) = KEYS.iter().find(|key| variable_of(key.name) == name) {
            set(&mut table, key.name, &value).ok_or_else(|| ConfigError::Variable {
                name: name.clone(),
                problem: format!("{} is not a table in the file", key.name),
            })?;
            Said::deserialize_from(table.clone())
                .map_err(|problem| ConfigError::Variable { name, problem })?;
        }
    }
    Said::deserialize_from(table).map_err(|problem| ConfigError::Value { key: "configuration", problem })
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "_"))
}

fn set(table: &mut toml::Table, key: &str, text: &str) -> Option<()> {
    let (section, name) = key.split_once('.').map_or((None, key), |(section, name)| (Some(section), name));
    let target = match section {
        Some(section) => {
            table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut()?
        }
        None => table,
    };
    target.insert(name.to_owned(), value_of(text));
    Some(())
}

/// Numbers, booleans and inline tables as TOML reads them; everything else is text.
fn value_of(text: &str) -> toml::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("v = {text}")).ok().and_then(|mut t| t.remove("v"));
    match parsed {
        Some(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Table(_))) => value,
        _ => toml::Value::String(text.to_owned()),
    }
}

impl Said {
    fn deserialize_from(table: toml::Table) -> Result<Self, String> {
        serde::Deserialize::deserialize(table).map_err(|e: toml::de::Error| e.message().to_owned())
    }
}
