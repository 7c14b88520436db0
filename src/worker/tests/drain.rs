//! Draining: what is left to replay, what is held, and when it is said to be done.

use super::restore::aged;
use super::*;
use crate::limits::{PARKED_STATE_S, REFUSED_AGAIN_MS};

fn drain(kit: &mut Kit) -> Option<Result<(), OrderError>> {
    kit.ask(|reply| Request::Drain { reply })
}

fn give(kit: &mut Kit, generation: u64, partitions: &[u32]) {
    let (generation, partitions) = (Generation(generation), partitions.to_vec());
    kit.broker_mut().events.push_back(GroupEvent::Assigned { generation, partitions });
    kit.settle();
}

fn take(kit: &mut Kit, generation: u64, partition: u32) {
    let (generation, partitions) = (Generation(generation), vec![partition]);
    kit.broker_mut().events.push_back(GroupEvent::Revoked { generation, partitions });
    kit.settle();
}

/// What comes now is not folded, and nothing is left to replay.
fn holds(kit: &mut Kit, partition: u32) {
    let at = kit.cdr(partition, "held");
    kit.settle();
    assert_eq!(kit.state(partition), StateName::Drained, "{}", kit.status(partition).halted);
    assert_eq!(kit.status(partition).replay_debt_records, 0);
    assert!(kit.broker().committed(partition) <= Some(at), "it was folded");
}

#[test]
fn a_drain_waits_for_what_is_being_restored() {
    let kit = Kit::running(2);
    kit.cdr(1, "a");
    kit.broker_mut().unstable.insert(1);
    let mut kit = kit.restarted(|_| ());
    let (tell, told) = std::sync::mpsc::channel();
    let reply: Reply<_> = Box::new(move |answer| tell.send(answer).expect("heard"));
    kit.mailbox.push_back(Request::Drain { reply });
    kit.settle();
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Drained, StateName::Restoring));
    assert!(told.try_recv().is_err(), "partition 1 is not drained");
    kit.broker_mut().unstable.clear();
    kit.settle();
    assert_eq!((kit.state(1), told.try_recv()), (StateName::Drained, Ok(Ok(()))));
    assert_eq!(kit.status(1).replay_debt_records, 0);
}

#[test]
fn after_a_drain_nothing_is_left_to_replay_and_folding_waits_for_the_word() {
    let mut kit = aged();
    let answer = kit.ask(|reply| Request::Drain { reply });
    assert_eq!(answer, Some(Ok(())));
    assert_eq!((kit.status(0).replay_debt_records, kit.state(0)), (0, StateName::Drained));
    let at = kit.cdr(0, "held");
    kit.settle();
    assert!(kit.broker().committed(0) <= Some(at));
    kit.ask(|reply| Request::GoOn { reply });
    assert!(kit.broker().committed(0) > Some(at));
}

/// Its log could not be read when it came, and it is restored after the answer: it was not drained with the others.
#[test]
fn a_drain_says_what_could_not_be_read_and_holds_it_when_it_can_be() {
    let mut kit = Kit::running(2);
    kit.cdr(0, "a");
    kit.settle();
    kit.broker_mut().bounds_fatal = 1;
    let mut kit = kit.restarted(|_| ());
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Halted, StateName::Running));
    let Some(Err(OrderError::NotDrained(why))) = drain(&mut kit) else { panic!("it is not drained") };
    assert!(why.starts_with("partition 0: ") && why.contains("unknown topic"), "{why}");
    holds(&mut kit, 1);
    kit.step(REFUSED_AGAIN_MS);
    kit.settle();
    holds(&mut kit, 0);
    assert_eq!(drain(&mut kit), Some(Ok(())));
}

/// What is wrong with the state stays wrong: no drain can help it.
#[test]
fn a_drain_does_not_wait_for_a_state_that_is_refused() {
    let mut kit = Kit::running(2);
    kit.cdr(0, "a");
    kit.settle();
    kit.broker_mut().offsets.remove(&0);
    let mut kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Halted);
    assert_eq!(drain(&mut kit), Some(Ok(())));
    holds(&mut kit, 1);
}

#[test]
fn a_partition_that_comes_after_a_drain_is_held_and_written_whole() {
    let before = aged();
    assert!(before.status(0).replay_debt_records > 0, "its chunks are of many offsets");
    let mut settings = settings(1);
    settings.new = New::Refused;
    let mut kit = Kit::on(before.script.clone(), settings);
    kit.broker_mut().fetching.clear();
    let waiting = kit.cdr(0, "waiting");
    give(&mut kit, 2, &[]);
    assert_eq!(drain(&mut kit), Some(Ok(())), "it has nothing");
    give(&mut kit, 3, &[0]);
    holds(&mut kit, 0);
    assert_eq!(kit.broker().committed(0), Some(waiting));
    kit.ask(|reply| Request::GoOn { reply });
    assert!(kit.broker().committed(0) > Some(waiting));
    assert_eq!(kit.state(0), StateName::Running);
}

/// (how long it was away, whether it is restored whole)
#[test]
fn a_drained_partition_that_goes_and_comes_back_is_held() {
    for (away_ms, whole) in [(0, false), (PARKED_STATE_S * 1_000, true)] {
        let mut kit = Kit::running(2);
        kit.cdr(0, "a");
        assert_eq!(drain(&mut kit), Some(Ok(())));
        take(&mut kit, 2, 0);
        kit.step(away_ms);
        kit.broker_mut().calls.clear();
        give(&mut kit, 3, &[0]);
        let scanned = kit.broker().calls.iter().any(|call| call.starts_with("scan"));
        assert_eq!(scanned, whole, "{away_ms}");
        holds(&mut kit, 0);
    }
}

#[test]
fn a_drain_is_not_done_before_the_group_has_said_what_is_here() {
    let mut kit = Kit::on(Script::new(1), settings(1));
    let (tell, told) = std::sync::mpsc::channel();
    let reply: Reply<_> = Box::new(move |answer| tell.send(answer).expect("heard"));
    kit.mailbox.push_back(Request::Drain { reply });
    kit.settle();
    assert!(told.try_recv().is_err());
    give(&mut kit, 1, &[0]);
    assert_eq!(told.try_recv(), Ok(Ok(())));
    holds(&mut kit, 0);
}

#[test]
fn a_drain_that_is_ended_before_it_is_done_says_so() {
    let kit = Kit::running(1);
    kit.broker_mut().unstable.insert(0);
    let mut kit = kit.restarted(|_| ());
    let (tell, told) = std::sync::mpsc::channel();
    let reply: Reply<_> = Box::new(move |answer| tell.send(answer).expect("heard"));
    kit.mailbox.push_back(Request::Drain { reply });
    kit.ask(|reply| Request::GoOn { reply });
    assert_eq!(told.try_recv(), Ok(Err(OrderError::GoesOn)));
    kit.broker_mut().unstable.clear();
    kit.settle();
    assert_eq!(kit.state(0), StateName::Running);
}
