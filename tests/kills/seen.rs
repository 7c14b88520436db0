//! What another program sees: committed events, ends of topics, offsets of groups.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use serde_json::Value;
use tidegauge::log::Topic;

use crate::support::{Cluster, Patience};

const WAIT: Duration = Duration::from_secs(20);

/// A consumer of committed messages only, which belongs to a group without joining it.
pub(crate) fn consumer(cluster: &Cluster, group: &str) -> BaseConsumer {
    let mut config = cluster.outside();
    config.set("group.id", group).set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    config.create().expect("a consumer")
}

pub(crate) fn name(cluster: &Cluster, topic: Topic) -> String {
    format!("{}{}", cluster.prefix, topic.name())
}

/// Ends of all partitions.
pub(crate) fn ends(cluster: &Cluster, consumer: &BaseConsumer, topic: Topic) -> Vec<i64> {
    let name = name(cluster, topic);
    let end = |partition| consumer.fetch_watermarks(&name, partition as i32, WAIT).expect("watermarks").1;
    (0..cluster.partitions).map(end).collect()
}

/// Whether a group has read all that was written to the topics from outside.
pub(crate) fn has_read_all(cluster: &Cluster, consumer: &BaseConsumer) -> bool {
    [Topic::Cdr, Topic::Modem, Topic::Commands].into_iter().all(|topic| {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(&name(cluster, topic), 0, cluster.partitions as i32 - 1);
        let committed = consumer.committed_offsets(wanted, WAIT).expect("committed offsets");
        let ends = ends(cluster, consumer, topic);
        committed.elements().iter().all(|held| {
            let end = ends[held.partition() as usize];
            end == 0 || held.offset().to_raw().is_some_and(|offset| offset >= end)
        })
    })
}

/// Every committed event of a topic, from its beginning to its end now.
pub(crate) fn events(cluster: &Cluster, topic: Topic) -> Vec<Value> {
    let consumer = consumer(cluster, "spectator");
    let ends = ends(cluster, &consumer, topic);
    let mut wanted = TopicPartitionList::new();
    for partition in 0..cluster.partitions {
        wanted.add_partition_offset(&name(cluster, topic), partition as i32, Offset::Beginning).unwrap();
    }
    consumer.assign(&wanted).expect("assigned");
    let (mut events, patience) = (Vec::new(), Patience::of(WAIT));
    loop {
        match consumer.poll(Duration::from_millis(200)) {
            Some(message) => {
                let message = message.expect("read");
                events.push(serde_json::from_slice(message.payload().expect("a value")).expect("JSON"));
            }
            None if at_end(&consumer, &ends) => return events,
            None => patience.check("the end of the events"),
        }
    }
}

/// Markers of transactions are passed over without being seen, so positions tell, not messages.
fn at_end(consumer: &BaseConsumer, ends: &[i64]) -> bool {
    let position = consumer.position().expect("assigned");
    position.elements().iter().all(|at| {
        let end = ends[at.partition() as usize];
        end == 0 || at.offset().to_raw().is_some_and(|offset| offset >= end)
    })
}

/// How often each (card, type, rule or order) was told; no id twice.
pub(crate) fn counted(events: &[Value]) -> BTreeMap<(String, String, String), u32> {
    let (mut ids, mut counted) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        *ids.entry(text(&event["id"])).or_insert(0) += 1;
        let what = event["data"].get("rule").unwrap_or(&event["data"]["order"]);
        let key = (text(&event["subject"]), text(&event["type"]), text(what));
        *counted.entry(key).or_insert(0) += 1;
    }
    ids.retain(|_, times| *times > 1);
    assert!(ids.is_empty(), "told more than once: {ids:?}");
    counted
}
