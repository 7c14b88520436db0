//! The proof of a checkpoint at rest.

use super::*;
use crate::checkpoint::{self, Part, Problem, verify};

fn aged() -> Kit {
    let mut fast = settings(1);
    fast.pace = Pace { records: 256, seconds: 100_000, bytes_per_s: 1, ..Pace::default() };
    let mut kit = Kit::with(fast);
    for message in 0..300 {
        kit.cdrs(0, &[&format!("{message}-a"), &format!("{message}-b")]);
        kit.step(40);
    }
    kit.settle();
    kit
}

#[test]
fn every_chunk_is_what_an_older_one_and_the_log_give() {
    let mut kit = aged();
    let expected = kit.worker.settings().expected();
    let report = verify(&mut kit.script, 0, &expected).expect("a restorable partition");
    assert_eq!(report.problems, []);
    assert!(report.compared > SHARDS, "{}", report.compared);
    assert_eq!(report.offset, kit.status(0).position);
    assert!(report.replayed >= 300);
}

#[test]
fn a_chunk_that_the_log_does_not_give_is_named() {
    let mut kit = aged();
    let at = {
        let broker = kit.broker();
        let messages = broker.messages(Topic::Checkpoint, 0);
        let of_shard_9 = messages.iter().enumerate().filter(|(_, m)| m.key == b"shard/009/0");
        of_shard_9.map(|(at, _)| at).nth(1).expect("a second chunk")
    };
    let forged = {
        let broker = kit.broker();
        let value = broker.messages(Topic::Checkpoint, 0)[at].value.clone().expect("a chunk");
        let mut part: Part = checkpoint::decode(&value).expect("a part");
        part.bytes.push(0);
        part.info.checksum = crc32c::crc32c(&part.bytes);
        checkpoint::encode(&part)
    };
    kit.broker_mut().stored.get_mut(&(Topic::Checkpoint, 0)).expect("the checkpoint")[at].value =
        Some(forged);
    let expected = kit.worker.settings().expected();
    let report = verify(&mut kit.script, 0, &expected).expect("a restorable partition");
    assert!(matches!(report.problems[..], [Problem::Chunk { shard: 9, .. }]), "{:?}", report.problems);
}

#[test]
fn verifying_writes_nothing() {
    let mut kit = aged();
    let before = format!("{:?}", (&kit.broker().stored, &kit.broker().offsets));
    let expected = kit.worker.settings().expected();
    verify(&mut kit.script, 0, &expected).expect("a restorable partition");
    assert_eq!(format!("{:?}", (&kit.broker().stored, &kit.broker().offsets)), before);
    kit.broker_mut().unstable.insert(0);
    let refused = verify(&mut kit.script, 0, &expected).expect_err("unstable");
    assert!(refused.to_string().contains("unstable"), "{refused}");
    assert!(!kit.broker().calls.iter().any(|c| c.starts_with("end")));
}
