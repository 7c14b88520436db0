//! `POST /v1/feeds/{feed}`: a batch of a feed's records in the feed's own format, kept before it is answered.
//!
//! 202 says that the log has each record, or its dead letter: at least once, as with every source. Whoever gets no answer,
//! or another one that may be tried again, sends the same batch again.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::names::Named;
use super::{Api, coding::Coding, problem::Problem};
use crate::ingest::formats::{Decoder, Media};
use crate::ingest::{IngestOutcome, Kept, Refused};
use crate::limits::{PUSH_ANSWER_S_MAX, PUSH_BODY_BYTES_MAX};
use crate::shell::{NotTaken, wall_ms};

pub(super) async fn push(
    State(api): State<Api>,
    Named(feed): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let decoder = api.feeds.iter().find(|decoder| decoder.feed() == feed);
    let decoder = decoder.ok_or_else(|| Problem::NotFound(Refused::Feed(feed.clone()).to_string()))?;
    check_media(decoder, &headers)?;
    let coding = Coding::of(&headers)?;
    let announced = length(&headers)?;
    // What a coded body comes to is not known before: it is given room for the most.
    let needed = if coding == Coding::Identity { announced } else { PUSH_BODY_BYTES_MAX };
    let room = api.pushes.room(needed)?;
    let too_large = |_| Problem::TooLarge(PUSH_BODY_BYTES_MAX);
    let bytes = to_bytes(body, PUSH_BODY_BYTES_MAX).await.map_err(too_large)?;
    if bytes.is_empty() {
        return Err(Problem::BadRequest("the body is empty: a batch is at least one record".to_owned()));
    }
    let decode = move || coding.decode(bytes.into(), PUSH_BODY_BYTES_MAX);
    let bytes = tokio::task::spawn_blocking(decode).await.map_err(|e| Problem::Internal(e.to_string()))??;
    let kept = api.pushes.push(&feed, bytes, wall_ms(), room);
    let kept = tokio::time::timeout(Duration::from_secs(PUSH_ANSWER_S_MAX), kept).await;
    let kept = kept.unwrap_or(Err(NotTaken::Gone))?;
    Ok((StatusCode::ACCEPTED, Json(answer(&feed, &kept))).into_response())
}

/// What the body may have at most; a sender that does not say is given room for the longest.
fn length(headers: &HeaderMap) -> Result<usize, Problem> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match said.unwrap_or(PUSH_BODY_BYTES_MAX) {
        length if length <= PUSH_BODY_BYTES_MAX => Ok(length),
        _ => Err(Problem::TooLarge(PUSH_BODY_BYTES_MAX)),
    }
}

fn check_media(decoder: &Decoder, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let types = types(decoder.media());
    let said = text(header::CONTENT_TYPE).unwrap_or_default();
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if types.contains(&said.as_str()) {
        return Ok(());
    }
    let (feed, format) = (decoder.feed(), decoder.format());
    let types = types.join(" or ");
    Err(Problem::MediaType(format!("feed {feed:?} is {format}: Content-Type is {types}, not {said:?}")))
}

fn types(media: Media) -> &'static [&'static str] {
    match media {
        Media::Json => &["application/json", "application/x-ndjson", "application/jsonl"],
        Media::Csv => &["text/csv"],
        Media::Binary => &["application/octet-stream"],
    }
}

fn answer(feed: &str, kept: &Kept) -> Value {
    let outcomes: Map<String, Value> = IngestOutcome::ALL
        .into_iter()
        .map(|outcome| (outcome.name().to_owned(), kept.outcomes[outcome as usize].into()))
        .collect();
    let problem = |(at, reason): &(usize, String)| json!({ "at": at, "reason": reason });
    let problems: Vec<Value> = kept.problems.iter().map(problem).collect();
    json!({
        "feed": feed, "batch": kept.source, "read": kept.read(), "outcomes": outcomes, "asides": kept.asides,
        "problems": problems,
    })
}

impl From<NotTaken> for Problem {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Full => Self::Busy(why.to_string()),
            NotTaken::NotReady | NotTaken::Gone => Self::NotReady(why.to_string()),
            NotTaken::NoIngest => Self::NoIngest(why.to_string()),
            NotTaken::Refused(Refused::Feed(_)) => Self::NotFound(why.to_string()),
            NotTaken::Refused(Refused::Unreadable { .. } | Refused::TooMany(_)) => {
                Self::BadRequest(why.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::formats::Format;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_feed_is_sent_as_what_its_format_is() {
        for (format, content_type, taken) in [
            ("1nce", "application/json", true),
            ("1nce", "Application/JSON; charset=utf-8", true),
            ("emnify", "application/x-ndjson", true),
            ("emnify", "application/x-www-form-urlencoded", false),
            ("emnify", "", false),
            ("pgw-cdr", "application/octet-stream", true),
            ("chf-cdr", "application/json", false),
        ] {
            let decoder = Decoder::new("f", Format::from_name(format).unwrap());
            let headers = headers(&[("content-type", content_type)]);
            assert_eq!(check_media(&decoder, &headers).is_ok(), taken, "{format} {content_type}");
        }
    }

    #[test]
    fn a_body_takes_the_room_that_it_says_or_the_most() {
        let most = PUSH_BODY_BYTES_MAX;
        assert_eq!(length(&headers(&[("content-length", "17")])).ok(), Some(17));
        assert_eq!(length(&headers(&[])).ok(), Some(most));
        let over = HeaderMap::from_iter([(header::CONTENT_LENGTH, (most + 1).into())]);
        assert!(matches!(length(&over), Err(Problem::TooLarge(_))));
    }
}
