//! Events read again from a topic that has forgotten the oldest: where it begins is told, and what it keeps is handed over.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::{Offset, TopicPartitionList};
use tidegauge::log::kafka::KafkaReplay;
use tidegauge::log::{LogError, Replay as _, Topic, TopicPartition};
use tidegauge::model::LogOffset;

use crate::log_contract::until;
use crate::support::{Cluster, block_on};

const AT: TopicPartition = TopicPartition { topic: Topic::Alerts, partition: 0 };

#[test]
fn a_topic_that_has_forgotten_says_where_it_begins() {
    let cluster = Cluster::make("replay", 1);
    cluster.append(AT.topic, AT.partition, &["a", "b", "c", "d", "e"]);
    let mut replay = KafkaReplay::open(&cluster.config("replay", "0")).unwrap();
    assert_eq!(replay.begins(AT), Ok(LogOffset(0)));

    let admin: AdminClient<_> = cluster.outside().create().unwrap();
    let mut before = TopicPartitionList::new();
    let name = format!("{}{}", cluster.prefix, AT.topic.name());
    before.add_partition_offset(&name, AT.partition as i32, Offset::Offset(3)).unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    block_on(admin.delete_records(&before, &options)).unwrap();
    until(&cluster, "forgotten", || (replay.begins(AT) == Ok(LogOffset(3))).then_some(()));

    let mut read = |from| {
        let mut offsets = Vec::new();
        let read = replay.read(AT, (LogOffset(from), LogOffset(5)), &mut |message| {
            offsets.push(message.offset.0);
            true
        });
        read.map(|()| offsets)
    };
    assert!(matches!(read(1), Err(LogError::OutOfRange { .. })));
    assert_eq!(read(3), Ok(vec![3, 4]));
}
