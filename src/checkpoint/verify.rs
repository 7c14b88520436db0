//! `tidegauge verify`: proves a checkpoint at rest, without writing anything.
//!
//! Two ways lead to the state at the head: the newest chunks and the log after them; and the oldest chunks that the topic
//! still has, and all of the log since. On the second way every later chunk that was written must come out byte for byte
//! when the replay passes its offset, and at the end every shard must be the same on both ways. Besides, the ledger must
//! add up and be the head's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use super::chunk::{self, ChunkInfo, Part};
use super::frame;
use super::head::{Expected, New, Skip};
use super::key::Key;
use super::refused::{Refused, Why};
use super::restore::{Budget, Progress, Restore, Restored, refold};
use crate::limits::{RESTORE_MESSAGES_PER_STEP, SHARDS, VERIFY_ATTEMPTS};
use crate::log::{LogError, Message, Topic, WorkerLog};
use crate::meter::{Effects, Meter};
use crate::model::{Catalogue, Ledger, LogOffset, UnixTime};

/// What was proved of one partition, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    pub partition: u32,
    /// The committed offset.
    pub offset: LogOffset,
    pub log_time: UnixTime,
    /// Complete chunks found in the topic, of all ages.
    pub chunks: usize,
    /// Chunks that a replay from an older one was compared with.
    pub compared: usize,
    /// Messages folded on the longer way.
    pub replayed: u64,
    pub ledger: Ledger,
    /// Empty: all is proved.
    pub problems: Vec<Problem>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum Problem {
    #[error(
        "shard {shard}: the chunk of offset {} and the log up to {} do not give the chunk of {}: state or fold differ",
        from.0, to.0, to.0
    )]
    Chunk { shard: usize, from: LogOffset, to: LogOffset },
    #[error("shard {shard} at offset {}: the two ways to restore it differ", at.0)]
    Ways { shard: usize, at: LogOffset },
    #[error("the ledger does not add up: outcomes and folded records differ")]
    Ledger,
    #[error("the longer way cannot be gone: {0}")]
    LongWay(String),
}

/// Restores a partition both ways and compares.
///
/// # Errors
/// When not even the shorter way leads to a state: what a worker would say.
pub fn verify(
    log: &mut dyn WorkerLog,
    partition: u32,
    expected: &Expected,
) -> Result<PartitionReport, Refused> {
    let expected = Expected { new: New::Refused, ..expected.clone() };
    let short = short_way(log, partition, &expected)?;
    let history = History::read(log, partition).map_err(|why| Refused { partition, why })?;
    let mut report = PartitionReport {
        partition,
        offset: short.meter.position(),
        log_time: short.meter.log_time(),
        chunks: history.shards.iter().map(Vec::len).sum(),
        compared: 0,
        replayed: 0,
        ledger: short.meter.ledger(),
        problems: Vec::new(),
    };
    if !report.ledger.adds_up() {
        report.problems.push(Problem::Ledger);
    }
    if let Err(why) = long_way(log, &short, (&history, expected.faults), &mut report) {
        report.problems.push(Problem::LongWay(why.to_string()));
    }
    Ok(report)
}

/// As a worker restores. While one commits, head and offset may be read apart: a few more attempts.
fn short_way(log: &mut dyn WorkerLog, partition: u32, expected: &Expected) -> Result<Restored, Refused> {
    let mut attempt = 1;
    loop {
        match restore(log, partition, expected) {
            Err(Refused { why: Why::NotAtCommit { .. }, .. }) if attempt < VERIFY_ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

/// The clock stands still, so that no open transaction is ever ended from here.
fn restore(log: &mut dyn WorkerLog, partition: u32, expected: &Expected) -> Result<Restored, Refused> {
    let budget = Budget { messages: RESTORE_MESSAGES_PER_STEP, now_ms: 0 };
    let mut restore = Restore::new(partition, 0);
    loop {
        match restore.step(log, expected, budget) {
            Ok(Progress::Going) => {}
            Ok(Progress::Done(restored)) => return Ok(*restored),
            Ok(Progress::Refused(refused)) => return Err(refused),
            Ok(Progress::Waiting(why)) => return Err(Refused { partition, why: Why::Log(why) }),
            Err(error) => return Err(Refused { partition, why: Why::Log(error.to_string()) }),
        }
    }
}

/// Every complete chunk that the topic still has, by shard and in the order of writing.
struct History {
    shards: Vec<Vec<Version>>,
    catalogues: BTreeMap<u32, Arc<Catalogue>>,
    /// Orders to pass over messages, those too that no live chunk is still to come to.
    skips: BTreeMap<LogOffset, String>,
    /// Parts of chunks that are not complete yet, by shard.
    open: Vec<Vec<Option<Part>>>,
    first: LogOffset,
}

struct Version {
    info: ChunkInfo,
    digest: u128,
    /// Kept of the first version that the log still has the messages after.
    bytes: Option<Vec<u8>>,
}

impl History {
    fn read(log: &mut dyn WorkerLog, partition: u32) -> Result<Self, Why> {
        let failed = |error: LogError| Why::Log(error.to_string());
        let mut history = Self {
            shards: (0..SHARDS).map(|_| Vec::new()).collect(),
            catalogues: BTreeMap::new(),
            skips: BTreeMap::new(),
            open: (0..SHARDS).map(|_| Vec::new()).collect(),
            first: log.bounds(Topic::Log, partition).map_err(failed)?.0,
        };
        let (from, to) = log.bounds(Topic::Checkpoint, partition).map_err(failed)?;
        let each = &mut |message: Message<'_>| {
            history.take(&message);
            true
        };
        log.scan(Topic::Checkpoint, partition, from, to, each).map_err(failed)?;
        Ok(history)
    }

    /// What cannot be read, or what compaction has torn apart, makes no version; the shorter way judges what is live.
    fn take(&mut self, message: &Message<'_>) {
        let (Some(key), Some(value)) = (message.key.and_then(Key::parse), message.value) else { return };
        match key {
            Key::Part { shard, part } => {
                if let Ok(found) = frame::decode::<Part>(value) {
                    self.part(usize::from(shard), part, found);
                }
            }
            Key::Catalogue { version } => {
                let json = frame::decode::<Vec<u8>>(value).ok();
                if let Some(known) = json.and_then(|json| serde_json::from_slice(&json).ok()) {
                    self.catalogues.insert(version, Arc::new(known));
                }
            }
            Key::Skip { .. } => {
                if let Ok(skip) = frame::decode::<Skip>(value) {
                    self.skips.insert(skip.offset, skip.reason);
                }
            }
            Key::Head => {}
        }
    }

    fn part(&mut self, shard: usize, number: u16, part: Part) {
        let Some(open) = self.open.get_mut(shard) else { return };
        if number == 0 {
            open.clear();
        }
        let last = number + 1 == part.info.parts;
        open.push(Some(part));
        if !last {
            return;
        }
        let joined = chunk::join(shard as u16, &std::mem::take(open));
        if let Ok((info, bytes)) = joined
            && info.offset >= self.first
        {
            self.version(shard, info, bytes);
        }
    }

    fn version(&mut self, shard: usize, info: ChunkInfo, bytes: Vec<u8>) {
        let Some(versions) = self.shards.get_mut(shard) else { return };
        let digest = xxh3_128(&bytes);
        let bytes = versions.is_empty().then_some(bytes);
        versions.push(Version { info, digest, bytes });
    }

    /// Later versions of all shards, by offset: (to, shard, from, digest).
    fn later(&self) -> Vec<(LogOffset, usize, LogOffset, u128)> {
        let mut later = Vec::new();
        for (shard, versions) in self.shards.iter().enumerate() {
            let Some((first, rest)) = versions.split_first() else { continue };
            later.extend(rest.iter().map(|v| (v.info.offset, shard, first.info.offset, v.digest)));
        }
        later.sort_unstable();
        later
    }
}

fn long_way(
    log: &mut dyn WorkerLog,
    short: &Restored,
    (history, faults): (&History, crate::meter::Faults),
    report: &mut PartitionReport,
) -> Result<(), Why> {
    let (partition, to) = (report.partition, short.meter.position());
    let bytes: Option<Vec<&[u8]>> =
        history.shards.iter().map(|v| v.first().and_then(|v| v.bytes.as_deref())).collect();
    let bytes =
        bytes.ok_or_else(|| Why::Meter("a shard has no chunk that the log reaches back to".to_owned()))?;
    let known = history.catalogues.values().map(Arc::clone).collect();
    let mut meter =
        Meter::restore(partition, known, &bytes).map_err(|error| Why::Meter(error.to_string()))?;
    meter = meter.with_faults(faults);
    let first = history.shards.iter().filter_map(|v| v.first()).map(|v| v.info.offset).min();
    let mut later = history.later().into_iter().filter(|(at, ..)| *at <= to).peekable();
    let (mut effects, mut failed) = (Effects::default(), None);
    let each = &mut |message: Message<'_>| {
        if message.offset >= to {
            return false;
        }
        while let Some(version) = later.next_if(|(at, ..)| *at <= message.offset) {
            compare(&meter, version, report);
        }
        failed = refold(&mut meter, &message, &history.skips, &mut effects).err();
        report.replayed += 1;
        failed.is_none()
    };
    let scanned = log.scan(Topic::Log, partition, first.unwrap_or(to), to, each);
    scanned.map_err(|error| Why::Log(error.to_string()))?;
    if let Some(why) = failed {
        return Err(why);
    }
    for version in later {
        compare(&meter, version, report);
    }
    compare_ways(&short.meter, &meter, report);
    Ok(())
}

fn compare(
    meter: &Meter,
    (to, shard, from, digest): (LogOffset, usize, LogOffset, u128),
    report: &mut PartitionReport,
) {
    let mut bytes = Vec::new();
    meter.encode_shard(shard, &mut bytes);
    report.compared += 1;
    if xxh3_128(&bytes) != digest {
        report.problems.push(Problem::Chunk { shard, from, to });
    }
}

fn compare_ways(short: &Meter, long: &Meter, report: &mut PartitionReport) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for shard in 0..SHARDS {
        a.clear();
        b.clear();
        short.encode_shard(shard, &mut a);
        long.encode_shard(shard, &mut b);
        if a != b {
            report.problems.push(Problem::Ways { shard, at: report.offset });
        }
    }
}
