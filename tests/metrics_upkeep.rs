//! The recorder of metrics keeps each observation until it is asked or told to sum up. Nobody asks here.
//!
//! A process of its own: what is measured is its memory, and other tests would have theirs in it.

#![cfg(feature = "full")]

use std::time::Duration;

use tidegauge::api::metrics as ours;

/// Memory of this process that is in use.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4_096
}

/// Eight bytes each, and more.
#[tokio::test]
async fn observations_that_nobody_asks_for_do_not_gather() {
    const ROUNDS: usize = 64;
    const OBSERVATIONS: usize = 100_000;
    let handle = ours::install().expect("the first recorder");
    let upkeep = tokio::spawn(ours::upkeep_every(Duration::from_millis(1), handle));
    let observed = metrics::histogram!("tidegauge_commit_seconds");
    let mut most = 0;
    let before = resident();
    for _ in 0..ROUNDS {
        (0..OBSERVATIONS).for_each(|at| observed.record(at as f64));
        tokio::time::sleep(Duration::from_millis(5)).await;
        most = most.max(resident().saturating_sub(before));
    }
    upkeep.abort();
    let all = ROUNDS * OBSERVATIONS * size_of::<f64>();
    assert!(most < all / 3, "{most} bytes more, all of them are {all}");
}
