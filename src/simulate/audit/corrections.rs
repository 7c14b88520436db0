//! Corrections by hand and records that are posted (`docs/rules.md` C5, C7): every one is kept, and a day is what its sources
//! say and all of them.

use std::collections::BTreeMap;

use super::fold::{Cause, Expected, follow_usage, watches};
use super::line::{Cycle, Line, State, Terms};
use super::logbook::Cdr;
use super::obey::{emit, look};
use super::wallet::Wallet;
use crate::codec::quarantine::Qid;
use crate::model::{
    CardId, CommandBody, Day, EventBody, FeedName, Origin, Outcome, PostInto, PostedCdr, Record, Slices,
    UnixTime,
};

/// A correction of a day: where it burns, and its signed figure.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    day: Day,
    segment: UnixTime,
    bytes: i64,
}

/// What was asked under a reference, and when.
pub(super) type References = BTreeMap<String, (String, UnixTime)>;

/// What was added to a closed cycle and taken from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Restated {
    bytes: i64,
    pub(super) revision: u32,
    /// The least that it has come down to: no more of it can be settled.
    least: u64,
}

impl Restated {
    /// Used and settled of a cycle, restated.
    pub(super) fn of(self, (used, settled): (u64, u64)) -> (u64, u64) {
        ((used as i64 + self.bytes) as u64, settled.min(self.least))
    }
}

impl Line {
    /// Gives a closed cycle another sum, not below zero; what was taken of it.
    fn restate(&mut self, cycle: Day, bytes: i64, terms: Terms<'_>) -> i64 {
        let used = self.used_of_cycle(terms.zone, cycle).0 as i64;
        let taken = bytes.max(-used);
        if taken != 0 {
            if let Some((first, next)) = terms.zone.cycle(cycle) {
                let held = self.cycles.entry(first).or_insert(Cycle { next, closed: true });
                self.closed_through = self.closed_through.max(held.next - 1);
            }
            let new = Restated { bytes: 0, revision: 0, least: u64::MAX };
            let held = self.restated.entry(cycle).or_insert(new);
            held.bytes += taken;
            held.revision += 1;
            held.least = held.least.min((used + taken) as u64);
        }
        taken
    }

    pub(super) fn corrected_days(&self) -> impl Iterator<Item = Day> + '_ {
        self.corrections.iter().map(|correction| correction.day)
    }

    /// A day's figure with all corrections; not below zero.
    pub(super) fn corrected(&self, day: Day, said: u64) -> u64 {
        let of_day = self.corrections.iter().filter(|correction| correction.day == day);
        (i128::from(said) + of_day.map(|c| i128::from(c.bytes)).sum::<i128>()).max(0) as u64
    }

    /// What burns of a day: additions where they are, what is taken away from the newest on.
    pub(super) fn correct(&self, day: Day, by_start: &mut BTreeMap<UnixTime, u64>) {
        let mut less = 0;
        for correction in self.corrections.iter().filter(|c| c.day == day) {
            if correction.bytes > 0 {
                *by_start.entry(correction.segment).or_default() += correction.bytes as u64;
            } else {
                less += correction.bytes.unsigned_abs();
            }
        }
        for bytes in by_start.values_mut().rev() {
            let taken = less.min(*bytes);
            (*bytes, less) = (*bytes - taken, less - taken);
        }
    }

    /// Whether a reference was used for just this.
    fn has_referred(&self, reference: &str, content: &str, now: UnixTime) -> bool {
        let held = self.references.get(reference).filter(|(_, at)| *at >= now - 90 * 86_400);
        held.is_some_and(|(held, _)| held == content)
    }

    /// Whether a reference is new; `None`: it was used for something else.
    fn refer(&mut self, reference: String, content: String, now: UnixTime) -> Option<bool> {
        self.references.retain(|_, (_, at)| *at >= now - 90 * 86_400);
        if let Some((held, _)) = self.references.get(&reference) {
            return (*held == content).then_some(false);
        }
        self.references.insert(reference, (content, now));
        Some(true)
    }

    /// Corrects days in their order until nothing is left.
    fn take(&mut self, days: &[Day], bytes: i64, terms: Terms<'_>) -> (Day, i64) {
        let (zone, mut done) = (terms.zone, 0);
        let mut last = zone.day(terms.now);
        for &day in days {
            let used = self.used_of_day(day).1 as i64;
            let part = if bytes > 0 { bytes - done } else { (bytes - done).max(-used) };
            if part != 0 {
                let at = if zone.day(terms.now) == day { terms.now } else { zone.start(day) };
                let segment = self.segment_of(day, at, zone);
                self.know_cycle(zone, day);
                self.corrections.push(Correction { day, segment, bytes: part });
                (last, done) = (day, done + part);
            }
        }
        (last, done)
    }
}

fn say(
    card: CardId,
    line: &mut Line,
    (reference, asked, reason): (&str, i64, Option<String>),
    (day, bytes): (Day, i64),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let cycle = terms.zone.cycle(day).map_or(day, |(first, _)| first);
    let body = EventBody::UsageAdjusted {
        reference: reference.to_owned(),
        bytes,
        left_over: asked - bytes,
        day,
        cycle,
        used: line.used_of_cycle(terms.zone, cycle).0,
        reason,
    };
    emit(card, line, cause, terms, body, out);
    if !line.wallet.begun && line.state != State::Cancelled && watches(line, terms) {
        line.with_wallet(terms, terms.now, Wallet::watch);
    }
    look(card, line, cause, terms, out);
}

/// Does a correction; whether it was applied.
pub(super) fn adjust(
    card: CardId,
    line: &mut Line,
    body: &CommandBody,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let CommandBody::UsageAdjust { reference, bytes, day, reason } = body else { return false };
    if *bytes == 0 || bytes.abs() > 1 << 48 {
        return false;
    }
    let (reference_key, content) = (format!("adjust/{reference}"), format!("{bytes} {day:?}"));
    if line.has_referred(&reference_key, &content, terms.now) {
        return true;
    }
    let today = terms.zone.day(terms.now);
    let takes =
        |line: &Line, day: Day| day <= today && terms.zone.cycle(day).is_some() && line.is_open(day, terms);
    let days: Vec<Day> = match day {
        Some(day) if takes(line, *day) => vec![*day],
        Some(day) if *day <= today && restatable(line, *day, terms).is_some() => vec![],
        Some(_) => return false,
        None if *bytes > 0 => vec![today],
        None => {
            let running = terms.zone.cycle_at(terms.now);
            let of_cycle = |day: &Day| terms.zone.cycle(*day).is_some_and(|(first, _)| first == running);
            line.days().into_iter().rev().filter(|day| takes(line, *day) && of_cycle(day)).collect()
        }
    };
    match line.refer(reference_key, content, terms.now) {
        None => false,
        Some(false) => true,
        Some(true) => {
            let closed = day.and_then(|day| restatable(line, day, terms).map(|cycle| (day, cycle)));
            if let Some(closed) = closed {
                let asked = (&**reference, *bytes, reason.clone());
                restate(card, line, asked, closed, cause, terms, out);
                return true;
            }
            let done = line.take(&days, *bytes, terms);
            say(card, line, (reference, *bytes, reason.clone()), done, cause, terms, out);
            true
        }
    }
}

/// The cycle of a day, if it has closed in the last ninety days.
fn restatable(line: &Line, day: Day, terms: Terms<'_>) -> Option<Day> {
    let (cycle, next) = terms.zone.cycle(day)?;
    // A cycle closes with its last day, whether the card was used in it or not; the cycles before its opening are another's.
    let closes = terms.zone.start(next) + terms.horizon();
    let known = line.cycles.contains_key(&cycle) || line.restated.contains_key(&cycle);
    let own = known || line.brought.is_none_or(|brought| cycle >= brought.cycle);
    // Of what nothing is known nothing was used, as long as figures are kept at all: eight days of horizon at least.
    let kept = if known { closes } else { terms.zone.start(next) + 8 * 86_400 };
    // One that has closed stays closed under a longer horizon.
    let has_closed = closes <= terms.now
        || line.restated.contains_key(&cycle)
        || line.cycles.get(&cycle).is_some_and(|held| held.closed);
    (own && has_closed && terms.now < kept + 90 * 86_400).then_some(cycle)
}

/// A closed cycle gets another sum, which is said.
fn restate(
    card: CardId,
    line: &mut Line,
    (reference, bytes, reason): (&str, i64, Option<String>),
    (day, cycle): (Day, Day),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let taken = line.restate(cycle, bytes, terms);
    let (used, settled) = line.used_of_cycle(terms.zone, cycle);
    let (reference, left_over) = (reference.to_owned(), bytes - taken);
    let body = EventBody::UsageAdjusted { reference, bytes: taken, left_over, day, cycle, used, reason };
    emit(card, line, cause, terms, body, out);
    if let Some(restated) = line.restated.get(&cycle).copied().filter(|_| taken != 0) {
        let by_estimates = line.of_cycle(terms.zone, cycle);
        let estimates = by_estimates.iter().filter(|(source, _)| **source != super::line::Source::Settling);
        let body = EventBody::CycleRestated {
            cycle,
            used,
            settled,
            estimate: estimates.map(|(_, (up, down))| up + down).max().unwrap_or(0),
            overage: used.saturating_sub(line.burnt_in(terms, cycle)),
            unsettled_days: line.unsettled(terms.zone, cycle),
            revision: restated.revision,
        };
        emit(card, line, cause, terms, body, out);
    }
}

fn reference_of(card: CardId, record: &PostedCdr) -> String {
    let mut packed = Vec::new();
    let cdr = crate::model::Cdr {
        card,
        feed: FeedName::new(&record.feed),
        id: &record.id,
        start: record.start,
        end: record.end,
        up: record.up,
        down: record.down,
        slices: Slices::pack(&record.slices(), &mut packed),
        number: None,
        origin: Origin { source: "", partition: 0, offset: 0, received_ms: 0 },
    };
    Qid::of(&Record::Cdr(cdr)).to_string()
}

/// Posts a record that was set aside; whether that was applied.
pub(super) fn post(
    card: CardId,
    line: &mut Line,
    body: &CommandBody,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let CommandBody::RecordPost { reference, quarantined_at, record, into } = body else { return false };
    let (feed, id) = (record.feed.clone(), record.id.clone());
    let (start, end, up, down) = (record.start, record.end, record.up, record.down);
    let cdr = Cdr { card, feed, id, start, end, up, down, slices: record.slices(), number: None };
    if *quarantined_at < terms.now - 90 * 86_400 || reference_of(card, record) != *reference {
        return false;
    }
    let known = line.references.clone();
    if line.refer(format!("post/{reference}"), String::new(), terms.now) == Some(false) {
        return true;
    }
    let before = line.moves;
    let outcome = line.cdr(&cdr, terms).outcome;
    match outcome {
        Outcome::Counted => {
            let of_record = Cause { command: None, ..cause };
            let ends = cdr.slices.iter().map(|slice| slice.end);
            let last = ends.fold(cdr.start.max(cdr.end), UnixTime::max);
            let moved = (line.moves > before, Some(last));
            follow_usage(card, line, moved, Some(&cdr.feed), of_record, terms, out);
        }
        Outcome::Late => {
            let bytes = (cdr.up + cdr.down) as i64;
            let (day, today) = (terms.zone.day(cdr.start), terms.zone.day(terms.now));
            let mut into_day = today;
            if *into == PostInto::Original && terms.zone.cycle(day) != terms.zone.cycle(today) {
                if let Some(cycle) = restatable(line, day, terms) {
                    let asked = (&**reference, bytes, Some("posted, its day is closed".to_owned()));
                    restate(card, line, asked, (day, cycle), cause, terms, out);
                    return true;
                }
                // Its cycle is over and not closed: its last day stands for those that are.
                let last = terms.zone.cycle(day).map(|(_, next)| next - 1);
                let Some(last) = last.filter(|last| line.is_open(*last, terms)) else {
                    line.references = known;
                    return false;
                };
                into_day = last;
            }
            let done = line.take(&[into_day], bytes, terms);
            let why = Some("posted, its day is closed".to_owned());
            say(card, line, (reference, bytes, why), done, cause, terms, out);
        }
        _ => line.references = known,
    }
    matches!(outcome, Outcome::Counted | Outcome::Late)
}
