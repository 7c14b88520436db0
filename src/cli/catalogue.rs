//! `catalogue apply|show`: compiles a catalogue file, appends it to every partition and waits until it is in force; or prints it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::anyhow;
use hyper::Method;
use serde_json::json;

use super::args::{CatalogueApplyArgs, CatalogueCommand, InstanceArgs};
use super::exit::{Exit, Failed};
use super::halted::{Alike, alike, halted, named};
use super::{kafka, remote, shown};
use crate::checkpoint::{catalogue_in_force, deployment_of};
use crate::config::catalogue::{CatalogueFileError, Inputs, compile, today};
use crate::config::{self, Config};
use crate::ingest::catalogue::outputs;
use crate::log::kafka::{KafkaIngestLog, KafkaLook};
use crate::log::{IngestLog as _, LogError};
use crate::model::{Catalogue, Clock};
use crate::shell::{Clocks, wall_ms};
use crate::stdout::say;

/// How long running instances may take to show the version.
const WITHIN_MS: i64 = 60_000;
/// Between two looks.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(300);
/// How long the instance may take to say which partitions have halted.
const ASK_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
/// How long one look for acknowledgements waits for a first.
const ACK_WAIT_MS: u64 = 100;

pub(super) fn run(command: &CatalogueCommand, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    match command {
        CatalogueCommand::Show { file } => show(file, json),
        CatalogueCommand::Apply(args) => apply(args, &config::load(path)?, json),
    }
}

/// What a catalogue is compiled for.
struct Target<'a> {
    deployment: &'a str,
    clock: Clock,
    previous: Option<&'a Catalogue>,
}

fn compiled(file: &Path, target: &Target<'_>) -> Result<Catalogue, Failed> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let is_no_text = error.kind() == std::io::ErrorKind::InvalidData;
        let what = if is_no_text { "write it in UTF-8" } else { "name a catalogue file that can be read" };
        let failed = anyhow!("cannot read {}: {error}: {what}", file.display());
        if is_no_text { Failed::bad_data(failed) } else { failed.into() }
    })?;
    let path = file.display().to_string();
    let Target { deployment, clock, previous } = *target;
    let from = today(&text, previous, clock, wall_ms() / 1_000);
    let inputs = Inputs { path: &path, deployment, from, previous };
    compile(&text, &inputs).map_err(|error: CatalogueFileError| Failed::bad_data(error))
}

fn show(file: &Path, json: bool) -> Result<Exit, Failed> {
    let target = Target { deployment: "shown", clock: Clock::Log, previous: None };
    let catalogue = compiled(file, &target)?;
    if json {
        say!("{:#}", json!(catalogue));
    } else {
        say!("{}", shown::catalogue(&catalogue));
    }
    Ok(Exit::Done)
}

fn apply(args: &CatalogueApplyArgs, config: &Config, json: bool) -> Result<Exit, Failed> {
    let client = kafka::member(config, &config.kafka.group, "catalogue");
    let mut look = KafkaLook::open(client).map_err(|error| Failed::of_log(&error))?;
    of_this_deployment(&mut look, config)?;
    let previous = in_force(&mut look, config)?.into_iter().flatten().max_by_key(|c| c.version);
    let (deployment, clock, previous) = (config.deployment.as_str(), config.clock(), previous.as_ref());
    let catalogue = compiled(&args.file, &Target { deployment, clock, previous })?;
    if let Some(why) = previous.and_then(|previous| cannot_follow(&catalogue, previous)) {
        return Err(Failed::bad_data(anyhow!("{}: {why}", args.file.display())));
    }
    send(&catalogue, config)?;
    let (version, partitions) = (catalogue.version, config.kafka.partitions);
    if !json {
        say!("version {version} is in every partition of the log");
    }
    if !args.no_wait {
        wait(&mut look, &catalogue, &args.instance, config)?;
    }
    if json {
        say!("{}", json!({ "version": version, "partitions": partitions, "in_force": !args.no_wait }));
    } else if !args.no_wait {
        say!("version {version} is in force in all {partitions} partitions");
    }
    Ok(Exit::Done)
}

/// Refuses a name that the state is not of: the first catalogue would bind the deployment to it for ever.
fn of_this_deployment(look: &mut KafkaLook, config: &Config) -> Result<(), Failed> {
    for partition in 0..config.kafka.partitions {
        if let Some(held) = deployment_of(look, partition).map_err(|error| Failed::of_log(&error))?
            && held != config.deployment
        {
            return Err(Failed::configuration(anyhow!(
                "the state here is that of deployment {held:?}, and this configuration says {:?}: set deployment (or \
                 TIDEGAUGE_DEPLOYMENT) to what the instances run with",
                config.deployment
            )));
        }
    }
    Ok(())
}

/// Why the meter would not take it after the one in force.
fn cannot_follow(catalogue: &Catalogue, previous: &Catalogue) -> Option<String> {
    let (version, held) = (catalogue.version, previous.version);
    if version <= held && catalogue != previous {
        return Some(format!(
            "version {version} is not higher than {held}, which is in force with other content: raise it"
        ));
    }
    catalogue.breaks(previous)
}

/// The catalogue of each partition's checkpoint, by partition.
fn in_force(look: &mut KafkaLook, config: &Config) -> Result<Vec<Option<Catalogue>>, Failed> {
    (0..config.kafka.partitions)
        .map(|partition| catalogue_in_force(look, partition).map_err(|error| Failed::of_log(&error)))
        .collect()
}

fn send(catalogue: &Catalogue, config: &Config) -> Result<(), Failed> {
    let part = format!("catalogue-{}", std::process::id());
    let client = kafka::member(config, &format!("{}-catalogue", config.kafka.group), &part);
    let mut log = KafkaIngestLog::open(client).map_err(|error| Failed::of_log(&error))?;
    // Where time is supplied, a catalogue must not move it: it stands at the beginning of time.
    let time_ms = config.clock_supplied.then_some(0);
    let messages = outputs(catalogue, config.kafka.partitions, time_ms).map_err(Failed::bad_data)?;
    let mut waiting = messages.len();
    for (token, message) in (0..).zip(messages) {
        log.produce(token, &message).map_err(|error| Failed::of_log(&error))?;
    }
    let mut failed: Option<LogError> = None;
    while waiting > 0 {
        log.acked(ACK_WAIT_MS, &mut |_, result| {
            waiting -= 1;
            failed = failed.take().or(result.err());
        });
    }
    failed.map_or(Ok(()), |error| Err(Failed::of_log(&error)))
}

/// Returns when the version is in force in every partition.
fn wait(
    look: &mut KafkaLook,
    catalogue: &Catalogue,
    instance: &InstanceArgs,
    config: &Config,
) -> Result<(), Failed> {
    let (clocks, runtime) = (Clocks::start(), super::runtime()?);
    let (mut told, mut stopped) = (String::new(), Vec::new());
    while clocks.steady_ms() < WITHIN_MS {
        let behind: Vec<u64> = (0..)
            .zip(in_force(look, config)?)
            .filter(|(_, c)| c.as_ref().is_none_or(|c| c.version < catalogue.version))
            .map(|(partition, _)| partition)
            .collect();
        if behind.is_empty() {
            return Ok(());
        }
        stopped = runtime.block_on(halted_of(instance, config));
        stopped.retain(|(partition, _)| behind.contains(partition));
        let standing = standing(&behind, config.kafka.partitions, &stopped);
        // A line for each change, not for each look.
        if standing != told {
            eprintln!("{standing}");
            told = standing;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    Err(Failed::unavailable(late(&stopped)))
}

/// The partitions that the instance says have halted; none if no instance answers.
async fn halted_of(instance: &InstanceArgs, config: &Config) -> Vec<(u64, String)> {
    let base = instance
        .url
        .clone()
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| format!("http://{}", config.api_listen));
    let asked = remote::ask(Method::GET, &base, "/v1/partitions", instance);
    match tokio::time::timeout(ASK_WITHIN, asked).await {
        Ok(Ok((status, partitions))) if status.is_success() => halted(&partitions),
        _ => Vec::new(),
    }
}

/// Where the version is not in force yet, and which of these partitions have halted, why.
fn standing(behind: &[u64], of: u32, stopped: &[(u64, String)]) -> String {
    let mut text = format!("{} of {of} partitions do not show it yet: {}", behind.len(), named(behind));
    for Alike { partitions, why } in alike(stopped.iter().cloned()) {
        let (verb, first) = match partitions.as_slice() {
            [first, _, ..] => ("have", format!("partition {first}: ")),
            _ => ("has", String::new()),
        };
        // A string takes whatever is written.
        let _ = write!(text, "\n  {} {verb} halted: {first}{why}", named(&partitions));
    }
    text
}

/// What to do when the time is over.
fn late(stopped: &[(u64, String)]) -> anyhow::Error {
    if stopped.is_empty() {
        return anyhow!(
            "not every partition shows it within a minute: is `tidegauge run` running? If it is, its own log says what keeps \
             it, or why the version was refused"
        );
    }
    let partitions: Vec<u64> = stopped.iter().map(|(partition, _)| *partition).collect();
    anyhow!(
        "the version is in the log, but {} halted before it: do what is said above; it comes into force by itself once \
         they go on",
        named(&partitions)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_meter_would_refuse_is_not_sent() {
        let file = |version: u32, carrier: &str| {
            let text = format!(
                "version = {version}\n[[carriers]]\nname = \"{carrier}\"\nzone = \"UTC\"\nanchor_day = 1\n"
            );
            let from = chrono::NaiveDate::from_ymd_opt(2026, 8, 1).expect("a day");
            let inputs = Inputs { path: "c.toml", deployment: "shop", from, previous: None };
            compile(&text, &inputs).expect("it is sound")
        };
        let held = file(2, "west");
        assert_eq!(cannot_follow(&file(3, "west"), &held), None);
        assert_eq!(cannot_follow(&held, &held), None);
        assert!(cannot_follow(&file(1, "west"), &held).is_some_and(|why| why.ends_with("raise it")));
        let why = cannot_follow(&file(3, "north"), &held).expect("cards refer to it");
        assert!(why.starts_with("carrier \"west\" is missing"), "{why}");
        let renamed = Catalogue { deployment: "store".to_owned(), ..file(3, "west") };
        let why = cannot_follow(&renamed, &held).expect("ids are keyed by it");
        assert!(why.starts_with("the deployment is called \"shop\""), "{why}");
    }

    #[test]
    fn what_is_waited_for_is_named_with_what_has_halted() {
        let stopped = |p: u64| (p, format!("tidegauge.log [{p}] offset 1{p}: no record"));
        assert_eq!(standing(&[1, 2], 4, &[]), "2 of 4 partitions do not show it yet: partitions 1-2");
        let expected = "3 of 4 partitions do not show it yet: partitions 0-2\n  partitions 1-2 have halted: \
                        partition 1: tidegauge.log [1] offset 11: no record";
        assert_eq!(standing(&[0, 1, 2], 4, &[stopped(1), stopped(2)]), expected);
        assert!(late(&[]).to_string().contains("is `tidegauge run` running?"));
        assert!(late(&[]).to_string().contains("why the version was refused"));
        assert!(late(&[stopped(2)]).to_string().contains("partition 2 halted before it"));
    }
}
