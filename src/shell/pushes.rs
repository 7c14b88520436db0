//! Batches from HTTP to the ingests' threads, and the word back that the log has them.
//!
//! Invariant 5: what waits is bounded in batches an ingest and in bytes a process, and a batch is let in before its body is
//! read; at the bound, or while an ingest is at its own, it is refused at once. Nothing is kept here: a batch whose ingest
//! ends is told to be sent again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::ingest::{Directory, Ingest, Kept, Push, Refused, Taking, Ticket};
use crate::limits::{PUSH_BYTES_MAX, PUSHES_QUEUED_MAX};
use crate::log::IngestLog;

/// Why a batch was not taken, or is not known to have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("as much is on its way to the log as may be: send the batch again in a moment")]
    Full,
    #[error("no ingest of this process is ready: it does not know the cards yet, or stops; try again")]
    NotReady,
    #[error("this process takes no records: ask one that runs with the role ingest")]
    NoIngest,
    #[error("it is not known whether the log has it: send the batch again, records are known by their ids")]
    Gone,
    #[error(transparent)]
    Refused(#[from] Refused),
}

type Reply = oneshot::Sender<Result<Kept, Refused>>;

/// A batch on its way to an ingest.
struct Batch {
    feed: String,
    bytes: Vec<u8>,
    received_ms: i64,
    reply: Reply,
    /// Its share of the bytes, given back with it.
    room: Room,
}

/// The room that a batch takes.
pub struct Room(#[allow(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

/// An ingest as others see it.
struct Door {
    batches: mpsc::Sender<Batch>,
    taking: Arc<AtomicU8>,
}

/// The ways to the ingests of this process.
pub struct Pushes {
    doors: Vec<Door>,
    next: AtomicUsize,
    room: Arc<Semaphore>,
}

impl Pushes {
    /// Ways to so many ingests.
    #[must_use]
    pub fn new(ingests: usize) -> (Self, Vec<Pushed>) {
        let way = |_| {
            let (batches, taken) = mpsc::channel(PUSHES_QUEUED_MAX);
            let taking = Arc::new(AtomicU8::new(Taking::NotReady as u8));
            let door = Door { batches, taking: Arc::clone(&taking) };
            (door, Pushed { batches: taken, taking, waiting: BTreeMap::new() })
        };
        let (doors, pushed) = (0..ingests).map(way).unzip();
        (Self { doors, next: AtomicUsize::new(0), room: Arc::new(Semaphore::new(PUSH_BYTES_MAX)) }, pushed)
    }

    /// Takes room for a batch of so many bytes, before they are read.
    ///
    /// # Errors
    /// [`NotTaken`]: no ingest takes batches just now.
    pub fn room(&self, bytes: usize) -> Result<Room, NotTaken> {
        self.open_door()?;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        room.map(Room).map_err(|_| NotTaken::Full)
    }

    /// Hands a batch over, and answers when the log has all of it.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn push(
        &self,
        feed: &str,
        bytes: Vec<u8>,
        received_ms: i64,
        room: Room,
    ) -> Result<Kept, NotTaken> {
        let (reply, answer) = oneshot::channel();
        let batch = Batch { feed: feed.to_owned(), bytes, received_ms, reply, room };
        self.open_door()?.batches.try_send(batch).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(_) => NotTaken::NotReady,
        })?;
        answer.await.map_err(|_| NotTaken::Gone)?.map_err(NotTaken::Refused)
    }

    /// The next ingest that takes batches.
    fn open_door(&self) -> Result<&Door, NotTaken> {
        if self.doors.is_empty() {
            return Err(NotTaken::NoIngest);
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let is = |door: &Door, taking: Taking| door.taking.load(Ordering::Relaxed) == taking as u8;
        let in_turn = (0..self.doors.len()).filter_map(|n| self.doors.get((first + n) % self.doors.len()));
        let open = in_turn.clone().find(|door| is(door, Taking::Open));
        open.ok_or_else(|| {
            if in_turn.clone().any(|door| is(door, Taking::Full)) {
                NotTaken::Full
            } else {
                NotTaken::NotReady
            }
        })
    }
}

/// An ingest's end: what was handed over, and who waits for word.
pub struct Pushed {
    batches: mpsc::Receiver<Batch>,
    taking: Arc<AtomicU8>,
    waiting: BTreeMap<Ticket, (Reply, Room)>,
}

impl Pushed {
    /// Hands batches to the ingest while it takes them.
    pub(super) fn take<L: IngestLog, D: Directory>(&mut self, ingest: &mut Ingest<L, D>, now_ms: i64) {
        while ingest.takes_pushes() == Taking::Open {
            let Ok(Batch { feed, bytes, received_ms, reply, room }) = self.batches.try_recv() else { break };
            let push = Push { feed: &feed, bytes: &bytes, received_ms };
            match ingest.push(&push, now_ms) {
                Ok(ticket) => {
                    self.waiting.insert(ticket, (reply, room));
                }
                // Whoever has gone does not hear it.
                Err(refused) => drop(reply.send(Err(refused))),
            }
        }
    }

    /// Tells of what the log has, and whether more is taken.
    pub(super) fn tell<L: IngestLog, D: Directory>(&mut self, ingest: &mut Ingest<L, D>) {
        for (ticket, kept) in ingest.pushed() {
            if let Some((reply, _room)) = self.waiting.remove(&ticket) {
                drop(reply.send(Ok(kept)));
            }
        }
        self.taking.store(ingest.takes_pushes() as u8, Ordering::Relaxed);
    }

    /// The ingest has ended: who waits must send again.
    pub(super) fn end(&mut self) {
        self.taking.store(Taking::NotReady as u8, Ordering::Relaxed);
        self.waiting.clear();
        while self.batches.try_recv().is_ok() {}
    }
}

impl Drop for Pushed {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(ends: &[Pushed], taking: Taking) {
        for end in ends {
            end.taking.store(taking as u8, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_batch_is_let_in_while_there_is_room_and_an_ingest_takes_it() {
        let (pushes, ends) = Pushes::new(2);
        assert_eq!(pushes.room(1).err(), Some(NotTaken::NotReady));
        say(&ends, Taking::Full);
        assert_eq!(pushes.room(1).err(), Some(NotTaken::Full));
        say(&ends[1..], Taking::Open);
        let all = pushes.room(PUSH_BYTES_MAX).ok();
        assert_eq!(pushes.room(1).err(), Some(NotTaken::Full));
        drop(all);
        assert!(pushes.room(1).is_ok());
        assert_eq!(Pushes::new(0).0.room(1).err(), Some(NotTaken::NoIngest));
    }

    #[tokio::test]
    async fn beyond_the_bound_of_waiting_batches_and_when_an_ingest_ends_its_sender_is_told() {
        let (pushes, mut ends) = Pushes::new(1);
        say(&ends, Taking::Open);
        let batch = || async { pushes.push("f", vec![1], 0, pushes.room(1)?).await };
        let waiting: Vec<_> = (0..PUSHES_QUEUED_MAX).map(|_| batch()).collect();
        let waiting = futures_util::future::join_all(waiting);
        let beyond = async {
            let refused = batch().await;
            ends[0].end();
            refused
        };
        let (told, refused) = tokio::join!(waiting, beyond);
        assert_eq!(refused, Err(NotTaken::Full));
        assert!(told.iter().all(|told| *told == Err(NotTaken::Gone)));
    }
}
