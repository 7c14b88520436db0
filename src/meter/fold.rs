//! The meter of one partition: folds packs in log order and hands what concerns a card to its shard.

use std::sync::Arc;

use super::ctx::Verdict;
use super::effects::{CatalogueConflict, Effects};
use super::feeds::Feeds;
use super::index::{CatalogueIndex, MODEM};
use super::memory::Memory;
use super::shard::{Moment, Shard, keep};
use super::table::Place;
use super::view;
use super::warm::GROUP;
use super::whole::{self, Whole};
use super::{CardCounts, CardView, Faults, FeedView, Rows};
use crate::codec::pack::{Pack, PackError};
use crate::limits::SHARDS;
use crate::model::{
    Broadcast, CardId, Catalogue, CatalogueError, Cdr, FeedName, FeedRole, Input, Ledger, LogOffset, Origin,
    Outcome, Position, Reading, Record, Tick, UnixTime, shard_of,
};

/// State of one log partition.
#[derive(Debug)]
pub struct Meter {
    pub(super) partition: u32,
    /// Next to fold.
    pub(super) position: LogOffset,
    pub(super) log_time: UnixTime,
    pub(super) index: CatalogueIndex,
    /// Every version that a live chunk may need, ascending; the last is in force.
    pub(super) catalogues: Vec<Arc<Catalogue>>,
    pub(super) shards: Vec<Shard>,
    pub(super) feeds: Feeds,
    /// The feed heard last, and when: most records tell nothing new of their feed.
    pub(super) heard: (u64, UnixTime),
    /// What was whole by rule when last looked at: told to the shards already.
    pub(super) whole: Vec<Whole>,
    pub(super) faults: Faults,
}

/// The card of a CDR or a reading.
fn usage_of(record: &Record<'_>) -> Option<CardId> {
    match record {
        Record::Cdr(Cdr { card, .. }) | Record::Reading(Reading { card, .. }) => Some(*card),
        _ => None,
    }
}

/// Whether log time moved on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entered {
    SameSecond,
    NewSecond,
}

/// Why a message cannot be folded: the partition halts at it.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("the pack cannot be read: {0}; skip the offset with `tidegauge skip`, or restore the message")]
    Pack(#[from] PackError),
    #[error("the catalogue in the log is no canonical JSON: {0}; apply a right one under a higher version")]
    CatalogueJson(#[source] serde_json::Error),
    #[error("the catalogue in the log is wrong: {0}; apply a right one under a higher version")]
    Catalogue(#[from] CatalogueError),
    #[error("two feeds of the catalogue have one hash; rename one of them")]
    FeedHash,
}

impl Meter {
    /// Empty, before the first message of a partition.
    #[must_use]
    pub fn new(partition: u32) -> Self {
        Self {
            partition,
            position: LogOffset(0),
            log_time: UnixTime::MIN,
            index: CatalogueIndex::none(),
            catalogues: Vec::new(),
            shards: std::iter::repeat_with(Shard::default).take(SHARDS).collect(),
            feeds: Feeds::default(),
            heard: (0, UnixTime::MIN),
            whole: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// The same with planted faults. For tests of what must notice them.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        if faults.alerts_forgotten {
            self.shards.iter_mut().for_each(Shard::forget_alerts);
        }
        self
    }

    /// Folds one log message. `time` is its timestamp in seconds; the meter takes the running maximum.
    ///
    /// # Errors
    /// A pack or a catalogue that cannot be read: the partition halts before it, this state is to be discarded.
    ///
    /// # Panics
    /// A message is folded twice or out of order, or an invariant of the state is broken.
    pub fn fold(
        &mut self,
        offset: LogOffset,
        time: UnixTime,
        pack: &Pack<'_>,
        effects: &mut Effects,
    ) -> Result<(), FoldError> {
        let entered = self.enter(offset, time);
        if !self.faults.timers_unordered {
            self.pass(entered, offset, effects);
        }
        self.records(pack, offset, effects)?;
        if self.faults.timers_unordered {
            self.pass(entered, offset, effects);
        }
        Ok(())
    }

    fn records(&mut self, pack: &Pack<'_>, at: LogOffset, effects: &mut Effects) -> Result<(), FoldError> {
        let mut group = Vec::with_capacity(GROUP);
        let mut records = pack.records();
        let mut index = 0;
        loop {
            group.clear();
            for record in records.by_ref().take(GROUP) {
                group.push(record?);
            }
            if group.is_empty() {
                return Ok(());
            }
            let likely = self.warm(group.iter().map(usage_of));
            for (record, likely) in group.iter().zip(likely) {
                let position = Position { partition: self.partition, offset: at, index };
                self.record(record, likely, position, effects)?;
                index = index.wrapping_add(1);
            }
        }
    }

    /// The fold at an offset that an operator skips: time passes, nothing else. The shell quarantines the message whole.
    pub fn skip(&mut self, offset: LogOffset, time: UnixTime, effects: &mut Effects) {
        let entered = self.enter(offset, time);
        self.pass(entered, offset, effects);
    }

    /// Moves on to a message. Answers whether log time enters a new second with it.
    fn enter(&mut self, offset: LogOffset, time: UnixTime) -> Entered {
        assert!(
            offset >= self.position,
            "offset {} of the log is folded again: next is {}",
            offset.0,
            self.position.0
        );
        self.position = offset.next();
        if time <= self.log_time {
            return Entered::SameSecond;
        }
        self.log_time = time;
        Entered::NewSecond
    }

    /// Time passes: what is due fires, sweeps go on.
    fn pass(&mut self, entered: Entered, offset: LogOffset, effects: &mut Effects) {
        if entered == Entered::SameSecond {
            return;
        }
        self.declare_by_rule(offset);
        let position = Position { partition: self.partition, offset, index: 0 };
        let moment = Moment {
            position,
            now: self.log_time,
            index: &self.index,
            feeds: &self.feeds,
            faults: self.faults,
        };
        for shard in self.shards.iter_mut().filter(|shard| shard.resumes_at <= offset) {
            shard.second(&moment, effects);
        }
    }

    /// Days become whole as time passes, if their feed was fresh.
    fn declare_by_rule(&mut self, offset: LogOffset) {
        let whole = whole::by_rule(&self.index, &self.feeds, self.log_time);
        if whole != self.whole {
            for Whole { feed, through, at } in &whole {
                for shard in self.shards.iter_mut().filter(|shard| shard.resumes_at <= offset) {
                    shard.declare(*feed, *through, *at, &self.index);
                }
            }
            self.whole = whole;
        }
    }

    fn record(
        &mut self,
        record: &Record<'_>,
        likely: Option<Place>,
        position: Position,
        effects: &mut Effects,
    ) -> Result<(), FoldError> {
        match record {
            Record::Cdr(Cdr { card, feed, .. }) | Record::Reading(Reading { card, feed, .. }) => {
                if self.heard != (feed.hash, self.log_time) {
                    self.hear(feed.hash);
                }
                self.of_card((*card, likely), record, position, effects);
            }
            Record::Command { card, .. } => self.of_card((*card, likely), record, position, effects),
            Record::Broadcast { json, origin } => self.broadcast(json, origin, record, position, effects),
            Record::Catalogue { json } => return self.adopt(json, position.offset, effects),
            Record::Tick(tick) => self.tick(*tick, position.offset),
        }
        Ok(())
    }

    /// A feed of the catalogue shows that it is there.
    fn hear(&mut self, feed: u64) {
        self.heard = (feed, self.log_time);
        if let Some(stale_after_s) = self.index.stale_after_s(feed) {
            self.feeds.hear(feed, self.log_time, stale_after_s);
        }
    }

    fn of_card(
        &mut self,
        (card, likely): (CardId, Option<Place>),
        record: &Record<'_>,
        position: Position,
        effects: &mut Effects,
    ) {
        let moment = Moment {
            position,
            now: self.log_time,
            index: &self.index,
            feeds: &self.feeds,
            faults: self.faults,
        };
        let shard = &mut self.shards[shard_of(card)];
        if shard.resumes_at > position.offset {
            return;
        }
        match record {
            Record::Command { .. } => shard.command(record, &moment, effects),
            _ => shard.usage(record, likely, &moment, effects),
        }
    }

    fn tick(&mut self, tick: Tick, offset: LogOffset) {
        for shard in self.shards.iter_mut().filter(|shard| shard.resumes_at <= offset) {
            let flushed = &mut shard.said.flushed_through;
            *flushed = tick.flushed_through.max(*flushed);
        }
    }

    /// A record without a card stands in the ledger of the first shard.
    fn broadcast(
        &mut self,
        json: &[u8],
        origin: &Origin<'_>,
        record: &Record<'_>,
        position: Position,
        effects: &mut Effects,
    ) {
        let verdict = self.declare(json, position.offset);
        let moment = Moment {
            position,
            now: self.log_time,
            index: &self.index,
            feeds: &self.feeds,
            faults: self.faults,
        };
        let first = &mut self.shards[0];
        if first.resumes_at <= position.offset {
            first.said.ledger.add(Input::Command, verdict.outcome, 0);
            keep(None, record, origin, verdict, &moment, effects);
        }
    }

    fn declare(&mut self, json: &[u8], offset: LogOffset) -> Verdict {
        let wrong = |reason: String| Verdict::new(Outcome::Rejected, 0, reason);
        let (feed, day) = match serde_json::from_slice(json) {
            Ok(Broadcast::FeedComplete { feed, day, .. }) => (feed, day),
            Ok(Broadcast::ClockAdvance { .. }) => return Verdict::counted(0),
            Err(error) => return wrong(format!("not a canonical command: {error}")),
        };
        let hash = FeedName::new(&feed).hash;
        let index = &self.index;
        if index.feed(hash) != Some(FeedRole::Settling) {
            return wrong(format!("feed {feed:?} is not a settling feed of the catalogue"));
        }
        if !index.is_over(&feed, day, self.log_time) {
            let day = crate::codec::time::day_text(day);
            return wrong(format!("day {day} is not over for any carrier that {feed:?} settles for"));
        }
        for shard in self.shards.iter_mut().filter(|shard| shard.resumes_at <= offset) {
            shard.declare(hash, day, self.log_time, index);
        }
        Verdict::counted(0)
    }

    fn adopt(&mut self, json: &[u8], offset: LogOffset, effects: &mut Effects) -> Result<(), FoldError> {
        let catalogue: Catalogue = serde_json::from_slice(json).map_err(FoldError::CatalogueJson)?;
        let version = catalogue.version;
        if let Some(held) = self.catalogues.iter().find(|held| held.version == version) {
            if **held != catalogue {
                let reason = "this version is in force with other content: raise the version".to_owned();
                effects.catalogue_conflicts.push(CatalogueConflict { version, reason });
            }
            return Ok(());
        }
        if self.catalogue().is_some_and(|held| held.version > version) {
            return Ok(());
        }
        let catalogue = Arc::new(catalogue);
        let index = CatalogueIndex::new(catalogue.clone())?;
        let now = self.log_time;
        let breaks = |held: &Arc<Catalogue>| catalogue.breaks(held).or_else(|| catalogue.rewrites(held, now));
        if let Some(reason) = self.catalogue().and_then(breaks) {
            effects.catalogue_conflicts.push(CatalogueConflict { version, reason });
            return Ok(());
        }
        for shard in &mut self.shards {
            shard.adopt(&index, offset, (&self.index, self.log_time));
        }
        self.feeds.adopt(|feed| index.stale_after_s(feed));
        // Told again: by other terms it may be news, and a state that is restored tells it too.
        self.whole.clear();
        self.heard = (0, UnixTime::MIN);
        self.index = index;
        self.catalogues.push(catalogue);
        Ok(())
    }

    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// The running maximum of the messages' times.
    #[must_use]
    pub fn log_time(&self) -> UnixTime {
        self.log_time
    }

    /// The next offset to fold.
    #[must_use]
    pub fn position(&self) -> LogOffset {
        self.position
    }

    /// Sum of the shards' ledgers.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let mut sum = Ledger::default();
        self.shards.iter().for_each(|shard| sum.merge(&shard.said.ledger));
        sum
    }

    #[must_use]
    pub fn cards(&self) -> CardCounts {
        let mut sum = CardCounts::default();
        for [registered, active, suspended, cancelled] in self.shards.iter().map(|shard| shard.counts) {
            sum.registered += registered;
            sum.active += active;
            sum.suspended += suspended;
            sum.cancelled += cancelled;
        }
        sum
    }

    /// Bytes in memory. Looks at every card: for a metric now and then.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut sum = Memory::default();
        self.shards.iter().for_each(|shard| sum += shard.memory());
        sum
    }

    /// The feeds that were heard of, in the catalogue's order.
    #[must_use]
    pub fn feeds(&self) -> Vec<FeedView> {
        let known = self.index.catalogue().feeds.iter().map(|feed| feed.name.as_str());
        let modem = known.clone().all(|name| name != MODEM).then_some(MODEM);
        let view = |name: &str| {
            let heard = self.feeds.get(FeedName::new(name).hash)?;
            let (feed, fresh) = (name.to_owned(), heard.is_fresh(self.log_time));
            Some(FeedView { feed, last: heard.last, since: heard.since, fresh })
        };
        known.chain(modem).filter_map(view).collect()
    }

    /// The catalogue in force.
    #[must_use]
    pub fn catalogue(&self) -> Option<&Arc<Catalogue>> {
        self.catalogues.last()
    }

    /// What ClickHouse has of this partition, as the last tick said.
    #[must_use]
    pub fn flushed_through(&self) -> Option<LogOffset> {
        self.shards.iter().map(|shard| shard.said.flushed_through).max().flatten()
    }

    /// Everything about a card, as of log time.
    #[must_use]
    pub fn card(&self, card: CardId) -> Option<CardView> {
        let shard = &self.shards[shard_of(card)];
        let place = shard.table.find(card)?;
        shard.look(place, &self.now(), view::card_view)
    }

    /// Adds absolute rows of the cards' days and cycles that changed after `since`; 0 = all that are held.
    pub fn rows(&self, cards: &[CardId], since: LogOffset, out: &mut Rows) {
        for group in cards.chunks(GROUP) {
            let likely = self.warm(group.iter().map(|card| Some(*card)));
            for (card, likely) in group.iter().zip(likely) {
                self.rows_of(*card, likely, since, out);
            }
        }
    }

    fn rows_of(&self, card: CardId, likely: Option<Place>, since: LogOffset, out: &mut Rows) {
        let shard = &self.shards[shard_of(card)];
        let Some(place) = shard.table.sure(card, likely) else { return };
        shard.stored(place, &self.now(), |card, ctx| {
            out.months.extend(view::months(card, ctx, since));
            out.days.extend(view::days(card, ctx, since));
        });
    }

    /// Cards that changed after an offset, for a shell that has lost count; 0 = all.
    #[must_use]
    pub fn dirty_after(&self, offset: LogOffset) -> Vec<CardId> {
        let lines = self.shards.iter().flat_map(|shard| shard.table.lines());
        let changed = lines.filter(|card| offset == LogOffset(0) || card.changed_at > offset);
        changed.map(|card| card.id).collect()
    }

    /// As of log time, for queries.
    fn now(&self) -> Moment<'_> {
        let offset = LogOffset(self.position.0.saturating_sub(1));
        let position = Position { partition: self.partition, offset, index: 0 };
        Moment { position, now: self.log_time, index: &self.index, feeds: &self.feeds, faults: self.faults }
    }
}
