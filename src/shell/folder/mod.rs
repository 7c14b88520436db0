//! The thread that reads folders into which carriers drop their files.
//!
//! Folders take turns, a window each, so that a large file holds no other feed up. After each window everything is sent and
//! acknowledged before a place is kept: what a crash makes it read again are duplicates. `notify` tells of files that are
//! renamed into a folder; a look now and then finds what nobody told of.
//!
//! Invariant: what is wrong with one folder, or one file, is that folder's own trouble.

mod kept;
mod one;
mod open;
mod reading;
mod scan;
#[cfg(test)]
mod tests;

pub use open::content;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher as _};

use self::one::{One, Reach};
use super::ingest::Shared;
use super::supervisor::{Ended, Supervisor};
use super::{SharedDirectory, wall_ms};
use crate::api::metrics::{FeedMetrics, IngestMetrics};
use crate::guard::caught;
use crate::ingest::file::Out;
use crate::ingest::formats::feed::Feed;
use crate::ingest::gaps::{Gaps, Watch};
use crate::ingest::{Clock, Options};
use crate::limits::{FOLDER_NEWS_MAX, GAPS_LOOK_EVERY_MS, STATUS_EVERY_MS};
use crate::log::{IngestLog, LogError};
use crate::shell::board::{FeedStatus, FolderStatus};

/// How long an idle thread waits to be told of a file: also how soon it hears the order to stop.
const WAIT: Duration = Duration::from_millis(100);
/// How long one wait for acknowledgements is.
const ACKS_MS: u64 = 20;
/// The board's name for what this thread says.
const READER: &str = "folders";

/// Reads the folders of these feeds until told to stop; after a failure of the log with a new one.
pub fn run<L: IngestLog>(
    feeds: &[Feed],
    options: &Options,
    shared: &Shared,
    mut make: impl FnMut() -> Result<(L, SharedDirectory), LogError>,
) {
    let (tell, told) = sync_channel(FOLDER_NEWS_MAX);
    let mut folders = Folders::new(feeds, tell.clone());
    let mut metrics = (IngestMetrics::new(), FeedMetrics::default());
    let mut supervisor = Supervisor::new("folders", &shared.stop);
    while let Some((ended, pause)) = supervisor.attempt(|backoff| {
        let (log, directory) = make()?;
        backoff.reset();
        let out = Out::new(directory, options, log.log_partitions());
        folders.ones.iter_mut().for_each(One::anew);
        metrics.0.anew();
        metrics.1.anew();
        let gaps = folders.gaps(options.clock);
        Turn { folders: &mut folders, log, out, gaps, options, shared, told: &told }.run(&mut metrics)
    }) {
        tracing::error!(%ended, retry_in_s = pause.as_secs(), "folders cannot be read on; their places are kept");
        if let Ended::Panicked(_) = ended {
            folders = Folders::new(feeds, tell.clone());
        }
    }
}

/// Something happened in a folder.
struct Told {
    path: PathBuf,
    news: News,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// It was renamed into the folder.
    Renamed,
    Made,
    Written,
    /// Whoever wrote it has closed it.
    Closed,
    Other,
}

impl News {
    /// `None`: nothing that matters here.
    fn of(kind: EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Self::Renamed,
            EventKind::Create(_) => Self::Made,
            EventKind::Modify(ModifyKind::Data(_)) => Self::Written,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Self::Closed,
            EventKind::Modify(_) => Self::Other,
            _ => return None,
        })
    }
}

struct Folders {
    ones: Vec<One>,
    tell: SyncSender<Told>,
    /// Some news could not be told.
    missed: Arc<AtomicBool>,
    watcher: Option<notify::RecommendedWatcher>,
    /// Folders that are watched, and which they were: one made anew or mounted over is another.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl Folders {
    fn new(feeds: &[Feed], tell: SyncSender<Told>) -> Self {
        let one = |feed: &Feed| Some(One::new(feed.clone(), feed.folder.clone()?));
        let ones = feeds.iter().filter_map(one).collect();
        Self { ones, tell, missed: Arc::default(), watcher: None, watched: BTreeMap::new() }
    }

    fn gaps(&self, clock: Clock) -> Gaps {
        Gaps::new(self.ones.iter().map(|one| {
            let watch = Watch { listens: clock == Clock::Log, ..one.feed.watch };
            (one.id().to_owned(), watch)
        }))
    }

    /// Watches the folders that are there and are not watched yet. Without it files are found by looks alone.
    fn watch(&mut self) {
        if self.watcher.is_none() {
            let (tell, missed) = (self.tell.clone(), Arc::clone(&self.missed));
            let watcher = notify::recommended_watcher(move |event| tell_of(&tell, &missed, event));
            self.watcher = watcher.inspect_err(|error| tracing::warn!(%error, "no news of files")).ok();
        }
        let Some(watcher) = &mut self.watcher else { return };
        for path in self.ones.iter().map(|one| &one.folder().path) {
            let now = which(path);
            if self.watched.get(path).copied() == now {
                continue;
            }
            if self.watched.remove(path).is_some() {
                // The watch may have gone with the folder.
                drop(watcher.unwatch(path));
            }
            if let Some(now) = now
                && watcher.watch(path, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(path.clone(), now);
            }
        }
    }

    fn hear(&mut self, told: &Told) {
        for one in &mut self.ones {
            if told.path.parent() != Some(one.folder().path.as_path()) {
                continue;
            }
            let name = told.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match told.news {
                News::Renamed => one.scan.renamed(name),
                News::Made => one.scan.opened(name, false),
                News::Written => one.scan.opened(name, true),
                News::Closed => one.scan.closed(name),
                News::Other => {}
            }
            // What is written goes on to be: its close is looked at.
            if !name.starts_with('.') && told.news != News::Written {
                one.wake();
            }
        }
    }

    /// Looks at once, and takes no file for open, if not all was told.
    fn hear_what_was_missed(&mut self) {
        if self.missed.swap(false, Ordering::Relaxed) {
            for one in &mut self.ones {
                one.scan.missed_news();
                one.wake();
            }
        }
    }
}

/// Device and inode of a folder, if it is there.
fn which(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// While the log is waited for nobody hears; what is too much then is missed.
fn tell_of(tell: &SyncSender<Told>, missed: &AtomicBool, event: notify::Result<notify::Event>) {
    let Ok(event) = event else { return };
    if event.need_rescan() {
        missed.store(true, Ordering::Relaxed);
    }
    let Some(news) = News::of(event.kind) else { return };
    for path in event.paths {
        if tell.try_send(Told { path, news }).is_err() {
            missed.store(true, Ordering::Relaxed);
        }
    }
}

/// One log's time.
struct Turn<'a, L> {
    folders: &'a mut Folders,
    log: L,
    out: Out<SharedDirectory>,
    gaps: Gaps,
    options: &'a Options,
    shared: &'a Shared,
    told: &'a Receiver<Told>,
}

impl<L: IngestLog> Turn<'_, L> {
    fn run(mut self, metrics: &mut (IngestMetrics, FeedMetrics)) -> Result<(), LogError> {
        let (mut next_status_ms, mut next_tick_ms) = (0, 0);
        let mut ready = false;
        while !self.shared.told_to_stop() {
            ready = self.directory()? || ready;
            let mut moved = false;
            if ready {
                moved = self.windows()?;
            }
            let now_ms = wall_ms();
            if ready && now_ms >= next_tick_ms {
                next_tick_ms = now_ms + GAPS_LOOK_EVERY_MS;
                self.folders.watch();
                self.gaps.tick(now_ms);
                self.tell(now_ms)?;
            }
            if now_ms >= next_status_ms {
                next_status_ms = now_ms + STATUS_EVERY_MS;
                self.status(metrics);
            }
            self.listen(moved);
        }
        self.status(metrics);
        Ok(())
    }

    fn directory(&mut self) -> Result<bool, LogError> {
        match self.out.read_directory(&mut self.log) {
            Err(LogError::Retriable(trouble)) => {
                tracing::warn!("{trouble}");
                Ok(false)
            }
            other => other,
        }
    }

    /// A window of each folder in turn; each is acknowledged before it is settled.
    fn windows(&mut self) -> Result<bool, LogError> {
        let mut moved = false;
        for index in 0..self.folders.ones.len() {
            let now_ms = wall_ms();
            let supplied = self.options.clock == Clock::Supplied;
            let mut reach = Reach { out: &mut self.out, gaps: &mut self.gaps, now_ms, supplied };
            let Some(one) = self.folders.ones.get_mut(index) else { continue };
            match caught(|| one.step(&mut reach)) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(panicked) => {
                    // What it was handing over may be half there: all of this turn goes, and is read again.
                    one.condemn(&panicked.to_string(), now_ms);
                    return Err(LogError::Fatal(format!("feed {}: {panicked}", one.id())));
                }
            }
            moved = true;
            self.post_told();
            if !self.flush()? {
                return Ok(true);
            }
            if let Some(one) = self.folders.ones.get_mut(index) {
                one.settle(&self.gaps, now_ms);
            }
        }
        Ok(moved)
    }

    /// Sends what the watch has to tell, and keeps that it was told.
    fn tell(&mut self, now_ms: i64) -> Result<(), LogError> {
        if !self.post_told() || !self.flush()? {
            return Ok(());
        }
        for one in &mut self.folders.ones {
            if let Err(error) = one.save(&self.gaps, now_ms) {
                tracing::warn!(feed = one.id(), "{error}");
            }
        }
        Ok(())
    }

    fn post_told(&mut self) -> bool {
        let told = self.gaps.take();
        for told in &told {
            tracing::warn!(gap = told.name(), change = ?told.change, missing = told.missing, "a gap of a feed");
            self.out.post(told.output(&self.options.deployment));
        }
        !told.is_empty()
    }

    /// Sends everything and waits for its acknowledgement; `false` if told to stop before.
    fn flush(&mut self) -> Result<bool, LogError> {
        self.out.close();
        while self.out.waiting() > 0 {
            if self.shared.told_to_stop() {
                return Ok(false);
            }
            self.out.send(&mut self.log)?;
            self.out.collect(&mut self.log, ACKS_MS)?;
        }
        Ok(true)
    }

    /// Waits for news of files, unless there is something to read.
    fn listen(&mut self, moved: bool) {
        let mut wait = if moved { Duration::ZERO } else { WAIT };
        while let Ok(told) = self.told.recv_timeout(std::mem::take(&mut wait)) {
            self.folders.hear(&told);
        }
        self.folders.hear_what_was_missed();
    }

    fn status(&self, (ingest, feeds): &mut (IngestMetrics, FeedMetrics)) {
        ingest.counted(self.out.ledger());
        let standing = self.gaps.standing();
        feeds.count(&standing);
        let folder = |feed: &str| self.folders.ones.iter().find(|one| one.id() == feed).map(status_of);
        let statuses: Vec<FeedStatus> = standing
            .into_iter()
            .map(|standing| FeedStatus { folder: folder(&standing.feed), standing })
            .collect();
        for status in &statuses {
            feeds.folder(status);
        }
        self.shared.board.feeds(READER, statuses);
        feeds.stand(&self.shared.board.watched(), wall_ms());
    }
}

fn status_of(one: &One) -> FolderStatus {
    FolderStatus {
        path: one.folder().path.display().to_string(),
        waiting: one.scan.waiting(),
        file: one.in_hand(),
        trouble: one.trouble.clone(),
    }
}
