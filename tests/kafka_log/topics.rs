//! Topics: planned, applied, found different, mended.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use tidegauge::log::Topic;
use tidegauge::log::kafka::topics::{Difference, apply, plan};

use crate::log_contract::until;
use crate::support::{Cluster, block_on, broker};

#[test]
fn topics_are_created_and_mended_and_nothing_else_is_touched() {
    let cluster = Cluster::named(broker(), "topics.", 2);
    let (config, wanted) = (cluster.config("admin", "0"), cluster.wanted());
    let missing = block_on(plan(&config, &wanted)).unwrap();
    assert_eq!(missing.len(), Topic::ALL.len());
    assert!(missing.iter().all(|d| matches!(d, Difference::Missing(_))), "{missing:?}");

    assert_eq!(block_on(apply(&config, &wanted)).unwrap(), []);
    assert_eq!(block_on(plan(&config, &wanted)).unwrap(), []);

    // Somebody lowers a retention and makes a setting of their own.
    let admin: AdminClient<_> = cluster.outside().create().unwrap();
    let alter = AlterConfig::new(ResourceSpecifier::Topic("topics.tidegauge.log"))
        .set("retention.ms", "604800000")
        .set("message.timestamp.type", "LogAppendTime")
        .set("segment.ms", "7200000");
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(10)));
    block_on(admin.alter_configs([&alter], &options)).unwrap();
    let expected = Difference::Setting {
        topic: Topic::Log,
        name: "retention.ms",
        is: Some("604800000".to_owned()),
        should: "3456000000".to_owned(),
    };
    // A broker hears of a setting after the controller has taken it.
    let planned = |what: &str, expected: &[Difference]| {
        until(&cluster, what, || (block_on(plan(&config, &wanted)).unwrap() == expected).then_some(()));
    };
    planned("the lowered retention", &[expected]);
    assert_eq!(block_on(apply(&config, &wanted)).unwrap(), []);
    planned("nothing that differs", &[]);
    let asked = ResourceSpecifier::Topic("topics.tidegauge.log");
    let described = block_on(admin.describe_configs([&asked], &options)).unwrap();
    let settings = described[0].as_ref().unwrap();
    assert_eq!(settings.get("segment.ms").unwrap().value.as_deref(), Some("7200000"), "theirs stays");

    // Another number of log partitions is for a person to settle.
    let more = tidegauge::log::kafka::topics::Wanted { log_partitions: 4, ..wanted };
    let left = block_on(apply(&config, &more)).unwrap();
    assert_eq!(
        left,
        [
            Difference::Partitions { topic: Topic::Log, is: 2, should: 4 },
            Difference::Partitions { topic: Topic::Checkpoint, is: 2, should: 4 },
        ]
    );
}
