//! The thread that sends what the fleet would send, at the demo's speed, as far as ingest keeps up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use super::fleet::{Fleet, STEP_S};
use crate::log::file::{GroupOffset, Store};
use crate::log::{Committed, Output, Topic};
use crate::model::LogOffset;
use crate::shell::Clocks;

/// The sender's place is kept like a consumer group's: in the same batch as what was sent.
const GROUP: &str = "demo-fleet";
/// Ingest's group, which must not fall further behind than this.
const INGEST: &str = "tidegauge-ingest";
const BEHIND_MAX: u64 = 20_000;
/// How often the sender looks at the clock.
const BEAT: Duration = Duration::from_millis(20);

/// Sends one fleet's steps, one after the other.
pub(super) struct Sender {
    store: Arc<Store>,
    fleet: Fleet,
    /// The next step.
    pub(super) step: Arc<AtomicU64>,
}

impl Sender {
    /// Takes the fleet up where it was left, or begins one: the catalogue, registrations and packages first.
    pub(super) fn open(
        store: Arc<Store>,
        cards: u32,
        now: i64,
        catalogue: impl FnOnce(Fleet) -> anyhow::Result<Vec<Output>>,
    ) -> anyhow::Result<Self> {
        if let Some(committed) = store.committed(GROUP, Topic::Cdr, 0)? {
            let (origin, cards) =
                committed.metadata.split_once(' ').context("the fleet's note is damaged")?;
            let fleet = Fleet { origin: origin.parse()?, cards: cards.parse()? };
            return Ok(Self { store, fleet, step: Arc::new(AtomicU64::new(committed.offset.0)) });
        }
        let fleet = Fleet { cards, origin: now - now.rem_euclid(STEP_S) };
        let sender = Self { store, fleet, step: Arc::default() };
        let mut first = catalogue(fleet)?;
        first.extend(fleet.birth());
        sender.send(first, 0)?;
        Ok(sender)
    }

    pub(super) fn fleet(&self) -> Fleet {
        self.fleet
    }

    fn send(&self, outputs: Vec<Output>, next: u64) -> anyhow::Result<()> {
        let metadata = format!("{} {}", self.fleet.origin, self.fleet.cards);
        let committed = Committed { offset: LogOffset(next), metadata };
        let place = GroupOffset { group: GROUP, topic: Topic::Cdr, partition: 0, committed: &committed };
        self.store.append(outputs, &[place])?;
        self.step.store(next, Ordering::Relaxed);
        Ok(())
    }

    /// Sends until told to stop, `speed` of the fleet's seconds a second; not before all cards are sold.
    pub(super) fn run(&self, speed: u32, stop: &AtomicBool, sold: impl Fn() -> bool) -> anyhow::Result<()> {
        while !stop.load(Ordering::Relaxed) && !sold() {
            std::thread::park_timeout(BEAT);
        }
        let clocks = Clocks::start();
        let (mut from_ms, mut from_step) = (clocks.steady_ms(), self.step.load(Ordering::Relaxed));
        while !stop.load(Ordering::Relaxed) {
            let steps = (clocks.steady_ms() - from_ms) * i64::from(speed) / (1_000 * STEP_S);
            let due = from_step + u64::try_from(steps).unwrap_or(0);
            let next = self.step.load(Ordering::Relaxed);
            if next >= due {
                std::thread::park_timeout(BEAT);
            } else if self.behind()? > BEHIND_MAX {
                // A machine that cannot keep the speed tells the story slower, not all at once later.
                (from_ms, from_step) = (clocks.steady_ms(), next);
                std::thread::park_timeout(BEAT);
            } else {
                self.send(self.fleet.step(next), next + 1)?;
            }
        }
        Ok(())
    }

    /// Messages that ingest has not yet read.
    fn behind(&self) -> anyhow::Result<u64> {
        let mut behind = 0;
        for topic in [Topic::Cdr, Topic::Modem, Topic::Commands] {
            for partition in 0..self.store.partitions() {
                let read = self.store.committed(INGEST, topic, partition)?.map_or(LogOffset(0), |c| c.offset);
                behind += self.store.end(topic, partition).0.saturating_sub(read.0);
            }
        }
        Ok(behind)
    }
}
