//! Errors of HTTP as RFC 9457 problems, each with its own type.

use axum::Json;
use axum::extract::Request;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::coding::Coding;
use crate::limits::{API_BODY_BYTES_MAX, CLIENT_BODY_MS, PAGE_ROWS_MAX};
use crate::rollup::Failure;
use crate::shell::NoAnswer;

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    /// A number that several cards go by.
    #[error("{0}")]
    Ambiguous(String),
    /// The meter's answer to a command.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    NotReady(String),
    /// ClickHouse does not answer, and nothing else knows.
    #[error("{0}")]
    NoHistory(String),
    #[error(
        "no ClickHouse is asked here, so the past is not known: set clickhouse.url (the demo asks none), or follow what comes, \
         with Accept: text/event-stream"
    )]
    NoArchive,
    #[error(
        "no ClickHouse is configured, so what was set aside cannot be listed or posted by its id: set clickhouse.url and run \
         `tidegauge migrate`, and it is taken from the topic usage.quarantine, as far back as that is kept; or read that \
         topic: each record stands there with its reason"
    )]
    NoQuarantine,
    #[error("{0}")]
    TooSlow(String),
    #[error("this is told as it happens only: Accept: text/event-stream")]
    NotAcceptable,
    #[error("the cursor is not one of this question: ask again without it")]
    Cursor,
    #[error("{0}")]
    Forbidden(String),
    #[error("a token is needed: Authorization: Bearer …")]
    NoToken,
    #[error("this token is not known: it is none of the file that api.tokens names")]
    UnknownToken,
    #[error(
        "the body has not come within {CLIENT_BODY_MS} ms: nothing was done; send it again, or less of it"
    )]
    SlowBody,
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    MediaType(String),
    /// With the codings that are taken, as `Accept-Encoding` has them.
    #[error("{0}")]
    ContentCoding(String),
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    NoIngest(String),
    #[error("this process takes no commands: ask one that runs with the role api on a log")]
    NoCommands,
    #[error("no events are heard here: ask an instance that runs with the role api on a log")]
    NoEvents,
    #[error("{0}")]
    Internal(String),
    /// With the methods that it takes, as `Allow` has them.
    #[error("this path does not take that method: {0}")]
    Method(String),
}

impl Problem {
    fn kind(&self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::BadRequest(_) => ("bad-request", "The request cannot be read", StatusCode::BAD_REQUEST),
            Self::NotFound(_) => ("not-found", "Not found", StatusCode::NOT_FOUND),
            Self::Conflict(_) => ("conflict", "It does not stand so", StatusCode::CONFLICT),
            Self::Ambiguous(_) => ("ambiguous", "Which card is meant?", StatusCode::CONFLICT),
            Self::Refused(_) => ("refused", "The command is refused", StatusCode::CONFLICT),
            Self::Forbidden(_) => ("forbidden", "Not allowed", StatusCode::FORBIDDEN),
            Self::NoToken | Self::UnknownToken => {
                ("no-token", "Token needed or not known", StatusCode::UNAUTHORIZED)
            }
            Self::TooLarge(_) => ("too-large", "Too much", StatusCode::PAYLOAD_TOO_LARGE),
            Self::SlowBody => ("slow-body", "The body did not come", StatusCode::REQUEST_TIMEOUT),
            Self::MediaType(_) => ("media-type", "Another media type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::ContentCoding(_) => {
                ("content-coding", "Another content coding", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::Busy(_) => ("busy", "As much as there may be", StatusCode::TOO_MANY_REQUESTS),
            Self::NoIngest(_) => ("no-ingest", "No records here", StatusCode::NOT_FOUND),
            Self::NoEvents => ("no-events", "No events here", StatusCode::NOT_FOUND),
            Self::NoCommands => ("no-commands", "No commands here", StatusCode::NOT_FOUND),
            Self::NotReady(_) => ("not-ready", "Try again in a moment", StatusCode::SERVICE_UNAVAILABLE),
            Self::NoHistory(_) => ("no-history", "The past is away", StatusCode::SERVICE_UNAVAILABLE),
            Self::NoArchive | Self::NoQuarantine => ("no-archive", "No past here", StatusCode::NOT_FOUND),
            Self::TooSlow(_) => ("too-slow", "Not answered in time", StatusCode::GATEWAY_TIMEOUT),
            Self::NotAcceptable => ("not-acceptable", "Another form", StatusCode::NOT_ACCEPTABLE),
            Self::Cursor => ("cursor", "A cursor of another question", StatusCode::BAD_REQUEST),
            Self::Internal(_) => ("internal", "This process is not well", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Method(_) => ("method", "Another method", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (kind, title, status) = self.kind();
        let is_coding = matches!(self, Self::ContentCoding(_));
        let body = json!({
            "type": format!("urn:tidegauge:problem:{kind}"), "title": title, "status": status.as_u16(),
            "detail": self.to_string(),
        });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        if is_coding {
            headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static(Coding::TAKEN));
        }
        response
    }
}

impl From<NoAnswer> for Problem {
    fn from(why: NoAnswer) -> Self {
        Self::NotReady(why.to_string())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::BadRequest(misasked(&rejection.body_text()))
    }
}

/// Which parameter of a query is wrong, and what is expected, from what the reader of queries says.
fn misasked(said: &str) -> String {
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(said);
    let unknown = said.split_once("unknown field `").and_then(|(_, rest)| rest.split_once("`, expected "));
    if let Some((name, known)) = unknown {
        return format!("{name}: there is no such parameter; expected is {}", known.replace('`', ""));
    }
    if let Some((_, name)) = said.split_once("duplicate field `") {
        return format!("{}: it is said more than once", name.trim_end_matches('`'));
    }
    match said.split_once(": ") {
        Some(("limit", _)) => format!("limit: a number within 1..={PAGE_ROWS_MAX} is expected"),
        Some((name, why)) => format!("{name}: it cannot be read: {why}"),
        None => format!("the query cannot be read: {said}"),
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::NoHistory(format!("ClickHouse does not answer: {failure}"))
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(API_BODY_BYTES_MAX),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::MediaType("the body is JSON, and Content-Type says so: application/json".to_owned())
            }
            _ => Self::BadRequest(rejection.body_text()),
        }
    }
}

pub(super) async fn no_such_path() -> Problem {
    Problem::NotFound(
        "no such path: /openapi.json lists those there are, docs/http.md explains them".to_owned(),
    )
}

/// Refuses what is asked for behind a path that takes no parameters.
pub(super) async fn no_filters(request: Request, next: Next) -> Result<Response, Problem> {
    match request.uri().query() {
        None | Some("") => Ok(next.run(request).await),
        Some(_) => Err(Problem::BadRequest(format!(
            "{} takes no parameters in its query: leave out what follows the question mark",
            request.uri().path()
        ))),
    }
}

pub(super) async fn wrong_method() -> Problem {
    Problem::Method("see /openapi.json".to_owned())
}

/// Says in the problem too which methods a path takes: the router knows them only once it has answered.
pub(super) async fn name_methods(response: Response) -> Response {
    let allow =
        response.headers().get(header::ALLOW).filter(|_| response.status() == StatusCode::METHOD_NOT_ALLOWED);
    let Some(allow) = allow.cloned() else { return response };
    let methods = allow.to_str().unwrap_or_default().replace(',', ", ");
    let mut named = Problem::Method(format!("it takes {methods}")).into_response();
    named.headers_mut().insert(header::ALLOW, allow);
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_with_another_method_is_told_which_there_are() {
        let mut wrong = wrong_method().await.into_response();
        wrong.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET,HEAD"));
        let named = name_methods(wrong).await;
        assert_eq!(named.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(named.headers()[header::ALLOW], "GET,HEAD");
        let body = axum::body::to_bytes(named.into_body(), 4_096).await.expect("a body");
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["detail"], "this path does not take that method: it takes GET, HEAD");
    }

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        card: Option<String>,
        limit: Option<usize>,
        cursor: Option<String>,
    }

    fn asked(query: &str) -> Result<Asked, String> {
        let uri: axum::http::Uri = format!("/v1/quarantine?{query}").parse().expect("a path");
        let asked = axum::extract::Query::<Asked>::try_from_uri(&uri);
        asked.map(|asked| asked.0).map_err(|rejection| Problem::from(rejection).to_string())
    }

    #[test]
    fn who_asks_wrongly_is_told_which_parameter_and_what_is_expected() {
        let right = Asked { card: Some("c".to_owned()), limit: Some(3), cursor: None };
        assert_eq!(asked("card=c&limit=3"), Ok(right));
        let wrong = |query: &str| asked(query).expect_err("it cannot be read");
        let limit = format!("limit: a number within 1..={PAGE_ROWS_MAX} is expected");
        assert_eq!([wrong("limit=many"), wrong("limit=-1")], [limit.clone(), limit]);
        let none = "colour: there is no such parameter; expected is one of card, limit, cursor";
        assert_eq!(wrong("colour=red"), none);
        assert_eq!(wrong("card=a&card=b"), "card: it is said more than once");
    }

    /// Every type stands in `docs/http.md`, and no other.
    #[test]
    fn every_type_is_documented() {
        let names = |text: &str, begins: &str, ends: char| -> std::collections::BTreeSet<String> {
            let named = text.split(begins).skip(1).filter_map(|rest| rest.split(ends).next());
            let fits =
                |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            named.filter(fits).map(str::to_owned).collect()
        };
        let (_, source) = include_str!("problem.rs").split_once("fn kind(&self)").expect("the types");
        let (source, _) = source.split_once("impl IntoResponse").expect("their end");
        let (_, page) =
            include_str!("../../docs/http.md").split_once("\n| type | status |").expect("a table");
        let cells: String = page.lines().filter_map(|row| row.split('|').nth(1)).collect();
        let made = names(source, "(\"", '"');
        assert!(made.len() > 20, "{made:?}");
        assert_eq!(made, names(&cells, "`", '`'));
    }

    #[test]
    fn who_may_try_again_is_told_when() {
        let retry = |problem: Problem| {
            let response = problem.into_response();
            (response.status().as_u16(), response.headers().get(header::RETRY_AFTER).is_some())
        };
        assert_eq!(retry(Problem::Busy(String::new())), (429, true));
        assert_eq!(retry(Problem::NotReady(String::new())), (503, true));
        assert_eq!(retry(Problem::NoIngest(String::new())), (404, false));
    }
}
