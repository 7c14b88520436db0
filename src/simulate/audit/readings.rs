//! Readings of modems (`domain.md` R): what a cumulative counter adds, and since when.

use std::cmp::Ordering;

use super::line::{Counter, Line, Source, Terms, Verdict};
use super::logbook::Reading;
use crate::model::{Carrier, Outcome, UnixTime};

impl Line {
    /// Judges a reading and counts what it adds.
    pub(super) fn reading(&mut self, reading: &Reading, terms: Terms<'_>) -> Verdict {
        let not = |outcome| Verdict { outcome, bytes: 0 };
        let Some(source) =
            self.estimate(&reading.feed, terms.catalogue).filter(|_| reading.at <= terms.now + 600)
        else {
            return not(Outcome::Rejected);
        };
        if !self.holds(reading.number, reading.at) {
            return not(Outcome::Unknown);
        }
        if !self.is_open(terms.zone.day(reading.at), terms) {
            return not(Outcome::Late);
        }
        let key = (reading.feed.clone(), reading.imei, reading.counter.clone());
        let figures = (reading.tx, reading.rx);
        let increase = match self.increase(&key, reading, figures) {
            Ok(increase) => increase,
            Err(outcome) => return not(outcome),
        };
        self.meet(&reading.feed, &source);
        self.take_counter(key, reading, figures);
        let Some((from, up, down)) = increase.filter(|(_, up, down)| up + down > 0) else {
            return not(Outcome::Counted);
        };
        // A closed day takes nothing more.
        let open = (terms.zone.day(terms.now) - 60..=terms.zone.day(terms.now))
            .find(|day| self.is_open(*day, terms))
            .unwrap_or_default();
        let from = from.max(terms.zone.start(open));
        self.spread_reading(&source, (from, reading.at), (up, down), terms);
        Verdict { outcome: Outcome::Counted, bytes: up + down }
    }

    /// A reading's increase is spread over its interval whatever the carrier's rule for CDRs.
    fn spread_reading(
        &mut self,
        source: &Source,
        interval: (UnixTime, UnixTime),
        bytes: (u64, u64),
        terms: Terms<'_>,
    ) {
        let carrier = Carrier { split: crate::model::SplitRule::Split, ..terms.carrier.clone() };
        self.spread(source, interval, bytes, Terms { carrier: &carrier, ..terms });
    }

    /// What a reading adds since when; `None`: it is a base.
    fn increase(
        &self,
        key: &(String, u64, String),
        reading: &Reading,
        (tx, rx): (u64, u64),
    ) -> Result<Option<(UnixTime, u64, u64)>, Outcome> {
        let device: Vec<_> = self.counters.iter().filter(|c| c.key == *key).collect();
        if let Some(held) = device.iter().find(|c| c.session == reading.session) {
            return match reading.at.cmp(&held.at) {
                Ordering::Equal if held.figures == (tx, rx) => Err(Outcome::Duplicate),
                Ordering::Less | Ordering::Equal => Err(Outcome::Late),
                Ordering::Greater if tx >= held.figures.0 && rx >= held.figures.1 => {
                    Ok(Some((held.at, tx - held.figures.0, rx - held.figures.1)))
                }
                Ordering::Greater => Ok(None),
            };
        }
        let newest = device.iter().map(|c| c.at).max();
        Ok(newest.filter(|at| !reading.session.is_empty() && reading.at > *at).map(|at| (at, tx, rx)))
    }

    fn take_counter(&mut self, key: (String, u64, String), reading: &Reading, figures: (u64, u64)) {
        self.counters.retain(|c| c.key != key || c.session != reading.session);
        if self.counters.len() == 4 {
            let oldest = self.counters.iter().map(|c| c.at).min();
            if let Some(at) = self.counters.iter().position(|c| Some(c.at) == oldest) {
                self.counters.remove(at);
            }
        }
        self.counters.push(Counter { key, session: reading.session.clone(), at: reading.at, figures });
    }
}
