//! Readings of devices (`docs/rules.md` R): what a cumulative counter adds, since when, and what is said when it fell.

use std::cmp::Ordering;

use super::line::{Counter, Line, Source, Terms, Verdict};
use super::logbook::Reading;
use crate::model::{Carrier, CounterData, CounterRules, EventBody, Outcome, UnixTime};

/// Feed, device and kind of a counter.
type Key = (String, u64, String);

/// What a reading adds since when.
struct Increase {
    since: UnixTime,
    before: (u64, u64),
    moved: (u64, u64),
    /// The event's name, if the counter fell.
    fell: Option<&'static str>,
}

impl Line {
    /// Judges a reading and counts what it adds.
    pub(super) fn reading(&mut self, reading: &Reading, terms: Terms<'_>) -> Verdict {
        match self.judge_reading(reading, terms) {
            Err(outcome) => Verdict { outcome, bytes: 0 },
            Ok((source, key, increase)) => {
                self.meet(&reading.feed, &source);
                self.take_counter(key, reading);
                let bytes =
                    increase.map_or(0, |increase| self.count_increase(reading, &source, &increase, terms));
                Verdict { outcome: Outcome::Counted, bytes }
            }
        }
    }

    fn judge_reading(
        &self,
        reading: &Reading,
        terms: Terms<'_>,
    ) -> Result<(Source, Key, Option<Increase>), Outcome> {
        let too_much = reading.width == 32 && reading.tx.max(reading.rx) >= 1 << 32;
        if reading.at > terms.now + 600 || too_much {
            return Err(Outcome::Rejected);
        }
        let source = self.estimate(&reading.feed, terms.catalogue).ok_or(Outcome::Rejected)?;
        if self.by_totals.get(&source) == Some(&reading.feed) {
            return Err(Outcome::Rejected);
        }
        if !self.holds(reading.number, reading.at) {
            return Err(Outcome::Unknown);
        }
        if !self.is_open(terms.zone.day(reading.at), terms) {
            return Err(Outcome::Late);
        }
        let key = (reading.feed.clone(), reading.imei, reading.counter.clone());
        let increase = self.increase(&key, reading, terms.catalogue.counters)?;
        Ok((source, key, increase))
    }

    fn count_increase(
        &mut self,
        reading: &Reading,
        source: &Source,
        increase: &Increase,
        terms: Terms<'_>,
    ) -> u64 {
        self.say_fall(reading, increase);
        let bytes = increase.moved.0 + increase.moved.1;
        if bytes > 0 {
            let from = increase.since.max(self.open_from(terms));
            self.spread_reading(source, (from, reading.at), increase.moved, terms);
        }
        bytes
    }

    /// First second of the first open day: a closed day takes nothing more.
    pub(super) fn open_from(&self, terms: Terms<'_>) -> UnixTime {
        let today = terms.zone.day(terms.now);
        let open = (today - 60..=today).find(|day| self.is_open(*day, terms));
        terms.zone.start(open.unwrap_or_default())
    }

    /// A reading's increase is spread over its interval whatever the carrier's rule for CDRs.
    pub(super) fn spread_reading(
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
        key: &Key,
        reading: &Reading,
        rules: CounterRules,
    ) -> Result<Option<Increase>, Outcome> {
        let figures = (reading.tx, reading.rx);
        let device: Vec<_> = self.counters.iter().filter(|c| c.key == *key).collect();
        if let Some(held) = device.iter().find(|c| c.session == reading.session) {
            return match reading.at.cmp(&held.at) {
                Ordering::Equal if held.figures == figures => Err(Outcome::Duplicate),
                Ordering::Less | Ordering::Equal => Err(Outcome::Late),
                Ordering::Greater => {
                    let (moved, fell) = moved(held.figures, reading, reading.at - held.at, rules);
                    Ok(Some(Increase { since: held.at, before: held.figures, moved, fell }))
                }
            };
        }
        let newest = device.iter().map(|c| c.at).max();
        let began = newest.filter(|at| !reading.session.is_empty() && reading.at > *at);
        Ok(began.map(|since| Increase { since, before: (0, 0), moved: figures, fell: None }))
    }

    fn say_fall(&mut self, reading: &Reading, increase: &Increase) {
        let Some(name) = increase.fell else { return };
        let data = CounterData {
            imei: (reading.imei > 0).then(|| reading.imei.to_string()),
            before_at: Some(increase.since),
            before_tx: increase.before.0,
            before_rx: increase.before.1,
            up: increase.moved.0,
            down: increase.moved.1,
            ..of_reading(reading)
        };
        self.said.push(match name {
            "wrapped" => EventBody::CounterWrapped(data),
            "restarted" => EventBody::CounterRestarted(data),
            _ => EventBody::CounterUnexplained(data),
        });
    }

    fn take_counter(&mut self, key: Key, reading: &Reading) {
        self.counters.retain(|c| c.key != key || c.session != reading.session);
        if self.counters.len() == 4 {
            let oldest = self.counters.iter().map(|c| c.at).min();
            if oldest.is_some_and(|oldest| reading.at < oldest) {
                return;
            }
            if let Some(at) = self.counters.iter().position(|c| Some(c.at) == oldest) {
                self.counters.remove(at);
            }
        }
        let figures = (reading.tx, reading.rx);
        self.counters.push(Counter { key, session: reading.session.clone(), at: reading.at, figures });
    }
}

/// What a device moved from one reading to the next, and what its fall is called if it fell.
fn moved(
    before: (u64, u64),
    reading: &Reading,
    seconds: i64,
    rules: CounterRules,
) -> ((u64, u64), Option<&'static str>) {
    let pairs = [(before.0, reading.tx), (before.1, reading.rx)];
    let each = |of: &dyn Fn(u64, u64) -> u64| {
        let [up, down] = pairs.map(|(was, is)| if is >= was { is - was } else { of(was, is) });
        (up, down)
    };
    let fallen: Vec<(u64, u64)> = pairs.into_iter().filter(|(was, is)| is < was).collect();
    if fallen.is_empty() {
        return (each(&|_, _| 0), None);
    }
    let wraps = |(was, is): &(u64, u64)| {
        let near = (1u64 << 31..1 << 32).contains(was) && reading.width != 64;
        let bits = 8 * ((1i128 << 32) - i128::from(*was) + i128::from(*is));
        near && bits <= i128::from(rules.wrap_mbit_s) * 1_000_000 * i128::from(seconds)
    };
    if fallen.iter().all(wraps) {
        return (each(&|was, is| (1 << 32) - was + is), Some("wrapped"));
    }
    let (was, is) = pairs
        .into_iter()
        .fold((0i128, 0i128), |sum, (was, is)| (sum.0 + i128::from(was), sum.1 + i128::from(is)));
    if is * i128::from(rules.restart_divisor) <= was {
        return (each(&|_, is| is), Some("restarted"));
    }
    (each(&|_, _| 0), Some("unexplained"))
}

/// What an event says of its reading.
pub(super) fn of_reading(reading: &Reading) -> CounterData {
    CounterData {
        feed: reading.feed.clone(),
        imei: None,
        counter: reading.counter.clone(),
        session: Some(reading.session.clone()).filter(|session| !session.is_empty()),
        day: None,
        cycle: None,
        read_at: reading.at,
        tx: reading.tx,
        rx: reading.rx,
        before_at: None,
        before_tx: 0,
        before_rx: 0,
        up: 0,
        down: 0,
        taken_up: 0,
        taken_down: 0,
    }
}
