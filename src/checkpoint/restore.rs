//! Restore of one partition, a bounded piece a step: exact, or refused.
//!
//! The order matters. First the group's **stable** offset: with no transaction of ours open, everything that was
//! committed has its marker on the way. Then the checkpoint partition's high watermark, open transactions included, and
//! reading until the position has reached it: so the markers have arrived here too. Only now the head must stand at the
//! offset, to the message. Then chunks, then the log from the oldest chunk to the head, each shard from its own offset,
//! effects discarded. Invariant 7: what comes out is the state that was committed, byte for byte.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::checks;
use super::found::Found;
use super::head::{Expected, Head, New};
use super::marks::{Marks, work};
use super::predecessor::Predecessor;
use super::refused::{Refused, Why};
use crate::codec::pack::Pack;
use crate::limits::RESTORE_BYTES_PER_STEP;
use crate::log::{LogError, Message, Topic, WorkerLog};
use crate::meter::{Effects, Meter};
use crate::model::{Catalogue, LogOffset};

/// A restore under way.
#[derive(Debug)]
pub struct Restore {
    partition: u32,
    phase: Phase,
    predecessor: Predecessor,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for the stable offset.
    Offset,
    Checkpoint(Box<Reading>),
    Replay(Box<Replay>),
    Over,
}

#[derive(Debug)]
struct Reading {
    committed: Option<LogOffset>,
    next: LogOffset,
    to: LogOffset,
    found: Found,
}

struct Replay {
    meter: Meter,
    head: Head,
    next: LogOffset,
    effects: Effects,
    rest: Rest,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("next", &self.next)
            .field("to", &self.head.offset)
            .finish_non_exhaustive()
    }
}

struct Rest {
    marks: Marks,
    skips: BTreeMap<LogOffset, String>,
    catalogues: Vec<(Arc<Catalogue>, LogOffset)>,
}

/// A restored partition.
pub struct Restored {
    pub meter: Meter,
    /// `None`: new, nothing was ever committed.
    pub committed: Option<LogOffset>,
    pub marks: Marks,
    pub skips: BTreeMap<LogOffset, String>,
    /// Catalogues from the oldest live chunk's on, each with its place in the checkpoint partition.
    pub catalogues: Vec<(Arc<Catalogue>, LogOffset)>,
}

/// How far a step has come.
pub enum Progress {
    /// Step again.
    Going,
    /// Something outside is in the way; step again later.
    Waiting(String),
    Done(Box<Restored>),
    /// Halted; the committed offset, where it is known, is the place to assign.
    Refused(Refused),
}

/// How much and when.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Messages to read in this step.
    pub messages: usize,
    /// A clock that rises steadily, milliseconds.
    pub now_ms: i64,
}

/// Why a step ends early: something is in the way, the partition is refused, or this member is fenced.
enum Halt {
    Wait(String),
    Why(Why),
    Fenced(String),
}

impl From<Why> for Halt {
    fn from(why: Why) -> Self {
        Self::Why(why)
    }
}

impl From<LogError> for Halt {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Retriable(text) => Self::Wait(text),
            LogError::Fenced(text) => Self::Fenced(text),
            LogError::OutOfRange { .. } | LogError::Fatal(_) => Self::Why(Why::Log(error.to_string())),
        }
    }
}

impl From<checks::Unchecked> for Halt {
    fn from(unchecked: checks::Unchecked) -> Self {
        match unchecked {
            checks::Unchecked::Log(error) => error.into(),
            checks::Unchecked::Why(why) => why.into(),
        }
    }
}

impl Restore {
    /// Of a partition that is ours since `now_ms`: what is in the way two seconds later is a dead predecessor's.
    #[must_use]
    pub fn new(partition: u32, now_ms: i64) -> Self {
        Self { partition, phase: Phase::Offset, predecessor: Predecessor::new(now_ms) }
    }

    /// Goes on for at most `budget.messages` messages and [`RESTORE_BYTES_PER_STEP`]. What is interrupted in the middle
    /// of its judgement begins anew.
    ///
    /// # Errors
    /// [`LogError::Fenced`] only.
    pub fn step(
        &mut self,
        log: &mut dyn WorkerLog,
        expected: &Expected,
        budget: Budget,
    ) -> Result<Progress, LogError> {
        let done = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Offset => self.offset(log, expected, budget),
            Phase::Checkpoint(reading) => self.checkpoint(log, expected, budget, reading),
            Phase::Replay(replay) => self.replay(log, budget, replay),
            Phase::Over => Ok(Progress::Going),
        };
        match done {
            Ok(progress) => Ok(progress),
            Err(Halt::Wait(why)) => {
                if matches!(self.phase, Phase::Over) {
                    self.phase = Phase::Offset;
                }
                Ok(Progress::Waiting(why))
            }
            Err(Halt::Why(why)) => Ok(Progress::Refused(Refused { partition: self.partition, why })),
            Err(Halt::Fenced(text)) => Err(LogError::Fenced(text)),
        }
    }

    fn offset(
        &mut self,
        log: &mut dyn WorkerLog,
        expected: &Expected,
        budget: Budget,
    ) -> Result<Progress, Halt> {
        self.phase = Phase::Offset;
        let committed = match log.stable_offset(self.partition) {
            Ok(committed) => committed,
            Err(LogError::Retriable(why)) => {
                self.predecessor.waiting(log, self.partition, budget, None)?;
                return Err(Halt::Wait(why));
            }
            Err(other) => return Err(other.into()),
        };
        checks::topics(log, expected)?;
        let (first, end) = log.bounds(Topic::Checkpoint, self.partition)?;
        let place = committed.as_ref().and_then(|c| c.metadata.parse().ok()).map_or(first, LogOffset);
        self.phase = Phase::Checkpoint(Box::new(Reading {
            committed: committed.map(|c| c.offset),
            next: place.max(first),
            to: end,
            found: Found::default(),
        }));
        Ok(Progress::Going)
    }

    fn checkpoint(
        &mut self,
        log: &mut dyn WorkerLog,
        expected: &Expected,
        budget: Budget,
        mut reading: Box<Reading>,
    ) -> Result<Progress, Halt> {
        let range = Range { topic: Topic::Checkpoint, partition: self.partition, to: reading.to };
        let (before, found) = (reading.next, &mut reading.found);
        let end = scan(log, range, &mut reading.next, budget.messages, &mut |m| {
            found.take(m);
            Ok(())
        });
        match end {
            Ok(true) => self.judge(log, expected, *reading),
            Err(Halt::Wait(why)) => {
                // Its offsets may not have been sent: then this alone tells of an open transaction.
                let barred = if reading.next == before {
                    self.predecessor.waiting(log, self.partition, budget, Some(&reading.found))
                } else {
                    // What was heard just now may go on.
                    Ok(())
                };
                self.phase = Phase::Checkpoint(reading);
                barred?;
                Err(Halt::Wait(why))
            }
            other => {
                self.phase = Phase::Checkpoint(reading);
                other.map(|_| Progress::Going)
            }
        }
    }

    /// Everything is read: is it whole, is it ours, and does it stand where the group is committed?
    fn judge(
        &mut self,
        log: &mut dyn WorkerLog,
        expected: &Expected,
        mut reading: Reading,
    ) -> Result<Progress, Halt> {
        let log_bounds = log.bounds(Topic::Log, self.partition)?;
        let skips = reading.found.skips()?;
        let head = match (reading.committed, reading.found.head()?) {
            (None, None) => return self.begin(expected, log_bounds.0).map_err(Halt::from),
            (None, Some(head)) => return Err(Why::NoOffset { head: head.offset }.into()),
            (Some(committed), None) => return Err(Why::NoHead { committed }.into()),
            (Some(committed), Some(head)) if head.offset != committed => {
                return Err(Why::NotAtCommit { committed, head: head.offset }.into());
            }
            (Some(_), Some(head)) => head,
        };
        checks::head(log, expected, &head)?;
        checks::end(&head, log_bounds.1)?;
        let catalogues = reading.found.catalogues(&head)?;
        let chunks = reading.found.take_chunks()?;
        checks::chunks(&head, &chunks, log_bounds.0)?;
        let bytes: Vec<&[u8]> = chunks.iter().map(|c| c.bytes.as_slice()).collect();
        let known = catalogues.iter().map(|(catalogue, _)| Arc::clone(catalogue)).collect();
        let meter =
            Meter::restore(self.partition, known, &bytes).map_err(|error| Why::Meter(error.to_string()))?;
        let meter = meter.with_faults(expected.faults);
        let marks = Marks::found(chunks.iter().map(|c| (c.info, c.bytes.len() as u64, c.place)));
        let next = chunks.iter().map(|c| c.info.offset).min().unwrap_or(head.offset);
        let rest = Rest { marks, skips, catalogues };
        self.phase = Phase::Replay(Box::new(Replay { meter, head, next, effects: Effects::default(), rest }));
        Ok(Progress::Going)
    }

    fn begin(&self, expected: &Expected, first: LogOffset) -> Result<Progress, Why> {
        if expected.new == New::Refused {
            return Err(Why::NothingThere);
        }
        if first > LogOffset(0) {
            return Err(Why::NewOnOldLog { first });
        }
        Ok(Progress::Done(Box::new(Restored {
            meter: Meter::new(self.partition).with_faults(expected.faults),
            committed: None,
            marks: Marks::none(),
            skips: BTreeMap::new(),
            catalogues: Vec::new(),
        })))
    }

    fn replay(
        &mut self,
        log: &mut dyn WorkerLog,
        budget: Budget,
        mut replay: Box<Replay>,
    ) -> Result<Progress, Halt> {
        let range = Range { topic: Topic::Log, partition: self.partition, to: replay.head.offset };
        let Replay { meter, next, effects, rest, .. } = &mut *replay;
        let end = scan(log, range, next, budget.messages, &mut |m| {
            let work = refold(meter, m, &rest.skips, effects)?;
            rest.marks.replayed(m.offset, work);
            Ok(())
        });
        match end {
            Ok(true) => finish(*replay).map_err(Halt::from),
            Err(Halt::Why(why)) => Err(why.into()),
            other => {
                self.phase = Phase::Replay(replay);
                other.map(|_| Progress::Going)
            }
        }
    }
}

/// Folds one message again; its effects were committed the first time. Answers the [`work`] of it.
///
/// # Errors
/// [`Why::Replay`]; after it the meter must not be used.
pub(super) fn refold(
    meter: &mut Meter,
    message: &Message<'_>,
    skips: &BTreeMap<LogOffset, String>,
    effects: &mut Effects,
) -> Result<u64, Why> {
    let time = message.time_ms.div_euclid(1_000);
    let failed = |detail: String| Why::Replay { offset: message.offset, detail };
    let fold = || -> Result<usize, String> {
        if skips.contains_key(&message.offset) {
            meter.skip(message.offset, time, effects);
            return Ok(0);
        }
        let pack = Pack::read(message.value.unwrap_or_default()).map_err(|e| e.to_string())?;
        meter.fold(message.offset, time, &pack, effects).map_err(|e| e.to_string())?;
        Ok(pack.len())
    };
    let outcome = catch_unwind(AssertUnwindSafe(fold)).unwrap_or_else(|panic| Err(panic_text(&*panic)));
    let events = effects.events.len();
    effects.clear();
    outcome.map(|records| work(records, events)).map_err(failed)
}

/// What a caught panic says.
#[must_use]
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}

/// The state must now be the one that the head speaks of.
fn finish(replay: Replay) -> Result<Progress, Why> {
    let Replay { meter, head, rest, .. } = replay;
    exact("the next offset", &head, &meter.position().0, &head.offset.0)?;
    exact("log time", &head, &meter.log_time(), &head.log_time)?;
    exact("the ledger", &head, &meter.ledger(), &head.ledger)?;
    let Rest { marks, skips, catalogues } = rest;
    Ok(Progress::Done(Box::new(Restored { meter, committed: Some(head.offset), marks, skips, catalogues })))
}

fn exact<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    head: &Head,
    found: &T,
    said: &T,
) -> Result<(), Why> {
    if found == said {
        return Ok(());
    }
    let (found, said) = (format!("{found:?}"), format!("{said:?}"));
    Err(Why::NotExact { what, found, head: said, offset: head.offset })
}

/// What is scanned, up to where.
#[derive(Clone, Copy)]
struct Range {
    topic: Topic,
    partition: u32,
    to: LogOffset,
}

/// Reads on from `next`, at most `messages` and [`RESTORE_BYTES_PER_STEP`]; answers whether the end was reached.
fn scan(
    log: &mut dyn WorkerLog,
    range: Range,
    next: &mut LogOffset,
    messages: usize,
    each: &mut dyn FnMut(&Message<'_>) -> Result<(), Why>,
) -> Result<bool, Halt> {
    if *next >= range.to {
        return Ok(true);
    }
    let (mut room, mut failed) = (Room::new(messages), None);
    let from = *next;
    let end = log.scan(range.topic, range.partition, from, range.to, &mut |message| {
        if message.offset >= range.to {
            return false;
        }
        failed = each(&message).err();
        *next = message.offset.next();
        room.take(&message);
        room.is_left() && failed.is_none()
    });
    match (failed, end) {
        (Some(why), _) => Err(why.into()),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => Ok(room.is_left()),
    }
}

/// What a step may still read. The message that passes the bound is read whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    messages: usize,
    bytes: usize,
}

impl Room {
    pub(super) fn new(messages: usize) -> Self {
        Self { messages: messages.max(1), bytes: RESTORE_BYTES_PER_STEP }
    }

    pub(super) fn take(&mut self, message: &Message<'_>) {
        let bytes = [message.key, message.value].into_iter().flatten().map(<[u8]>::len).sum();
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_left(&self) -> bool {
        self.messages > 0 && self.bytes > 0
    }
}
