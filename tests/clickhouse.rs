//! The rollup on a real ClickHouse engine: migrations, the schema's check, versions, and a server that dies in the middle.

#[path = "support/clickhouse.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::{Engine, Place};
use tidegauge::meter::{CardState, DayRow, MonthRow, Rows};
use tidegauge::model::{CardId, Day, LogOffset};
use tidegauge::rollup::migrate::{MIGRATIONS, MigrateError, Migration, PlanError, migrate};
use tidegauge::rollup::rows::{CardDay, CardMonth};
use tidegauge::rollup::schema::check_schema;
use tidegauge::rollup::{Client, Flusher, RowBatch, RowSink, RowVersion, Timeouts, VersionedRows, Writer};

/// 2026-08-01.
const AUGUST: Day = 20_666;

fn card(n: u64) -> CardId {
    CardId::parse(&format!("{}", 8_986_001_000_000_000_000 + n)).unwrap()
}

fn month(card_no: u64, used: u64) -> MonthRow {
    MonthRow {
        card: card(card_no),
        cycle: AUGUST,
        cycle_last: AUGUST + 30,
        carrier: "cmcc".to_owned(),
        plan: "basic".to_owned(),
        channel: "own".to_owned(),
        state: CardState::Active,
        settling_up: 1,
        settling_down: 2,
        estimate_up: 3,
        estimate_down: 4,
        modem_up: 5,
        modem_down: 6,
        used,
        settled: 7,
        provisional: 8,
        quota: (card_no % 2 == 0).then_some(500 << 20),
        burnt: 9,
        remaining: 10,
        overage: 11,
        unsettled_days: 12,
        closed: false,
        revision: 13,
        as_of: 1_785_600_000,
    }
}

fn day(card_no: u64, day: Day, used: u64) -> DayRow {
    DayRow {
        card: card(card_no),
        day,
        cycle: AUGUST,
        carrier: "cmcc".to_owned(),
        settling_up: 1,
        settling_down: 2,
        estimate_up: 3,
        estimate_down: 4,
        modem_up: 5,
        modem_down: 6,
        used,
        complete: true,
        unsettled: false,
        closed: false,
        as_of: 1_785_600_000,
    }
}

fn version(offset: u64) -> RowVersion {
    RowVersion::new(0, LogOffset(offset))
}

async fn migrated(place: &Place) -> Client {
    let client = place.client();
    migrate(&client, &MIGRATIONS).await.unwrap();
    client
}

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
    assert_eq!(rest.iter().map(|a| a.number).collect::<Vec<_>>(), [2, 3]);
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
    let client = migrated(&place).await;
    client.execute("ALTER TABLE card_day MODIFY COLUMN used UInt32").await.unwrap();
    client.execute("ALTER TABLE card_month DROP COLUMN overage").await.unwrap();
    client.execute("ALTER TABLE card_month ADD COLUMN newer UInt8 DEFAULT 1").await.unwrap();
    let error = check_schema(&client).await.unwrap_err().to_string();
    assert!(error.contains("table card_month has no column overage (UInt64)"), "{error}");
    assert!(error.contains("table card_day, column used: UInt64 is expected, UInt32 was found"), "{error}");
    assert!(!error.contains("newer") && error.contains("tidegauge migrate"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_as_they_went_and_an_older_version_does_not_win() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = migrated(&place).await;
    let months = |used, offset| [1, 2].map(|n| CardMonth::new(month(n, used), version(offset))).to_vec();
    let days = |used, offset| [1, 2].map(|n| CardDay::new(day(n, AUGUST, used), version(offset))).to_vec();
    for (used, offset) in [(100, 7), (200, 9), (150, 8), (200, 9)] {
        client.insert(&months(used, offset)).await.unwrap();
        client.insert(&days(used, offset)).await.unwrap();
    }
    let found = client.rows::<CardMonth>("SELECT * FROM card_month_now ORDER BY card").await.unwrap();
    assert_eq!(found, months(200, 9));
    let found = client.rows::<CardDay>("SELECT * FROM card_day_now ORDER BY card").await.unwrap();
    assert_eq!(found, days(200, 9));
    let by_name =
        "SELECT count() FROM card_month_now WHERE card = '8986001000000000001' AND cycle = '2026-08-01'";
    assert_eq!(client.rows::<u64>(by_name).await.unwrap(), [1]);
}

/// Batches that a worker may have under way.
const UNDER_WAY: usize = 4;
const BATCHES: u64 = 24;
/// Cards a batch; each has a row of its month and five of days.
const CARDS: u64 = 1_200;

/// Batch `id` tells of cards from `id * 600` on: each card comes twice, and the later batch is the truth.
fn batch(id: u64) -> RowBatch {
    let cards = id * CARDS / 2..id * CARDS / 2 + CARDS;
    let months = cards.clone().map(|n| month(n, id)).collect();
    let days = cards.flat_map(|n| (0..5).map(move |d| day(n, AUGUST + d, 1_000 * id + n))).collect();
    let through = LogOffset(id);
    let rows = VersionedRows { version: version(id), rows: Rows { months, days } };
    RowBatch { partition: (id % 3) as u32, through, last_part: true, rows, id }
}

/// What the tables must hold: of each key the last batch's row.
fn truth() -> (Vec<CardMonth>, Vec<CardDay>) {
    let (mut months, mut days) = (BTreeMap::new(), BTreeMap::new());
    for id in 0..BATCHES {
        let Rows { months: m, days: d } = batch(id).rows.rows;
        months.extend(m.into_iter().map(|row| (row.card, CardMonth::new(row, version(id)))));
        days.extend(d.into_iter().map(|row| ((row.card, row.day), CardDay::new(row, version(id)))));
    }
    (months.into_values().collect(), days.into_values().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_flushes_ends_with_every_row_and_acks_in_order() {
    if support::server_url().is_some() {
        skipped!("a named server is not ours to kill");
    }
    let Some(mut engine) = Engine::start() else { skipped!("no ClickHouse engine here") };
    let client = Client::new(&support::server(engine.url.clone()), Timeouts::default());
    migrate(&client, &MIGRATIONS).await.unwrap();
    let flusher = Flusher::start(Writer::new(client.clone()), &tokio::runtime::Handle::current());
    let mut sink = flusher.sink();

    let (mut submitted, mut acked, mut deaths) = (0, Vec::new(), 0);
    while acked.len() < BATCHES as usize {
        if submitted < BATCHES && (submitted as usize) < acked.len() + UNDER_WAY {
            assert!(sink.submit(batch(submitted)), "four batches are within the bounds");
            submitted += 1;
            continue;
        }
        // The queue is full, so that an insert is under way or about to be.
        if (deaths == 0 && acked.len() >= 4) || (deaths == 1 && acked.len() >= 12) {
            engine.kill();
            deaths += 1;
            until(|| flusher.stats().errors() >= deaths).await;
            engine.restart();
        }
        match sink.acked() {
            Some(ack) => acked.push(ack),
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    assert_eq!(deaths, 2);
    assert_eq!(acked, (0..BATCHES).map(|id| ((id % 3) as u32, id)).collect::<Vec<_>>());
    assert_eq!(flusher.rows_queued(), 0);
    assert!(flusher.stats().failing().is_empty());
    let (months, days) = truth();
    let found = client.rows::<CardMonth>("SELECT * FROM card_month_now ORDER BY card").await.unwrap();
    assert!(found == months, "{} months of {}", found.len(), months.len());
    let found = client.rows::<CardDay>("SELECT * FROM card_day_now ORDER BY card, day").await.unwrap();
    assert!(found == days, "{} days of {}", found.len(), days.len());
    drop(sink);
    assert!(flusher.stop(Duration::from_secs(5)).await);
}

/// Waits for an event that has no channel of its own.
async fn until(happened: impl Fn() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
