//! A thread that follows topics for this process: events of cards, owners of partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backoff::Backoff;
use super::{Answers, Events};
use crate::log::{LogError, Message, Tail, Topic};

/// How long a poll waits: also the longest that the thread's end takes.
const POLL: Duration = Duration::from_millis(100);

/// Follows until told to stop; a tail that failed is made anew, once `failed` has heard why, and does not tell what came
/// meanwhile if it begins at the end. `hearing` says whether it follows just now, and has told
/// all that was there.
///
/// # Errors
/// The system has no thread left.
pub fn follow<T: Tail>(
    name: &'static str,
    (stop, hearing): (Arc<AtomicBool>, Arc<AtomicBool>),
    mut make: impl FnMut() -> Result<T, LogError> + Send + 'static,
    mut hear: impl FnMut(Message<'_>) + Send + 'static,
    mut failed: impl FnMut(&LogError) + Send + 'static,
) -> std::io::Result<()> {
    let body = move || {
        let mut backoff = Backoff::default();
        while !stop.load(Ordering::Relaxed) {
            let ended = make().and_then(|mut tail| {
                while !stop.load(Ordering::Relaxed) {
                    let reached = tail.poll(POLL, &mut hear)?;
                    hearing.store(reached, Ordering::Relaxed);
                    backoff.reset();
                }
                Ok(())
            });
            hearing.store(false, Ordering::Relaxed);
            if let Err(error) = ended {
                failed(&error);
                let pause = backoff.next();
                tracing::warn!(%error, retry_in_s = pause.as_secs(), "{name} are not heard");
                Backoff::wait(pause, &stop);
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// Follows the events of cards, for who waits for an answer and for who follows what happens.
///
/// # Errors
/// The system has no thread left.
pub fn follow_events<T: Tail>(
    stop: Arc<AtomicBool>,
    make: impl FnMut() -> Result<T, LogError> + Send + 'static,
    answers: &Arc<Answers>,
    events: &Arc<Events>,
) -> std::io::Result<()> {
    let (answers, hearing) = (Arc::clone(answers), Arc::clone(&answers.hearing));
    let (events, losing) = (Arc::clone(events), Arc::clone(events));
    let hear = move |message: Message<'_>| {
        events.hear(&message);
        if message.topic == Topic::Lifecycle {
            answers.hear(message);
        }
    };
    let failed = move |error: &LogError| {
        if matches!(error, LogError::OutOfRange { .. }) {
            losing.lose();
        }
    };
    follow("events", (stop, hearing), make, hear, failed)
}
