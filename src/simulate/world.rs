//! The world: brokers, tables, processes and the outside, run from a seed through all its faults, healed, and drained.

use std::collections::{BTreeSet, VecDeque};

use super::clickhouse::ClickHouse;
use super::places::{self, DEPLOYMENT};
use super::plan::{self, Plan};
use super::process::{Process, Program, Stepped};
use super::workload::{Outside, Paid, Workload};
use super::{Fault, Finding};
use crate::codec::event;
use crate::codec::pack::PackWriter;
use crate::ingest::{self, Ingest, IngestLedger, PlainDirectory};
use crate::log::sim::{Chance, FaultRates, Read, Rng, Sim, Stamp, Trace};
use crate::log::{Topic, TopicPartition};
use crate::model::{Catalogue, EventBody, LogOffset, Record};
use crate::worker::{Clock, New, Now, Pace, PartitionStatus, Settings, StateName, Worker};

/// An outside message as it was taken by the brokers.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) at: TopicPartition,
    pub(super) offset: LogOffset,
    pub(super) message: Outside,
}

/// A world after it has run: what an auditor may look at.
pub(super) struct Evidence {
    pub(super) sim: Sim,
    pub(super) partitions: u32,
    pub(super) outside_partitions: u32,
    pub(super) sent: Vec<Sent>,
    pub(super) tables: ClickHouse,
    pub(super) ingest_ledgers: Vec<IngestLedger>,
    /// What went wrong while it ran.
    pub(super) findings: Vec<Finding>,
}

/// A process that does not run, and from when on it is to be started.
struct Absent {
    name: String,
    from_ms: i64,
}

pub(super) struct World {
    sim: Sim,
    rng: Rng,
    /// Of the operators' orders.
    orders: Rng,
    plan: Plan,
    fault: Option<Fault>,
    started_ms: i64,
    processes: Vec<Process>,
    absent: Vec<Absent>,
    tables: ClickHouse,
    workload: Workload,
    catalogue: Catalogue,
    sent: Vec<Sent>,
    ingest_ledgers: Vec<IngestLedger>,
    findings: Vec<Finding>,
    /// Faults are over.
    healed: bool,
}

/// Alerts of a partition that who sends the messages looks back at.
const PAID_HEARD: usize = 40;
/// What the outside writes.
const SOURCES: [Topic; 3] = [Topic::Cdr, Topic::Modem, Topic::Commands];

/// Rounds that draining may take: far more than it needs, so that a world that cannot drain is told from a slow one.
const DRAIN_ROUNDS_MAX: usize = 6_000;
/// How long parked records wait for their cards, and a little more.
const PARKING_MS: i64 = (crate::limits::PARKED_RECORD_S + 3_600) * 1_000;

impl World {
    pub(super) fn new(seed: u64, fault: Option<Fault>, trace: Trace) -> Self {
        let mut rng = Rng::new(seed);
        let mut plan = Plan::draw(&mut rng);
        // Choices of their own: worlds in which nobody gives orders are as they were.
        let mut orders = Rng::new(!seed);
        plan.drain = if orders.below(3) == 0 { Chance(orders.below(5_000) as u32) } else { Chance::NEVER };
        let sim = Sim::new(plan.setup.clone(), rng.word(), trace);
        let tables = ClickHouse::new(rng.fork());
        let workload = Workload::new(rng.fork(), plan.phases);
        let workers = (0..plan.workers).map(|n| format!("w{n}"));
        let names = workers.chain((0..plan.ingests).map(|n| format!("i{n}")));
        let started_ms = sim.now_ms();
        let absent = names.map(|name| Absent { name, from_ms: started_ms }).collect();
        Self {
            catalogue: plan.catalogue.clone(),
            sim,
            rng,
            orders,
            plan,
            fault,
            started_ms,
            processes: Vec::new(),
            absent,
            tables,
            workload,
            sent: Vec::new(),
            ingest_ledgers: Vec::new(),
            findings: Vec::new(),
            healed: false,
        }
    }

    /// Runs the whole story.
    pub(super) fn run(mut self) -> Evidence {
        self.apply_catalogue();
        for phase in 0..self.plan.phases {
            self.phase();
            // Supplied times do not tell what came after the catalogue from what came before it.
            let tells = self.plan.setup.stamp == Stamp::Appended;
            if phase == self.plan.phases / 2 && tells && self.rng.coin() {
                self.catalogue = places::revised(&self.catalogue, &mut self.rng);
                self.apply_catalogue();
                // Cards take new rules in the next second; what comes in this one may meet either.
                self.sim.leap(3_000);
            }
        }
        self.drain();
        self.end()
    }

    fn phase(&mut self) {
        self.workload.hear(self.paid());
        let messages = self.workload.next_phase(self.sim.now_ms() / 1_000);
        let a_round = messages.len() as u64 / self.plan.rounds + 1;
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let count = self.rng.below(2 * a_round + 1) as usize;
            let some: Vec<_> = messages.by_ref().take(count).collect();
            for message in some {
                self.send(message);
            }
            self.round();
        }
        let leap_ms = plan::between_phases_ms(&mut self.rng, self.plan.length);
        self.sim.leap(leap_ms);
    }

    /// The last alerts for which somebody was told at a price: who sends the messages reads them.
    fn paid(&self) -> Vec<Paid> {
        let of = |partition| self.sim.history(TopicPartition { topic: Topic::Alerts, partition });
        let all = (0..self.plan.setup.outside_partitions).filter_map(|partition| of(partition).ok());
        let paid = |message: &Read| {
            let event = event::read(message.value.as_deref()?).ok()?;
            let EventBody::AlertFired(alert) = event.body else { return None };
            let to = alert.delivery?.recipients.first()?.clone();
            Some(Paid { card: event.card.to_string(), message: event.id, to })
        };
        all.flat_map(|messages| messages.iter().rev().take(PAID_HEARD).filter_map(paid).collect::<Vec<_>>())
            .collect()
    }

    fn round(&mut self) {
        self.start_absent();
        self.disturb();
        self.order();
        let mut order: Vec<usize> = (0..self.processes.len()).collect();
        self.rng.shuffle(&mut order);
        let mut dead = Vec::new();
        for at in order {
            if self.step(at) {
                dead.push(at);
            }
        }
        dead.sort_unstable();
        dead.into_iter().rev().for_each(|at| self.bury(at));
        let by_ms =
            if self.healed { self.rng.between(1, 40) } else { plan::between_rounds_ms(&mut self.rng) };
        self.sim.advance(by_ms);
        self.tables.advance(self.sim.now_ms());
    }

    /// Steps a process; whether it is dead after it.
    fn step(&mut self, at: usize) -> bool {
        let (now_ms, started_ms) = (self.sim.now_ms(), self.started_ms);
        let Some(process) = self.processes.get_mut(at).filter(|p| p.asleep_until_ms <= now_ms) else {
            return false;
        };
        let stepped = process.step(now_ms, started_ms);
        for trouble in &process.troubles {
            self.sim.note(format_args!("{} says: {trouble}", process.name));
        }
        match stepped {
            Stepped::Busy | Stepped::Idle => false,
            Stepped::Dead(why) => {
                self.sim.note(format_args!("{} is dead: {why}", process.name));
                true
            }
            Stepped::Panicked(what) => {
                self.findings.push(Finding::new("panic", format!("{} panicked: {what}", process.name)));
                true
            }
        }
    }

    /// Takes a dead process away; another one will be started, unless one runs under its name already.
    fn bury(&mut self, at: usize) {
        let process = self.processes.swap_remove(at);
        self.ingest_ledgers.extend(process.ingest_ledger());
        if !self.processes.iter().any(|other| other.name == process.name) {
            let from_ms = self.sim.now_ms() + if self.healed { 0 } else { self.rng.between(0, 5_000) };
            self.absent.push(Absent { name: process.name.clone(), from_ms });
        }
    }

    fn start_absent(&mut self) {
        let now_ms = self.sim.now_ms();
        let (due, later) = std::mem::take(&mut self.absent).into_iter().partition(|a| a.from_ms <= now_ms);
        self.absent = later;
        let due: Vec<Absent> = due;
        for absent in due {
            self.start(absent.name);
        }
    }

    fn start(&mut self, name: String) {
        let faults = if self.healed { FaultRates::none() } else { Plan::faults(&mut self.rng) };
        let skew_ms = if self.healed { 0 } else { self.rng.between(-2_000, 2_000) };
        let program = if name.starts_with('w') {
            let log = self.sim.worker(&name, faults);
            Program::Worker(Box::new(Worker::new(log, self.tables.sink(), self.settings(&name))))
        } else {
            let log = self.sim.ingest(&name, faults);
            let options = ingest::Options::new(DEPLOYMENT, self.clock());
            Program::Ingest(Box::new(Ingest::new(log, PlainDirectory::default(), options)))
        };
        self.processes.push(Process {
            name,
            program,
            asleep_until_ms: 0,
            skew_ms,
            orders: VecDeque::new(),
            stopped_ms: None,
            troubles: Vec::new(),
        });
    }

    fn settings(&self, name: &str) -> Settings {
        Settings {
            clock: self.clock(),
            new: New::Allowed,
            pace: Pace {
                records: self.plan.debt_records,
                seconds: 20_000,
                bytes_per_s: 1,
                ..Pace::default()
            },
            seal: self.plan.seal,
            faults: self.fault.map(Fault::of_worker).unwrap_or_default(),
            ..Settings::new(DEPLOYMENT, name, self.plan.setup.partitions)
        }
    }

    fn clock(&self) -> Clock {
        if self.plan.setup.stamp == Stamp::Created { Clock::Supplied } else { Clock::Log }
    }

    /// What happens to processes from outside.
    fn disturb(&mut self) {
        if self.healed || self.processes.is_empty() {
            return;
        }
        let now_ms = self.sim.now_ms();
        let at = self.rng.below(self.processes.len() as u64) as usize;
        if self.rng.happens(self.plan.kill) {
            self.sim.note(format_args!("{} is killed", self.processes[at].name));
            return self.bury(at);
        }
        let process = &mut self.processes[at];
        if self.rng.happens(self.plan.sleep) {
            process.asleep_until_ms = now_ms + self.rng.between(100, 20_000);
            self.sim.note(format_args!("{} sleeps until {}", process.name, process.asleep_until_ms));
        }
        if self.rng.happens(self.plan.clock_jump) {
            process.skew_ms = self.rng.between(-20_000, 20_000);
        }
        if self.rng.happens(self.plan.twin) && process.name.starts_with('w') {
            let name = process.name.clone();
            self.sim.note(format_args!("{name} gets a twin"));
            self.start(name);
        }
    }

    /// What operators order: now and then a worker is drained, and stopped after it, drained or not.
    fn order(&mut self) {
        let (now_ms, healed) = (self.sim.now_ms(), self.healed);
        let is_over = |process: &Process| process.stopped_ms.is_some_and(|at| healed || at <= now_ms);
        while let Some(at) = self.processes.iter().position(is_over) {
            self.sim.note(format_args!("{} is stopped", self.processes[at].name));
            self.bury(at);
        }
        if healed || !self.orders.happens(self.plan.drain) {
            return;
        }
        let stopped_ms = now_ms + self.orders.between(0, 10_000);
        let workers: Vec<usize> = (0..self.processes.len())
            .filter(|at| matches!(self.processes[*at].program, Program::Worker(_)))
            .collect();
        if let Some(at) = self.orders.pick(&workers) {
            let process = &mut self.processes[*at];
            self.sim.note(format_args!("{} is to drain", process.name));
            process.drain(stopped_ms);
        }
    }

    fn send(&mut self, message: Outside) {
        let partition = self.rng.below(u64::from(self.plan.setup.outside_partitions)) as u32;
        self.send_to(partition, message);
    }

    fn send_to(&mut self, partition: u32, message: Outside) {
        let at = TopicPartition { topic: message.topic, partition };
        if let Some(offset) = self.sim.produce(at, None, &message.value) {
            self.sent.push(Sent { at, offset, message });
        }
    }

    /// As `tidegauge catalogue apply` does: to every partition, more often than needed.
    fn apply_catalogue(&mut self) {
        let json = serde_json::to_vec(&self.catalogue).unwrap_or_default();
        let mut writer = PackWriter::new();
        for partition in 0..self.plan.setup.partitions {
            for _ in 0..=self.rng.below(2) {
                let fits = writer.push(&Record::Catalogue { json: &json });
                assert!(fits, "a catalogue is far below a pack");
                let at = TopicPartition { topic: Topic::Log, partition };
                self.sim.produce_at(at, &writer.finish(), self.sim.now_ms());
            }
        }
    }

    /// Faults end, everything runs, until nothing is left to do.
    fn drain(&mut self) {
        self.healed = true;
        self.tables.heal();
        let now_ms = self.sim.now_ms();
        for process in &mut self.processes {
            process.heal();
            process.asleep_until_ms = now_ms.min(process.asleep_until_ms);
        }
        self.absent.iter_mut().for_each(|absent| absent.from_ms = now_ms);
        self.until_quiet("before the parked records expire", &SOURCES);
        self.sim.leap(PARKING_MS);
        let last = self.workload.last_phase(self.sim.now_ms() / 1_000);
        for message in last {
            self.send(message);
        }
        self.wake_all();
        // What was parked has found its card or is given up: nothing of it is left to read.
        self.until_quiet("after the parked records expired", &Topic::OUTSIDE);
    }

    /// A message everywhere: where the outside supplies the clock, time goes on only with it.
    fn wake_all(&mut self) {
        for topic in SOURCES {
            for partition in 0..self.plan.setup.outside_partitions {
                self.send_to(partition, Outside { topic, value: b"{}".to_vec() });
            }
        }
    }

    fn until_quiet(&mut self, when: &str, sources: &[Topic]) {
        let mut quiet = 0;
        for _ in 0..DRAIN_ROUNDS_MAX {
            self.round();
            quiet = if self.is_quiet(sources) { quiet + 1 } else { 0 };
            if quiet >= 3 {
                return;
            }
        }
        let unfinished = self.unfinished(sources);
        self.findings.push(Finding::new("drain", format!("not drained {when}: {unfinished}")));
    }

    fn is_quiet(&self, sources: &[Topic]) -> bool {
        self.tables.is_idle() && self.dirty() == 0 && self.behind(sources).is_empty() && self.all_run()
    }

    /// Whether every partition is in somebody's memory, so that nobody has to find out yet what is to be done.
    fn all_run(&self) -> bool {
        let running = |status: &PartitionStatus| status.state == StateName::Running;
        let running: BTreeSet<u32> = self.statuses().filter(running).map(|status| status.partition).collect();
        running.len() == self.plan.setup.partitions as usize
    }

    /// Cards whose rows have not been handed over, or not been acknowledged.
    fn dirty(&self) -> usize {
        self.statuses().map(|status| status.dirty_cards).sum()
    }

    fn statuses(&self) -> impl Iterator<Item = PartitionStatus> {
        let now_ms = self.sim.now_ms();
        let clock = Now { ms: now_ms - self.started_ms, clock_ms: now_ms };
        self.processes.iter().flat_map(move |process| match &process.program {
            Program::Worker(worker) => worker.status(clock),
            Program::Ingest(_) => Vec::new(),
        })
    }

    /// Partitions that are not read and committed to the end.
    fn behind(&self, sources: &[Topic]) -> Vec<(TopicPartition, Option<LogOffset>, LogOffset)> {
        let outside = |topic: &Topic| {
            (0..self.plan.setup.outside_partitions)
                .map(|partition| TopicPartition { topic: *topic, partition })
                .collect::<Vec<_>>()
        };
        let log =
            (0..self.plan.setup.partitions).map(|partition| TopicPartition { topic: Topic::Log, partition });
        let all = sources.iter().flat_map(outside).chain(log);
        all.filter_map(|at| {
            let (end, committed) = (self.sim.end(at).ok()?, self.sim.committed(at));
            (committed.unwrap_or_default() < end).then_some((at, committed, end))
        })
        .collect()
    }

    fn unfinished(&self, sources: &[Topic]) -> String {
        let statuses: Vec<_> = self.statuses().map(|s| (s.partition, s.state, s.halted)).collect();
        format!("{:?}; {} cards dirty; partitions {statuses:?}", self.behind(sources), self.dirty())
    }

    fn end(mut self) -> Evidence {
        // The last markers arrive.
        self.sim.leap(self.plan.setup.marker_lag_ms_max + 1);
        for at in (0..self.processes.len()).rev() {
            self.bury(at);
        }
        Evidence {
            sim: self.sim,
            partitions: self.plan.setup.partitions,
            outside_partitions: self.plan.setup.outside_partitions,
            sent: self.sent,
            tables: self.tables,
            ingest_ledgers: self.ingest_ledgers,
            findings: self.findings,
        }
    }
}
