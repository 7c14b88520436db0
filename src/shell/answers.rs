//! Who waits for the answer to a command: `command.applied` or `command.refused`, as any consumer of `card.lifecycle` sees it.
//!
//! Invariant 5: at most [`ANSWERS_AWAITED_MAX`] requests wait; who waits no longer leaves no trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde_json::Value;
use tokio::sync::watch;

use crate::codec::event::CloudEvent;
use crate::limits::ANSWERS_AWAITED_MAX;
use crate::log::Message;
use crate::model::CardId;

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Applied,
    /// With a reason that a support agent can read out.
    Refused(String),
}

type Key = (CardId, String);

/// The commands whose answers are awaited. Threads share it: requests wait, the reader of the events answers.
#[derive(Debug, Default)]
pub struct Answers {
    awaited: DashMap<Key, watch::Sender<Option<Answer>>>,
    /// Requests that wait, several for one command too.
    waiting: AtomicUsize,
    /// Whether the events are being read: else an answer would be missed.
    pub hearing: Arc<AtomicBool>,
}

/// A place in the waiting room, given up when dropped.
pub struct Waiting {
    answers: Arc<Answers>,
    key: Key,
    /// Until it is dropped.
    answer: Option<watch::Receiver<Option<Answer>>>,
}

impl Answers {
    /// Begins to wait, before the command is sent. `None`: too many wait, or nobody would hear the answer.
    #[must_use]
    pub fn wait_for(self: &Arc<Self>, card: CardId, command: &str) -> Option<Waiting> {
        if !self.hearing.load(Relaxed) || self.waiting.load(Relaxed) >= ANSWERS_AWAITED_MAX {
            return None;
        }
        self.waiting.fetch_add(1, Relaxed);
        let key = (card, command.to_owned());
        let answer = self.awaited.entry(key.clone()).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Some(Waiting { answers: Arc::clone(self), key, answer: Some(answer) })
    }

    /// Takes a message of `card.lifecycle`.
    pub fn hear(&self, message: Message<'_>) {
        let value = message.value.unwrap_or_default();
        // Most events answer nobody: they are not even parsed.
        if self.awaited.is_empty() || !is_answer(value) {
            return;
        }
        let Some((key, answer)) = read(value) else { return };
        if let Some(waiting) = self.awaited.get(&key) {
            waiting.send_replace(Some(answer));
        }
    }
}

/// Whether a message may be an answer.
fn is_answer(value: &[u8]) -> bool {
    const NAME: &[u8] = b"io.tidegauge.command.";
    value.windows(NAME.len()).any(|window| window == NAME)
}

fn read(value: &[u8]) -> Option<(Key, Answer)> {
    let event: CloudEvent = serde_json::from_slice(value).ok()?;
    let card = CardId::parse(&event.subject).ok()?;
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).map(str::to_owned);
    let answer = match event.kind.as_str() {
        "io.tidegauge.command.applied.v1" => Answer::Applied,
        "io.tidegauge.command.refused.v1" => Answer::Refused(text("reason")?),
        _ => return None,
    };
    Some(((card, text("command")?), answer))
}

impl Waiting {
    /// The answer, whenever it comes.
    pub async fn answer(&mut self) -> Answer {
        let answer = self.answer.as_mut().expect("it is given up only when dropped");
        let found = answer.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        match found {
            Some(answer) => answer,
            // Not so while somebody waits: the sender lives as long.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.answers.waiting.fetch_sub(1, Relaxed);
        // Given up while the entry is held: of two that end at once one is the last.
        if let Entry::Occupied(entry) = self.answers.awaited.entry(self.key.clone()) {
            drop(self.answer.take());
            if entry.get().receiver_count() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Topic;
    use crate::model::LogOffset;

    const CARD: &str = "8986001234567890123";

    fn event(kind: &str, data: &Value) -> Vec<u8> {
        let mut event = CloudEvent::new(kind, "x".to_owned(), CARD.to_owned(), "test");
        event.data = data.clone();
        serde_json::to_vec(&event).expect("an event is JSON")
    }

    fn hearing() -> Arc<Answers> {
        let answers = Answers::default();
        answers.hearing.store(true, Relaxed);
        Arc::new(answers)
    }

    #[test]
    fn of_two_that_end_at_once_one_is_the_last() {
        let answers = hearing();
        let card = CardId::parse(CARD).expect("an ICCID");
        for _ in 0..2_000 {
            let waiting = [0; 2].map(|_| answers.wait_for(card, "c-1").expect("there is room"));
            std::thread::scope(|scope| {
                for one in waiting {
                    scope.spawn(move || drop(one));
                }
            });
            assert!(answers.awaited.is_empty());
        }
    }

    #[test]
    fn while_nobody_hears_nobody_waits() {
        let answers = Arc::new(Answers::default());
        assert!(answers.wait_for(CardId::parse(CARD).expect("an ICCID"), "c-1").is_none());
    }

    fn message(value: &[u8]) -> Message<'_> {
        let (topic, offset) = (Topic::Lifecycle, LogOffset(0));
        Message { topic, partition: 0, offset, time_ms: 0, key: None, value: Some(value), headers: &[] }
    }

    #[tokio::test]
    async fn every_request_that_waits_for_a_command_hears_its_answer() {
        let answers = hearing();
        let card = CardId::parse(CARD).expect("an ICCID");
        let mut waiting = [0; 2].map(|_| answers.wait_for(card, "c-1").expect("there is room"));
        for (kind, data) in [
            ("command.applied", serde_json::json!({"command": "c-2"})),
            ("card.resumed", serde_json::json!({"command": "c-1"})),
            ("command.refused", serde_json::json!({"command": "c-1", "reason": "no"})),
        ] {
            answers.hear(message(&event(kind, &data)));
        }
        for one in &mut waiting {
            assert_eq!(one.answer().await, Answer::Refused("no".to_owned()));
        }
    }

    #[test]
    fn who_waits_no_longer_leaves_no_trace() {
        let answers = hearing();
        let card = CardId::parse(CARD).expect("an ICCID");
        let first = answers.wait_for(card, "c-1");
        let second = answers.wait_for(card, "c-1");
        drop(first);
        assert_eq!(answers.awaited.len(), 1);
        drop(second);
        assert!(answers.awaited.is_empty());
    }

    #[test]
    fn a_full_waiting_room_takes_nobody() {
        let answers = hearing();
        let card = CardId::parse(CARD).expect("an ICCID");
        let waiting: Vec<_> =
            (0..ANSWERS_AWAITED_MAX).map(|n| answers.wait_for(card, &n.to_string())).collect();
        assert!(waiting.iter().all(Option::is_some) && answers.wait_for(card, "more").is_none());
    }
}
