//! The proof of a checkpoint at rest.

use super::*;
use crate::checkpoint::{self, Part, Problem, verify};

fn young() -> Kit {
    let mut fast = settings(1);
    fast.pace = Pace { records: 256, seconds: 100_000, bytes_per_s: 1, ..Pace::default() };
    Kit::with(fast)
}

fn aged() -> Kit {
    older(young())
}

fn older(mut kit: Kit) -> Kit {
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

/// Its chunks have all been written anew since: a restore does not read the order any more, the longer way needs it.
#[test]
fn a_message_that_was_passed_over_long_ago_is_passed_over_again() {
    let mut kit = young();
    let poison = kit.broker_mut().append(Topic::Log, 0, b"", Some(b"no pack".to_vec()));
    kit.settle();
    let (offset, reason) = (LogOffset(poison), "a test wrote it".to_owned());
    let skipped = kit.ask(|reply| Request::Skip { partition: 0, offset, reason, reply });
    assert_eq!(skipped, Some(Ok(())));
    let mut kit = older(kit);
    let place: usize = kit.broker().offsets[&0].metadata.parse().expect("a place");
    let order = kit.broker().messages(Topic::Checkpoint, 0).iter().rposition(|m| m.key.starts_with(b"skip/"));
    assert!(order < Some(place), "{order:?} {place}");
    let expected = kit.worker.settings().expected();
    let report = verify(&mut kit.script, 0, &expected).expect("a restorable partition");
    assert_eq!(report.problems, []);
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
