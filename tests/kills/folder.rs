//! A large file of a gateway in a folder, its reader killed in the middle of it again and again while the meter runs: by card
//! and month to the byte, each record counted once, and what is read again no more than the design says.
//!
//! The bound: the place in a file is kept once a second and behind 16 MiB at the latest, and always behind a window of 4 MiB
//! that the log has acknowledged. So a kill makes the next reader read at most both again. Beside it, each kill is compared
//! with what was seen of it: records in the log that lie behind the place that was kept.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tidegauge::limits::{FILE_WINDOW_BYTES, FOLDER_KEEP_EVERY_BYTES};
use tidegauge::log::Topic;
use tidegauge::shell::wall_ms;

use crate::counted::{Cdrs, sum};
use crate::pgw::{FEED, Gateway, RECORD, iccid};
use crate::process::{Process, Variables};
use crate::support::{Cluster, Patience, block_on, broker};
use crate::{Size, seen};

const SEED: u64 = 31;
const PARTITIONS: u32 = 4;
const FILE: &str = "bulk-1.cdr";
/// For all of a file that is read by a development build.
const REST: Duration = Duration::from_mins(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Records that a kill makes the next reader read again, at most.
const AGAIN_MAX: u64 = (FOLDER_KEEP_EVERY_BYTES + FILE_WINDOW_BYTES as u64) / RECORD as u64;

#[test]
fn a_file_whose_reader_is_killed_again_and_again_is_counted_once_to_the_byte() {
    let size = Size::chosen().file;
    let scene = Scene::make("bulk");
    let mut gateway = Gateway::new(SEED, size.cards, wall_ms() / 1_000);
    let mut meter = Process::start_as(&scene.variables, "bulk-meter", &["--roles", "meter,api"]);
    scene.apply(&gateway.catalogue());
    scene.register(&gateway, size.cards, &meter);
    gateway.drop_file(&scene.folder.join(FILE), 0..size.records).expect("written");
    let mut reader = Process::start_as(&scene.variables, "bulk-reader", &["--roles", "ingest,api"]);

    let mut told = Vec::new();
    for number in 0..size.kills {
        scene.come_to(size.records * (number + 1) / (size.kills + 1), &reader);
        Patience::of(Duration::from_millis(number * 37 % 200)).wait();
        reader.kill();
        told.push(scene.killed(&meter));
        reader.restart();
    }
    scene.done();
    let all = scene.rest(&meter);
    report(&told, &all);
    assert_eq!(all.counted, size.records, "{all:?}: each record once");
    assert_eq!(all.counted + all.duplicate, all.folded, "nothing but what is counted and what is read again");
    let gaps = block_on(reader.text("/metrics")).expect("metrics");
    assert_eq!(
        sum(&gaps, "tidegauge_feed_gaps_total", &[]),
        0,
        "no number is missing of what was read again"
    );
    judge(&gateway, size.cards, &meter);
    reader.stop();
    meter.stop();
    let verified = scene.variables.run(&["verify"]);
    assert!(!verified.contains("NOT CLEAN"), "{verified}");
}

/// Topics, a folder, and who reads it.
struct Scene {
    cluster: Cluster,
    variables: Variables,
    folder: PathBuf,
    _directory: tempfile::TempDir,
}

/// A kill, once all that had come into the log was folded.
struct Killed {
    /// Records of the file that stand before the place that was kept.
    kept: u64,
    counts: Cdrs,
}

impl Scene {
    fn make(name: &str) -> Self {
        let mut cluster = Cluster::named(broker(), &format!("{name}."), PARTITIONS);
        cluster.others = PARTITIONS;
        // On the disk: the file is of gigabytes.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let folder = directory.path().join("in");
        std::fs::create_dir(&folder).expect("a folder");
        let config = directory.path().join("tidegauge.toml");
        std::fs::write(&config, Gateway::configuration(&folder)).expect("written");
        let variables = Variables(vec![
            ("TIDEGAUGE_CONFIG", config.display().to_string()),
            ("TIDEGAUGE_DEPLOYMENT", name.to_owned()),
            ("TIDEGAUGE_KAFKA_BROKERS", cluster.brokers.clone()),
            ("TIDEGAUGE_KAFKA_PREFIX", cluster.prefix.clone()),
            ("TIDEGAUGE_KAFKA_PARTITIONS", PARTITIONS.to_string()),
            ("TIDEGAUGE_KAFKA_REPLICATION", "1".to_owned()),
            ("TIDEGAUGE_LOG_FORMAT", "text".to_owned()),
        ]);
        variables.run(&["topics", "apply"]);
        Self { cluster, variables, folder, _directory: directory }
    }

    fn apply(&self, catalogue: &str) {
        let path = self.folder.with_file_name("catalogue.toml");
        std::fs::write(&path, catalogue).expect("written");
        self.variables.run(&["catalogue", "apply", &path.display().to_string()]);
    }

    /// Registers every card, by a reader that is gone before the file comes.
    fn register(&self, gateway: &Gateway, cards: u32, meter: &Process) {
        let mut reader = Process::start_as(&self.variables, "bulk-orders", &["--roles", "ingest,api"]);
        let commands: Vec<String> = (0..cards).map(|card| gateway.registration(card)).collect();
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        self.cluster.append(Topic::Commands, 0, &commands);
        eventually("every card registered", || {
            let metrics = block_on(meter.text("/metrics"))?;
            let label = [("type", "card.registered")];
            (sum(&metrics, "tidegauge_events_total", &label) == u64::from(cards)).then_some(())
        });
        reader.stop();
    }

    /// Waits until so many records of the file have been read, the reader being asked.
    fn come_to(&self, records: u64, reader: &Process) {
        let byte = records * RECORD as u64;
        eventually(&format!("byte {byte} of the file"), || {
            assert!(self.folder.join(FILE).exists(), "the file is done before the last kill");
            let feeds = block_on(reader.get("/v1/feeds"))?;
            let mut feeds = feeds["feeds"].as_array()?.iter().filter(|feed| feed["feed"] == FEED);
            let reached = feeds.next()?["readers"][0]["folder"]["file"]["byte"].as_u64()?;
            (reached >= byte).then_some(())
        });
    }

    /// Waits until the file is put aside.
    fn done(&self) {
        eventually("the file done", || self.folder.join("done").join(FILE).exists().then_some(()));
    }

    fn killed(&self, meter: &Process) -> Killed {
        let kept =
            std::fs::read(self.folder.join(".tidegauge/state.json")).expect("kept at once, and then on");
        let kept: Value = serde_json::from_slice(&kept).expect("whole, whenever it was killed");
        let byte = kept["file"]["position"].as_u64().unwrap_or(0);
        assert_eq!(byte % RECORD as u64, 0, "a place between records");
        Killed { kept: byte / RECORD as u64, counts: self.rest(meter) }
    }

    /// Waits until all that is in the log has been folded and committed, and nothing comes any more.
    fn rest(&self, meter: &Process) -> Cdrs {
        let spectator = seen::consumer(&self.cluster, "spectator");
        let mut before = None;
        eventually("all folded", || {
            let ends = seen::ends(&self.cluster, &spectator, Topic::Log);
            if !has_committed(meter, &ends) {
                return None;
            }
            let counts = Cdrs::of(&block_on(meter.text("/metrics"))?);
            // What the dead reader had given to the system is written after its end.
            let again = before.replace(counts) == Some(counts);
            again.then_some(counts)
        })
    }
}

fn has_committed(meter: &Process, ends: &[i64]) -> bool {
    let Some(Value::Array(held)) = block_on(meter.get("/v1/partitions")) else { return false };
    let held: BTreeMap<u64, i64> = held
        .iter()
        .filter(|one| one["state"] == "running")
        .filter_map(|one| Some((one["partition"].as_u64()?, one["committed"].as_i64()?)))
        .collect();
    (0..).zip(ends).all(|(partition, end)| held.get(&partition).is_some_and(|committed| committed >= end))
}

/// Prints what each kill cost, and holds it against the bound.
fn report(told: &[Killed], all: &Cdrs) {
    let after = told.iter().skip(1).map(|killed| killed.counts.duplicate).chain([all.duplicate]);
    for (number, (killed, after)) in told.iter().zip(after).enumerate() {
        let Killed { kept, counts } = killed;
        let (beyond, again) = (counts.counted - kept, after - counts.duplicate);
        println!(
            "kill {:>2}: kept at record {kept}, {beyond} beyond it in the log; {again} duplicates by the next kill, bound {AGAIN_MAX}",
            number + 1
        );
        assert!(again <= beyond, "nothing is read again that was kept: {again} of {beyond}");
        assert!(beyond <= AGAIN_MAX, "{beyond} records are more than a place is kept behind");
    }
    println!(
        "{} kills, {} records counted once, {} duplicates (bound {})",
        told.len(),
        all.counted,
        all.duplicate,
        AGAIN_MAX * told.len() as u64
    );
}

/// By card, month and day to the byte.
fn judge(gateway: &Gateway, cards: u32, meter: &Process) {
    let mut months = 0;
    block_on(async {
        for card in 0..cards {
            let answer = meter.get(&format!("/v1/cards/{}", iccid(card))).await.expect("an answer");
            assert_eq!(answer["source"], "memory", "{answer}");
            let expected = gateway.months(card);
            assert_eq!(used(&answer["months"], "cycle"), expected, "months of card {card}: {answer}");
            assert_eq!(used(&answer["days"], "day"), gateway.days(card), "days of card {card}: {answer}");
            months += expected.len();
        }
    });
    assert!(months > cards as usize, "most cards have used something in both months: {months}");
    println!("{months} card-months of {cards} cards equal to the byte");
}

/// First days and used bytes, in their order, of rows that have any.
fn used(rows: &Value, key: &str) -> Vec<(String, u64)> {
    let row =
        |row: &Value| Some((row[key].as_str()?.to_owned(), row["used"].as_u64().filter(|used| *used > 0)?));
    let mut rows: Vec<_> = rows.as_array().expect("rows").iter().filter_map(row).collect();
    rows.sort();
    rows
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let patience = Patience::of(REST);
    loop {
        if let Some(found) = look() {
            return found;
        }
        patience.check(what);
        std::thread::park_timeout(LOOK_EVERY);
    }
}
