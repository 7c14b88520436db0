//! A thread that follows a topic for this process: answers to commands, owners of partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backoff::Backoff;
use crate::log::{LogError, Message, Tail};

/// How long a poll waits: also the longest that the thread's end takes.
const POLL: Duration = Duration::from_millis(100);

/// Follows until told to stop; a tail that failed is made anew, and does not tell what came meanwhile if it begins at the
/// end. `hearing` says whether it follows just now.
///
/// # Errors
/// The system has no thread left.
pub fn follow<T: Tail>(
    name: &'static str,
    (stop, hearing): (Arc<AtomicBool>, Arc<AtomicBool>),
    mut make: impl FnMut() -> Result<T, LogError> + Send + 'static,
    mut hear: impl FnMut(Message<'_>) + Send + 'static,
) -> std::io::Result<()> {
    let body = move || {
        let mut backoff = Backoff::default();
        while !stop.load(Ordering::Relaxed) {
            let ended = make().and_then(|mut tail| {
                hearing.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    tail.poll(POLL, &mut hear)?;
                    backoff.reset();
                }
                Ok(())
            });
            hearing.store(false, Ordering::Relaxed);
            if let Err(error) = ended {
                let pause = backoff.next();
                tracing::warn!(%error, retry_in_s = pause.as_secs(), "{name} are not heard");
                Backoff::wait(pause, &stop);
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}
