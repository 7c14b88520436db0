//! What is known of a feed that comes by a topic, kept beside each partition's committed offset.
//!
//! An offset and its text are committed in one: whoever reads the partition next, after a crash or a rebalance, goes on
//! with just what the offset stands for. Numbers are a partition's own; the feed's rhythm stands beside each, and the one
//! that heard last is believed.
//!
//! Invariant 5: the text is at most [`GAPS_KEPT_BYTES_MAX`], as brokers bound it; nodes heard of least lately are left out and
//! learnt anew.

use serde::{Deserialize, Serialize};

use super::rhythm::Rhythm;
use super::series::{Packed, Series};
use super::{Gaps, Kind, Part, Seen, Told, Watched, series_of};
use crate::limits::{FEED_SERIES_MAX, GAPS_KEPT_BYTES_MAX};
use crate::model::UnixTime;

/// The form of the text.
const VERSION: u8 = 1;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "s")]
    seen: u64,
    #[serde(rename = "n")]
    newest: Option<UnixTime>,
    #[serde(rename = "r")]
    rhythm: Rhythm,
    /// By node, those heard of last first.
    #[serde(rename = "k")]
    records: Vec<(String, Packed)>,
}

impl Kept {
    /// What a text says; `None` if it is none of ours, or of another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text).ok().filter(|kept| kept.version == VERSION)
    }

    /// The text, with as many nodes as fit. One that loses much must not have the others forgotten: of its gaps only the
    /// newest are kept, in half of the room.
    #[must_use]
    pub fn text(mut self) -> String {
        let records = std::mem::take(&mut self.records);
        let text = |kept: &Self| serde_json::to_string(kept).unwrap_or_default();
        let mut bytes = text(&self).len();
        for (node, mut packed) in records {
            while written(&node, &packed) > GAPS_KEPT_BYTES_MAX / 2 && !packed.5.is_empty() {
                packed.5.remove(0);
            }
            let more = written(&node, &packed);
            if bytes + more <= GAPS_KEPT_BYTES_MAX {
                bytes += more;
                self.records.push((node, packed));
            }
        }
        text(&self)
    }
}

/// Bytes of a node's series in the text, with the comma before it.
fn written(node: &str, packed: &Packed) -> usize {
    serde_json::to_string(&(node, packed)).map_or(usize::MAX, |text| text.len() + 1)
}

impl Gaps {
    /// A partition of a feed's topic is read from now on, with what was kept of it.
    pub fn begin(&mut self, feed: &str, partition: u32, kept: Option<Kept>, now_ms: i64) {
        let Some(watched) = self.feeds.get_mut(feed) else { return };
        let kept = kept.unwrap_or_default();
        let numbers = watched.watch.records;
        let unpack = |(node, packed)| Some((node, Series::unpack(numbers, packed)?));
        let records = kept.records.into_iter().take(FEED_SERIES_MAX).filter_map(unpack).collect();
        watched.parts.insert(partition, Part { seen: kept.seen, records, changed: false });
        let known = &mut watched.known;
        known.newest = known.newest.max(kept.newest);
        if let Some(silence) = known.rhythm.join(kept.rhythm) {
            self.told.push(Told::resumed(feed, silence, now_ms));
        }
    }

    /// A partition of a feed's topic is read no longer. With its last one everything of the feed is forgotten.
    pub fn end(&mut self, feed: &str, partition: u32) {
        let Some(watched) = self.feeds.get_mut(feed) else { return };
        watched.parts.remove(&partition);
        if watched.parts.is_empty() {
            watched.known = super::Known { opened: watched.known.opened, ..super::Known::default() };
        }
    }

    /// A message of a feed's topic came; answers whether it is looked at for the first time.
    pub fn message(&mut self, feed: &str, (partition, offset): (u32, u64), now_ms: i64) -> bool {
        let part = self.feeds.get_mut(feed).and_then(|watched| watched.parts.get_mut(&partition));
        if let Some(part) = part {
            if offset < part.seen {
                return false;
            }
            part.seen = offset.saturating_add(1);
        }
        let told = self.told.len();
        self.arrival(feed, now_ms);
        if self.told.len() > told {
            // That a silence is over is kept beside every partition, or it would be ended again.
            self.touch(feed);
        }
        true
    }

    /// A record of a feed's topic has a number.
    pub fn number_in(&mut self, feed: &str, partition: u32, seen: Seen<'_>, now_ms: i64) {
        let Some(Watched { watch, known, parts }) = self.feeds.get_mut(feed) else { return };
        let Some(part) = parts.get_mut(&partition).filter(|_| watch.keyed) else { return };
        let mut changes = Vec::new();
        let (series, forgotten) = series_of(&mut part.records, seen.node, watch.records, now_ms);
        series.see((seen.number, seen.at), watch.pace, now_ms, &mut changes);
        known.forgotten = known.forgotten.saturating_add(u64::from(forgotten));
        known.note(&changes);
        let told = changes.into_iter().map(|change| Told::of(feed, Kind::Records, seen.node, change));
        self.told.extend(told);
    }

    fn touch(&mut self, feed: &str) {
        if let Some(watched) = self.feeds.get_mut(feed) {
            watched.parts.values_mut().for_each(|part| part.changed = true);
        }
    }

    /// Partitions of a feed of which something has changed that no new offset tells of.
    #[must_use]
    pub fn changed(&self, feed: &str) -> Vec<u32> {
        let parts = self.feeds.get(feed).into_iter().flat_map(|watched| &watched.parts);
        parts.filter(|(_, part)| part.changed).map(|(partition, _)| *partition).collect()
    }

    /// What is known of a partition, to be kept beside its offset.
    #[must_use]
    pub fn kept(&self, feed: &str, partition: u32) -> Option<Kept> {
        let Watched { known, parts, .. } = self.feeds.get(feed)?;
        let part = parts.get(&partition)?;
        let mut records: Vec<(&String, &Series)> = part.records.iter().collect();
        records.sort_by_key(|(_, series)| std::cmp::Reverse(series.heard_ms()));
        let records = records.into_iter().map(|(node, series)| (node.clone(), series.pack()));
        Some(Kept {
            version: VERSION,
            seen: part.seen,
            newest: known.newest,
            rhythm: known.rhythm.clone(),
            records: records.collect(),
        })
    }

    /// It has been kept.
    pub fn was_kept(&mut self, feed: &str, partition: u32) {
        let part = self.feeds.get_mut(feed).and_then(|watched| watched.parts.get_mut(&partition));
        if let Some(part) = part {
            part.changed = false;
        }
    }
}
