//! What is missing of a feed: numbers that its nodes and its files skip, and silence against its own rhythm.
//!
//! A carrier that loses a file, or a gateway that loses records, says nothing about it; the numbers do. PURE: what was
//! seen and when goes in, what is to be told comes out ([`Gaps::take`]), and the shell sends it to `feed.events`. Each gap is
//! opened once and closed once, under an id made of (feed, kind, node, first missing) alone, so that what a crash makes a
//! reader say again is the same event.
//!
//! Invariant 5: feeds are those of the configuration; series, gaps and what is left of one are bounded by
//! [`crate::limits`]. At a bound the oldest gap is given up, and told so.

mod kept;
mod rhythm;
mod series;
#[cfg(test)]
mod tests;
mod told;

pub use kept::Kept;
pub use rhythm::Rhythm;
pub use series::{Gap, Numbers, Pace, Series};
pub use told::{Change, Kind, Reason, Told};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{
    FEED_SERIES_MAX, GAP_AFTER_MIN_DEFAULT, GAP_WINDOW_DEFAULT, GAPS_PER_SERIES_MAX, LOST_TOLD_MS,
};
use crate::model::UnixTime;

/// How one feed is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The silence that is told, milliseconds; `None`: learnt from the feed's own rhythm.
    pub silence_ms: Option<i64>,
    /// Whether silence is watched at all: not where the clock is supplied, as no time passes there while nothing comes.
    pub listens: bool,
    pub pace: Pace,
    /// How its files are numbered.
    pub files: Numbers,
    /// How its records are.
    pub records: Numbers,
    /// Whether the numbers of records that come by a topic are watched: only where all of a node's come by one partition.
    pub keyed: bool,
}

impl Default for Watch {
    fn default() -> Self {
        let pace = Pace { after_ms: GAP_AFTER_MIN_DEFAULT * 60_000, window: GAP_WINDOW_DEFAULT };
        let (files, records) = (Numbers::U32, Numbers::U32);
        Self { silence_ms: None, listens: true, pace, files, records, keyed: false }
    }
}

/// A number as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    pub kind: Kind,
    /// Who numbers: a gateway, or what a file's name says beside the number.
    pub node: &'a str,
    pub number: u64,
    /// When what it numbers was made; files do not say.
    pub at: Option<UnixTime>,
}

/// The watch over the feeds of one reader.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    feeds: BTreeMap<String, Watched>,
    told: Vec<Told>,
}

#[derive(Debug, Clone)]
struct Watched {
    watch: Watch,
    known: Known,
    /// Of a topic: the partitions that are read.
    parts: BTreeMap<u32, Part>,
}

/// What is known of a partition of a feed's topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    /// The offset behind the last message that was looked at: what is read again after a crash is not looked at again.
    seen: u64,
    /// By node.
    records: BTreeMap<String, Series>,
    /// It has changed since it was kept.
    changed: bool,
}

/// What is known of a feed: kept over a restart where its reader has a place for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    rhythm: Rhythm,
    /// By kind and node.
    records: BTreeMap<String, Series>,
    files: BTreeMap<String, Series>,
    /// What headers of files say was lost, oldest first; older versions did not keep it.
    #[serde(default)]
    lost: Vec<Lost>,
    /// End of the newest record.
    newest: Option<UnixTime>,
    /// Series that were forgotten for others, at the bound.
    forgotten: u64,
    /// Gaps opened since this reader began.
    #[serde(skip)]
    opened: u64,
}

/// Records that a node has lost, as the header of a file says. Nothing tells that they have come after all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub node: String,
    /// The file, by its number and by when it was opened.
    pub number: u32,
    pub opened: u32,
    /// How many at least.
    pub count: u64,
    pub noticed_ms: i64,
}

/// How a feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub feed: String,
    /// When something came last, milliseconds.
    pub last_ms: Option<i64>,
    /// Since when it is silent for longer than it may be.
    pub silent_since_ms: Option<i64>,
    /// How long it may be silent, once that is known.
    pub allowed_ms: Option<i64>,
    /// End of its newest record.
    pub newest: Option<UnixTime>,
    /// Nodes and file series that are watched.
    pub series: usize,
    /// Those whose numbers make no sense.
    pub unreliable: usize,
    /// Gaps opened since this reader began: what the metric counts.
    pub opened: u64,
    /// Gaps that are open, the newest last.
    pub open: Vec<Told>,
}

impl Gaps {
    /// A watch over these feeds.
    #[must_use]
    pub fn new(feeds: impl IntoIterator<Item = (String, Watch)>) -> Self {
        let watched = |watch| Watched { watch, known: Known::default(), parts: BTreeMap::new() };
        let feeds = feeds.into_iter().map(|(name, watch)| (name, watched(watch)));
        Self { feeds: feeds.collect(), told: Vec::new() }
    }

    /// Goes on with what was known of a feed.
    pub fn restore(&mut self, feed: &str, known: Known) {
        if let Some(watched) = self.feeds.get_mut(feed) {
            watched.known = known;
        }
    }

    /// What is known of a feed, to be kept.
    #[must_use]
    pub fn known(&self, feed: &str) -> Option<&Known> {
        self.feeds.get(feed).map(|watched| &watched.known)
    }

    /// A message or a file of a feed came.
    pub fn arrival(&mut self, feed: &str, now_ms: i64) {
        let Some(watched) = self.feeds.get_mut(feed).filter(|watched| watched.watch.listens) else { return };
        if let Some(silence) = watched.known.rhythm.hear(now_ms, watched.watch.silence_ms) {
            self.told.push(Told::resumed(feed, silence, now_ms));
        }
    }

    /// A record of a feed ended then.
    pub fn record(&mut self, feed: &str, end: UnixTime) {
        if let Some(watched) = self.feeds.get_mut(feed) {
            watched.known.newest = watched.known.newest.max(Some(end));
        }
    }

    /// A number of a feed's was seen.
    pub fn number(&mut self, feed: &str, seen: Seen<'_>, now_ms: i64) {
        let Some(watched) = self.feeds.get_mut(feed) else { return };
        let Watched { watch, known, .. } = watched;
        let (of_kind, numbers) = match seen.kind {
            Kind::Files => (&mut known.files, watch.files),
            Kind::Records | Kind::Lost | Kind::Silence => (&mut known.records, watch.records),
        };
        let mut changes = Vec::new();
        let (series, forgotten) = series_of(of_kind, seen.node, numbers, now_ms);
        series.see((seen.number, seen.at), watch.pace, now_ms, &mut changes);
        known.forgotten = known.forgotten.saturating_add(u64::from(forgotten));
        known.note(&changes);
        self.told.extend(changes.into_iter().map(|change| Told::of(feed, seen.kind, seen.node, change)));
    }

    /// The header of a file says that records were lost. Read again, it says nothing new.
    pub fn lost(&mut self, feed: &str, lost: Lost) {
        let Some(Watched { known, .. }) = self.feeds.get_mut(feed) else { return };
        let name = |lost: &Lost| (lost.node.clone(), lost.number, lost.opened);
        if known.lost.iter().any(|known| name(known) == name(&lost)) {
            return;
        }
        self.told.push(Told::lost(feed, &lost, Change::Opened, lost.noticed_ms));
        known.opened = known.opened.saturating_add(1);
        let now_ms = lost.noticed_ms;
        known.lost.push(lost);
        known.give_up_lost(feed, now_ms, &mut self.told);
    }

    /// Time passes: gaps that were waited for long enough are opened, and feeds silent for too long are told.
    pub fn tick(&mut self, now_ms: i64) {
        for (feed, watched) in &mut self.feeds {
            watched.tick(feed, now_ms, &mut self.told);
        }
    }

    /// What is to be told since the last call.
    #[must_use]
    pub fn take(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// How every feed stands.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.feeds.iter().map(|(feed, watched)| watched.standing(feed)).collect()
    }
}

impl Watched {
    fn tick(&mut self, feed: &str, now_ms: i64, told: &mut Vec<Told>) {
        let before = told.len();
        let pace = self.watch.pace;
        let mut tick = |kind, node: &str, series: &mut Series| {
            let mut changes = Vec::new();
            series.tick(pace, now_ms, &mut changes);
            let is_news = !changes.is_empty();
            told.extend(changes.into_iter().map(|change| Told::of(feed, kind, node, change)));
            is_news
        };
        for (kind, node, series) in self.known.all_mut() {
            tick(kind, node, series);
        }
        for part in self.parts.values_mut() {
            for (node, series) in &mut part.records {
                part.changed |= tick(Kind::Records, node, series);
            }
        }
        self.known.give_up_lost(feed, now_ms, told);
        if self.watch.listens
            && let Some(silence) = self.known.rhythm.tick(now_ms, self.watch.silence_ms)
        {
            told.push(Told::silent(feed, silence, now_ms));
            self.parts.values_mut().for_each(|part| part.changed = true);
        }
        let opened = told.iter().skip(before).filter(|told| told.change == Change::Opened).count();
        self.known.opened = self.known.opened.saturating_add(opened as u64);
    }

    fn standing(&self, feed: &str) -> Standing {
        let known = &self.known;
        let of_parts = self.parts.values().flat_map(|part| &part.records);
        let of_parts = of_parts.map(|(node, series)| (Kind::Records, node.as_str(), series));
        let all: Vec<(Kind, &str, &Series)> = known.all().chain(of_parts).collect();
        let mut open: Vec<Told> = all
            .iter()
            .flat_map(|(kind, node, series)| series.open().map(|gap| Told::of(feed, *kind, node, gap)))
            .collect();
        open.extend(known.lost.iter().map(|lost| Told::lost(feed, lost, Change::Opened, lost.noticed_ms)));
        let silent = known.rhythm.silent();
        open.extend(silent.map(|silence| Told::silent(feed, silence, silence.told_ms)));
        open.sort_by_key(|told| told.noticed_ms);
        Standing {
            feed: feed.to_owned(),
            last_ms: known.rhythm.last_ms(),
            silent_since_ms: silent.map(|silence| silence.since_ms),
            allowed_ms: known.rhythm.allowed_ms(self.watch.silence_ms).filter(|_| self.watch.listens),
            newest: known.newest,
            series: all.len(),
            unreliable: all.iter().filter(|(.., series)| series.is_unreliable()).count(),
            opened: known.opened,
            open,
        }
    }
}

/// The series of a node, and whether another was forgotten for it: beyond the bound the one heard of least lately makes
/// room.
fn series_of<'s>(
    of_kind: &'s mut BTreeMap<String, Series>,
    node: &str,
    numbers: Numbers,
    now_ms: i64,
) -> (&'s mut Series, bool) {
    let mut forgotten = false;
    if !of_kind.contains_key(node) && of_kind.len() >= FEED_SERIES_MAX {
        let oldest = of_kind.iter().min_by_key(|(_, series)| series.heard_ms());
        if let Some(oldest) = oldest.map(|(node, _)| node.clone()) {
            of_kind.remove(&oldest);
            forgotten = true;
        }
    }
    (of_kind.entry(node.to_owned()).or_insert_with(|| Series::new(numbers, now_ms)), forgotten)
}

impl Known {
    fn note(&mut self, changes: &[series::Changed]) {
        let opened = changes.iter().filter(|change| change.change == Change::Opened).count();
        self.opened = self.opened.saturating_add(opened as u64);
    }

    /// Speaks no longer of what is too old, or too much.
    fn give_up_lost(&mut self, feed: &str, now_ms: i64, told: &mut Vec<Told>) {
        while self.lost.len() > GAPS_PER_SERIES_MAX
            || self.lost.first().is_some_and(|lost| now_ms.saturating_sub(lost.noticed_ms) > LOST_TOLD_MS)
        {
            let lost = self.lost.remove(0);
            told.push(Told::lost(feed, &lost, Change::Closed(Reason::GivenUp), now_ms));
        }
    }

    fn all(&self) -> impl Iterator<Item = (Kind, &str, &Series)> {
        let of = |kind| move |(node, series): (_, _)| (kind, String::as_str(node), series);
        self.records.iter().map(of(Kind::Records)).chain(self.files.iter().map(of(Kind::Files)))
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (Kind, &str, &mut Series)> {
        let records = self.records.iter_mut().map(|(node, series)| (Kind::Records, node.as_str(), series));
        records.chain(self.files.iter_mut().map(|(node, series)| (Kind::Files, node.as_str(), series)))
    }
}
