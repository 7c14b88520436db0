//! Days that are whole by rule: 48 hours after their end, if their settling feed was fresh all the while (`docs/rules.md`
//! C4).
//!
//! A feed that was away begins its 48 hours anew when it is back: what it brings then may still be of the days before. Such
//! a day counts as declared at the second in which its time was over, however late log time comes to it; a feed that
//! declares its days itself (`feed.complete`) is before the rule.

use super::feeds::Feeds;
use super::index::CatalogueIndex;
use crate::limits::COMPLETE_AFTER_S;
use crate::model::{Calendar, Day, FeedName, UnixTime};

/// A settling feed and the days that are whole by rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub feed: u64,
    /// This day and all before.
    pub through: Day,
    /// Since when.
    pub at: UnixTime,
}

/// What is whole by rule at a second. Of a feed that settles for carriers in several zones: what is whole for all.
pub(super) fn by_rule(index: &CatalogueIndex, feeds: &Feeds, now: UnixTime) -> Vec<Whole> {
    let mut out: Vec<Whole> = Vec::new();
    for carrier in &index.catalogue().carriers {
        let Some(name) = &carrier.settling_feed else { continue };
        let feed = FeedName::new(name).hash;
        let calendars = || {
            let same = index.catalogue().carriers.iter().filter(|c| c.settling_feed.as_ref() == Some(name));
            same.map(|carrier| &carrier.calendar)
        };
        if out.iter().all(|whole| whole.feed != feed)
            && let Some((through, at)) = of_feed(feeds, feed, calendars(), now)
        {
            out.push(Whole { feed, through, at });
        }
    }
    out
}

fn of_feed<'a>(
    feeds: &Feeds,
    feed: u64,
    calendars: impl Iterator<Item = &'a Calendar> + Clone,
    now: UnixTime,
) -> Option<(Day, UnixTime)> {
    let heard = feeds.get(feed)?;
    let until = now.min(heard.last.saturating_add(heard.stale_after_s));
    let ended_by = until.saturating_sub(COMPLETE_AFTER_S);
    if heard.since > ended_by {
        return None;
    }
    let over = |calendar: &Calendar| calendar.day_of(ended_by).saturating_sub(1);
    let through = calendars.clone().map(over).min()?;
    let end = calendars.map(|calendar| calendar.day_end(through)).max()?;
    Some((through, end.max(heard.since).saturating_add(COMPLETE_AFTER_S)))
}
