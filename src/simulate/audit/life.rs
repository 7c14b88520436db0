//! How a card's state goes on by itself: warned and cancelled when it was let expire, closed and let go when cancelled
//! (`docs/rules.md` S1 to S3). No simulated world lasts until a cancelled card is forgotten.

use chrono::{Days, Months, NaiveDate};

use super::fold::{Cause, Expected};
use super::line::{Line, Terms};
use super::obey::{emit, give_up};
use super::zone::Zone;
use crate::model::{CardId, CarrierState, Day, EventBody, OpenedState, Stopped, UnixTime};

/// Days before the cancellation at which its owner is warned.
const WARNINGS: [u16; 3] = [30, 7, 1];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Registered,
    Active,
    Suspended(By),
    Cancelled,
}

/// Who or what suspended a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Owner,
    Expiry,
    Exhaustion,
}

/// Since when a card is suspended or cancelled, and what was said of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    pub(super) since: UnixTime,
    told: usize,
    used: bool,
}

/// Another state, with its event.
pub(super) fn turn(
    card: CardId,
    line: &mut Line,
    (state, cause_text): (State, &str),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let text = cause_text.to_owned();
    let body = match state {
        State::Active if line.state == State::Registered => EventBody::CardActivated { cause: text },
        State::Registered | State::Active => EventBody::CardResumed { cause: text },
        State::Suspended(_) => EventBody::CardSuspended { cause: text },
        State::Cancelled => EventBody::CardCancelled { cause: text },
    };
    if matches!(line.state, State::Suspended(_)) && state == State::Active {
        line.wallet.watches.resume(cause.at);
    }
    let is_first = line.state == State::Registered && state == State::Active;
    line.state = state;
    line.turns += 1;
    line.stop = Stop { since: if is_first { 0 } else { cause.at }, ..Stop::default() };
    emit(card, line, cause, terms, body, out);
    if state == State::Cancelled {
        give_up(card, line, cause, terms, out);
    }
}

fn date(day: Day) -> NaiveDate {
    NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default() + chrono::Duration::days(i64::from(day))
}

/// The warnings and the cancellation of a suspension that began in a second.
fn plan(zone: &Zone, since: UnixTime) -> Vec<UnixTime> {
    let first = zone.day(since);
    let end = date(first) + Months::new(3);
    let clock = since - zone.start(first);
    let at = |date: NaiveDate| {
        let day = (date - NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default()).num_days() as Day;
        (zone.start(day) + clock).min(zone.end(day))
    };
    let warnings = WARNINGS.iter().map(|days| at(end - Days::new(u64::from(*days))));
    warnings.chain([at(end)]).collect()
}

/// When a suspension by expiry ends in cancellation.
pub(super) fn ends(zone: &Zone, since: UnixTime) -> UnixTime {
    plan(zone, since).last().copied().unwrap_or(since)
}

/// The state in which a card comes.
pub(super) fn open(
    card: CardId,
    line: &mut Line,
    state: OpenedState,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let OpenedState::Suspended { by, since } = state else {
        return turn(card, line, (State::Active, "opening"), cause, terms, out);
    };
    let by = match by {
        Stopped::Owner => By::Owner,
        Stopped::Expiry => By::Expiry,
        Stopped::Exhaustion => By::Exhaustion,
    };
    turn(card, line, (State::Suspended(by), "opening"), cause, terms, out);
    let since = since.unwrap_or(cause.at);
    let told = plan(terms.zone, since).iter().filter(|at| **at <= cause.at).count();
    line.stop = Stop { since, told, used: false };
}

/// When something of this is due.
pub(super) fn next_due(line: &Line, terms: Terms<'_>) -> Option<UnixTime> {
    match line.state {
        // What is bought brings it back; it is not cancelled before.
        State::Suspended(By::Expiry) if line.wallet.awaits_base() => None,
        State::Suspended(By::Expiry) => plan(terms.zone, line.stop.since).get(line.stop.told).copied(),
        State::Cancelled if line.tombstone.is_none() => {
            line.cycles.values().all(|cycle| cycle.closed).then(|| last_close(line, terms))
        }
        _ => None,
    }
}

/// What would have brought a card back is taken back: the warnings that were over until then are not made up for, and
/// three months that were over begin anew; so do those of which no warning is left though the last was not told.
pub(super) fn go_on(line: &mut Line, terms: Terms<'_>) {
    if line.state != State::Suspended(By::Expiry) || line.wallet.awaits_base() {
        return;
    }
    let steps = plan(terms.zone, line.stop.since);
    let over = steps.iter().filter(|at| **at <= terms.now).count();
    let left = steps.len() - over;
    if left == 0 || (left == 1 && line.stop.told < over) {
        line.stop = Stop { since: terms.now, ..Stop::default() };
    } else {
        line.stop.told = line.stop.told.max(over);
    }
}

fn last_close(line: &Line, terms: Terms<'_>) -> UnixTime {
    let day = terms.zone.day(line.stop.since);
    let next = terms.zone.cycle(day).map_or(day + 31, |(_, next)| next);
    terms.zone.start(next) + i64::from(terms.catalogue.late_horizon_days) * 86_400
}

/// What is due at `cause.at`.
pub(super) fn fire(
    card: CardId,
    line: &mut Line,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    if next_due(line, terms).is_none_or(|due| due > cause.at) {
        return;
    }
    if line.state == State::Cancelled {
        line.tombstone = Some(cause.at);
        for (_, _, to) in line.numbers.iter_mut().filter(|(_, _, to)| to.is_none()) {
            *to = Some(cause.at);
        }
        return;
    }
    let (since, told) = (line.stop.since, line.stop.told);
    line.stop.told += 1;
    match (WARNINGS.get(told), plan(terms.zone, since).last()) {
        (Some(days), Some(end)) => {
            let body = EventBody::CardWarned { days: *days, suspended_at: since, cancelled_at: *end };
            emit(card, line, cause, terms, body, out);
        }
        _ => turn(card, line, (State::Cancelled, "expiry"), cause, terms, out),
    }
}

/// A record was counted on a card that is suspended or cancelled; `last` is the greatest time that it names.
pub(super) fn used(
    card: CardId,
    line: &mut Line,
    last: UnixTime,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let state = match line.state {
        State::Suspended(_) => CarrierState::Suspended,
        State::Cancelled => CarrierState::Cancelled,
        State::Registered | State::Active => return,
    };
    let since = line.stop.since;
    if last <= since {
        return;
    }
    line.used_stopped.insert(terms.zone.cycle_at(last - 1));
    if !line.stop.used {
        line.stop.used = true;
        let body = EventBody::CardUsedWhileStopped { state, since, used_at: last, confirmed: line.confirmed };
        emit(card, line, cause, terms, body, out);
    }
}

/// The carrier's system says how it has set the card.
pub(super) fn confirm(
    card: CardId,
    line: &mut Line,
    state: CarrierState,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    if line.confirmed == Some(state) && line.confirmed_at >= line.stop.since {
        return;
    }
    (line.confirmed, line.confirmed_at) = (Some(state), cause.at);
    let desired = match line.state {
        State::Registered | State::Active => CarrierState::Active,
        State::Suspended(_) => CarrierState::Suspended,
        State::Cancelled => CarrierState::Cancelled,
    };
    emit(card, line, cause, terms, EventBody::CardConfirmed { state, desired }, out);
}
