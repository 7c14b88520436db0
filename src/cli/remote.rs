//! Commands that a running instance carries out: `feeds`, `drain`, `skip`, and the asking for all others. Over its HTTP.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::args::{InstanceArgs, SkipArgs};
use super::exit::{Exit, Failed};
use super::shown;
use crate::config;
use crate::stdout::say;

pub(super) fn feeds(args: &InstanceArgs, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let ask = Ask::new(Method::GET, "/v1/feeds");
    if json {
        return call(ask, args, path);
    }
    say!("{}", shown::feeds(&fetch(ask, args, path)?.1));
    Ok(Exit::Done)
}

pub(super) fn drain(args: &InstanceArgs, path: Option<&Path>) -> Result<Exit, Failed> {
    call(Ask::new(Method::POST, "/v1/drain"), args, path)
}

pub(super) fn skip(args: &SkipArgs, path: Option<&Path>) -> Result<Exit, Failed> {
    let to = format!("/v1/partitions/{}/skip", args.partition);
    let body = json!({"offset": args.offset, "reason": args.reason});
    call(Ask { body: Some(body), ..Ask::new(Method::POST, &to) }, &args.instance, path)
}

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, body: None, headers: Vec::new() }
    }
}

/// Sends a request and prints the answer; a problem is an error with its detail.
pub(super) fn call(ask: Ask<'_>, instance: &InstanceArgs, path: Option<&Path>) -> Result<Exit, Failed> {
    let waits = ask.headers.iter().any(|(name, _)| *name == "prefer");
    let (status, answer) = fetch(ask, instance, path)?;
    say!("{answer:#}");
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
         there is one (of a card that was never registered too: it is refused). A repeat is not answered again; a \
         partition that has halted answers when it goes on: `tidegauge doctor`"
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
    let detail = answer.pointer("/detail").and_then(Value::as_str).unwrap_or("no detail");
    Err(refused(status, anyhow!("{url}: {status}: {detail}")))
}

/// What the instance could not read is bad data, as it is where this program finds it.
fn refused(status: StatusCode, error: anyhow::Error) -> Failed {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Failed::bad_data(error)
        }
        _ => error.into(),
    }
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
    send(ask, &format!("{}{path}", base.trim_end_matches('/'))).await
}

/// Where a path is asked for: at the instance that is named, or at the one of the configuration.
///
/// # Errors
/// A configuration that cannot be read.
pub(super) fn url(path: &str, instance: &InstanceArgs, from: Option<&Path>) -> Result<String, Failed> {
    let base = match &instance.url {
        Some(url) => url.clone(),
        None => format!("http://{}", config::load_listen(from)?),
    };
    Ok(format!("{}{path}", base.trim_end_matches('/')))
}

async fn send(ask: Ask<'_>, url: &str) -> Result<(StatusCode, Value), Failed> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let body = ask.body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let mut request =
        Request::builder().method(ask.method).uri(url).header("content-type", "application/json");
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let request =
        request.body(Full::new(body)).with_context(|| format!("{url} is no URL, or a header no text"))?;
    let response = client
        .request(request)
        .await
        .with_context(|| format!("no instance answers at {url}: name one with --url"))
        .map_err(Failed::unavailable)?;
    let status = response.status();
    let bytes = response.into_body().collect().await.context("the answer was cut short")?.to_bytes();
    Ok((status, serde_json::from_slice(&bytes).context("the answer is no JSON: is that a tidegauge?")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_has_one_exit_code_wherever_it_is_found() {
        let exit = |status| refused(status, anyhow!("no")).exit;
        assert_eq!(exit(StatusCode::BAD_REQUEST), Exit::BadData);
        assert_eq!(exit(StatusCode::CONFLICT), Exit::Failed);
        assert_eq!(exit(StatusCode::UNAUTHORIZED), Exit::Failed);
    }

    #[test]
    fn who_waits_no_longer_is_told_where_the_answer_will_be() {
        assert!(unanswered("8986001234567890123").contains("tidegauge card events 8986001234567890123"));
    }
}
