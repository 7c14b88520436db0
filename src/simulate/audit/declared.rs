//! What settling feeds have declared: days are whole as of the second in which it was said, in each zone those that were over
//! then (`docs/rules.md` C4).

use std::collections::BTreeMap;

use super::zone::Zone;
use crate::model::{Day, UnixTime};

/// A declaration of a settling feed, or what the rule of 48 hours comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Declared {
    pub(super) through: Day,
    pub(super) at: UnixTime,
}

/// All declarations of each feed, in order: as they were made, and as of when they count.
#[derive(Debug, Default)]
pub(super) struct Declarations(BTreeMap<String, Vec<(Declared, UnixTime)>>);

impl Declarations {
    /// A feed says that days are whole: not before what it has said until now.
    pub(super) fn declare(&mut self, feed: &str, said: Declared) {
        let held = self.0.entry(feed.to_owned()).or_default();
        if held.iter().all(|(before, _)| *before != said) {
            let at = held.last().map_or(said.at, |(_, last)| said.at.max(*last));
            held.push((said, at));
        }
    }

    /// The first of a feed that says more of a zone's days than is known, and how much that is.
    pub(super) fn after(&self, known: Day, feed: &str, zone: &Zone) -> Option<Declared> {
        let of_zone = |(said, at): &(Declared, UnixTime)| {
            let through = said.through.min(zone.day(*at) - 1);
            Declared { through, at: *at }
        };
        self.0.get(feed)?.iter().map(of_zone).find(|declared| declared.through > known)
    }
}
