//! Processes of the simulated world: a worker or an ingest that is stepped, dies, sleeps and is started again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::clickhouse::Sink;
use crate::ingest::{Ingest, IngestLedger};
use crate::log::LogError;
use crate::log::sim::{Crashed, SimIngestLog, SimWorkerLog};
use crate::worker::{Now, Request, Worker, WorkerError};

/// What runs in a process.
pub(super) enum Program {
    Worker(Box<Worker<SimWorkerLog, Sink>>),
    Ingest(Box<Ingest<SimIngestLog>>),
}

/// A process under an instance name.
pub(super) struct Process {
    pub(super) name: String,
    pub(super) program: Program,
    /// Asleep until this virtual time: its calls are not made, its session runs out.
    pub(super) asleep_until_ms: i64,
    /// How far its own clock is off, milliseconds.
    pub(super) skew_ms: i64,
    /// Orders that it has not taken yet.
    pub(super) orders: VecDeque<Request>,
    /// It was ordered to drain, and is stopped at this virtual time, as one is that makes room for another version.
    pub(super) stopped_ms: Option<i64>,
    /// What it had to say about its troubles in the last step.
    pub(super) troubles: Vec<String>,
}

/// How a step ended.
#[derive(Debug, PartialEq)]
pub(super) enum Stepped {
    /// It goes on; whether there was anything to do.
    Busy,
    Idle,
    /// It was killed, or has ended itself: start another.
    Dead(String),
    /// The program has panicked on its own: a broken invariant.
    Panicked(String),
}

impl Process {
    /// Makes one step as of now.
    pub(super) fn step(&mut self, now_ms: i64, started_ms: i64) -> Stepped {
        let clock = Now { ms: now_ms - started_ms, clock_ms: now_ms + self.skew_ms };
        self.troubles.clear();
        let Self { program, orders, troubles, .. } = self;
        match catch_unwind(AssertUnwindSafe(|| program.step(clock, now_ms, orders, troubles))) {
            Ok(stepped) => stepped,
            Err(payload) if payload.is::<Crashed>() => Stepped::Dead("killed".to_owned()),
            Err(payload) => Stepped::Panicked(text(payload.as_ref())),
        }
    }

    /// Has a worker write every shard and fold no more, and stops it later on.
    pub(super) fn drain(&mut self, stopped_ms: i64) {
        self.orders.push_back(Request::Drain { reply: Box::new(drop) });
        self.stopped_ms = Some(stopped_ms);
    }

    /// From now on nothing fails at its log any more.
    pub(super) fn heal(&mut self) {
        self.skew_ms = 0;
        match &mut self.program {
            Program::Worker(worker) => worker.log_mut().heal(),
            Program::Ingest(ingest) => ingest.log_mut().heal(),
        }
    }

    /// The ledger of an ingest.
    pub(super) fn ingest_ledger(&self) -> Option<IngestLedger> {
        match &self.program {
            Program::Ingest(ingest) => Some(*ingest.ledger()),
            Program::Worker(_) => None,
        }
    }
}

impl Program {
    fn step(
        &mut self,
        clock: Now,
        now_ms: i64,
        orders: &mut VecDeque<Request>,
        troubles: &mut Vec<String>,
    ) -> Stepped {
        match self {
            Self::Worker(worker) => match worker.step(clock, 0, orders) {
                Ok(report) => {
                    troubles.extend(report.troubles);
                    if report.idle { Stepped::Idle } else { Stepped::Busy }
                }
                Err(WorkerError::Fenced(why) | WorkerError::Fatal(why)) => Stepped::Dead(why),
            },
            Self::Ingest(ingest) => match ingest.step(now_ms) {
                Ok(report) if report.idle && report.directory_ready => Stepped::Idle,
                Ok(_) | Err(LogError::Retriable(_)) => Stepped::Busy,
                Err(error) => Stepped::Dead(error.to_string()),
            },
        }
    }
}

/// The text of a panic.
pub(super) fn text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text").to_owned()
}
