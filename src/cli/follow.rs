//! Events as they are committed, from a running instance, until told to stop: a stream that ends is begun again where it was.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Empty};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::args::InstanceArgs;
use super::exit::Failed;
use super::remote::{refused, says, url};
use super::transport;
use crate::limits::{ASKED_MS, EVENT_BEAT_S};

/// A stream beats: one that is silent for longer has lost its other end, whoever has not said so.
const SILENT_FOR: Duration = Duration::from_secs(3 * EVENT_BEAT_S);
/// Before a stream that ended is begun again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Something that a stream says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// `gap` where something was missed; else nothing.
    pub(super) kind: String,
    pub(super) data: String,
}

/// Follows a path; never ends by itself but by a request that cannot be right, or if nobody answers at first.
pub(super) fn follow(
    path: &str,
    instance: &InstanceArgs,
    from: Option<&Path>,
    mut each: impl FnMut(Said),
) -> Result<(), Failed> {
    let url = url(path, instance, from)?;
    super::runtime()?.block_on(async {
        let mut reader = Reader::default();
        let mut response = ask(&url, instance, &reader.id).await?;
        loop {
            while let Ok(Some(Ok(frame))) = timeout(SILENT_FOR, response.body_mut().frame()).await {
                reader.push(frame.data_ref().map_or(&[], |data| data), &mut each);
            }
            reader.begin_again();
            response = loop {
                tokio::time::sleep(AGAIN_AFTER).await;
                match ask(&url, instance, &reader.id).await {
                    Ok(response) => break response,
                    Err(failed) if failed.exit == super::Exit::Unavailable => {
                        eprintln!("tidegauge: {:#}; trying again", failed.error);
                    }
                    Err(failed) => return Err(failed),
                }
            };
        }
    })
}

async fn ask(url: &str, instance: &InstanceArgs, id: &str) -> Result<Response<Incoming>, Failed> {
    let mut request = Request::get(url).header("accept", "text/event-stream");
    if !id.is_empty() {
        request = request.header("last-event-id", id);
    }
    if let Some(token) = &instance.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let no_url =
        |error: hyper::http::Error| Failed::usage(anyhow!("{url} is no URL, or a token no text: {error}"));
    let request = request.body(Empty::<Bytes>::new()).map_err(no_url)?;
    let asked = timeout(Duration::from_millis(ASKED_MS), transport::request(url, request)).await;
    let late = |_| Failed::unavailable(anyhow!("{url}: no answer within {ASKED_MS} ms"));
    let response = asked.map_err(late)??;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(response);
    }
    let body = response.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let error = says(url, status, &problem);
    // Too many follow already: one of them will end.
    let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(if passes { Failed::unavailable(error) } else { refused(status, error) })
}

/// Reads the event stream format of HTML's standard, as far as it is used here.
#[derive(Debug, Default)]
struct Reader {
    /// The last id.
    id: String,
    line: Vec<u8>,
    kind: String,
    data: String,
}

impl Reader {
    fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(Said)) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.line(&String::from_utf8_lossy(&line), each);
        }
    }

    fn line(&mut self, line: &str, each: &mut impl FnMut(Said)) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() && !self.data.is_empty() => {
                each(Said { kind: std::mem::take(&mut self.kind), data: std::mem::take(&mut self.data) });
            }
            "" if line.is_empty() => self.kind.clear(),
            "id" => value.clone_into(&mut self.id),
            "event" => value.clone_into(&mut self.kind),
            "data" => self.data.push_str(value),
            _ => {}
        }
    }

    /// What was half said when a stream ended is said again.
    fn begin_again(&mut self) {
        self.line.clear();
        self.kind.clear();
        self.data.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_however_it_is_cut() {
        let text =
            ": nothing new\nid: a-1\n\nretry: 2000\ndata: {\"x\":1}\n\nevent: gap\ndata: {}\nid: a-2\n\n";
        for size in [1, 2, 7, text.len()] {
            let (mut reader, mut said) = (Reader::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                reader.push(piece, &mut |one| said.push(one));
            }
            let one = |kind: &str, data: &str| Said { kind: kind.to_owned(), data: data.to_owned() };
            assert_eq!(said, [one("", "{\"x\":1}"), one("gap", "{}")], "{size}");
            assert_eq!(reader.id, "a-2");
        }
    }
}
