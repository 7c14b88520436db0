//! A thread that follows topics for this process: events of cards, owners of partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::supervisor::{Ended, Supervisor, spawn};
use super::{Answers, Events};
use crate::log::{LogError, Message, Places, Tail, Topic};

/// How long a poll waits: also the longest that the thread's end takes.
const POLL: Duration = Duration::from_millis(100);

/// Follows until told to stop; a tail that failed or panicked is made anew, once `failed` has heard why, and does not
/// tell what came meanwhile if it begins at the end. `hearing` says whether it follows just now, and has told all that
/// was there.
///
/// # Errors
/// The system has no thread left.
pub fn follow<T: Tail>(
    name: &'static str,
    (stop, hearing): (Arc<AtomicBool>, Arc<AtomicBool>),
    mut make: impl FnMut() -> Result<T, LogError> + Send + 'static,
    mut hear: impl FnMut(Message<'_>) + Send + 'static,
    mut failed: impl FnMut(&Ended<LogError>) + Send + 'static,
) -> std::io::Result<()> {
    let body = move || {
        let mut supervisor = Supervisor::new(name, &stop);
        while let Some((ended, pause)) = supervisor.attempt(|backoff| {
            let mut tail = make()?;
            while !stop.load(Ordering::Relaxed) {
                let reached = tail.poll(POLL, &mut hear)?;
                hearing.store(reached, Ordering::Relaxed);
                backoff.reset();
            }
            Ok(())
        }) {
            hearing.store(false, Ordering::Relaxed);
            failed(&ended);
            tracing::warn!(%ended, retry_in_s = pause.as_secs(), "{name} are not heard");
        }
    };
    spawn(name.to_owned(), body).map(drop)
}

/// Follows the events of cards, for who waits for an answer and for who follows what happens.
///
/// # Errors
/// The system has no thread left.
pub fn follow_events<T: Tail>(
    stop: Arc<AtomicBool>,
    mut make: impl FnMut() -> Result<T, LogError> + Send + 'static,
    answers: &Arc<Answers>,
    events: &Arc<Events>,
) -> std::io::Result<()> {
    let (answers, hearing) = (Arc::clone(answers), Arc::clone(&answers.hearing));
    let (events, losing, reached) = (Arc::clone(events), Arc::clone(events), Arc::clone(events));
    let make = move || Ok(Telling { tail: make()?, events: Arc::clone(&reached) });
    let hear = move |message: Message<'_>| {
        events.hear(&message);
        if message.topic == Topic::Lifecycle {
            answers.hear(message);
        }
    };
    let failed = move |ended: &Ended<LogError>| {
        // What it panicked at is not met again: whoever follows reads it from the log.
        if matches!(ended, Ended::Failed(LogError::OutOfRange { .. }) | Ended::Panicked(_)) {
            losing.lose();
        }
    };
    follow("events", (stop, hearing), make, hear, failed)
}

/// A tail that tells how far it has come after each poll: beyond the last message there may be offsets that are none, as the
/// ends of transactions, and a tail that begins later begins behind them.
struct Telling<T> {
    tail: T,
    events: Arc<Events>,
}

impl<T: Tail> Tail for Telling<T> {
    fn places(&self) -> Places {
        self.tail.places()
    }

    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
        let reached = self.tail.poll(wait, each)?;
        self.events.reach(&self.tail.places());
        Ok(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TopicPartition;
    use crate::model::LogOffset;

    const AT: TopicPartition = TopicPartition { topic: Topic::Alerts, partition: 0 };

    /// Holds an event at 5 and the end of its transaction at 6.
    struct Transaction(LogOffset);

    impl Tail for Transaction {
        fn places(&self) -> Places {
            Places::from([(AT, self.0)])
        }

        fn poll(&mut self, _: Duration, each: &mut dyn FnMut(Message<'_>)) -> Result<bool, LogError> {
            let TopicPartition { topic, partition } = AT;
            let offset = std::mem::replace(&mut self.0, LogOffset(7));
            each(Message { topic, partition, offset, time_ms: 0, key: None, value: None, headers: &[] });
            Ok(true)
        }
    }

    #[test]
    fn a_place_behind_the_end_of_a_transaction_is_reached_without_a_further_event() {
        let events = Arc::<Events>::default();
        events.begin(Places::from([(AT, LogOffset(5))]));
        let mut tail = Telling { tail: Transaction(LogOffset(5)), events: Arc::clone(&events) };
        let mut before = Places::new();
        let polled = tail.poll(Duration::ZERO, &mut |message| {
            before = events.places();
            events.hear(&message);
        });
        assert_eq!(polled, Ok(true));
        assert_eq!(before, Places::from([(AT, LogOffset(5))]), "not before the event was passed on");
        assert_eq!(events.places(), Places::from([(AT, LogOffset(7))]));
    }
}
