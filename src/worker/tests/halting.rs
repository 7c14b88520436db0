//! One partition stops at its offset and says what to do; the others go on.

use super::*;
use crate::limits::CLOCK_AHEAD_MAX_S;

fn garbage(kit: &Kit, partition: u32) -> u64 {
    kit.broker_mut().append(Topic::Log, partition, b"", Some(b"no pack".to_vec()))
}

fn skip(kit: &mut Kit, partition: u32, offset: u64) -> Option<Result<(), OrderError>> {
    let reason = "a test wrote it".to_owned();
    let offset = LogOffset(offset);
    kit.ask(|reply| Request::Skip { partition, offset, reason, reply })
}

#[test]
fn a_message_that_is_no_pack_halts_its_partition_and_no_other() {
    let mut kit = Kit::running(2);
    kit.cdr(0, "a");
    let at = garbage(&kit, 0);
    kit.cdr(0, "never");
    let other = kit.cdr(1, "b");
    kit.settle();
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Halted, StateName::Running));
    assert_eq!((kit.broker().committed(0), kit.status(0).halted_at), (Some(at), Some(LogOffset(at))));
    assert!(kit.broker().committed(1) > Some(other));
    assert_eq!(kit.quarantined(), 2);
    let said = kit.status(0).halted;
    assert!(said.starts_with(&format!("tidegauge.log [0] offset {at}: ")), "{said}");
    assert!(said.contains(&format!("tidegauge skip 0 {at} --reason")), "{said}");
    assert!(kit.broker().paused.contains(&0));
}

#[test]
fn a_panic_in_the_fold_costs_the_memory_and_nothing_else() {
    let mut first = settings(2);
    let at = 3;
    first.faults.panic_at = Some((0, LogOffset(at)));
    let mut kit = Kit::with(first);
    for id in ["a", "b", "c", "d", "e"] {
        kit.cdr(0, id);
    }
    let other = kit.cdr(1, "f");
    let report = kit.settle();
    assert!(report.troubles.iter().any(|t| t.contains("panicked")), "{:?}", report.troubles);
    assert_eq!((kit.state(0), kit.broker().committed(0)), (StateName::Halted, Some(at)));
    assert!(kit.broker().committed(1) > Some(other));
    assert_eq!(kit.quarantined(), 3 + 1);
    assert!(kit.status(0).halted.contains("panicked: planted"), "{}", kit.status(0).halted);
}

/// The first message breaks the fold, and what was to be told of the owner is discarded with the memory.
#[test]
fn the_owner_is_told_although_the_first_message_breaks_the_fold() {
    let mut first = settings(1);
    first.faults.panic_at = Some((0, LogOffset(0)));
    let mut kit = Kit::on(Script::new(1), first);
    kit.cdr(0, "a");
    kit.assign(1);
    kit.settle();
    assert_eq!((kit.state(0), kit.told_owners(0)), (StateName::Halted, 1));
}

#[test]
fn a_skip_passes_over_the_message_and_keeps_it_for_an_operator() {
    let mut kit = Kit::running(1);
    kit.cdr(0, "a");
    let at = garbage(&kit, 0);
    kit.cdr(0, "b");
    kit.settle();
    assert_eq!(skip(&mut kit, 0, at), Some(Ok(())));
    assert_eq!(kit.state(0), StateName::Running);
    assert!(kit.broker().committed(0) >= Some(at + 2));
    let broker = kit.broker();
    let kept =
        broker.messages(Topic::DeadLetter, 0).iter().filter(|m| m.value.as_deref() == Some(b"no pack"));
    assert_eq!((kept.count(), kit.quarantined()), (1, 2));
}

#[test]
fn a_skip_holds_for_every_restore_after_it() {
    let mut kit = Kit::running(1);
    let at = garbage(&kit, 0);
    kit.settle();
    assert_eq!(skip(&mut kit, 0, at), Some(Ok(())));
    kit.cdr(0, "a");
    kit.settle();
    assert!(kit.status(0).replay_debt_records > 0, "the skipped message is replayed");
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
}

#[test]
fn a_skip_after_a_panic_goes_on() {
    let mut first = settings(1);
    first.faults.panic_at = Some((0, LogOffset(1)));
    let mut kit = Kit::with(first);
    for id in ["a", "b", "c"] {
        kit.cdr(0, id);
    }
    kit.settle();
    assert_eq!(skip(&mut kit, 0, 1), Some(Ok(())));
    assert_eq!((kit.state(0), kit.quarantined()), (StateName::Running, 2));
}

#[test]
fn only_the_offset_at_which_it_halted_can_be_skipped() {
    let mut kit = Kit::running(1);
    let at = garbage(&kit, 0);
    kit.settle();
    let Some(Err(wrong)) = skip(&mut kit, 0, at + 1) else { panic!("refused") };
    assert!(wrong.to_string().contains("has not halted at offset 1"), "{wrong}");
    assert_eq!(skip(&mut kit, 7, 0), Some(Err(OrderError::NotHere(7))));
    assert_eq!(kit.state(0), StateName::Halted);
}

#[test]
fn a_log_that_runs_ahead_of_the_clock_waits_for_it() {
    let mut kit = Kit::running(1);
    let ahead_ms = CLOCK_AHEAD_MAX_S * 1_000 + 5_000;
    let time_ms = kit.now.clock_ms + ahead_ms;
    let ahead = Stored { key: Vec::new(), value: Some(tick(None)), time_ms };
    let at = kit.broker_mut().append_at(Topic::Log, 0, ahead);
    kit.settle();
    assert_eq!((kit.state(0), kit.broker().committed(0)), (StateName::Halted, Some(at)));
    assert!(kit.status(0).log_time * 1_000 < time_ms);
    assert!(kit.status(0).halted.contains("it goes on by itself"), "{}", kit.status(0).halted);
    kit.step(5_000);
    kit.settle();
    assert_eq!((kit.state(0), kit.status(0).log_time), (StateName::Running, time_ms.div_euclid(1_000)));
}

#[test]
fn a_supplied_clock_may_be_far_from_the_machines() {
    let mut supplied = settings(1);
    supplied.clock = Clock::Supplied;
    let mut kit = Kit::with(supplied);
    let time_ms = kit.now.clock_ms + 90 * 86_400_000;
    kit.broker_mut().append_at(Topic::Log, 0, Stored { key: Vec::new(), value: Some(tick(None)), time_ms });
    kit.settle();
    assert_eq!((kit.state(0), kit.status(0).stale), (StateName::Running, false));
    assert_eq!(kit.status(0).log_time, time_ms / 1_000);
}

#[test]
fn a_place_that_the_log_has_deleted_halts_the_partition() {
    let mut kit = Kit::running(2);
    kit.broker_mut().out_of_range = Some(1);
    kit.settle();
    assert_eq!((kit.state(0), kit.state(1)), (StateName::Running, StateName::Halted));
    assert!(kit.status(1).halted.contains("offset 7: deleted"), "{}", kit.status(1).halted);
}

#[test]
fn a_message_that_is_not_the_next_halts_the_partition_where_the_log_breaks_off() {
    let mut kit = Kit::running(1);
    for id in ["a", "b", "c"] {
        kit.cdr(0, id);
    }
    // As when a log loses what nobody has read of it yet, and its reader does not say so.
    kit.broker_mut().fetching.insert(0, 2);
    kit.settle();
    assert_eq!((kit.state(0), kit.broker().committed(0), kit.quarantined()), (StateName::Halted, Some(0), 0));
    assert!(kit.status(0).halted.contains("offset 0: the log goes on at 2"), "{}", kit.status(0).halted);
}

/// All chunks may be written between the order and the message: then a restore begins to read behind the order.
#[test]
fn a_skip_is_found_however_late_its_message_is_passed_over() {
    let mut slow = settings(1);
    slow.pace = Pace { seconds: 100_000, bytes_per_s: 1, ..Pace::default() };
    let mut kit = Kit::with(slow);
    kit.cdr(0, "a");
    kit.settle();
    kit.cdr(0, "b");
    let at = garbage(&kit, 0);
    kit.settle();
    kit.broker_mut().seeks_fail = 200;
    assert_eq!(skip(&mut kit, 0, at), Some(Ok(())));
    kit.ask(|reply| Request::Drain { reply });
    assert_eq!((kit.state(0), kit.broker().committed(0)), (StateName::Drained, Some(at)));
    let place: usize = kit.broker().offsets[&0].metadata.parse().expect("a place");
    let order = kit.broker().messages(Topic::Checkpoint, 0).iter().position(|m| m.key.starts_with(b"skip/"));
    assert!(order < Some(place), "{order:?} {place}");
    kit.broker_mut().seeks_fail = 0;
    kit.ask(|reply| Request::GoOn { reply });
    assert!(kit.broker().committed(0) > Some(at));
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
}
