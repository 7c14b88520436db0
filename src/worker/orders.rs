//! Requests served between batches: questions about cards, and the orders drain and skip.

use super::live::{Halted, Hold, Live};
use super::mailbox::{Answer, CardAnswer, Mailbox, OrderError, Reply, Request};
use super::partition::Partition;
use super::shelf::Partitions;
use super::{Clock, Worker};
use crate::checkpoint::{Key, Skip, encode, record};
use crate::limits::{REQUESTS_PER_STEP, STALE_AFTER_S};
use crate::log::WorkerLog;
use crate::model::{CardId, LogOffset, UnixTime, partition_of};
use crate::rollup::RowSink;

impl<L: WorkerLog, S: RowSink> Worker<L, S> {
    pub(super) fn serve(&mut self, mailbox: &mut dyn Mailbox) {
        for _ in 0..REQUESTS_PER_STEP {
            let Some(request) = mailbox.next() else { return };
            self.answer(request);
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Card { card, reply } => reply(self.card(card)),
            Request::Drain { reply } => {
                self.drain();
                self.drains.push(reply);
            }
            Request::GoOn { reply } => {
                self.go_on();
                reply(());
            }
            Request::Skip { partition, offset, reason, reply } => {
                self.skip(Skip { offset, reason }, partition, reply);
            }
        }
    }

    /// A card as of the last message folded.
    pub fn card(&self, card: CardId) -> CardAnswer {
        let partition = partition_of(card, self.settings.partitions);
        card_of(&self.partitions, (partition, card), self.staleness().at(self.now.clock_ms))
    }

    pub(super) fn staleness(&self) -> Staleness {
        Staleness(self.settings.clock)
    }

    /// Stops folding in every partition, in good order.
    pub(super) fn hold(&mut self, hold: Hold) {
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            live.hold.get_or_insert(hold);
        }
    }

    /// Folds no more, neither what it has nor what it will get, and writes all of it whole: as [`Request::Drain`], to whoever
    /// takes the place of a worker that was drained.
    pub fn drain(&mut self) {
        self.drained = true;
        self.hold(Hold::Drained);
    }

    /// Whether it was ordered to drain, and not to go on.
    pub fn is_to_drain(&self) -> bool {
        self.drained
    }

    fn go_on(&mut self) {
        self.drained = false;
        for reply in self.drains.drain(..) {
            reply(Err(OrderError::GoesOn));
        }
        for live in self.partitions.values_mut().filter_map(Partition::live_mut) {
            if live.hold == Some(Hold::Drained) {
                live.hold = None;
            }
        }
    }

    /// The order becomes part of the checkpoint, in the commit that carries the partition past the message.
    fn skip(&mut self, skip: Skip, partition: u32, reply: Reply<Result<(), OrderError>>) {
        let now_ms = self.now.ms;
        let state = self.partitions.get(&partition).map(Partition::state);
        let Some(state) = state else { return reply(Err(OrderError::NotHere(partition))) };
        // One that came back parked is sealed for once it is fetched.
        let held = self.group.holds(partition);
        let live = self.partitions.get_mut(&partition).and_then(Partition::live_mut);
        if let Some(live) = live.filter(|live| held && live.may_skip(skip.offset)) {
            return live.skip(skip, reply, now_ms);
        }
        let state = state.name().to_owned();
        reply(Err(OrderError::NotHaltedThere { partition, offset: skip.offset, state }));
    }

    /// Answers drains that are done: every shard as of the last offset, and that committed. Before the group has said what is
    /// here nothing is known to be.
    pub(super) fn answer_drains(&mut self) {
        if self.drains.is_empty() || !self.group.joined || !self.is_drained() {
            return;
        }
        let answer = self.unread().map_or(Ok(()), Err);
        for reply in self.drains.drain(..) {
            reply(answer.clone());
        }
    }

    /// A partition that the log would not let be read, and that will be tried again: its chunks are of many offsets still. It
    /// may take for ever, so whoever waits is told.
    fn unread(&self) -> Option<OrderError> {
        self.partitions.values().find_map(|state| match state {
            Partition::Refused { why, again_ms: Some(_), .. } => Some(OrderError::NotDrained(why.clone())),
            _ => None,
        })
    }

    /// Whether nothing is under way. What is being restored is drained when it lives: its chunks are of many offsets still.
    pub(super) fn is_drained(&self) -> bool {
        let drained = |partition: &Partition| match partition {
            Partition::Live(live) => {
                live.unsealed.since_ms.is_none() && live.marks.behind(live.meter.position()) == 0
            }
            Partition::Restoring(_) => false,
            Partition::Refused { .. } | Partition::Lost => true,
        };
        self.commits.is_empty() && self.partitions.values().all(drained)
    }
}

impl Live {
    /// Only a message that cannot be folded may be passed over. One from the future would take log time with it.
    fn may_skip(&self, offset: LogOffset) -> bool {
        matches!(self.halted, Some(Halted::Poison { at, .. }) if at == offset)
    }

    fn skip(&mut self, skip: Skip, reply: Reply<Result<(), OrderError>>, now_ms: i64) {
        let key = Key::Skip { offset: skip.offset };
        self.unsealed.push(record(self.partition, key, Some(encode(&skip))));
        self.unsealed.orders.push(reply);
        self.unsealed.tell(now_ms);
        self.skips.insert(skip.offset, skip.reason);
        self.stop_at = None;
        self.halted = None;
    }
}

/// A card of a partition as of the last message folded. `stale`: whether a log time is behind.
pub(super) fn card_of(
    partitions: &Partitions,
    (partition, card): (u32, CardId),
    stale: impl Fn(UnixTime) -> bool,
) -> CardAnswer {
    let live = match partitions.get(&partition) {
        Some(Partition::Live(live)) => live,
        Some(Partition::Refused { why, .. }) => {
            return CardAnswer::NotReady { partition, why: why.clone() };
        }
        Some(Partition::Restoring(_)) => {
            return CardAnswer::NotReady { partition, why: "it is being restored".to_owned() };
        }
        Some(Partition::Lost) | None => return CardAnswer::Elsewhere { partition },
    };
    let (offset, log_time) = (live.meter.position(), live.meter.log_time());
    match live.meter.card(card) {
        None => CardAnswer::Unknown { partition, offset, log_time },
        Some(view) => CardAnswer::Known(Box::new(Answer {
            partition,
            offset,
            log_time,
            stale: live.halted.is_some() || stale(log_time),
            view,
        })),
    }
}

/// When a log time is behind: in deployments with the supplied clock it has nothing to do with the machine's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Staleness(Clock);

impl Staleness {
    pub(super) fn at(self, clock_ms: i64) -> impl Fn(UnixTime) -> bool {
        let now = clock_ms.div_euclid(1_000);
        move |log_time| self.0 == Clock::Log && now.saturating_sub(log_time) > STALE_AFTER_S
    }
}

/// The offset at which a partition stands.
pub(super) fn halted_at(halted: Option<&Halted>) -> Option<LogOffset> {
    match halted? {
        Halted::Poison { at, .. }
        | Halted::Ahead { at, .. }
        | Halted::Gone { at, .. }
        | Halted::Unflushed { at, .. } => Some(*at),
    }
}
