//! Commands of one card: each is answered by exactly one event, applied or refused, however often it is sent.

use super::account::{OrderOutcome, Recharge, Void};
use super::adjust;
use super::book::{self, Had};
use super::card::Card;
use super::ctx::{Because, Ctx, Verdict};
use super::due;
use super::effects::Effects;
use super::index::CatalogueIndex;
use super::life::{self, Turn};
use super::notify;
use super::opening;
use super::seen::Known;
use super::state::{CardState, SuspendedBy};
use crate::codec::canonical;
use crate::limits::{DAY_S, FUTURE_S_MAX, ORDER_DAYS};
use crate::model::{
    CardCommand, CardName, CarrierState, CommandBody, DirectoryEntry, EventBody, Move, Number, Outcome,
    Register, RulesPolicy, UnixTime, beyond_presets,
};

/// Why a command is refused: a text for a support agent.
pub(super) type Refusal = String;

/// Reads a command as ingest wrote it.
pub(super) fn read(json: &[u8]) -> Result<CardCommand, Verdict> {
    serde_json::from_slice(json)
        .map_err(|error| Verdict::new(Outcome::Rejected, 0, format!("not a canonical command: {error}")))
}

/// Folds a command into its card. When it was given is not part of what it says: sent again later it is a repeat.
pub(super) fn fold(
    card: &mut Card,
    command: &CardCommand,
    because: &Because<'_>,
    ctx: &Ctx<'_>,
    effects: &mut Effects,
) -> Verdict {
    let content = canonical::to_vec(&command.body);
    let known = card.cold().commands.note(&command.id, &content, ctx.index.seed, ctx.now);
    match known {
        Known::Duplicate => return Verdict::new(Outcome::Duplicate, 0, ""),
        Known::Conflict => {
            return Verdict::new(Outcome::Conflict, 0, "the same id was used for another command");
        }
        Known::New | Known::Full => {}
    }
    let result = match (known, check_time(command.at, ctx.now)) {
        (Known::Full, _) => Err("the card has 4,096 commands of the last 90 days already".to_owned()),
        (_, timely) => timely,
    };
    let result = match result {
        Ok(()) => apply(card, command, ctx, because, effects),
        Err(reason) => {
            tell_payer(card, command, &reason, ctx, because, effects);
            Err(reason)
        }
    };
    ctx.changed(card, effects);
    due::reschedule(card, ctx);
    ctx.emit(card, because, answer(&command.id, result), effects);
    Verdict::counted(0)
}

/// A recharge is refused unread, and its payer is to be refunded. Of an old one nobody knows any more whether it was taken.
fn tell_payer(
    card: &Card,
    command: &CardCommand,
    reason: &str,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let is_old = is_old(command.at, ctx.now);
    if matches!(command.body, CommandBody::Recharge { .. }) && !is_old && !was_taken(card, &command.body, ctx)
    {
        refuse_recharge(card, &command.body, reason, ctx, because, effects);
    }
}

/// The one answer of a command.
pub(super) fn answer(command: &str, result: Result<(), Refusal>) -> EventBody {
    let command = command.to_owned();
    match result {
        Ok(()) => EventBody::CommandApplied { command },
        Err(reason) => EventBody::CommandRefused { command, reason },
    }
}

/// Old commands are refused because their ids are no longer known (`docs/rules.md` C9).
pub(super) fn check_time(at: UnixTime, now: UnixTime) -> Result<(), Refusal> {
    if is_old(at, now) {
        return Err("its `at` is more than 90 days ago".to_owned());
    }
    if at > now.saturating_add(FUTURE_S_MAX) {
        return Err("its `at` is more than 10 minutes after log time".to_owned());
    }
    Ok(())
}

fn is_old(at: UnixTime, now: UnixTime) -> bool {
    at < now.saturating_sub(ORDER_DAYS.saturating_mul(DAY_S))
}

fn apply(
    card: &mut Card,
    command: &CardCommand,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    if card.state == CardState::Cancelled {
        return apply_cancelled(card, &command.body, ctx, because, effects);
    }
    match &command.body {
        CommandBody::Register(register) => register_with(card, command, register, ctx, because, effects),
        CommandBody::Suspend { reason } => suspend(card, reason.as_deref(), ctx, because, effects),
        CommandBody::Resume => resume(card, ctx, because, effects),
        CommandBody::Cancel { reason } => {
            life::turn(card, Turn::Cancelled, cause(reason.as_deref()), ctx, because, effects);
            Ok(())
        }
        CommandBody::Confirm { state } => {
            confirm(card, *state, ctx, because, effects);
            Ok(())
        }
        CommandBody::Recharge { .. } => recharge(card, &command.body, ctx, because, effects),
        CommandBody::Void { order, reference, burnt } => {
            let order = Void { order, reference, burnt: *burnt };
            void(card, &order, ctx, because, effects)
        }
        CommandBody::RulesSet { rules } => {
            let limited = ctx.index.catalogue().rules_policy == RulesPolicy::Presets;
            if let Some(reason) = limited.then(|| beyond_presets(rules)).flatten() {
                return Err(reason);
            }
            book::tell(card, ctx, because, effects, |account, told, out| account.set_rules(told, rules, out))
        }
        CommandBody::RecipientsSet { recipients } => notify::set_recipients(card, recipients),
        body @ (CommandBody::CreditsAdd { .. }
        | CommandBody::CreditsMove { .. }
        | CommandBody::CreditsReturn { .. }) => notify::obey(card, body, ctx, because, effects),
        body @ CommandBody::UsageAdjust { .. } => adjust::adjust(card, body, ctx, because, effects),
        body @ CommandBody::RecordPost { .. } => adjust::post(card, body, ctx, because, effects),
        CommandBody::Unsupported { name } => Err(format!("{name:?} is not done by this version")),
    }
}

fn cause(reason: Option<&str>) -> String {
    reason.map_or_else(|| "command".to_owned(), |reason| format!("command: {reason}"))
}

fn suspend(
    card: &mut Card,
    reason: Option<&str>,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    if card.state == CardState::Suspended && card.suspended_by == SuspendedBy::Owner {
        return Err("the card is suspended already".to_owned());
    }
    life::turn(card, Turn::Suspended(SuspendedBy::Owner), cause(reason), ctx, because, effects);
    Ok(())
}

fn resume(
    card: &mut Card,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    if card.state != CardState::Suspended {
        return Err(format!("the card is {}, not suspended", card.state.name()));
    }
    life::turn(card, Turn::Active, cause(None), ctx, because, effects);
    Ok(())
}

/// Takes what the carrier's system says of the card; said again, it changes nothing.
fn confirm(
    card: &mut Card,
    state: CarrierState,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    if card.life_mut().confirm(state, ctx.now) {
        let body = EventBody::CardConfirmed { state, desired: card.state.desired() };
        ctx.emit(card, because, body, effects);
    }
}

/// Of a cancelled card the carrier's word is still taken, its usage counts and is corrected until its last cycle closes (S3),
/// and credits may leave; all else is refused, a recharge by the event that has its payer refunded.
fn apply_cancelled(
    card: &mut Card,
    body: &CommandBody,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    match body {
        CommandBody::Confirm { state } => {
            confirm(card, *state, ctx, because, effects);
            Ok(())
        }
        CommandBody::Recharge { .. } => recharge_cancelled(card, body, ctx, because, effects),
        body @ CommandBody::UsageAdjust { .. } if !life::is_tombstone(card) => {
            adjust::adjust(card, body, ctx, because, effects)
        }
        body @ CommandBody::RecordPost { .. } if !life::is_tombstone(card) => {
            adjust::post(card, body, ctx, because, effects)
        }
        // The credits of a SIM that was swapped may leave it after its end, and with them that of a message which failed.
        CommandBody::CreditsMove { other: Move::To(_), .. } | CommandBody::CreditsReturn { .. } => {
            notify::obey(card, body, ctx, because, effects)
        }
        _ => Err("the card is cancelled, and that is final".to_owned()),
    }
}

/// The order in a recharge. One that names no channel came through the one that sold the card.
fn order_of<'a>(card: &Card, body: &'a CommandBody, ctx: &'a Ctx<'_>) -> Recharge<'a> {
    let CommandBody::Recharge { order, channel, payment, package, mode } = body else {
        unreachable!("only recharges come here")
    };
    let channel = if channel.is_empty() { ctx.names.get(card.channel) } else { channel };
    Recharge { order, channel, payment, package, mode: *mode }
}

fn recharge(
    card: &mut Card,
    body: &CommandBody,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let order = order_of(card, body, ctx);
    let (outcome, left) =
        book::ask(card, ctx, because, effects, |account, told, out| account.recharge(told, &order, out));
    match outcome {
        OrderOutcome::Applied => {
            // What is bought ends no base.
            book::follow(card, ctx, (Had::NoBase, left), because, effects);
            Ok(())
        }
        OrderOutcome::Repeated => Ok(()),
        OrderOutcome::Refused(reason) => Err(reason),
    }
}

/// Takes an order back; the rows of past cycles that are open may show it.
fn void(
    card: &mut Card,
    void: &Void<'_>,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let had = Had::before_void(card, because.at);
    let (outcome, left) =
        book::ask(card, ctx, because, effects, |account, told, out| account.void(told, void, out));
    match outcome {
        OrderOutcome::Applied => {
            card.usage.touch_open_cycles(ctx.position.offset);
            book::follow(card, ctx, (had, left), because, effects);
            life::wait_no_more(card, ctx);
            Ok(())
        }
        OrderOutcome::Repeated => Ok(()),
        OrderOutcome::Refused(reason) => Err(reason),
    }
}

/// A recharge of a cancelled card: what was taken before is answered as before, anything else is refused.
fn recharge_cancelled(
    card: &mut Card,
    body: &CommandBody,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    if was_taken(card, body, ctx) {
        return Ok(());
    }
    let reason = "the card is cancelled, which is final";
    refuse_recharge(card, body, reason, ctx, because, effects);
    Err(reason.to_owned())
}

/// Whether the same order was taken before, as far as is remembered.
fn was_taken(card: &Card, body: &CommandBody, ctx: &Ctx<'_>) -> bool {
    !life::is_tombstone(card) && card.account.has_taken(&order_of(card, body, ctx), ctx.now)
}

fn refuse_recharge(
    card: &Card,
    body: &CommandBody,
    reason: &str,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) {
    let order = order_of(card, body, ctx);
    let (order, payment) = (order.order.to_owned(), order.payment.clone());
    let body = EventBody::RechargeRefused { order, payment, reason: reason.to_owned() };
    ctx.emit(card, because, body, effects);
}

/// A registration, and what the card brings along if it comes in mid-life: both or neither.
fn register_with(
    card: &mut Card,
    command: &CardCommand,
    register: &Register,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let figures = opening_of(register, ctx.index, command.at, ctx.now)?;
    if card.changed_at == Card::NEVER {
        register_as(card, command, register, ctx, because, effects)?;
    } else {
        register_again(card, command, register, ctx, because, effects)?;
    }
    if let Some((opening, figures)) = register.opening.as_deref().zip(figures) {
        opening::open(card, opening, figures, ctx, because, effects);
    }
    Ok(())
}

/// Looks over what a registration brings along, if anything; of a carrier that is in the catalogue.
pub(super) fn opening_of(
    register: &Register,
    index: &CatalogueIndex,
    said_at: UnixTime,
    now: UnixTime,
) -> Result<Option<opening::Figures>, Refusal> {
    let Some((opening, carrier)) = register.opening.as_deref().zip(index.carrier(&register.carrier)) else {
        return Ok(None);
    };
    let terms = opening::Terms { catalogue: index.catalogue(), calendar: &carrier.calendar, said_at, now };
    opening::look_over(register, opening, terms).map(Some)
}

/// A card that is known is registered anew: other numbers, another plan or channel; the carrier stays. The names have been
/// noted by the shard.
fn register_again(
    card: &mut Card,
    command: &CardCommand,
    register: &Register,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    check_register(register, ctx.index)?;
    if let Some(opening) = &register.opening {
        opening::check_fresh(card, opening, ctx.now)?;
        if ctx.carrier.name != register.carrier {
            return Err(format!(
                "the card is at carrier {:?}: register it at its own first",
                ctx.carrier.name
            ));
        }
    }
    if ctx.carrier.name != register.carrier && card.usage.is_known() {
        return Err(format!(
            "the card has usage at carrier {:?}; moving it to another is not done by this version",
            ctx.carrier.name
        ));
    }
    let plan_before = card.plan;
    register_as(card, command, register, ctx, because, effects)?;
    if card.plan != plan_before {
        book::begin_silently(card, ctx, because, effects);
        book::evaluate(card, ctx, because, effects);
    }
    Ok(())
}

/// What a registration sets, of a new card or a known one.
fn register_as(
    card: &mut Card,
    command: &CardCommand,
    register: &Register,
    ctx: &Ctx<'_>,
    because: &Because<'_>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let name = |name: &str| ctx.names.find(name).ok_or("the shard has no room for more names");
    let (carrier, plan, channel) =
        (name(&register.carrier)?, name(&register.plan)?, name(&register.channel)?);
    if carrier != card.carrier {
        card.leave_carrier();
    }
    (card.carrier, card.plan, card.channel) = (carrier, plan, channel);
    if card.changed_at == Card::NEVER {
        effects.directory.push(DirectoryEntry {
            name: CardName::Iccid(card.id),
            card: card.id,
            valid_from: command.at,
            valid_to: None,
        });
    }
    card.note_iccid(&command.iccid);
    if let Some(recipients) = &register.recipients {
        notify::set_recipients(card, recipients)?;
    }
    let id = card.id;
    card.numbers.replace(&register.numbers, command.at, &mut |held| effects.directory.push(held.entry(id)));
    let body = EventBody::CardRegistered {
        channel: register.channel.clone(),
        carrier: register.carrier.clone(),
        plan: register.plan.clone(),
    };
    ctx.emit(card, because, body, effects);
    Ok(())
}

/// Whether the catalogue knows what a card is to be registered with.
pub(super) fn check_register(register: &Register, index: &CatalogueIndex) -> Result<(), Refusal> {
    if index.carrier(&register.carrier).is_none() {
        return Err(format!("carrier {:?} is not in the catalogue", register.carrier));
    }
    if index.plan(&register.plan).is_none() {
        return Err(format!("plan {:?} is not in the catalogue", register.plan));
    }
    if let Some(problem) = register.recipients.as_deref().and_then(super::purse::problem) {
        return Err(problem);
    }
    let kinds = register.numbers.iter().enumerate();
    let twice = |(at, number): (usize, &Number)| {
        register.numbers.iter().take(at).any(|other| other.kind == number.kind)
    };
    if kinds.into_iter().any(twice) { Err("two numbers of one kind".to_owned()) } else { Ok(()) }
}
