//! `config check|show|schema`: whether the configuration is right, what it means, what may be said. No secret is printed.

use std::path::Path;

use super::args::ConfigCommand;
use super::exit::{Exit, Failed};
use super::observe;
use crate::config::{
    self, Config, LogFormat, SaidIn,
    said::{KEYS, Key},
};
use crate::stdout::say;

/// Stands for what may be a secret.
const HIDDEN: &str = "(said, not shown)";

pub(super) fn run(command: &ConfigCommand, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    match command {
        ConfigCommand::Check => check(&config::load(path)?, json)?,
        ConfigCommand::Show if json => say!("{:#}", meant(&config::load(path)?)),
        ConfigCommand::Show => show(&meant(&config::load(path)?), ""),
        ConfigCommand::Schema { toml: true } => say!("{}", annotated()),
        ConfigCommand::Schema { toml: false } => schema(json),
    }
    Ok(Exit::Done)
}

/// Looks at what [`config::load`] leaves to whoever needs it, then says what was read, and where.
fn check(config: &Config, json: bool) -> Result<(), Failed> {
    config.unread.iter().for_each(|unread| eprintln!("tidegauge: warning: {unread}"));
    config.api_tokens.as_deref().map(config::tokens).transpose()?;
    observe::filter(config)?;
    let SaidIn { file, variables } = &config.said_in;
    if json {
        let unread: Vec<String> = config.unread.iter().map(ToString::to_string).collect();
        say!(
            "{:#}",
            serde_json::json!({
                "deployment": config.deployment, "file": file, "variables": variables, "unread": unread,
            })
        );
        return Ok(());
    }
    let none = || format!("none ({} are not there)", config::PLACES.join(" and "));
    let file = file.as_ref().map_or_else(none, |file| file.display().to_string());
    let variables = if variables.is_empty() { "none".to_owned() } else { variables.join(", ") };
    say!("the configuration of deployment {:?} is sound", config.deployment);
    say!("  file       {file}\n  variables  {variables}");
    Ok(())
}

/// The configuration as it is meant, without secrets.
fn meant(config: &Config) -> serde_json::Value {
    let clickhouse = config.clickhouse.as_ref().map(|c| {
        let password = if c.password.is_empty() { "" } else { HIDDEN };
        serde_json::json!({
            "url": c.url, "database": c.database, "user": c.user, "password": password,
            "usage_records": c.usage_records,
        })
    });
    let hidden = |name: &String| (name.clone(), HIDDEN.into());
    let properties: serde_json::Map<_, _> = config.kafka.properties.keys().map(hidden).collect();
    let format = config.log_format.map(|format| match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    });
    serde_json::json!({
        "deployment": config.deployment,
        "clock": if config.clock_supplied { "supplied" } else { "log" },
        "kafka": {
            "brokers": config.kafka.brokers, "prefix": config.kafka.prefix, "group": config.kafka.group,
            "instance": config.kafka.instance, "partitions": config.kafka.partitions,
            "replication": config.kafka.replication, "session_timeout_ms": config.kafka.session_timeout_ms,
            "properties": properties,
        },
        "ingest": {"threads": config.ingest_threads},
        "worker": {
            "threads": config.worker_threads, "replay_debt_records": config.replay_debt_records,
            "replay_debt_s": config.replay_debt_s,
        },
        "clickhouse": clickhouse,
        "api": {
            "listen": config.api_listen.to_string(), "address": config.api_address, "tokens": config.api_tokens,
            "operations": config.api_operations.map(|address| address.to_string()),
        },
        "log": {"level": config.log_level, "format": format},
        "feeds": config.feeds.iter().map(|feed| serde_json::json!({
            "id": feed.decoder.feed(), "format": feed.decoder.format(), "carrier": feed.carrier, "topic": feed.topic,
            "folder": feed.folder.as_ref().map(|folder| folder.path.display().to_string()),
        })).collect::<Vec<_>>(),
    })
}

fn show(value: &serde_json::Value, prefix: &str) {
    let Some(table) = value.as_object() else { return };
    for (name, value) in table {
        match value {
            serde_json::Value::Object(_) => show(value, &format!("{prefix}{name}.")),
            value => say!("{prefix}{name} = {value}"),
        }
    }
}

fn schema(json: bool) {
    if json {
        let keys: Vec<_> = KEYS
            .iter()
            .map(|k| serde_json::json!({"key": k.name, "type": k.kind, "default": k.default, "means": k.means}))
            .collect();
        say!("{:#}", serde_json::Value::Array(keys));
        return;
    }
    for key in KEYS {
        say!("{}  ({}; default {})\n    {}", key.name, key.kind, key.default, key.means);
    }
}

/// A configuration file that says nothing but the deployment's name: to be edited.
fn annotated() -> String {
    let mut lines = vec!["# tidegauge.toml: every key with its default. What is not said is so.".to_owned()];
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if of != section {
            // A block of feeds is one feed: there is none unless one is described.
            let header = if of.ends_with("[]") { "# [[feeds]]".to_owned() } else { format!("[{of}]") };
            lines.extend([String::new(), header]);
            section = of;
        }
        lines.push(format!("# {} ({})", key.means, key.kind));
        lines.push(match value(key) {
            _ if key.name == "deployment" => "deployment = \"\"".to_owned(),
            Some(default) => format!("# {name} = {default}"),
            None => format!("# {name} =   # {}", key.default),
        });
    }
    lines.join("\n")
}

/// The default, where it is a value and no remark.
fn value(key: &Key) -> Option<&'static str> {
    toml::from_str::<toml::Table>(&format!("v = {}", key.default)).is_ok().then_some(key.default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_annotated_file_says_is_what_is_meant_without_it() {
        let meant = |text: &str| {
            let said = toml::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            format!("{:?}", Config::from_said(said).expect("a configuration"))
        };
        let file = annotated().replace("deployment = \"\"", "deployment = 'shop'");
        assert_eq!(meant(&file), meant("deployment = 'shop'"));
        // ... and so with every default said.
        let (file, feeds) = file.split_once("# [[feeds]]").expect("feeds come last");
        let said = |line: &str| {
            let bare = line.strip_prefix("# ").filter(|line| !line.contains(" =   #"));
            bare.filter(|line| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')))
                .unwrap_or(line)
                .to_owned()
        };
        let whole: Vec<String> = file.lines().map(said).collect();
        assert!(whole.iter().any(|line| line == "partitions = 16"), "{whole:?}");
        assert_eq!(meant(&whole.join("\n")), meant("deployment = 'shop'"));
        assert!(KEYS.iter().all(|key| {
            let name = key.name.rsplit('.').next().unwrap_or_default();
            format!("{file}{feeds}").contains(&format!("{name} ="))
        }));
    }

    #[test]
    fn every_key_is_shown_and_no_secret() {
        let said = "deployment = 't'\n[kafka.properties]\n'sasl.password' = 'hunter2'\n[clickhouse]\n\
                    url = 'http://c:1'\npassword = 'hunter2'\n";
        let said: crate::config::said::Said = toml::from_str(said).expect("TOML");
        let meant = meant(&Config::from_said(said).expect("a configuration"));
        // What stands in a file is shown as what it becomes.
        for key in KEYS.iter().filter(|key| !key.name.contains('[') && !key.name.ends_with("password_file")) {
            let place = format!("/{}", key.name.replace('.', "/"));
            assert!(meant.pointer(&place).is_some(), "{} is not shown", key.name);
        }
        let text = meant.to_string();
        assert!(!text.contains("hunter2") && text.contains("sasl.password"), "{text}");
    }
}
