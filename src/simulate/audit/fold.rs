//! The log of one partition, folded anew by the words of `domain.md`: what each record came to, what had to be published.

use std::collections::BTreeMap;

use super::line::{Line, State, Terms, Verdict};
use super::logbook::{Batch, Entry, What};
use super::wallet::Order;
use super::zone::Zone;
use crate::model::{
    Broadcast, CardCommand, CardId, Catalogue, CommandBody, Day, EventBody, Input, LogOffset, Outcome,
    Position, Register, UnixTime,
};

/// An event that must be published.
#[derive(Debug, Clone)]
pub struct Expected {
    pub card: CardId,
    pub id: String,
    pub at: UnixTime,
    /// `None`: some later second in which the card was looked at.
    pub log_time: Option<UnixTime>,
    pub cause: Option<Position>,
    pub body: EventBody,
    /// Nothing remembers it: it may be published under its id again.
    pub forgettable: bool,
}

/// A declaration of a settling feed.
#[derive(Debug, Clone, Copy)]
struct Declared {
    through: Day,
    at: UnixTime,
}

/// Records and bytes by input and outcome.
pub type Ledger = BTreeMap<(&'static str, Outcome), (u64, u64)>;

/// One partition, folded.
#[derive(Debug, Default)]
pub struct Fold {
    pub now: UnixTime,
    pub catalogue: Option<Catalogue>,
    pub lines: BTreeMap<CardId, Line>,
    pub expected: Vec<Expected>,
    /// Records that must be in quarantine or dead letter.
    pub kept: BTreeMap<Position, Outcome>,
    pub ledger: Ledger,
    pub end: LogOffset,
    declared: BTreeMap<String, Declared>,
    zones: BTreeMap<String, Zone>,
    /// A catalogue has come; every card is looked at in the next second.
    adopting: bool,
}

/// Why something happens.
#[derive(Debug, Clone, Copy)]
struct Cause<'a> {
    at: UnixTime,
    position: Option<Position>,
    command: Option<&'a str>,
}

impl Fold {
    /// The time of a carrier.
    pub fn zone(&self, carrier: &str) -> Option<&Zone> {
        self.zones.get(carrier)
    }

    /// Folds one message.
    pub fn batch(&mut self, batch: &Batch) {
        if batch.now > self.now {
            self.now = batch.now;
            self.second();
        }
        for entry in &batch.entries {
            self.entry(entry);
        }
        self.end = batch.offset.next();
    }

    /// Everything that is due happens; then every card learns what was said to all.
    fn second(&mut self) {
        let cards: Vec<CardId> = self.lines.keys().copied().collect();
        for card in cards {
            self.catch_up(card);
            if self.adopting {
                self.adopt(card);
            }
        }
        self.adopting = false;
    }

    fn entry(&mut self, entry: &Entry) {
        let position = entry.position;
        match &entry.what {
            What::Cdr(cdr) => {
                let verdict = self.usage(cdr.card, position, |line, terms| line.cdr(cdr, terms));
                let unknown = Verdict { outcome: Outcome::Unknown, bytes: cdr.up + cdr.down };
                self.note(Input::Cdr, position, &verdict.unwrap_or(unknown));
            }
            What::Reading(reading) => {
                let verdict = self.usage(reading.card, position, |line, terms| line.reading(reading, terms));
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
                self.note(Input::Command, position, &Verdict { outcome: Outcome::Rejected, bytes: 0 })
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
        Some(act(line, Terms { catalogue, carrier, zone, now: self.now }, &mut self.expected))
    }

    fn usage(
        &mut self,
        card: CardId,
        position: Position,
        count: impl FnOnce(&mut Line, Terms<'_>) -> Verdict,
    ) -> Option<Verdict> {
        self.catch_up(card);
        let now = self.now;
        self.lend(card, |line, terms, out| {
            let before = line.weight();
            let verdict = count(line, terms);
            let cause = Cause { at: now, position: Some(position), command: None };
            if line.weight() > before {
                if line.state == State::Registered {
                    line.state = State::Active;
                    emit(
                        card,
                        line,
                        cause,
                        terms,
                        EventBody::CardActivated { cause: "usage".to_owned() },
                        out,
                    );
                }
                look(card, line, cause, terms, out);
            }
            verdict
        })
    }

    /// What was due for a card happens in order of its due time.
    fn catch_up(&mut self, card: CardId) {
        let declared = self.declaration(card);
        let now = self.now;
        while let Some(due) = self.next_due(card).filter(|due| *due <= now) {
            if declared.is_some_and(|d| d.at <= due) {
                self.complete(card, declared);
            }
            self.fire(card, due);
        }
        self.complete(card, declared);
    }

    fn declaration(&self, card: CardId) -> Option<Declared> {
        let carrier = &self.lines.get(&card)?.carrier;
        let carrier = self.catalogue.as_ref()?.carriers.iter().find(|c| c.name == *carrier)?;
        self.declared.get(carrier.settling_feed.as_ref()?).copied()
    }

    fn next_due(&mut self, card: CardId) -> Option<UnixTime> {
        self.lend(card, |line, terms, _| {
            line.wallet.next_due().into_iter().chain(line.next_close(terms)).min()
        })?
    }

    /// Declared days become whole as of the declaration.
    fn complete(&mut self, card: CardId, declared: Option<Declared>) {
        let Some(declared) = declared else { return };
        self.lend(card, |line, terms, out| {
            if declared.through > line.complete_through {
                let told = line.complete_through;
                line.complete_through = declared.through;
                let moved = |day: &Day| *day > told && *day <= declared.through && *day > line.closed_through;
                if line.days().iter().any(moved) {
                    look(card, line, Cause { at: declared.at, position: None, command: None }, terms, out);
                }
            }
        });
    }

    fn fire(&mut self, card: CardId, due: UnixTime) {
        self.lend(card, |line, terms, out| {
            let cause = Cause { at: due, position: None, command: None };
            if line.wallet.next_due().is_some_and(|at| at <= due) {
                let had_base = line.wallet.has_base(due - 1);
                let mut said = Vec::new();
                line.with_wallet(terms, due, |wallet, scene| wallet.time(scene, &mut said));
                said.into_iter().for_each(|body| emit(card, line, cause, terms, body, out));
                follow(card, line, had_base, cause, terms, out);
            }
            let horizon = i64::from(terms.catalogue.late_horizon_days) * 86_400;
            while let Some(day) = line.first_open_day().filter(|day| terms.zone.end(*day) + horizon <= due) {
                if line.wallet.begun {
                    line.know_cycle(terms.zone, terms.zone.day(due));
                }
                line.close_day(day);
            }
            close_cycles(card, line, horizon, cause, terms, out);
        });
    }

    /// The rules may be others.
    fn adopt(&mut self, card: CardId) {
        let now = self.now;
        self.lend(card, |line, terms, out| {
            look(card, line, Cause { at: now, position: None, command: None }, terms, out)
        });
    }

    fn take_catalogue(&mut self, catalogue: &Catalogue) {
        if self.catalogue.as_ref().is_some_and(|held| held.version >= catalogue.version) {
            return;
        }
        self.zones = catalogue.carriers.iter().map(|c| (c.name.clone(), Zone::new(&c.calendar))).collect();
        self.adopting = self.catalogue.is_some();
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
            let declared = Declared { through: *day, at: self.now };
            let held = self.declared.entry(feed.clone()).or_insert(declared);
            if held.through < *day {
                *held = declared;
            }
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
        let answered = self.lend(card, |line, terms, out| obey(card, line, command, json, cause, terms, out));
        answered.unwrap_or(Outcome::Unknown)
    }

    /// A line for a card that is registered rightly.
    fn create(&mut self, command: &CardCommand) -> bool {
        let CommandBody::Register(register) = &command.body else { return false };
        let timely = in_time(command.at, self.now);
        let right = timely && self.catalogue.as_ref().is_some_and(|c| registers(register, c));
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
                id: id(command.card, cause, &body),
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

/// Whether a command's time is neither too old nor in the future.
fn in_time(at: UnixTime, now: UnixTime) -> bool {
    at >= now - 90 * 86_400 && at <= now + 600
}

fn registers(register: &Register, catalogue: &Catalogue) -> bool {
    catalogue.carriers.iter().any(|c| c.name == register.carrier)
        && catalogue.plans.iter().any(|p| p.name == register.plan)
}

fn obey(
    card: CardId,
    line: &mut Line,
    command: &CardCommand,
    json: &[u8],
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> Outcome {
    let now = terms.now;
    line.commands.retain(|_, (_, at)| *at >= now - 90 * 86_400);
    if let Some((held, _)) = line.commands.get(&command.id) {
        return if held == json { Outcome::Duplicate } else { Outcome::Conflict };
    }
    line.commands.insert(command.id.clone(), (json.to_vec(), now));
    let applied = in_time(command.at, now) && apply(card, line, command, cause, terms, out);
    let body = if applied {
        EventBody::CommandApplied { command: command.id.clone() }
    } else {
        EventBody::CommandRefused { command: command.id.clone(), reason: String::new() }
    };
    emit(card, line, cause, terms, body, out);
    Outcome::Counted
}

/// Does what a command says; whether it was applied.
fn apply(
    card: CardId,
    line: &mut Line,
    command: &CardCommand,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let cancelled = line.state == State::Cancelled;
    let why =
        |reason: &Option<String>| reason.as_ref().map_or("command".to_owned(), |r| format!("command: {r}"));
    match &command.body {
        CommandBody::Recharge { order, channel, payment, package, mode } => {
            let (id, channel, payment) = (order.clone(), channel.clone(), payment.clone());
            let order = Order { id, channel, payment, spec: package.clone(), mode: *mode };
            recharge(card, line, order, cause, terms, out)
        }
        _ if cancelled => false,
        CommandBody::Register(register) => register_line(card, line, command, register, cause, terms, out),
        CommandBody::Suspend { .. } if line.state == (State::Suspended { by_owner: true }) => false,
        CommandBody::Suspend { reason } => {
            line.state = State::Suspended { by_owner: true };
            emit(card, line, cause, terms, EventBody::CardSuspended { cause: why(reason) }, out);
            true
        }
        CommandBody::Resume => {
            let suspended = matches!(line.state, State::Suspended { .. });
            if suspended {
                line.state = State::Active;
                emit(card, line, cause, terms, EventBody::CardResumed { cause: "command".to_owned() }, out);
            }
            suspended
        }
        CommandBody::Cancel { reason } => {
            line.state = State::Cancelled;
            emit(card, line, cause, terms, EventBody::CardCancelled { cause: why(reason) }, out);
            true
        }
        CommandBody::RulesSet { rules } => {
            let mut said = Vec::new();
            let set =
                line.with_wallet(terms, cause.at, |wallet, scene| wallet.set_rules(scene, rules, &mut said));
            said.into_iter().for_each(|body| emit(card, line, cause, terms, body, out));
            set.is_ok()
        }
        CommandBody::Unsupported { .. } => false,
    }
}

fn recharge(
    card: CardId,
    line: &mut Line,
    order: Order,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let (id, payment) = (order.id.clone(), order.payment.clone());
    let (cancelled, had_base) = (line.state == State::Cancelled, line.wallet.has_base(cause.at - 1));
    let mut said = Vec::new();
    let taken = line
        .with_wallet(terms, cause.at, |wallet, scene| wallet.recharge(scene, order, cancelled, &mut said));
    if taken.is_err() {
        said.push(EventBody::RechargeRefused { order: id, payment, reason: String::new() });
    }
    said.into_iter().for_each(|body| emit(card, line, cause, terms, body, out));
    if taken == Ok(true) {
        follow(card, line, had_base, cause, terms, out);
    }
    taken.is_ok()
}

fn register_line(
    card: CardId,
    line: &mut Line,
    command: &CardCommand,
    register: &Register,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let moves = line.carrier != register.carrier && !(line.days().is_empty() && line.cycles.is_empty());
    if !registers(register, terms.catalogue) || moves {
        return false;
    }
    let replanned = line.plan != register.plan;
    (line.carrier, line.plan, line.channel) =
        (register.carrier.clone(), register.plan.clone(), register.channel.clone());
    if command.iccid.len() == 20 || line.iccid.is_empty() {
        line.iccid =
            if command.iccid.len() == 20 { command.iccid.to_ascii_uppercase() } else { card.to_string() };
    }
    for (number, from, to) in
        line.numbers.iter_mut().filter(|(n, _, to)| to.is_none() && !register.numbers.contains(n))
    {
        let _ = number;
        *to = Some(command.at.max(*from));
    }
    for number in &register.numbers {
        if !line.numbers.iter().any(|(held, _, to)| held == number && to.is_none()) {
            line.numbers.push((*number, command.at, None));
        }
    }
    let (channel, carrier, plan) =
        (register.channel.clone(), register.carrier.clone(), register.plan.clone());
    emit(card, line, cause, terms, EventBody::CardRegistered { channel, carrier, plan }, out);
    if replanned {
        look(card, line, cause, terms, out);
    }
    true
}

/// Packages and alerts are looked at anew.
fn look(card: CardId, line: &mut Line, cause: Cause<'_>, terms: Terms<'_>, out: &mut Vec<Expected>) {
    if !line.wallet.begun {
        return;
    }
    let mut said = Vec::new();
    line.with_wallet(terms, cause.at, |wallet, scene| wallet.look(scene, false, &mut said));
    said.into_iter().for_each(|body| emit(card, line, cause, terms, body, out));
}

/// The card's state follows its packages.
fn follow(
    card: CardId,
    line: &mut Line,
    had_base: bool,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    line.cut();
    let has_base = line.wallet.has_base(cause.at);
    let (state, body) = match line.state {
        State::Registered if line.wallet.has_package(cause.at) => {
            (State::Active, EventBody::CardActivated { cause: "package".to_owned() })
        }
        State::Suspended { by_owner: false } if has_base => {
            (State::Active, EventBody::CardResumed { cause: "recharge".to_owned() })
        }
        State::Active if had_base && !has_base => {
            (State::Suspended { by_owner: false }, EventBody::CardSuspended { cause: "expiry".to_owned() })
        }
        _ => return,
    };
    line.state = state;
    emit(card, line, cause, terms, body, out);
}

fn close_cycles(
    card: CardId,
    line: &mut Line,
    horizon: i64,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let over =
        |cycle: &super::line::Cycle| !cycle.closed && terms.zone.start(cycle.next) + horizon <= cause.at;
    let ending: Vec<Day> =
        line.cycles.iter().filter(|(_, cycle)| over(cycle)).map(|(first, _)| *first).collect();
    for first in ending {
        let Some(cycle) = line.cycles.get_mut(&first) else { continue };
        cycle.closed = true;
        line.closed_through = line.closed_through.max(cycle.next - 1);
        let (used, settled) = line.used_of_cycle(terms.zone, first);
        let estimates = line.of_cycle(terms.zone, first);
        let estimate = estimates
            .iter()
            .filter(|(s, _)| **s != super::line::Source::Settling)
            .map(|(_, (up, down))| up + down);
        let body = EventBody::CycleClosed {
            cycle: first,
            used,
            settled,
            estimate: estimate.max().unwrap_or(0),
            overage: used - line.burnt_in(terms, first),
            unsettled_days: line.unsettled(terms.zone, first),
            revision: 0,
        };
        emit(card, line, cause, terms, body, out);
    }
}

fn emit(
    card: CardId,
    line: &Line,
    cause: Cause<'_>,
    terms: Terms<'_>,
    body: EventBody,
    out: &mut Vec<Expected>,
) {
    let _ = line;
    // A declaration counts from its own second; the card may have learnt of it a little later.
    let declared = cause.position.is_none()
        && matches!(
            body,
            EventBody::AlertFired(_) | EventBody::AlertResolved(_) | EventBody::PackageExhausted(_)
        );
    out.push(Expected {
        card,
        id: id(card, cause, &body),
        at: cause.at,
        log_time: (!declared).then_some(terms.now),
        cause: cause.position,
        body,
        forgettable: false,
    });
}

/// The id of an event: card, what, and which one of it.
fn id(card: CardId, cause: Cause<'_>, body: &EventBody) -> String {
    let kind = body.kind();
    match body {
        EventBody::AlertFired(alert) | EventBody::AlertResolved(alert) => {
            format!("{card}/{kind}/{}/{}", alert.rule, alert.arming)
        }
        EventBody::PackageExhausted(package) if package.cycle.is_some() => {
            format!("{card}/{kind}/{}/{}", package.order, package.cycle.unwrap_or_default())
        }
        EventBody::PackageQueued(package)
        | EventBody::PackageActivated(package)
        | EventBody::PackageExpired(package)
        | EventBody::PackageExhausted(package) => format!("{card}/{kind}/{}", package.order),
        EventBody::CycleClosed { cycle, revision, .. } => format!("{card}/{kind}/{cycle}/{revision}"),
        EventBody::CommandApplied { command } | EventBody::CommandRefused { command, .. } => {
            format!("{card}/command/{command}")
        }
        _ => match cause.command {
            Some(command) => format!("{card}/{kind}/{command}"),
            None => format!("{card}/{kind}/{}", cause.at),
        },
    }
}
