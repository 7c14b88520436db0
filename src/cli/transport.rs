//! The way to an instance: plain, or by TLS to a proxy before it.
//!
//! Invariant: by https nobody is asked for whom this machine's root certificates do not vouch.

use std::error::Error;

use anyhow::{Context as _, anyhow};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::exit::Failed;

/// Sends a request for the head of its answer; `url` is the request's own.
///
/// # Errors
/// No such URL; nobody answers there; by https also: the machine has no root certificates, or they do not vouch for who does.
pub(super) async fn request<B>(url: &str, request: Request<B>) -> Result<Response<Incoming>, Failed>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let pool = Client::builder(TokioExecutor::new());
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Failed::usage(anyhow!("{url}: an instance is asked by http:// or https://")));
    }
    let answer = if url.starts_with("https://") {
        let trusted = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| {
            Failed::configuration(anyhow!(
                "{url}: this machine has no root certificates ({error}): install them, or name a file of them in SSL_CERT_FILE"
            ))
        })?;
        pool.build(trusted.https_only().enable_http1().build()).request(request).await
    } else {
        pool.build_http().request(request).await
    };
    let nobody = || format!("no instance answers at {url}: name one with --url");
    answer.with_context(nobody).map_err(Failed::unavailable)
}

/// What a URL without a scheme means: an address, as `api.listen` has it.
pub(super) fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use bytes::Bytes;
    use http_body_util::Empty;

    use super::*;

    #[tokio::test]
    async fn by_https_the_first_word_is_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("https://{}/v1/feeds", listener.local_addr().expect("bound"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("it asks");
            let mut first = [0; 2];
            stream.read_exact(&mut first).expect("a record");
            first
        });
        let asked = Request::get(&url).body(Empty::<Bytes>::new()).expect("a request");
        let failed = request(&url, asked).await.expect_err("the server says nothing");
        if failed.exit == crate::cli::Exit::Configuration {
            eprintln!("SKIPPED: this machine trusts nobody: {:#}", failed.error);
            return;
        }
        // RFC 8446 clause 5.1: a handshake, of TLS.
        assert_eq!(server.join().expect("it reads"), [22, 3]);
    }

    #[tokio::test]
    async fn who_types_another_scheme_has_typed_it_wrong() {
        let asked = Request::get("ftp://x/").body(Empty::<Bytes>::new()).expect("a request");
        let failed = request("ftp://x/", asked).await.expect_err("nobody is asked so");
        assert_eq!(failed.exit, crate::cli::Exit::Usage);
    }

    #[test]
    fn an_address_is_a_url_without_its_scheme() {
        assert_eq!(with_scheme("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(with_scheme("https://meter.example"), "https://meter.example");
    }
}
