//! Events as they are committed, as Server-Sent Events: of one card, or of all.
//!
//! A stream's ids are places in the topics, so a client that was away goes on where it was (`Last-Event-ID`): what it has
//! missed is read again from the topics, then it hears what comes. At least once: an event that was sent without an id of
//! its own may come again; its `id` in the data tells.
//!
//! Invariant: a client costs a place in the ring and no more. One that is too slow for it is disconnected.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::ahead::heard;
use super::cursor::Question;
use super::problem::Problem;
use super::replayed::{Replayed, replay};
use crate::limits::{EVENT_BEAT_S, EVENT_RECONNECT_MS, EVENTS_PER_ID};
use crate::log::{LogError, Places, Replay};
use crate::model::{CardId, LogOffset, partition_of_key};
use crate::shell::{Events, FOLLOWED, Followed, Happened, NotFollowed};

/// Opens a reader of what was.
pub type Reader = Arc<dyn Fn() -> Result<Box<dyn Replay>, LogError> + Send + Sync>;

/// The events that streams are made of.
#[derive(Clone)]
pub struct Live {
    pub events: Arc<Events>,
    pub reader: Reader,
}

/// Which events are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) card: Option<CardId>,
    /// What the type begins with, as `alert.` or `package.activated`.
    pub(super) kind: Option<String>,
}

impl Wanted {
    pub(super) fn has(&self, event: &Happened) -> bool {
        let kind = self.kind.as_deref().map(|kind| format!("\"type\":\"io.tidegauge.{kind}"));
        self.card.is_none_or(|card| card == event.card) && kind.is_none_or(|kind| event.json.contains(&kind))
    }

    /// The places that matter: all of a fleet's, a card's partition of each topic.
    pub(super) fn places(&self, all: &Places) -> Places {
        let Some(card) = self.card else { return all.clone() };
        let mut places = Places::new();
        for topic in FOLLOWED {
            let partitions = all.keys().filter(|at| at.topic == topic).count().max(1);
            let partition = partition_of_key(&card.text(), partitions as u32);
            let found = all.iter().find(|(at, _)| at.topic == topic && at.partition == partition);
            places.extend(found.map(|(at, place)| (*at, *place)));
        }
        places
    }
}

/// The answer to a request for a stream.
pub(super) async fn answer(
    live: &Live,
    deployment: &str,
    wanted: Wanted,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let mut followed = live.events.follow()?;
    followed.places = wanted.places(&followed.places);
    let card = wanted.card.map(|card| card.to_string()).unwrap_or_default();
    let question = Question::of(&["live", deployment, &card, &followed.places.len().to_string()]);
    let mut replayed = None;
    if let Some(id) = headers.get("last-event-id") {
        let id = id.to_str().map_err(|_| Problem::Cursor)?;
        let from = read(question.place(id)?, &followed.places).ok_or(Problem::Cursor)?;
        heard(live, &from).await?;
        let to = std::mem::replace(&mut followed.places, from.clone());
        replayed = replay(live, &wanted, (from, &to))?;
    }
    let begun =
        Following { followed, question, wanted, replayed, unnamed: 0, hello: true, beat: next_beat() };
    let mut response = Sse::new(begun.events()).into_response();
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().extend([unbuffered]);
    Ok(response)
}

impl From<NotFollowed> for Problem {
    fn from(why: NotFollowed) -> Self {
        match why {
            NotFollowed::NotHeard => Self::NotReady(why.to_string()),
            NotFollowed::TooMany => Self::Busy(why.to_string()),
        }
    }
}

fn write(places: &Places) -> String {
    places.values().map(|place| format!("{:x}", place.0)).collect::<Vec<_>>().join("-")
}

/// Places of the same partitions.
fn read(text: &str, like: &Places) -> Option<Places> {
    let places: Vec<u64> =
        text.split('-').map(|place| u64::from_str_radix(place, 16).ok()).collect::<Option<_>>()?;
    let pairs = like.keys().zip(places.iter()).map(|(at, place)| (*at, LogOffset(*place)));
    (places.len() == like.len()).then(|| pairs.collect())
}

fn next_beat() -> Instant {
    Instant::now() + Duration::from_secs(EVENT_BEAT_S)
}

/// One stream on its way.
struct Following {
    followed: Followed,
    question: Question,
    wanted: Wanted,
    /// What is read again before anything else is heard.
    replayed: Option<mpsc::Receiver<Replayed>>,
    /// Events sent since the last id.
    unnamed: usize,
    hello: bool,
    /// When something is said though nothing happens: proxies end silent connections.
    beat: Instant,
}

impl Following {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut following| async move {
            let event = following.next().await?;
            following.beat = next_beat();
            Some((Ok(event), following))
        })
    }

    /// The next thing to say; `None` ends the stream, and the client comes again.
    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.hello) {
            return Some(self.named(Event::default().retry(Duration::from_millis(EVENT_RECONNECT_MS))));
        }
        while let Some(replayed) = &mut self.replayed {
            match timeout_at(self.beat, replayed.recv()).await {
                Err(_) => return Some(self.beats()),
                // The reader has ended before it had come to the end.
                Ok(None) => return None,
                Ok(Some(Replayed::Event(event))) => {
                    self.followed.places.insert(event.at, event.offset.next());
                    return Some(self.event(&event, false));
                }
                Ok(Some(Replayed::Through(at, place))) => drop(self.followed.places.insert(at, place)),
                Ok(Some(Replayed::Gap(why))) => {
                    let gap = Event::default().event("gap").data(json!({ "why": why }).to_string());
                    return Some(gap);
                }
                Ok(Some(Replayed::Done)) => {
                    self.replayed = None;
                    return Some(self.beats());
                }
            }
        }
        loop {
            match timeout_at(self.beat, self.followed.heard.recv()).await {
                Err(_) => return Some(self.beats()),
                Ok(Ok(heard)) => {
                    if let Some(event) = self.news(heard?.as_ref()) {
                        return Some(event);
                    }
                }
                // It was too slow for the ring.
                Ok(Err(_)) => return None,
            }
        }
    }

    /// An event that was heard, if it is wanted and was not sent already.
    fn news(&mut self, event: &Happened) -> Option<Event> {
        let place = self.followed.places.get_mut(&event.at)?;
        if event.offset < *place {
            return None;
        }
        *place = event.offset.next();
        let last = self.followed.heard.is_empty();
        self.wanted.has(event).then(|| self.event(event, last))
    }

    /// The last of many has the id: of a fleet it is long.
    fn event(&mut self, event: &Happened, last: bool) -> Event {
        self.unnamed += 1;
        let said = Event::default().data(&event.json);
        if last || self.wanted.card.is_some() || self.unnamed >= EVENTS_PER_ID {
            self.named(said)
        } else {
            said
        }
    }

    /// Nothing new, but the place: an event without data is none to a client, but its id counts.
    fn beats(&mut self) -> Event {
        self.named(Event::default().comment("nothing new"))
    }

    fn named(&mut self, event: Event) -> Event {
        self.unnamed = 0;
        event.id(self.question.after(write(&self.followed.places)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Topic, TopicPartition};

    fn at(topic: Topic, partition: u32) -> TopicPartition {
        TopicPartition { topic, partition }
    }

    fn fleet() -> Places {
        FOLLOWED.iter().flat_map(|t| (0..4).map(|p| (at(*t, p), LogOffset(u64::from(p) * 100)))).collect()
    }

    #[test]
    fn places_are_read_as_they_were_written() {
        let places = fleet();
        assert_eq!(read(&write(&places), &places), Some(places.clone()));
        for text in ["", "1-2", "x", &format!("{}-1", write(&places))] {
            assert_eq!(read(text, &places), None, "{text}");
        }
    }

    #[test]
    fn a_card_has_one_partition_of_each_topic() {
        let card = CardId::parse("8986001234567890123").expect("an ICCID");
        let places = Wanted { card: Some(card), kind: None }.places(&fleet());
        let partition = crate::model::partition_of(card, 4);
        let expected =
            [Topic::Alerts, Topic::Activations, Topic::Lifecycle].map(|topic| at(topic, partition));
        assert_eq!(places.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_wanted_is_told_by_card_and_type() {
        let card = CardId::parse("8986001234567890123").expect("an ICCID");
        let other = CardId::parse("8986001234567890124").expect("an ICCID");
        let json = "{\"type\":\"io.tidegauge.alert.fired.v1\"}".to_owned();
        let event = Happened { at: at(Topic::Alerts, 0), offset: LogOffset(0), card, json };
        let wanted = |card, kind: Option<&str>| Wanted { card, kind: kind.map(str::to_owned) }.has(&event);
        assert!(
            wanted(None, None) && wanted(Some(card), Some("alert.")) && wanted(None, Some("alert.fired"))
        );
        assert!(!wanted(Some(other), None) && !wanted(Some(card), Some("package.")));
    }

    async fn said(following: &mut Following) -> Option<String> {
        let event = following.next().await?;
        let stream = stream::once(async { Ok::<_, Infallible>(event) });
        let body = axum::body::to_bytes(Sse::new(stream).into_response().into_body(), 10_000).await;
        Some(String::from_utf8(body.expect("a body").to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn a_stream_says_where_it_is_then_what_comes_and_ends_when_it_is_too_slow() {
        let events = Events::default();
        events.begin(fleet());
        let card = CardId::parse("8986001234567890123").expect("an ICCID");
        let key = card.to_string();
        let partition = crate::model::partition_of(card, 4);
        let hear = |offset: u64| {
            events.hear(&crate::log::Message {
                topic: Topic::Alerts,
                partition,
                offset: LogOffset(offset),
                time_ms: 0,
                key: Some(key.as_bytes()),
                value: Some(b"{}"),
                headers: &[],
            });
        };
        let wanted = Wanted { card: Some(card), kind: None };
        let mut followed = events.follow().expect("a stream");
        followed.places = wanted.places(&followed.places);
        let question = Question::of(&["test"]);
        let mut following = Following {
            followed,
            question,
            wanted,
            replayed: None,
            unnamed: 0,
            hello: true,
            beat: next_beat(),
        };
        let hello = said(&mut following).await.expect("a hello");
        assert!(hello.contains("retry:") && hello.contains("id:") && !hello.contains("data:"), "{hello}");
        let base = u64::from(partition) * 100;
        hear(base + 3);
        let event = said(&mut following).await.expect("an event");
        let id = question.after(format!("{:x}-{base:x}-{base:x}", base + 4));
        assert_eq!(event, format!("data: {{}}\nid: {id}\n\n"));
        (0..=crate::limits::EVENTS_HELD_MAX as u64).for_each(|n| hear(base + 4 + n));
        assert_eq!(said(&mut following).await, None);
    }
}
