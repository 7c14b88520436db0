//! A ClickHouse for development, with nothing installed: ClickHouse's own engine as a library behind its HTTP interface.
//!
//! The demo and the tests talk to it through the same client as to a server. Invariants: it listens on loopback only,
//! for it knows no users and no passwords; one process has one data directory and one engine, which live until the
//! process ends; what it does not offer it refuses; and killing it at any moment loses nothing that was acknowledged,
//! for that is in files.
//!
//! It does not show users and grants, quotas, sessions, asynchronous inserts, replication or backups: those need a
//! server. Answers are built in memory before they are sent.
//!
//! ```text
//! request ─ request.rs ─► statement ─ run.rs ─► ffi.rs ─► engine
//!            body ─ blocks.rs ─► pieces ──┘        └─► answer.rs ─► response
//! ```

mod answer;
mod blocks;
mod ffi;
mod request;
mod run;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::Response;
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};

use crate::stdout::say;
use answer::Refusal;
use blocks::Blocks;
use ffi::{Answer, Engine};
use request::{Job, Packing, Statement};
use run::Piece;

/// Where `deploy/dev/clickhouse-get.sh` puts the library, below the cache directory.
const LIB_IN_CACHE: &str = "libchdb-26.7.3-stable.1/libchdb.so";
/// Names the engine's library.
const LIB_VARIABLE: &str = "TIDEGAUGE_LIBCHDB";
/// Names the cache directory: shared with `deploy/dev/*.sh`, which have no configuration file to read it from.
const CACHE_VARIABLE: &str = "TIDEGAUGE_CACHE";
/// Memory of the engine: the demo shares a machine with a browser.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// Statements at work; further ones wait their turn. Each has a thread and a connection.
const STATEMENTS_MAX: usize = 8;
/// Data are handed to the engine in pieces of at least this: each costs it a wake-up.
const PIECE_BYTES_MIN: usize = 64 << 10;
/// Pieces between the socket and the engine, so that a slow engine slows the client down.
const PIECES_MAX: usize = 4;
/// How long statements under way may delay the end of the process.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What to serve, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The engine's directory; made if it is not there.
    pub data: PathBuf,
    /// The engine, see [`find_lib`].
    pub lib: PathBuf,
}

/// The engine's library: `explicit` (a flag) if given, else `TIDEGAUGE_LIBCHDB`, else the cache directory
/// (`TIDEGAUGE_CACHE` or `~/.cache/tidegauge`). What was named must be there: no silent second choice.
pub fn find_lib(explicit: Option<&Path>) -> Option<PathBuf> {
    let named = explicit.map(Path::to_owned).or_else(|| std::env::var_os(LIB_VARIABLE).map(PathBuf::from));
    named.or_else(cached_lib).filter(|path| path.is_file())
}

fn cached_lib() -> Option<PathBuf> {
    let named = std::env::var_os(CACHE_VARIABLE).map(PathBuf::from);
    let cache = named.or_else(|| std::env::home_dir().map(|home| home.join(".cache/tidegauge")))?;
    Some(cache.join(LIB_IN_CACHE))
}

/// Serves until SIGINT or SIGTERM, then ends the process with status 0. Prints `ready http://ADDRESS` on standard
/// output once it answers. Returns only if it could not begin.
///
/// # Errors
/// When the address is not loopback or is taken, when the directory or the library cannot be opened.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    if !options.listen.ip().is_loopback() {
        bail!(
            "{} is not a loopback address: this endpoint has no users or passwords, use 127.0.0.1",
            options.listen
        );
    }
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}: choose another with --listen", options.listen))?;
    let address = listener.local_addr()?;
    let engine = tokio::task::spawn_blocking(move || boot(&options)).await??;
    say!("ready http://{address}");
    // Answers are small and their client waits for them: never hold one back.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let (stop, mut stopped) = mpsc::channel::<()>(1);
    let server = axum::serve(listener, router(engine)).with_graceful_shutdown(async move {
        let _hold = stop; // dropped when the end begins
        wait_for_signal().await;
    });
    let deadline = async {
        stopped.recv().await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        _ = server.into_future() => {}
        () = deadline => {}
    }
    ffi::exit()
}

fn boot(options: &Options) -> anyhow::Result<&'static Engine> {
    std::fs::create_dir_all(&options.data)
        .with_context(|| format!("cannot make the data directory {}", options.data.display()))?;
    let memory = format!("max_server_memory_usage={MEMORY_BYTES_MAX}");
    Ok(Engine::load(&options.lib, &options.data, &[memory])?)
}

async fn wait_for_signal() {
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        }
        // Without handlers the signals end the process by themselves.
        _ => std::future::pending().await,
    }
}

#[derive(Clone)]
struct Endpoint {
    engine: &'static Engine,
    places: &'static Semaphore,
}

fn router(engine: &'static Engine) -> Router {
    let places = Box::leak(Box::new(Semaphore::new(STATEMENTS_MAX)));
    Router::new()
        .route("/ping", get(|| async { "Ok.\n" }))
        .route("/", get(answer).post(answer))
        .layer(DefaultBodyLimit::max(request::SQL_BYTES_MAX))
        .with_state(Endpoint { engine, places })
}

async fn answer(State(endpoint): State<Endpoint>, request: Request) -> Response<Body> {
    endpoint.run(request).await.unwrap_or_else(Refusal::into_response)
}

impl Endpoint {
    async fn run(self, request: Request) -> Result<Response<Body>, Refusal> {
        let job = request::read(request).await?;
        let (answer, format) = match job {
            Job::Query(statement) if statement.sql.trim().is_empty() => return Ok("Ok.\n".into_response()),
            Job::Query(statement) => self.query(statement).await?,
            Job::Insert { statement, data, packing } => self.insert(statement, data, packing).await?,
        };
        Ok(answer::done(answer, &format))
    }

    async fn query(self, statement: Statement) -> Result<(Answer, String), Refusal> {
        self.on_thread(move |engine| Ok((run::query(engine, &statement)?, statement.format))).await
    }

    async fn insert(
        self,
        statement: Statement,
        data: Body,
        packing: Packing,
    ) -> Result<(Answer, String), Refusal> {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let written =
            self.on_thread(move |engine| Ok((run::insert(engine, &statement, pieces)?, statement.format)));
        let (fed, written) = tokio::join!(Feeder::new(sender, packing).feed(data), written);
        // A body that broke is the cause, the cancelled insert its effect.
        fed.and(written)
    }

    /// Runs a statement where it may block, in one of the [`STATEMENTS_MAX`] places, which it keeps to its end even
    /// when the client has gone.
    async fn on_thread<T: Send + 'static>(
        self,
        work: impl FnOnce(&'static Engine) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        // The semaphore is never closed: an error cannot occur, and would only mean that nobody counts.
        let place = self.places.acquire().await.ok();
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(self.engine)
        });
        task.await.unwrap_or(Err(Refusal::Panicked))
    }
}

/// Takes a body apart into pieces for the insert's thread.
struct Feeder {
    /// `None` once the insert has ended early: the rest of the body is read and dropped, so that the client is there
    /// to hear why.
    sender: Option<mpsc::Sender<Piece>>,
    /// `Some` when the body is packed.
    blocks: Option<Blocks>,
    piece: BytesMut,
}

impl Feeder {
    fn new(sender: mpsc::Sender<Piece>, packing: Packing) -> Self {
        let blocks = (packing == Packing::Blocks).then(Blocks::default);
        Self { sender: Some(sender), blocks, piece: BytesMut::new() }
    }

    /// Feeds the whole body. Dropped or failed on the way it sends no end, which cancels the insert.
    async fn feed(mut self, mut body: Body) -> Result<(), Refusal> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::Cut(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                self.unpack(&data)?;
                self.flush(PIECE_BYTES_MIN).await;
            }
        }
        if let Some(blocks) = &self.blocks {
            blocks.end()?;
        }
        self.flush(1).await;
        self.send(Piece::End).await;
        Ok(())
    }

    fn unpack(&mut self, data: &Bytes) -> Result<(), Refusal> {
        let Some(blocks) = &mut self.blocks else {
            self.piece.extend_from_slice(data);
            return Ok(());
        };
        blocks.push(data);
        while let Some(rows) = blocks.next()? {
            self.piece.extend_from_slice(&rows);
        }
        Ok(())
    }

    async fn flush(&mut self, bytes_min: usize) {
        if self.piece.len() >= bytes_min {
            let piece = self.piece.split().freeze();
            self.send(Piece::Data(piece)).await;
        }
    }

    async fn send(&mut self, piece: Piece) {
        if let Some(sender) = &self.sender
            && sender.send(piece).await.is_err()
        {
            self.sender = None;
        }
    }
}
