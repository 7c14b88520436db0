//! What an instance does when one of its threads panics: it is missed at once, and goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::codec::directory;
use crate::ingest::{Change, Directory, Options};
use crate::log::file::{FileIngestLog, FileTail, FileWorkerLog, Member, Store};
use crate::log::{LogError, Topic};
use crate::model::{CardId, CardName, DirectoryEntry, Number, UnixTime};
use crate::rollup::{RowBatch, RowSink};
use crate::worker::{New, Settings, StateName};

const CARD: &str = "8986001234567890123";
/// A test that hangs must fail.
const PATIENCE: Duration = Duration::from_mins(1);

/// Panics once it is told to, once.
#[derive(Clone, Default)]
struct Planted(Arc<AtomicBool>);

impl Planted {
    fn plant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn pass(&self) {
        assert!(!self.0.swap(false, Ordering::Relaxed), "planted");
    }
}

impl RowSink for Planted {
    fn submit(&mut self, _: RowBatch) -> bool {
        self.pass();
        false
    }

    fn acked(&mut self) -> Option<(u32, u64)> {
        self.pass();
        None
    }
}

/// A directory in which it is planted.
#[derive(Clone, Default)]
struct Mined(SharedDirectory, Planted);

impl Directory for Mined {
    fn set_all(&mut self, name: CardName, card: CardId, entries: &[DirectoryEntry]) -> Change {
        self.1.pass();
        self.0.set_all(name, card, entries)
    }

    fn holder(&self, number: Number, at: UnixTime) -> Option<CardId> {
        self.0.holder(number, at)
    }

    fn conflicts(&self, number: Number) -> Vec<(DirectoryEntry, DirectoryEntry)> {
        self.0.conflicts(number)
    }

    fn knows(&self, card: CardId) -> bool {
        self.0.knows(card)
    }
}

/// A gate before each attempt: the test hears of it and lets it go on.
struct Gate {
    come: Receiver<()>,
    go: Sender<()>,
}

impl Gate {
    fn new() -> (Self, impl FnMut() + Send + 'static) {
        let ((here, come), (go, goes)) = (channel(), channel());
        let pass = move || {
            here.send(()).expect("the test is there");
            goes.recv_timeout(PATIENCE).expect("the test lets it go on");
        };
        (Self { come, go }, pass)
    }

    fn come(&self) {
        self.come.recv_timeout(PATIENCE).expect("an attempt");
    }

    fn go(&self) {
        self.go.send(()).expect("it waits");
    }
}

fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Clocks::instant();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "not {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn store(directory: &tempfile::TempDir) -> Arc<Store> {
    Store::open(directory.path(), 1, Arc::new(wall_ms)).expect("a store")
}

/// A message that names a card's own ICCID.
fn named(store: &Store) {
    let card = CardId::parse(CARD).expect("an ICCID");
    let entry = DirectoryEntry { name: CardName::Iccid(card), card, valid_from: 0, valid_to: None };
    store.append(vec![directory::output(&entry, None)], &[]).expect("appended");
}

/// An instance with one worker, of which the first attempt is let go on.
fn working(directory: &tempfile::TempDir) -> (Instance, Planted, Gate) {
    let store = store(directory);
    let (mut instance, mut inboxes) = Instance::new(Size { workers: 1, ingests: 0, partitions: 1 });
    let (planted, (gate, mut pass)) = (Planted::default(), Gate::new());
    let sink = planted.clone();
    let make = move || {
        pass();
        Ok((FileWorkerLog::new(Arc::clone(&store), Member::ONLY), sink.clone()))
    };
    let settings = Settings { new: New::Allowed, ..Settings::new("t", "t-1", 1) };
    instance.start_worker(0, settings, inboxes.remove(0), make).expect("a thread");
    gate.come();
    gate.go();
    (instance, planted, gate)
}

#[test]
fn a_worker_that_panics_is_missed_and_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let (instance, planted, gate) = working(&directory);
    let ready = || instance.board.readiness().ready;
    until("ready", ready);
    planted.plant();
    gate.come();
    let why = instance.board.readiness().why;
    assert!(why.len() == 1 && why[0].starts_with("0 of 1 workers have joined: "), "{why:?}");
    gate.go();
    until("ready again", ready);
    instance.stop();
}

/// Whoever ordered the drain was told that nothing is folded here until the process is started again.
#[test]
fn a_worker_that_follows_a_drained_one_is_drained() {
    let directory = tempfile::tempdir().expect("a directory");
    let (instance, planted, gate) = working(&directory);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(instance.workers.drain()), Ok(Ok(())));
    planted.plant();
    gate.come();
    gate.go();
    let state = || instance.board.partitions().first().map(|status| status.state);
    until("restored", || !matches!(state(), None | Some(StateName::Restoring)));
    assert_eq!(state(), Some(StateName::Drained));
    instance.stop();
}

#[test]
fn an_ingest_that_panics_vouches_for_the_directory_no_more_until_one_has_read_it_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, mined) = (store(&directory), Mined::default());
    let (mut instance, _) = Instance::new(Size { workers: 0, ingests: 1, partitions: 1 });
    let (gate, mut pass) = Gate::new();
    let make = {
        let (store, mined) = (Arc::clone(&store), mined.clone());
        move || {
            pass();
            Ok((FileIngestLog::new(Arc::clone(&store), Member::ONLY)?, mined.clone()))
        }
    };
    let options = Options::new("t", crate::ingest::Clock::Log);
    instance.start_ingest(0, options, make).expect("a thread");
    gate.come();
    gate.go();
    until("ready", || instance.board.directory_ready());
    mined.1.plant();
    named(&store);
    gate.come();
    assert!(!instance.board.directory_ready());
    let why = instance.board.readiness().why;
    assert!(why.len() == 1 && why[0].starts_with("0 of 1 ingests have read the directory: "), "{why:?}");
    gate.go();
    until("ready again", || instance.board.directory_ready());
    assert!(mined.knows(CardId::parse(CARD).expect("an ICCID")), "what it panicked at was read again");
    instance.stop();
}

#[test]
fn a_tail_that_panics_says_so_and_is_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory);
    let (stop, hearing) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (planted, (gate, mut pass)) = (Planted::default(), Gate::new());
    let (told, ended) = channel();
    let tail = {
        let store = Arc::clone(&store);
        move || {
            pass();
            Ok(FileTail::from_end(Arc::clone(&store), &[Topic::Directory]))
        }
    };
    let hear = {
        let planted = planted.clone();
        move |_: crate::log::Message<'_>| planted.pass()
    };
    let failed = move |why: &Ended<LogError>| told.send(matches!(why, Ended::Panicked(_))).expect("the test");
    follow("names", (Arc::clone(&stop), Arc::clone(&hearing)), tail, hear, failed).expect("a thread");
    let hears = || hearing.load(Ordering::Relaxed);
    gate.come();
    gate.go();
    until("heard", hears);
    planted.plant();
    named(&store);
    gate.come();
    assert_eq!((ended.recv_timeout(PATIENCE), hears()), (Ok(true), false));
    gate.go();
    until("heard again", hears);
    stop.store(true, Ordering::Relaxed);
}
