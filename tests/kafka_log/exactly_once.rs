//! One output a message, whatever dies: members that join, leave, freeze and are killed; a broker that is killed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tidegauge::log::kafka::{KafkaConfig, KafkaWorkerLog};
use tidegauge::log::{Topic, WorkerLog as _};

use super::transactions::dead_worker;
use crate::log_contract::mini::Mini;
use crate::log_contract::scan;
use crate::support::{Broker, Cluster, Patience, signal, spawn_with_us};

type Member = Mini<KafkaWorkerLog>;

/// Names the deployment and the instance that a child process is to be.
const CHILD: &str = "TIDEGAUGE_TEST_MEMBER";

/// All transactional ids of a test's members, which may end each other's transactions.
fn ids(cluster: &Cluster) -> Vec<String> {
    ["a", "b", "c"].iter().map(|i| cluster.config("meter", i).member_id()).collect()
}

fn opened(config: KafkaConfig, predecessors: &[String]) -> Member {
    Mini::new(move || KafkaWorkerLog::open(config.clone()).expect("the broker is there"), predecessors)
}

fn member(cluster: &Cluster, instance: &str) -> Member {
    let mine = cluster.config("meter", instance).member_id();
    let others: Vec<_> = ids(cluster).into_iter().filter(|id| *id != mine).collect();
    opened(cluster.config("meter", instance), &others)
}

/// Steps all members until something holds.
fn step_until(members: &mut [&mut Member], what: &str, mut holds: impl FnMut(&[&mut Member]) -> bool) {
    let patience = Patience::of(Duration::from_secs(40));
    while !holds(members) {
        for member in members.iter_mut() {
            member.step();
        }
        patience.check(what);
    }
}

fn held(members: &[&mut Member]) -> usize {
    members.iter().map(|m| m.partitions().len()).sum()
}

/// Messages that were appended and must each have one output.
struct Feed<'a> {
    cluster: &'a Cluster,
    appended: usize,
}

impl Feed<'_> {
    /// `count` messages to each partition.
    fn more(&mut self, count: usize) {
        for partition in 0..self.cluster.partitions {
            let values: Vec<_> = (0..count).map(|n| format!("{}", self.appended + n)).collect();
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            self.cluster.append(Topic::Log, partition, &values);
        }
        self.appended += count;
    }

    /// Whether every partition is committed to its end.
    fn is_done(&self, member: &mut Member) -> bool {
        (0..self.cluster.partitions).all(|p| {
            let committed = member.log.stable_offset(p).ok().flatten();
            committed.is_some_and(|c| c.offset.0 as usize == self.appended)
        })
    }

    /// Steps the members until all is committed.
    fn drain(&self, members: &mut [&mut Member], what: &str) {
        let patience = Patience::of(Duration::from_secs(40));
        loop {
            for _ in 0..10 {
                for member in members.iter_mut() {
                    member.step();
                }
            }
            if members.iter().all(|m| m.is_idle()) && self.is_done(members[0]) {
                return;
            }
            patience.check(what);
        }
    }

    /// Each message of the log has one output, in order.
    fn assert_exactly_once(&self, member: &mut Member) {
        for partition in 0..self.cluster.partitions {
            let outputs = scan(&mut member.log, Topic::Checkpoint, partition);
            let expected: Vec<_> = (0..self.appended).map(|n| (n.to_string(), n.to_string())).collect();
            assert_eq!(outputs, expected, "partition {partition}");
        }
    }
}

/// A member in a process of its own, to be frozen and killed.
fn child(cluster: &Cluster, instance: &str) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "kafka_log::exactly_once::a_member_in_a_process_of_its_own", "--nocapture"]);
    command.env(CHILD, format!("{} {} {} {instance}", cluster.brokers, cluster.prefix, cluster.partitions));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    spawn_with_us(command)
}

/// What [`child`] runs; by itself it does nothing.
#[test]
#[allow(clippy::disallowed_methods, reason = "the only way to tell a test process what to be")]
fn a_member_in_a_process_of_its_own() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let mut words = told.split(' ').map(str::to_owned);
    let mut word = || words.next().expect("four words");
    let (brokers, prefix, partitions) = (word(), word(), word().parse().expect("a number"));
    let cluster = Cluster::named(&brokers, &prefix, partitions);
    let mut member = member(&cluster, &word());
    loop {
        member.step();
    }
}

#[test]
fn members_that_join_leave_freeze_and_die_lose_and_repeat_nothing() {
    let cluster = Cluster::make("members", 4);
    let mut feed = Feed { cluster: &cluster, appended: 0 };
    feed.more(60);
    let mut a = member(&cluster, "a");
    feed.drain(&mut [&mut a], "one member to do all");

    let mut b = member(&cluster, "b");
    feed.more(60);
    step_until(&mut [&mut a, &mut b], "the second to have its share", |m| m[1].partitions().len() == 2);
    feed.drain(&mut [&mut a, &mut b], "two members to do all");
    assert_eq!((a.told.lost, b.told.lost), (0, 0), "joining takes nothing by force");

    let mut c = child(&cluster, "c");
    step_until(&mut [&mut a, &mut b], "the third to have its share", |m| held(m) == 3);
    feed.more(60);
    feed.drain(&mut [&mut a, &mut b], "three members to do all");

    // A frozen member: the others take over, then it wakes with its old place in mind.
    signal(c.id(), "STOP");
    feed.more(60);
    step_until(&mut [&mut a, &mut b], "the frozen one's partition to be taken over", |m| held(m) == 4);
    feed.drain(&mut [&mut a, &mut b], "two members to do all again");
    signal(c.id(), "CONT");
    feed.more(60);
    step_until(&mut [&mut a, &mut b], "the woken one to have a share again", |m| held(m) == 3);
    feed.more(60);
    c.kill().expect("it runs");
    c.wait().expect("it was started here");
    feed.drain(&mut [&mut a, &mut b], "two members to do all after a kill");

    drop(b);
    feed.more(60);
    feed.drain(&mut [&mut a], "the one that is left to do all");
    feed.assert_exactly_once(&mut a);
}

#[test]
fn a_member_that_restarts_under_its_name_disturbs_nobody() {
    let cluster = Cluster::make("restart", 4);
    let mut feed = Feed { cluster: &cluster, appended: 0 };
    // Long sessions: a restart that the group noticed would last half a minute.
    let member = |instance: &str| {
        let mut config = cluster.config("meter", instance);
        config.timeouts.session = Duration::from_secs(30);
        opened(config, &[])
    };
    let (mut a, mut b) = (member("a"), member("b"));
    step_until(&mut [&mut a, &mut b], "both to have their shares", |m| {
        m[0].partitions().len() == 2 && m[1].partitions().len() == 2
    });
    feed.more(20);
    feed.drain(&mut [&mut a, &mut b], "both to do all");
    let before = (a.partitions(), b.partitions(), a.told.revoked, a.told.lost);

    drop(b);
    feed.more(20);
    let mut b = member("b");
    step_until(&mut [&mut a, &mut b], "the second to be back", |m| m[1].partitions().len() == 2);
    feed.drain(&mut [&mut a, &mut b], "both to do all after the restart");
    assert_eq!((a.partitions(), b.partitions(), a.told.revoked, a.told.lost), before);
    feed.assert_exactly_once(&mut a);
}

#[test]
fn a_broker_that_freezes_and_is_killed_in_the_middle_of_commits_loses_and_repeats_nothing() {
    let mut broker = Broker::start("killed");
    let cluster = Cluster::on(&broker.address(), "killed", 2);
    let mut feed = Feed { cluster: &cluster, appended: 0 };
    let mut config = cluster.config("meter", "a");
    config.timeouts.commit = Duration::from_millis(800);
    config.timeouts.session = Duration::from_secs(6);
    config.timeouts.request = Duration::from_secs(2);
    let mut a = opened(config, &["killed.meter.gone".to_owned()]);
    feed.more(10);
    feed.drain(&mut [&mut a], "a first commit");

    // Frozen: the commit on its way gets no answer, and is given up by the watchdog.
    feed.more(200);
    let committed = a.told.committed;
    step_until(&mut [&mut a], "commits to be under way", |m| {
        m[0].told.committed > committed && !m[0].is_idle()
    });
    broker.freeze();
    let thaw = std::thread::spawn({
        let pid = broker.pid();
        move || {
            let patience = Patience::of(Duration::from_millis(1_500));
            patience.wait();
            signal(pid, "CONT");
        }
    });
    step_until(&mut [&mut a], "a commit without an answer", |m| !m[0].told.unresolved.is_empty());
    thaw.join().expect("the broker was thawed");
    feed.drain(&mut [&mut a], "all to be done after the thaw");

    // Killed: a dead worker's transaction is open, ours begins while the broker is away. What was decided before has its
    // markers by then (the scan waits for them): a lone broker that is killed between the two forgets the markers, and
    // the transaction stays open for ever. With replicas another broker writes them.
    feed.assert_exactly_once(&mut a);
    let _dead = dead_worker(&cluster, "killed.meter.gone");
    feed.more(200);
    let patience = Patience::of(Duration::from_secs(20));
    while !a.has_unsealed() {
        a.poll();
        patience.check("messages to be committed");
    }
    broker.kill();
    // A worker goes on polling while the brokers are away.
    std::thread::scope(|scope| {
        let back = scope.spawn(|| broker.restart());
        step_until(&mut [&mut a], "the broker to be back", |_| back.is_finished());
    });
    feed.drain(&mut [&mut a], "all to be done after the restart");
    feed.assert_exactly_once(&mut a);
}
