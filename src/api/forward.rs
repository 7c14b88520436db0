//! A question about a card that another instance meters goes there, once: its answer is passed on as it is.
//!
//! It is asked with a reader's token of this instance, never with the asker's: the address comes from a topic.
//!
//! Invariant: who was asked by another instance asks nobody else, so old announcements cannot send a question in circles. What
//! is between the two instances, as a token that is not known yet while tokens are changed, is never the asker's fault.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Request, StatusCode, header};
use axum::response::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use super::{Api, problem::Problem};
use crate::limits::{FORWARD_BYTES_MAX, FORWARD_MS, PEER_IDLE_MS};

/// Says that another instance asks.
const FORWARDED: HeaderName = HeaderName::from_static("x-tidegauge-forwarded");

/// Connections to the other instances, kept for further questions.
pub type Peers = Client<HttpConnector, Body>;

/// No connections yet.
#[must_use]
pub fn peers() -> Peers {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(FORWARD_MS)));
    let mut client = Client::builder(TokioExecutor::new());
    // Given up here before the other instance closes it.
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_millis(PEER_IDLE_MS));
    client.build(connector)
}

/// Asks the owner of a partition.
pub(super) async fn ask(
    api: &Api,
    partition: u32,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let moving = |why: &str| Problem::NotReady(format!("partition {partition} cannot answer: {why}"));
    if is_forwarded(headers) {
        return Err(moving("it is on its way to another instance"));
    }
    let Some(address) = api.owners.address_of(partition) else {
        return Err(moving("no instance has said that it holds it"));
    };
    if address == api.address {
        return Err(moving(
            "it was here last and no instance has taken it up since, or another instance announces this address: see api.address",
        ));
    }
    get(&api.peers, api.access.reading(), &address, path)
        .await
        .map_err(|why| moving(&format!("its instance at {address} {why}")))
}

/// Whether another instance asks: then nobody else is asked.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
}

/// Asks an instance for JSON.
///
/// # Errors
/// Why there is none.
pub(super) async fn tell(api: &Api, address: &str, path: &str) -> Result<Value, String> {
    let answer = get(&api.peers, api.access.reading(), address, path).await?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("has answered {status}"));
    }
    let body = axum::body::to_bytes(answer.into_body(), FORWARD_BYTES_MAX).await;
    let body = body.map_err(|e| format!("has broken off: {e}"))?;
    serde_json::from_slice(&body).map_err(|e| format!("has not answered JSON: {e}"))
}

/// The answer of an instance to one that it lets in.
async fn get(peers: &Peers, token: Option<&str>, address: &str, path: &str) -> Result<Response, String> {
    let mut request = Request::get(format!("{address}{path}")).header(FORWARDED, "1");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).map_err(|e| format!("has no such address: {e}"))?;
    let answer = tokio::time::timeout(Duration::from_millis(FORWARD_MS), whole(peers, request)).await;
    match answer {
        Ok(Ok(answer)) => let_in(answer, token),
        Ok(Err(error)) => Err(format!("does not answer: {error}")),
        Err(_) => Err(format!("has not answered within {FORWARD_MS} ms")),
    }
}

/// Who is not let in is this instance: the asker's token was looked at here.
fn let_in(answer: Response, token: Option<&str>) -> Result<Response, String> {
    if !matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Ok(answer);
    }
    Err(match token {
        Some(_) => {
            "does not know this one's token: name the first reader's of this one in its api.tokens too"
        }
        None => "asks for a token, and this one has no reader's: name one in the api.tokens of both",
    }
    .to_owned())
}

/// The whole answer: status, what it is, when to come again. Other headers are between the two instances.
async fn whole(peers: &Peers, request: Request<Body>) -> anyhow::Result<Response> {
    let (head, body) = peers.request(request).await?.into_parts();
    let body = axum::body::to_bytes(Body::new(body), FORWARD_BYTES_MAX).await?;
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = head.status;
    for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
        if let Some(value) = head.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use axum::routing::get as on_get;
    use axum::{Router, middleware};

    use super::*;
    use crate::api::access::{Access, Allowed, guard};

    /// Where an instance with these tokens answers.
    async fn peer(tokens: &[(Allowed, &str)]) -> String {
        let tokens = tokens.iter().map(|(allowed, token)| (*allowed, (*token).to_owned()));
        let access = Access::Tokens(tokens.collect());
        let guarded = middleware::from_fn_with_state(access, guard);
        let router = Router::new().route("/v1/cards/1", on_get(|| async { "known" })).layer(guarded);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_peer_that_does_not_know_this_ones_token_is_away_and_no_answer() {
        let address = peer(&[(Allowed::Read, "new-token")]).await;
        let asked = async |token, path| get(&peers(), token, &address, path).await;
        let why = asked(Some("old-token"), "/v1/cards/1").await.expect_err("not let in");
        assert!(why.contains("does not know this one's token") && why.contains("api.tokens"), "{why}");
        let why = asked(None, "/v1/cards/1").await.expect_err("not let in");
        assert!(why.contains("this one has no reader's"), "{why}");
        // What is an answer stays one.
        assert_eq!(asked(Some("new-token"), "/v1/cards/1").await.expect("let in").status(), 200);
        assert_eq!(asked(Some("new-token"), "/v1/cards/2").await.expect("let in").status(), 404);
    }
}
