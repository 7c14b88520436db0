//! The program as its users run it: the real binary, configured by variables, on a real Kafka and a real ClickHouse.

#![cfg(feature = "full")]

mod addresses;
mod carrier;
mod commands;
mod counters;
mod damage;
mod deployment;
mod doctor;
mod documents;
#[path = "../support/clickhouse.rs"]
mod engine;
mod events;
mod feeds;
mod fleet;
mod folder;
mod gateway;
mod history;
mod http;
mod instances;
mod lines;
mod nodes;
mod numbers;
mod pipe;
mod platforms;
mod precedence;
mod push;
mod refusals;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod taken;

use std::time::Duration;

use support::Patience;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until there is an answer.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let patience = Patience::of(PATIENCE);
    loop {
        if let Some(found) = look() {
            return found;
        }
        patience.check(what);
        std::thread::park_timeout(LOOK_EVERY);
    }
}
