//! What a restore gives back, and each reason for which it is refused.

use super::*;
use crate::checkpoint::{self, Head, Key};
use crate::limits::REFUSED_AGAIN_MS;
use crate::log::Committed;

fn fast(settings: &mut Settings) {
    settings.pace = Pace { records: 512, seconds: 100_000, bytes_per_s: 1, ..Pace::default() };
}

/// A partition that was folded for a while, with chunks of several ages.
pub(super) fn aged() -> Kit {
    let mut first = settings(1);
    fast(&mut first);
    let mut kit = Kit::with(first);
    for message in 0..40 {
        let ids: Vec<String> = (0..6).map(|i| format!("{message}-{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        kit.cdrs(0, &ids);
        kit.step(40);
    }
    kit.settle();
    kit
}

#[test]
fn a_restart_goes_on_where_the_last_commit_ended() {
    let kit = aged();
    let (position, quarantined) = (kit.status(0).position, kit.quarantined());
    let kit = kit.restarted(|_| ());
    assert_eq!((kit.state(0), kit.quarantined()), (StateName::Running, quarantined));
    assert!(kit.broker().calls.contains(&format!("assign 0@{}", position.0)), "{:?}", kit.broker().calls);
}

#[test]
fn what_was_not_committed_is_folded_again_and_comes_out_once() {
    let mut kit = aged();
    let before = kit.quarantined();
    kit.broker_mut().answers.push_back(Answer::Silence);
    kit.cdr(0, "late");
    kit.settle();
    assert_eq!(kit.quarantined(), before);
    kit.broker_mut().answers.clear();
    kit.broker_mut().forget_open();
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.quarantined(), before + 1);
}

#[test]
fn chunks_of_many_ages_are_replayed_each_from_its_own_offset() {
    let kit = aged();
    let heads = |kit: &Kit| last_head(kit).ledger;
    let (ledger, debt) = (heads(&kit), kit.status(0).replay_debt_records);
    assert!(debt > 0, "something is to be replayed");
    let mut kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
    kit.cdr(0, "z");
    kit.settle();
    let now = heads(&kit);
    assert_eq!(now.folded(crate::model::Input::Cdr), ledger.folded(crate::model::Input::Cdr) + 1);
}

#[test]
fn a_restore_reads_the_checkpoint_from_the_oldest_live_chunk_only() {
    let mut kit = aged();
    kit.ask(|reply| Request::Drain { reply });
    let end = kit.broker().messages(Topic::Checkpoint, 0).len() as u64;
    let place: u64 = kit.broker().offsets[&0].metadata.parse().expect("a place");
    assert!(place > SHARDS as u64 && place < end, "{place} of {end}");
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
    assert!(
        kit.broker().calls.iter().any(|c| c.starts_with(&format!("scan tidegauge.checkpoint 0 {place}..")))
    );
}

/// The dead writer had sent its offsets: these are unstable. Or it had not sent them yet: these are stable, and what it has
/// written bars the way in the checkpoint alone.
#[test]
fn an_open_transaction_is_waited_for_then_ended_as_the_dead_writers() {
    let open: [fn(&mut Broker) -> bool; 2] =
        [|broker| broker.unstable.insert(0), |broker| broker.barred.insert(0)];
    for open in open {
        let kit = aged();
        rewrite_head(&kit, |head| head.writer = "worker-b".to_owned());
        assert!(open(&mut kit.broker_mut()));
        let mut kit = kit.restarted(|_| ());
        assert_eq!(kit.state(0), StateName::Restoring);
        assert!(!kit.broker().calls.iter().any(|c| c.starts_with("end")));
        kit.seconds(4);
        assert!(kit.broker().calls.contains(&"end worker-b".to_owned()));
        kit.settle();
        assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
    }
}

#[test]
fn a_partition_that_something_is_in_the_way_of_keeps_no_other_waiting() {
    let kit = Kit::running(3);
    kit.broker_mut().unstable.extend([0, 1]);
    let mut kit = kit.restarted(|_| ());
    assert_eq!(
        [0, 1, 2].map(|partition| kit.state(partition)),
        [StateName::Restoring, StateName::Restoring, StateName::Running]
    );
    let at = kit.cdr(2, "a");
    kit.settle();
    assert!(kit.broker().committed(2) > Some(at), "it is read, folded and committed");
    assert!(!kit.broker().calls.iter().any(|call| call.starts_with("assign 0")));
    kit.broker_mut().unstable.remove(&1);
    kit.settle();
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Restoring, StateName::Running));
}

#[test]
fn a_broker_that_is_away_for_a_moment_does_not_end_a_restore() {
    for fail in 1..6 {
        let kit = aged();
        kit.broker_mut().bounds_fail = fail;
        let kit = kit.restarted(|_| ());
        assert_eq!(kit.state(0), StateName::Running, "{fail}: {}", kit.status(0).halted);
    }
}

/// A broker that comes back does not know its topics for a moment.
#[test]
fn a_log_that_could_not_be_read_is_tried_again_and_nothing_is_lost() {
    let kit = aged();
    let before = kit.quarantined();
    kit.broker_mut().bounds_fatal = 1;
    kit.cdr(0, "late");
    let mut kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Halted);
    assert!(kit.status(0).halted.contains("unknown topic"), "{}", kit.status(0).halted);
    let told = kit.told_owners(0);
    kit.step(REFUSED_AGAIN_MS);
    kit.settle();
    assert_eq!((kit.state(0), kit.quarantined()), (StateName::Running, before + 1));
    assert_eq!(kit.told_owners(0), told + 1, "whoever has a question is to ask here from now on");
    let at = kit.cdr(0, "later");
    kit.settle();
    assert!(kit.broker().committed(0) > Some(at));
}

type Spoil = fn(&Kit);

/// What is done to the topics, and what the refusal says.
#[test]
fn what_is_not_exactly_as_it_was_left_is_refused_with_a_reason() {
    let table: [(&str, Spoil, &str); 12] = [
        ("bad checksum", |kit| flip(kit, b"shard/"), "the record is damaged"),
        ("torn chunk", |kit| remove(kit, b"shard/007/0"), "shard 7 has no chunk"),
        ("damaged head", |kit| flip(kit, b"head"), "key head: checksum"),
        ("other topic id", |kit| kit.broker_mut().topic_id = "topic-2".to_owned(), "topic id topic-1"),
        ("more partitions", |kit| kit.broker_mut().partitions = 2, "has 2 partitions, 1 are expected"),
        (
            "inputs gone",
            |kit| kit.broker_mut().starts.extend([((Topic::Log, 0), 39)]),
            "retention has overtaken",
        ),
        ("foreign fold", |kit| rewrite_head(kit, |h| h.fold_version += 1), "run `tidegauge drain`"),
        (
            "other clock",
            |kit| rewrite_head(kit, |h| h.clock = Clock::Supplied),
            "start with the right --clock",
        ),
        (
            "other deployment",
            |kit| rewrite_head(kit, |h| h.deployment = "b".to_owned()),
            "names deployment \"b\"",
        ),
        ("offset set by hand", |kit| commit(kit, 3), "one of them was changed by hand"),
        ("offset deleted", |kit| kit.broker_mut().offsets.clear(), "the group has no offset"),
        ("checkpoint emptied", |kit| clear_checkpoint(kit), "was emptied or made anew"),
    ];
    for (name, spoil, said) in table {
        let kit = aged();
        let sent = kit.broker().sent.len();
        spoil(&kit);
        let mut kit = kit.restarted(|_| ());
        kit.cdr(0, "after");
        kit.settle();
        assert_eq!(kit.state(0), StateName::Halted, "{name}");
        let why = kit.status(0).halted;
        assert!(why.starts_with("partition 0: ") && why.contains(said), "{name}: {why}");
        assert_eq!(kit.broker().sent.len(), sent, "{name}: nothing may be committed");
        assert!(kit.broker().paused.contains(&0), "{name}: it stays assigned and paused");
    }
}

#[test]
fn a_log_that_was_cut_short_is_refused() {
    let kit = aged();
    kit.broker_mut().stored.get_mut(&(Topic::Log, 0)).expect("the log").truncate(5);
    let kit = kit.restarted(|_| ());
    assert!(kit.status(0).halted.contains("do not start over it"), "{}", kit.status(0).halted);
}

#[test]
fn a_log_with_other_content_is_refused() {
    let kit = aged();
    {
        let mut broker = kit.broker_mut();
        let messages = broker.stored.get_mut(&(Topic::Log, 0)).expect("the log");
        messages[30].value = Some(tick(None));
    }
    let kit = kit.restarted(|_| ());
    assert!(kit.status(0).halted.contains("the state is not exact"), "{}", kit.status(0).halted);
}

#[test]
fn nothing_begins_from_nothing_unless_it_is_allowed() {
    let mut refused = settings(1);
    refused.new = New::Refused;
    let kit = Kit::with(refused);
    assert!(kit.status(0).halted.contains("start with --new"), "{}", kit.status(0).halted);
    assert!(kit.broker().sent.is_empty());
}

#[test]
fn a_new_deployment_does_not_begin_in_the_middle_of_a_log() {
    let script = Script::new(1);
    script.0.borrow_mut().starts.insert((Topic::Log, 0), 4);
    let mut kit = Kit::on(script, settings(1));
    kit.assign(1);
    kit.settle();
    assert!(kit.status(0).halted.contains("begins at offset 4"), "{}", kit.status(0).halted);
}

#[test]
fn a_foreign_fold_without_a_tail_to_replay_is_taken_over() {
    let mut kit = aged();
    kit.worker.stop(Stop::Drained);
    assert!((0..80).any(|_| kit.step(10).stopped));
    rewrite_head(&kit, |head| head.fold_version += 1);
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
}

#[test]
fn restoring_one_partition_keeps_the_others_polled() {
    let mut few = settings(2);
    fast(&mut few);
    few.restore_messages = 3;
    let kit = Kit::with(few);
    kit.broker_mut().calls.clear();
    let mut kit = kit.restarted(|_| ());
    for _ in 0..400 {
        let before = kit.broker().calls.len();
        kit.step(1);
        assert!(kit.broker().calls.len() - before <= 6, "a step stays small");
    }
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Running, StateName::Running));
}

fn clear_checkpoint(kit: &Kit) {
    kit.broker_mut().stored.remove(&(Topic::Checkpoint, 0));
}

fn commit(kit: &Kit, offset: u64) {
    let mut broker = kit.broker_mut();
    let metadata = broker.offsets[&0].metadata.clone();
    broker.offsets.insert(0, Committed { offset: LogOffset(offset), metadata });
}

/// The last record whose key begins so.
fn last_at(kit: &Kit, key: &[u8]) -> usize {
    let broker = kit.broker();
    broker.messages(Topic::Checkpoint, 0).iter().rposition(|m| m.key.starts_with(key)).expect("such a record")
}

fn last_head(kit: &Kit) -> Head {
    let at = last_at(kit, b"head");
    let broker = kit.broker();
    let value = broker.messages(Topic::Checkpoint, 0)[at].value.as_ref();
    checkpoint::decode(value.expect("a head")).expect("a sound head")
}

pub(super) fn rewrite_head(kit: &Kit, change: fn(&mut Head)) {
    let mut head = last_head(kit);
    change(&mut head);
    kit.broker_mut().append(Topic::Checkpoint, 0, &Key::Head.to_bytes(), Some(checkpoint::encode(&head)));
}

fn remove(kit: &Kit, key: &[u8]) {
    kit.broker_mut().append(Topic::Checkpoint, 0, key, None);
}

fn flip(kit: &Kit, key: &[u8]) {
    let at = last_at(kit, key);
    let mut broker = kit.broker_mut();
    let messages = broker.stored.get_mut(&(Topic::Checkpoint, 0)).expect("the checkpoint");
    let value = messages[at].value.as_mut().expect("a value");
    let last = value.len() - 1;
    value[last] ^= 1;
}
