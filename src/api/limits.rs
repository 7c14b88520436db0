//! What a request may take of this process: time, and room among the commands on their way into the log.
//!
//! Invariant 5: nothing waits without end. A request that is not answered in time is answered that it was not; a command that
//! finds no room is refused before it is sent, so that sending it again is safe.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::limits::{COMMANDS_IN_FLIGHT_MAX, REQUEST_MS_MAX};

/// Room for commands on their way.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(COMMANDS_IN_FLIGHT_MAX)))
    }
}

impl Room {
    /// Takes a place until it is dropped.
    ///
    /// # Errors
    /// [`Problem::Busy`]: the log takes commands more slowly than they come.
    pub(super) fn take(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            Problem::Busy(format!(
                "{COMMANDS_IN_FLIGHT_MAX} commands wait for the log already, this one was not sent: come again"
            ))
        })
    }
}

/// Answers in time, one way or the other.
pub(super) async fn in_time(request: Request, next: Next) -> Result<Response, Problem> {
    within(Duration::from_millis(REQUEST_MS_MAX), next.run(request)).await
}

async fn within<T>(time: Duration, answer: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(time, answer).await.map_err(|_| {
        Problem::TooSlow(format!(
            "no answer within {} ms; an order may have been taken: send it again under the same Idempotency-Key",
            time.as_millis()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_beyond_the_room_are_refused_until_there_is_room() {
        let room = Room::default();
        let mut taken: Vec<_> = (0..COMMANDS_IN_FLIGHT_MAX).map(|_| room.take()).collect();
        assert!(taken.iter().all(Result::is_ok));
        assert!(matches!(room.take(), Err(Problem::Busy(_))));
        drop(taken.pop());
        assert!(room.take().is_ok());
    }

    #[tokio::test]
    async fn what_takes_too_long_is_answered_all_the_same() {
        let millisecond = Duration::from_millis(1);
        let never = within(millisecond, std::future::pending::<()>()).await;
        assert!(matches!(never, Err(Problem::TooSlow(why)) if why.contains("1 ms")));
        assert!(within(millisecond, async { 7 }).await.is_ok_and(|n| n == 7));
    }
}
