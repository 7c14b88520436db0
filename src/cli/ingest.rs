//! `ingest check|file`: carriers' files, looked at or brought into the log.

use std::path::Path;

use anyhow::anyhow;

use super::args::{FilesArgs, IngestCommand};
use super::exit::{Exit, Failed};
use super::kafka;
use crate::checkpoint::catalogue_in_force;
use crate::config::{self, Config, ConfigError};
use crate::ingest::file::{File, FileImport, Progress, Written, check};
use crate::ingest::formats::feed::Feed;
use crate::ingest::formats::{Decoder, Format};
use crate::ingest::{Clock, IngestOutcome, Options, Source};
use crate::log::kafka::{KafkaIngestLog, KafkaLook};
use crate::log::{IngestLog as _, LogError};
use crate::model::Catalogue;
use crate::shell::folder::content;
use crate::shell::{Clocks, SharedDirectory, wall_ms};
use crate::stdout::say;

/// Pause between two steps in which nothing moved.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

pub(super) fn run(command: &IngestCommand, path: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    match command {
        IngestCommand::Check(args) => look(args, &config::load_feeds(path)?, json),
        IngestCommand::File(args) => bring(args, &config::load(path)?, json),
    }
}

/// What is in a file, or how the whole ends for one that cannot be read, which is told: the files behind it are looked at all
/// the same. An archive that is no whole one is bad data.
fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    content(file).map_err(|error| {
        eprintln!("tidegauge: cannot read {}: {error}", file.display());
        if error.raw_os_error().is_none() { Exit::BadData } else { Exit::Failed }
    })
}

/// The feed's own format, if it has one.
fn decoder(args: &FilesArgs, feeds: &[Feed]) -> Result<Option<Decoder>, Failed> {
    let configured = feeds.iter().find(|feed| feed.decoder.feed() == args.feed).map(|feed| &feed.decoder);
    let Some(format) = args.format.as_deref() else { return Ok(configured.cloned()) };
    if let Some(decoder) = configured.filter(|decoder| decoder.format() == format) {
        return Ok(Some(decoder.clone()));
    }
    if let Some(format) = Format::from_name(format) {
        return Ok(Some(Decoder::new(&args.feed, format)));
    }
    let names: Vec<&str> = Format::names().collect();
    let problem = format!(
        "{format:?} is none of {}, and no block [[feeds]] says of {:?} that it is written so",
        names.join(", "),
        args.feed
    );
    Err(ConfigError::Value { key: "--format", problem }.into())
}

fn written<'a>(args: &'a FilesArgs, decoder: Option<&'a Decoder>) -> Written<'a> {
    decoder.map_or(Written::Known { feed: &args.feed }, Written::Feed)
}

fn look(args: &FilesArgs, feeds: &[Feed], json: bool) -> Result<Exit, Failed> {
    let decoder = decoder(args, feeds)?;
    let mut exit = Exit::Done;
    for file in &args.files {
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(unread) => {
                exit = unread;
                continue;
            }
        };
        let summary = check(&bytes, written(args, decoder.as_ref()));
        if summary.broken > 0 || summary.records + summary.asides == 0 || summary.other_feeds > 0 {
            exit = Exit::BadData;
        }
        if json {
            say!("{}", serde_json::json!({"file": file, "summary": summary}));
        } else {
            say!("{}\n{summary}", file.display());
        }
    }
    Ok(exit)
}

fn bring(args: &FilesArgs, config: &Config, json: bool) -> Result<Exit, Failed> {
    let decoder = decoder(args, &config.feeds)?;
    check_feed(&args.feed, config)?;
    let client = kafka::member(
        config,
        &format!("{}-files", config.kafka.group),
        &format!("file-{}", std::process::id()),
    );
    let mut log = KafkaIngestLog::open(client).map_err(Failed::unavailable)?;
    let clock = if config.clock_supplied { Clock::Supplied } else { Clock::Log };
    let options = Options::new(&config.deployment, clock);
    // One for all files: the log hands the directory over once, to whoever reads the first of them.
    let directory = SharedDirectory::default();
    let mut exit = Exit::Done;
    for path in &args.files {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(unread) => {
                exit = unread;
                continue;
            }
        };
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let file = File { name: &name, bytes: &bytes, written: written(args, decoder.as_ref()) };
        // As many as the log has, whatever the configuration here says of one that is to be made.
        let place = (log.log_partitions(), wall_ms());
        let mut import = FileImport::new(file, directory.clone(), &options, place);
        follow(&mut import, &mut log, &name)?;
        report(&name, &import, json);
    }
    Ok(exit)
}

/// Refuses a feed that nothing knows: the meter would set aside each of its records. A block of the configuration
/// knows it, or the catalogue in force; where no catalogue can be asked, what will become of the records is said.
fn check_feed(feed: &str, config: &Config) -> Result<(), Failed> {
    if config.feeds.iter().any(|known| known.decoder.feed() == feed) {
        return Ok(());
    }
    let client = kafka::member(config, &config.kafka.group, "files");
    let in_force = KafkaLook::open(client).ok().map(|mut look| catalogue_in_force(&mut look, 0));
    if let Some(Ok(Some(catalogue))) = in_force {
        return named_by(&catalogue, feed);
    }
    eprintln!(
        "tidegauge: feed {feed:?}: no catalogue is in force that could name it; the meter sets aside records of feeds \
         that its catalogue does not name"
    );
    Ok(())
}

fn named_by(catalogue: &Catalogue, feed: &str) -> Result<(), Failed> {
    if catalogue.feeds.iter().any(|known| known.name == feed) {
        return Ok(());
    }
    let names: Vec<&str> = catalogue.feeds.iter().map(|known| known.name.as_str()).collect();
    Err(Failed::bad_data(anyhow!(
        "--feed {feed:?}: version {} of the catalogue names {}, and no block [[feeds]] of the configuration has it; its \
         records would all be set aside: name one of these, or put it into the catalogue first",
        catalogue.version,
        if names.is_empty() { "no feed".to_owned() } else { names.join(", ") }
    )))
}

fn follow(
    import: &mut FileImport<'_, SharedDirectory>,
    log: &mut KafkaIngestLog,
    name: &str,
) -> Result<(), Failed> {
    let clocks = Clocks::start();
    let (mut last, mut told_ms) = (Progress::default(), clocks.steady_ms());
    loop {
        let progress = match import.step(log, clocks.anchored_ms()) {
            Err(LogError::Retriable(_)) => last,
            step => step.map_err(Failed::unavailable)?,
        };
        if progress.done {
            return Ok(());
        }
        if clocks.steady_ms() - told_ms >= 1_000 {
            told_ms = clocks.steady_ms();
            eprintln!(
                "{name}: {} of {} bytes, {} records",
                progress.bytes, progress.bytes_of, progress.records
            );
        }
        if progress == last {
            std::thread::park_timeout(PAUSE);
        }
        last = progress;
    }
}

fn report(name: &str, import: &FileImport<'_, SharedDirectory>, json: bool) {
    let of = |outcome| import.ledger().records(Source::File, outcome);
    let read = import.ledger().read(Source::File);
    if json {
        let outcomes: serde_json::Map<String, serde_json::Value> =
            IngestOutcome::ALL.into_iter().map(|o| (o.name().to_owned(), of(o).into())).collect();
        say!("{}", serde_json::json!({"file": name, "read": read, "outcomes": outcomes}));
        return;
    }
    let parts: Vec<String> =
        IngestOutcome::ALL.into_iter().map(|o| format!("{} {}", of(o), o.name())).collect();
    say!("{name}: {read} read = {}", parts.join(" + "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::catalogue::{Inputs, compile};

    #[test]
    fn a_feed_that_the_catalogue_does_not_name_is_refused_with_those_it_does() {
        let from = chrono::NaiveDate::from_ymd_opt(2026, 8, 1).expect("a day");
        let inputs = Inputs { path: "demo", deployment: "t", from, previous: None };
        let catalogue = compile(include_str!("../demo/catalogue.toml"), &inputs).expect("a catalogue");
        let known = catalogue.feeds[0].name.clone();
        assert!(named_by(&catalogue, &known).is_ok());
        let refused = named_by(&catalogue, "nosuch").expect_err("nobody names it");
        assert_eq!(refused.exit, Exit::BadData);
        assert!(refused.error.to_string().contains(&known), "{}", refused.error);
    }
}
