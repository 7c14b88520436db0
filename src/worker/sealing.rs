//! What is folded becomes sealed commits, and what is committed is released.

use super::commits::{Member, Outcome};
use super::mailbox::Mailbox;
use super::partition::Partition;
use super::report::CommitReport;
use super::seal::{Chunks, SealContext};
use super::sealed::SealedPart;
use super::shelf::Lent;
use super::unsealed::{Load, Which};
use super::{Stop, Worker, WorkerError};
use crate::limits::FLOORS_AGAIN_MS;
use crate::log::{LogError, Output, Topic, WorkerLog};
use crate::rollup::RowSink;

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    /// Sends the next sealed commit, or looks how the open one has ended.
    pub(super) fn advance_commits(&mut self, wait_ms: u64, mailbox: &dyn Mailbox) -> Result<(), WorkerError> {
        let (generation, faults) = (self.group.generation, self.settings.faults);
        let staleness = self.staleness();
        let lent = Lent::new(&mut self.partitions, staleness, mailbox, wait_ms);
        let member = Member { generation, now_ms: self.now.ms, wait_ms: lent.wait_ms, faults };
        let outcome = self.commits.advance(&mut self.log, member)?;
        drop(lent);
        self.release(outcome);
        Ok(())
    }

    fn release(&mut self, outcome: Outcome) {
        self.report.troubles.extend(outcome.trouble);
        self.report.commits_lost += outcome.lost.len() as u64;
        for partition in &outcome.lost {
            self.drop_partition(*partition);
            self.log.pause(&[*partition]);
            self.partitions.insert(*partition, Partition::Lost);
        }
        for partition in &outcome.unknown {
            self.ask_again(*partition);
        }
        if outcome.committed.is_empty() {
            return;
        }
        let mut commit = CommitReport {
            took_ms: outcome.took_ms,
            attempts: outcome.attempts,
            offsets: Vec::new(),
            alert_latency_ms: Vec::new(),
            latency_ms: Vec::new(),
        };
        for part in outcome.committed {
            self.release_part(part, &mut commit);
        }
        self.report.commits.push(commit);
    }

    /// Nobody can say whether the partition's last commit was: its memory goes, and the restore waits until somebody can.
    fn ask_again(&mut self, partition: u32) {
        self.report.troubles.push(format!(
            "partition {partition}: the group's offset cannot be asked for, so nobody knows whether its last commit was; \
             its memory is discarded and restored as committed"
        ));
        if self.group.is_revoking(partition) {
            // Whoever gets it next finds out.
            self.drop_partition(partition);
        } else if let Some(Partition::Live(live)) = self.partitions.get_mut(&partition) {
            let stop_at = live.stop_at.take();
            self.discard(partition, stop_at);
        }
    }

    fn release_part(&mut self, part: SealedPart, commit: &mut CommitReport) {
        let since = |ms: i64| (self.now.clock_ms - ms).max(0);
        commit.offsets.push((part.partition, part.to));
        commit.latency_ms.extend(part.released.oldest_ms.map(since));
        commit.alert_latency_ms.extend(part.released.alerts_ms.into_iter().map(since));
        self.report.ledger.merge(&part.released.ledger);
        self.report.troubles.extend(part.released.alarms);
        for (kind, count) in part.released.events {
            *self.report.events.entry(kind).or_default() += count;
        }
        for reply in part.released.orders {
            reply(Ok(()));
        }
        if let Some(live) = self.partitions.get_mut(&part.partition).and_then(Partition::live_mut) {
            live.committed = Some(part.to);
            if let Some(batch) = part.rows {
                live.rows.committed(batch);
            }
        }
    }

    /// Unsealed work of all partitions.
    pub(super) fn load(&self) -> Load {
        let mut load = Load::default();
        for live in self.partitions.values().filter_map(Partition::live) {
            load.add(live.unsealed.load());
        }
        load
    }

    /// Whether chunks are written as fast as they fit.
    fn chunks(&self) -> Chunks {
        let draining = self.drained || self.stopping == Some(Stop::Drained);
        if draining { Chunks::Behind } else { Chunks::Due }
    }

    pub(super) fn seal(&mut self) -> Result<(), WorkerError> {
        self.touch();
        let load = self.load();
        let hurry = self.group.is_leaving() || self.stopping.is_some() || self.drained;
        let bounds = self.settings.seal;
        let due = if hurry { load.since_ms.map(|_| Which::All) } else { load.due(self.now.ms, bounds) };
        self.stalled = load.is_full(bounds);
        let Some(which) = due.filter(|_| self.commits.has_room()) else { return Ok(()) };
        let Some(topic_id) = self.topic_id()? else { return Ok(()) };
        self.stalled = false;
        self.ask_floors(which)?;
        let parts = self.seal_parts(which, &topic_id);
        if !parts.is_empty() {
            self.commits.push(parts);
        }
        Ok(())
    }

    fn seal_parts(&mut self, which: Which, topic_id: &str) -> Vec<(SealedPart, Vec<Output>)> {
        let (chunks, mut room) = (self.chunks(), Room::new(self.settings.seal.rows));
        let (mut parts, first) = (Vec::new(), self.rows_first);
        let order = self.partitions.range(first..).chain(self.partitions.range(..first)).map(|(p, _)| *p);
        for partition in order.collect::<Vec<_>>() {
            let live = self.partitions.get_mut(&partition).and_then(Partition::live_mut);
            let Some(live) = live.filter(|live| which.takes(&live.unsealed)) else { continue };
            assert!(self.group.holds(partition), "sealing partition {partition}, which is not assigned");
            self.batch_id += 1;
            let rows =
                self.sink.ready() && live.rows.wants(&live.effects, self.now.ms) && room.is_left(partition);
            let context = SealContext {
                settings: &self.settings,
                topic_id,
                writer: self.log.transactional_id(),
                now_ms: self.now.ms,
                rows: rows.then_some(self.batch_id),
            };
            let (part, outputs) = live.seal(context, chunks);
            // To the sink an empty batch is one row.
            room.take(part.rows.as_ref().map_or(0, |batch| batch.len().max(1)));
            parts.push((part, outputs));
        }
        self.rows_first = room.refused.unwrap_or(first);
        parts
    }

    /// Partitions that want a seal although nothing was folded: rows that wait, shards that are to be drained.
    fn touch(&mut self) {
        let (ready, chunks, now_ms) = (self.sink.ready(), self.chunks(), self.now.ms);
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            let rows = ready && live.rows.wants(&live.effects, now_ms);
            let drain = chunks == Chunks::Behind && live.marks.behind(live.meter.position()) > 0;
            if (rows || drain) && self.group.holds(live.partition) {
                live.unsealed.touch(now_ms);
            }
        }
    }

    fn topic_id(&mut self) -> Result<Option<String>, WorkerError> {
        if self.topic_id.is_none() {
            match self.log.topic(Topic::Log) {
                Ok(info) => self.topic_id = Some(info.id),
                Err(LogError::Retriable(why)) => self.report.troubles.push(why),
                Err(other) => return Err(other.into()),
            }
        }
        Ok(self.topic_id.clone())
    }

    /// Where the next records of the checkpoint will stand, at the least, for partitions of the seal that write chunks. Without
    /// an answer the old floor serves: it only lies further back. A broker that is away takes its time to say nothing, so
    /// whoever does not answer is the last to be asked for a while.
    fn ask_floors(&mut self, which: Which) -> Result<(), WorkerError> {
        let chunks = self.chunks();
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if self.now.ms < self.floors_again_ms {
                break;
            }
            if !which.takes(&live.unsealed) || !live.wants_floor(&self.settings, chunks) {
                continue;
            }
            match self.log.bounds(Topic::Checkpoint, live.partition) {
                Ok((_, end)) => live.set_floor(end),
                Err(LogError::Fenced(text)) => return Err(WorkerError::Fenced(text)),
                Err(error) => {
                    self.floors_again_ms = self.now.ms + FLOORS_AGAIN_MS;
                    self.report.troubles.push(format!("checkpoint's end: {error}"));
                }
            }
        }
        Ok(())
    }
}

/// For the rows of one seal: what the sink would not take is not encoded.
struct Room {
    rows: usize,
    /// The first partition that found none.
    refused: Option<u32>,
}

impl Room {
    fn new(rows: usize) -> Self {
        Self { rows, refused: None }
    }

    fn is_left(&mut self, partition: u32) -> bool {
        if self.rows == 0 {
            self.refused.get_or_insert(partition);
        }
        self.rows > 0
    }

    fn take(&mut self, rows: usize) {
        self.rows = self.rows.saturating_sub(rows);
    }
}
