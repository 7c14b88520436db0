//! Commands that a running instance carries out: `card`, `drain`, `skip`. Over its HTTP.

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::args::{CardArgs, InstanceArgs, SkipArgs};
use super::exit::{Exit, Failed};
use crate::config::Config;

pub(super) fn card(args: &CardArgs, config: &Config) -> Result<Exit, Failed> {
    call(Method::GET, &args.instance, config, &format!("/v1/cards/{}", args.iccid), None)
}

pub(super) fn drain(args: &InstanceArgs, config: &Config) -> Result<Exit, Failed> {
    call(Method::POST, args, config, "/v1/drain", None)
}

pub(super) fn skip(args: &SkipArgs, config: &Config) -> Result<Exit, Failed> {
    let body = json!({"offset": args.offset, "reason": args.reason});
    call(
        Method::POST,
        &args.instance,
        config,
        &format!("/v1/partitions/{}/skip", args.partition),
        Some(&body),
    )
}

/// Sends a request and prints the answer; a problem is an error with its detail.
fn call(
    method: Method,
    instance: &InstanceArgs,
    config: &Config,
    path: &str,
    body: Option<&Value>,
) -> Result<Exit, Failed> {
    let base = instance.url.clone().unwrap_or_else(|| format!("http://{}", config.api_listen));
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let (status, answer) = super::runtime()?.block_on(send(method, &url, body))?;
    if status == StatusCode::OK {
        println!("{answer:#}");
        return Ok(Exit::Done);
    }
    let detail = answer.pointer("/detail").and_then(Value::as_str).unwrap_or("no detail");
    Err(anyhow!("{url}: {status}: {detail}").into())
}

async fn send(method: Method, url: &str, body: Option<&Value>) -> Result<(StatusCode, Value), Failed> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json")
        .body(Full::new(body))
        .with_context(|| format!("{url} is no URL"))?;
    let response = client
        .request(request)
        .await
        .with_context(|| format!("no instance answers at {url}: name one with --url"))
        .map_err(Failed::unavailable)?;
    let status = response.status();
    let bytes = response.into_body().collect().await.context("the answer was cut short")?.to_bytes();
    Ok((status, serde_json::from_slice(&bytes).context("the answer is no JSON: is that a tidegauge?")?))
}
