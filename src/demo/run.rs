//! The demo: the whole product in one process over a log in a directory, a fleet that sends, and a screen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use super::rollups::Rollups;
use super::screen::Screen;
use super::sender::Sender;
use super::{DEPLOYMENT, catalogue};
use crate::api::{Access, Allowed, Live, Names, Serves, metrics};
use crate::guard::or_exit_in;
use crate::ingest::Options as IngestOptions;
use crate::log::file::{FileCommands, FileIngestLog, FileReplay, FileTail, FileWorkerLog, Member, Store};
use crate::log::{Replay, Tail as _};
use crate::shell::{
    Commands, FOLLOWED, Instance, SharedDirectory, Size, bind, follow_events, serve, told_to_stop, wall_ms,
};
use crate::worker::{Clock, New, Settings};

/// Partitions of the demo's log.
const PARTITIONS: u32 = 4;
/// Between two screens.
const FRAME: Duration = Duration::from_millis(200);

/// What the demo is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cards of a fleet that is not there yet.
    pub cards: u32,
    /// Where the log is kept.
    pub directory: PathBuf,
    pub listen: SocketAddr,
    /// The fleet's seconds a second.
    pub speed: u32,
    /// End by itself after so long.
    pub run_for: Option<Duration>,
    /// Lines instead of a screen.
    pub plain: bool,
}

/// Runs until told to stop.
///
/// # Errors
/// The directory or the address cannot be used.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let bound = bind(options.listen).await?;
    let handle = metrics::install().context("metrics")?;
    tokio::spawn(or_exit_in("metrics", metrics::upkeep(handle.clone())));
    let store = Store::open(&options.directory.join("log"), PARTITIONS, Arc::new(wall_ms))?;
    let sender = Sender::open(Arc::clone(&store), options.cards, wall_ms() / 1000, |fleet| {
        catalogue::first_messages(fleet, PARTITIONS)
    })?;
    let rollups = Rollups::find(&options.directory);
    let directory = SharedDirectory::default();
    let instance = start(&store, &rollups, &directory)?;
    let allowed = if options.listen.ip().is_loopback() { Allowed::Operate } else { Allowed::Read };
    let mut api = instance.api(handle, true, Access::Everybody(allowed));
    let live = live(&store);
    api.commands = Some(commands(&instance, &store, &live)?);
    api.live = Some(live);
    let board = Arc::clone(&instance.board);
    api.names = Some(Names { directory, whole: Arc::new(move || board.directory_ready()) });
    DEPLOYMENT.clone_into(&mut api.deployment);
    let address = serve(bound, api, Serves::All)?;
    let fleet = sender.fleet();
    let place = Arc::clone(&sender.step);
    let stop = instance.stop_flag();
    let speed = options.speed;
    let sending = std::thread::Builder::new().name("fleet".to_owned()).spawn({
        let (stop, board) = (Arc::clone(&stop), Arc::clone(&instance.board));
        // Usage that overtook its card's registration and package would tell another story.
        let sold = move || {
            let cards = board.partitions().iter().map(|held| held.cards.total()).sum::<u64>();
            cards >= u64::from(fleet.cards)
        };
        move || sender.run(speed, &stop, sold)
    })?;
    let mut screen = Screen::new(&options, fleet, Arc::clone(&store), format!("http://{address}"));
    let shown = show(&mut screen, &instance, &rollups, &place, options.run_for).await;
    screen.close();
    instance.board.stopping();
    stop.store(true, Ordering::Relaxed);
    let sent = sending.join().map_err(|_| anyhow::anyhow!("the fleet's thread has panicked"))?;
    tokio::task::spawn_blocking(move || instance.stop()).await?;
    shown.and(sent)
}

/// Events for whoever follows them; what was missed is read again from the store.
fn live(store: &Arc<Store>) -> Live {
    let store = Arc::clone(store);
    let reader = move || Ok(Box::new(FileReplay(Arc::clone(&store))) as Box<dyn Replay>);
    Live { events: Arc::default(), reader: Arc::new(reader) }
}

fn commands(instance: &Instance, store: &Arc<Store>, live: &Live) -> anyhow::Result<Commands> {
    let log = Arc::new(FileCommands::new(Arc::clone(store)));
    let commands = Commands { log, answers: Arc::default() };
    let (begun, store) = (Arc::clone(&live.events), Arc::clone(store));
    let tail = move || {
        let tail = match begun.places() {
            places if places.is_empty() => FileTail::from_end(Arc::clone(&store), &FOLLOWED),
            places => FileTail::from_places(Arc::clone(&store), places),
        };
        begun.begin(tail.places());
        Ok(tail)
    };
    follow_events(instance.stop_flag(), tail, &commands.answers, &live.events)?;
    Ok(commands)
}

fn start(store: &Arc<Store>, rollups: &Rollups, directory: &SharedDirectory) -> anyhow::Result<Instance> {
    let (mut instance, inboxes) = Instance::new(Size { workers: 1, ingests: 1, partitions: PARTITIONS });
    let mut settings = Settings::new(DEPLOYMENT, "demo", PARTITIONS);
    settings.clock = Clock::Supplied;
    settings.new = New::Allowed;
    for (number, inbox) in inboxes.into_iter().enumerate() {
        let (store, rollups) = (Arc::clone(store), rollups.clone());
        let make = move || Ok((FileWorkerLog::new(Arc::clone(&store), Member::ONLY), rollups.sink()));
        instance.start_worker(number, settings.clone(), inbox, make)?;
    }
    let (store, directory) = (Arc::clone(store), directory.clone());
    instance.start_ingest(0, IngestOptions::new(DEPLOYMENT, Clock::Supplied), move || {
        Ok((FileIngestLog::new(Arc::clone(&store), Member::ONLY)?, directory.clone()))
    })?;
    Ok(instance)
}

async fn show(
    screen: &mut Screen,
    instance: &Instance,
    rollups: &Rollups,
    place: &AtomicU64,
    run_for: Option<Duration>,
) -> anyhow::Result<()> {
    let told = told_to_stop();
    let end = async {
        match run_for {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(told, end);
    let mut frames = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            done = &mut told => return Ok(done?),
            () = &mut end => return Ok(()),
            _ = frames.tick() => screen.frame(instance, rollups.status(), place.load(Ordering::Relaxed)).await?,
        }
    }
}
