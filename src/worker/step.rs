//! One step of the loop.

use super::commits::{Member, Outcome};
use super::live::{FoldContext, Halted, Hold, Live, Taken};
use super::mailbox::Mailbox;
use super::partition::{Partition, Restoration, Restoring};
use super::report::{CommitReport, Now, Report};
use super::seal::{Chunks, SealContext};
use super::sealed::SealedPart;
use super::unsealed::Load;
use super::{Clock, Stop, Worker, WorkerError};
use crate::checkpoint::Budget;
use crate::limits::{CLOCK_AHEAD_MAX_S, POLL_BYTES_MAX, POLL_MESSAGES_MAX, SEAL_AFTER_MS};
use crate::log::{LogError, PollBudget, Topic, WorkerLog};
use crate::model::LogOffset;
use crate::rollup::RowSink;

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    /// One round of the loop. Waits for messages at most `wait_ms`, in `poll`, and only when nothing else is to be done.
    ///
    /// # Errors
    /// What ends the worker; a partition's troubles are in its status instead.
    pub fn step(&mut self, now: Now, wait_ms: u64, mailbox: &mut dyn Mailbox) -> Result<Report, WorkerError> {
        self.now = now;
        self.advance_commits()?;
        self.parked.expire(now.ms);
        self.restore()?;
        self.answer_group()?;
        self.poll(wait_ms)?;
        self.serve(mailbox);
        self.seal()?;
        self.advance_commits()?;
        self.rows();
        self.ticks();
        self.flow()?;
        self.answer_group()?;
        self.answer_drains();
        self.try_stop()?;
        self.note_changes();
        Ok(std::mem::take(&mut self.report))
    }

    /// Sends the next sealed commit, or looks how the open one has ended.
    fn advance_commits(&mut self) -> Result<(), WorkerError> {
        let member =
            Member { generation: self.group.generation, now_ms: self.now.ms, faults: self.settings.faults };
        let outcome = self.commits.advance(&mut self.log, member)?;
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

    /// A piece of one restore.
    fn restore(&mut self) -> Result<(), WorkerError> {
        if self.stopping.is_some() {
            return Ok(());
        }
        let expected = self.settings.expected();
        let budget = Budget { messages: self.settings.restore_messages, now_ms: self.now.ms };
        let trust_parked = self.settings.faults.resume_parked_blindly;
        for restoring in self.partitions.values_mut().filter_map(restoring) {
            if self.commits.holds(restoring.partition) {
                continue;
            }
            match restoring.step(&mut self.log, &expected, budget, trust_parked)? {
                Restoration::Waiting(why) => {
                    let partition = restoring.partition;
                    self.report.troubles.push(format!("restoring partition {partition}: {why}"));
                }
                Restoration::Going => return Ok(()),
                Restoration::Refused(why) => {
                    let partition = restoring.partition;
                    return self.refused(partition, why);
                }
                Restoration::Live(live) => {
                    let took_ms = self.now.ms - restoring.since_ms;
                    self.restored(live, took_ms);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn restored(&mut self, mut live: Box<Live>, took_ms: i64) {
        let partition = live.partition;
        let refolded = self.group.holds(partition);
        (live.paused, live.missed) = (refolded, refolded);
        if self.settings.faults.forget_dirty_on_restore {
            live.effects.dirty.clear();
        }
        self.report.restored.push((partition, took_ms));
        self.partitions.insert(partition, Partition::Live(live));
    }

    /// A partition that cannot be restored still has to be assigned: at its committed offset, and paused.
    fn refused(&mut self, partition: u32, why: String) -> Result<(), WorkerError> {
        let committed = match self.log.stable_offset(partition) {
            Ok(committed) => committed.map(|c| c.offset),
            Err(LogError::Fenced(text)) => return Err(WorkerError::Fenced(text)),
            Err(_) => None,
        };
        let committed = committed.unwrap_or(LogOffset(0));
        self.report.troubles.push(why.clone());
        self.partitions.insert(partition, Partition::Refused { why, committed });
        Ok(())
    }

    fn poll(&mut self, wait_ms: u64) -> Result<(), WorkerError> {
        let budget = PollBudget {
            messages: POLL_MESSAGES_MAX,
            bytes: POLL_BYTES_MAX,
            wait_ms: self.may_wait(wait_ms),
        };
        let context = FoldContext {
            deployment: &self.settings.deployment,
            clock: self.settings.clock,
            now_ms: self.now.ms,
            clock_ms: self.now.clock_ms,
            faults: self.settings.faults,
        };
        let (partitions, report) = (&mut self.partitions, &mut self.report);
        let mut condemned: Vec<(u32, (LogOffset, String))> = Vec::new();
        let polled = self.log.poll(budget, &mut |message| {
            if condemned.iter().any(|(partition, _)| *partition == message.partition) {
                return;
            }
            let Some(live) = partitions.get_mut(&message.partition).and_then(Partition::live_mut) else {
                return;
            };
            match live.take(&message, context) {
                Taken::Folded { records } => {
                    report.messages += 1;
                    report.records += records;
                }
                Taken::Condemned { at, why } => condemned.push((message.partition, (at, why))),
                Taken::Passed | Taken::Halted => {}
            }
        });
        for (partition, stop_at) in condemned {
            self.condemn(partition, stop_at);
        }
        self.polled(polled)
    }

    fn polled(
        &mut self,
        polled: Result<Option<crate::log::GroupEvent>, LogError>,
    ) -> Result<(), WorkerError> {
        match polled {
            Ok(None) => Ok(()),
            Ok(Some(event)) => self.group_event(event),
            Err(LogError::Retriable(why)) => {
                self.report.troubles.push(format!("poll: {why}"));
                Ok(())
            }
            Err(LogError::OutOfRange { partition, offset, detail, .. }) => {
                self.gone(partition, offset, detail);
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// How long `poll` may wait: not past the next thing to be done.
    fn may_wait(&self, wait_ms: u64) -> u64 {
        let restoring = self.partitions.values().any(|p| matches!(p, Partition::Restoring(_)));
        if restoring || self.stopping.is_some() {
            return 0;
        }
        if !self.commits.is_empty() {
            return wait_ms.min(1);
        }
        match self.load().since_ms {
            Some(since) => wait_ms.min((since + SEAL_AFTER_MS - self.now.ms).max(0) as u64),
            None => wait_ms,
        }
    }

    /// The memory of a partition whose fold broke is discarded; it is folded anew up to the message.
    fn condemn(&mut self, partition: u32, stop_at: (LogOffset, String)) {
        self.report.troubles.push(format!(
            "{} [{partition}] offset {}: {}; the partition's memory is discarded and folded anew up to it",
            Topic::Log,
            stop_at.0.0,
            stop_at.1
        ));
        self.log.pause(&[partition]);
        let restoring = Restoring::condemned(partition, stop_at, self.now.ms);
        let before = self.partitions.insert(partition, Partition::Restoring(Box::new(restoring)));
        if let Some(Partition::Live(mut live)) = before {
            for reply in live.unsealed.orders.drain(..) {
                reply(Err(super::OrderError::Lost(partition)));
            }
        }
    }

    fn gone(&mut self, partition: u32, at: LogOffset, why: String) {
        if let Some(live) = self.partitions.get_mut(&partition).and_then(Partition::live_mut) {
            live.halt(Halted::Gone { at, why });
        }
    }

    /// Unsealed work of all partitions.
    fn load(&self) -> Load {
        let mut load = Load::default();
        for live in self.partitions.values().filter_map(Partition::live) {
            load.add(live.unsealed.load());
        }
        load
    }

    /// Whether chunks are written as fast as they fit.
    fn chunks(&self) -> Chunks {
        let draining = !self.drains.is_empty() || self.stopping == Some(Stop::Drained);
        if draining { Chunks::Behind } else { Chunks::Due }
    }

    fn seal(&mut self) -> Result<(), WorkerError> {
        self.touch();
        let load = self.load();
        let hurry = self.group.is_leaving() || self.stopping.is_some() || !self.drains.is_empty();
        let due = load.is_due(self.now.ms) || hurry && load.since_ms.is_some();
        self.stalled = load.is_full() && !self.commits.has_room();
        if !due || !self.commits.has_room() {
            return Ok(());
        }
        let Some(topic_id) = self.topic_id()? else { return Ok(()) };
        self.ask_floors()?;
        let parts = self.seal_parts(&topic_id);
        if !parts.is_empty() {
            self.commits.push(parts);
        }
        Ok(())
    }

    fn seal_parts(&mut self, topic_id: &str) -> Vec<(SealedPart, Vec<crate::log::Output>)> {
        let chunks = self.chunks();
        let mut parts = Vec::new();
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if live.unsealed.since_ms.is_none() {
                continue;
            }
            let partition = live.partition;
            assert!(self.group.holds(partition), "sealing partition {partition}, which is not assigned");
            self.batch_id += 1;
            let context = SealContext {
                settings: &self.settings,
                topic_id,
                writer: self.log.transactional_id(),
                now_ms: self.now.ms,
                rows: self.sink.ready().then_some(self.batch_id),
            };
            parts.push(live.seal(context, chunks));
        }
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

    /// Where the next records of the checkpoint will stand, at the least, for partitions that write chunks. Without an
    /// answer the old floor serves: it only lies further back.
    fn ask_floors(&mut self) -> Result<(), WorkerError> {
        let chunks = self.chunks();
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if !live.wants_floor(&self.settings, chunks) {
                continue;
            }
            match self.log.bounds(Topic::Checkpoint, live.partition) {
                Ok((_, end)) => live.set_floor(end),
                Err(LogError::Fenced(text)) => return Err(WorkerError::Fenced(text)),
                Err(error) => self.report.troubles.push(format!("checkpoint's end: {error}")),
            }
        }
        Ok(())
    }

    /// What ClickHouse has acknowledged, and what is now committed and may go there.
    fn rows(&mut self) {
        while let Some((partition, id)) = self.sink.acked() {
            if let Some(live) = self.partitions.get_mut(&partition).and_then(Partition::live_mut) {
                live.rows.acked(id);
            }
        }
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            live.rows.submit(&mut self.sink);
        }
    }

    fn ticks(&mut self) {
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if self.group.holds(live.partition) && live.wants_tick(&self.settings, self.now.ms) {
                live.tick(&mut self.log, &self.settings, self.now.ms);
            }
        }
    }

    /// Makes fetching follow what each partition may do.
    fn flow(&mut self) -> Result<(), WorkerError> {
        if self.stopping.is_some() {
            self.hold(Hold::Leaving);
        }
        if !self.drains.is_empty() {
            self.hold(Hold::Drained);
        }
        let (stalled, clock_ms, clock) = (self.stalled, self.now.clock_ms, self.settings.clock);
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if !self.group.holds(live.partition) {
                continue;
            }
            live.measure(self.now.ms);
            if clock == Clock::Log {
                live.catch_up(clock_ms);
            }
            if let Err(error) = live.flow(&mut self.log, stalled) {
                match error {
                    LogError::Retriable(why) => self.report.troubles.push(format!("seek: {why}")),
                    other => return Err(other.into()),
                }
            }
        }
        Ok(())
    }

    fn try_stop(&mut self) -> Result<(), WorkerError> {
        let Some(stop) = self.stopping else { return Ok(()) };
        let mut lives = self.partitions.values().filter_map(Partition::live);
        let busy = !self.commits.is_empty() || lives.any(|l| l.unsealed.since_ms.is_some());
        if busy || stop == Stop::Drained && !self.is_drained() {
            return Ok(());
        }
        let partitions: Vec<u32> = self.partitions.keys().copied().collect();
        self.log.unassign(&partitions)?;
        self.partitions.clear();
        self.group.assigned.clear();
        self.report.stopped = true;
        Ok(())
    }

    fn note_changes(&mut self) {
        let states = self.partitions.iter().map(|(p, state)| (*p, state.state())).collect();
        let before = std::mem::replace(&mut self.states, states);
        let changed = self.states.iter().filter(|(p, state)| before.get(p) != Some(state));
        self.report.changed.extend(changed.map(|(p, state)| (*p, *state)));
        let restoring = self.partitions.values().any(|p| matches!(p, Partition::Restoring(_)));
        let unsealed = self.load().since_ms.is_some();
        self.report.idle = self.report.messages == 0 && self.commits.is_empty() && !unsealed && !restoring;
    }
}

fn restoring(partition: &mut Partition) -> Option<&mut Restoring> {
    match partition {
        Partition::Restoring(restoring) => Some(restoring),
        _ => None,
    }
}

impl Live {
    /// A partition that waits for the clock goes on once the clocks agree.
    fn catch_up(&mut self, clock_ms: i64) {
        if let Some(Halted::Ahead { time_ms, .. }) = self.halted
            && time_ms.saturating_sub(clock_ms) <= CLOCK_AHEAD_MAX_S * 1_000
        {
            self.halted = None;
        }
    }

    /// Pauses, or seeks to what was missed and resumes.
    fn flow(&mut self, log: &mut dyn WorkerLog, stalled: bool) -> Result<(), LogError> {
        let partition = self.partition;
        if !self.runs() || stalled {
            if !self.paused {
                log.pause(&[partition]);
                self.paused = true;
            }
            return Ok(());
        }
        if self.missed {
            match log.seek(partition, self.meter.position()) {
                Ok(()) => self.missed = false,
                Err(LogError::OutOfRange { offset, detail, .. }) => {
                    self.halt(Halted::Gone { at: offset, why: detail });
                    return Ok(());
                }
                Err(other) => return Err(other),
            }
        }
        if self.paused {
            log.resume(&[partition]);
            self.paused = false;
        }
        Ok(())
    }
}
