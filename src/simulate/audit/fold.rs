//! The log of one partition, folded anew by the words of `docs/rules.md`: what each record came to, what had to be published.

use std::collections::BTreeMap;

use super::declared::{Declarations, Declared};
use super::event_id::id;
use super::follow::follow;
use super::life;
use super::line::{Line, State, Terms, Verdict};
use super::logbook::{Batch, Entry, What};
use super::obey::{close_cycles, emit, in_time, look, obey, registers, say};
use super::opening;
use super::totals::{is_total, used_until};
use super::watch::{Fresh, Heard};
use super::zone::Zone;
use crate::model::{
    Broadcast, CardCommand, CardId, Catalogue, CommandBody, Day, EventBody, Input, LogOffset, Outcome,
    Position, Register, RuleKind, UnixTime,
};

/// An event that must be published.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) card: CardId,
    pub(super) id: String,
    pub(super) at: UnixTime,
    /// `None`: some later second in which the card was looked at.
    pub(super) log_time: Option<UnixTime>,
    pub(super) cause: Option<Position>,
    pub(super) body: EventBody,
    /// Nothing remembers it: it may be published under its id again.
    pub(super) forgettable: bool,
}

/// What a record that moves no total says of its card.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sign {
    OfLife,
    OfNothing,
}

/// Records and bytes by input and outcome.
pub(super) type Ledger = BTreeMap<(&'static str, Outcome), (u64, u64)>;

/// One partition, folded.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) now: UnixTime,
    pub(super) catalogue: Option<Catalogue>,
    pub(super) lines: BTreeMap<CardId, Line>,
    pub(super) expected: Vec<Expected>,
    /// Records that must be in quarantine or dead letter.
    pub(super) kept: BTreeMap<Position, Outcome>,
    pub(super) ledger: Ledger,
    pub(super) end: LogOffset,
    declarations: Declarations,
    zones: BTreeMap<String, Zone>,
    pub(super) heard: Heard,
    /// A catalogue has come; every card is looked at before its next record, and in the next second.
    adopting: bool,
}

/// Why something happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'a> {
    pub(super) at: UnixTime,
    pub(super) position: Option<Position>,
    pub(super) command: Option<&'a str>,
}

impl Fold {
    /// The time of a carrier.
    pub(super) fn zone(&self, carrier: &str) -> Option<&Zone> {
        self.zones.get(carrier)
    }

    /// Folds one message.
    pub(super) fn batch(&mut self, batch: &Batch) {
        if batch.now > self.now {
            self.now = batch.now;
            self.second();
        }
        for entry in &batch.entries {
            self.entry(entry);
        }
        self.end = batch.offset.next();
    }

    /// A day is whole 48 hours after its end, or after its feed came back, if the feed has not been away since.
    fn declare_by_rule(&mut self) {
        let Some(catalogue) = self.catalogue.clone() else { return };
        for (feed, fresh) in self.heard.clone() {
            let settled = catalogue.carriers.iter().filter(|c| c.settling_feed.as_ref() == Some(&feed));
            let zones: Vec<&Zone> = settled.filter_map(|c| self.zones.get(&c.name)).collect();
            let due = |day: Day| {
                let ends = zones.iter().map(|zone| zone.end(day));
                ends.max().map(|end| end.max(fresh.since) + 48 * 3_600)
            };
            let is_whole = |day: &Day| {
                due(*day).is_some_and(|due| due <= self.now && due <= fresh.last + fresh.may_be_silent)
            };
            let days = zones.first().map(|zone| zone.day(self.now) - 40..=zone.day(self.now));
            let Some(through) = days.and_then(|mut days| days.rfind(|day| is_whole(day))) else { continue };
            let at = due(through).unwrap_or(self.now);
            self.declarations.declare(&feed, Declared { through, at });
        }
    }

    /// Everything that is due happens; then every card learns what was said to all.
    fn second(&mut self) {
        self.declare_by_rule();
        let cards: Vec<CardId> = self.lines.keys().copied().collect();
        for card in cards {
            self.catch_up(card);
            self.adopt(card);
        }
        self.adopting = false;
    }

    fn entry(&mut self, entry: &Entry) {
        let position = entry.position;
        match &entry.what {
            What::Cdr(cdr) => {
                self.hear(&cdr.feed);
                let ends = cdr.slices.iter().map(|slice| slice.end);
                let last = ends.chain([cdr.start, cdr.end]).max().unwrap_or(cdr.end);
                let sign = (&cdr.feed[..], Sign::OfLife);
                let verdict =
                    self.usage(cdr.card, sign, position, |line, terms| (line.cdr(cdr, terms), last));
                let unknown = Verdict { outcome: Outcome::Unknown, bytes: cdr.up + cdr.down };
                self.note(Input::Cdr, position, &verdict.unwrap_or(unknown));
            }
            What::Reading(reading) => {
                self.hear(&reading.feed);
                let sign = if is_total(reading) { Sign::OfNothing } else { Sign::OfLife };
                let sign = (&reading.feed[..], sign);
                let verdict = self.usage(reading.card, sign, position, |line, terms| {
                    if line.tombstone.is_some() {
                        (Verdict { outcome: Outcome::Unknown, bytes: 0 }, reading.at)
                    } else if is_total(reading) {
                        (line.total(reading, terms), used_until(reading, terms))
                    } else {
                        (line.reading(reading, terms), reading.at)
                    }
                });
                let unknown = Verdict { outcome: Outcome::Unknown, bytes: 0 };
                self.note(Input::Reading, position, &verdict.unwrap_or(unknown));
            }
            What::Command { card, json, command } => {
                let outcome = match command.as_ref() {
                    Ok(command) => self.command(*card, command, json, position),
                    Err(_) => Outcome::Rejected,
                };
                self.note(Input::Command, position, &Verdict { outcome, bytes: 0 });
            }
            What::Broadcast(Ok(broadcast)) => {
                let outcome = self.broadcast(broadcast);
                self.note(Input::Command, position, &Verdict { outcome, bytes: 0 });
            }
            What::Broadcast(Err(_)) => {
                self.note(Input::Command, position, &Verdict { outcome: Outcome::Rejected, bytes: 0 });
            }
            What::Catalogue(catalogue) => self.take_catalogue(catalogue),
            What::Tick => {}
        }
    }

    fn note(&mut self, input: Input, position: Position, verdict: &Verdict) {
        let sum = self.ledger.entry((input.name(), verdict.outcome)).or_default();
        *sum = (sum.0 + 1, sum.1 + verdict.bytes);
        if !matches!(verdict.outcome, Outcome::Counted | Outcome::Duplicate) {
            self.kept.insert(position, verdict.outcome);
        }
    }

    /// Lends a card with its terms.
    fn lend<R>(
        &mut self,
        card: CardId,
        act: impl FnOnce(&mut Line, Terms<'_>, &mut Vec<Expected>) -> R,
    ) -> Option<R> {
        let line = self.lines.get_mut(&card)?;
        let catalogue = self.catalogue.as_ref()?;
        let carrier = catalogue.carriers.iter().find(|c| c.name == line.carrier)?;
        let zone = self.zones.get(&line.carrier)?;
        Some(act(
            line,
            Terms { catalogue, carrier, zone, now: self.now, heard: &self.heard },
            &mut self.expected,
        ))
    }

    /// A record of a feed that the catalogue knows.
    fn hear(&mut self, feed: &str) {
        let now = self.now;
        let Some(may_be_silent) = self.catalogue.as_ref().and_then(|c| may_be_silent(c, feed)) else {
            return;
        };
        let fresh = Fresh { last: now, since: now, may_be_silent };
        let held = self.heard.entry(feed.to_owned()).or_insert(fresh);
        let since = if now - held.last > may_be_silent { now } else { held.since };
        *held = Fresh { since, ..fresh };
    }

    fn usage(
        &mut self,
        card: CardId,
        (feed, sign): (&str, Sign),
        position: Position,
        count: impl FnOnce(&mut Line, Terms<'_>) -> (Verdict, UnixTime),
    ) -> Option<Verdict> {
        self.catch_up(card);
        self.adopt(card);
        let now = self.now;
        self.lend(card, |line, terms, out| {
            let before = line.moves;
            let (verdict, last) = count(line, terms);
            let cause = Cause { at: now, position: Some(position), command: None };
            for body in std::mem::take(&mut line.said) {
                emit(card, line, cause, terms, body, out);
            }
            let moved = line.moves > before;
            // A carrier's total that is what it was, or less, tells nothing of the card; a modem's counter that it is there.
            let tells = sign == Sign::OfLife || verdict.bytes > 0;
            let lives = verdict.outcome == Outcome::Counted && tells;
            let used = tells.then_some(last);
            follow_usage(card, line, (moved, used), lives.then_some(feed), cause, terms, out);
            verdict
        })
    }

    /// What was due for a card happens in order of its due time.
    fn catch_up(&mut self, card: CardId) {
        let now = self.now;
        loop {
            let due = self.next_due(card).filter(|due| *due <= now);
            // What a declaration makes due is as of when it was made.
            match (self.declaration(card).filter(|declared| due.is_none_or(|due| declared.at <= due)), due) {
                (Some(declared), _) => self.complete(card, declared),
                (None, Some(due)) => self.fire(card, due),
                (None, None) => return,
            }
        }
    }

    /// The first declaration that a card does not know of, as it holds in the card's zone.
    fn declaration(&self, card: CardId) -> Option<Declared> {
        let line = self.lines.get(&card)?;
        let carrier = self.catalogue.as_ref()?.carriers.iter().find(|c| c.name == line.carrier)?;
        let feed = carrier.settling_feed.as_ref()?;
        self.declarations.after(line.complete_through, feed, self.zones.get(&line.carrier)?)
    }

    fn next_due(&mut self, card: CardId) -> Option<UnixTime> {
        self.lend(card, |line, terms, _| {
            let own = [line.next_close(terms), life::next_due(line, terms)];
            let of_packages = [line.wallet.next_due(), line.next_alert(terms)];
            let alive = line.state != State::Cancelled;
            own.into_iter().chain(of_packages.into_iter().filter(|_| alive)).flatten().min()
        })?
    }

    /// Declared days become whole as of the declaration.
    fn complete(&mut self, card: CardId, declared: Declared) {
        self.lend(card, |line, terms, out| {
            let told = std::mem::replace(&mut line.complete_through, declared.through);
            let moved = |day: &Day| *day > told && *day <= declared.through && *day > line.closed_through;
            // What moves in that second is looked at when it has moved.
            if line.days().iter().any(moved) && !line.wallet.moves_at(declared.at) {
                look(card, line, Cause { at: declared.at, position: None, command: None }, terms, out);
            }
        });
    }

    fn fire(&mut self, card: CardId, due: UnixTime) {
        self.lend(card, |line, terms, out| {
            let cause = Cause { at: due, position: None, command: None };
            let dues = [line.wallet.next_due(), line.next_alert(terms)];
            let alive = line.state != State::Cancelled;
            if alive && dues.into_iter().flatten().any(|at| at <= due) {
                let covered_before = line.wallet.has_base(due - 1);
                let mut said = Vec::new();
                let moves = line.wallet.moves_at(due);
                line.lend_wallet(terms, due, |wallet, scene| wallet.time(scene, &mut said));
                if moves || !said.is_empty() {
                    line.know_cycle(terms.zone, terms.zone.day(due));
                }
                let exhausted = say(card, line, said, cause, terms, out);
                if moves {
                    follow(card, line, (covered_before, "expiry", exhausted), cause, terms, out);
                }
            }
            let horizon = i64::from(terms.catalogue.late_horizon_days) * 86_400;
            while let Some(day) = line.first_open_day().filter(|day| terms.zone.end(*day) + horizon <= due) {
                if line.wallet.begun && line.state != State::Cancelled {
                    line.know_cycle(terms.zone, terms.zone.day(due));
                }
                line.close_day(day);
            }
            close_cycles(card, line, horizon, cause, terms, out);
            life::fire(card, line, cause, terms, out);
        });
    }

    /// The rules may be others.
    fn adopt(&mut self, card: CardId) {
        if !self.adopting {
            return;
        }
        let now = self.now;
        self.lend(card, |line, terms, out| {
            if line.state == State::Cancelled {
                return;
            }
            line.wallet.begun |= line.is_known() && watches(line, terms);
            look(card, line, Cause { at: now, position: None, command: None }, terms, out);
        });
    }

    fn take_catalogue(&mut self, catalogue: &Catalogue) {
        if self.catalogue.as_ref().is_some_and(|held| held.version >= catalogue.version) {
            return;
        }
        let held = self.catalogue.as_ref().map_or(u16::MAX, |held| held.late_horizon_days);
        // Only a longer horizon could open a day again.
        if catalogue.late_horizon_days > held {
            for line in self.lines.values_mut() {
                if let Some(zone) = self.zones.get(&line.carrier) {
                    line.close_by(zone, i64::from(held) * 86_400, self.now);
                }
            }
        }
        self.zones = catalogue.carriers.iter().map(|c| (c.name.clone(), Zone::new(&c.calendar))).collect();
        self.adopting = self.catalogue.is_some();
        self.heard.retain(|feed, fresh| match may_be_silent(catalogue, feed) {
            Some(seconds) => {
                fresh.may_be_silent = seconds;
                true
            }
            None => false,
        });
        self.catalogue = Some(catalogue.clone());
    }

    fn broadcast(&mut self, broadcast: &Broadcast) -> Outcome {
        if let Broadcast::FeedComplete { feed, day, .. } = broadcast {
            let carriers = self.catalogue.iter().flat_map(|c| &c.carriers);
            let mut settled_by = carriers.filter(|c| c.settling_feed.as_ref() == Some(feed));
            let is_over = |zone: &Zone| zone.end(*day) <= self.now;
            if !settled_by.any(|c| self.zones.get(&c.name).is_some_and(is_over)) {
                return Outcome::Rejected;
            }
            self.declarations.declare(feed, Declared { through: *day, at: self.now });
        }
        Outcome::Counted
    }

    fn command(&mut self, card: CardId, command: &CardCommand, json: &[u8], position: Position) -> Outcome {
        let now = self.now;
        let cause = Cause { at: now, position: Some(position), command: Some(&command.id) };
        if !self.lines.contains_key(&card) && !self.create(command) {
            return self.refuse_unknown(command, cause);
        }
        self.catch_up(card);
        self.adopt(card);
        let answered = self.lend(card, |line, terms, out| obey(card, line, command, json, cause, terms, out));
        answered.unwrap_or(Outcome::Unknown)
    }

    /// A line for a card that is registered rightly.
    fn create(&mut self, command: &CardCommand) -> bool {
        let CommandBody::Register(register) = &command.body else { return false };
        let timely = in_time(command.at, self.now);
        let brings = |catalogue| opening::may_come(command, register, catalogue, &self.zones, self.now);
        let right = timely && self.catalogue.as_ref().is_some_and(|c| registers(register, c) && brings(c));
        if right {
            let Register { channel, carrier, plan, .. } = (**register).clone();
            self.lines.insert(command.card, Line::new(carrier, plan, channel));
        }
        right
    }

    fn refuse_unknown(&mut self, command: &CardCommand, cause: Cause<'_>) -> Outcome {
        let mut bodies =
            vec![EventBody::CommandRefused { command: command.id.clone(), reason: String::new() }];
        if let CommandBody::Recharge { order, payment, .. } = &command.body {
            let (order, payment) = (order.clone(), payment.clone());
            bodies.push(EventBody::RechargeRefused { order, payment, reason: String::new() });
        }
        for body in bodies {
            self.expected.push(Expected {
                card: command.card,
                id: id(command.card, 0, cause, &body),
                at: cause.at,
                log_time: Some(self.now),
                cause: cause.position,
                body,
                forgettable: true,
            });
        }
        if matches!(command.body, CommandBody::Register(_)) { Outcome::Counted } else { Outcome::Unknown }
    }
}

/// What follows a record: the card's first usage, and what its rules say.
pub(super) fn follow_usage(
    card: CardId,
    line: &mut Line,
    (moved, used_until): (bool, Option<UnixTime>),
    heard_by: Option<&str>,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    if moved && line.state == State::Registered {
        life::turn(card, line, (State::Active, "usage"), cause, terms, out);
    }
    if let Some(last) = used_until.filter(|_| moved) {
        life::used(card, line, last, cause, terms, out);
    }
    if line.state == State::Cancelled {
        return;
    }
    if moved && !line.wallet.begun && watches(line, terms) {
        line.with_wallet(terms, terms.now, super::wallet::Wallet::watch);
    }
    let asks = heard_by.is_some_and(|feed| line.wallet.watches.hear(terms.now, feed));
    if asks || moved {
        look(card, line, cause, terms, out);
    }
}

/// Whether a card is watched without packages too.
pub(super) fn watches(line: &Line, terms: Terms<'_>) -> bool {
    let of_usage =
        |kind| matches!(kind, RuleKind::UsedBytes(_) | RuleKind::UsedDayBytes(_) | RuleKind::NoDataHours(_));
    terms.rules(&line.plan).iter().any(|rule| of_usage(rule.kind))
}

/// How long a feed of a catalogue may be silent, seconds; `None`: it is none.
fn may_be_silent(catalogue: &Catalogue, feed: &str) -> Option<i64> {
    match catalogue.feeds.iter().find(|f| f.name == feed) {
        Some(feed) => Some(i64::from(feed.stale_after_minutes.unwrap_or(180)) * 60),
        None => (feed == "modem").then_some(180 * 60),
    }
}
