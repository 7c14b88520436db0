//! Files of P-GW records dropped into a folder, as many as one likes, while the meter runs: records a CPU second of the
//! reader's process, its resident memory, and how far the meter is behind.
//!
//! Ingest and meter are processes of their own. One file is there at a time and is deleted when it is done, and the broker
//! keeps the log's last 2 GiB: the disk needs a file and some 3 GiB, whatever the number of records. What must have come of
//! the records is added up while they are made (`tests/support/pgw.rs`).

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use tidegauge::log::kafka::topics::Stamps;
use tidegauge::shell::Clocks;

use crate::asking::Asker;
use crate::broker::{Broker, make_topics};
use crate::counted::{Cdrs, sum};
use crate::cpu::Cpu;
use crate::load::Load;
use crate::pgw::{Gateway, RECORD, iccid};
use crate::product::{Product, Told};
use crate::stage::resident_of;

/// How much.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Records in all.
    #[arg(long, default_value_t = 50_000_000)]
    records: u64,
    /// Records in a file, of 436 bytes each.
    #[arg(long, default_value_t = 10_000_000)]
    file: u64,
    /// Cards.
    #[arg(long, default_value_t = 100_000)]
    cards: u32,
    /// Cards whose months are asked for at the end.
    #[arg(long, default_value_t = 2_000)]
    asked: u32,
    /// Resident memory that the reader may have, MiB.
    #[arg(long, default_value_t = 200)]
    resident: u64,
}

/// What the broker keeps of each of 16 partitions: it must not fill the disk, and the meter has folded the rest.
const PROPERTIES: [&str; 4] = [
    "log.retention.bytes=134217728",
    "log.segment.bytes=33554432",
    "log.retention.check.interval.ms=2000",
    "log.segment.delete.delay.ms=1000",
];
const PREFIX: &str = "f.";
const SEED: u64 = 50;
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Lines that are printed on the way.
const LINES: u64 = 20;
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let broker = Broker::start_with(&PROPERTIES)?;
    make_topics(&broker.address, PREFIX, Stamps::Brokers)?;
    let now = tidegauge::shell::wall_ms() / 1_000;
    let mut gateway = Gateway::new(SEED, options.cards, now);
    let scene = Scene::start(&broker.address)?;
    scene.register(&gateway, options.cards)?;
    println!(
        "folder: {} records of {RECORD} bytes in files of {}, over {} cards",
        options.records, options.file, options.cards
    );
    println!(
        "  {:>12} {:>10} {:>14} {:>13} {:>12} {:>9}",
        "records", "seconds", "records/s", "a CPU second", "meter behind", "MiB"
    );
    let mut seen = Seen::default();
    let mut next = 0;
    while next < options.records {
        let numbers = next..(next + options.file).min(options.records);
        next = numbers.end;
        let name = format!("bulk-{next}.cdr");
        gateway.drop_file(&scene.folder().join(&name), numbers)?;
        scene.watch(&name, next, options.records, &mut seen)?;
        std::fs::remove_file(scene.folder().join("done").join(&name))?;
    }
    let rested = scene.rest(options.records)?;
    seen.tell(options)?;
    judge(&scene, &gateway, options, rested)?;
    Ok(())
}

/// The two processes, their addresses and files.
struct Scene {
    brokers: String,
    directory: tempfile::TempDir,
    reader: Product,
    meter: Product,
    asker: Asker,
}

impl Scene {
    fn start(brokers: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let folder = directory.path().join("in");
        std::fs::create_dir(&folder)?;
        let config = directory.path().join("tidegauge.toml");
        std::fs::write(&config, Gateway::configuration(&folder))?;
        let start = |name: &str, roles: &str| {
            Product::start_roles((brokers, PREFIX), &Told { name, ..Told::ALONE }, roles, &config)
        };
        let (meter, reader) = (start("meter", "meter,api")?, start("reader", "ingest,api")?);
        Ok(Self { brokers: brokers.to_owned(), directory, reader, meter, asker: Asker::new(0)? })
    }

    /// The body of a process's answer; `None` while there is none.
    fn ask(&self, product: &Product, path: &str) -> Option<String> {
        let answered = self.asker.get(&format!("{}{path}", product.address)).ok()?;
        (answered.status == Some(200)).then(|| String::from_utf8_lossy(&answered.body).into_owned())
    }

    fn folder(&self) -> std::path::PathBuf {
        self.directory.path().join("in")
    }

    /// Registers the cards, and waits until the reader knows their numbers.
    fn register(&self, gateway: &Gateway, cards: u32) -> anyhow::Result<()> {
        let path = self.directory.path().join("catalogue.toml");
        std::fs::write(&path, gateway.catalogue())?;
        apply(&self.brokers, &path)?;
        let load = Load::new(&self.brokers, PREFIX)?;
        (0..cards).try_for_each(|card| load.order(&iccid(card), &gateway.registration(card)))?;
        load.flush()?;
        // The reader of the folder follows the directory: by the last card's number in it all are.
        eventually("the cards registered", || {
            let label = [("type", "card.registered")];
            let registered = sum(&self.ask(&self.meter, "/metrics")?, "tidegauge_events_total", &label);
            (registered >= u64::from(cards)).then_some(())
        })?;
        let last = Gateway::number(cards - 1);
        eventually("the reader hears of them", || {
            self.ask(&self.reader, &format!("/v1/cards/{last}")).map(drop)
        })
    }

    fn cdrs(&self) -> Option<Cdrs> {
        self.ask(&self.meter, "/metrics").map(|metrics| Cdrs::of(&metrics))
    }

    /// Samples while a file is read, until it is put aside.
    fn watch(&self, name: &str, until: u64, all: u64, seen: &mut Seen) -> anyhow::Result<()> {
        let (pid, clocks) = (self.reader.pid(), Clocks::start());
        let (done, cpu_before) = (self.folder().join("done").join(name), cpu_ms(pid)?);
        while !done.exists() {
            anyhow::ensure!(!self.folder().join("broken").join(name).exists(), "{name} is broken");
            std::thread::park_timeout(SAMPLE_EVERY);
            seen.resident.push((seen.read, resident_of(&pid.to_string())));
            let (Some(reader), Some(meter)) = (self.ask(&self.reader, "/metrics"), self.cdrs()) else {
                continue;
            };
            seen.read =
                sum(&reader, "tidegauge_ingest_records_total", &[("input", "file"), ("outcome", "logged")]);
            let behind = seen.read.saturating_sub(meter.folded);
            seen.behind_max = seen.behind_max.max(behind);
            if seen.read / (all / LINES).max(1) > seen.lines {
                seen.lines = seen.read / (all / LINES).max(1);
                let (wall, used) =
                    (seen.wall_ms + clocks.steady_ms() as u64, seen.cpu_ms + cpu_ms(pid)? - cpu_before);
                seen.line(wall, used, behind);
            }
        }
        seen.wall_ms += clocks.steady_ms() as u64;
        seen.cpu_ms += cpu_ms(pid)? - cpu_before;
        seen.read = until;
        Ok(())
    }

    /// Waits until the meter has folded all; answers how long that took once the last file was done.
    fn rest(&self, records: u64) -> anyhow::Result<(Cdrs, Duration)> {
        let clocks = Clocks::start();
        let cdrs = eventually("the meter", || self.cdrs().filter(|cdrs| cdrs.folded >= records))?;
        Ok((cdrs, Duration::from_millis(clocks.steady_ms() as u64)))
    }
}

/// What was seen of the reader over all files, while it had one.
#[derive(Default)]
struct Seen {
    read: u64,
    wall_ms: u64,
    cpu_ms: u64,
    /// Records read by then, and bytes.
    resident: Vec<(u64, u64)>,
    behind_max: u64,
    lines: u64,
}

impl Seen {
    fn line(&self, wall_ms: u64, cpu_ms: u64, behind: u64) {
        let per = |seconds: f64| self.read as f64 / seconds.max(0.001);
        let mut line = String::new();
        let _ = write!(line, "  {:>12} {:>10.1} ", self.read, wall_ms as f64 / 1e3);
        let _ = write!(line, "{:>14.0} {:>13.0} ", per(wall_ms as f64 / 1e3), per(cpu_ms as f64 / 1e3));
        let mib = self.resident.last().map_or(0, |(_, bytes)| bytes >> 20);
        println!("{line}{behind:>12} {mib:>9}");
    }

    fn tell(&self, options: &Options) -> anyhow::Result<()> {
        let steady = self.resident.iter().filter(|(read, _)| *read >= options.records / 10);
        let mut steady: Vec<u64> = steady.map(|(_, bytes)| bytes >> 20).collect();
        steady.sort_unstable();
        let at = |part: usize| steady.get((steady.len().saturating_sub(1)) * part / 2).copied().unwrap_or(0);
        println!(
            "  reader: {:.0} records a CPU second ({:.0} CPU ns a record), {:.0} records/s",
            options.records as f64 * 1e3 / self.cpu_ms.max(1) as f64,
            self.cpu_ms as f64 * 1e6 / options.records as f64,
            options.records as f64 * 1e3 / self.wall_ms.max(1) as f64,
        );
        println!(
            "  reader: resident {} / {} / {} MiB (least, median, greatest of {} samples after the first tenth)",
            at(0),
            at(1),
            at(2),
            steady.len()
        );
        println!("  meter: at most {} records behind the reader", self.behind_max);
        anyhow::ensure!(at(2) <= options.resident, "more than {} MiB resident", options.resident);
        Ok(())
    }
}

/// Every record once, and the months of some cards to the byte.
fn judge(
    scene: &Scene,
    gateway: &Gateway,
    options: &Options,
    (cdrs, rested): (Cdrs, Duration),
) -> anyhow::Result<()> {
    println!("  meter: {cdrs:?}, at rest {:.1} s after the last file", rested.as_secs_f64());
    anyhow::ensure!(cdrs.folded == options.records && cdrs.duplicate == 0, "nothing died: no record twice");
    // Of this many records one or another has, by chance, the 32 bits of another's id: it is quarantined, loudly.
    let set_aside = options.records - cdrs.counted;
    let step = (options.cards / options.asked.min(options.cards)).max(1);
    let (mut asked, mut differ) = (0, 0);
    for card in (0..options.cards).step_by(step as usize) {
        let answer = scene.ask(&scene.meter, &format!("/v1/cards/{}", iccid(card)));
        let answer: serde_json::Value = serde_json::from_str(&answer.unwrap_or_default())?;
        asked += 1;
        differ += u64::from(used(&answer) != gateway.months(card));
    }
    println!(
        "  {asked} cards asked by month: {} equal to the byte, {set_aside} records in conflict",
        asked - differ
    );
    anyhow::ensure!(differ <= set_aside, "{differ} cards are not as expected");
    Ok(())
}

fn used(answer: &serde_json::Value) -> Vec<(String, u64)> {
    let months = answer["months"].as_array().map(Vec::as_slice).unwrap_or_default();
    let month = |month: &serde_json::Value| {
        let used = month["used"].as_u64().filter(|used| *used > 0)?;
        Some((month["cycle"].as_str()?.to_owned(), used))
    };
    let mut months: Vec<_> = months.iter().filter_map(month).collect();
    months.sort();
    months
}

fn apply(brokers: &str, catalogue: &Path) -> anyhow::Result<()> {
    let mut command = Product::command(brokers, PREFIX, &Told::ALONE);
    let ended = command.args(["catalogue", "apply"]).arg(catalogue).stdout(Stdio::null()).status()?;
    anyhow::ensure!(ended.success(), "the catalogue was not taken");
    Ok(())
}

/// All of a process.
fn cpu_ms(pid: u32) -> anyhow::Result<u64> {
    Ok(Cpu::of(pid)?.whole.as_millis() as u64)
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let clocks = Clocks::start();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        anyhow::ensure!(clocks.steady_ms() < PATIENCE.as_millis() as i64, "waited too long for {what}");
        std::thread::park_timeout(SAMPLE_EVERY);
    }
}
