//! How fresh the feeds of a partition are: when each was last heard of, and since when without a gap (`docs/rules.md` A6,
//! C4).
//!
//! Known from the log alone: every CDR and every reading of the partition counts, whosever card it is of and whatever its
//! outcome, by log time. So a feed that is away is told from a card that is silent. Invariant: this is a function of the
//! partition's log, the same for all of its shards; every chunk carries it, and a restore begins with the oldest one's.

use serde::{Deserialize, Serialize};

use crate::model::UnixTime;

/// The feeds that were heard of, ascending by hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Feeds(Vec<Heard>);

/// One feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    feed: u64,
    /// Log time of its last record.
    pub(crate) last: UnixTime,
    /// Log time of the first record after its last gap.
    pub(crate) since: UnixTime,
    /// How long it may be silent, seconds: as the catalogue says.
    pub(crate) stale_after_s: i64,
}

impl Feeds {
    /// A record of a feed. Longer than `stale_after_s` after the one before, it begins anew.
    pub(super) fn hear(&mut self, feed: u64, now: UnixTime, stale_after_s: i64) {
        match self.0.binary_search_by_key(&feed, |heard| heard.feed) {
            Err(at) => self.0.insert(at, Heard { feed, last: now, since: now, stale_after_s }),
            Ok(at) => {
                if let Some(heard) = self.0.get_mut(at) {
                    heard.hear(now, stale_after_s);
                }
            }
        }
    }

    pub(crate) fn get(&self, feed: u64) -> Option<Heard> {
        let at = self.0.binary_search_by_key(&feed, |heard| heard.feed).ok()?;
        self.0.get(at).copied()
    }

    /// Forgets feeds that a new catalogue does not name, and takes what it says of the others.
    pub(super) fn adopt(&mut self, stale_after_s: impl Fn(u64) -> Option<i64>) {
        self.0.retain_mut(|heard| match stale_after_s(heard.feed) {
            Some(after) => {
                heard.stale_after_s = after;
                true
            }
            None => false,
        });
    }
}

impl Heard {
    fn hear(&mut self, now: UnixTime, stale_after_s: i64) {
        if now.saturating_sub(self.last) > stale_after_s {
            self.since = now;
        }
        (self.last, self.stale_after_s) = (now, stale_after_s);
    }

    /// Whether it was fresh at a second up to now: what came since may have come after a gap.
    pub(crate) fn is_fresh(&self, at: UnixTime) -> bool {
        self.since <= at && at <= self.last.saturating_add(self.stale_after_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_begins_a_feed_anew() {
        let mut feeds = Feeds::default();
        for (now, since, fresh_then) in
            [(100, 100, true), (150, 100, true), (210, 100, true), (271, 271, true), (300, 271, true)]
        {
            feeds.hear(7, now, 60);
            let heard = feeds.get(7).unwrap();
            assert_eq!((heard.last, heard.since, heard.is_fresh(now)), (now, since, fresh_then));
        }
        let heard = feeds.get(7).unwrap();
        assert!(heard.is_fresh(360) && !heard.is_fresh(361) && !heard.is_fresh(270));
        assert_eq!(feeds.get(8), None);
    }

    #[test]
    fn a_feed_that_the_catalogue_does_not_name_is_forgotten() {
        let mut feeds = Feeds::default();
        feeds.hear(7, 100, 60);
        feeds.hear(3, 100, 60);
        feeds.adopt(|feed| (feed == 3).then_some(10));
        assert_eq!(feeds.get(7), None);
        assert!(!feeds.get(3).unwrap().is_fresh(111));
    }
}
