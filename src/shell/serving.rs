//! Serves HTTP/1.1, however slow or many its clients are.
//!
//! Invariant 5: a client costs one of a bounded number of places, and keeps it only while something moves: it must say what
//! it asks in time (an idle connection is one that does not), send what belongs to it in time (`api::limits`), and take
//! what it is answered ([`super::socket`]). Where all places are taken further clients wait unaccepted, in the system's queue.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::socket::PatientListener;
use crate::limits::{CLIENT_HEAD_MS, CLIENT_STALLS_MS, CLIENTS_MAX, REQUEST_HEAD_BYTES_MAX};

/// What clients may take of an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connections at once.
    clients: usize,
    /// From the connection, or from the last answer, to the end of a request's head.
    head: Duration,
    /// Without taking anything of an answer.
    stalls: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let (head, stalls) = (Duration::from_millis(CLIENT_HEAD_MS), Duration::from_millis(CLIENT_STALLS_MS));
        Self { clients: CLIENTS_MAX, head, stalls }
    }
}

/// Accepts and serves clients until the process ends.
pub(super) async fn serve(listener: TcpListener, router: Router, bounds: Bounds) {
    let mut listener = PatientListener::new(listener, bounds.stalls);
    let places = Arc::new(Semaphore::new(bounds.clients));
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(REQUEST_HEAD_BYTES_MAX);
    let mut crowded = false;
    loop {
        // Told once, not for every client that comes and goes at the bound.
        let full = places.available_permits() == 0;
        if full && !crowded {
            tracing::warn!("{} clients are connected, which is the most: others wait", bounds.clients);
        }
        crowded = full || crowded && places.available_permits() < bounds.clients / 2;
        // Nobody closes it.
        let place = Arc::clone(&places).acquire_owned().await.ok();
        let (stream, client) = listener.accept().await;
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%client, %error, "a client was disconnected");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(300);
    /// A test that hangs must fail.
    const PATIENCE: Duration = Duration::from_secs(20);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

    async fn serving(clients: usize) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().route("/", get(|| async { "here\n" }));
        tokio::spawn(serve(listener, router, Bounds { clients, head: SOON, stalls: PATIENCE }));
        address
    }

    /// What comes until the server closes.
    async fn rest(client: &mut TcpStream) -> String {
        let mut said = Vec::new();
        // A connection that is reset has ended too.
        let _ = timeout(PATIENCE, client.read_to_end(&mut said)).await.expect("the server closes it");
        String::from_utf8(said).expect("text")
    }

    async fn answer(client: &mut TcpStream) -> String {
        let mut said = String::new();
        while !said.ends_with("here\n") {
            let mut bytes = [0; 256];
            let read = timeout(PATIENCE, client.read(&mut bytes)).await.expect("in time").expect("it speaks");
            assert!(read > 0, "the server has closed after {said:?}");
            said.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
        }
        said
    }

    #[tokio::test]
    async fn a_head_that_dribbles_is_not_waited_for() {
        let mut client = TcpStream::connect(serving(8).await).await.expect("it listens");
        client.write_all(&REQUEST[..REQUEST.len() - 2]).await.expect("taken");
        let (mut read, mut write) = client.split();
        let dribble = async {
            // Never silent for as long as it may take: what counts is the whole.
            while write.write_all(b"X: y\r\n").await.is_ok() {
                tokio::time::sleep(SOON / 10).await;
            }
        };
        let closed = async {
            let mut byte = [0];
            let _ = read.read(&mut byte).await;
        };
        timeout(PATIENCE, async {
            tokio::select! { () = dribble => {}, () = closed => {} }
        })
        .await
        .expect("closed");
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_one_that_is_used_is_kept() {
        let mut client = TcpStream::connect(serving(8).await).await.expect("it listens");
        for _ in 0..4 {
            tokio::time::sleep(SOON / 2).await;
            client.write_all(REQUEST).await.expect("it was kept");
            assert!(answer(&mut client).await.starts_with("HTTP/1.1 200 "));
        }
        assert_eq!(rest(&mut client).await, "");
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let mut client = TcpStream::connect(serving(8).await).await.expect("it listens");
        let _ = client
            .write_all(&[REQUEST[..REQUEST.len() - 2].to_vec(), vec![b'x'; REQUEST_HEAD_BYTES_MAX]].concat())
            .await;
        let said = rest(&mut client).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
    }

    #[tokio::test]
    async fn clients_beyond_the_most_are_served_when_there_is_a_place() {
        let address = serving(2).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.expect("it listens"));
        }
        for client in &mut clients {
            client.write_all(REQUEST).await.expect("taken");
        }
        let mut third = clients.pop().expect("three");
        for client in &mut clients {
            answer(client).await;
        }
        // The first two hold their places, for as long as they may be idle.
        assert!(timeout(SOON / 10, third.read_u8()).await.is_err(), "the third waits");
        drop(clients);
        assert!(answer(&mut third).await.contains("200"));
    }
}
