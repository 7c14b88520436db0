//! The contract of `WorkerLog` and `IngestLog`, as the simulated brokers keep it.

use std::sync::Arc;

use super::*;
use crate::log::{
    CommitResult, Committed, Generation, GroupEvent, IngestLog, Output, PollBudget, Transaction, WorkerLog,
};

const BUDGET: PollBudget = PollBudget { messages: 1_000, bytes: 1 << 20, wait_ms: 0 };
const START_MS: i64 = 1_785_000_000_000;

fn quiet() -> Sim {
    Sim::new(Setup::quiet(START_MS, 2), 1, Trace::default())
}

/// Polls until the group says something.
fn event(log: &mut SimWorkerLog) -> GroupEvent {
    (0..9).find_map(|_| log.poll(BUDGET, &mut |_| ()).unwrap()).expect("an event of the group")
}

/// Joins and takes both partitions from the beginning.
fn owner(sim: &Sim, name: &str) -> (SimWorkerLog, Generation) {
    let mut log = sim.worker(name, FaultRates::none());
    let GroupEvent::Assigned { generation, partitions } = event(&mut log) else { panic!("not assigned") };
    let from: Vec<_> = partitions.iter().map(|p| (*p, LogOffset(0))).collect();
    log.assign(&from).unwrap();
    (log, generation)
}

fn transaction(generation: Generation, value: &[u8], next: u64) -> Arc<Transaction> {
    let output = Output {
        topic: Topic::Alerts,
        partition: Some(0),
        key: b"k".to_vec(),
        value: Some(value.to_vec()),
        headers: vec![],
        time_ms: None,
    };
    let offsets = vec![(0, Committed { offset: LogOffset(next), metadata: String::new() })];
    Arc::new(Transaction { generation, outputs: vec![output], offsets })
}

fn commit(log: &mut SimWorkerLog, transaction: Arc<Transaction>) -> CommitResult {
    log.commit(transaction);
    log.commit_result(0).expect("without latency an answer is there at once")
}

const ALERTS: TopicPartition = TopicPartition { topic: Topic::Alerts, partition: 0 };

#[test]
fn a_commit_shows_its_outputs_and_its_offsets_together() {
    let sim = quiet();
    let (mut log, generation) = owner(&sim, "w");
    assert_eq!(commit(&mut log, transaction(generation, b"1", 5)), CommitResult::Committed);
    assert_eq!(log.stable_offset(0).unwrap().map(|c| c.offset), Some(LogOffset(5)));
    assert_eq!(sim.history(ALERTS).unwrap().len(), 1);
    assert_eq!(sim.end(ALERTS).unwrap(), LogOffset(2), "the marker takes an offset");
}

#[test]
fn a_commit_of_an_old_generation_is_refused_and_shows_nothing() {
    let sim = quiet();
    let (mut log, generation) = owner(&sim, "w");
    let stale = Generation(generation.0 - 1);
    assert!(matches!(commit(&mut log, transaction(stale, b"1", 5)), CommitResult::Unresolved(_)));
    assert!(matches!(log.bounds(Topic::Alerts, 0), Ok((_, LogOffset(1)))), "the output is there, unstable");
    assert_eq!(sim.history(ALERTS).unwrap().len(), 0);
    log.renew_producer().unwrap();
    assert_eq!(log.stable_offset(0).unwrap(), None);
    assert_eq!(commit(&mut log, transaction(generation, b"2", 5)), CommitResult::Committed);
    assert_eq!(sim.history(ALERTS).unwrap()[0].value.as_deref(), Some(b"2".as_slice()));
}

#[test]
fn offsets_are_unstable_while_a_dead_ones_transaction_is_open_until_a_successor_ends_it() {
    let sim = quiet();
    let (mut dead, generation) = owner(&sim, "w");
    dead.commit(transaction(generation, b"1", 5));
    // Its outputs and its offsets arrive, the decision does not.
    {
        let flight = dead.flight.as_mut().unwrap();
        let (mut broker, mut rng) = (sim.0.borrow_mut(), Rng::new(1));
        while !broker.workers.committed(TopicPartition { topic: Topic::Log, partition: 0 }).1 {
            flight.one_more(&mut broker, &mut rng, &FaultRates::none());
        }
    }
    dead.flight = None;
    drop(dead);
    sim.advance(6_001);
    let mut next = sim.worker("x", FaultRates::none());
    event(&mut next);
    assert!(matches!(next.stable_offset(0), Err(LogError::Retriable(_))));
    next.end_transaction_of("w").unwrap();
    assert_eq!(next.stable_offset(0).unwrap(), None);
}

#[test]
fn a_successor_under_the_same_id_fences_the_zombie() {
    let sim = quiet();
    let (mut zombie, generation) = owner(&sim, "w");
    let (mut next, again) = owner(&sim, "w");
    assert_eq!(again, generation, "no rebalance for a static member that comes back");
    assert!(matches!(commit(&mut zombie, transaction(generation, b"1", 5)), CommitResult::Unresolved(_)));
    assert!(matches!(zombie.poll(BUDGET, &mut |_| ()), Err(LogError::Fenced(_))));
    assert_eq!(commit(&mut next, transaction(again, b"2", 5)), CommitResult::Committed);
    assert_eq!(sim.history(ALERTS).unwrap().len(), 1);
}

#[test]
fn a_member_that_slept_too_long_hears_that_it_has_lost_its_partitions() {
    let sim = quiet();
    let (mut log, generation) = owner(&sim, "w");
    sim.advance(6_001);
    assert!(matches!(commit(&mut log, transaction(generation, b"1", 5)), CommitResult::Unresolved(_)));
    assert_eq!(event(&mut log), GroupEvent::Lost { partitions: vec![0, 1] });
    log.unassign(&[0, 1]).unwrap();
    assert!(matches!(event(&mut log), GroupEvent::Assigned { partitions, .. } if partitions == [0, 1]));
}

#[test]
fn a_scan_waits_for_late_markers_and_passes_over_aborted_messages() {
    let late =
        Setup { late_markers: Chance::per_mille(1_000), marker_lag_ms_max: 90, ..Setup::quiet(START_MS, 2) };
    let sim = Sim::new(late, 3, Trace::default());
    let (mut log, generation) = owner(&sim, "w");
    assert!(matches!(commit(&mut log, transaction(Generation(0), b"no", 5)), CommitResult::Unresolved(_)));
    while log.renew_producer().is_err() {
        sim.advance(10);
    }
    assert_eq!(commit(&mut log, transaction(generation, b"yes", 5)), CommitResult::Committed);
    let (_, to) = log.bounds(Topic::Alerts, 0).unwrap();
    let mut seen = Vec::new();
    log.scan(Topic::Alerts, 0, LogOffset(0), to, &mut |m| {
        seen.push(m.value.unwrap().to_vec());
        true
    })
    .unwrap();
    assert_eq!(seen, [b"yes".to_vec()]);
}

#[test]
fn ingest_goes_on_from_the_committed_offset_and_a_lost_member_commits_nothing() {
    let sim = quiet();
    let cdrs = TopicPartition { topic: Topic::Cdr, partition: 0 };
    for n in 0..3u8 {
        sim.produce(cdrs, None, &[n]).unwrap();
    }
    let mut first = sim.ingest("i", FaultRates::none());
    assert_eq!(first.poll(BUDGET, &mut |_| ()).unwrap().assigned.len(), 0, "it has only joined");
    assert_eq!(first.poll(BUDGET, &mut |_| ()).unwrap().assigned.len(), 8);
    first.commit_offsets(&[(cdrs, LogOffset(2))]).unwrap();
    sim.advance(6_001);
    assert!(matches!(first.commit_offsets(&[(cdrs, LogOffset(3))]), Err(LogError::Fenced(_))));
    assert_eq!(first.poll(BUDGET, &mut |_| ()).unwrap().dropped.len(), 8);
    let mut seen = Vec::new();
    for _ in 0..4 {
        first.poll(BUDGET, &mut |m| seen.push(m.offset.0)).unwrap();
    }
    assert_eq!(seen, [2]);
}

#[test]
fn a_produced_message_may_be_stored_and_reported_as_failed() {
    let sim = quiet();
    let mut log = sim.ingest("i", FaultRates { ack_lost: Chance::per_mille(1_000), ..FaultRates::none() });
    let output = Output {
        topic: Topic::Log,
        partition: Some(1),
        key: vec![],
        value: Some(vec![1]),
        headers: vec![],
        time_ms: None,
    };
    log.produce(7, &output).unwrap();
    let mut ends = Vec::new();
    log.acked(0, &mut |token, end| ends.push((token, end.is_ok())));
    assert_eq!(ends, [(7, false)]);
    assert_eq!(sim.end(TopicPartition { topic: Topic::Log, partition: 1 }).unwrap(), LogOffset(1));
}

#[test]
fn a_process_may_die_at_any_call_and_the_brokers_live_on() {
    let sim = quiet();
    let mut log = sim.worker("w", FaultRates { crash: Chance::per_mille(1_000), ..FaultRates::none() });
    let death = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.stable_offset(0)));
    assert!(death.unwrap_err().is::<Crashed>());
    drop(log);
    owner(&sim, "w");
}

#[test]
fn the_same_seed_and_calls_leave_the_same_trace() {
    let run = || {
        let sim = quiet();
        let (mut log, generation) = owner(&sim, "w");
        commit(&mut log, transaction(generation, b"1", 5));
        sim.trace_hash()
    };
    assert_eq!(run(), run());
}
