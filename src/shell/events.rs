//! Events of cards as they are committed, for whoever follows them over HTTP: one tail a process hears them, every stream
//! looks at the same ring.
//!
//! Invariant 5: the ring holds [`EVENTS_HELD_MAX`] events and [`EVENT_STREAMS_MAX`] streams follow. A stream that is behind by
//! a whole ring is ended; nobody waits for it, and it goes on where it was when it comes again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use crate::limits::{EVENT_REPLAYS_MAX, EVENT_STREAMS_MAX, EVENTS_HELD_MAX};
use crate::log::{Message, Places, Topic, TopicPartition};
use crate::model::{CardId, LogOffset};

/// The topics that are followed.
pub const FOLLOWED: [Topic; 3] = [Topic::Alerts, Topic::Activations, Topic::Lifecycle];

/// An event as it stands in its topic.
#[derive(Debug, PartialEq, Eq)]
pub struct Happened {
    pub at: TopicPartition,
    pub offset: LogOffset,
    pub card: CardId,
    /// A CloudEvent in one line.
    pub json: String,
}

impl Happened {
    /// Of a message; `None` if it is no card's event.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Option<Self> {
        let card = CardId::parse(std::str::from_utf8(message.key?).ok()?).ok()?;
        let json = std::str::from_utf8(message.value?).ok()?;
        let at = TopicPartition { topic: message.topic, partition: message.partition };
        Some(Self { at, offset: message.offset, card, json: json.replace(['\r', '\n'], " ") })
    }
}

/// What streams hear: an event, or that some were not heard here.
pub type Heard = Option<Arc<Happened>>;

/// The events of this process's tail.
pub struct Events {
    /// The next place of every partition; empty until the tail has begun. Locked while an event is passed on, so that who
    /// begins to follow knows exactly where.
    places: Mutex<Places>,
    ring: broadcast::Sender<Heard>,
    streams: Arc<Semaphore>,
    replays: Arc<Semaphore>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            places: Mutex::default(),
            ring: broadcast::Sender::new(EVENTS_HELD_MAX),
            streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            replays: Arc::new(Semaphore::new(EVENT_REPLAYS_MAX)),
        }
    }
}

/// Why nobody more may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    #[error("the events are not heard here just now")]
    NotHeard,
    #[error("{EVENT_STREAMS_MAX} streams of events are open here already")]
    TooMany,
}

/// A place among those who follow, given up when dropped.
pub struct Followed {
    /// From which on it hears.
    pub places: Places,
    pub heard: broadcast::Receiver<Heard>,
    _stream: OwnedSemaphorePermit,
}

impl Events {
    fn places_now(&self) -> MutexGuard<'_, Places> {
        // Every write is whole.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the tail has come to; empty before it has begun.
    #[must_use]
    pub fn places(&self) -> Places {
        self.places_now().clone()
    }

    /// The tail begins, or goes on, at these places.
    pub fn begin(&self, places: Places) {
        *self.places_now() = places;
    }

    /// The tail has come to these places, and has passed on what there was before them.
    pub fn reach(&self, places: &Places) {
        for (at, held) in self.places_now().iter_mut() {
            *held = (*held).max(places.get(at).copied().unwrap_or(*held));
        }
    }

    /// What the tail was to read next is gone: it begins anew, and the streams end.
    pub fn lose(&self) {
        self.places_now().clear();
        drop(self.ring.send(None));
    }

    /// Takes a message of one of [`FOLLOWED`].
    pub fn hear(&self, message: &Message<'_>) {
        let at = TopicPartition { topic: message.topic, partition: message.partition };
        let mut places = self.places_now();
        if let Some(place) = places.get_mut(&at) {
            *place = message.offset.next();
        }
        // Without streams nothing is copied.
        if self.ring.receiver_count() > 0
            && let Some(event) = Happened::of(message)
        {
            drop(self.ring.send(Some(Arc::new(event))));
        }
    }

    /// Begins to follow, from now on.
    ///
    /// # Errors
    /// [`NotFollowed`].
    pub fn follow(&self) -> Result<Followed, NotFollowed> {
        let stream = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| NotFollowed::TooMany)?;
        let places = self.places_now();
        if places.is_empty() {
            return Err(NotFollowed::NotHeard);
        }
        Ok(Followed { places: places.clone(), heard: self.ring.subscribe(), _stream: stream })
    }

    /// How many streams follow.
    #[must_use]
    pub fn streams(&self) -> usize {
        EVENT_STREAMS_MAX.saturating_sub(self.streams.available_permits())
    }

    /// A place among those who read again what was; `None` when all are taken.
    #[must_use]
    pub fn replay(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.replays).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    const CARD: &str = "8986001234567890123";

    fn message(offset: u64) -> Message<'static> {
        Message {
            topic: Topic::Alerts,
            partition: 0,
            offset: LogOffset(offset),
            time_ms: 0,
            key: Some(CARD.as_bytes()),
            value: Some(b"{\"id\":\n1}"),
            headers: &[],
        }
    }

    fn begun() -> Events {
        let events = Events::default();
        events.begin(Places::from([(TopicPartition { topic: Topic::Alerts, partition: 0 }, LogOffset(7))]));
        events
    }

    #[test]
    fn who_follows_hears_all_from_its_place_on() {
        let events = begun();
        events.hear(&message(7));
        let mut followed = events.follow().expect("a stream");
        assert_eq!(followed.places.values().copied().collect::<Vec<_>>(), [LogOffset(8)]);
        events.hear(&message(8));
        let event = followed.heard.try_recv().expect("heard").expect("an event");
        assert_eq!((event.offset, event.json.as_str()), (LogOffset(8), "{\"id\": 1}"));
        assert_eq!(followed.heard.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn a_place_that_is_reached_only_grows_and_is_none_once_lost() {
        let events = begun();
        let place = |offset| Places::from([(TopicPartition { topic: Topic::Alerts, partition: 0 }, offset)]);
        events.reach(&place(LogOffset(9)));
        events.reach(&place(LogOffset(8)));
        assert_eq!(events.places(), place(LogOffset(9)));
        events.lose();
        events.reach(&place(LogOffset(10)));
        assert!(events.places().is_empty());
    }

    #[test]
    fn before_the_tail_has_begun_nobody_follows() {
        assert_eq!(Events::default().follow().err(), Some(NotFollowed::NotHeard));
    }

    #[test]
    fn who_is_behind_by_a_ring_is_told_and_holds_nobody_up() {
        let events = begun();
        let mut slow = events.follow().expect("a stream");
        (0..=EVENTS_HELD_MAX as u64).for_each(|n| events.hear(&message(7 + n)));
        assert!(matches!(slow.heard.try_recv(), Err(TryRecvError::Lagged(_))));
    }

    #[test]
    fn a_stream_that_ends_leaves_its_place() {
        let events = begun();
        let streams: Vec<_> = (0..EVENT_STREAMS_MAX).map(|_| events.follow()).collect();
        assert!(streams.iter().all(Result::is_ok));
        assert_eq!(
            (events.follow().err(), events.streams()),
            (Some(NotFollowed::TooMany), EVENT_STREAMS_MAX)
        );
        drop(streams);
        assert_eq!((events.streams(), events.ring.receiver_count()), (0, 0));
        assert!(events.follow().is_ok());
    }

    #[test]
    fn when_events_were_not_heard_every_stream_ends() {
        let events = begun();
        let mut followed = events.follow().expect("a stream");
        events.lose();
        assert_eq!(followed.heard.try_recv(), Ok(None));
        assert!(events.places().is_empty());
    }
}
