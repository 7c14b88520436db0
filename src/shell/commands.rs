//! Commands that reach the log through this process, and their answers on the way back.
//!
//! A command that comes by HTTP takes the same way as any other: through `card.commands` into the log. Nothing is decided
//! here, so a crash between sending and answering loses nothing: sent again under its id, it has its effect once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::answers::Answers;
use super::backoff::Backoff;
use crate::log::{AnswerSource, CommandLog, LogError};

/// The way of commands into the log and of answers back.
#[derive(Clone)]
pub struct Commands {
    pub log: Arc<dyn CommandLog>,
    pub answers: Arc<Answers>,
}

/// How long the reader waits: also the longest that its end takes.
const POLL: Duration = Duration::from_millis(100);

/// Reads answers until told to stop; a source that failed is made anew. Answers given meanwhile are not heard: who waits
/// for one is told that the command was taken.
///
/// # Errors
/// The system has no thread left.
pub fn follow_answers<S: AnswerSource>(
    answers: Arc<Answers>,
    stop: Arc<AtomicBool>,
    mut make: impl FnMut() -> Result<S, LogError> + Send + 'static,
) -> std::io::Result<()> {
    let body = move || {
        let mut backoff = Backoff::default();
        while !stop.load(Ordering::Relaxed) {
            let ended = make().and_then(|mut source| {
                while !stop.load(Ordering::Relaxed) {
                    source.poll(POLL, &mut |value| answers.hear(value))?;
                }
                Ok(())
            });
            if let Err(error) = ended {
                let pause = backoff.next();
                tracing::warn!(%error, retry_in_s = pause.as_secs(), "answers to commands are not heard");
                Backoff::wait(pause, &stop);
            }
        }
    };
    std::thread::Builder::new().name("answers".to_owned()).spawn(body).map(drop)
}
