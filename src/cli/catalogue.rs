//! `catalogue apply|show`.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use chrono::DateTime;

use super::args::{CatalogueApplyArgs, CatalogueCommand};
use super::exit::{Exit, Failed};
use super::kafka;
use crate::checkpoint::catalogue_in_force;
use crate::config::catalogue::{CatalogueFileError, Inputs, compile};
use crate::config::{self, Config};
use crate::ingest::catalogue::outputs;
use crate::log::kafka::{KafkaIngestLog, KafkaLook};
use crate::log::{IngestLog as _, LogError};
use crate::model::Catalogue;
use crate::shell::{Clocks, wall_ms};
use crate::stdout::say;

/// How long running instances may take to show the version.
const WITHIN_MS: i64 = 60_000;
/// Between two looks.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(300);
/// How long one look for acknowledgements waits for a first.
const ACK_WAIT_MS: u64 = 100;

pub(super) fn run(command: &CatalogueCommand, path: Option<&Path>) -> Result<Exit, Failed> {
    match command {
        CatalogueCommand::Show { file } => show(file),
        CatalogueCommand::Apply(args) => apply(args, &config::load(path)?),
    }
}

fn compiled(file: &Path, deployment: &str, previous: Option<&Catalogue>) -> Result<Catalogue, Failed> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let now = DateTime::from_timestamp(wall_ms() / 1000, 0).context("the machine's clock is wrong")?;
    let path = file.display().to_string();
    let from = now.date_naive();
    let inputs = Inputs { path: &path, deployment, from, previous };
    compile(&text, &inputs).map_err(|error: CatalogueFileError| Failed::bad_data(error))
}

fn show(file: &Path) -> Result<Exit, Failed> {
    say!("{:#}", serde_json::json!(compiled(file, "shown", None)?));
    Ok(Exit::Done)
}

fn apply(args: &CatalogueApplyArgs, config: &Config) -> Result<Exit, Failed> {
    let client = kafka::member(config, &config.kafka.group, "catalogue");
    let mut look = KafkaLook::open(client).map_err(Failed::unavailable)?;
    let previous = in_force(&mut look, config)?.into_iter().flatten().max_by_key(|c| c.version);
    let catalogue = compiled(&args.file, &config.deployment, previous.as_ref())?;
    if let Some(previous) = &previous
        && catalogue.version <= previous.version
        && catalogue != *previous
    {
        return Err(Failed::bad_data(anyhow!(
            "{}: version {} is not higher than {}, which is in force with other content: raise it",
            args.file.display(),
            catalogue.version,
            previous.version
        )));
    }
    send(&catalogue, config)?;
    say!("version {} is in every partition of the log", catalogue.version);
    if args.no_wait { Ok(Exit::Done) } else { wait(&mut look, &catalogue, config) }
}

/// The catalogue of each partition's checkpoint, by partition.
fn in_force(look: &mut KafkaLook, config: &Config) -> Result<Vec<Option<Catalogue>>, Failed> {
    (0..config.kafka.partitions)
        .map(|partition| catalogue_in_force(look, partition).map_err(Failed::unavailable))
        .collect()
}

fn send(catalogue: &Catalogue, config: &Config) -> Result<(), Failed> {
    let part = format!("catalogue-{}", std::process::id());
    let client = kafka::member(config, &format!("{}-catalogue", config.kafka.group), &part);
    let mut log = KafkaIngestLog::open(client).map_err(Failed::unavailable)?;
    // Where time is supplied, a catalogue must not move it: it stands at the beginning of time.
    let time_ms = config.clock_supplied.then_some(0);
    let messages = outputs(catalogue, config.kafka.partitions, time_ms).map_err(Failed::bad_data)?;
    let mut waiting = messages.len();
    for (token, message) in (0..).zip(messages) {
        log.produce(token, &message).map_err(Failed::unavailable)?;
    }
    let mut failed: Option<LogError> = None;
    while waiting > 0 {
        log.acked(ACK_WAIT_MS, &mut |_, result| {
            waiting -= 1;
            failed = failed.take().or(result.err());
        });
    }
    failed.map_or(Ok(()), |error| Err(Failed::unavailable(error)))
}

fn wait(look: &mut KafkaLook, catalogue: &Catalogue, config: &Config) -> Result<Exit, Failed> {
    let clocks = Clocks::start();
    while clocks.steady_ms() < WITHIN_MS {
        let behind = in_force(look, config)?
            .iter()
            .filter(|c| c.as_ref().is_none_or(|c| c.version < catalogue.version))
            .count();
        if behind == 0 {
            say!("version {} is in force in all {} partitions", catalogue.version, config.kafka.partitions);
            return Ok(Exit::Done);
        }
        eprintln!("{behind} of {} partitions do not show it yet", config.kafka.partitions);
        std::thread::park_timeout(LOOK_EVERY);
    }
    Err(Failed::unavailable(anyhow!(
        "not every partition shows it within a minute: is `tidegauge run` running?"
    )))
}
