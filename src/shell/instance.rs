//! One instance of the program: its threads, and what they share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use super::supervisor::spawn;
use super::{
    Board, Clocks, Inbox, Pushed, Pushes, SharedDirectory, Workers, folder, ingest, serving, worker,
};
use crate::api::{Access, Api, Basis, Serves, router};
use crate::guard::{end_at_once, or_exit_in};
use crate::ingest::formats::feed::Feed;
use crate::ingest::{Directory, Options};
use crate::log::{IngestLog, LogError, WorkerLog};
use crate::rollup::RowSink;
use crate::worker::Settings;

/// How many threads of each kind, and the partitions of the log.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub workers: usize,
    pub ingests: usize,
    pub partitions: u32,
}

/// A running instance. Dropping it leaves the threads running: [`Instance::stop`] ends them.
pub struct Instance {
    pub board: Arc<Board>,
    pub workers: Arc<Workers>,
    pushes: Arc<Pushes>,
    /// Of ingests that were not started yet.
    pushed: BTreeMap<usize, Pushed>,
    stop: Arc<AtomicBool>,
    clocks: Clocks,
    threads: Vec<JoinHandle<()>>,
}

impl Instance {
    /// An instance without threads yet, and the mailboxes for its workers.
    #[must_use]
    pub fn new(size: Size) -> (Self, Vec<Inbox>) {
        let (workers, inboxes) = Workers::new(size.workers, size.partitions);
        let (pushes, ends) = Pushes::new(size.ingests);
        let instance = Self {
            board: Arc::new(Board::new(size.workers, size.ingests)),
            workers: Arc::new(workers),
            pushes: Arc::new(pushes),
            pushed: ends.into_iter().enumerate().collect(),
            stop: Arc::default(),
            clocks: Clocks::start(),
            threads: Vec::new(),
        };
        (instance, inboxes)
    }

    /// Starts a worker's thread; `make` opens its log and its way to ClickHouse, again after a failure.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start_worker<L: WorkerLog, S: RowSink>(
        &mut self,
        number: usize,
        settings: Settings,
        inbox: Inbox,
        make: impl FnMut() -> Result<(L, S), LogError> + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = worker::Shared {
            board: Arc::clone(&self.board),
            workers: Arc::clone(&self.workers),
            stop: Arc::clone(&self.stop),
            clocks: self.clocks,
        };
        self.start(format!("worker-{number}"), move || worker::run(number, &settings, &shared, inbox, make))
    }

    /// Starts the thread of an ingest, one of as many as the instance was made for.
    ///
    /// # Errors
    /// The system has no thread left, or that ingest runs already.
    pub fn start_ingest<L: IngestLog, D: Directory>(
        &mut self,
        number: usize,
        options: Options,
        make: impl FnMut() -> Result<(L, D), LogError> + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = ingest::Shared {
            board: Arc::clone(&self.board),
            stop: Arc::clone(&self.stop),
            clocks: self.clocks,
        };
        let pushed = self.pushed.remove(&number).ok_or(std::io::ErrorKind::AlreadyExists)?;
        self.start(format!("ingest-{number}"), move || ingest::run(number, &options, &shared, pushed, make))
    }

    /// Starts the thread that reads the feeds' folders, if any feed has one.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start_folders<L: IngestLog>(
        &mut self,
        feeds: Vec<Feed>,
        options: Options,
        make: impl FnMut() -> Result<(L, SharedDirectory), LogError> + Send + 'static,
    ) -> std::io::Result<()> {
        if feeds.iter().all(|feed| feed.folder.is_none()) {
            return Ok(());
        }
        let shared = ingest::Shared {
            board: Arc::clone(&self.board),
            stop: Arc::clone(&self.stop),
            clocks: self.clocks,
        };
        self.start("folders".to_owned(), move || folder::run(&feeds, &options, &shared, make))
    }

    fn start(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads.push(spawn(name, body)?);
        Ok(())
    }

    /// What HTTP reads of this instance; it takes commands once [`Api::commands`] is set, and
    /// asks other instances once [`Api::owners`] knows them, and batches of [`Api::feeds`].
    #[must_use]
    pub fn api(&self, metrics: PrometheusHandle, clock_supplied: bool, access: Access) -> Api {
        let (board, workers) = (Arc::clone(&self.board), Arc::clone(&self.workers));
        let pushes = Arc::clone(&self.pushes);
        Api::new(Basis { board, workers, pushes, metrics, clock_supplied, access })
    }

    /// The flag that ends the threads; for others that should end with them.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Tells all threads to seal, commit and leave, and waits for them.
    pub fn stop(self) {
        self.board.stopping();
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // None panics and lives to be waited for: see `supervisor::spawn`.
            drop(thread.join());
        }
    }
}

/// Takes an address for HTTP. To be done before anything else is begun: a second instance by mistake takes nothing from
/// the first.
///
/// # Errors
/// The address is taken.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        anyhow::anyhow!("cannot listen on {address}: {e}; choose another api.listen or api.operations")
    })
}

/// Serves HTTP where it was [bound](bind), and gives the address.
///
/// # Errors
/// The system does not say which address it is.
pub fn serve(listener: TcpListener, api: Api, serves: Serves) -> std::io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    let serving = serving::serve(listener, router(api, serves), serving::Bounds::default());
    tokio::spawn(or_exit_in("HTTP", serving));
    Ok(address)
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// The system refuses the handlers.
pub async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    Ok(())
}

/// Ends the process at the next of these signals, however far it is: leaving takes as long as brokers take to answer.
pub fn end_if_told_again() {
    tokio::spawn(async {
        if told_to_stop().await.is_ok() {
            end_at_once();
        }
    });
}
