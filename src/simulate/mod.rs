//! Seeded crashes of the whole, judged by an independent auditor.
//!
//! A *world* is made from one seed: simulated brokers, a simulated `ClickHouse`, one to three workers, one to three
//! ingests (the programs themselves, stepped call by call), and an outside that sends. It runs through its faults, is
//! healed, drained, and then audited. The same seed makes the same world: a seed that fails is printed and replays.
//!
//! # The model
//!
//! **Time** is virtual. Between two rounds milliseconds pass, now and then more than a session; between two phases up to
//! three days, so that days and cycles close, packages expire, months and summer time begin. In one world out of six it
//! is weeks, so that cards which nobody recharges are warned and cancelled. In each round every process makes one step,
//! in an order of its own.
//!
//! **Brokers** are [`crate::log::sim`]: transactions as clients of V1 have them, markers that come late, groups that
//! rebalance at any moment, compaction, a log stamped by the broker (whose clock may step back) or by ingest.
//!
//! **Processes** die at any call of the log, are killed between any two steps, sleep through their sessions and go on as
//! zombies, get a twin under their own name, have clocks that are off and that jump.
//!
//! **The outside** registers cards (some after their first usage, some never), sends CDRs by ICCID, IMSI and MSISDN, with
//! and without measured slices, over days and months, twice, contradictory, late, early, backward, too long; readings
//! with restarts, roll-backs and new sessions; orders of every mode, kind and validity, reused, foreign, absurd; rules;
//! suspensions and cancellations; declarations of whole days; new catalogues; whatever must be refused, in every way that
//! the rules know; and bytes that cannot be read.
//!
//! **`ClickHouse`** is two tables that keep the greatest version of a key. It is slow, refuses, loses answers, gets rows
//! twice and after their sender's death.
//!
//! Not modelled: brokers as such (replication, elections), files and carriers' own formats, HTTP, more partitions than
//! four, disks. Those have tests of their own on real ones.
//!
//! # What is judged
//!
//! See `audit`. What came up at all is counted ([`Coverage`]). That the auditor would notice is shown by planting
//! faults ([`Fault`]): each is found within 200 seeds.

mod audit;
mod clickhouse;
mod coverage;
mod fault;
mod places;
mod plan;
mod process;
mod run;
mod workload;
mod world;

pub use coverage::{Coverage, Group};
pub use fault::Fault;
pub use run::{Options, Outcome, Progress, Summary, run, run_seed, trace};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of the auditor's rules is broken.
    pub rule: &'static str,
    pub what: String,
}

impl Finding {
    fn new(rule: &'static str, what: String) -> Self {
        Self { rule, what }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}
