//! Transactions: what is open, aborted or fenced on a real broker.
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use tidegauge::log::kafka::KafkaWorkerLog;
use tidegauge::log::{
    CommitResult, Generation, GroupEvent, LogError, PollBudget, Topic, Transaction, WorkerLog as _,
};
use tidegauge::model::LogOffset;

use crate::log_contract::{Deployment as _, at, chunk, commit, join, read, result, scan, stable, until};
use crate::support::Cluster;

/// A worker that died with its transaction open: it has written to checkpoint partition 0 and sent an offset of log
/// partition 0. It is kept, so that it can try to go on.
pub(crate) fn dead_worker(cluster: &Cluster, id: &str) -> BaseProducer {
    let producer: BaseProducer = cluster.outside().set("transactional.id", id).create().unwrap();
    producer.init_transactions(Duration::from_secs(10)).unwrap();
    producer.begin_transaction().unwrap();
    let checkpoint = format!("{}tidegauge.checkpoint", cluster.prefix);
    let record = BaseRecord::<str, str>::to(&checkpoint).partition(0).key("dead").payload("never seen");
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
    // Metadata of a consumer that has joined nothing is not fenced: right for a test, wrong for a worker.
    let group = format!("{}meter", cluster.prefix);
    let stranger: BaseConsumer = cluster.outside().set("group.id", group).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    let log = format!("{}tidegauge.log", cluster.prefix);
    offsets.add_partition_offset(&log, 0, Offset::Offset(2)).unwrap();
    let metadata = stranger.group_metadata().unwrap();
    producer.send_offsets_to_transaction(&offsets, &metadata, Duration::from_secs(10)).unwrap();
    producer
}

#[test]
fn a_successor_ends_the_open_transaction_of_a_dead_worker() {
    let cluster = Cluster::make("dead", 2);
    cluster.append(Topic::Log, 0, &["a", "b"]);
    let mut log = cluster.open("w");
    let generation = join(&cluster, &mut log);
    let offsets = vec![(0, at(1)), (1, at(0))];
    commit(&cluster, &mut log, Transaction { generation, outputs: vec![chunk(0, "k", "1")], offsets });
    assert_eq!(log.stable_offset(0).unwrap(), Some(at(1)));

    let dead = dead_worker(&cluster, "dead.meter.gone");
    assert!(matches!(log.stable_offset(0), Err(LogError::Retriable(_))), "an open transaction is a wait");
    assert_eq!(log.stable_offset(1).unwrap(), Some(at(0)), "it bars the way of its own partition alone");
    // "k", its marker, "dead".
    let (first, high) = log.bounds(Topic::Checkpoint, 0).unwrap();
    assert_eq!((first, high), (LogOffset(0), LogOffset(3)), "the high watermark includes what is open");
    let mut seen = 0;
    let scanned = log.scan(Topic::Checkpoint, 0, first, high, &mut |_| {
        seen += 1;
        true
    });
    assert!(matches!(scanned, Err(LogError::Retriable(_))), "the end is not reached: {scanned:?}");
    assert_eq!(seen, 1, "what is committed before it was handed over");

    log.end_transaction_of("dead.meter.gone").unwrap();
    assert_eq!(stable(&cluster, &mut log, 0), at(1), "its offset went with it");
    assert_eq!(scan(&mut log, Topic::Checkpoint, 0), [("k".to_owned(), "1".to_owned())]);
    assert_eq!(log.bounds(Topic::Checkpoint, 0).unwrap().1, LogOffset(4), "its marker took an offset");
    assert!(dead.commit_transaction(Duration::from_secs(5)).is_err(), "the dead cannot commit any more");
    assert_eq!(stable(&cluster, &mut log, 0), at(1));
}

#[test]
fn a_scan_reaches_the_high_watermark_over_markers() {
    let cluster = Cluster::make("markers", 2);
    let mut log = cluster.open("w");
    let generation = join(&cluster, &mut log);
    for round in 0..5_u64 {
        let outputs = vec![chunk(0, "k", &round.to_string())];
        let offsets = vec![(0, at(round)), (1, at(0))];
        commit(&cluster, &mut log, Transaction { generation, outputs, offsets });
    }
    // Five messages and five markers; the last marker is written after the commit was answered.
    let high = until(&cluster, "the last marker", || {
        let high = log.bounds(Topic::Checkpoint, 0).unwrap().1;
        (high == LogOffset(10)).then_some(high)
    });
    let values: Vec<_> = scan(&mut log, Topic::Checkpoint, 0).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["0", "1", "2", "3", "4"]);
    // The last offset is a marker: nothing is there to be read, and the end is reached all the same.
    let mut seen = 0;
    log.scan(Topic::Checkpoint, 0, LogOffset(9), high, &mut |_| {
        seen += 1;
        true
    })
    .unwrap();
    assert_eq!(seen, 0);
}

/// Steps both members' group events until the second has a partition and both are at rest; answers their generations.
fn share(
    cluster: &Cluster,
    a: &mut KafkaWorkerLog,
    b: &mut KafkaWorkerLog,
) -> ((Generation, u32), (Generation, u32)) {
    let mut held = [(Generation(0), vec![0, 1]), (Generation(0), Vec::new())];
    until(cluster, "two members to share", || {
        for (log, (generation, partitions)) in [&mut *a, &mut *b].into_iter().zip(&mut held) {
            match log.poll(PollBudget { messages: 1, bytes: 1, wait_ms: 5 }, &mut |_| {}).ok().flatten() {
                Some(GroupEvent::Assigned { generation: new, partitions: given }) => {
                    let from: Vec<_> = given.iter().map(|p| (*p, LogOffset(0))).collect();
                    log.assign(&from).unwrap();
                    *generation = new;
                    partitions.extend(given);
                }
                Some(GroupEvent::Revoked { generation: new, partitions: taken }) => {
                    log.unassign(&taken).unwrap();
                    *generation = new;
                    partitions.retain(|p| !taken.contains(p));
                }
                Some(lost @ GroupEvent::Lost { .. }) => panic!("{lost:?}"),
                None => {}
            }
        }
        (held[0].0 == held[1].0 && held.iter().all(|(_, partitions)| partitions.len() == 1)).then_some(())
    });
    ((held[0].0, held[0].1[0]), (held[1].0, held[1].1[0]))
}

#[test]
fn a_transaction_sealed_in_an_old_generation_is_fenced() {
    let cluster = Cluster::make("fence", 2);
    let mut a = cluster.open("a");
    let old = join(&cluster, &mut a);
    let mut b = cluster.open("b");
    let ((new, ours), (_, theirs)) = share(&cluster, &mut a, &mut b);
    assert!(new > old, "{new:?} after {old:?}");

    // Both are alive and members; only the generation tells the old claim from the new.
    let stale = |outputs, offsets| Transaction { generation: old, outputs, offsets };
    for (partition, name) in [(theirs, "what went to the other"), (ours, "what was kept")] {
        a.commit(Arc::new(stale(vec![chunk(partition, "zombie", "x")], vec![(partition, at(9))])));
        assert!(matches!(result(&cluster, &mut a), CommitResult::Unresolved(_)), "{name}");
        a.renew_producer().unwrap();
        assert_eq!(stable(&cluster, &mut a, partition).offset, LogOffset(0), "{name}");
    }
    let transaction =
        Transaction { generation: new, outputs: vec![chunk(ours, "k", "1")], offsets: vec![(ours, at(1))] };
    commit(&cluster, &mut a, transaction);
    assert_eq!(scan(&mut a, Topic::Checkpoint, ours), [("k".to_owned(), "1".to_owned())]);
    assert_eq!(scan(&mut a, Topic::Checkpoint, theirs), []);
}

#[test]
fn a_transaction_that_could_not_be_fenced_is_not_sent() {
    let cluster = Cluster::make("unfenced", 2);
    let mut log = cluster.open("w");
    let generation = join(&cluster, &mut log);
    let outputs = || vec![chunk(0, "k", "1")];
    let cases = [
        Transaction { generation, outputs: outputs(), offsets: Vec::new() },
        Transaction {
            generation: Generation(generation.0 + 7),
            outputs: outputs(),
            offsets: vec![(0, at(1))],
        },
    ];
    for transaction in cases {
        log.commit(Arc::new(transaction));
        let CommitResult::Unresolved(why) = result(&cluster, &mut log) else { panic!("it was committed") };
        assert!(why.ends_with("nothing was sent"), "{why}");
        log.commit(Arc::new(Transaction { generation, outputs: outputs(), offsets: vec![(0, at(1))] }));
        let CommitResult::Unresolved(why) = result(&cluster, &mut log) else { panic!("it was committed") };
        assert_eq!(why, "there is no producer: renew it first");
        log.renew_producer().unwrap();
    }
    assert_eq!(log.bounds(Topic::Checkpoint, 0).unwrap(), (LogOffset(0), LogOffset(0)));
}

/// At the end of a month packages of very many cards end in one second: one message of the log makes more outputs than
/// librdkafka takes at once (100,000 unless it is told otherwise, as here).
#[test]
fn a_transaction_larger_than_the_clients_queue_is_committed_whole() {
    const MESSAGES: usize = 20_000;
    let cluster = Cluster::make("large", 2);
    let mut config = cluster.config("meter", "w");
    config.extra.insert("queue.buffering.max.messages".to_owned(), "500".to_owned());
    let mut log = KafkaWorkerLog::open(config).unwrap();
    let generation = join(&cluster, &mut log);
    let outputs = (0..MESSAGES).map(|number| chunk(0, &number.to_string(), "1")).collect();
    let offsets = vec![(0, at(1)), (1, at(0))];
    commit(&cluster, &mut log, Transaction { generation, outputs, offsets });
    assert_eq!(stable(&cluster, &mut log, 0), at(1));
    let found = scan(&mut log, Topic::Checkpoint, 0);
    assert!((0..MESSAGES).map(|number| number.to_string()).eq(found.into_iter().map(|(key, _)| key)));
}

#[test]
fn a_place_that_is_not_in_the_log_is_named() {
    let cluster = Cluster::make("range", 2);
    cluster.append(Topic::Log, 0, &["a", "b", "c", "d"]);
    delete_before(&cluster, 2);
    let mut log = cluster.open("w");
    assert_eq!(log.bounds(Topic::Log, 0).unwrap(), (LogOffset(2), LogOffset(4)));
    let scanned = log.scan(Topic::Log, 0, LogOffset(0), LogOffset(4), &mut |_| true);
    assert!(matches!(scanned, Err(LogError::OutOfRange { offset: LogOffset(0), .. })), "{scanned:?}");

    until(&cluster, "the assignment", || {
        match log.poll(PollBudget { messages: 1, bytes: 1, wait_ms: 5 }, &mut |_| {}) {
            Ok(Some(GroupEvent::Assigned { .. })) => Some(()),
            Ok(None) | Err(LogError::Retriable(_)) => None,
            other => panic!("{other:?}"),
        }
    });
    log.assign(&[(0, LogOffset(1)), (1, LogOffset(5))]).unwrap();
    let mut named = Vec::new();
    until(&cluster, "both to be named", || {
        match log.poll(PollBudget { messages: 9, bytes: 99, wait_ms: 5 }, &mut |m| panic!("{m:?} came")) {
            Err(LogError::OutOfRange { topic: Topic::Log, partition, .. }) => named.push(partition),
            Ok(None) | Err(LogError::Retriable(_)) => {}
            other => panic!("{other:?}"),
        }
        (named.len() == 2).then_some(())
    });
    named.sort_unstable();
    assert_eq!(named, [0, 1]);
    log.seek(0, LogOffset(2)).unwrap();
    let seen: Vec<_> = read(&cluster, &mut log, 2).into_iter().map(|(_, offset, _)| offset).collect();
    assert_eq!(seen, [2, 3], "a seek mends it");
}

fn delete_before(cluster: &Cluster, offset: i64) {
    use rdkafka::admin::{AdminClient, AdminOptions};
    let admin: AdminClient<_> = cluster.outside().create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&format!("{}tidegauge.log", cluster.prefix), 0, Offset::Offset(offset))
        .unwrap();
    crate::support::block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
}
