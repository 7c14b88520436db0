//! Sealed commits: immutable bytes, by partition, on their way through one transaction at a time.
//!
//! A retry sends the same bytes; nothing is folded again. When the end of a commit is not known, the producer is renewed
//! (which ends whatever the old one left open) and the group's stable offset of each partition says what happened: the
//! end of this commit = it was committed; the end of the one before = send it again; anything else = the partition is no
//! longer ours. The transaction is put together anew from the partitions still ours. A partition whose offset cannot be asked for
//! keeps the others waiting no longer: what is sealed of it is dropped, and its state is restored as the log has it, which
//! asks the same and folds nothing before it knows.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::faults::Faults;
use super::sealed::SealedPart;
use crate::limits::{COMMIT_WATCHDOG_MS, SEALED_MAX};
use crate::log::{CommitResult, Committed, Generation, LogError, Output, Topic, Transaction, WorkerLog};
use crate::model::LogOffset;

/// The queue of sealed commits.
#[derive(Default)]
pub(super) struct Commits {
    queue: VecDeque<Sealed>,
    stage: Stage,
}

/// What was sealed at one moment.
struct Sealed {
    parts: Vec<Kept>,
    /// As sent last; a part's outputs lie in it at `Bytes::Sent`.
    sent: Option<Arc<Transaction>>,
    attempts: u32,
    first_sent_ms: i64,
}

struct Kept {
    part: SealedPart,
    bytes: Bytes,
}

enum Bytes {
    Own(Vec<Output>),
    Sent(Range<usize>),
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    /// A transaction is open since then.
    Open {
        since_ms: i64,
    },
    /// The planted fault: offsets go after the outputs.
    OffsetsOpen {
        since_ms: i64,
    },
    Resolving {
        renewed: bool,
        verdicts: Vec<(u32, Verdict)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Committed,
    Again,
    Lost,
    /// It cannot be asked for: the log says no, and not for a moment only.
    Unknown,
}

/// What a step of the queue found out.
#[derive(Default)]
pub(super) struct Outcome {
    pub committed: Vec<SealedPart>,
    /// Partitions that are no longer ours.
    pub lost: Vec<u32>,
    /// Partitions of whose last commit nobody can say whether it was.
    pub unknown: Vec<u32>,
    pub attempts: u32,
    pub took_ms: i64,
    pub trouble: Option<String>,
}

/// What a step of the queue is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub generation: Generation,
    pub now_ms: i64,
    /// How long to wait for the open commit's end.
    pub wait_ms: u64,
    pub faults: Faults,
}

impl Commits {
    /// Whether one more may be sealed.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < SEALED_MAX
    }

    /// Whether a commit's end is waited for.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. } | Stage::OffsetsOpen { .. })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether anything sealed of a partition has no known end yet.
    pub(super) fn holds(&self, partition: u32) -> bool {
        self.queue.iter().any(|s| s.parts.iter().any(|k| k.part.partition == partition))
    }

    pub(super) fn push(&mut self, parts: Vec<(SealedPart, Vec<Output>)>) {
        assert!(self.has_room(), "a seal beyond SEALED_MAX");
        let parts = parts.into_iter().map(|(part, out)| Kept { part, bytes: Bytes::Own(out) }).collect();
        self.queue.push_back(Sealed { parts, sent: None, attempts: 0, first_sent_ms: 0 });
    }

    /// Drops what is sealed of a partition that was lost. The commit under way stays the first, even if nothing is left in
    /// it: its end has to be known, or the producer renewed, before the next is sent.
    pub(super) fn forget(&mut self, partition: u32) {
        for sealed in &mut self.queue {
            let mine = |kept: &mut Kept| kept.part.partition == partition;
            sealed.parts.extract_if(.., mine).for_each(|kept| kept.part.lost());
        }
        let under_way = usize::from(!matches!(self.stage, Stage::Idle));
        let mut at = 0;
        self.queue.retain(|s| {
            at += 1;
            at <= under_way || !s.parts.is_empty()
        });
    }

    /// Goes on with the first of the queue: sends it, looks for its end, or finds out what became of it.
    ///
    /// # Errors
    /// [`LogError::Fenced`] and worse.
    pub(super) fn advance(&mut self, log: &mut dyn WorkerLog, member: Member) -> Result<Outcome, LogError> {
        match self.stage {
            Stage::Idle => {
                self.send(log, member);
                Ok(Outcome::default())
            }
            Stage::Open { since_ms } | Stage::OffsetsOpen { since_ms } => {
                Ok(self.look(log, member, since_ms))
            }
            Stage::Resolving { .. } => self.resolve(log, member),
        }
    }

    fn send(&mut self, log: &mut dyn WorkerLog, member: Member) {
        let Some(sealed) = self.queue.front_mut() else { return };
        if sealed.attempts == 0 {
            sealed.first_sent_ms = member.now_ms;
        }
        let mut transaction = sealed.transaction(member.generation);
        sealed.attempts += 1;
        if member.faults.alter_sealed_bytes_on_retry && sealed.attempts > 1 {
            transaction = Arc::new(altered(&transaction));
        }
        self.stage = Stage::Open { since_ms: member.now_ms };
        if member.faults.offsets_outside_transaction {
            log.commit(Arc::new(half(&transaction, |output| output.topic != Topic::Checkpoint, Vec::new())));
        } else {
            log.commit(transaction);
        }
    }

    fn look(&mut self, log: &mut dyn WorkerLog, member: Member, since_ms: i64) -> Outcome {
        let result = match log.commit_result(member.wait_ms) {
            Some(result) => result,
            None if member.now_ms - since_ms < COMMIT_WATCHDOG_MS => return Outcome::default(),
            None => CommitResult::Unresolved(format!("no answer within {COMMIT_WATCHDOG_MS} ms")),
        };
        match result {
            CommitResult::Committed => self.committed(log, member),
            CommitResult::Unresolved(why) => {
                self.stage = Stage::Resolving { renewed: false, verdicts: Vec::new() };
                Outcome { trouble: Some(format!("commit: {why}")), ..Outcome::default() }
            }
        }
    }

    fn committed(&mut self, log: &mut dyn WorkerLog, member: Member) -> Outcome {
        let outputs_only =
            matches!(self.stage, Stage::Open { .. }) && member.faults.offsets_outside_transaction;
        let sent = self.queue.front().and_then(|s| s.sent.as_ref());
        if let (true, Some(sent)) = (outputs_only, sent) {
            let checkpoint = |output: &Output| output.topic == Topic::Checkpoint;
            log.commit(Arc::new(half(sent, checkpoint, sent.offsets.clone())));
            self.stage = Stage::OffsetsOpen { since_ms: member.now_ms };
            return Outcome::default();
        }
        self.end(member)
    }

    fn end(&mut self, member: Member) -> Outcome {
        self.stage = Stage::Idle;
        let Some(sealed) = self.queue.pop_front() else { return Outcome::default() };
        Outcome {
            attempts: sealed.attempts,
            took_ms: member.now_ms - sealed.first_sent_ms,
            committed: sealed.parts.into_iter().map(|k| k.part).collect(),
            ..Outcome::default()
        }
    }

    fn resolve(&mut self, log: &mut dyn WorkerLog, member: Member) -> Result<Outcome, LogError> {
        let Some(sealed) = self.queue.front_mut() else {
            self.stage = Stage::Idle;
            return Ok(Outcome::default());
        };
        let Stage::Resolving { renewed, verdicts } = &mut self.stage else { return Ok(Outcome::default()) };
        let asked = if member.faults.trust_unresolved {
            trust(log, sealed, verdicts)
        } else {
            ask(log, sealed, renewed, verdicts)
        };
        match asked {
            Ok(()) => Ok(self.judge(member)),
            Err(LogError::Retriable(why)) => {
                Ok(Outcome { trouble: Some(format!("commit unresolved: {why}")), ..Outcome::default() })
            }
            Err(other) => Err(other),
        }
    }

    /// Every partition of the commit has its verdict.
    fn judge(&mut self, member: Member) -> Outcome {
        let Stage::Resolving { verdicts, .. } = std::mem::take(&mut self.stage) else {
            return Outcome::default();
        };
        let of = |p: u32| verdicts.iter().find(|(q, _)| *q == p).map_or(Verdict::Lost, |(_, v)| *v);
        let Some(sealed) = self.queue.front_mut() else { return Outcome::default() };
        let mut out = Outcome {
            attempts: sealed.attempts,
            took_ms: member.now_ms - sealed.first_sent_ms,
            ..Outcome::default()
        };
        for kept in std::mem::take(&mut sealed.parts) {
            match of(kept.part.partition) {
                Verdict::Committed => out.committed.push(kept.part),
                Verdict::Again => sealed.parts.push(kept),
                Verdict::Lost => {
                    out.lost.push(kept.part.partition);
                    kept.part.lost();
                }
                Verdict::Unknown => {
                    out.unknown.push(kept.part.partition);
                    kept.part.lost();
                }
            }
        }
        for partition in out.lost.iter().chain(&out.unknown) {
            self.forget(*partition);
        }
        self.queue.retain(|s| !s.parts.is_empty());
        out
    }
}

/// Renews the producer once, then asks for the stable offset of each partition that has no verdict yet.
fn ask(
    log: &mut dyn WorkerLog,
    sealed: &Sealed,
    renewed: &mut bool,
    verdicts: &mut Vec<(u32, Verdict)>,
) -> Result<(), LogError> {
    if !*renewed {
        log.renew_producer()?;
        *renewed = true;
    }
    for kept in &sealed.parts {
        let partition = kept.part.partition;
        if verdicts.iter().any(|(p, _)| *p == partition) {
            continue;
        }
        let verdict = match log.stable_offset(partition) {
            Ok(stable) => verdict(&kept.part, stable.map(|c| c.offset)),
            Err(LogError::OutOfRange { .. } | LogError::Fatal(_)) => Verdict::Unknown,
            Err(other) => return Err(other),
        };
        verdicts.push((partition, verdict));
    }
    Ok(())
}

/// The planted fault: whatever was sent has been committed.
fn trust(
    log: &mut dyn WorkerLog,
    sealed: &Sealed,
    verdicts: &mut Vec<(u32, Verdict)>,
) -> Result<(), LogError> {
    log.renew_producer()?;
    verdicts.extend(sealed.parts.iter().map(|k| (k.part.partition, Verdict::Committed)));
    Ok(())
}

/// Where a commit moves nothing, "before" and "after" look alike: sending it again does no harm, for it holds no events.
fn verdict(part: &SealedPart, stable: Option<LogOffset>) -> Verdict {
    if stable == part.from {
        Verdict::Again
    } else if stable == Some(part.to) {
        Verdict::Committed
    } else {
        Verdict::Lost
    }
}

impl Sealed {
    /// The bytes to send: those of the first time, as long as all partitions and the generation are the same.
    fn transaction(&mut self, generation: Generation) -> Arc<Transaction> {
        if let Some(sent) = &self.sent
            && sent.generation == generation
            && sent.offsets.len() == self.parts.len()
        {
            return Arc::clone(sent);
        }
        let before = self.sent.take();
        let mut outputs = Vec::new();
        for kept in &mut self.parts {
            let start = outputs.len();
            match std::mem::replace(&mut kept.bytes, Bytes::Sent(0..0)) {
                Bytes::Own(own) => outputs.extend(own),
                Bytes::Sent(range) => {
                    let sent = before.as_ref().and_then(|b| b.outputs.get(range));
                    outputs.extend_from_slice(sent.unwrap_or_default());
                }
            }
            kept.bytes = Bytes::Sent(start..outputs.len());
        }
        let offsets = self.parts.iter().map(|k| (k.part.partition, k.part.offset())).collect();
        let transaction = Arc::new(Transaction { generation, outputs, offsets });
        self.sent = Some(Arc::clone(&transaction));
        transaction
    }
}

/// The planted fault: the first output for the world outside is missing.
fn altered(transaction: &Transaction) -> Transaction {
    let mut altered = transaction.clone();
    let lost = altered.outputs.iter().position(|output| output.topic != Topic::Checkpoint);
    if let Some(lost) = lost {
        altered.outputs.remove(lost);
    }
    altered
}

/// The planted fault: some of the outputs go in a transaction of their own.
fn half(whole: &Transaction, which: impl Fn(&Output) -> bool, offsets: Vec<(u32, Committed)>) -> Transaction {
    let outputs = whole.outputs.iter().filter(|output| which(output)).cloned().collect();
    Transaction { generation: whole.generation, outputs, offsets }
}
