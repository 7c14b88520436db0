//! What became of a command: the meter's answer, as it comes; or the one that its id has been given before.
//!
//! The meter answers a command once. A repeat is no news to it, so whoever sends one waits in vain, and so does whoever takes an
//! id that was used for something else. Where the answer does not come soon ClickHouse is asked for the one of before.
//!
//! Invariant: an answer of before is never taken for that of this request: it stands in `card.lifecycle` before the place that
//! was heard when the request came.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Api;
use super::live::Wanted;
use crate::codec::time;
use crate::limits::ANSWER_SOON_MS;
use crate::log::Topic;
use crate::model::{CardId, LogOffset};
use crate::rollup::{Archive, Archived};
use crate::shell::{Answer, Waiting};

/// What a request learns of its command.
pub(super) enum Heard {
    /// The meter's answer to it.
    Answer(Answer),
    /// The one that its id was given before.
    Earlier(Earlier),
    /// None yet.
    Nothing,
}

/// The answer to a command of the same id.
pub(super) struct Earlier {
    pub(super) answer: Answer,
    at: u32,
}

impl Earlier {
    fn of(event: &Archived) -> Option<Self> {
        let answer = match event.kind.as_str() {
            "command.applied" => Answer::Applied,
            "command.refused" => {
                let data: Value = serde_json::from_str(&event.data).ok()?;
                Answer::Refused(data["reason"].as_str()?.to_owned())
            }
            _ => return None,
        };
        Some(Self { answer, at: event.at })
    }

    pub(super) fn shown(&self) -> Value {
        let at = time::text(i64::from(self.at));
        match &self.answer {
            Answer::Applied => json!({ "outcome": "applied", "at": at }),
            Answer::Refused(reason) => json!({ "outcome": "refused", "reason": reason, "at": at }),
        }
    }
}

/// A command whose answer is waited for.
pub(super) struct Awaited<'a> {
    card: CardId,
    command: &'a str,
    waiting: Waiting,
    /// Where answers of before end, and who knows them, if anybody does.
    before: Option<((u32, LogOffset), &'a Archive)>,
}

impl<'a> Awaited<'a> {
    /// Before the command is sent: its answer may be there before the request goes on.
    pub(super) fn new(api: &'a Api, waiting: Waiting, card: CardId, command: &'a str) -> Self {
        let before = heard(api, card).zip(api.archive.as_ref());
        Self { card, command, waiting, before }
    }

    /// Waits for it. One that was applied before ends the wait; one that was refused does not: where no line of the
    /// card remembers it, as when the card was not registered, the meter answers again.
    pub(super) async fn answer(mut self, wait: Duration) -> Heard {
        let earlier = earlier(self.card, self.command, self.before);
        let mut refused = None;
        let first = async {
            let earlier = tokio::select! {
                biased;
                answer = self.waiting.answer() => return Heard::Answer(answer),
                earlier = earlier => earlier,
            };
            if earlier.answer == Answer::Applied {
                return Heard::Earlier(earlier);
            }
            refused = Some(earlier);
            Heard::Answer(self.waiting.answer().await)
        };
        match timeout(wait, first).await {
            Ok(heard) => heard,
            Err(_) => refused.map_or(Heard::Nothing, Heard::Earlier),
        }
    }
}

/// Asks ClickHouse for the answer of before, each time after a longer pause: many may wait while it has much to do.
async fn earlier(card: CardId, command: &str, before: Option<((u32, LogOffset), &Archive)>) -> Earlier {
    let Some((place, archive)) = before else { return std::future::pending().await };
    let mut pause = Duration::from_millis(ANSWER_SOON_MS);
    loop {
        sleep(pause).await;
        pause *= 2;
        if let Ok(Some(event)) = archive.answered(card, command, place).await
            && let Some(earlier) = Earlier::of(&event)
        {
            return earlier;
        }
    }
}

/// Where the card's answers have been heard to.
fn heard(api: &Api, card: CardId) -> Option<(u32, LogOffset)> {
    let places = Wanted { card: Some(card), kind: None }.places(&api.live.as_ref()?.events.places());
    places.iter().find(|(at, _)| at.topic == Topic::Lifecycle).map(|(at, place)| (at.partition, *place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_answer_is_told_with_its_reason_and_its_time() {
        let event = |kind: &str, data: &str| Archived {
            at: 1_785_547_815,
            id: "8986001234567890123/command/k".to_owned(),
            kind: kind.to_owned(),
            iccid: "8986001234567890123".to_owned(),
            data: data.to_owned(),
        };
        let shown = |kind, data| Earlier::of(&event(kind, data)).map(|earlier| earlier.shown());
        let at = "2026-08-01T01:30:15Z";
        let applied = shown("command.applied", r#"{"command":"k"}"#);
        assert_eq!(applied, Some(json!({"outcome": "applied", "at": at})));
        let refused = shown("command.refused", r#"{"command":"k","reason":"no"}"#);
        assert_eq!(refused, Some(json!({"outcome": "refused", "reason": "no", "at": at})));
        assert_eq!(shown("command.refused", "{}"), None);
        assert_eq!(shown("credits.added", "{}"), None);
    }
}
