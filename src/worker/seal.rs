//! Sealing: what was folded becomes immutable bytes with a head, the chunks that are due, and the offset they move to.

use super::live::{Floor, Known, Live};
use super::rows::Encoding;
use super::sealed::{Released, SealedPart};
use super::settings::Settings;
use crate::checkpoint::{ChunkInfo, Head, Key, Skip, cut, encode, record};
use crate::limits::{CHUNK_BYTES_PER_SEAL, SHARDS};
use crate::log::{Output, Topic};
use crate::meter::FOLD_VERSION;
use crate::model::LogOffset;

/// Chunks that may be written under one floor before it is asked for again.
const CHUNKS_PER_FLOOR: usize = SHARDS / 16;

/// What sealing needs beside the partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealContext<'a> {
    pub settings: &'a Settings,
    pub topic_id: &'a str,
    pub writer: &'a str,
    pub now_ms: i64,
    /// Whether the sink would take rows, and under which id.
    pub rows: Option<u64>,
}

/// How many chunks a seal writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Those that the pace asks for.
    Due,
    /// All that are not as of now, as many as fit.
    Behind,
}

impl Live {
    /// Says with the next seal who answers for the partition from now on.
    pub(super) fn announce(&mut self, settings: &Settings, now_ms: i64) {
        self.unsealed.push(owner(self.partition, settings));
        self.unsealed.tell(now_ms);
    }

    /// Whether the floor must be asked for before the next seal.
    pub(super) fn wants_floor(&self, settings: &Settings, chunks: Chunks) -> bool {
        self.floor.chunks >= CHUNKS_PER_FLOOR && self.chunks_wanted(settings, chunks) > 0
    }

    pub(super) fn set_floor(&mut self, place: LogOffset) {
        self.floor = Floor { place, chunks: 0 };
    }

    fn chunks_wanted(&self, settings: &Settings, chunks: Chunks) -> usize {
        match chunks {
            Chunks::Due => self.marks.due(settings.pace, self.meter.log_time()),
            Chunks::Behind => self.marks.behind(self.meter.position()),
        }
    }

    /// Makes everything folded so far immutable.
    pub(super) fn seal(&mut self, context: SealContext<'_>, chunks: Chunks) -> (SealedPart, Vec<Output>) {
        let rows = context.rows.and_then(|id| self.encode_rows(context, id));
        self.write_chunks(context.settings, chunks);
        self.write_catalogues();
        let head = self.head(context);
        self.unsealed.push(record(self.partition, Key::Head, Some(encode(&head))));
        let unsealed = std::mem::take(&mut self.unsealed);
        let ledger = head.ledger.since(&self.ledger_sealed);
        self.ledger_sealed = head.ledger;
        let part = SealedPart {
            partition: self.partition,
            from: self.sealed,
            to: head.offset,
            metadata: self.marks.place().0.to_string(),
            rows,
            released: Released {
                ledger,
                events: unsealed.events,
                oldest_ms: unsealed.oldest_ms,
                alerts_ms: unsealed.alerts_ms,
                orders: unsealed.orders,
                alarms: unsealed.alarms,
            },
        };
        self.sealed = Some(head.offset);
        (part, unsealed.outputs)
    }

    fn encode_rows(&mut self, context: SealContext<'_>, id: u64) -> Option<crate::rollup::RowBatch> {
        if !self.rows.wants(&self.effects, context.now_ms) {
            return None;
        }
        let how = Encoding {
            partition: self.partition,
            generation: context.settings.generation,
            id,
            now_ms: context.now_ms,
        };
        self.rows.encode(&self.meter, &mut self.effects, how)
    }

    fn head(&self, context: SealContext<'_>) -> Head {
        Head {
            offset: self.meter.position(),
            log_time: self.meter.log_time(),
            clock: context.settings.clock,
            topic_id: context.topic_id.to_owned(),
            partitions: context.settings.partitions,
            fold_version: FOLD_VERSION,
            catalogues: self.catalogues.iter().map(|k| k.catalogue.version).collect(),
            ledger: self.meter.ledger(),
            generation: context.settings.generation,
            writer: context.writer.to_owned(),
            deployment: context.settings.deployment.clone(),
        }
    }

    /// Writes shards, oldest chunk first, within a seal's bytes; at least one if one is wanted.
    fn write_chunks(&mut self, settings: &Settings, chunks: Chunks) {
        let wanted = self.chunks_wanted(settings, chunks);
        if wanted == 0 {
            return;
        }
        let (mut bytes, mut written, mut shards) = (Vec::new(), 0, 0);
        for shard in self.marks.by_age().into_iter().take(wanted) {
            bytes.clear();
            self.meter.encode_shard(shard, &mut bytes);
            self.write_chunk(shard, &bytes);
            (written, shards) = (written + bytes.len(), shards + 1);
            if written >= CHUNK_BYTES_PER_SEAL && !self.marks.is_new() {
                break;
            }
        }
        self.marks.paid(shards, settings.pace, self.meter.log_time());
        self.repeat_skips();
        self.forget_catalogues();
    }

    fn write_chunk(&mut self, shard: usize, bytes: &[u8]) {
        let info = ChunkInfo {
            shard: shard as u16,
            offset: self.meter.position(),
            log_time: self.meter.log_time(),
            fold_version: FOLD_VERSION,
            catalogue: self.catalogue_version(),
            parts: 0,
            checksum: 0,
        };
        let (parts, outputs) = cut(self.partition, info, bytes, self.marks.parts(shard));
        for output in outputs {
            self.unsealed.push(output);
        }
        self.marks.written(&info, (parts, bytes.len() as u64), self.floor.place);
        self.floor.chunks = self.floor.chunks.saturating_add(1);
    }

    /// Orders to pass over messages that these chunks are still to come to stand no further back than they: a restore begins
    /// to read at the oldest chunk.
    fn repeat_skips(&mut self) {
        let order = |(offset, reason): (&LogOffset, &String)| {
            let skip = Skip { offset: *offset, reason: reason.clone() };
            record(self.partition, Key::Skip { offset: *offset }, Some(encode(&skip)))
        };
        let orders: Vec<Output> = self.skips.range(self.meter.position()..).map(order).collect();
        for order in orders {
            self.unsealed.push(order);
        }
    }

    /// Deletes catalogues that no live chunk was made under any more; the one in force stays.
    fn forget_catalogues(&mut self) {
        let oldest = self.marks.oldest_catalogue();
        let gone = self.catalogues.iter().take_while(|k| k.catalogue.version < oldest).count();
        self.meter.keep_catalogues_from(oldest);
        for known in self.catalogues.drain(..gone) {
            let key = Key::Catalogue { version: known.catalogue.version };
            self.unsealed.push(record(self.partition, key, None));
        }
    }

    /// Writes catalogues that are new, and again those whose record lies before the oldest chunk's place, so that a
    /// restore that begins to read there meets them.
    fn write_catalogues(&mut self) {
        let (place, floor) = (self.marks.place(), self.floor.place);
        let stale = |known: &Known| known.place.is_none_or(|at| at < place);
        let mut records = Vec::new();
        for known in self.catalogues.iter_mut().filter(|k| stale(k)) {
            let key = Key::Catalogue { version: known.catalogue.version };
            let json = crate::codec::canonical::to_vec(&*known.catalogue);
            records.push(record(self.partition, key, Some(encode(&json))));
            known.place = Some(floor);
        }
        for output in records {
            self.unsealed.push(output);
        }
    }
}

/// Tells the world who has restored a partition.
fn owner(partition: u32, settings: &Settings) -> Output {
    let owner = serde_json::json!({
        "instance": settings.instance,
        "address": settings.address,
        "generation": settings.generation,
    });
    Output {
        topic: Topic::Owners,
        partition: None,
        key: partition.to_string().into_bytes(),
        value: Some(owner.to_string().into_bytes()),
        headers: Vec::new(),
        time_ms: None,
    }
}
