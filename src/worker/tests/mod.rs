//! The worker over a scripted log: each test says what happens around it and what must come of it.

mod away;
mod cards;
mod commit;
mod drain;
mod flow;
mod halting;
mod rebalance;
mod restore;
mod script;
mod shelf;
mod verify;

use std::cell::{Ref, RefMut};
use std::collections::VecDeque;

use self::script::{Answer, Broker, Script, Stored};
use super::*;
use crate::codec::pack::PackWriter;
use crate::limits::SHARDS;
use crate::log::{Generation, GroupEvent, Topic};
use crate::model::{CardId, Cdr, FeedName, LogOffset, Origin, Outcome, Record, Slices, Tick};
use crate::rollup::RowBatch;

/// 2026-08-01T00:00:00Z.
pub(super) const START_MS: i64 = 1_785_542_400_000;

/// A sink that a test can hold shut.
#[derive(Default)]
pub(super) struct Sink {
    pub shut: bool,
    pub taken: Vec<RowBatch>,
    pub acks: VecDeque<(u32, u64)>,
}

impl RowSink for Sink {
    fn ready(&self) -> bool {
        !self.shut
    }

    fn submit(&mut self, batch: RowBatch) -> bool {
        self.acks.push_back((batch.partition, batch.id));
        self.taken.push(batch);
        true
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        self.acks.pop_front()
    }
}

/// A worker on a scripted log.
pub(super) struct Kit {
    pub script: Script,
    pub worker: Worker<Script, Sink>,
    pub now: Now,
    pub mailbox: VecDeque<Request>,
}

pub(super) fn settings(partitions: u32) -> Settings {
    let mut settings = Settings::new("test", "worker-a", partitions);
    settings.new = New::Allowed;
    settings
}

impl Kit {
    /// A worker that has partition 0 to `partitions - 1`, all new and first committed.
    pub(super) fn running(partitions: u32) -> Self {
        Self::with(settings(partitions))
    }

    pub(super) fn with(settings: Settings) -> Self {
        let script = Script::new(settings.partitions);
        let mut kit = Self::on(script, settings);
        kit.assign(1);
        kit.settle();
        kit
    }

    /// A worker on a log as it is, without partitions.
    pub(super) fn on(script: Script, settings: Settings) -> Self {
        let now = Now { ms: 1_000, clock_ms: START_MS };
        script.0.borrow_mut().now_ms = now.clock_ms;
        let worker = Worker::new(script.clone(), Sink::default(), settings);
        Self { script, worker, now, mailbox: VecDeque::new() }
    }

    /// The process dies; another begins with the same log, and gets all partitions.
    pub(super) fn restarted(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.worker.settings().clone();
        settings.new = New::Refused;
        change(&mut settings);
        {
            let mut broker = self.script.0.borrow_mut();
            broker.fetching.clear();
            broker.paused.clear();
            broker.calls.clear();
        }
        let mut kit = Self::on(self.script, settings);
        kit.now = self.now;
        kit.assign(2);
        kit.settle();
        kit
    }

    pub(super) fn broker(&self) -> Ref<'_, Broker> {
        self.script.0.borrow()
    }

    pub(super) fn broker_mut(&self) -> RefMut<'_, Broker> {
        self.script.0.borrow_mut()
    }

    pub(super) fn assign(&mut self, generation: u64) {
        let partitions = (0..self.broker().partitions).collect();
        let generation = Generation(generation);
        self.broker_mut().events.push_back(GroupEvent::Assigned { generation, partitions });
    }

    /// One step, `ms` after the last.
    pub(super) fn step(&mut self, ms: i64) -> Report {
        self.now.ms += ms;
        self.now.clock_ms += ms;
        self.broker_mut().now_ms = self.now.clock_ms;
        self.worker.step(self.now, 0, &mut self.mailbox).expect("a step")
    }

    /// Steps for so long, ten a second.
    pub(super) fn seconds(&mut self, count: usize) {
        for _ in 0..10 * count {
            self.step(100);
        }
    }

    /// Steps until nothing is left to do, and adds the reports up.
    pub(super) fn settle(&mut self) -> Report {
        let mut sum = Report::default();
        for _ in 0..60 {
            let report = self.step(10);
            sum.messages += report.messages;
            sum.records += report.records;
            sum.commits.extend(report.commits);
            sum.ledger.merge(&report.ledger);
            sum.changed.extend(report.changed);
            sum.troubles.extend(report.troubles);
            sum.commits_lost += report.commits_lost;
        }
        sum
    }

    /// Appends a CDR of a card that nobody knows: one record in quarantine comes of it.
    pub(super) fn cdr(&self, partition: u32, id: &str) -> u64 {
        self.cdrs(partition, &[id])
    }

    pub(super) fn cdrs(&self, partition: u32, ids: &[&str]) -> u64 {
        let mut pack = PackWriter::new();
        for id in ids {
            assert!(pack.push(&unknown_card(id)));
        }
        let bytes = pack.finish();
        self.broker_mut().append(Topic::Log, partition, b"", Some(bytes))
    }

    pub(super) fn state(&self, partition: u32) -> StateName {
        self.status(partition).state
    }

    pub(super) fn status(&self, partition: u32) -> PartitionStatus {
        let status = self.worker.status(self.now);
        status.into_iter().find(|s| s.partition == partition).expect("the partition is held")
    }

    pub(super) fn quarantined(&self) -> usize {
        self.broker().messages(Topic::Quarantine, 0).len()
    }

    /// How often the world was told who answers for a partition.
    pub(super) fn told_owners(&self, partition: u32) -> usize {
        let key = partition.to_string().into_bytes();
        self.broker().messages(Topic::Owners, 0).iter().filter(|stored| stored.key == key).count()
    }

    /// Sends a request that answers into a cell.
    pub(super) fn ask<T: Send + 'static>(&mut self, request: impl FnOnce(Reply<T>) -> Request) -> Option<T> {
        let (tell, told) = std::sync::mpsc::channel();
        self.mailbox.push_back(request(Box::new(move |answer| tell.send(answer).expect("heard"))));
        self.settle();
        told.try_recv().ok()
    }
}

pub(super) fn unknown_card(id: &str) -> Record<'_> {
    Record::Cdr(Cdr {
        card: CardId::parse("8986001234567890123").expect("an ICCID"),
        feed: FeedName::new("cmcc-pgw-1"),
        id,
        start: START_MS / 1_000 - 100,
        end: START_MS / 1_000 - 50,
        up: 10,
        down: 20,
        slices: Slices::default(),
        number: None,
        origin: Origin { source: "usage.cdr", partition: 0, offset: 1, received_ms: START_MS },
    })
}

pub(super) fn tick(flushed_through: Option<LogOffset>) -> Vec<u8> {
    let mut pack = PackWriter::new();
    assert!(pack.push(&Record::Tick(Tick { flushed_through })));
    pack.finish()
}
