//! A member closes, whatever it has heard of the group and whatever it has answered; and what it gives up it can take again.
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

use std::sync::mpsc::channel;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tidegauge::log::kafka::{KafkaReader, KafkaWorkerLog};
use tidegauge::log::{GroupEvent, LogError, PollBudget, Topic, WorkerLog as _};
use tidegauge::model::LogOffset;

use crate::support::{Cluster, Patience};

const BUDGET: PollBudget = PollBudget { messages: 10, bytes: 1 << 10, wait_ms: 5 };

fn worker(cluster: &Cluster, group: &str, instance: &str) -> KafkaWorkerLog {
    KafkaWorkerLog::open(cluster.config(group, instance)).unwrap()
}

/// Polls until the group says something.
fn event(log: &mut KafkaWorkerLog) -> GroupEvent {
    let patience = Patience::of(Duration::from_secs(30));
    loop {
        match log.poll(BUDGET, &mut |_| {}) {
            Ok(Some(event)) => return event,
            Ok(None) | Err(LogError::Retriable(_)) => patience.check("the group"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Polls until partitions are assigned.
fn assigned(log: &mut KafkaWorkerLog) -> Vec<(u32, LogOffset)> {
    loop {
        match event(log) {
            GroupEvent::Assigned { partitions, .. } if partitions.is_empty() => log.assign(&[]).unwrap(),
            GroupEvent::Assigned { partitions, .. } => {
                return partitions.into_iter().map(|p| (p, LogOffset(0))).collect();
            }
            other => panic!("{other:?}"),
        }
    }
}

const ROUND_TRIPS: u32 = 50;

/// Waits until a group of one member is stable with a member other than `before`, and for some round trips more, in which
/// the member hears of it. Answers the member's id.
fn wait_until_stable(cluster: &Cluster, group: &str, before: &str) -> String {
    let name = cluster.config(group, "").group_id();
    let client: BaseConsumer = cluster.outside().create().unwrap();
    let patience = Patience::of(Duration::from_secs(30));
    let (mut seen, mut member) = (0, String::new());
    while seen < ROUND_TRIPS {
        // While the coordinator is loading there is no answer.
        if let Ok(found) = client.fetch_group_list(Some(&name), Duration::from_secs(10))
            && let Some(group) = found.groups().iter().find(|g| g.state() == "Stable")
            && let Some(one) = group.members().iter().find(|m| m.id() != before)
        {
            one.id().clone_into(&mut member);
            seen += 1;
        }
        patience.check("the group to be stable");
    }
    member
}

/// A worker pauses what it is about to give up; librdkafka remembers that.
#[test]
fn a_partition_that_was_given_up_paused_is_read_when_it_comes_back() {
    let cluster = Cluster::make("paused", 2);
    let mut log = worker(&cluster, "paused", "w");
    let from = assigned(&mut log);
    log.assign(&from).unwrap();
    log.pause(&[0]);
    log.unassign(&[0]).unwrap();
    cluster.append(Topic::Log, 0, &["a", "b"]);
    log.assign(&[(0, LogOffset(0))]).unwrap();
    let (mut read, patience) = (Vec::new(), Patience::of(Duration::from_secs(30)));
    while read.len() < 2 {
        log.poll(BUDGET, &mut |message| read.push((message.partition, message.offset))).unwrap();
        patience.check("what is in the partition");
    }
    assert_eq!(read, [(0, LogOffset(0)), (0, LogOffset(1))]);
}

/// Drops something on a thread of its own, and fails if that does not end.
fn drops<T: Send + 'static>(what: T, when: &str) {
    let (done, ended) = channel();
    std::thread::spawn(move || {
        drop(what);
        done.send(()).unwrap();
    });
    assert!(ended.recv_timeout(Duration::from_secs(30)).is_ok(), "a member did not close: {when}");
}

#[test]
fn a_member_closes_in_every_state() {
    let cluster = Cluster::make("leaving", 2);

    let mut before = String::new();
    for when in
        ["it was given partitions and never looked", "it came back to its partitions and never looked"]
    {
        let never_polled = worker(&cluster, "unheard", "w");
        before = wait_until_stable(&cluster, "unheard", &before);
        drops(never_polled, when);
    }
    before.clear();
    for _ in 0..2 {
        let reader = KafkaReader::open(cluster.config("reader", "r"), &[Topic::Log]).unwrap();
        before = wait_until_stable(&cluster, "reader", &before);
        drops(reader, "a reader that never looked");
    }

    let mut unanswered = worker(&cluster, "unanswered", "w");
    assigned(&mut unanswered);
    drops(unanswered, "it was told of its partitions and did not answer");

    let mut a = worker(&cluster, "revoked", "a");
    let from = assigned(&mut a);
    a.assign(&from).unwrap();
    let b = worker(&cluster, "revoked", "b");
    while !matches!(event(&mut a), GroupEvent::Revoked { .. }) {
        a.assign(&[]).unwrap();
    }
    drops(a, "partitions were asked back and it did not answer");
    drops(b, "it waits for partitions of one that has gone");

    let mut steady = worker(&cluster, "steady", "w");
    let from = assigned(&mut steady);
    steady.assign(&from).unwrap();
    drops(steady, "it was reading");

    drops(worker(&cluster, "joining", "w"), "it had only just asked to join");
}
