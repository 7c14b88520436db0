//! The tables: applied in order, once, and checked.

use tidegauge::rollup::migrate::{MIGRATIONS, MigrateError, Migration, PlanError, migrate};
use tidegauge::rollup::schema::check_schema;

use crate::place::{Place, skipped};

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_applied_once_and_must_not_change() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.client();
    let first = migrate(&client, &MIGRATIONS[..1]).await.unwrap();
    assert_eq!(
        first.iter().map(|a| (a.number, a.name, a.statements)).collect::<Vec<_>>(),
        [(1, "0001_rollups", 4)]
    );
    let rest = migrate(&client, &MIGRATIONS).await.unwrap();
    assert_eq!(rest.iter().map(|a| a.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(migrate(&client, &MIGRATIONS).await.unwrap(), []);
    check_schema(&client).await.unwrap();

    let edited = Migration { sql: "SELECT 1", ..MIGRATIONS[1] };
    let refused = migrate(&client, &[MIGRATIONS[0], edited, MIGRATIONS[2]]).await.unwrap_err();
    assert!(
        matches!(refused, MigrateError::Plan(PlanError::Changed { name: "0002_history", .. })),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_cut_off_in_the_middle_is_finished_by_the_next_run() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.client();
    let broken = Migration {
        sql: "CREATE TABLE IF NOT EXISTS t (a UInt8) ENGINE = MergeTree ORDER BY a; CREATE NONSENSE",
        ..MIGRATIONS[0]
    };
    let error = migrate(&client, &[broken]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Statement { name: "0001_rollups", statement: 2, .. }), "{error}");
    migrate(&client, &MIGRATIONS).await.unwrap();
    check_schema(&client).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_column_is_named_with_both_types() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
    client.execute("ALTER TABLE card_day MODIFY COLUMN used UInt32").await.unwrap();
    client.execute("ALTER TABLE card_month DROP COLUMN overage").await.unwrap();
    client.execute("ALTER TABLE card_month ADD COLUMN newer UInt8 DEFAULT 1").await.unwrap();
    let error = check_schema(&client).await.unwrap_err().to_string();
    assert!(error.contains("table card_month has no column overage (UInt64)"), "{error}");
    assert!(error.contains("table card_day, column used: UInt64 is expected, UInt32 was found"), "{error}");
    assert!(!error.contains("newer") && error.contains("tidegauge migrate"), "{error}");
}
