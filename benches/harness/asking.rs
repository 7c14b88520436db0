//! Questions over HTTP, each at the time it is due whatever became of those before: a stall is seen by all that fell due
//! in it, and none is spared the wait by the asker waiting too.
//!
//! A latency counts from the time at which its question was due, not from the one at which it was sent.
//!
//! Whoever asks stands for programs on other machines, and has cores of his own there. Where he shares them with the brokers
//! and the product, his own waits for a core would count as theirs: so his threads may be put before all others, as far as
//! the system lets them (`nice`), and whether they were is printed.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegauge::shell::Clocks;

/// Connections kept to one address between two questions.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// Nobody waits for longer than this.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) type Request = hyper::Request<Full<Bytes>>;

/// What came of a question.
pub(crate) struct Answered {
    /// Of the asker's.
    pub(crate) kind: &'static str,
    pub(crate) took: Duration,
    /// `None`: none.
    pub(crate) status: Option<u16>,
    pub(crate) body: Bytes,
}

/// Asks over connections that are kept.
pub(crate) struct Asker {
    nice: i32,
    runtime: tokio::runtime::Runtime,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Asker {
    /// `nice`: of the threads that ask, 0 as all others, down to -20 before all others.
    pub(crate) fn new(nice: i32) -> anyhow::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().on_thread_start(move || drop(be_nice(nice)));
        let runtime = runtime.build()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder.pool_max_idle_per_host(IDLE_CONNECTIONS_MAX).build(connector);
        Ok(Self { nice, runtime, client })
    }

    /// The same for the calling thread, which asks.
    ///
    /// # Errors
    /// The system does not let it: it goes on as all others.
    pub(crate) fn be_nice(&self) -> std::io::Result<()> {
        be_nice(self.nice)
    }

    /// One question, waited for.
    pub(crate) fn ask(&self, request: Request) -> Answered {
        self.runtime.block_on(answered(self.client.clone(), "", Clocks::instant(), request))
    }

    /// What is at an address.
    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Answered> {
        Ok(self.ask(get(url)?))
    }

    /// Asks `rate` a second from `begun` on for so long, and hands the answers over as they come. Returns when the last was
    /// asked; the answers end when the last has come.
    pub(crate) fn ask_steadily(
        &self,
        (rate, begun, length): (u64, Instant, Duration),
        mut question: impl FnMut(u64) -> anyhow::Result<(&'static str, Request)>,
        to: &mpsc::Sender<Answered>,
    ) -> anyhow::Result<()> {
        // Whether it may was said before.
        drop(self.be_nice());
        for number in 0..rate * length.as_secs() {
            let due = begun + Duration::from_nanos(1_000_000_000 / rate * number);
            let (kind, request) = question(number)?;
            while let Some(early) = due.checked_duration_since(Clocks::instant()) {
                std::thread::park_timeout(early);
            }
            let (client, to) = (self.client.clone(), to.clone());
            self.runtime.spawn(async move { to.send(answered(client, kind, due, request).await) });
        }
        Ok(())
    }
}

/// Linux keeps this of each thread by itself (setpriority(2)).
fn be_nice(nice: i32) -> std::io::Result<()> {
    if nice == 0 {
        return Ok(());
    }
    Ok(rustix::process::setpriority_process(None, nice)?)
}

pub(crate) fn get(url: &str) -> anyhow::Result<Request> {
    Ok(hyper::Request::get(url).body(Full::default())?)
}

pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &serde_json::Value) -> anyhow::Result<Request> {
    let mut request = hyper::Request::post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(request.body(Full::from(body.to_string()))?)
}

async fn answered(
    client: Client<HttpConnector, Full<Bytes>>,
    kind: &'static str,
    due: Instant,
    request: Request,
) -> Answered {
    let answer = async {
        let answer = client.request(request).await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.into_body().collect().await.ok()?.to_bytes()))
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await.ok().flatten();
    let (status, body) = answer.map_or((None, Bytes::new()), |(status, body)| (Some(status), body));
    Answered { kind, took: due.elapsed(), status, body }
}

/// Latencies by kind, of answers that were right, and how many were not.
#[derive(Default)]
pub(crate) struct Latencies {
    right: BTreeMap<&'static str, Vec<Duration>>,
    wrong: BTreeMap<String, u64>,
}

impl Latencies {
    /// Takes an answer; `wrong` says what is wrong with it.
    pub(crate) fn take(&mut self, answered: &Answered, wrong: Option<String>) {
        match wrong {
            None => self.right.entry(answered.kind).or_default().push(answered.took),
            Some(wrong) => *self.wrong.entry(wrong).or_default() += 1,
        }
    }

    /// A line for each kind, and what was wrong.
    pub(crate) fn print(mut self, stage: &str) {
        for (kind, took) in &mut self.right {
            took.sort_unstable();
            let ms = |per_mille: usize| took[(took.len() - 1) * per_mille / 1_000].as_secs_f64() * 1e3;
            println!(
                "{stage}: {kind}: {} answered, p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, greatest {:.1} ms",
                took.len(),
                ms(500),
                ms(990),
                ms(999),
                ms(1_000)
            );
        }
        for (wrong, count) in &self.wrong {
            println!("{stage}: {count} × {wrong}");
        }
    }
}
