//! `run`: ingest, meter and answer, until told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::args::{Role, RunArgs};
use super::exit::{Exit, Failed};
use super::rollups::{Rollups, Sink, archive};
use super::{kafka, observe};
use crate::api::{Access, Allowed, Api, Live, Names, Serves, metrics};
use crate::config::{Config, Role as TokenRole, tokens};
use crate::guard::or_exit_in;
use crate::ingest::formats::Decoder;
use crate::ingest::formats::feed::Feed;
use crate::ingest::{Options, RawFeed};
use crate::log::kafka::{
    KafkaCommands, KafkaIngestLog, KafkaReplay, KafkaTail, KafkaWorkerLog, any_committed,
};
use crate::log::{Replay, Tail as _, Topic};
use crate::shell::{
    Commands, Events, FOLLOWED, Inbox, Instance, SharedDirectory, Size, bind, end_if_told_again, follow,
    follow_events, serve as serve_at, told_to_stop,
};
use crate::worker::{New, Pace, Settings};

/// How long the start waits for the reader of answers ...
const HEARING_WITHIN_MS: u64 = 5_000;
/// ... and how often it looks.
const HEARING_EVERY_MS: u64 = 10;

/// Runs the roles asked for.
pub(super) fn run(args: &RunArgs, config: &Config) -> Result<Exit, Failed> {
    observe::start(config)?;
    config.unread.iter().for_each(|unread| tracing::warn!("{unread}"));
    super::runtime()?.block_on(serve(args, config))
}

async fn serve(args: &RunArgs, config: &Config) -> Result<Exit, Failed> {
    let access = access(config)?;
    let doors = Doors::bind(args, config).await?;
    has_state(args, config).await?;
    let handle = metrics::install().context("metrics")?;
    tokio::spawn(or_exit_in("metrics", metrics::upkeep(handle.clone())));
    let count = |role, threads: u16| if args.roles.contains(&role) { usize::from(threads) } else { 0 };
    let size = Size {
        workers: count(Role::Meter, config.worker_threads),
        ingests: count(Role::Ingest, config.ingest_threads),
        partitions: config.kafka.partitions,
    };
    let (mut instance, inboxes) = Instance::new(size);
    let rollups = Rollups::start(config);
    start_workers(&mut instance, inboxes, args, config, &rollups)?;
    let directory = SharedDirectory::default();
    start_ingests(&mut instance, size.ingests, config, &directory)?;
    let history = if size.workers > 0 { Rollups::start_history(config)? } else { None };
    let mut api = instance.api(handle, config.clock_supplied, access);
    if doors.api.is_some() {
        answers(&mut api, &instance, size.ingests, config, directory).await?;
    }
    doors.serve(api)?;
    tracing::info!(workers = size.workers, ingests = size.ingests, deployment = config.deployment, "running");
    told_to_stop().await?;
    end_if_told_again();
    tracing::info!("told to stop: sealing, committing, leaving; a second signal ends at once");
    let stopped = tokio::task::spawn_blocking(move || instance.stop()).await;
    if let Some(history) = history
        && let Err(error) = history.stop()
    {
        tracing::warn!(%error, "the history had ended; it goes on from its offsets");
    }
    rollups.stop().await;
    stopped.context("stopping")?;
    Ok(Exit::Done)
}

/// What questions and orders need beside the memory of this instance.
async fn answers(
    api: &mut Api,
    instance: &Instance,
    ingests: usize,
    config: &Config,
    directory: SharedDirectory,
) -> Result<(), Failed> {
    let live = live(config);
    let commands = commands(instance, config, &live.events)?;
    // Whoever asks to wait should find somebody who hears; brokers that are away hold nothing up for long.
    for _ in 0..HEARING_WITHIN_MS / HEARING_EVERY_MS {
        if commands.answers.hearing.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(HEARING_EVERY_MS)).await;
    }
    api.commands = Some(commands);
    api.archive = archive(config);
    api.live = Some(live);
    api.names = Some(names(instance, ingests, config, directory)?);
    api.deployment.clone_from(&config.deployment);
    api.address.clone_from(&config.api_address);
    api.feeds = pushed_feeds(config);
    let (kafka, owners) = (kafka::member(config, &config.kafka.group, "api"), Arc::clone(&api.owners));
    let tail = move || KafkaTail::whole(&kafka, Topic::Owners);
    let flags = (instance.stop_flag(), Arc::default());
    follow("owners", flags, tail, move |message| owners.hear(message), |_| ())?;
    Ok(())
}

/// Whoever starts on empty topics without saying so may have mistaken the prefix or the cluster. Where the brokers do not
/// answer, each partition is judged when they do.
async fn has_state(args: &RunArgs, config: &Config) -> Result<(), Failed> {
    if args.new || !args.roles.contains(&Role::Meter) {
        return Ok(());
    }
    let (kafka, partitions) = (kafka::member(config, &config.kafka.group, "start"), config.kafka.partitions);
    let (group, log) = (kafka.group_id(), kafka.topic_name(Topic::Log));
    let found = tokio::task::spawn_blocking(move || any_committed(&kafka, partitions)).await;
    match found.context("asking for offsets")? {
        Ok(false) => Err(Failed::configuration(anyhow::anyhow!(
            "group {group} has never metered anything of {log}: if the deployment is new, start it once with --new; if not, \
             kafka.brokers, kafka.prefix or kafka.group are not those it ran with"
        ))),
        Ok(true) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "not known yet whether there is a state");
            Ok(())
        }
    }
}

/// Questions and orders at one address, with the role api; metrics and probes at another if it is configured, whatever the
/// roles.
struct Doors {
    api: Option<TcpListener>,
    operations: Option<TcpListener>,
}

impl Doors {
    async fn bind(args: &RunArgs, config: &Config) -> Result<Self, Failed> {
        let operations = match config.api_operations {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let mut api = None;
        if args.roles.contains(&Role::Api) {
            api = Some(bind(config.api_listen).await?);
        }
        Ok(Self { api, operations })
    }

    fn serve(self, api: Api) -> Result<(), Failed> {
        let mut serves = Serves::All;
        if let Some(listener) = self.operations {
            serves = Serves::Api;
            let address = serve_at(listener, api.clone(), Serves::Operations).context("HTTP")?;
            tracing::info!(%address, "metrics and probes");
        }
        if let Some(listener) = self.api {
            let address = serve_at(listener, api, serves).context("HTTP")?;
            tracing::info!(%address, "HTTP");
        } else if serves == Serves::All {
            tracing::warn!(
                "without the role api and without api.operations there are no metrics and no probes: set api.operations"
            );
        }
        Ok(())
    }
}

/// Who may do what at the address that is configured.
fn access(config: &Config) -> Result<Access, Failed> {
    let Some(path) = &config.api_tokens else {
        let local = config.api_listen.ip().is_loopback();
        return Ok(Access::Everybody(if local { Allowed::Operate } else { Allowed::Read }));
    };
    let tokens = tokens(path)?.into_iter().map(|(role, token)| match role {
        TokenRole::Reader => (Allowed::Read, token),
        TokenRole::Operator => (Allowed::Operate, token),
    });
    Ok(Access::Tokens(tokens.collect()))
}

/// Events for whoever follows them; what was missed is read again from the topics.
fn live(config: &Config) -> Live {
    let kafka = kafka::member(config, &config.kafka.group, "api");
    let reader = move || Ok(Box::new(KafkaReplay::open(&kafka)?) as Box<dyn Replay>);
    Live { events: Arc::default(), reader: Arc::new(reader) }
}

/// Who holds which number: as the ingests here have read it, or read for this alone.
fn names(
    instance: &Instance,
    ingests: usize,
    config: &Config,
    directory: SharedDirectory,
) -> Result<Names, Failed> {
    if ingests > 0 {
        let board = Arc::clone(&instance.board);
        return Ok(Names { directory, whole: Arc::new(move || board.directory_ready()) });
    }
    let kafka = kafka::member(config, &config.kafka.group, "api");
    let tail = move || KafkaTail::whole(&kafka, Topic::Directory);
    let (mut heard, whole) = (directory.clone(), Arc::<AtomicBool>::default());
    let flags = (instance.stop_flag(), Arc::clone(&whole));
    follow("directory", flags, tail, move |message| heard.hear(message), |_| ())?;
    Ok(Names { directory, whole: Arc::new(move || whole.load(Ordering::Relaxed)) })
}

/// The way of commands; one tail hears their answers, and every other event.
fn commands(instance: &Instance, config: &Config, events: &Arc<Events>) -> Result<Commands, Failed> {
    let kafka = kafka::member(config, &config.kafka.group, "api");
    let log = KafkaCommands::new(&kafka).context("commands")?;
    let commands = Commands { log: Arc::new(log), answers: Arc::default() };
    let begun = Arc::clone(events);
    let tail = move || {
        let places = begun.places();
        let tail = if places.is_empty() {
            KafkaTail::from_end(&kafka, &FOLLOWED)
        } else {
            KafkaTail::from_places(&kafka, &FOLLOWED, places)
        }?;
        begun.begin(tail.places());
        Ok(tail)
    };
    follow_events(instance.stop_flag(), tail, &commands.answers, events)?;
    Ok(commands)
}

fn start_workers(
    instance: &mut Instance,
    inboxes: Vec<Inbox>,
    args: &RunArgs,
    config: &Config,
    rollups: &Rollups,
) -> Result<(), Failed> {
    let settings = settings(args, config);
    for (number, inbox) in inboxes.into_iter().enumerate() {
        let kafka = kafka::member(config, &config.kafka.group, &format!("worker-{number}"));
        let rollups = rollups.clone();
        let make = move || Ok((KafkaWorkerLog::open(kafka.clone())?, rollups.sink()));
        instance.start_worker::<_, Sink>(number, settings.clone(), inbox, make)?;
    }
    Ok(())
}

fn settings(args: &RunArgs, config: &Config) -> Settings {
    let mut settings = Settings::new(&config.deployment, &config.kafka.instance, config.kafka.partitions);
    if args.roles.contains(&Role::Api) {
        // Without HTTP nobody can ask here.
        settings.address.clone_from(&config.api_address);
    }
    settings.clock = config.clock();
    settings.new = if args.new { New::Allowed } else { New::Refused };
    settings.pace =
        Pace { records: config.replay_debt_records, seconds: config.replay_debt_s, ..Pace::default() };
    settings
}

/// The feeds that come by topics of their own.
fn raw_feeds(config: &Config) -> Arc<[RawFeed]> {
    let raw = |feed: &Feed| {
        let topic = Topic::raw(feed.topic.as_deref()?);
        Some(RawFeed { topic, decoder: feed.decoder.clone(), watch: feed.watch })
    };
    config.feeds.iter().filter_map(raw).collect()
}

/// Feeds of which batches may be pushed: all that are described.
fn pushed_feeds(config: &Config) -> Arc<[Decoder]> {
    config.feeds.iter().map(|feed| feed.decoder.clone()).collect()
}

fn start_ingests(
    instance: &mut Instance,
    ingests: usize,
    config: &Config,
    directory: &SharedDirectory,
) -> Result<(), Failed> {
    let (feeds, pushed) = (raw_feeds(config), pushed_feeds(config));
    for number in 0..ingests {
        let kafka = kafka::member(config, &kafka::ingest_group(config), &format!("ingest-{number}"));
        let directory = directory.clone();
        let mut options = Options::new(&config.deployment, config.clock());
        options.wait_ms = crate::limits::STEP_WAIT_MS;
        options.feeds = Arc::clone(&feeds);
        options.pushed = Arc::clone(&pushed);
        let topics: Vec<Topic> = feeds.iter().map(|feed| feed.topic).collect();
        instance.start_ingest(number, options, move || {
            Ok((KafkaIngestLog::open_with(kafka.clone(), &topics)?, directory.clone()))
        })?;
    }
    if ingests > 0 {
        let kafka = kafka::member(config, &kafka::ingest_group(config), "folders");
        let options = Options::new(&config.deployment, config.clock());
        let directory = directory.clone();
        instance.start_folders(config.feeds.clone(), options, move || {
            Ok((KafkaIngestLog::open_unread(kafka.clone())?, directory.clone()))
        })?;
    }
    Ok(())
}
