//! How the end of a commit is found out, and what follows from it.

use std::sync::Arc;

use super::*;
use crate::limits::{COMMIT_WATCHDOG_MS, REFUSED_AGAIN_MS, SEAL_MESSAGES_OVER, SEAL_RECORDS_MAX, SEALED_MAX};
use crate::log::{Committed, Transaction};

#[test]
fn a_commit_moves_outputs_checkpoint_and_offset_together() {
    let mut kit = Kit::running(1);
    let before = kit.broker().messages(Topic::Checkpoint, 0).len();
    let at = kit.cdr(0, "a");
    let report = kit.settle();
    assert_eq!(report.ledger.records(crate::model::Input::Cdr, Outcome::Unknown), 1);
    assert_eq!(report.commits.iter().map(|c| c.offsets.clone()).next(), Some(vec![(0, LogOffset(at + 1))]));
    assert_eq!((kit.quarantined(), kit.broker().committed(0)), (1, Some(at + 1)));
    assert!(kit.broker().messages(Topic::Checkpoint, 0).len() > before);
}

#[test]
fn a_new_partition_writes_every_shard_with_its_first_commit() {
    let kit = Kit::running(1);
    let broker = kit.broker();
    let first = broker.sent.first().expect("a commit");
    let chunks = first.outputs.iter().filter(|o| o.key.starts_with(b"shard/")).count();
    assert_eq!((chunks, first.offsets[0].1.offset), (SHARDS, LogOffset(0)));
}

#[test]
fn every_transaction_carries_the_offset_of_every_partition_that_it_writes_for() {
    let mut kit = Kit::running(3);
    for partition in 0..3 {
        kit.cdr(partition, "a");
    }
    kit.settle();
    for transaction in &kit.broker().sent {
        let mut offsets: Vec<u32> = transaction.offsets.iter().map(|(p, _)| *p).collect();
        offsets.sort_unstable();
        let heads = transaction.outputs.iter().filter(|o| o.key == b"head");
        let mut written: Vec<u32> = heads.filter_map(|o| o.partition).collect();
        written.sort_unstable();
        assert_eq!(offsets, written);
    }
}

/// (answer of the first try, how often it is sent, calls of `renew`)
#[test]
fn an_unknown_end_is_resolved_by_the_stable_offset() {
    let table = [(Answer::Committed, 1, 0), (Answer::LostYes, 1, 1), (Answer::LostNo, 2, 1)];
    for (answer, sent, renewed) in table {
        let mut kit = Kit::running(1);
        let before = kit.broker().sent.len();
        kit.broker_mut().answers.push_back(answer);
        let at = kit.cdr(0, "a");
        kit.settle();
        let broker = kit.broker();
        let mine = &broker.sent[before..];
        let with_record = mine.iter().filter(|t| t.outputs.iter().any(|o| o.topic == Topic::Quarantine));
        assert_eq!(with_record.count(), sent, "{answer:?}");
        assert_eq!(broker.calls.iter().filter(|c| *c == "renew").count(), renewed, "{answer:?}");
        assert_eq!((kit.quarantined(), broker.committed(0)), (1, Some(at + 1)), "{answer:?}");
    }
}

#[test]
fn a_retry_sends_the_same_bytes() {
    let mut kit = Kit::running(2);
    let before = kit.broker().sent.len();
    kit.broker_mut().answers.extend([Answer::LostNo, Answer::LostNo]);
    kit.cdr(0, "a");
    kit.cdr(1, "b");
    kit.settle();
    let broker = kit.broker();
    let [first, second, third, ..] = &broker.sent[before..] else { panic!("three tries") };
    assert!(first == second && second == third);
}

/// Whether the commit was or was not, nothing comes out twice and nothing is missing, and only the partition that cannot be
/// asked for waits.
#[test]
fn a_partition_whose_end_cannot_be_asked_for_waits_alone_and_is_folded_from_what_was_committed() {
    for answer in [Answer::LostYes, Answer::LostNo] {
        let mut kit = Kit::running(2);
        kit.broker_mut().answers.push_back(answer);
        kit.broker_mut().forbidden.insert(0);
        kit.cdr(0, "a");
        let at = kit.cdr(1, "b");
        kit.settle();
        kit.cdr(0, "never mind");
        kit.settle();
        assert_eq!((kit.state(0), kit.state(1)), (StateName::Halted, StateName::Running), "{answer:?}");
        assert!(kit.broker().committed(1) > Some(at), "{answer:?}");
        let done = u64::from(answer == Answer::LostYes);
        assert_eq!(kit.broker().committed(0), Some(done), "{answer:?}: nothing is folded meanwhile");
        kit.broker_mut().forbidden.clear();
        kit.step(REFUSED_AGAIN_MS);
        kit.settle();
        assert_eq!((kit.state(0), kit.quarantined()), (StateName::Running, 3), "{answer:?}");
        assert!(kit.broker().committed(0) >= Some(2), "{answer:?}");
    }
}

#[test]
fn a_partition_whose_end_cannot_be_asked_for_is_given_up_when_it_is_revoked_and_not_parked() {
    let mut kit = Kit::running(2);
    kit.broker_mut().answers.push_back(Answer::Silence);
    kit.cdr(0, "a");
    kit.settle();
    let revoked = GroupEvent::Revoked { generation: Generation(2), partitions: vec![0] };
    kit.broker_mut().events.push_back(revoked);
    kit.step(10);
    kit.broker_mut().forbidden.insert(0);
    kit.broker_mut().answers = [Answer::LostNo].into();
    kit.settle();
    assert!(kit.broker().calls.contains(&"unassign 0".to_owned()));
    kit.broker_mut().forbidden.clear();
    kit.broker_mut().calls.clear();
    let given = GroupEvent::Assigned { generation: Generation(3), partitions: vec![0] };
    kit.broker_mut().events.push_back(given);
    kit.settle();
    assert!(kit.broker().calls.iter().any(|call| call.starts_with("scan")), "it is restored whole");
    assert_eq!((kit.state(0), kit.quarantined()), (StateName::Running, 1));
}

#[test]
fn an_offset_that_somebody_else_moved_means_the_partition_is_lost() {
    let mut kit = Kit::running(2);
    kit.broker_mut().answers.push_back(Answer::LostNo);
    kit.cdr(0, "a");
    let at = kit.cdr(1, "b");
    let elsewhere = Committed { offset: LogOffset(77), metadata: String::new() };
    kit.broker_mut().offsets.insert(0, elsewhere);
    let report = kit.settle();
    assert_eq!((kit.state(0), report.commits_lost), (StateName::Lost, 1));
    assert_eq!((kit.state(1), kit.broker().committed(1)), (StateName::Running, Some(at + 1)));
    assert_eq!((kit.quarantined(), kit.broker().committed(0)), (1, Some(77)));
    assert!(kit.broker().paused.contains(&0));
}

#[test]
fn a_zombie_commits_nothing_more_for_what_it_has_lost() {
    let mut kit = Kit::running(1);
    kit.broker_mut().answers.push_back(Answer::Silence);
    kit.cdr(0, "a");
    kit.settle();
    kit.cdr(0, "b");
    kit.step(40);
    kit.broker_mut().events.push_back(GroupEvent::Lost { partitions: vec![0] });
    kit.step(10);
    let sent = kit.broker().sent.len();
    kit.broker_mut().answers.clear();
    kit.broker_mut().answers.push_back(Answer::LostNo);
    let report = kit.settle();
    assert_eq!((kit.broker().sent.len(), report.commits.len()), (sent, 0));
    assert_eq!(kit.broker().calls.last().map(String::as_str), Some("renew"));
    assert!(kit.broker().calls.contains(&"unassign 0".to_owned()));
}

#[test]
fn what_is_lost_while_its_commit_is_resolved_still_costs_the_producer() {
    let mut kit = Kit::running(1);
    kit.broker_mut().answers.push_back(Answer::LostNo);
    kit.broker_mut().renewals_fail = 30;
    kit.cdr(0, "a");
    for _ in 0..10 {
        kit.step(10);
    }
    kit.broker_mut().events.push_back(GroupEvent::Lost { partitions: vec![0] });
    kit.step(10);
    kit.assign(2);
    kit.settle();
    assert_eq!((kit.state(0), kit.quarantined()), (StateName::Running, 1));
}

#[test]
fn at_most_two_commits_are_sealed_then_it_reads_nothing_and_goes_on_polling() {
    let mut kit = Kit::running(1);
    kit.broker_mut().answers.push_back(Answer::Silence);
    let before = kit.broker().committed(0);
    for seal in 0..=SEALED_MAX {
        fill(&kit, seal);
        kit.step(40);
    }
    kit.step(40);
    fill(&kit, SEALED_MAX + 1);
    let polls = kit.broker().polls;
    let polled = kit.step(40);
    assert_eq!((polled.messages, kit.broker().committed(0)), (0, before));
    assert_eq!(kit.broker().polls, polls + 1);
    assert!(kit.broker().paused.is_empty(), "a pause would throw away what was fetched");
    kit.broker_mut().answers.clear();
    kit.settle();
    let messages = kit.broker().messages(Topic::Log, 0).len() as u64;
    assert_eq!(kit.broker().committed(0), Some(messages));
}

/// A worker whose seals hold five outputs at most, and what it has quarantined with each commit of a backlog of twenty.
fn crowded(change: impl FnOnce(&mut Kit)) -> (Kit, Vec<usize>) {
    let mut small = settings(2);
    small.seal.messages = 5;
    let mut kit = Kit::with(small);
    let before = kit.broker().sent.len();
    for id in 0..10 {
        kit.cdr(0, &format!("{id}"));
        kit.cdr(1, &format!("{id}"));
    }
    change(&mut kit);
    kit.settle();
    let told = |t: &Arc<Transaction>| t.outputs.iter().filter(|o| o.topic == Topic::Quarantine).count();
    let told = kit.broker().sent[before..].iter().map(told).filter(|count| *count > 0).collect();
    (kit, told)
}

#[test]
fn a_poll_does_not_make_much_more_than_a_seal_may_hold() {
    let (kit, told) = crowded(|_| ());
    assert_eq!(told, [5 * SEAL_MESSAGES_OVER; 2]);
    assert_eq!((kit.broker().committed(0), kit.broker().committed(1)), (Some(10), Some(10)));
    assert_eq!(kit.quarantined(), 20);
}

#[test]
fn behind_what_was_passed_over_nothing_is_folded_before_it_has_come() {
    let (kit, told) = crowded(|kit| {
        kit.broker_mut().seeks_fail = 7;
        kit.step(10);
        kit.cdr(1, "behind them");
    });
    assert_eq!(told.iter().sum::<usize>(), 21);
    assert_eq!((kit.broker().committed(0), kit.broker().committed(1)), (Some(10), Some(11)));
}

/// As many records as one seal takes.
fn fill(kit: &Kit, seal: usize) {
    for pack in 0..SEAL_RECORDS_MAX / 1_000 {
        let ids: Vec<String> = (0..1_000).map(|i| format!("{seal}-{pack}-{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        kit.cdrs(0, &ids);
    }
}

#[test]
fn a_commit_that_never_answers_is_taken_for_unresolved() {
    let mut kit = Kit::running(1);
    kit.broker_mut().answers.push_back(Answer::Silence);
    let at = kit.cdr(0, "a");
    kit.settle();
    kit.step(COMMIT_WATCHDOG_MS);
    kit.broker_mut().answers.clear();
    kit.settle();
    assert!(kit.broker().calls.contains(&"renew".to_owned()));
    assert_eq!((kit.quarantined(), kit.broker().committed(0).map(|c| c > at)), (1, Some(true)));
}

#[test]
fn rows_leave_only_after_the_commit() {
    let mut kit = Kit::running(1);
    kit.broker_mut().answers.push_back(Answer::Silence);
    kit.cdr(0, "a");
    kit.settle();
    assert!(kit.worker.sink_mut().taken.is_empty());
}
