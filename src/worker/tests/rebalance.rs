//! Partitions that come and go.

use super::*;
use crate::limits::{PARKED_STATE_S, REFUSED_AGAIN_MS};
use crate::log::Committed;

fn revoke(kit: &mut Kit, partition: u32) {
    let generation = Generation(2);
    kit.broker_mut().events.push_back(GroupEvent::Revoked { generation, partitions: vec![partition] });
}

fn give_back(kit: &mut Kit, partition: u32) {
    kit.broker_mut().calls.clear();
    let generation = Generation(3);
    kit.broker_mut().events.push_back(GroupEvent::Assigned { generation, partitions: vec![partition] });
    kit.settle();
}

fn scans(kit: &Kit) -> usize {
    kit.broker().calls.iter().filter(|c| c.starts_with("scan")).count()
}

#[test]
fn a_revoked_partition_is_committed_before_it_is_given_up() {
    let mut kit = Kit::running(2);
    kit.broker_mut().answers.push_back(Answer::Silence);
    let at = kit.cdr(0, "a");
    kit.step(10);
    revoke(&mut kit, 0);
    kit.step(10);
    kit.step(10);
    assert!(!kit.broker().calls.contains(&"unassign 0".to_owned()));
    assert_eq!(kit.state(0), StateName::Leaving);
    kit.broker_mut().answers.clear();
    kit.step(10);
    kit.step(10);
    assert!(kit.broker().calls.contains(&"unassign 0".to_owned()));
    assert_eq!((kit.broker().committed(0), kit.quarantined()), (Some(at + 1), 1));
    assert_eq!(kit.worker.status(kit.now).len(), 1);
}

#[test]
fn what_is_committed_after_a_rebalance_carries_the_new_generation() {
    let mut kit = Kit::running(2);
    revoke(&mut kit, 0);
    kit.settle();
    kit.cdr(1, "a");
    kit.settle();
    assert_eq!(kit.broker().sent.last().map(|t| t.generation), Some(Generation(2)));
}

#[test]
fn a_parked_partition_resumes_if_nobody_has_moved_its_offset() {
    let mut kit = Kit::running(1);
    kit.cdr(0, "a");
    kit.settle();
    revoke(&mut kit, 0);
    kit.settle();
    let position = kit.broker().committed(0).expect("committed");
    give_back(&mut kit, 0);
    assert_eq!((scans(&kit), kit.state(0)), (0, StateName::Running));
    assert!(kit.broker().calls.contains(&format!("assign 0@{position}")));
    assert_eq!(kit.told_owners(0), 2, "once each time that it came");
    assert_eq!(
        kit.worker.status(kit.now)[0].position,
        LogOffset(kit.broker().committed(0).expect("committed"))
    );
}

#[test]
fn parked_state_whose_offset_was_moved_is_not_resumed() {
    let mut kit = Kit::running(1);
    kit.cdr(0, "a");
    kit.settle();
    revoke(&mut kit, 0);
    kit.settle();
    let moved = Committed { offset: LogOffset(99), metadata: String::new() };
    kit.broker_mut().offsets.insert(0, moved);
    give_back(&mut kit, 0);
    assert!(scans(&kit) > 0);
    assert_eq!(kit.state(0), StateName::Halted);
}

/// Who had it meanwhile has written all chunks anew without folding anything, and deleted the catalogue that its own need no
/// more: those of the parked state are of it still.
#[test]
fn parked_state_brings_its_catalogues_along() {
    let mut kit = cards::with_card(|_| ());
    revoke(&mut kit, 0);
    kit.settle();
    kit.broker_mut().append(Topic::Checkpoint, 0, b"catalogue/1", None);
    give_back(&mut kit, 0);
    assert_eq!(scans(&kit), 0, "it is resumed");
    kit.cdr(0, "a");
    kit.settle();
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
}

#[test]
fn parked_state_is_no_reason_to_wait_for_a_dead_writer() {
    let mut kit = Kit::running(1);
    kit.cdr(0, "a");
    kit.settle();
    revoke(&mut kit, 0);
    kit.settle();
    kit.broker_mut().unstable.insert(0);
    give_back(&mut kit, 0);
    assert_eq!((kit.state(0), scans(&kit)), (StateName::Restoring, 0));
    kit.seconds(4);
    kit.settle();
    assert!(scans(&kit) > 0, "it is restored whole, which looks for the writer and ends what is open");
}

#[test]
fn parked_state_whose_offset_cannot_be_asked_for_keeps_no_other_partition_from_going_on() {
    let mut kit = Kit::running(2);
    kit.cdr(0, "a");
    kit.settle();
    revoke(&mut kit, 0);
    kit.settle();
    kit.broker_mut().forbidden.insert(0);
    give_back(&mut kit, 0);
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Halted, StateName::Running));
    assert!(kit.status(0).halted.contains("no right to the group"), "{}", kit.status(0).halted);
    let at = kit.cdr(1, "b");
    kit.settle();
    assert!(kit.broker().committed(1) > Some(at));
    kit.broker_mut().forbidden.clear();
    kit.step(REFUSED_AGAIN_MS);
    let at = kit.cdr(0, "c");
    kit.settle();
    assert!(kit.broker().committed(0) > Some(at), "{}", kit.status(0).halted);
    assert_eq!(kit.quarantined(), 3);
}

#[test]
fn parked_state_is_dropped_after_its_time() {
    let mut kit = Kit::running(1);
    revoke(&mut kit, 0);
    kit.settle();
    kit.step(PARKED_STATE_S * 1_000);
    give_back(&mut kit, 0);
    assert!(scans(&kit) > 0);
    assert_eq!(kit.state(0), StateName::Running);
}

#[test]
fn a_lost_partition_is_dropped_at_once() {
    let mut kit = Kit::running(1);
    kit.cdr(0, "a");
    kit.broker_mut().events.push_back(GroupEvent::Lost { partitions: vec![0] });
    kit.step(10);
    assert!(kit.worker.status(kit.now).is_empty());
    assert!(kit.broker().calls.contains(&"unassign 0".to_owned()));
    kit.settle();
    assert_eq!(kit.quarantined(), 0);
}

#[test]
fn an_empty_assignment_is_answered_and_its_generation_kept() {
    let mut kit = Kit::running(1);
    let empty = GroupEvent::Assigned { generation: Generation(9), partitions: Vec::new() };
    kit.broker_mut().events.push_back(empty);
    kit.cdr(0, "a");
    kit.settle();
    assert_eq!(kit.broker().sent.last().map(|t| t.generation), Some(Generation(9)));
}

#[test]
fn the_new_owner_is_told_with_the_first_commit() {
    let kit = Kit::running(2);
    let keys: Vec<Vec<u8>> =
        kit.broker().messages(Topic::Owners, 0).iter().map(|stored| stored.key.clone()).collect();
    assert_eq!(keys, [b"0".to_vec(), b"1".to_vec()]);
}

#[test]
fn stopping_seals_commits_and_gives_up() {
    let mut kit = Kit::running(2);
    let at = kit.cdr(0, "a");
    kit.step(10);
    kit.worker.stop(Stop::Now);
    let stopped = (0..5).any(|_| kit.step(10).stopped);
    assert!(stopped);
    assert_eq!((kit.broker().committed(0), kit.quarantined()), (Some(at + 1), 1));
    assert!(kit.broker().calls.contains(&"unassign 1".to_owned()));
}
