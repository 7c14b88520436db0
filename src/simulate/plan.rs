//! What kind of world a seed makes: how many processes and partitions, which clock, which faults, how time goes.

use super::places;
use crate::log::sim::{Chance, FaultRates, Rng, Setup, Stamp};
use crate::model::Catalogue;
use crate::worker::SealBounds;

/// How long a world lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Two or three, so that most days are open.
    Weeks,
    /// Cards that nobody recharges are warned, cancelled and forgotten.
    Months,
}

/// A world as drawn from its seed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) setup: Setup,
    pub(super) workers: usize,
    pub(super) ingests: usize,
    pub(super) phases: usize,
    pub(super) length: Length,
    /// Rounds of a phase: in each, every process that runs makes a step.
    pub(super) rounds: u64,
    pub(super) catalogue: Catalogue,
    /// Records that a restore may have to replay: small, so that chunks are written all the time.
    pub(super) debt_records: u64,
    /// What a seal may hold: in many worlds so little that workers stand at the bound.
    pub(super) seal: SealBounds,
    /// That a process is put to sleep, a round.
    pub(super) sleep: Chance,
    /// That a process is killed from outside, a round.
    pub(super) kill: Chance,
    /// That a worker's clock jumps, a round.
    pub(super) clock_jump: Chance,
    /// That a second process is started under the name of one that lives, a round.
    pub(super) twin: Chance,
    /// That a worker is drained, to be stopped after it, a round.
    pub(super) drain: Chance,
}

impl Plan {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut chance = |most: u32| {
            if rng.below(3) > 0 { Chance(rng.below(u64::from(most)) as u32) } else { Chance::NEVER }
        };
        let (sleep, kill, clock_jump, twin) = (chance(8_000), chance(8_000), chance(20_000), chance(3_000));
        let (late_markers, rebalance, compaction) = (chance(300_000), chance(80_000), chance(40_000));
        let setup = Setup {
            outside_partitions: 1 + rng.below(3) as u32,
            stamp: if rng.below(4) == 0 { Stamp::Created } else { Stamp::Appended },
            late_markers,
            marker_lag_ms_max: rng.between(1, 400),
            rebalance,
            compaction,
            ..Setup::quiet(start_ms(rng), 1 + rng.below(4) as u32)
        };
        Self {
            workers: 1 + rng.below(3) as usize,
            // Where the outside supplies the clock, one ingest sees all of it.
            ingests: if setup.stamp == Stamp::Created { 1 } else { 1 + rng.below(3) as usize },
            setup,
            phases: 8 + rng.below(9) as usize,
            length: if rng.below(6) == 0 { Length::Months } else { Length::Weeks },
            rounds: 12 + rng.below(16),
            catalogue: places::catalogue(rng),
            // Half of the records of a simulated world tell an event, which counts for eight.
            debt_records: 6 * (20 + rng.below(400)),
            seal: seal(rng),
            sleep,
            kill,
            clock_jump,
            twin,
            drain: Chance::NEVER,
        }
    }

    /// The faults of a process that starts now.
    pub(super) fn faults(rng: &mut Rng) -> FaultRates {
        if rng.below(5) == 0 { FaultRates::none() } else { FaultRates::draw(rng) }
    }
}

fn seal(rng: &mut Rng) -> SealBounds {
    let usual = SealBounds::default();
    if rng.below(4) > 0 {
        return usual;
    }
    SealBounds { records: 5 + rng.below(60) as usize, messages: 5 + rng.below(100) as usize, ..usual }
}

/// Before the ends of months, of summer time and of winter time.
fn start_ms(rng: &mut Rng) -> i64 {
    let days = [(2026, 8, 20), (2026, 3, 18), (2026, 10, 15), (2026, 1, 20), (2026, 2, 18)];
    let &(year, month, day) = rng.pick(&days).unwrap_or(&days[0]);
    (i64::from(places::day(year, month, day)) * 86_400 + rng.between(0, 86_400)) * 1_000
}

/// Virtual time between two rounds: mostly milliseconds, now and then longer than a session.
pub(super) fn between_rounds_ms(rng: &mut Rng) -> i64 {
    match rng.below(100) {
        0..75 => rng.between(1, 40),
        75..96 => rng.between(40, 1_500),
        _ => rng.between(1_500, 9_000),
    }
}

/// Virtual time between two phases: up to three days, or weeks where the world is a long one.
pub(super) fn between_phases_ms(rng: &mut Rng, length: Length) -> i64 {
    let seconds = match rng.below(4) {
        0 => rng.between(1, 1_800),
        1 => rng.between(1_800, 30_000),
        _ if length == Length::Months => rng.between(3 * 86_400, 18 * 86_400),
        _ => rng.between(30_000, 3 * 86_400),
    };
    seconds * 1_000
}
