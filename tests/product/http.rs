//! One HTTP request to a server on loopback, without a client's help: what is asserted is what stands on the wire.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A server that says nothing for so long has failed the test.
const SILENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// `None` while nobody listens at the address.
pub(crate) fn get(address: &str, path: &str) -> Option<Response> {
    request(address, format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
}

/// Posts a body; `None` while nobody listens.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Option<Response> {
    send(address, "POST", path, &[], body)
}

/// Any request with a body; `None` while nobody listens.
pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Response> {
    send_bytes(address, method, path, headers, body.as_bytes())
}

/// The same with any octets.
pub(crate) fn send_bytes(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Response> {
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n");
    request(address, &[head.as_bytes(), body].concat())
}

/// Only says how long the body would be: who refuses it need not wait for it.
pub(crate) fn announce(address: &str, path: &str, media: &str, length: usize) -> Option<Response> {
    let head = format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n");
    request(address, format!("{head}Content-Type: {media}\r\n\r\n").as_bytes())
}

/// HTTP/1.0: the answer ends with the connection, and is not in chunks.
fn request(address: &str, octets: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SILENCE)).expect("a timeout");
    stream.write_all(octets).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    Some(Response {
        status: head.split(' ').nth(1)?.parse().ok()?,
        content_type: header("content-type").unwrap_or_default(),
        body: body.to_owned(),
    })
}
