//! What can go wrong at a handle, and how often: drawn once a process from the seed.

use super::rng::{Chance, Rng};

/// The likelihoods of one process's faults, a trait call.
#[derive(Debug, Clone, Default)]
pub struct FaultRates {
    /// The process dies at the beginning of the call.
    pub crash: Chance,
    /// The call answers `Retriable` and has had no effect.
    pub retriable: Chance,
    /// A stage of a commit fails and leaves the transaction open.
    pub commit_fails: Chance,
    /// The commit is decided, the answer is lost.
    pub answer_lost: Chance,
    /// A tick does not arrive.
    pub tick_lost: Chance,
    /// A message of ingest is stored, and reported as failed.
    pub ack_lost: Chance,
    /// A message of ingest is not stored, and reported as failed.
    pub produce_fails: Chance,
    /// How long an answer of the broker takes at most, virtual milliseconds.
    pub latency_ms_max: i64,
}

impl FaultRates {
    /// Nothing fails and everything is at once.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Each likelihood anything between never and often.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut up_to =
            |max: u32| if rng.coin() { Chance(rng.below(u64::from(max)) as u32) } else { Chance::NEVER };
        Self {
            crash: up_to(6_000),
            retriable: up_to(20_000),
            commit_fails: up_to(40_000),
            answer_lost: up_to(150_000),
            tick_lost: up_to(300_000),
            ack_lost: up_to(60_000),
            produce_fails: up_to(60_000),
            latency_ms_max: rng.between(0, 40),
        }
    }
}

/// What a killed process unwinds with. Caught by the driver of the simulation, and by nobody else.
#[derive(Debug)]
pub struct Crashed;

impl Crashed {
    /// Ends the process here. No panic hook runs: this is not an error of the program.
    pub fn unwind() -> ! {
        std::panic::resume_unwind(Box::new(Self))
    }
}
