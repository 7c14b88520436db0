//! A crash at every single call of the log: nothing is lost, and what is repeated is the same record.

use std::collections::BTreeSet;

use super::*;

/// Two cards, one of them unknown at first; records by both, a broadcast, something unreadable.
fn outside() -> Shared {
    let broker = Broker::new();
    let mut filling = broker.borrow_mut();
    filling.register(card(1), None);
    for n in 0..6 {
        filling.put(Topic::Cdr, n % 2, by_iccid(1, &format!("known {n}")).as_bytes());
        filling.put(Topic::Cdr, n % 2, by_imsi(&format!("parked {n}")).as_bytes());
    }
    filling.put(Topic::Commands, 0, recharge(1, "order").as_bytes());
    filling.put(Topic::Commands, 1, br#"{"id":"all","type":"feed.complete","feed":"f","day":"2026-08-01"}"#);
    filling.put(Topic::Cdr, 0, b"broken");
    drop(filling);
    broker
}

fn expected() -> BTreeSet<String> {
    let records = (0..6).flat_map(|n| [format!("cdr known {n}"), format!("cdr parked {n}")]);
    records.chain(["command order".to_owned(), "command all".to_owned()]).collect()
}

/// What a crash leaves of the messages that were queued and not acknowledged.
#[derive(Debug, Clone, Copy)]
enum Untold {
    Written,
    Lost,
}

/// Runs ingest until the call at which it crashes; answers whether it came to that.
fn crash(broker: &Shared, calls: u64, untold: Untold) -> bool {
    let bounds = Bounds { poll_records: 3, commit_every_ms: 20, ..Bounds::default() };
    let mut run = Run::with(broker, bounds);
    run.log().calls_left = calls;
    for n in 0..120 {
        let now_ms = broker.borrow().now_ms + 10 * n;
        if run.ingest.step(now_ms).is_err() {
            if matches!(untold, Untold::Written) {
                run.log().write_untold();
            }
            return true;
        }
    }
    false
}

#[test]
fn a_crash_at_any_call_loses_nothing() {
    for untold in [Untold::Written, Untold::Lost] {
        let mut calls = 1;
        loop {
            let broker = outside();
            let crashed = crash(&broker, calls, untold);
            // The directory learns of the other card, and a second ingest crashes as far on.
            broker.borrow_mut().register(card(2), Some(IMSI));
            crash(&broker, calls, untold);
            let mut run = Run::with(&broker, Bounds::default());
            run.settle();
            assert_eq!(run.logged(), expected(), "crash at call {calls}, untold {untold:?}");
            for partition in 0..PARTITIONS {
                let log = broker.borrow().log(partition);
                assert!(log.contains(&"command all".to_owned()), "crash at call {calls}: {partition}");
            }
            assert!(run.count(Topic::DeadLetter) >= 1);
            assert_eq!(run.committed(Topic::Cdr, 0), broker.borrow().len(at(Topic::Cdr, 0)));
            if !crashed {
                break;
            }
            calls += 1;
        }
        assert!(calls > 30, "the run is too short to say much: {calls} calls");
    }
}
