//! The model → outside JSON, as [`super::cdr`], [`super::reading`] and `super::command` read it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::codec::time;
use crate::model::{
    Broadcast, CardCommand, CardId, Cdr, CommandBody, Move, Number, NumberKind, PackageSpec, Payment,
    PostedCdr, Reading, Register, Rule, UnixTime,
};

/// What the record calls its card: the number that it came by, else the ICCID. An IMEI stands with the record.
#[derive(Serialize)]
struct Name {
    #[serde(skip_serializing_if = "Option::is_none")]
    iccid: Option<CardId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imsi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msisdn: Option<String>,
}

impl Name {
    fn new(card: CardId, number: Option<Number>) -> Self {
        let digits = |kind| number.filter(|n| n.kind == kind).map(|n| n.digits.to_string());
        let (imsi, msisdn) = (digits(NumberKind::Imsi), digits(NumberKind::Msisdn));
        let iccid = number.is_none().then_some(card);
        Self { iccid, imsi, msisdn }
    }
}

/// The device that the card is named by, if it is.
fn naming_device(number: Option<Number>) -> Option<u64> {
    number.filter(|number| number.kind == NumberKind::Imei).map(|number| number.digits)
}

#[derive(Serialize)]
struct CdrOut<'a> {
    #[serde(flatten)]
    name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    imei: Option<String>,
    feed: &'a str,
    id: &'a str,
    start: String,
    end: String,
    up: u64,
    down: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slices: Vec<SliceOut>,
}

#[derive(Serialize)]
struct SliceOut {
    end: String,
    up: u64,
    down: u64,
}

#[derive(Serialize)]
struct ReadingOut<'a> {
    #[serde(flatten)]
    name: Name,
    feed: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    imei: Option<String>,
    counter: &'a str,
    at: String,
    tx: u64,
    rx: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

/// A CDR.
#[must_use]
pub fn cdr(record: &Cdr<'_>) -> Vec<u8> {
    let slice = |s: crate::model::Slice| SliceOut { end: time::text(s.end), up: s.up, down: s.down };
    bytes(&CdrOut {
        name: Name::new(record.card, record.number),
        imei: naming_device(record.number).map(|digits| digits.to_string()),
        feed: record.feed.name,
        id: record.id,
        start: time::text(record.start),
        end: time::text(record.end),
        up: record.up,
        down: record.down,
        slices: record.slices.iter().map(slice).collect(),
    })
}

/// A reading.
#[must_use]
pub fn reading(record: &Reading<'_>) -> Vec<u8> {
    bytes(&ReadingOut {
        name: Name::new(record.card, record.number),
        feed: record.feed.name,
        imei: (record.imei != 0 || record.counter.total().is_none()).then(|| record.imei.to_string()),
        counter: record.counter.0,
        at: time::text(record.at),
        tx: record.tx,
        rx: record.rx,
        width: (record.width != 0).then_some(record.width),
        session: (!record.session.is_empty()).then_some(record.session),
    })
}

/// A command of a card. Of an unsupported one only its name and envelope are known.
#[must_use]
pub fn command(command: &CardCommand) -> Vec<u8> {
    let mut out = json!({
        "id": command.id,
        "card": command.iccid,
        "type": type_name(&command.body),
        "at": time::text(command.at),
    });
    if let (Value::Object(out), Value::Object(body)) = (&mut out, body(&command.body, command.card)) {
        out.extend(body);
    }
    bytes(&out)
}

/// A command without a card; `at` as it was said, and needed by `clock.advance`.
#[must_use]
pub fn broadcast(broadcast: &Broadcast, at: Option<UnixTime>) -> Vec<u8> {
    let mut out = match broadcast {
        Broadcast::FeedComplete { id, feed, day } => {
            json!({ "id": id, "type": "feed.complete", "feed": feed, "day": time::day_text(*day) })
        }
        Broadcast::ClockAdvance { id } => json!({ "id": id, "type": "clock.advance" }),
    };
    if let (Value::Object(out), Some(at)) = (&mut out, at) {
        out.insert("at".to_owned(), time::text(at).into());
    }
    bytes(&out)
}

/// The type as the outside knows it.
fn type_name(body: &CommandBody) -> &str {
    match body {
        CommandBody::Register(_) => "card.register",
        CommandBody::Suspend { .. } => "card.suspend",
        CommandBody::Resume => "card.resume",
        CommandBody::Cancel { .. } => "card.cancel",
        CommandBody::Confirm { .. } => "card.confirm",
        CommandBody::Recharge { .. } => "recharge",
        CommandBody::Void { .. } => "recharge.void",
        CommandBody::RulesSet { .. } => "rules.set",
        CommandBody::RecipientsSet { .. } => "recipients.set",
        CommandBody::UsageAdjust { .. } => "usage.adjust",
        CommandBody::RecordPost { .. } => "record.post",
        CommandBody::CreditsAdd { .. } => "credits.add",
        CommandBody::CreditsMove { .. } => "credits.move",
        CommandBody::CreditsReturn { .. } => "credits.return",
        CommandBody::Unsupported { name } => name.split(' ').next().unwrap_or(name),
    }
}

fn body(body: &CommandBody, card: CardId) -> Value {
    match body {
        CommandBody::Register(register) => register_out(register),
        CommandBody::Suspend { reason } | CommandBody::Cancel { reason } => match reason {
            Some(reason) => json!({ "reason": reason }),
            None => json!({}),
        },
        CommandBody::Recharge { order, channel, payment, package, mode } => {
            let mut out = json!({
                "order": order,
                "payment": payment_out(payment),
                "package": package_out(package),
                "mode": mode,
            });
            if !channel.is_empty() {
                out["channel"] = channel.as_str().into();
            }
            out
        }
        CommandBody::Confirm { state } => json!({ "state": state }),
        CommandBody::Void { order, reference, burnt } => {
            json!({ "order": order, "reference": reference, "burnt": burnt })
        }
        CommandBody::RulesSet { rules } => json!({ "rules": rules.iter().map(rule_out).collect::<Vec<_>>() }),
        CommandBody::RecipientsSet { recipients } => json!({ "recipients": recipients }),
        CommandBody::UsageAdjust { reference, bytes, day, reason } => {
            let mut out = json!({ "reference": reference, "bytes": bytes });
            if let Some(day) = day {
                out["day"] = time::day_text(*day).into();
            }
            if let Some(reason) = reason {
                out["reason"] = reason.as_str().into();
            }
            out
        }
        CommandBody::RecordPost { reference, quarantined_at, record, into } => json!({
            "reference": reference,
            "quarantined_at": time::text(*quarantined_at),
            "record": posted_out(record, card),
            "into": into,
        }),
        CommandBody::CreditsAdd { credits, payment } => {
            let mut out = json!({ "credits": credits });
            if let Some(payment) = payment {
                out["payment"] = payment_out(payment);
            }
            out
        }
        CommandBody::CreditsMove { reference, credits, other } => match other {
            Move::To(card) => json!({ "reference": reference, "credits": credits, "to": card }),
            Move::From(card) => json!({ "reference": reference, "credits": credits, "from": card }),
        },
        CommandBody::CreditsReturn { reference, recipient } => {
            let mut out = json!(recipient);
            out["reference"] = reference.as_str().into();
            out
        }
        CommandBody::Resume | CommandBody::Unsupported { .. } => json!({}),
    }
}

fn posted_out(record: &PostedCdr, card: CardId) -> Value {
    let slice = |&(end, up, down): &(UnixTime, u64, u64)| SliceOut { end: time::text(end), up, down };
    json!(CdrOut {
        name: Name::new(card, None),
        imei: None,
        feed: &record.feed,
        id: &record.id,
        start: time::text(record.start),
        end: time::text(record.end),
        up: record.up,
        down: record.down,
        slices: record.slices.iter().map(slice).collect(),
    })
}

fn register_out(register: &Register) -> Value {
    let mut out = json!({ "channel": register.channel, "carrier": register.carrier, "plan": register.plan });
    if let Some(recipients) = &register.recipients {
        out["recipients"] = json!(recipients);
    }
    if let Some(opening) = &register.opening {
        out["opening"] = super::opening::out(opening);
    }
    for number in &register.numbers {
        out[crate::codec::directory::kind_name(number.kind)] = number.digits.to_string().into();
    }
    out
}

/// A payment with its time as text.
pub(in crate::codec) fn payment_out(payment: &Payment) -> Value {
    json!({
        "provider": payment.provider,
        "reference": payment.reference,
        "paid_at": time::text(payment.paid_at),
    })
}

fn package_out(package: &PackageSpec) -> Value {
    let quota = package.quota.map_or_else(|| Value::from("unlimited"), Value::from);
    let mut out = json!({
        "kind": package.kind,
        "quota": quota,
        "validity": package.validity,
        "per": package.per,
        "priority": package.priority,
    });
    if package.pays_overage {
        out["pays_overage"] = true.into();
    }
    out
}

fn rule_out(rule: &Rule) -> Value {
    json!(rule)
}

/// The model's texts and numbers always have a JSON form.
pub(in crate::codec) fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
