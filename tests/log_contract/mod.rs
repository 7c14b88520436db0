//! What every log behind `WorkerLog` must do, written over the trait: Kafka, the file, the simulated brokers.
//!
//! A log is reached through [`Deployment`]. The functions here are the contract, one behaviour each; `logs.rs` and
//! `kafka_log.rs` call them.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

pub mod mini;

use std::sync::Arc;

use tidegauge::log::{
    CommitResult, Committed, Generation, GroupEvent, LogError, Output, PollBudget, Topic, Transaction,
    WorkerLog,
};
use tidegauge::model::LogOffset;

/// One log with two partitions, empty, and how a test gets at it.
pub trait Deployment {
    type Log: WorkerLog;

    /// Joins as this instance. The same instance again is the same member after a restart.
    fn open(&self, instance: &str) -> Self::Log;

    /// Appends messages to a partition of the log, as ingest does.
    fn append(&self, partition: u32, values: &[&str]);

    /// Called in every round of waiting: where time is simulated it goes on.
    fn pass(&self) {}
}

/// Rounds of a wait. On a real log a round takes up to 10 ms.
const ROUNDS: usize = 3_000;

pub const BUDGET: PollBudget = PollBudget { messages: 100, bytes: 1 << 20, wait_ms: 10 };

/// Repeats until there is an answer.
pub fn until<T>(deployment: &impl Deployment, what: &str, mut round: impl FnMut() -> Option<T>) -> T {
    for _ in 0..ROUNDS {
        if let Some(answer) = round() {
            return answer;
        }
        deployment.pass();
    }
    panic!("waited too long for {what}");
}

/// A message as read.
pub type Seen = (u32, u64, String);

/// Polls until `count` messages have come; asserts that no membership change comes meanwhile.
pub fn read<D: Deployment>(d: &D, log: &mut D::Log, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    until(d, &format!("{count} messages"), || {
        let event = poll(log, &mut seen);
        assert_eq!(event, None, "no change of membership is due");
        (seen.len() >= count).then_some(())
    });
    assert_eq!(seen.len(), count, "more came than was there: {seen:?}");
    seen
}

fn poll(log: &mut impl WorkerLog, seen: &mut Vec<Seen>) -> Option<GroupEvent> {
    let polled = log.poll(BUDGET, &mut |m| {
        assert_eq!(m.topic, Topic::Log);
        let value = String::from_utf8(m.value.unwrap_or_default().to_vec()).unwrap();
        seen.push((m.partition, m.offset.0, value));
    });
    match polled {
        Ok(event) => event,
        Err(LogError::Retriable(_)) => None,
        Err(error) => panic!("polling: {error}"),
    }
}

/// Waits for both partitions to be assigned, and answers with where the group was.
pub fn join<D: Deployment>(d: &D, log: &mut D::Log) -> Generation {
    let mut held = Vec::new();
    until(d, "both partitions", || match poll(log, &mut Vec::new()) {
        Some(GroupEvent::Assigned { generation, partitions }) => {
            let from: Vec<_> = partitions.iter().map(|p| (*p, stable(d, log, *p).offset)).collect();
            log.assign(&from).unwrap();
            held.extend(partitions);
            (held.len() == 2).then_some(generation)
        }
        Some(event) => panic!("only assignments are due, not {event:?}"),
        None => None,
    })
}

/// The stable offset, or the beginning.
pub fn stable<D: Deployment>(d: &D, log: &mut D::Log, partition: u32) -> Committed {
    until(d, "a stable offset", || match log.stable_offset(partition) {
        Ok(Some(committed)) => Some(committed),
        Ok(None) => {
            let (first, _) = log.bounds(Topic::Log, partition).unwrap();
            Some(Committed { offset: first, metadata: String::new() })
        }
        Err(LogError::Retriable(_)) => None,
        Err(error) => panic!("{error}"),
    })
}

/// Waits for a commit's end.
pub fn result<D: Deployment>(d: &D, log: &mut D::Log) -> CommitResult {
    until(d, "the end of a commit", || log.commit_result(10))
}

/// Commits and expects it to be done.
pub fn commit<D: Deployment>(d: &D, log: &mut D::Log, transaction: Transaction) {
    log.commit(Arc::new(transaction));
    assert_eq!(result(d, log), CommitResult::Committed);
}

/// A message of the checkpoint.
pub fn chunk(partition: u32, key: &str, value: &str) -> Output {
    Output {
        topic: Topic::Checkpoint,
        partition: Some(partition),
        key: key.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("h", b"1".to_vec())],
        time_ms: None,
    }
}

pub fn at(offset: u64) -> Committed {
    Committed { offset: LogOffset(offset), metadata: format!("oldest {offset}") }
}

/// All committed messages of a partition, as key, value and first header.
pub fn scan(log: &mut impl WorkerLog, topic: Topic, partition: u32) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (from, to) = log.bounds(topic, partition).unwrap();
    let mut seen = Vec::new();
    log.scan(topic, partition, from, to, &mut |m| {
        seen.push((m.key.map(text).unwrap_or_default(), m.value.map(text).unwrap_or_default()));
        true
    })
    .unwrap();
    seen
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Messages come in the order of the log, each once.
pub fn messages_come_in_order_and_once<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    d.append(0, &["a", "b", "c"]);
    d.append(1, &["x"]);
    join(d, &mut log);
    let mut seen = read(d, &mut log, 4);
    seen.sort_by_key(|(partition, ..)| *partition);
    let expected = [(0, 0, "a"), (0, 1, "b"), (0, 2, "c"), (1, 0, "x")];
    assert_eq!(seen, expected.map(|(p, o, v)| (p, o, v.to_owned())));
    d.append(0, &["d"]);
    assert_eq!(read(d, &mut log, 1), [(0, 3, "d".to_owned())]);
}

/// Outputs and offsets of a commit are there together, with the metadata.
pub fn a_commit_is_whole<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    d.append(0, &["a", "b"]);
    let generation = join(d, &mut log);
    read(d, &mut log, 2);
    assert_eq!(log.stable_offset(0).unwrap(), None, "nothing was committed");
    assert_eq!(log.commit_result(0), None, "no commit, no result");
    let outputs = vec![chunk(0, "head", "1"), chunk(1, "head", "2"), chunk(0, "shard", "3")];
    let offsets = vec![(0, at(2)), (1, at(0))];
    commit(d, &mut log, Transaction { generation, outputs, offsets });
    assert_eq!(log.commit_result(0), None, "a result is told once");
    assert_eq!(log.stable_offset(0).unwrap(), Some(at(2)));
    assert_eq!(log.stable_offset(1).unwrap(), Some(at(0)));
    assert_eq!(scan(&mut log, Topic::Checkpoint, 0), pairs(&[("head", "1"), ("shard", "3")]));
    assert_eq!(scan(&mut log, Topic::Checkpoint, 1), pairs(&[("head", "2")]));
}

/// A restarted member goes on where its last commit ended.
pub fn a_successor_goes_on_where_the_commit_ended<D: Deployment>(d: &D) {
    d.append(0, &["a", "b", "c"]);
    {
        let mut log = d.open("w");
        let generation = join(d, &mut log);
        read(d, &mut log, 3);
        // All three were read, two were committed.
        let offsets = vec![(0, at(2)), (1, at(0))];
        commit(d, &mut log, Transaction { generation, outputs: Vec::new(), offsets });
    }
    let mut log = d.open("w");
    join(d, &mut log);
    assert_eq!(read(d, &mut log, 1), [(0, 2, "c".to_owned())]);
}

/// The place to read from can be set back and forth; nothing fetched before is handed over after.
pub fn a_seek_moves_the_place<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    d.append(0, &["a", "b", "c", "d"]);
    join(d, &mut log);
    read(d, &mut log, 4);
    log.seek(0, LogOffset(1)).unwrap();
    let again: Vec<_> = read(d, &mut log, 3).into_iter().map(|(_, offset, _)| offset).collect();
    assert_eq!(again, [1, 2, 3]);
    log.seek(0, LogOffset(3)).unwrap();
    assert_eq!(read(d, &mut log, 1), [(0, 3, "d".to_owned())]);
}

/// A paused partition comes back without loss, while the other goes on. What was fetched before may still come.
pub fn a_pause_loses_nothing<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    d.append(0, &["a"]);
    join(d, &mut log);
    read(d, &mut log, 1);
    log.pause(&[0]);
    d.append(0, &["b", "c"]);
    d.append(1, &["x"]);
    let mut seen = Vec::new();
    until(d, "the partition that goes on", || {
        assert_eq!(poll(&mut log, &mut seen), None);
        seen.iter().any(|(partition, ..)| *partition == 1).then_some(())
    });
    log.resume(&[0]);
    seen.extend(read(d, &mut log, 3 - seen.len()));
    seen.sort();
    assert_eq!(seen, [(0, 1, "b".to_owned()), (0, 2, "c".to_owned()), (1, 0, "x".to_owned())]);
}

/// A budget bounds what a poll takes, in messages and in bytes.
pub fn a_poll_keeps_its_budget<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    d.append(0, &["aaaa", "bbbb", "cccc", "dddd", "eeee"]);
    join(d, &mut log);
    let mut seen = Vec::new();
    for budget in [PollBudget { messages: 2, ..BUDGET }, PollBudget { bytes: 5, ..BUDGET }] {
        until(d, "a part", || {
            let before = seen.len();
            log.poll(budget, &mut |m| seen.push(m.offset.0)).unwrap();
            let taken = seen.len() - before;
            // Five bytes are spent by the second message of four bytes each.
            assert!(taken <= 2, "{taken} messages for {budget:?}");
            (taken > 0).then_some(())
        });
    }
    let rest = 5 - seen.len();
    seen.extend(read(d, &mut log, rest).into_iter().map(|(_, offset, _)| offset));
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

/// A scan stops when the caller has had enough, and at the offset that it was told.
pub fn a_scan_reads_what_it_was_told<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    d.append(0, &["a", "b", "c", "d"]);
    let mut seen = Vec::new();
    log.scan(Topic::Log, 0, LogOffset(1), LogOffset(3), &mut |m| {
        seen.push(m.offset.0);
        true
    })
    .unwrap();
    assert_eq!(seen, [1, 2]);
    seen.clear();
    log.scan(Topic::Log, 0, LogOffset(0), LogOffset(4), &mut |m| {
        seen.push(m.offset.0);
        seen.len() < 2
    })
    .unwrap();
    assert_eq!(seen, [0, 1]);
    assert_eq!(log.bounds(Topic::Log, 0).unwrap(), (LogOffset(0), LogOffset(4)));
}

/// A tick stands in the log like any message.
pub fn a_tick_is_read_back<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    join(d, &mut log);
    log.append_tick(1, b"tick".to_vec(), None);
    assert_eq!(read(d, &mut log, 1), [(1, 0, "tick".to_owned())]);
}

/// Topics have an id and a partition count.
pub fn a_topic_tells_its_partitions<D: Deployment>(d: &D) {
    let mut log = d.open("w");
    let info = log.topic(Topic::Log).unwrap();
    assert_eq!(info.partitions, 2);
    assert_eq!(log.topic(Topic::Log).unwrap(), info, "the id stays");
    assert_ne!(log.topic(Topic::Checkpoint).unwrap().id, info.id, "each topic has its own");
}

/// Runs a macro over the name of every function of the contract.
#[macro_export]
macro_rules! for_each_behaviour {
    ($run:ident) => {
        $run!(messages_come_in_order_and_once);
        $run!(a_commit_is_whole);
        $run!(a_successor_goes_on_where_the_commit_ended);
        $run!(a_seek_moves_the_place);
        $run!(a_pause_loses_nothing);
        $run!(a_poll_keeps_its_budget);
        $run!(a_scan_reads_what_it_was_told);
        $run!(a_tick_is_read_back);
        $run!(a_topic_tells_its_partitions);
    };
}
