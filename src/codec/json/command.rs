//! Commands of `card.commands`: the outside form → the model. Not the hot path: a few in a thousand records.
//!
//! What the card's state decides (unknown plan, foreign channel, a quota of nothing) is the meter's to refuse, with an
//! answer to the sender; here only what cannot be understood is an error.

use serde_json::Value;

use super::error::{JsonError, shown};
use super::field::Field;
use super::object::Object;
use super::opening;
use crate::limits::COMMAND_BYTES_MAX;
use crate::model::{
    Broadcast, BurntBecomes, CardCommand, CarrierState, CommandBody, Mode, Move, NumberKind, PackageKind,
    PackageSpec, Payment, Per, PostInto, PostedCdr, Recipient, Register, Rule, RuleKind, UnixTime, Validity,
    Yes,
};

/// A command as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandIn {
    /// For one card.
    Card(CardCommand),
    /// For every partition.
    Broadcast {
        broadcast: Broadcast,
        /// When it was given, if it says so; always of `clock.advance`, which is there for it.
        at: Option<UnixTime>,
    },
}

const TYPE: &str = "a command of the contract, like recharge or card.register";

/// Reads a command.
///
/// # Errors
/// The first field that is missing, of another type or out of bounds; a type that is not in the contract; more than
/// `COMMAND_BYTES_MAX`.
pub fn command(bytes: &[u8]) -> Result<CommandIn, JsonError> {
    if bytes.len() > COMMAND_BYTES_MAX {
        let problem = format!("the command has {} bytes, more than {COMMAND_BYTES_MAX}", bytes.len());
        return Err(JsonError::new("", problem, ""));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|e| JsonError::syntax(bytes, &e))?;
    let object = Object::of(&value).ok_or_else(|| JsonError::new("", "not a JSON object", ""))?;
    read(object).map_err(|error| error.locate(bytes))
}

fn read(object: Object<'_>) -> Result<CommandIn, JsonError> {
    let kind = object.field("type").name("type").map_err(|error| JsonError { expected: TYPE, ..error })?;
    let id = || object.field("id").name("id").map(std::borrow::Cow::into_owned);
    match &*kind {
        "feed.complete" => {
            let feed = object.field("feed").name("feed")?.into_owned();
            let broadcast = Broadcast::FeedComplete { id: id()?, feed, day: object.field("day").day("day")? };
            let at = object.field("at");
            Ok(CommandIn::Broadcast { broadcast, at: if at.is_said() { Some(at.time("at")?) } else { None } })
        }
        "clock.advance" => {
            let at = Some(object.field("at").time("at")?);
            Ok(CommandIn::Broadcast { broadcast: Broadcast::ClockAdvance { id: id()? }, at })
        }
        kind => card_command(object, kind, id()?).map(CommandIn::Card),
    }
}

fn card_command(object: Object<'_>, kind: &str, id: String) -> Result<CardCommand, JsonError> {
    let body = body(object, kind, &id)?;
    let card = object.field("card").iccid("card")?;
    let iccid = object.field("card").name("card")?.to_ascii_uppercase();
    Ok(CardCommand { id, card, iccid, at: object.field("at").time("at")?, body })
}

fn body(object: Object<'_>, kind: &str, id: &str) -> Result<CommandBody, JsonError> {
    let reason = || object.field("reason").optional_reason("reason");
    match kind {
        "card.register" => register(object),
        "card.suspend" => Ok(CommandBody::Suspend { reason: reason()? }),
        "card.resume" => Ok(CommandBody::Resume),
        "card.cancel" => Ok(CommandBody::Cancel { reason: reason()? }),
        "card.confirm" => confirm(object),
        "recharge" => recharge(object, id),
        "recharge.void" => void(object),
        "rules.set" => Ok(CommandBody::RulesSet { rules: object.list("rules", rule)? }),
        "recipients.set" => {
            Ok(CommandBody::RecipientsSet { recipients: object.list("recipients", recipient)? })
        }
        "credits.add" => Ok(CommandBody::CreditsAdd {
            credits: credits(object)?,
            payment: object.optional_object("payment", payment)?,
        }),
        "credits.move" => credits_move(object),
        "credits.return" => Ok(CommandBody::CreditsReturn {
            reference: object.field("reference").reference("reference")?,
            recipient: recipient(object)?,
        }),
        "usage.adjust" => usage_adjust(object),
        "record.post" => record_post(object),
        name => Err(JsonError::new("type", format!("is {}, which is no command", shown(name)), TYPE)),
    }
}

fn register(object: Object<'_>) -> Result<CommandBody, JsonError> {
    let name = |field| object.field(field).name(field).map(std::borrow::Cow::into_owned);
    let register = Register {
        channel: name("channel")?,
        carrier: name("carrier")?,
        plan: name("plan")?,
        numbers: numbers(object)?,
        recipients: object.optional_list("recipients", recipient)?,
        opening: object.optional_object("opening", opening::read)?.map(Box::new),
    };
    Ok(CommandBody::Register(Box::new(register)))
}

fn usage_adjust(object: Object<'_>) -> Result<CommandBody, JsonError> {
    let day = object.field("day");
    Ok(CommandBody::UsageAdjust {
        reference: object.field("reference").name("reference")?.into_owned(),
        bytes: object.field("bytes").signed("bytes")?,
        day: if day.is_said() { Some(day.day("day")?) } else { None },
        reason: object.field("reason").optional_reason("reason")?,
    })
}

/// The record in its outside form, as the quarantine has it.
fn record_post(object: Object<'_>) -> Result<CommandBody, JsonError> {
    const INTO: [(&str, PostInto); 2] = [("open", PostInto::Open), ("original", PostInto::Original)];
    let record = object.object("record", |record| {
        let bytes = record.to_vec();
        let mut scratch = super::Scratch::default();
        let cdr = super::cdr(&bytes, &mut scratch).map_err(|error| JsonError { at: None, ..error })?;
        Ok(PostedCdr {
            feed: cdr.feed.into_owned(),
            id: cdr.id.into_owned(),
            start: cdr.start,
            end: cdr.end,
            up: cdr.up,
            down: cdr.down,
            slices: cdr.slices.iter().map(|slice| (slice.end, slice.up, slice.down)).collect(),
        })
    })?;
    let into = object.field("into");
    Ok(CommandBody::RecordPost {
        reference: object.field("reference").name("reference")?.into_owned(),
        quarantined_at: object.field("quarantined_at").time("quarantined_at")?,
        record: Box::new(record),
        into: if into.is_said() { into.choice("into", &INTO, "open or original")? } else { PostInto::Open },
    })
}

pub(super) fn credits(object: Object<'_>) -> Result<u32, JsonError> {
    object.field("credits").whole("credits", u64::from(u32::MAX)).map(|credits| credits as u32)
}

fn credits_move(object: Object<'_>) -> Result<CommandBody, JsonError> {
    let field = only(object, ["to", "from"])
        .ok_or_else(|| JsonError::new("", "does not say where the credits go", "one of to and from"))?;
    let card = object.field(field).iccid(field)?;
    Ok(CommandBody::CreditsMove {
        reference: object.field("reference").name("reference")?.into_owned(),
        credits: credits(object)?,
        other: if field == "to" { Move::To(card) } else { Move::From(card) },
    })
}

/// Somebody to be told, by the channel that is said.
fn recipient(object: Object<'_>) -> Result<Recipient, JsonError> {
    let field = only(object, ["sms", "voice"])
        .ok_or_else(|| JsonError::new("", "does not say how to tell", "one of sms and voice"))?;
    let to = object.field(field).name(field)?.into_owned();
    Ok(if field == "sms" { Recipient::Sms(to) } else { Recipient::Voice(to) })
}

fn numbers(object: Object<'_>) -> Result<Vec<crate::model::Number>, JsonError> {
    let kinds = [("imsi", NumberKind::Imsi), ("msisdn", NumberKind::Msisdn), ("imei", NumberKind::Imei)];
    let one = |(field, kind)| object.field(field).optional_number(field, kind).transpose();
    kinds.into_iter().filter_map(one).collect()
}

fn recharge(object: Object<'_>, id: &str) -> Result<CommandBody, JsonError> {
    const MODES: [(&str, Mode); 3] =
        [("immediate", Mode::Immediate), ("renewal", Mode::Renewal), ("next_cycle", Mode::NextCycle)];
    let order = object.field("order").optional_name("order")?;
    let channel = object.field("channel").optional_name("channel")?;
    Ok(CommandBody::Recharge {
        order: order.map_or_else(|| id.to_owned(), std::borrow::Cow::into_owned),
        channel: channel.unwrap_or_default().into_owned(),
        payment: object.object("payment", payment)?,
        package: object.object("package", package)?,
        mode: object.field("mode").choice("mode", &MODES, "immediate, renewal or next_cycle")?,
    })
}

fn confirm(object: Object<'_>) -> Result<CommandBody, JsonError> {
    const STATES: [(&str, CarrierState); 3] = [
        ("active", CarrierState::Active),
        ("suspended", CarrierState::Suspended),
        ("cancelled", CarrierState::Cancelled),
    ];
    let state = object.field("state").choice("state", &STATES, "active, suspended or cancelled")?;
    Ok(CommandBody::Confirm { state })
}

fn void(object: Object<'_>) -> Result<CommandBody, JsonError> {
    const BURNT: [(&str, BurntBecomes); 2] =
        [("overage", BurntBecomes::Overage), ("waived", BurntBecomes::Waived)];
    Ok(CommandBody::Void {
        order: object.field("order").name("order")?.into_owned(),
        reference: object.field("reference").name("reference")?.into_owned(),
        burnt: object.field("burnt").choice("burnt", &BURNT, "overage or waived")?,
    })
}

pub(super) fn payment(object: Object<'_>) -> Result<Payment, JsonError> {
    Ok(Payment {
        provider: object.field("provider").name("provider")?.into_owned(),
        reference: object.field("reference").name("reference")?.into_owned(),
        paid_at: object.field("paid_at").time("paid_at")?,
    })
}

fn package(object: Object<'_>) -> Result<PackageSpec, JsonError> {
    let pays_overage = object.field("pays_overage");
    Ok(PackageSpec {
        kind: kind(object)?,
        quota: quota(object.field("quota"))?,
        validity: object.object("validity", validity)?,
        per: per(object)?,
        priority: priority(object)?,
        pays_overage: pays_overage.is_said() && pays_overage.flag("pays_overage")?,
    })
}

pub(super) fn kind(object: Object<'_>) -> Result<PackageKind, JsonError> {
    const KINDS: [(&str, PackageKind); 2] = [("base", PackageKind::Base), ("booster", PackageKind::Booster)];
    object.field("kind").choice("kind", &KINDS, "base or booster")
}

pub(super) fn per(object: Object<'_>) -> Result<Per, JsonError> {
    const PERS: [(&str, Per); 2] = [("validity", Per::Validity), ("cycle", Per::Cycle)];
    let per = object.field("per");
    if per.is_said() { per.choice("per", &PERS, "validity or cycle") } else { Ok(Per::Validity) }
}

pub(super) fn priority(object: Object<'_>) -> Result<u8, JsonError> {
    let priority = object.field("priority");
    if priority.is_said() { priority.whole("priority", 255).map(|priority| priority as u8) } else { Ok(0) }
}

/// An amount, or no limit, which must be said: a quota forgotten would be the dearest of all.
pub(super) fn quota(field: Field<'_>) -> Result<Option<u64>, JsonError> {
    match field {
        Field::Null => Ok(None),
        Field::Text(text) if text == "unlimited" => Ok(None),
        Field::Absent => Err(field.wrong("quota", "an amount like 500MiB, or \"unlimited\"")),
        amount => amount.amount("quota").map(Some),
    }
}

fn validity(object: Object<'_>) -> Result<Validity, JsonError> {
    const UNITS: [&str; 3] = ["months", "days", "cycles"];
    let field = only(object, UNITS)
        .ok_or_else(|| JsonError::new("", "does not say how long", "one of months, days and cycles"))?;
    let count = object.field(field).whole(field, u64::from(u16::MAX))? as u16;
    Ok(match field {
        "months" => Validity::Months(count),
        "days" => Validity::Days(count),
        _ => Validity::Cycles(count),
    })
}

/// The one of some fields that is said.
fn only<const N: usize>(object: Object<'_>, fields: [&'static str; N]) -> Option<&'static str> {
    let mut said = fields.into_iter().filter(|field| object.field(field).is_said());
    said.next().filter(|_| said.next().is_none())
}

fn rule(object: Object<'_>) -> Result<Rule, JsonError> {
    const KINDS: [&str; 8] = [
        "burnt_percent",
        "remaining_percent",
        "remaining_bytes",
        "used_bytes",
        "used_day_bytes",
        "expires_days",
        "exhausted",
        "no_data_hours",
    ];
    const EXPECTED: &str = "one of burnt_percent, remaining_percent, remaining_bytes, used_bytes, used_day_bytes, \
                            expires_days, exhausted and no_data_hours";
    let name = object.field("name").name("name")?.into_owned();
    let field =
        only(object, KINDS).ok_or_else(|| JsonError::new("", "does not say what to watch", EXPECTED))?;
    let said = object.field(field);
    let kind = match field {
        "burnt_percent" => RuleKind::BurntPercent(said.whole(field, 100)? as u8),
        "remaining_percent" => RuleKind::RemainingPercent(said.whole(field, 100)? as u8),
        "remaining_bytes" => RuleKind::RemainingBytes(said.amount(field)?),
        "used_bytes" => RuleKind::UsedBytes(said.amount(field)?),
        "used_day_bytes" => RuleKind::UsedDayBytes(said.amount(field)?),
        "expires_days" if said.is_true() => RuleKind::ExpiresDays(RuleKind::EXPIRES_DAYS),
        "expires_days" => RuleKind::ExpiresDays(said.whole(field, u64::from(u16::MAX))? as u16),
        "exhausted" if said.is_true() => RuleKind::Exhausted(Yes),
        "exhausted" => return Err(said.wrong(field, "true")),
        _ => RuleKind::NoDataHours(said.whole(field, u64::from(u16::MAX))? as u16),
    };
    Ok(Rule { name, kind })
}
