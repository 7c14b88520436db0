//! Commands that a running instance carries out: `feeds`, `drain`, `skip`, and the asking for all others. Over its HTTP.
//!
//! Invariant: an answer is waited for a little longer than an instance takes for one, but for orders that end when they are
//! done. Whoever does not answer is away, and so is what an instance (or a proxy before it) says it has no answer without.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::args::{InstanceArgs, SkipArgs};
use super::exit::{Exit, Failed};
use super::{shown, transport};
use crate::config;
use crate::limits::ASKED_MS;
use crate::stdout::say;

pub(super) fn feeds(args: &InstanceArgs, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    tell(Ask::new(Method::GET, "/v1/feeds"), args, path, json, shown::feeds)
}

pub(super) fn drain(args: &InstanceArgs, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let ask = Ask { patience: None, ..Ask::new(Method::POST, "/v1/drain") };
    tell(ask, args, path, json, shown::drained)
}

pub(super) fn skip(args: &SkipArgs, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let to = format!("/v1/partitions/{}/skip", args.partition);
    let body = json!({"offset": args.offset, "reason": args.reason});
    let ask = Ask { body: Some(body), patience: None, ..Ask::new(Method::POST, &to) };
    tell(ask, &args.instance, path, json, shown::skipped)
}

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// How long the answer may take; `None` for what ends when it is done.
    pub(super) patience: Option<Duration>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        let patience = Some(Duration::from_millis(ASKED_MS));
        Self { method, path, body: None, headers: Vec::new(), patience }
    }
}

/// Sends a request and prints the answer, for programs or in words; a problem is an error with its detail.
pub(super) fn tell(
    ask: Ask<'_>,
    instance: &InstanceArgs,
    path: Option<&Path>,
    json: bool,
    words: impl FnOnce(&Value) -> String,
) -> Result<Exit, Failed> {
    let waits = ask.headers.iter().any(|(name, _)| *name == "prefer");
    let (status, answer) = fetch(ask, instance, path)?;
    if json {
        say!("{answer:#}");
    } else {
        say!("{}", words(&answer));
    }
    if waits && status == StatusCode::ACCEPTED && !answer["earlier"].is_null() {
        return Ok(Exit::Unanswered);
    }
    if waits && status == StatusCode::ACCEPTED {
        eprintln!("tidegauge: {}", unanswered(answer["card"].as_str().unwrap_or("ICCID")));
        return Ok(Exit::Unanswered);
    }
    Ok(Exit::Done)
}

/// Why a command that was taken may have no answer, and where it is seen.
fn unanswered(card: &str) -> String {
    format!(
        "taken, not answered yet: it is in the log and is not lost. `tidegauge card events {card}` shows its answer once \
         there is one (of a card that was never registered too: it is refused). Without ClickHouse a repeat is not \
         answered again; a partition that has halted answers when it goes on: `tidegauge doctor`"
    )
}

/// Sends a request for its answer; a problem is an error with its detail. Without a URL the configuration at `path` says
/// where this machine's instance listens; nothing else of it is asked for.
pub(super) fn fetch(
    mut ask: Ask<'_>,
    instance: &InstanceArgs,
    path: Option<&Path>,
) -> Result<(StatusCode, Value), Failed> {
    let url = url(ask.path, instance, path)?;
    ask.headers.extend(instance.token.iter().map(|token| ("authorization", format!("Bearer {token}"))));
    let (status, answer) = super::runtime()?.block_on(send(ask, &url))?;
    if status.is_success() {
        return Ok((status, answer));
    }
    Err(refused(status, says(&url, status, &answer)))
}

/// What a problem says; who comes without a token that is known is told where one is said.
pub(super) fn says(url: &str, status: StatusCode, problem: &Value) -> anyhow::Error {
    let detail = problem.pointer("/detail").and_then(Value::as_str).unwrap_or("no detail");
    let how = if status == StatusCode::UNAUTHORIZED {
        "; name one in TIDEGAUGE_TOKEN, or with --token"
    } else {
        ""
    };
    anyhow!("{url}: {status}: {detail}{how}")
}

/// What the instance could not read is bad data, as it is where this program finds it; what it cannot answer now, it may later.
pub(super) fn refused(status: StatusCode, error: anyhow::Error) -> Failed {
    match status {
        _ if is_away(status) => Failed::unavailable(error),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Failed::bad_data(error)
        }
        _ => error.into(),
    }
}

/// Whether an instance, or the proxy before it, says that it or what it needs is away.
fn is_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// Asks an instance at `base`, for whoever judges the answer.
pub(super) async fn ask(
    method: Method,
    base: &str,
    path: &str,
    instance: &InstanceArgs,
) -> Result<(StatusCode, Value), Failed> {
    let mut ask = Ask::new(method, path);
    ask.headers.extend(instance.token.iter().map(|token| ("authorization", format!("Bearer {token}"))));
    let base = transport::with_scheme(base);
    send(ask, &format!("{}{path}", base.trim_end_matches('/'))).await
}

/// Where a path is asked for: at the instance that is named, or at the one of the configuration.
///
/// # Errors
/// A configuration that cannot be read.
pub(super) fn url(path: &str, instance: &InstanceArgs, from: Option<&Path>) -> Result<String, Failed> {
    // An environment file may name the variable and say nothing.
    let base = match instance.url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => transport::with_scheme(url),
        None => format!("http://{}", config::load_listen(from)?),
    };
    Ok(format!("{}{path}", base.trim_end_matches('/')))
}

/// Sends a request and reads the answer, within its patience.
async fn send(ask: Ask<'_>, url: &str) -> Result<(StatusCode, Value), Failed> {
    let Some(patience) = ask.patience else { return exchange(ask, url).await };
    let late = || {
        let ms = patience.as_millis();
        anyhow!(
            "{url}: no answer within {ms} ms; an order may have been taken: send it again under the same --key"
        )
    };
    tokio::time::timeout(patience, exchange(ask, url)).await.map_err(|_| Failed::unavailable(late()))?
}

async fn exchange(ask: Ask<'_>, url: &str) -> Result<(StatusCode, Value), Failed> {
    let body = ask.body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let mut request =
        Request::builder().method(ask.method).uri(url).header("content-type", "application/json");
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let no_url = |error: hyper::http::Error| {
        Failed::usage(anyhow!("{url} is no URL, or a token or key no text: {error}"))
    };
    let request = request.body(Full::new(body)).map_err(no_url)?;
    let response = transport::request(url, request).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await.context("the answer was cut short")?.to_bytes();
    match serde_json::from_slice(&bytes) {
        Ok(answer) => Ok((status, answer)),
        // A proxy says in its own words that nobody is behind it.
        Err(_) if is_away(status) => Ok((status, Value::Null)),
        Err(error) => Err(anyhow!(error).context("the answer is no JSON: is that a tidegauge?").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Asks a server that reads the request, then says this and closes; without words it never answers.
    fn asked(patience: Duration, answer: Option<&'static str>) -> Failed {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = Some(format!("http://{}", listener.local_addr().expect("bound")));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("it asks");
            let mut request = [0; 4_096];
            assert!(stream.read(&mut request).expect("a request") > 0);
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).expect("it reads"),
                // Held open until the other side has given up.
                None => assert!(matches!(stream.read(&mut request), Ok(0) | Err(_))),
            }
        });
        let ask = Ask { patience: Some(patience), ..Ask::new(Method::GET, "/v1/feeds") };
        let failed = fetch(ask, &InstanceArgs { url, token: None }, None).expect_err("no answer");
        server.join().expect("it serves");
        failed
    }

    #[test]
    fn what_is_no_url_was_typed_wrong() {
        let url = Some("http://[::1".to_owned());
        let asked = fetch(Ask::new(Method::GET, "/v1/feeds"), &InstanceArgs { url, token: None }, None);
        assert_eq!(asked.expect_err("it is none").exit, Exit::Usage);
    }

    #[test]
    fn an_instance_that_cannot_answer_now_is_away() {
        let patience = Duration::from_millis(ASKED_MS);
        for (answer, said) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 20\r\n\r\n{\"detail\": \"a rest\"}",
                "503 Service Unavailable: a rest",
            ),
            ("HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n", "504 Gateway Timeout: no detail"),
            (
                "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 16\r\n\r\n<h1>nginx</h1>\r\n",
                "502 Bad Gateway: no detail",
            ),
        ] {
            let failed = asked(patience, Some(answer));
            assert_eq!(failed.exit, Exit::Unavailable, "{:#}", failed.error);
            assert!(format!("{:#}", failed.error).ends_with(said), "{:#}", failed.error);
        }
        let failed = asked(patience, Some("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<h1>"));
        assert_eq!(failed.exit, Exit::Failed, "that is no tidegauge");
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for_without_end() {
        let failed = asked(Duration::from_millis(50), None);
        assert_eq!(failed.exit, Exit::Unavailable);
        assert!(failed.error.to_string().contains("no answer within 50 ms"), "{:#}", failed.error);
    }

    #[test]
    fn bad_input_has_one_exit_code_wherever_it_is_found() {
        let exit = |status| refused(status, anyhow!("no")).exit;
        assert_eq!(exit(StatusCode::BAD_REQUEST), Exit::BadData);
        assert_eq!(exit(StatusCode::CONFLICT), Exit::Failed);
        assert_eq!(exit(StatusCode::UNAUTHORIZED), Exit::Failed);
    }

    #[test]
    fn who_is_not_let_in_is_told_where_a_token_is_said() {
        let says = |status| says("http://x", status, &json!({"detail": "no"})).to_string();
        assert!(
            says(StatusCode::UNAUTHORIZED).ends_with(": no; name one in TIDEGAUGE_TOKEN, or with --token")
        );
        assert!(says(StatusCode::FORBIDDEN).ends_with(": no"));
    }

    #[test]
    fn who_waits_no_longer_is_told_where_the_answer_will_be() {
        assert!(unanswered("8986001234567890123").contains("tidegauge card events 8986001234567890123"));
    }
}
