//! Questions that a real engine must judge: which cycles run while the carriers' days differ from UTC's, and which record of a
//! quarantine id is meant.

use std::sync::LazyLock;

use tidegauge::meter::MonthRow;
use tidegauge::model::{CardId, Day};
use tidegauge::rollup::rows::{CardMonth, CardText, NO_CARD, Quarantine, Raw};
use tidegauge::rollup::{Archive, Client, FleetSums, SetAside, SetAsideRecord};

use crate::place::{Place, skipped};
use crate::sample::{AUGUST, card, month, version};

/// Of a carrier: cards that have used something in July, and those that have in August.
fn rows(carrier: &str, july: &[u64], august: &[u64]) -> Vec<CardMonth> {
    let row = |card, used, cycle: Day, days: Day| {
        let row =
            MonthRow { cycle, cycle_last: cycle + days - 1, carrier: carrier.into(), ..month(card, used) };
        CardMonth::new(row, version(1))
    };
    let july = july.iter().map(|&card| row(card, 1_000 * card, AUGUST - 31, 31));
    july.chain(august.iter().map(|&card| row(card, card, AUGUST, 31))).collect()
}

async fn used(client: &Client, today: Day) -> (u64, u64) {
    let FleetSums { cards, used, .. } =
        Archive::new(client.clone()).fleet(today).await.expect("the engine answers");
    (cards, used)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cycle_that_runs_is_summed_whatever_day_the_carriers_have() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
    client.insert(&rows("shanghai", &[1, 2], &[])).await.expect("the engine answers");
    client.insert(&rows("bogota", &[3, 4], &[])).await.expect("the engine answers");
    assert_eq!(used(&client, AUGUST - 1).await, (4, 10_000), "July runs for both");
    // It is August in Shanghai for eight hours of the 31st of July, and card 2 has yet to be heard of.
    client.insert(&rows("shanghai", &[], &[1])).await.expect("the engine answers");
    assert_eq!(used(&client, AUGUST - 1).await, (3, 7_001));
    // It is July in Bogota for five hours of the 1st of August.
    assert_eq!(used(&client, AUGUST).await, (3, 7_001));
    client.insert(&rows("bogota", &[], &[4])).await.expect("the engine answers");
    assert_eq!(used(&client, AUGUST).await, (2, 5));
    assert_eq!(used(&client, AUGUST + 15).await, (2, 5));
    assert_eq!(used(&client, AUGUST + 40).await, (0, 0), "nobody has a row of September");
}

const ID: &str = "97e6ee830345c53342bb3d4963c1b557";

/// Times are from the test's start on, for the table forgets what is old.
fn start_ms() -> i64 {
    static START_MS: LazyLock<i64> = LazyLock::new(|| {
        let since_s = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        i64::try_from(since_s).expect("a time") * 1_000
    });
    *START_MS
}

/// Seen so many milliseconds after it.
fn set_aside(card: CardText, outcome: &str, seen: i64, imsi: u64) -> Quarantine {
    let record = format!(
        r#"{{"imsi":"{imsi}","feed":"f","id":"t","start":"2026-08-01T01:30:15Z","end":"2026-08-01T01:45:15Z","up":1,"down":2}}"#
    );
    Quarantine {
        card,
        id: ID.to_owned(),
        seen: start_ms() + seen,
        outcome: outcome.to_owned(),
        record: Raw(record.into_bytes()),
        topic: "usage.quarantine".to_owned(),
        ..Quarantine::default()
    }
}

fn told(rows: &[SetAsideRecord]) -> Vec<(&str, i64)> {
    rows.iter().map(|row| (row.card.as_str(), row.seen_ms - start_ms())).collect()
}

async fn meant(archive: &Archive, card: Option<CardId>) -> Vec<(String, i64)> {
    let rows = archive.set_aside_as(ID, card).await.expect("the engine answers");
    rows.into_iter().map(|row| (row.card, row.seen_ms - start_ms())).collect()
}

async fn listed(archive: &Archive) -> Vec<SetAsideRecord> {
    let rows = archive.set_aside(&SetAside::default(), 100).await.expect("the engine answers");
    archive.shown_once(rows).await.expect("the engine answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_has_its_card_by_now_is_shown_once_and_each_card_has_its_own() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
    let archive = Archive::new(client.clone());
    let (first, second) = (card(1), card(2));
    let [one, two] = [first, second].map(|card| card.to_string());
    let (imsi, other_imsi) = (460_041_234_567_890, 460_041_234_567_891);
    // Of a card that nobody knew; seen last, so that nothing but the card puts another before it.
    client.insert(&[set_aside(NO_CARD, "unknown", 9_000, imsi)]).await.expect("the engine answers");
    assert_eq!(told(&listed(&archive).await), [("", 9_000)]);
    assert_eq!(meant(&archive, None).await, [(String::new(), 9_000)]);

    client.insert(&[set_aside(first.text(), "late", 5_000, imsi)]).await.expect("the engine answers");
    assert_eq!(told(&listed(&archive).await), [(one.as_str(), 5_000)]);
    assert_eq!(meant(&archive, None).await, [(one.clone(), 5_000), (String::new(), 9_000)]);

    // An equal record of another card is another record.
    client.insert(&[set_aside(second.text(), "late", 7_000, other_imsi)]).await.expect("the engine answers");
    assert_eq!(told(&listed(&archive).await), [(two.as_str(), 7_000), (one.as_str(), 5_000)]);
    assert_eq!(meant(&archive, None).await, [(two.clone(), 7_000), (one.clone(), 5_000)]);
    assert_eq!(meant(&archive, Some(first)).await[0], (one, 5_000));
    assert_eq!(meant(&archive, Some(second)).await[0].0, two);
    assert_eq!(meant(&archive, Some(card(3))).await[0].0, two, "of a card that has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_nobody_was_known_for_is_not_hidden_by_another_cards_equal() {
    let Some(place) = Place::find() else { skipped!("no ClickHouse here") };
    let client = place.migrated().await;
    let rows = [
        set_aside(NO_CARD, "unknown", 9_000, 460_041_234_567_890),
        set_aside(card(2).text(), "late", 7_000, 460_041_234_567_891),
    ];
    client.insert(&rows).await.expect("the engine answers");
    let archive = Archive::new(client);
    assert_eq!(told(&listed(&archive).await), [("", 9_000), (card(2).to_string().as_str(), 7_000)]);
}
