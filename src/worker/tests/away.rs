//! What is in the way of one partition costs the others little: brokers that are away, writers that nobody names, large
//! checkpoints.

use super::restore::{aged, rewrite_head};
use super::*;
use crate::limits::RESTORE_BYTES_PER_STEP;

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
