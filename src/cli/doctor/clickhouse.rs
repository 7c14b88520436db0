//! ClickHouse: it answers, has the tables that the migrations make, and room.

use serde::Deserialize;

use super::finding::{Finding, Findings};
use crate::cli::rollups;
use crate::config::Config;
use crate::rollup::migrate::{MIGRATIONS, MigrateError, pending};
use crate::rollup::schema::{SchemaError, check_schema};
use crate::rollup::{Client, Server, Timeouts};

/// Free parts of a hundred on a disk below which merges soon stop.
const FREE_PERCENT_MIN: u64 = 10;

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Findings::of("clickhouse");
    let (Some(client), Some(said)) = (rollups::client(config), &config.clickhouse) else {
        return findings.done();
    };
    let anywhere = Server {
        url: said.url.clone(),
        database: "default".to_owned(),
        user: said.user.clone(),
        password: said.password.clone(),
    };
    let anywhere = Client::new(&anywhere, Timeouts::default());
    match anywhere.rows::<String>("SELECT version()").await {
        Ok(version) => findings.ok(said.url.clone(), format!("version {}", version.concat())),
        Err(failure) => {
            findings.away(said.url.clone(), failure.text.clone(), failure.advice());
            return findings.done();
        }
    }
    tables(&client, &mut findings).await;
    disks(&anywhere, &mut findings).await;
    findings.done()
}

async fn tables(client: &Client, findings: &mut Findings) {
    let database = format!("database {}", client.database());
    let fix = "`tidegauge migrate` with this version of the program";
    match pending(client, &MIGRATIONS).await {
        Err(MigrateError::Server { failure, .. }) => {
            findings.error(database, failure.text.clone(), failure.advice());
            return;
        }
        Err(error) => {
            findings.error(database, error.to_string(), "a database of its own for this program");
            return;
        }
        Ok(left) if !left.is_empty() => {
            let names: Vec<&str> = left.iter().map(|migration| migration.name).collect();
            findings.error(database, format!("migrations were not applied: {}", names.join(", ")), fix);
            return;
        }
        Ok(_) => {}
    }
    match check_schema(client).await {
        Ok(()) => findings.ok(
            database,
            format!("{} migrations applied, the tables are as they should be", MIGRATIONS.len()),
        ),
        Err(SchemaError::Server { failure, .. }) => {
            findings.error(database, failure.text.clone(), failure.advice());
        }
        Err(SchemaError::Wrong { problems, .. }) => {
            for problem in problems {
                findings.error(
                    database.clone(),
                    problem.to_string(),
                    "set it right by hand, or migrate into a new database",
                );
            }
        }
    }
}

#[derive(clickhouse::Row, Deserialize)]
struct Disk {
    name: String,
    free: u64,
    total: u64,
}

/// A server that does not show its disks is not asked further.
async fn disks(client: &Client, findings: &mut Findings) {
    let sql = "SELECT name, free_space AS free, total_space AS total FROM system.disks WHERE total_space > 0";
    let Ok(disks) = client.rows::<Disk>(sql).await else { return };
    for Disk { name, free, total } in disks {
        // An object store has no end.
        if total == u64::MAX {
            continue;
        }
        let percent = free / (total / 100).max(1);
        let text = format!("{} of {} GiB free", free >> 30, total >> 30);
        if percent < FREE_PERCENT_MIN {
            findings.warning(format!("disk {name}"), text, "make room: without it inserts end");
        } else {
            findings.ok(format!("disk {name}"), text);
        }
    }
}
