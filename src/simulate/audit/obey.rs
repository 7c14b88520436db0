//! What happens to one card: commands, states, closing cycles, and the events of all that.

use super::corrections;
use super::credits;
use super::event_id::id;
use super::fold::{Cause, Expected};
use super::follow::{follow, heed_what_is_left};
use super::life;
use super::line::{By, Line, State, Terms};
use super::opening;
use super::wallet::Order;
use crate::model::{
    BurntBecomes, CardCommand, CardId, Catalogue, CommandBody, Day, EventBody, Move, Outcome, Register, Rule,
    RuleKind, RulesPolicy, UnixTime,
};

/// Whether a command's time is neither too old nor in the future.
pub(super) fn in_time(at: UnixTime, now: UnixTime) -> bool {
    at >= now - 90 * 86_400 && at <= now + 600
}

pub(super) fn registers(register: &Register, catalogue: &Catalogue) -> bool {
    register.recipients.as_deref().is_none_or(credits::are_right)
        && catalogue.carriers.iter().any(|c| c.name == register.carrier)
        && catalogue.plans.iter().any(|p| p.name == register.plan)
}

pub(super) fn obey(
    card: CardId,
    line: &mut Line,
    command: &CardCommand,
    json: &[u8],
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> Outcome {
    let now = terms.now;
    line.commands.retain(|_, (_, at)| *at >= now - 90 * 86_400 - 600);
    let said = said(json);
    if let Some((held, _)) = line.commands.get(&command.id) {
        return if *held == said { Outcome::Duplicate } else { Outcome::Conflict };
    }
    line.commands.insert(command.id.clone(), (said, now));
    let timely = in_time(command.at, now);
    if !timely && command.at > now {
        refund(card, line, command, cause, terms, out);
    }
    let applied = timely && apply(card, line, command, cause, terms, out);
    let body = if applied {
        EventBody::CommandApplied { command: command.id.clone() }
    } else {
        EventBody::CommandRefused { command: command.id.clone(), reason: String::new() }
    };
    emit(card, line, cause, terms, body, out);
    if let Some(answer) = out.last_mut() {
        // The answer to one that is older than what is remembered may be a second one.
        answer.forgettable = !timely;
    }
    Outcome::Counted
}

/// Who has paid for what comes from the future is told; an old one may have been taken when it was new.
fn refund(
    card: CardId,
    line: &mut Line,
    command: &CardCommand,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    let Some(order) = order(line, &command.body) else { return };
    if line.tombstone.is_some() || !line.wallet.has_taken(&order, terms.now) {
        let (order, payment) = (order.id, order.payment);
        emit(
            card,
            line,
            cause,
            terms,
            EventBody::RechargeRefused { order, payment, reason: String::new() },
            out,
        );
    }
}

fn order(line: &Line, body: &CommandBody) -> Option<Order> {
    let CommandBody::Recharge { order, channel, payment, package, mode } = body else { return None };
    let channel = if channel.is_empty() { line.channel.clone() } else { channel.clone() };
    Some(Order { id: order.clone(), channel, payment: payment.clone(), spec: package.clone(), mode: *mode })
}

/// What a command says, without when it was given and how its card was written.
fn said(json: &[u8]) -> Vec<u8> {
    let mut command: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    if let Some(fields) = command.as_object_mut() {
        fields.retain(|name, _| name != "at" && name != "iccid");
    }
    command.to_string().into_bytes()
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
        body @ CommandBody::Recharge { .. } => {
            order(line, body).is_some_and(|order| recharge(card, line, order, cause, terms, out))
        }
        CommandBody::Confirm { state } => {
            life::confirm(card, line, *state, cause, terms, out);
            true
        }
        body @ (CommandBody::CreditsMove { other: Move::To(_), .. } | CommandBody::CreditsReturn { .. }) => {
            credits::obey(card, line, body, cause, terms, out)
        }
        CommandBody::UsageAdjust { .. } | CommandBody::RecordPost { .. } if line.tombstone.is_some() => false,
        body @ CommandBody::UsageAdjust { .. } => corrections::adjust(card, line, body, cause, terms, out),
        body @ CommandBody::RecordPost { .. } => corrections::post(card, line, body, cause, terms, out),
        _ if cancelled => false,
        CommandBody::Void { order, reference, burnt } => {
            void(card, line, (order, reference, *burnt), cause, terms, out)
        }
        body @ (CommandBody::CreditsAdd { .. } | CommandBody::CreditsMove { .. }) => {
            credits::obey(card, line, body, cause, terms, out)
        }
        CommandBody::RecipientsSet { recipients } => {
            let right = credits::are_right(recipients);
            if right {
                line.credits.recipients.clone_from(recipients);
            }
            right
        }
        CommandBody::Register(register) => register_line(card, line, command, register, cause, terms, out),
        CommandBody::Suspend { .. } if line.state == State::Suspended(By::Owner) => false,
        CommandBody::Suspend { reason } => {
            life::turn(card, line, (State::Suspended(By::Owner), &why(reason)), cause, terms, out);
            true
        }
        CommandBody::Resume => {
            let suspended = matches!(line.state, State::Suspended(_));
            if suspended {
                life::turn(card, line, (State::Active, "command"), cause, terms, out);
            }
            suspended
        }
        CommandBody::Cancel { reason } => {
            life::turn(card, line, (State::Cancelled, &why(reason)), cause, terms, out);
            true
        }
        CommandBody::RulesSet { rules } if is_beyond_presets(rules, terms.catalogue) => false,
        CommandBody::RulesSet { rules } => {
            let mut said = Vec::new();
            let set =
                line.with_wallet(terms, cause.at, |wallet, scene| wallet.set_rules(scene, rules, &mut said));
            say(card, line, said, cause, terms, out);
            set.is_ok()
        }
        CommandBody::Unsupported { .. } => false,
    }
}

/// A policy may leave customers the presets: 50 % and 80 % burnt, 500 and 1000 MiB left, seven days, exhausted.
fn is_beyond_presets(rules: &[Rule], catalogue: &Catalogue) -> bool {
    let preset = |rule: &Rule| match rule.kind {
        RuleKind::BurntPercent(percent) => percent == 50 || percent == 80,
        RuleKind::RemainingBytes(bytes) => bytes == 524_288_000 || bytes == 1_048_576_000,
        RuleKind::ExpiresDays(days) => days == 7,
        RuleKind::Exhausted(_) => true,
        _ => false,
    };
    catalogue.rules_policy == RulesPolicy::Presets && !rules.iter().all(preset)
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
    let mut said = Vec::new();
    if line.state == State::Cancelled {
        // Of a tombstone nothing is remembered but that it is one.
        let before = line.tombstone.is_none() && line.wallet.has_taken(&order, terms.now);
        if !before {
            said.push(EventBody::RechargeRefused { order: id, payment, reason: String::new() });
        }
        say(card, line, said, cause, terms, out);
        return before;
    }
    let taken = line.with_wallet(terms, cause.at, |wallet, scene| wallet.recharge(scene, order, &mut said));
    if taken.is_err() {
        said.push(EventBody::RechargeRefused { order: id, payment, reason: String::new() });
    }
    let exhausted = say(card, line, said, cause, terms, out);
    if taken == Ok(true) {
        // What is bought ends nothing.
        follow(card, line, (false, "recharge", exhausted), cause, terms, out);
    }
    taken.is_ok()
}

/// An order is taken back: whether it was, or had been.
fn void(
    card: CardId,
    line: &mut Line,
    void: (&String, &String, BurntBecomes),
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    let covered_before = line.wallet.has_base(cause.at);
    let mut said = Vec::new();
    let done = line.with_wallet(terms, cause.at, |wallet, scene| wallet.void(scene, void, &mut said));
    let exhausted = say(card, line, said, cause, terms, out);
    if done == Some(true) {
        follow(card, line, (covered_before, "void", exhausted), cause, terms, out);
        life::go_on(line, terms);
    }
    done.is_some()
}

/// The packages of a card that is cancelled.
pub(super) fn give_up(
    card: CardId,
    line: &mut Line,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    if line.wallet.begun {
        let mut said = Vec::new();
        line.with_wallet(terms, cause.at, |wallet, scene| wallet.give_up(scene, &mut said));
        say(card, line, said, cause, terms, out);
        line.cut();
    }
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
    let moves = line.carrier != register.carrier && line.is_known();
    if !registers(register, terms.catalogue) || moves {
        return false;
    }
    let brought = match &register.opening {
        Some(opening) => {
            let times = (command.at, terms.now);
            let judged = opening::judge(register, opening, (terms.catalogue, terms.zone), times);
            let fresh = opening::is_fresh(line, opening, terms.now) && line.carrier == register.carrier;
            let Some(brought) = judged.filter(|_| fresh) else { return false };
            Some((&**opening, brought))
        }
        None => None,
    };
    let replanned = line.plan != register.plan;
    if line.carrier != register.carrier {
        line.forget_feeds();
        line.complete_through = Day::MIN;
        line.totals.clear();
        line.by_totals.clear();
    }
    (line.carrier, line.plan, line.channel) =
        (register.carrier.clone(), register.plan.clone(), register.channel.clone());
    if command.iccid.len() == 20 || line.iccid.is_empty() {
        line.iccid =
            if command.iccid.len() == 20 { command.iccid.to_ascii_uppercase() } else { card.to_string() };
    }
    if let Some(recipients) = &register.recipients {
        line.credits.recipients.clone_from(recipients);
    }
    let released = line.numbers.iter_mut().filter(|(n, _, to)| to.is_none() && !register.numbers.contains(n));
    for (_, from, to) in released {
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
        line.wallet.begun |= line.is_known() && super::fold::watches(line, terms);
        look(card, line, cause, terms, out);
    }
    if let Some(brought) = brought {
        opening::open(card, line, brought, cause, terms, out);
    }
    true
}

/// Packages and alerts are looked at anew.
pub(super) fn look(
    card: CardId,
    line: &mut Line,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) {
    if !line.wallet.begun || line.state == State::Cancelled {
        return;
    }
    let mut said = Vec::new();
    line.with_wallet(terms, cause.at, |wallet, scene| {
        wallet.look(scene, super::watch::Why::Usage, &mut said);
    });
    let exhausted = say(card, line, said, cause, terms, out);
    heed_what_is_left(card, line, (exhausted, "correction"), cause, terms, out);
}

/// Publishes what the wallet said; whether that was also of a package of which nothing is left.
pub(super) fn say(
    card: CardId,
    line: &mut Line,
    mut said: Vec<EventBody>,
    cause: Cause<'_>,
    terms: Terms<'_>,
    out: &mut Vec<Expected>,
) -> bool {
    credits::deliver(card, line, cause, terms, &mut said);
    let exhausted = said.iter().any(|body| matches!(body, EventBody::PackageExhausted(_)));
    for body in said {
        emit(card, line, cause, terms, body, out);
    }
    exhausted
}

pub(super) fn close_cycles(
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
        (cycle.closed, line.closed_through) = (true, line.closed_through.max(cycle.next - 1));
        let left = line.left_of(terms, first);
        line.left_at_close.insert(first, left);
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

pub(super) fn emit(
    card: CardId,
    line: &Line,
    cause: Cause<'_>,
    terms: Terms<'_>,
    body: EventBody,
    out: &mut Vec<Expected>,
) {
    // A declaration counts from its own second; the card may have learnt of it a little later.
    let declared = cause.position.is_none()
        && matches!(
            body,
            EventBody::AlertFired(_)
                | EventBody::AlertResolved(_)
                | EventBody::PackageExhausted(_)
                | EventBody::CardSuspended { .. }
                | EventBody::CardResumed { .. }
        );
    out.push(Expected {
        card,
        id: id(card, line.turns, cause, &body),
        at: cause.at,
        log_time: (!declared).then_some(terms.now),
        cause: cause.position,
        body,
        forgettable: false,
    });
}
