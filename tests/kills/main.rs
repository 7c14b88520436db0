//! Two processes on a real Kafka and the real ClickHouse engine, killed again and again: exactly once holds, judged by a
//! plain recomputation that shares nothing with the program. A reader of a folder, killed within a large file: the same.
//! `TIDEGAUGE_KILLS=full` takes the long form.
#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot do")]

#[path = "../support/counted.rs"]
mod counted;
#[path = "../support/clickhouse.rs"]
mod engine;
mod fleet;
mod folder;
mod outage;
#[path = "../support/pgw.rs"]
mod pgw;
mod place;
mod process;
mod round;
mod seen;
#[path = "../support/mod.rs"]
mod support;

/// How much of it.
#[derive(Debug, Clone, Copy)]
struct Size {
    records: usize,
    kills: usize,
    cards: u32,
    /// Milliseconds between two kills, about.
    pause_ms: u64,
    /// Seconds without ClickHouse.
    outage_s: u64,
    file: FileSize,
}

/// How much of a file, whose reader is killed.
#[derive(Debug, Clone, Copy)]
struct FileSize {
    records: u64,
    kills: u64,
    cards: u32,
}

const QUICK: Size = Size {
    records: 20_000,
    kills: 4,
    cards: 200,
    pause_ms: 1_500,
    outage_s: 4,
    file: FileSize { records: 100_000, kills: 3, cards: 500 },
};
const FULL: Size = Size {
    records: 200_000,
    kills: 20,
    cards: 2_000,
    pause_ms: 4_000,
    outage_s: 20,
    file: FileSize { records: 5_000_000, kills: 30, cards: 20_000 },
};

impl Size {
    #[allow(clippy::disallowed_methods, reason = "a test chooses its length")]
    fn chosen() -> Self {
        if std::env::var("TIDEGAUGE_KILLS").is_ok_and(|said| said == "full") { FULL } else { QUICK }
    }
}
