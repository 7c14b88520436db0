//! Ingest's log and the plain reader on a real broker.
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tidegauge::log::kafka::topics::Stamps;
use tidegauge::log::kafka::{KafkaIngestLog, KafkaReader};
use tidegauge::log::{IngestLog as _, LogError, Output, PollBudget, Topic, TopicPartition};
use tidegauge::model::{LogOffset, partition_of_key};

use crate::support::{Cluster, Patience, broker};

const BUDGET: PollBudget = PollBudget { messages: 100, bytes: 1 << 20, wait_ms: 10 };

fn patience() -> Patience {
    Patience::of(Duration::from_secs(40))
}

fn ingest(cluster: &Cluster) -> KafkaIngestLog {
    KafkaIngestLog::open(cluster.config("ingest", "i")).expect("the broker is there")
}

/// Polls until `count` messages have come and all partitions are ours.
fn read(log: &mut KafkaIngestLog, count: usize) -> Vec<(Topic, u64, String)> {
    let (mut seen, mut assigned, patience) = (Vec::new(), BTreeSet::new(), patience());
    while seen.len() < count || assigned.len() < Topic::OUTSIDE.len() {
        let polled = log.poll(BUDGET, &mut |m| {
            seen.push((m.topic, m.offset.0, String::from_utf8(m.value.unwrap().to_vec()).unwrap()));
        });
        assigned.extend(polled.expect("polling").assigned);
        patience.check("messages of the outside topics");
    }
    seen.sort();
    seen
}

fn at(topic: Topic) -> TopicPartition {
    TopicPartition { topic, partition: 0 }
}

fn output(topic: Topic, partition: Option<u32>, key: &str, value: &str) -> Output {
    Output {
        topic,
        partition,
        key: key.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("reason", b"a test".to_vec())],
        time_ms: None,
    }
}

/// Produces all under the tokens 0, 1, … and waits for every one to be acknowledged, once.
fn produce(log: &mut KafkaIngestLog, outputs: Vec<Output>) {
    let (count, patience) = (outputs.len() as u64, patience());
    let mut acked = BTreeMap::new();
    let mut look = |log: &mut KafkaIngestLog| {
        log.acked(10, &mut |token, result| {
            result.expect("acknowledged");
            *acked.entry(token).or_insert(0) += 1;
        });
        acked.len() as u64
    };
    for (token, output) in (0..).zip(outputs) {
        while let Err(error) = log.produce(token, &output) {
            assert!(matches!(error, LogError::Retriable(_)), "{error}");
            look(log);
        }
    }
    while look(log) < count {
        patience.check("acknowledgements");
    }
    assert_eq!(acked, (0..count).map(|token| (token, 1)).collect());
}

#[test]
fn the_outside_is_read_and_goes_on_where_it_was_committed() {
    let cluster = Cluster::make("outside", 2);
    cluster.append(Topic::Cdr, 0, &["c0", "c1"]);
    cluster.append(Topic::Commands, 0, &["k0"]);
    let mut log = ingest(&cluster);
    assert_eq!(log.log_partitions(), 2);
    let text = |seen: &[(Topic, u64, &str)]| -> Vec<_> {
        seen.iter().map(|(topic, offset, value)| (*topic, *offset, (*value).to_owned())).collect()
    };
    let expected = text(&[(Topic::Cdr, 0, "c0"), (Topic::Cdr, 1, "c1"), (Topic::Commands, 0, "k0")]);
    assert_eq!(read(&mut log, 3), expected);
    // Of the CDRs one is safe, of the commands none.
    log.commit_offsets(&[(at(Topic::Cdr), LogOffset(1))]).unwrap();
    let foreign = TopicPartition { topic: Topic::Cdr, partition: 7 };
    let refused = log.commit_offsets(&[(foreign, LogOffset(1))]);
    assert!(matches!(refused, Err(LogError::Fenced(_))), "{refused:?}");
    drop(log);

    cluster.append(Topic::Modem, 0, &["m0"]);
    let mut log = ingest(&cluster);
    let expected = text(&[(Topic::Cdr, 1, "c1"), (Topic::Modem, 0, "m0"), (Topic::Commands, 0, "k0")]);
    assert_eq!(read(&mut log, 3), expected);
}

#[test]
fn a_key_goes_where_any_java_client_would_put_it() {
    let cluster = Cluster { others: 5, ..Cluster::named(broker(), "keys.", 2) };
    cluster.create();
    let mut log = ingest(&cluster);
    let keys: Vec<_> = (0..40).map(|n| format!("898600123456789{n:04}")).collect();
    produce(&mut log, keys.iter().map(|key| output(Topic::Alerts, None, key, "v")).collect());

    let mut reader = KafkaReader::open(cluster.config("rollup", "r"), &[Topic::Alerts]).unwrap();
    let (mut found, patience) = (BTreeMap::new(), patience());
    while found.len() < keys.len() {
        let polled = reader.poll(BUDGET, &mut |m| {
            assert_eq!(m.headers, [("reason", b"a test".as_slice())]);
            found.insert(String::from_utf8(m.key.unwrap().to_vec()).unwrap(), m.partition);
        });
        polled.expect("polling");
        patience.check("the events");
    }
    let expected: BTreeMap<_, _> =
        keys.iter().map(|key| (key.clone(), partition_of_key(key.as_bytes(), 5))).collect();
    assert_eq!(found, expected);
    assert_eq!(found.values().collect::<BTreeSet<_>>().len(), 5, "all partitions have some");
}

#[test]
fn more_than_may_be_in_flight_is_acknowledged_each_once() {
    let cluster = Cluster { stamps: Stamps::Writers, ..Cluster::named(broker(), "acks.", 2) };
    cluster.create();
    let mut log = ingest(&cluster);
    let pack = |n: u32| Output {
        time_ms: Some(1_000 + i64::from(n)),
        ..output(Topic::Log, Some(n % 2), "", "pack")
    };
    produce(&mut log, (0..12_000).map(pack).collect());

    // In a deployment with the supplied clock the writer's time is the log's.
    let mut reader = KafkaReader::open(cluster.config("tail", "t"), &[Topic::Log]).unwrap();
    let (mut seen, patience) = (BTreeMap::new(), patience());
    while seen.len() < 12_000 {
        reader
            .poll(PollBudget { messages: 2_000, ..BUDGET }, &mut |m| {
                seen.insert((m.offset.0, m.partition), m.time_ms);
            })
            .expect("polling");
        patience.check("the log");
    }
    let expected = (0..12_000_u32).map(|n| ((u64::from(n / 2), n % 2), 1_000 + i64::from(n))).collect();
    assert_eq!(seen, expected, "in order, with their times");
}

#[test]
fn the_directory_is_read_whole_and_then_followed() {
    let cluster = Cluster { others: 2, ..Cluster::named(broker(), "directory.", 2) };
    cluster.create();
    cluster.append(Topic::Directory, 0, &["a", "b"]);
    cluster.append(Topic::Directory, 1, &["x"]);
    abort_into(&cluster);
    let mut log = ingest(&cluster);
    let (mut seen, patience) = (Vec::new(), patience());
    let mut note = |m: tidegauge::log::Message<'_>| {
        seen.push((m.partition, String::from_utf8(m.value.unwrap().to_vec()).unwrap()));
    };
    while !log.poll_directory(&mut note).unwrap() {
        patience.check("the directory's end, behind an aborted transaction");
    }
    seen.sort();
    let first = [(0, "a".to_owned()), (0, "b".to_owned()), (1, "x".to_owned())];
    assert_eq!(seen, first);

    cluster.append(Topic::Directory, 1, &["y"]);
    while seen.len() < 4 {
        log.poll_directory(&mut |m| {
            seen.push((m.partition, String::from_utf8(m.value.unwrap().to_vec()).unwrap()));
        })
        .unwrap();
        patience.check("what came later");
    }
    assert_eq!(seen[3], (1, "y".to_owned()));
}

/// A transaction that wrote to the directory and was aborted.
fn abort_into(cluster: &Cluster) {
    let producer: BaseProducer =
        cluster.outside().set("transactional.id", "directory.abort").create().unwrap();
    producer.init_transactions(Duration::from_secs(10)).unwrap();
    producer.begin_transaction().unwrap();
    let name = format!("{}card.directory", cluster.prefix);
    for partition in 0..2 {
        let record = BaseRecord::<str, str>::to(&name).partition(partition).key("k").payload("never seen");
        producer.send(record).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
    producer.abort_transaction(Duration::from_secs(10)).unwrap();
}
