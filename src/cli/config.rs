//! `config check|show|schema`.

use std::path::Path;

use super::args::ConfigCommand;
use super::exit::{Exit, Failed};
use crate::config::{self, Config, said::KEYS};
use crate::stdout::say;

pub(super) fn run(command: &ConfigCommand, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    match command {
        ConfigCommand::Check => {
            let config = config::load(path)?;
            config.unread.iter().for_each(|unread| eprintln!("tidegauge: warning: {unread}"));
            config.api_tokens.as_deref().map(config::tokens).transpose()?;
            say!("the configuration of deployment {:?} is sound", config.deployment);
        }
        ConfigCommand::Show if json => say!("{:#}", meant(&config::load(path)?)),
        ConfigCommand::Show => show(&meant(&config::load(path)?), ""),
        ConfigCommand::Schema => schema(json),
    }
    Ok(Exit::Done)
}

/// The configuration as it is meant, without secrets.
fn meant(config: &Config) -> serde_json::Value {
    let clickhouse = config.clickhouse.as_ref().map(|c| {
        serde_json::json!({"url": c.url, "database": c.database, "user": c.user, "usage_records": c.usage_records})
    });
    serde_json::json!({
        "deployment": config.deployment,
        "clock": if config.clock_supplied { "supplied" } else { "log" },
        "kafka": {
            "brokers": config.kafka.brokers, "prefix": config.kafka.prefix, "group": config.kafka.group,
            "instance": config.kafka.instance, "partitions": config.kafka.partitions,
            "replication": config.kafka.replication, "session_timeout_ms": config.kafka.session_timeout_ms,
            "properties": config.kafka.properties.keys().collect::<Vec<_>>(),
        },
        "ingest": {"threads": config.ingest_threads},
        "worker": {
            "threads": config.worker_threads, "replay_debt_records": config.replay_debt_records,
            "replay_debt_s": config.replay_debt_s,
        },
        "clickhouse": clickhouse,
        "api": {"listen": config.api_listen.to_string(), "operations": config.api_operations.unwrap_or(config.api_listen).to_string()},
        "log": {"level": config.log_level, "directory": config.demo_directory},
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
            serde_json::Value::Object(_) => show(value, &format!("{name}.")),
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
