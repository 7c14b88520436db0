//! What a card brings along that comes in mid-life: the `opening` of a `card.register`, read and written.
//!
//! Invariant: what is not said is not guessed: amounts, dates and payments must be there; `overage` and `burnt_in_cycle`
//! are left to the meter, which knows the cycle.

use serde_json::{Value, json};

use super::command::{credits, kind, payment, per, priority, quota};
use super::error::JsonError;
use super::object::Object;
use super::write::payment_out;
use crate::codec::time;
use crate::model::{Amount, OpenedPackage, OpenedState, Opening, Stopped};

pub(super) fn read(object: Object<'_>) -> Result<Opening, JsonError> {
    Ok(Opening {
        used: object.field("used").amount("used")?,
        overage: optional_amount(object, "overage")?,
        packages: object.optional_list("packages", package)?.unwrap_or_default(),
        state: state(object)?,
        credits: if object.field("credits").is_said() { credits(object)? } else { 0 },
    })
}

fn optional_amount(object: Object<'_>, field: &'static str) -> Result<Option<Amount>, JsonError> {
    let amount = object.field(field);
    if amount.is_said() { amount.amount(field).map(Some) } else { Ok(None) }
}

fn package(object: Object<'_>) -> Result<OpenedPackage, JsonError> {
    let channel = object.field("channel").optional_name("channel")?;
    Ok(OpenedPackage {
        order: object.field("order").name("order")?.into_owned(),
        channel: channel.unwrap_or_default().into_owned(),
        payment: object.object("payment", payment)?,
        kind: kind(object)?,
        quota: quota(object.field("quota"))?,
        per: per(object)?,
        priority: priority(object)?,
        burnt: object.field("burnt").amount("burnt")?,
        burnt_in_cycle: optional_amount(object, "burnt_in_cycle")?,
        effective_at: object.field("effective_at").time("effective_at")?,
        expires_at: object.field("expires_at").time("expires_at")?,
    })
}

fn state(object: Object<'_>) -> Result<OpenedState, JsonError> {
    const STATES: [(&str, bool); 2] = [("active", true), ("suspended", false)];
    const BY: [(&str, Stopped); 3] =
        [("owner", Stopped::Owner), ("expiry", Stopped::Expiry), ("exhaustion", Stopped::Exhaustion)];
    let state = object.field("state");
    if !state.is_said() || state.choice("state", &STATES, "active or suspended")? {
        return Ok(OpenedState::Active);
    }
    let since = object.field("suspended_at");
    Ok(OpenedState::Suspended {
        by: object.field("suspended_by").choice("suspended_by", &BY, "owner, expiry or exhaustion")?,
        since: if since.is_said() { Some(since.time("suspended_at")?) } else { None },
    })
}

pub(super) fn out(opening: &Opening) -> Value {
    let packages: Vec<Value> = opening.packages.iter().map(package_out).collect();
    let mut out = json!({ "used": opening.used, "packages": packages, "credits": opening.credits });
    if let Some(overage) = opening.overage {
        out["overage"] = overage.into();
    }
    out["state"] = match opening.state {
        OpenedState::Active => "active".into(),
        OpenedState::Suspended { by, since } => {
            out["suspended_by"] = json!(by);
            if let Some(since) = since {
                out["suspended_at"] = time::text(since).into();
            }
            "suspended".into()
        }
    };
    out
}

fn package_out(package: &OpenedPackage) -> Value {
    let mut out = json!({
        "order": package.order,
        "payment": payment_out(&package.payment),
        "kind": package.kind,
        "quota": package.quota.map_or_else(|| Value::from("unlimited"), Value::from),
        "per": package.per,
        "priority": package.priority,
        "burnt": package.burnt,
        "effective_at": time::text(package.effective_at),
        "expires_at": time::text(package.expires_at),
    });
    if !package.channel.is_empty() {
        out["channel"] = package.channel.as_str().into();
    }
    if let Some(burnt) = package.burnt_in_cycle {
        out["burnt_in_cycle"] = burnt.into();
    }
    out
}
