//! Invariant 7: every chunk ever written is what the log makes of its shard at its offset, byte for byte; and the last
//! checkpoint with the log from it comes to what the whole log comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::history;
use crate::checkpoint::{Head, Key, Part, decode};
use crate::codec::pack::Pack;
use crate::limits::SHARDS;
use crate::log::Topic;
use crate::log::sim::Read;
use crate::meter::{Effects, Meter};
use crate::model::{Catalogue, Ledger, Record};
use crate::simulate::Finding;
use crate::simulate::world::Evidence;

/// Chunks of one partition by the offset that they were written at.
type Chunks = BTreeMap<u64, Vec<(usize, Vec<u8>)>>;

/// Replays a partition; answers the ledger of its last head, if it has one.
pub(super) fn judge(partition: u32, evidence: &Evidence, out: &mut Vec<Finding>) -> Option<Ledger> {
    let log = history(evidence, Topic::Log, partition);
    let checkpoint = history(evidence, Topic::Checkpoint, partition);
    let chunks = chunks(&checkpoint);
    match replay(Meter::new(partition), &log, &chunks, out) {
        Ok(whole) => judge_restore(partition, &whole, &log, &chunks, out),
        Err(problem) => out.push(Finding::new("replay", format!("partition {partition}: {problem}"))),
    }
    last_head(&checkpoint).map(|head| head.ledger)
}

fn last_head(checkpoint: &[Read]) -> Option<Head> {
    let mut heads = checkpoint.iter().filter(|m| key(m) == Some(Key::Head));
    heads.next_back().and_then(|m| decode(m.value.as_deref()?).ok())
}

fn key(message: &Read) -> Option<Key> {
    Key::parse(message.key.as_deref()?)
}

fn chunks(checkpoint: &[Read]) -> Chunks {
    let mut parts: BTreeMap<(u64, u16), Vec<Part>> = BTreeMap::new();
    for message in checkpoint.iter().filter(|m| matches!(key(m), Some(Key::Part { .. }))) {
        if let Some(Ok(part)) = message.value.as_deref().map(decode::<Part>) {
            parts.entry((part.info.offset.0, part.info.shard)).or_default().push(part);
        }
    }
    let mut out = Chunks::new();
    for ((offset, shard), parts) in parts {
        let bytes = parts
            .iter()
            .take(usize::from(parts[0].info.parts))
            .flat_map(|p| p.bytes.iter().copied())
            .collect();
        out.entry(offset).or_default().push((usize::from(shard), bytes));
    }
    out
}

/// Folds the log to its end, and looks at each chunk on the way.
fn replay(mut meter: Meter, log: &[Read], chunks: &Chunks, out: &mut Vec<Finding>) -> Result<Meter, String> {
    let mut effects = Effects::default();
    let mut waiting = chunks.range(meter.position().0..).peekable();
    let from = meter.replay_from();
    for message in log.iter().filter(|m| m.offset >= from) {
        while let Some((_, chunks)) = waiting.next_if(|(offset, _)| **offset <= message.offset.0) {
            judge_chunks(&meter, chunks, out);
        }
        let pack = Pack::read(message.value.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
        let seconds = message.time_ms.div_euclid(1_000);
        meter.fold(message.offset, seconds, &pack, &mut effects).map_err(|e| e.to_string())?;
        effects = Effects::default();
    }
    waiting.for_each(|(_, chunks)| judge_chunks(&meter, chunks, out));
    Ok(meter)
}

fn judge_chunks(meter: &Meter, chunks: &[(usize, Vec<u8>)], out: &mut Vec<Finding>) {
    for (shard, chunk) in chunks {
        if encoded(meter, *shard) != *chunk {
            let what =
                format!("shard {shard} of partition {} at offset {}", meter.partition(), meter.position().0);
            out.push(Finding::new("replay", format!("{what}: the chunk is not what the log makes")));
        }
    }
}

fn encoded(meter: &Meter, shard: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    meter.encode_shard(shard, &mut bytes);
    bytes
}

/// Restores from the last chunk of each shard, replays, and compares all shards.
fn judge_restore(partition: u32, whole: &Meter, log: &[Read], chunks: &Chunks, out: &mut Vec<Finding>) {
    let mut last: BTreeMap<usize, &[u8]> = BTreeMap::new();
    for (shard, bytes) in chunks.values().flatten() {
        last.insert(*shard, bytes);
    }
    if last.len() != SHARDS {
        return;
    }
    let shards: Vec<&[u8]> = last.into_values().collect();
    let restored = Meter::restore(partition, catalogues(log), &shards).map_err(|e| e.to_string());
    match restored.and_then(|meter| replay(meter, log, &Chunks::new(), out)) {
        Err(problem) => out.push(Finding::new("restore", format!("partition {partition}: {problem}"))),
        Ok(meter) => {
            let differs = |shard: &usize| encoded(&meter, *shard) != encoded(whole, *shard);
            if let Some(shard) = (0..SHARDS).find(differs) {
                let what = format!(
                    "partition {partition} shard {shard}: restore and replay do not come to what the log makes"
                );
                out.push(Finding::new("restore", what));
            }
        }
    }
}

/// The catalogues of the log, each version once.
fn catalogues(log: &[Read]) -> Vec<Arc<Catalogue>> {
    let mut out: BTreeMap<u32, Arc<Catalogue>> = BTreeMap::new();
    for message in log {
        let Ok(pack) = Pack::read(message.value.as_deref().unwrap_or_default()) else { continue };
        for record in pack.records() {
            if let Ok(Record::Catalogue { json }) = record
                && let Ok(catalogue) = serde_json::from_slice::<Catalogue>(json)
            {
                out.entry(catalogue.version).or_insert(Arc::new(catalogue));
            }
        }
    }
    out.into_values().collect()
}
