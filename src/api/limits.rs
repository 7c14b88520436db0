//! What a request may take of this process: time, for its body and in all, and room among the commands on their way into the
//! log.
//!
//! Invariant 5: nothing waits without end. A request that is not answered in time is answered that it was not; a command that
//! finds no room is refused before it is sent, so that sending it again is safe; what a body that dribbles asks for is not done.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::problem::Problem;
use crate::limits::{CLIENT_BODY_MS, COMMANDS_IN_FLIGHT_MAX, REQUEST_MS_MAX};

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

/// Has a body come in time, or answers that it did not.
pub(super) async fn body_in_time(request: Request, next: Next) -> Result<Response, Problem> {
    body_within(Duration::from_millis(CLIENT_BODY_MS), request, next).await
}

async fn body_within(time: Duration, request: Request, next: Next) -> Result<Response, Problem> {
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    let late = Arc::<AtomicBool>::default();
    let until = Box::pin(tokio::time::sleep(time));
    let request = request.map(|body| Body::new(Timely { body, until, late: Arc::clone(&late) }));
    let answer = next.run(request).await;
    if late.load(Relaxed) { Err(Problem::SlowBody) } else { Ok(answer) }
}

/// A body that ends, at the latest, at a time.
struct Timely {
    body: Body,
    until: Pin<Box<Sleep>>,
    /// Whether it was that time that ended it.
    late: Arc<AtomicBool>,
}

impl HttpBody for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            return frame;
        }
        ready!(self.until.as_mut().poll(cx));
        self.late.store(true, Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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

    /// A server of one path that reads a body, and a client that has sent all but the body's end.
    async fn half_sent(time: Duration, tail: &str) -> String {
        let take = |body: Result<axum::Json<serde_json::Value>, axum::extract::rejection::JsonRejection>| async move {
            body.map(|_| "taken").map_err(Problem::from)
        };
        let in_time = move |request, next| body_within(time, request, next);
        let router = axum::Router::new()
            .route("/", axum::routing::post(take))
            .layer(axum::middleware::from_fn(in_time));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut client = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let head = "POST / HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[";
        client.write_all(head.as_bytes()).await.expect("taken");
        client.write_all(tail.as_bytes()).await.expect("taken");
        let mut said = String::new();
        let reading = client.read_to_string(&mut said);
        tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an end").expect("an answer");
        said
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let said = half_sent(Duration::from_millis(100), "").await;
        assert!(
            said.starts_with("HTTP/1.1 408 ") && said.contains("urn:tidegauge:problem:slow-body"),
            "{said}"
        );
        let said = half_sent(Duration::from_secs(20), "]").await;
        assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("taken"), "{said}");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_answered_all_the_same() {
        let millisecond = Duration::from_millis(1);
        let never = within(millisecond, std::future::pending::<()>()).await;
        assert!(matches!(never, Err(Problem::TooSlow(why)) if why.contains("1 ms")));
        assert!(within(millisecond, async { 7 }).await.is_ok_and(|n| n == 7));
    }
}
