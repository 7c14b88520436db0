//! ClickHouse dies under load: alerts go on as before, what waits is bounded by cards, and rows are equal afterwards.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use tidegauge::log::Topic;
use tidegauge::shell::wall_ms;

use crate::Size;
use crate::fleet::{Alarms, Message};
use crate::place::Place;
use crate::process::Process;
use crate::seen;
use crate::support::Patience;

const REST: Duration = Duration::from_mins(3);
/// Between two records that each cause an alert.
const EVERY: Duration = Duration::from_millis(20);
/// Records beside each of them that cause none.
const BESIDE: u32 = 10;
/// Far above any good figure: beyond it alerts wait for ClickHouse.
const SANE_MS: i64 = 5_000;

#[test]
fn clickhouse_away_holds_no_alert_up_and_loses_no_row() {
    let size = Size::chosen();
    let Some(mut place) = Place::make("outage") else {
        println!("SKIPPED: no ClickHouse engine here");
        return;
    };
    let each = (size.outage_s * 1000 / EVERY.as_millis() as u64) as u32;
    let alarms = Alarms::new(2 * each, wall_ms() / 1000);
    let mut processes = [Process::start(&place.variables, "outage")];
    place.apply(&alarms.catalogue());
    place.send(&alarms.birth());
    place.rest(&processes, REST);

    let before = alarm(&place, &alarms, 0..each);
    place.engine.kill();
    let during = alarm(&place, &alarms, each..2 * each);
    let dirty = dirty_cards(&processes[0]);
    place.engine.restart();
    let away = wall_ms();
    place.rest(&processes, REST);
    println!("alert latency, ms (p50, p99): {before:?} before, {during:?} without ClickHouse");
    println!("{dirty} dirty cards of {}; at rest {} ms after its return", 2 * each, wall_ms() - away);
    assert!(during.1 < SANE_MS.max(10 * before.1), "alerts wait for ClickHouse");
    assert!(dirty > 0 && dirty <= u64::from(2 * each), "{dirty} dirty cards");
    let used: BTreeMap<_, _> = place.months().into_iter().map(|((card, _), used)| (card, used)).collect();
    assert_eq!(used, alarms.used(BESIDE));
    processes.iter_mut().for_each(Process::stop);
}

/// Raises the alert of each of these cards at an even pace. Answers p50 and p99 from before the send to seen, ms.
fn alarm(place: &Place, alarms: &Alarms, cards: std::ops::Range<u32>) -> (i64, i64) {
    let consumer = from_now(place);
    let (tell, told) = mpsc::channel();
    let wanted = cards.len();
    let watcher = std::thread::spawn(move || {
        let patience = Patience::of(REST);
        let mut seen = BTreeMap::new();
        tell.send(()).expect("awaited");
        while seen.len() < wanted {
            patience.check("alerts");
            let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
            let message = message.expect("read");
            let event: serde_json::Value =
                serde_json::from_slice(message.payload().expect("a value")).expect("JSON");
            seen.insert(event["subject"].as_str().unwrap_or_default().to_owned(), wall_ms());
        }
        seen
    });
    told.recv().expect("it watches");
    let mut sent = BTreeMap::new();
    for card in cards {
        let interval = Patience::of(EVERY);
        let messages: Vec<Message> = alarms.usage(card, BESIDE);
        sent.insert(messages[0].1.clone(), wall_ms());
        place.hand_over(&messages);
        interval.wait();
    }
    place.send(&[]);
    let seen = watcher.join().expect("every alert came");
    let mut took: Vec<i64> = sent.iter().map(|(card, at)| seen[card] - at).collect();
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

/// A consumer of alerts that are committed from now on.
fn from_now(place: &Place) -> BaseConsumer {
    let consumer = seen::consumer(&place.cluster, "watcher");
    let mut wanted = TopicPartitionList::new();
    for (partition, end) in (0..).zip(seen::ends(&place.cluster, &consumer, Topic::Alerts)) {
        let name = seen::name(&place.cluster, Topic::Alerts);
        wanted.add_partition_offset(&name, partition, Offset::Offset(end)).expect("an offset");
    }
    consumer.assign(&wanted).expect("assigned");
    consumer
}

/// `tidegauge_rollup_dirty_cards`, as Prometheus reads it.
fn dirty_cards(process: &Process) -> u64 {
    let text = crate::support::block_on(process.text("/metrics")).expect("metrics");
    let line = text.lines().find_map(|line| line.strip_prefix("tidegauge_rollup_dirty_cards "));
    line.expect("the gauge").parse::<f64>().expect("a number") as u64
}
