//! The state machine: what one step does, in which order.

use super::directory::{Directory, PlainDirectory};
use super::gaps::Standing;
use super::intake::Intake;
use super::ledger::IngestLedger;
use super::options::{Bounds, Options, Report};
use super::push::{Kept, Push, Refused, Ticket};
use crate::limits::{GAPS_LOOK_BEHIND, GAPS_LOOK_BEHIND_MS, GAPS_LOOK_EVERY_MS};
use crate::log::{IngestLog, IngestPolled, LogError, PollBudget, Topic};

/// One ingest: a member of the group on the outside topics, with a producer of its own.
pub struct Ingest<L, D = PlainDirectory> {
    log: L,
    intake: Intake<D>,
    wait_ms: u64,
    bounds: Bounds,
    stopping: bool,
    halt: Halt,
    /// The directory had something to say at the last look.
    directory_moves: bool,
    /// The directory has been read to its end once.
    directory_read: bool,
    committed_ms: Option<i64>,
    /// When feeds were last looked at for gaps.
    watched_ms: Option<i64>,
    /// How far the feeds' topics reach behind what was read of them, and since when it has been so.
    behind: Option<(u64, i64)>,
}

/// Whether batches are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taking {
    /// The directory has not been read to its end, or the process stops.
    #[default]
    NotReady,
    /// As much is in flight as may be.
    Full,
    Open,
}

/// Why nothing, or nothing parked, is read just now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Halt {
    /// Set by the bound, cleared at half of it.
    in_flight: bool,
    parked: bool,
    /// The directory has not been read to its end: nobody's card can be told.
    directory: bool,
}

impl<L: IngestLog, D: Directory> Ingest<L, D> {
    /// Begins from what the log has of this group.
    #[must_use]
    pub fn new(log: L, directory: D, options: Options) -> Self {
        let (wait_ms, bounds) = (options.wait_ms, options.bounds);
        let intake = Intake::new(directory, options, log.log_partitions());
        let halt = Halt::default();
        Self {
            log,
            intake,
            wait_ms,
            bounds,
            stopping: false,
            halt,
            directory_moves: false,
            directory_read: false,
            committed_ms: None,
            watched_ms: None,
            behind: None,
        }
    }

    /// Does what there is to do, and never waits longer than [`Options::wait_ms`]. Call it again at once while
    /// [`Report::read`] or [`Report::acked`] is not 0, else when messages come, at the latest at [`Report::due_ms`].
    ///
    /// # Errors
    /// Any error ends this ingest, except that after [`LogError::Retriable`] the step may be tried again. What was not
    /// committed is read again by whoever is next.
    pub fn step(&mut self, now_ms: i64) -> Result<Report, LogError> {
        let mut report = Report { acked: self.collect(self.wait_for_acks_ms(now_ms))?, ..Report::default() };
        report.directory_ready = self.follow_directory()?;
        if report.directory_ready {
            self.intake.tell_conflicts();
            self.intake.settle_parked(now_ms);
        }
        self.halt_at_bounds();
        let read = self.read(now_ms, report.acked);
        if let Err(error @ (LogError::Fatal(_) | LogError::Fenced(_) | LogError::OutOfRange { .. })) = read {
            return Err(error);
        }
        // What is in hand goes on although the group cannot be read just now.
        self.intake.close_packs(now_ms, self.stopping);
        self.intake.outbox.send(&mut self.log)?;
        report.acked += self.collect(0)?;
        self.commit(now_ms)?;
        let (read, of_feeds) = read?;
        report.read = read;
        self.watch(now_ms, of_feeds);
        self.describe(&mut report);
        Ok(report)
    }

    /// Takes a batch, if [`Self::takes_pushes`]; [`Self::pushed`] tells when the log has it.
    ///
    /// # Errors
    /// [`Refused`]: nothing of it is kept.
    pub fn push(&mut self, push: &Push<'_>, now_ms: i64) -> Result<Ticket, Refused> {
        self.intake.push(push, now_ms)
    }

    /// Whether batches are taken just now, and if not, whether the bound is why.
    #[must_use]
    pub fn takes_pushes(&self) -> Taking {
        match () {
            () if self.stopping || !self.directory_read => Taking::NotReady,
            () if self.halt.in_flight => Taking::Full,
            () => Taking::Open,
        }
    }

    /// Batches that the log has since the last call.
    pub fn pushed(&mut self) -> Vec<(Ticket, Kept)> {
        self.intake.sources.pushes.done()
    }

    /// Reads nothing more; what is in flight is finished by further steps, until [`Report::idle`].
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// What became of the records read since this ingest began.
    #[must_use]
    pub fn ledger(&self) -> &IngestLedger {
        &self.intake.ledger
    }

    /// How the feeds stand that come by topics.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.intake.gaps.standing()
    }

    /// Outside messages not read yet, where the log tells.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.log.lag(&|_| true)
    }

    /// The log, for a simulation that looks into it.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    fn collect(&mut self, wait_ms: u64) -> Result<usize, LogError> {
        let sources = &mut self.intake.sources;
        self.intake.outbox.collect(&mut self.log, wait_ms, |letter| {
            letter.carried.into_iter().for_each(|record| sources.finish(record));
        })
    }

    /// While nothing is read there is nothing to do but to wait for acknowledgements; the directory comes first.
    fn wait_for_acks_ms(&self, now_ms: i64) -> u64 {
        if self.reads_nothing() && !self.directory_moves { self.most_wait_ms(now_ms) } else { 0 }
    }

    fn reads_nothing(&self) -> bool {
        self.stopping || self.halt.directory || self.halt.in_flight
    }

    fn follow_directory(&mut self) -> Result<bool, LogError> {
        let (intake, moves) = (&mut self.intake, &mut self.directory_moves);
        *moves = false;
        let ready = self.log.poll_directory(&mut |message| {
            *moves = true;
            intake.directory_says(&message);
        })?;
        self.halt.directory = !ready;
        self.directory_read |= ready;
        Ok(ready)
    }

    fn halt_at_bounds(&mut self) {
        // Half of the bound to go on: else reading would stop and go on with every step.
        let part = if self.halt.in_flight { 2 } else { 1 };
        let (load, span) = (self.intake.sources.load(), self.intake.sources.span());
        self.halt.in_flight = load.records >= (self.bounds.in_flight_records / part).max(1)
            || load.bytes >= (self.bounds.in_flight_bytes / part).max(1)
            || span >= (self.bounds.in_flight_span() / part).max(1);
        self.halt.parked = self.intake.parking.is_full();
        // Only what lasts is worth a pause: librdkafka drops what it has fetched of a paused partition.
        let parked = self.halt.parked;
        let (pause, resume) = self.intake.sources.pause_where(|topic| topic == Topic::Parked && parked);
        if !pause.is_empty() {
            self.log.pause(&pause);
        }
        if !resume.is_empty() {
            self.log.resume(&resume);
        }
    }

    /// Messages read, and how many of them were of feeds.
    fn read(&mut self, now_ms: i64, acked: usize) -> Result<(usize, usize), LogError> {
        let halted = self.reads_nothing();
        let budget = PollBudget {
            // A poll without messages: the group is served all the same.
            messages: if halted { 0 } else { self.bounds.poll_records },
            bytes: self.bounds.poll_bytes,
            wait_ms: if halted || acked > 0 { 0 } else { self.most_wait_ms(now_ms) },
        };
        let (intake, mut read, mut of_feeds) = (&mut self.intake, 0, 0);
        let polled = self.log.poll(budget, &mut |message| {
            read += 1;
            of_feeds += usize::from(matches!(message.topic, Topic::Raw(_)));
            intake.take(&message, now_ms);
        })?;
        self.members(polled, now_ms);
        Ok((read, of_feeds))
    }

    /// How long a step may wait at all.
    fn most_wait_ms(&self, now_ms: i64) -> u64 {
        let due = self.due_ms().map_or(u64::MAX, |due| due.saturating_sub(now_ms).max(0) as u64);
        self.wait_ms.min(due)
    }

    /// Partitions coming and going; a poll that tells of them hands over no messages.
    fn members(&mut self, polled: IngestPolled, now_ms: i64) {
        for at in polled.dropped {
            self.intake.drop_source(at);
            self.intake.end_feed(at);
        }
        for at in polled.assigned {
            self.intake.add_source(at);
            let noted = polled.noted.iter().find(|(noted, _)| *noted == at);
            self.intake.begin_feed(at, noted.map(|(_, committed)| committed), now_ms);
        }
    }

    /// Looks for feeds that are silent, unless there is something of them to read still.
    fn watch(&mut self, now_ms: i64, of_feeds: usize) {
        let paced = self.watched_ms.is_some_and(|at| now_ms.saturating_sub(at) < GAPS_LOOK_EVERY_MS);
        if of_feeds > 0 {
            self.behind = None;
        }
        if paced || of_feeds > 0 || self.reads_nothing() || !self.feeds_are_read(now_ms) {
            return;
        }
        self.watched_ms = Some(now_ms);
        self.intake.watch(now_ms);
    }

    /// Whether all that feeds have sent was read, whatever waits in other topics. A few places that stay behind the last message
    /// hold none: they are the ends of transactions.
    fn feeds_are_read(&mut self, now_ms: i64) -> bool {
        let behind = self.log.lag(&|topic| matches!(topic, Topic::Raw(_))).unwrap_or_default();
        let since_ms =
            self.behind.filter(|(known, _)| *known == behind).map_or(now_ms, |(_, since_ms)| since_ms);
        self.behind = Some((behind, since_ms));
        behind == 0 || (behind <= GAPS_LOOK_BEHIND && now_ms.saturating_sub(since_ms) >= GAPS_LOOK_BEHIND_MS)
    }

    fn commit(&mut self, now_ms: i64) -> Result<(), LogError> {
        let paced = self.committed_ms.is_some_and(|at| now_ms - at < self.bounds.commit_every_ms);
        if paced && !self.stopping {
            return Ok(());
        }
        let next = self.intake.uncommitted();
        if next.is_empty() {
            return Ok(());
        }
        self.committed_ms = Some(now_ms);
        match self.log.commit_noted(&next) {
            Ok(()) => self.intake.committed(&next),
            // A partition on the move: the next poll says whose it is, and its new owner reads again.
            Err(LogError::Retriable(_) | LogError::Fenced(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn due_ms(&self) -> Option<i64> {
        let commit = self.committed_ms.map(|at| at + self.bounds.commit_every_ms);
        let commit = commit.filter(|_| self.intake.has_uncommitted());
        [self.intake.due_ms(), commit].into_iter().flatten().min()
    }

    fn describe(&self, report: &mut Report) {
        let load = self.intake.sources.load();
        (report.in_flight_records, report.in_flight_bytes) = (load.records, load.bytes);
        report.outside_ms = self.intake.outside_ms();
        report.parked_held = self.intake.parking.records();
        report.paused = self.halt != Halt::default();
        report.idle = self.intake.is_idle() && !self.intake.has_uncommitted();
        report.due_ms = self.due_ms();
    }
}
