//! What a panic may end: an attempt, or the process, and never a thread in silence.
//!
//! Invariant 6: what cannot be proved right does not run, and is missed. Whoever knows how to begin anew catches the panic
//! and does so; where nobody does, the process ends as failed, and whoever watches over it starts it again. Its state is in
//! the log. (A panic in the fold condemns its partition alone: see `worker`.)

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::checkpoint::panic_text;

/// How the process ends when what cannot be begun anew has panicked.
const FAILED: i32 = 1;

/// What was done instead of an answer. What the body has touched must be thrown away, or be whole at every moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Panicked(String);

/// Calls the body.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| Panicked(panic_text(&*panic)))
}

/// Awaits the body.
pub(crate) async fn caught_in<T>(body: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut body = pin!(body);
    poll_fn(|context| match caught(|| body.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Calls what nobody could begin anew.
pub(crate) fn or_exit(name: &str, body: impl FnOnce()) {
    if let Err(panicked) = caught(body) {
        exit(name, &panicked);
    }
}

/// Awaits what nobody could begin anew.
pub(crate) async fn or_exit_in(name: &str, body: impl Future<Output = ()>) {
    if let Err(panicked) = caught_in(body).await {
        exit(name, &panicked);
    }
}

/// Ends the process without another word to anybody: whoever told it to stop does not want to wait. What was not
/// committed is read again.
pub(crate) fn end_at_once() -> ! {
    tracing::warn!("told to stop again: ending at once; what was not committed is read again");
    std::process::exit(FAILED)
}

fn exit(name: &str, panicked: &Panicked) -> ! {
    tracing::error!(
        name,
        "{panicked}; it cannot go on, so the process ends: start it again, its state is in the log"
    );
    std::process::exit(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer_with_its_message() {
        assert_eq!(caught(|| 7), Ok(7));
        let said = caught(|| panic!("card {}", 9)).map(|(): ()| ()).expect_err("it panics").to_string();
        assert!(said.contains("card 9"), "{said}");
    }

    #[tokio::test]
    async fn a_panic_behind_an_await_is_one_too() {
        assert_eq!(caught_in(async { 7 }).await, Ok(7));
        let late = async {
            tokio::task::yield_now().await;
            panic!("late");
        };
        let said = caught_in(late).await.map(|(): ()| ()).expect_err("it panics").to_string();
        assert!(said.contains("late"), "{said}");
    }

    const PLANTED: &str = "TIDEGAUGE_TEST_PLANTED_PANIC";

    #[test]
    #[ignore = "the process that the test below begins"]
    fn planted() {
        if std::env::var_os(PLANTED).is_some() {
            let thread = std::thread::spawn(|| or_exit("planted", || panic!("on purpose")));
            let _ = thread.join();
            // Reached only by a process that has outlived it.
            std::process::exit(0);
        }
    }

    #[test]
    fn the_process_ends_as_failed_where_nothing_can_be_begun_anew() {
        let mut process = std::process::Command::new(std::env::current_exe().expect("this test"));
        process.args(["--ignored", "--exact", "guard::tests::planted"]).env(PLANTED, "yes");
        let ended = process.output().expect("it starts");
        assert_eq!(ended.status.code(), Some(FAILED), "{ended:?}");
    }
}
