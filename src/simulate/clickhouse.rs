//! A simulated ClickHouse: two tables that keep the greatest version of each key, behind flushers that are slow, refuse,
//! lose answers and send again, and go on a little after the process that handed over the rows has died.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::log::sim::{Chance, Rng};
use crate::meter::{DayRow, MonthRow};
use crate::model::{CardId, Day};
use crate::rollup::{RowBatch, RowSink};

/// A row with its version.
type Versioned<R> = BTreeMap<(CardId, Day), (u64, R)>;

/// What the tables hold: of each key the row of the greatest version.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) months: Versioned<MonthRow>,
    pub(super) days: Versioned<DayRow>,
    /// Rows of one key and one version that said different things: nobody could tell which one is shown.
    pub(super) contradictions: Vec<String>,
}

/// Batches of one process on their way, in order.
#[derive(Debug, Default)]
struct Flusher {
    queue: VecDeque<RowBatch>,
    due_ms: i64,
    acks: VecDeque<(u32, u64)>,
    dead: bool,
}

#[derive(Debug)]
struct Store {
    tables: Tables,
    flushers: BTreeMap<u64, Flusher>,
    rng: Rng,
    faults: Faults,
}

/// How the tables' server behaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    /// A batch is not taken.
    pub(super) busy: Chance,
    /// An insert fails, and is tried again.
    pub(super) fails: Chance,
    /// An insert is there, its answer is not: it is sent again.
    pub(super) answer_lost: Chance,
    pub(super) latency_ms_max: i64,
}

impl Faults {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut up_to = |most: u32| Chance(rng.below(u64::from(most)) as u32);
        let (busy, fails, answer_lost) = (up_to(300_000), up_to(300_000), up_to(300_000));
        Self { busy, fails, answer_lost, latency_ms_max: rng.between(0, 2_000) }
    }
}

/// The simulated server; a clone is the same.
#[derive(Debug, Clone)]
pub(super) struct ClickHouse(Rc<RefCell<Store>>);

/// One process's side of it.
#[derive(Debug)]
pub(super) struct Sink {
    store: ClickHouse,
    process: u64,
}

impl ClickHouse {
    pub(super) fn new(mut rng: Rng) -> Self {
        let faults = Faults::draw(&mut rng);
        let (tables, flushers) = (Tables::default(), BTreeMap::new());
        Self(Rc::new(RefCell::new(Store { tables, flushers, rng, faults })))
    }

    /// The sink of a new process.
    pub(super) fn sink(&self) -> Sink {
        let mut store = self.0.borrow_mut();
        let process = store.flushers.len() as u64;
        store.flushers.insert(process, Flusher::default());
        Sink { store: self.clone(), process }
    }

    /// From now on everything works.
    pub(super) fn heal(&self) {
        let quick = Faults {
            busy: Chance::NEVER,
            fails: Chance::NEVER,
            answer_lost: Chance::NEVER,
            latency_ms_max: 20,
        };
        self.0.borrow_mut().faults = quick;
    }

    /// Lets the inserts that are due happen.
    pub(super) fn advance(&self, now_ms: i64) {
        let store = &mut *self.0.borrow_mut();
        for flusher in store.flushers.values_mut() {
            while flusher.due_ms <= now_ms && !flusher.queue.is_empty() {
                flusher.due_ms = now_ms + store.rng.between(0, store.faults.latency_ms_max);
                insert(flusher, &mut store.tables, &mut store.rng, store.faults);
            }
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.0.borrow().flushers.values().all(|f| f.queue.is_empty() && (f.dead || f.acks.is_empty()))
    }

    /// Reads the tables.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> T {
        read(&self.0.borrow().tables)
    }
}

/// Tries the first batch of the queue once.
fn insert(flusher: &mut Flusher, tables: &mut Tables, rng: &mut Rng, faults: Faults) {
    if rng.happens(faults.fails) {
        return;
    }
    let lost = rng.happens(faults.answer_lost);
    let Some(batch) = flusher.queue.front() else { return };
    tables.take(batch);
    if !lost {
        flusher.acks.push_back((batch.partition, batch.id));
        flusher.queue.pop_front();
    }
}

impl Tables {
    fn take(&mut self, batch: &RowBatch) {
        let version = batch.rows.version.as_u64();
        for row in &batch.rows.rows.months {
            keep(&mut self.months, (row.card, row.cycle), (version, row), &mut self.contradictions);
        }
        for row in &batch.rows.rows.days {
            keep(&mut self.days, (row.card, row.day), (version, row), &mut self.contradictions);
        }
    }
}

fn keep<R: Clone + PartialEq + std::fmt::Debug>(
    table: &mut Versioned<R>,
    key: (CardId, Day),
    (version, row): (u64, &R),
    contradictions: &mut Vec<String>,
) {
    match table.get(&key) {
        Some((held, _)) if *held > version => {}
        Some((held, other)) if *held == version && other != row => {
            contradictions.push(format!("version {version} of {key:?}: {other:?} and {row:?}"));
        }
        _ => {
            table.insert(key, (version, row.clone()));
        }
    }
}

impl RowSink for Sink {
    fn submit(&mut self, batch: RowBatch) -> bool {
        let store = &mut *self.store.0.borrow_mut();
        if store.rng.happens(store.faults.busy) {
            return false;
        }
        if let Some(flusher) = store.flushers.get_mut(&self.process) {
            flusher.queue.push_back(batch);
        }
        true
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        self.store.0.borrow_mut().flushers.get_mut(&self.process)?.acks.pop_front()
    }
}

impl Drop for Sink {
    /// The process is gone; some of what it had sent still arrives, late.
    fn drop(&mut self) {
        let Ok(mut store) = self.store.0.try_borrow_mut() else { return };
        let store = &mut *store;
        if let Some(flusher) = store.flushers.get_mut(&self.process) {
            flusher.dead = true;
            flusher.queue.truncate(store.rng.below(flusher.queue.len() as u64 + 1) as usize);
            flusher.due_ms += store.rng.between(0, 20_000);
        }
    }
}
