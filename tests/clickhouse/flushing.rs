//! Rows on their way into the tables, and a server that dies meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegauge::meter::Rows;
use tidegauge::model::LogOffset;
use tidegauge::rollup::migrate::{MIGRATIONS, migrate};
use tidegauge::rollup::rows::{CardDay, CardMonth};
use tidegauge::rollup::{Client, Flusher, RowBatch, RowSink, Timeouts, VersionedRows, Writer};

use crate::engine::Engine;
use crate::place::{Place, server, server_url, skipped};
use crate::sample::{AUGUST, day, month, version};

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_as_they_went_and_an_older_version_does_not_win() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
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
    if server_url().is_some() {
        skipped!("a named server is not ours to kill");
    }
    let Some(mut engine) = Engine::start() else { skipped!("no ClickHouse engine here") };
    let client = Client::new(&server(engine.url.clone()), Timeouts::default());
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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_before_the_tables_are_right() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
    // Every repeat would count.
    for sql in [
        "RENAME TABLE card_day TO kept",
        "CREATE TABLE card_day AS kept ENGINE = MergeTree ORDER BY (card, day)",
    ] {
        client.execute(sql).await.unwrap();
    }
    let writer = Writer::new(client.clone()).with_keep_retry(Duration::from_millis(20)).after_check();
    let flusher = Flusher::start(writer, &tokio::runtime::Handle::current());
    let mut sink = flusher.sink();
    assert!(sink.submit(batch(0)));
    until(|| flusher.stats().errors() >= 3 || flusher.stats().inserts() > 0).await;
    let failing = flusher.stats().failing();
    assert!(failing.len() == 1 && failing[0].1.text.contains("MergeTree"), "{failing:?}");
    assert_eq!((flusher.stats().inserts(), sink.acked()), (0, None));
    let written = "SELECT count() FROM (SELECT card FROM card_month UNION ALL SELECT card FROM card_day)";
    assert_eq!(client.rows::<u64>(written).await.unwrap(), [0]);

    for sql in ["DROP TABLE card_day", "RENAME TABLE kept TO card_day"] {
        client.execute(sql).await.unwrap();
    }
    until(|| flusher.stats().inserts() >= 2).await;
    until(|| flusher.rows_queued() == 0 || sink.acked().is_some()).await;
    assert!(flusher.stats().failing().is_empty());
    assert_eq!(client.rows::<u64>(written).await.unwrap(), [CARDS * 6]);
}

/// Waits for an event that has no channel of its own.
async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
