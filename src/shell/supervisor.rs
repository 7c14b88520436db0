//! Keeps a thread's work going: after an attempt that failed or panicked comes another, after a pause.
//!
//! Invariant: work ends only when it is told to stop. What an attempt had in memory is gone with it, so each makes its own; and
//! none ends unseen: each that ended before it was told to is counted, by thread and by why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use metrics::{Counter, counter};

use super::backoff::Backoff;
use crate::guard::{Panicked, caught, or_exit};

/// Why an attempt ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Ended<E> {
    #[error("{0}")]
    Failed(E),
    #[error("its thread has panicked: {0}")]
    Panicked(String),
}

const RESTARTS: &str = "tidegauge_restarts_total";

/// How often attempts have ended, by why: shown from the start, so that the first one is a rise.
struct Restarts {
    failed: Counter,
    panicked: Counter,
}

impl Restarts {
    fn of(thread: &'static str) -> Self {
        let of = |why: &'static str| counter!(RESTARTS, "thread" => thread, "why" => why);
        Self { failed: of("failed"), panicked: of("panicked") }
    }

    fn count<E>(&self, ended: &Ended<E>) {
        match ended {
            Ended::Failed(_) => self.failed.increment(1),
            Ended::Panicked(_) => self.panicked.increment(1),
        }
    }
}

impl<E> From<Panicked> for Ended<E> {
    fn from(panicked: Panicked) -> Self {
        Self::Panicked(panicked.to_string())
    }
}

/// The attempts of one thread.
pub(super) struct Supervisor<'a> {
    stop: &'a AtomicBool,
    backoff: Backoff,
    pause: Duration,
    restarts: Restarts,
}

impl<'a> Supervisor<'a> {
    /// `thread`: what kind of thread it is, as the metric has it.
    pub(super) fn new(thread: &'static str, stop: &'a AtomicBool) -> Self {
        Self { stop, backoff: Backoff::default(), pause: Duration::ZERO, restarts: Restarts::of(thread) }
    }

    /// The next attempt, after the pause that is due. It resets the backoff when it works. Answers why it ended, and how long
    /// the pause before the next will be, or nothing when it was told to stop.
    pub(super) fn attempt<E>(
        &mut self,
        body: impl FnOnce(&mut Backoff) -> Result<(), E>,
    ) -> Option<(Ended<E>, Duration)> {
        Backoff::wait(self.pause, self.stop);
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let backoff = &mut self.backoff;
        let ended = match caught(|| body(backoff)) {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => Ended::Failed(error),
            Err(panicked) => panicked.into(),
        };
        self.restarts.count(&ended);
        self.pause = self.backoff.next();
        Some((ended, self.pause))
    }
}

/// A thread; the process ends with it if it panics outside of an attempt.
///
/// # Errors
/// The system has no thread left.
pub(super) fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.clone()).spawn(move || or_exit(&name, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(
        supervisor: &mut Supervisor<'_>,
        body: impl FnOnce(&mut Backoff) -> Result<(), &'static str>,
    ) -> Option<(String, u128)> {
        let (ended, pause) = supervisor.attempt(body)?;
        Some((ended.to_string(), pause.as_millis()))
    }

    #[test]
    fn what_panics_or_fails_is_begun_anew_until_it_has_ended_by_itself() {
        let stop = AtomicBool::new(false);
        let mut supervisor = Supervisor::new("worker", &stop);
        let (said, pause) = attempt(&mut supervisor, |_| panic!("once")).expect("it ended");
        assert!(said.starts_with("its thread has panicked: ") && said.contains("once"), "{said}");
        assert_eq!(pause, 200);
        assert_eq!(attempt(&mut supervisor, |_| Err("no log")), Some(("no log".to_owned(), 400)));
        assert_eq!(attempt(&mut supervisor, |_| Ok(())), None);
    }

    #[test]
    fn after_what_worked_the_pauses_begin_anew() {
        let stop = AtomicBool::new(false);
        let mut supervisor = Supervisor::new("worker", &stop);
        assert_eq!(attempt(&mut supervisor, |_| Err("a")).map(|(_, pause)| pause), Some(200));
        let worked = |backoff: &mut Backoff| {
            backoff.reset();
            Err("b")
        };
        assert_eq!(attempt(&mut supervisor, worked).map(|(_, pause)| pause), Some(200));
        assert_eq!(attempt(&mut supervisor, |_| Err("c")).map(|(_, pause)| pause), Some(400));
    }

    #[test]
    fn what_ends_before_it_is_told_to_is_counted_by_thread_and_by_why() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let counted = |why: &str| {
            let series = format!("{RESTARTS}{{thread=\"ingest\",why=\"{why}\"}} ");
            let text = handle.render();
            let count = text.lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned);
            count.unwrap_or_else(|| panic!("{series} in {text}"))
        };
        metrics::with_local_recorder(&recorder, || {
            let stop = AtomicBool::new(false);
            let mut supervisor = Supervisor::new("ingest", &stop);
            assert_eq!((counted("failed"), counted("panicked")), ("0".to_owned(), "0".to_owned()));
            attempt(&mut supervisor, |_| Err("no log"));
            attempt(&mut supervisor, |_| panic!("once"));
            attempt(&mut supervisor, |_| Err("no log"));
            attempt(&mut supervisor, |_| Ok(()));
            assert_eq!((counted("failed"), counted("panicked")), ("2".to_owned(), "1".to_owned()));
        });
    }

    #[test]
    fn after_the_order_to_stop_nothing_is_begun() {
        let stop = AtomicBool::new(true);
        assert_eq!(attempt(&mut Supervisor::new("worker", &stop), |_| panic!("begun")), None);
    }
}
