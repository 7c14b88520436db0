//! Counters of devices: from cumulative figures to what was used since the last one (`docs/rules.md` R1).
//!
//! A counter is known by feed, IMEI, kind and session. The feed belongs to it because each feed has a total of its own
//! (C4): a base that another feed told would tear a hole into both. At most four are kept a card; the one that was read
//! longest ago goes.
//!
//! Invariant: a counter never counts twice: what a reading adds lies above the last base, which then becomes the reading.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::dates::{Span, Volume};
use super::exact::Exact;
use super::fall::{Fall, Pair};
use crate::limits::COUNTERS_MAX;
use crate::model::{CounterRules, Reading, UnixTime};

/// The last readings of a card, by counter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counters(Exact<Counter>);

/// The last reading of one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Counter {
    /// Of feed, IMEI and kind.
    device: u64,
    /// Of the session; 0 = none.
    session: u64,
    at: UnixTime,
    held: Volume,
}

/// What a reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Used in an interval: more than the base by this.
    Used(Span, Volume),
    /// A base to count from: nothing is known of what was before it.
    Base,
    /// A counter shows less than its base: used all the same, and why. It is the new base.
    Fell(Span, Volume, Fell),
    /// Time and content are those of the reading held.
    Duplicate,
    /// Older than the reading held, or as old with other figures.
    Late,
}

/// A fall within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fell {
    pub why: Fall,
    /// What was shown before.
    pub before: Volume,
}

impl Counters {
    /// What a reading says, without taking it.
    pub(super) fn tell(&self, reading: &Reading<'_>, rules: CounterRules) -> Told {
        let (device, session) = keys(reading);
        let same = self.0.iter().find(|held| held.device == device && held.session == session);
        match same {
            Some(held) => held.tell(reading, rules),
            None => self.tell_new(device, session, reading.at, figures(reading)),
        }
    }

    /// A counter that is not held. A session counts from zero only if the device's earlier ones were seen, and are older.
    fn tell_new(&self, device: u64, session: u64, at: UnixTime, figures: Volume) -> Told {
        let newest = self.0.iter().filter(|held| held.device == device).map(|held| held.at).max();
        match newest {
            Some(before) if session != 0 && at > before => {
                Told::Used(Span { start: before, end: at }, figures)
            }
            _ => Told::Base,
        }
    }

    /// Makes a reading the base of its counter. The counter read longest ago goes when there are too many, which may be that of
    /// the reading, if it comes late.
    pub(super) fn take(&mut self, reading: &Reading<'_>) {
        let (device, session) = keys(reading);
        self.0.retain(|held| held.device != device || held.session != session);
        if self.0.len() >= COUNTERS_MAX {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, held)| held.at);
            let Some((place, _)) = oldest.filter(|(_, held)| held.at <= reading.at) else { return };
            self.0.remove(place);
        }
        self.0.push(Counter { device, session, at: reading.at, held: figures(reading) });
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

impl Counter {
    fn tell(&self, reading: &Reading<'_>, rules: CounterRules) -> Told {
        let (at, now) = (reading.at, figures(reading));
        if at < self.at || at == self.at && now != self.held {
            return Told::Late;
        }
        if at == self.at {
            return Told::Duplicate;
        }
        let seconds = at.saturating_sub(self.at);
        let span = Span { start: self.at, end: at };
        match (Pair { before: self.held, now, seconds, width: reading.width }).judge(rules) {
            (volume, None) => Told::Used(span, volume),
            (volume, Some(why)) => Told::Fell(span, volume, Fell { why, before: self.held }),
        }
    }
}

fn figures(reading: &Reading<'_>) -> Volume {
    Volume { up: reading.tx, down: reading.rx }
}

/// Keys of a counter: its device (feed, IMEI, kind) and its session.
fn keys(reading: &Reading<'_>) -> (u64, u64) {
    let kind = xxh3_64_with_seed(reading.counter.0.as_bytes(), reading.feed.hash);
    let device = xxh3_64_with_seed(&reading.imei.to_le_bytes(), kind);
    let session = match reading.session {
        "" => 0,
        name => xxh3_64_with_seed(name.as_bytes(), 0) | 1,
    };
    (device, session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CardId, CounterKind, FeedName, Origin};

    const RULES: CounterRules = CounterRules { wrap_mbit_s: 150, restart_divisor: 8 };

    fn reading(session: &'static str, at: UnixTime, tx: u64, rx: u64) -> Reading<'static> {
        Reading {
            card: CardId::parse("8986001234567890123").unwrap(),
            feed: FeedName::new("modem"),
            imei: 1,
            counter: CounterKind("qgdcnt"),
            at,
            tx,
            rx,
            width: 0,
            session,
            number: None,
            origin: Origin { source: "", partition: 0, offset: 0, received_ms: 0 },
        }
    }

    fn used(start: UnixTime, end: UnixTime, up: u64, down: u64) -> Told {
        Told::Used(Span { start, end }, Volume { up, down })
    }

    fn fell(start: UnixTime, end: UnixTime, counted: (u64, u64), before: (u64, u64)) -> Told {
        let volume = |(up, down)| Volume { up, down };
        let fell = Fell { why: Fall::Unexplained, before: volume(before) };
        Told::Fell(Span { start, end }, volume(counted), fell)
    }

    #[test]
    fn readings_count_from_their_base() {
        let mut counters = Counters::default();
        for (reading, told) in [
            (reading("", 100, 10, 20), Told::Base),
            (reading("", 100, 10, 20), Told::Duplicate),
            (reading("", 100, 10, 21), Told::Late),
            (reading("", 99, 1, 1), Told::Late),
            (reading("", 160, 15, 120), used(100, 160, 5, 100)),
            (reading("", 200, 14, 130), fell(160, 200, (0, 10), (15, 120))),
            (reading("", 260, 16, 131), used(200, 260, 2, 1)),
            (
                reading("", 300, 1, 2),
                Told::Fell(
                    Span { start: 260, end: 300 },
                    Volume { up: 1, down: 2 },
                    Fell { why: Fall::Restarted, before: Volume { up: 16, down: 131 } },
                ),
            ),
        ] {
            assert_eq!(counters.tell(&reading, RULES), told, "{reading:?}");
            if !matches!(told, Told::Late | Told::Duplicate) {
                counters.take(&reading);
            }
        }
    }

    #[test]
    fn a_new_session_counts_from_zero_only_after_all_that_is_held_of_the_device() {
        let mut counters = Counters::default();
        for (reading, told) in [
            (reading("a", 100, 10, 0), Told::Base),
            (reading("b", 160, 7, 3), used(100, 160, 7, 3)),
            (reading("c", 130, 9, 9), Told::Base),
            (reading("a", 150, 12, 0), used(100, 150, 2, 0)),
        ] {
            assert_eq!(counters.tell(&reading, RULES), told, "{reading:?}");
            counters.take(&reading);
        }
    }

    #[test]
    fn the_counter_read_longest_ago_goes() {
        let mut counters = Counters::default();
        for (session, at) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)] {
            counters.take(&reading(session, at, 0, 0));
        }
        // "a" is gone, so it is a new session again, and not newer than all.
        assert_eq!(counters.tell(&reading("a", 5, 9, 9), RULES), Told::Base);
        assert_eq!(counters.tell(&reading("b", 6, 9, 9), RULES), used(2, 6, 9, 9));
    }

    #[test]
    fn a_late_reading_of_a_new_counter_drives_out_none_that_was_read_after_it() {
        let mut counters = Counters::default();
        for (session, at) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
            counters.take(&reading(session, at, 0, 0));
        }
        counters.take(&reading("e", 9, 5, 5));
        assert_eq!(counters.tell(&reading("a", 50, 8, 9), RULES), used(10, 50, 8, 9));
        assert_eq!(counters.tell(&reading("e", 9, 5, 5), RULES), Told::Base);
        counters.take(&reading("e", 11, 5, 5));
        assert_eq!(counters.tell(&reading("e", 11, 5, 5), RULES), Told::Duplicate);
        // "a" is gone: as a new session it counts since "d".
        assert_eq!(counters.tell(&reading("a", 50, 9, 9), RULES), used(40, 50, 9, 9));
    }
}
