//! A thread that follows topics for this process: events of cards, owners of partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::supervisor::{Ended, Supervisor, spawn};
use super::{Answers, Events};
use crate::log::{LogError, Message, Tail, Topic};

/// How long a poll waits: also the longest that the thread's end takes.
const POLL: Duration = Duration::from_millis(100);

/// Follows until told to stop; a tail that failed or panicked is made anew, once `failed` has heard why, and does not tell what came
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
    let failed = move |ended: &Ended<LogError>| {
        // What it panicked at is not met again: whoever follows reads it from the log.
        if matches!(ended, Ended::Failed(LogError::OutOfRange { .. }) | Ended::Panicked(_)) {
            losing.lose();
        }
    };
    follow("events", (stop, hearing), make, hear, failed)
}
