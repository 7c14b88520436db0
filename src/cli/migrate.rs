//! `migrate`: brings ClickHouse's tables up to this version.

use super::exit::{Exit, Failed};
use super::rollups;
use crate::config::{Config, ConfigError};
use crate::rollup::migrate::{Applied, MIGRATIONS, MigrateError, migrate};
use crate::stdout::say;

pub(super) fn run(config: &Config, json: bool) -> Result<Exit, Failed> {
    let runtime = super::runtime()?;
    let applied = runtime.block_on(async {
        let client = rollups::client(config).ok_or_else(|| ConfigError::Value {
            key: "clickhouse.url",
            problem: "required here: where ClickHouse is, e.g. \"http://127.0.0.1:8123\"".to_owned(),
        })?;
        migrate(&client, &MIGRATIONS).await.map_err(failed)
    })?;
    print(&applied, json);
    Ok(Exit::Done)
}

fn failed(error: MigrateError) -> Failed {
    match error {
        MigrateError::Server { .. } => Failed::unavailable(error),
        MigrateError::Plan(_) | MigrateError::Statement { .. } => Failed::from(anyhow::Error::from(error)),
    }
}

fn print(applied: &[Applied], json: bool) {
    if json {
        say!("{:#}", serde_json::json!(applied));
        return;
    }
    if applied.is_empty() {
        say!("the tables are those of this version");
    }
    for migration in applied {
        say!("{:04} {}: {} statements", migration.number, migration.name, migration.statements);
    }
}
