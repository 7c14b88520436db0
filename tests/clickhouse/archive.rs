//! Questions that a real engine must judge: which cycles run while the carriers' days differ from UTC's.

use tidegauge::meter::MonthRow;
use tidegauge::model::Day;
use tidegauge::rollup::rows::CardMonth;
use tidegauge::rollup::{Archive, Client, FleetSums};

use crate::place::{Place, skipped};
use crate::sample::{AUGUST, month, version};

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
