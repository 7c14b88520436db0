//! The demo's rollups: on as soon as the ClickHouse engine is there, off if it does not come.
//!
//! While it is being waited for, rows wait in the meter, where memory is bounded by the number of cards.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::engine::{Engine, HOW_TO_GET};
use crate::rollup::migrate::{MIGRATIONS, migrate};
use crate::rollup::{ChannelSink, Client, Flusher, RowBatch, RowSink, Server, Timeouts};

/// How long the engine may still be on its way.
const WAIT_FOR: Duration = Duration::from_mins(10);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A handle; clones share it.
#[derive(Clone)]
pub(super) struct Rollups(Arc<State>);

struct State {
    on: OnceLock<On>,
    off: AtomicBool,
}

struct On {
    flusher: Flusher,
    engine: Engine,
}

impl Rollups {
    /// Looks for the engine in the background.
    pub(super) fn find(directory: &Path) -> Self {
        let rollups = Self(Arc::new(State { on: OnceLock::new(), off: AtomicBool::new(false) }));
        tokio::spawn(rollups.clone().bring(directory.join("clickhouse")));
        rollups
    }

    async fn bring(self, directory: PathBuf) {
        let found = async {
            loop {
                match Engine::is_there() {
                    Some(lib) => return lib,
                    None => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
        };
        let Ok(lib) = tokio::time::timeout(WAIT_FOR, found).await else {
            return self.0.off.store(true, Ordering::Relaxed);
        };
        match start(&lib, &directory).await {
            Ok(on) => drop(self.0.on.set(on)),
            Err(error) => {
                tracing::warn!(%error, "rollups stay off");
                self.0.off.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn sink(&self) -> LateSink {
        LateSink { state: Arc::clone(&self.0), sink: None, acks: std::collections::VecDeque::new() }
    }

    /// One line for the screen.
    pub(super) fn status(&self) -> String {
        match self.0.on.get() {
            Some(on) => {
                format!("ClickHouse at {}: {} rows written", on.engine.url, on.flusher.stats().rows())
            }
            None if self.0.off.load(Ordering::Relaxed) => {
                format!("off; {HOW_TO_GET} brings the engine (178 MB)")
            }
            None => format!("waiting for the ClickHouse engine; {HOW_TO_GET} brings it (178 MB)"),
        }
    }
}

async fn start(lib: &Path, directory: &Path) -> anyhow::Result<On> {
    let engine = Engine::start(lib, directory).await?;
    let server = Server {
        url: engine.url.clone(),
        database: "tidegauge".to_owned(),
        user: "default".to_owned(),
        password: String::new(),
    };
    let client = Client::new(&server, Timeouts::default());
    migrate(&client, &MIGRATIONS).await?;
    let flusher = Flusher::start(crate::rollup::Writer::new(client), &tokio::runtime::Handle::current());
    Ok(On { flusher, engine })
}

/// A sink that waits for the flusher, and is nowhere when there will be none.
pub(super) struct LateSink {
    state: Arc<State>,
    sink: Option<ChannelSink>,
    acks: std::collections::VecDeque<(u32, u64)>,
}

impl LateSink {
    fn sink(&mut self) -> Option<&mut ChannelSink> {
        if self.sink.is_none() {
            self.sink = self.state.on.get().map(|on| on.flusher.sink());
        }
        self.sink.as_mut()
    }
}

impl RowSink for LateSink {
    fn ready(&self) -> bool {
        self.state.on.get().is_some() || self.state.off.load(Ordering::Relaxed)
    }

    fn submit(&mut self, batch: RowBatch) -> bool {
        let (off, end) = (self.state.off.load(Ordering::Relaxed), (batch.partition, batch.id));
        match self.sink() {
            Some(sink) => sink.submit(batch),
            None if off => {
                self.acks.push_back(end);
                true
            }
            None => false,
        }
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        self.acks.pop_front().or_else(|| self.sink.as_mut().and_then(RowSink::acked))
    }
}
