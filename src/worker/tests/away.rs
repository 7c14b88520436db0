//! What is in the way of one partition costs the others little: brokers that are away, writers that nobody names, large
//! checkpoints.

use super::restore::{aged, rewrite_head};
use super::*;
use crate::limits::{FLOORS_AGAIN_MS, RESTORE_BYTES_PER_STEP};

fn calls(kit: &Kit, beginning: &str) -> usize {
    kit.broker().calls.iter().filter(|call| call.starts_with(beginning)).count()
}

/// Whoever died in its first commit for a partition is named by no head: the head's writer is well.
#[test]
fn a_writer_is_ended_once_for_each_head_and_the_checkpoint_is_not_read_anew_for_it() {
    let open: [fn(&mut Broker) -> bool; 2] =
        [|broker| broker.unstable.insert(0), |broker| broker.barred.insert(0)];
    for open in open {
        let kit = aged();
        rewrite_head(&kit, |head| head.writer = "worker-b".to_owned());
        kit.broker_mut().nameless = true;
        assert!(open(&mut kit.broker_mut()));
        let mut kit = kit.restarted(|_| ());
        kit.seconds(20);
        assert_eq!((kit.state(0), calls(&kit, "end worker-b")), (StateName::Restoring, 1));
        assert!(calls(&kit, "scan tidegauge.checkpoint 0 0..") <= 1, "{:?}", kit.broker().calls);

        rewrite_head(&kit, |head| head.offset = head.offset.next());
        kit.seconds(5);
        let ends = if kit.broker().unstable.contains(&0) { 2 } else { 1 };
        assert_eq!(calls(&kit, "end worker-b"), ends, "it may have died since it wrote the newer one");
    }
}

/// The broker is away for as long as requests take to say so: seals must not wait for it.
#[test]
fn where_a_checkpoint_ends_is_not_asked_at_every_seal_while_nobody_says() {
    let mut paced = settings(3);
    paced.pace = Pace { records: 64, seconds: 100_000, bytes_per_s: 1, ..Pace::default() };
    let mut kit = Kit::with(paced);
    let fold = |kit: &mut Kit, rounds: usize| {
        for round in 0..rounds {
            let ids: Vec<String> = (0..64).map(|id| format!("{round}-{id}")).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            for partition in 0..3 {
                kit.cdrs(partition, &ids);
            }
            kit.step(100);
        }
        kit.settle();
    };
    fold(&mut kit, 2);
    let (asked, sent) = (kit.broker().bounds_asked, kit.broker().sent.len());
    kit.broker_mut().bounds_fail = u32::MAX;
    fold(&mut kit, 10);
    assert!(kit.broker().sent.len() >= sent + 4, "it goes on");
    assert_eq!(kit.broker().bounds_asked, asked + 1);

    kit.broker_mut().bounds_fail = 0;
    kit.step(FLOORS_AGAIN_MS);
    fold(&mut kit, 1);
    assert!(kit.broker().bounds_asked >= asked + 1 + 3, "each partition, once it is back");
}

#[test]
fn a_step_of_a_restore_is_bounded_in_bytes_too() {
    let kit = aged();
    let record = vec![7; 1 << 20];
    for _ in 0..3 * RESTORE_BYTES_PER_STEP / record.len() {
        // Of a later version: passed over, but read.
        kit.broker_mut().append(Topic::Checkpoint, 0, b"later", Some(record.clone()));
    }
    let kit = kit.restarted(|_| ());
    assert_eq!(kit.state(0), StateName::Running, "{}", kit.status(0).halted);
    assert!(calls(&kit, "scan tidegauge.checkpoint") >= 3, "{:?}", kit.broker().calls);
}
