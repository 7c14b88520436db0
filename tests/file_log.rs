//! The log in a directory keeps the contract of the log: atomic commits, order, compaction, offsets, one process.

#![cfg(feature = "full")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tidegauge::log::file::{FileIngestLog, FileLogError, FileWorkerLog, Member, Store};
use tidegauge::log::{
    CommitResult, Committed, Generation, GroupEvent, IngestLog as _, Output, PollBudget, Topic,
    TopicPartition, Transaction, WorkerLog as _,
};
use tidegauge::model::LogOffset;

const BUDGET: PollBudget = PollBudget { messages: 100, bytes: 1 << 20, wait_ms: 0 };

fn open(directory: &Path) -> Arc<Store> {
    let clock = AtomicI64::new(1_000);
    Store::open(directory, 4, Arc::new(move || clock.fetch_add(1, Ordering::Relaxed)))
        .expect("the store works")
}

fn message(topic: Topic, partition: u32, key: &str, value: Option<&str>) -> Output {
    Output {
        topic,
        partition: Some(partition),
        key: key.as_bytes().to_vec(),
        value: value.map(|v| v.as_bytes().to_vec()),
        headers: vec![("h", b"1".to_vec())],
        time_ms: None,
    }
}

/// (offset, key, value) of what a scan gives.
fn scanned(log: &mut FileWorkerLog, topic: Topic, partition: u32) -> Vec<(u64, String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the store works");
    let (from, to) = log.bounds(topic, partition).expect("the store works");
    let mut out = Vec::new();
    log.scan(topic, partition, from, to, &mut |m| {
        out.push((m.offset.0, m.key.map(text).unwrap_or_default(), m.value.map(text)));
        true
    })
    .expect("the store works");
    out
}

#[test]
fn a_commit_is_whole_and_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    {
        let mut worker = FileWorkerLog::new(open(directory.path()), Member::ONLY);
        worker.commit(Arc::new(Transaction {
            generation: Generation(1),
            outputs: vec![
                message(Topic::Alerts, 2, "card", Some("alert")),
                message(Topic::Checkpoint, 1, "head", Some("h")),
            ],
            offsets: vec![(1, Committed { offset: LogOffset(7), metadata: "3".to_owned() })],
        }));
        assert_eq!(worker.commit_result(0), Some(CommitResult::Committed));
        assert_eq!(worker.commit_result(0), None, "a result is told once");
    }
    let mut worker = FileWorkerLog::new(open(directory.path()), Member::ONLY);
    assert_eq!(scanned(&mut worker, Topic::Alerts, 2), [(0, "card".to_owned(), Some("alert".to_owned()))]);
    let committed = worker.stable_offset(1).unwrap();
    assert_eq!(committed, Some(Committed { offset: LogOffset(7), metadata: "3".to_owned() }));
    assert_eq!(worker.stable_offset(0).unwrap(), None);
}

#[test]
fn a_compacted_topic_keeps_the_newest_of_a_key_at_its_offset() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let put = |key, value| store.append(vec![message(Topic::Checkpoint, 0, key, Some(value))], &[]).unwrap();
    put("a", "1");
    put("b", "1");
    // Twice in one batch: the last one stands.
    let both =
        vec![message(Topic::Checkpoint, 0, "a", Some("2")), message(Topic::Checkpoint, 0, "a", Some("3"))];
    store.append(both, &[]).unwrap();
    let mut worker = FileWorkerLog::new(store, Member::ONLY);
    let expected = [(1, "b".to_owned(), Some("1".to_owned())), (3, "a".to_owned(), Some("3".to_owned()))];
    assert_eq!(scanned(&mut worker, Topic::Checkpoint, 0), expected);
    assert_eq!(worker.bounds(Topic::Checkpoint, 0).unwrap(), (LogOffset(0), LogOffset(4)));
}

#[test]
fn members_share_partitions_and_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 0..5 {
        store.append(vec![message(Topic::Log, 3, "", Some(&n.to_string()))], &[]).unwrap();
    }
    let mut second = FileWorkerLog::new(Arc::clone(&store), Member { number: 1, members: 2 });
    let event = second.poll(BUDGET, &mut |_| panic!("nothing before the assignment")).unwrap();
    assert_eq!(event, Some(GroupEvent::Assigned { generation: Generation(1), partitions: vec![1, 3] }));
    second.assign(&[(1, LogOffset(0)), (3, LogOffset(2))]).unwrap();
    let mut seen = Vec::new();
    let few = PollBudget { messages: 2, ..BUDGET };
    for _ in 0..3 {
        second.poll(few, &mut |m| seen.push((m.partition, m.offset.0))).unwrap();
    }
    assert_eq!(seen, [(3, 2), (3, 3), (3, 4)]);
    second.pause(&[3]);
    store.append(vec![message(Topic::Log, 3, "", Some("5"))], &[]).unwrap();
    second.poll(BUDGET, &mut |_| panic!("paused")).unwrap();
    second.resume(&[3]);
    second.poll(BUDGET, &mut |m| seen.push((m.partition, m.offset.0))).unwrap();
    assert_eq!(seen.last(), Some(&(3, 5)));
}

#[test]
fn a_backlog_of_one_partition_starves_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 0..100 {
        store.append(vec![message(Topic::Log, 0, "", Some(&n.to_string()))], &[]).unwrap();
    }
    store.append(vec![message(Topic::Log, 3, "", Some("one"))], &[]).unwrap();
    let mut worker = FileWorkerLog::new(store, Member::ONLY);
    worker.poll(BUDGET, &mut |_| panic!("nothing before the assignment")).unwrap();
    worker.assign(&[0, 1, 2, 3].map(|partition| (partition, LogOffset(0)))).unwrap();
    let few = PollBudget { messages: 5, ..BUDGET };
    let mut seen = Vec::new();
    for _ in 0..4 {
        worker.poll(few, &mut |m| seen.push(m.partition)).unwrap();
    }
    assert!(seen.contains(&0) && seen.contains(&3), "{seen:?}");
}

#[test]
fn ingest_goes_on_from_its_committed_offsets_and_acknowledges_once() {
    let directory = tempfile::tempdir().unwrap();
    let source = TopicPartition { topic: Topic::Cdr, partition: 0 };
    {
        let store = open(directory.path());
        store
            .append(vec![message(Topic::Cdr, 0, "k", Some("1")), message(Topic::Cdr, 0, "k", Some("2"))], &[])
            .unwrap();
        let mut ingest = FileIngestLog::new(store, Member::ONLY).unwrap();
        let assigned = ingest.poll(BUDGET, &mut |_| {}).unwrap().assigned;
        assert_eq!(assigned.len(), Topic::OUTSIDE.len() * 4);
        assert!(ingest.poll_directory(&mut |_| {}).unwrap(), "an empty directory has been read");
        ingest.produce(9, &message(Topic::Log, 2, "", Some("pack"))).unwrap();
        let mut acked = Vec::new();
        ingest.acked(0, &mut |token, result| acked.push((token, result)));
        ingest.acked(0, &mut |token, result| acked.push((token, result)));
        assert_eq!(acked, [(9, Ok(()))]);
        ingest.commit_offsets(&[(source, LogOffset(1))]).unwrap();
    }
    let mut ingest = FileIngestLog::new(open(directory.path()), Member::ONLY).unwrap();
    ingest.poll(BUDGET, &mut |_| {}).unwrap();
    let mut seen = Vec::new();
    ingest.poll(BUDGET, &mut |m| seen.push(m.offset.0)).unwrap();
    assert_eq!(seen, [1]);
}

#[test]
fn a_second_process_and_other_partitions_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let again = Store::open(directory.path(), 4, Arc::new(|| 0)).map(drop);
    assert!(matches!(again, Err(FileLogError::InUse(_))), "{again:?}");
    drop(store);
    let other = Store::open(directory.path(), 8, Arc::new(|| 0)).map(drop).unwrap_err();
    assert_eq!(
        other.to_string(),
        "the log was made with 4 partitions, not 8: they never change; name another directory"
    );
}
