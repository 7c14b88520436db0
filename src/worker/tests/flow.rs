//! Ticks, rows and questions.

use super::*;
use crate::limits::SEAL_QUIET_MS;

fn ticks(kit: &Kit) -> usize {
    kit.broker().calls.iter().filter(|c| c.starts_with("tick")).count()
}

#[test]
fn silence_of_a_second_is_broken_by_a_tick() {
    let mut kit = Kit::running(1);
    kit.settle();
    let before = ticks(&kit);
    kit.step(1_000);
    let once = ticks(&kit);
    kit.step(10);
    assert_eq!((once - before, ticks(&kit) - once), (1, 0));
    kit.settle();
    assert!(kit.status(0).log_time > START_MS / 1_000);
}

#[test]
fn a_supplied_clock_is_never_moved_by_a_tick() {
    let mut supplied = settings(1);
    supplied.clock = Clock::Supplied;
    let mut kit = Kit::with(supplied);
    for _ in 0..5 {
        kit.step(5_000);
    }
    assert_eq!(ticks(&kit), 0);
}

#[test]
fn an_answer_is_stale_when_log_time_is_behind_the_clock() {
    let mut kit = Kit::running(1);
    kit.cdr(0, "a");
    kit.settle();
    let card = CardId::parse("8986001234567890123").expect("an ICCID");
    assert!(matches!(kit.worker.card(card), CardAnswer::Unknown { partition: 0, .. }));
    assert!(!kit.status(0).stale);
    kit.now.clock_ms += 20_000;
    assert!(kit.status(0).stale);
}

#[test]
fn a_card_of_another_workers_partition_is_elsewhere() {
    let kit = Kit::on(Script::new(1), settings(1));
    let card = CardId::parse("8986001234567890123").expect("an ICCID");
    assert_eq!(kit.worker.card(card), CardAnswer::Elsewhere { partition: 0 });
}

#[test]
fn an_idle_worker_says_so() {
    let mut kit = Kit::running(1);
    kit.step(SEAL_QUIET_MS);
    let report = kit.step(1);
    assert!(report.idle, "{report:?}");
    kit.cdr(0, "a");
    assert!(!kit.step(1).idle);
}
