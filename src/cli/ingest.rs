//! `ingest check|file`: carriers' files, looked at or brought into the log.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::anyhow;

use super::args::{FilesArgs, IngestCommand};
use super::exit::{Exit, Failed};
use super::kafka;
use super::stalled::{Counted, Do, Standstill};
use crate::checkpoint::catalogue_in_force;
use crate::config::{self, Config};
use crate::ingest::file::{File, FileImport, Progress, Written, check};
use crate::ingest::formats::feed::Feed;
use crate::ingest::formats::{Decoder, Format};
use crate::ingest::{IngestOutcome, Options, Source};
use crate::log::kafka::{KafkaIngestLog, KafkaLook};
use crate::log::{IngestLog as _, LogError};
use crate::model::Catalogue;
use crate::shell::folder::content;
use crate::shell::{Clocks, wall_ms};
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
        eprintln!("tidegauge: {}", why_unread(file, &error));
        if error.raw_os_error().is_none() { Exit::BadData } else { Exit::Failed }
    })
}

/// Why a file is not read, and what to do.
fn why_unread(file: &Path, error: &std::io::Error) -> String {
    let what = match error.kind() {
        ErrorKind::NotFound => ": name one that is there",
        ErrorKind::PermissionDenied => ": let this user read it",
        ErrorKind::IsADirectory => ": name the files in it",
        _ => "",
    };
    format!("cannot read {}: {error}{what}", file.display())
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
    Err(Failed::usage(anyhow!(
        "--format: {format:?} is none of {}, and no block [[feeds]] says of {:?} that it is written so",
        names.join(", "),
        args.feed
    )))
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
    let mut log = KafkaIngestLog::open(client).map_err(|error| Failed::of_log(&error))?;
    let options = Options::new(&config.deployment, config.clock());
    // One for all files: the log hands the directory over once, to whoever reads the first of them.
    let directory = Counted::default();
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
        follow(&mut import, &mut log, &directory, &name)?;
        report(&name, &import, json);
    }
    Ok(exit)
}

/// What becomes of records of a feed that nobody knows.
const ASIDE: &str = "the meter sets aside records of feeds that its catalogue does not name";

/// Refuses a feed that nothing knows: the meter would set aside each of its records. A block of the configuration
/// knows it, or the catalogue in force; where no catalogue can be asked, what will become of the records is said.
fn check_feed(feed: &str, config: &Config) -> Result<(), Failed> {
    if config.feeds.iter().any(|known| known.decoder.feed() == feed) {
        return Ok(());
    }
    let client = kafka::member(config, &config.kafka.group, "files");
    let asked = KafkaLook::open(client)
        .map_err(|error| kafka::told(&error))
        .and_then(|mut look| catalogue_in_force(&mut look, 0).map_err(|refused| kafka::told(&refused.why)));
    match asked {
        Ok(Some(catalogue)) => return named_by(&catalogue, feed),
        Ok(None) => {
            eprintln!("tidegauge: feed {feed:?}: no catalogue is in force that could name it; {ASIDE}");
        }
        Err(why) => eprintln!(
            "tidegauge: feed {feed:?}: the catalogue could not be asked whether it names it: {why}; {ASIDE}"
        ),
    }
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
    import: &mut FileImport<'_, Counted>,
    log: &mut KafkaIngestLog,
    directory: &Counted,
    name: &str,
) -> Result<(), Failed> {
    let clocks = Clocks::start();
    let (mut last, mut told_ms) = (Progress::default(), clocks.steady_ms());
    let mut standstill = Standstill::begin((last, directory.read()), told_ms);
    let mut trouble = None;
    loop {
        let progress = match import.step(log, clocks.anchored_ms()) {
            Err(LogError::Retriable(why)) => {
                trouble = Some(why);
                last
            }
            step => step.map_err(|error| Failed::of_log(&error))?,
        };
        if progress.done {
            return Ok(());
        }
        let stands = standstill.look((progress, directory.read()), clocks.steady_ms());
        heed(stands, trouble.as_deref(), progress, name)?;
        if clocks.steady_ms() - told_ms >= 1_000 {
            told_ms = clocks.steady_ms();
            eprintln!(
                "{name}: {} of {} bytes, {} records",
                progress.bytes, progress.bytes_of, progress.records
            );
        }
        if progress == last {
            std::thread::park_timeout(PAUSE);
        } else {
            trouble = None;
        }
        last = progress;
    }
}

/// Tells of a standstill, or ends with it.
fn heed(what: Do, trouble: Option<&str>, progress: Progress, name: &str) -> Result<(), Failed> {
    match what {
        Do::GoOn => Ok(()),
        Do::Tell(seconds) => {
            eprintln!("{name}: {}", stands(seconds, trouble, progress));
            Ok(())
        }
        Do::GiveUp(seconds) => {
            let stands = stands(seconds, trouble, progress);
            Err(Failed::unavailable(anyhow!(
                "{name}: {stands}; {}, and bring the file again: nothing counts twice",
                kafka::MEND
            )))
        }
    }
}

/// For how long nothing has moved, and why, as far as the log has said so.
fn stands(seconds: i64, trouble: Option<&str>, progress: Progress) -> String {
    let why = match (trouble, progress.waiting) {
        (Some(why), _) => why.to_owned(),
        (None, 0) => "the brokers do not hand over who holds which number".to_owned(),
        (None, waiting) => format!("the brokers do not acknowledge {waiting} messages"),
    };
    format!("nothing has moved for {seconds} s: {why}")
}

fn report(name: &str, import: &FileImport<'_, Counted>, json: bool) {
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
    fn a_standstill_is_told_with_what_is_known_of_it() {
        let waiting = |waiting| Progress { waiting, ..Progress::default() };
        let told = "nothing has moved for 10 s: the brokers do not acknowledge 3 messages";
        assert_eq!(stands(10, None, waiting(3)), told);
        assert_eq!(
            stands(10, Some("b:9092 is away"), waiting(3)),
            "nothing has moved for 10 s: b:9092 is away"
        );
        assert!(stands(10, None, waiting(0)).contains("who holds which number"));
    }

    #[test]
    fn an_import_that_is_given_up_ends_as_kafka_away() {
        assert!(heed(Do::Tell(10), None, Progress::default(), "y.jsonl").is_ok());
        let failed = heed(Do::GiveUp(60), None, Progress::default(), "y.jsonl").expect_err("it ends");
        assert_eq!(failed.exit, Exit::Unavailable);
        assert!(
            failed.error.to_string().starts_with("y.jsonl: nothing has moved for 60 s"),
            "{}",
            failed.error
        );
    }

    #[test]
    fn who_names_a_file_that_is_not_read_is_told_what_to_do() {
        let missing = std::fs::read("/no/such/file").expect_err("it is not there");
        let told = why_unread(Path::new("/no/such/file"), &missing);
        assert!(
            told.starts_with("cannot read /no/such/file: ") && told.ends_with(": name one that is there")
        );
    }

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
