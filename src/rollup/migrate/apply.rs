//! Applies what [`plan()`] has left over, and records it.

use serde::{Deserialize, Serialize};

use super::{Migration, PlanError, Recorded, plan, statements};
use crate::rollup::{Client, Failure};

/// The list of what was applied. `applied` decides between two runs at once: the later record stays.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations
(
    number UInt32,
    name String,
    checksum String,
    applied DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(applied)
ORDER BY number";

/// Why the tables are not as this program knows them.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("ClickHouse, database {database}: {failure}")]
    Server { database: String, failure: Failure },
    #[error(
        "migration {name}, statement {statement}: {failure}; it will be repeated from its start next time"
    )]
    Statement { name: &'static str, statement: usize, failure: Failure },
}

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    pub number: u32,
    pub name: &'static str,
    pub statements: usize,
}

/// Makes the database if need be and applies what is missing. Answers what it has applied: nothing when all was there.
///
/// # Errors
/// An edited migration, a hole, or a statement that ClickHouse refuses.
pub async fn migrate(client: &Client, migrations: &[Migration]) -> Result<Vec<Applied>, MigrateError> {
    let server = |failure| MigrateError::Server { database: client.database().to_owned(), failure };
    client.create_database().await.map_err(server)?;
    client.execute(TABLE).await.map_err(server)?;
    let recorded = recorded(client).await.map_err(server)?;
    let mut done = Vec::new();
    for migration in plan(migrations, &recorded)? {
        done.push(apply(client, migration).await?);
    }
    client.forget_schema().await;
    Ok(done)
}

/// What [`migrate`] would apply; nothing is changed.
///
/// # Errors
/// As [`migrate`], before it applies anything.
pub async fn pending<'m>(
    client: &Client,
    migrations: &'m [Migration],
) -> Result<Vec<&'m Migration>, MigrateError> {
    let server = |failure| MigrateError::Server { database: client.database().to_owned(), failure };
    let there = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'migrations'";
    let there = client.rows::<String>(there).await;
    let recorded = match there {
        // No such database.
        Err(failure) if failure.code == "81" => Vec::new(),
        Err(failure) => return Err(server(failure)),
        Ok(tables) if tables.is_empty() => Vec::new(),
        Ok(_) => recorded(client).await.map_err(server)?,
    };
    Ok(plan(migrations, &recorded)?)
}

async fn recorded(client: &Client) -> Result<Vec<Recorded>, Failure> {
    let sql = "SELECT number, name, checksum FROM migrations FINAL ORDER BY number";
    let rows = client.rows::<Record>(sql).await?;
    Ok(rows.into_iter().map(|r| Recorded { number: r.number, name: r.name, checksum: r.checksum }).collect())
}

async fn apply(client: &Client, migration: &Migration) -> Result<Applied, MigrateError> {
    let statements = statements(migration.sql);
    let failed = |statement, failure| MigrateError::Statement { name: migration.name, statement, failure };
    for (at, sql) in statements.iter().enumerate() {
        client.execute(sql).await.map_err(|failure| failed(at + 1, failure))?;
    }
    record(client, migration).await.map_err(|failure| failed(statements.len(), failure))?;
    Ok(Applied { number: migration.number, name: migration.name, statements: statements.len() })
}

async fn record(client: &Client, migration: &Migration) -> Result<(), Failure> {
    // Names and checksums are our own words: no quotes in them.
    let (number, name, checksum) = (migration.number, migration.name, migration.checksum());
    let sql =
        format!("INSERT INTO migrations (number, name, checksum) VALUES ({number}, '{name}', '{checksum}')");
    client.execute(&sql).await
}

#[derive(clickhouse::Row, Deserialize)]
struct Record {
    number: u32,
    name: String,
    checksum: String,
}
