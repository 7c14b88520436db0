//! Orders for a card through a running instance: `recharge`, `rules`, `credits`. What they say is checked there.
//!
//! Invariant: nothing is ordered by leaving something out: `rules` without a rule shows those that the card has.

use std::path::Path;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::args::{CreditsArgs, ModeArg, RechargeArgs, RulesArgs, SendArgs};
use super::card::query_text;
use super::exit::{Exit, Failed};
use super::remote::{Ask, tell};
use super::shown;
use crate::shell::wall_ms;

pub(super) fn recharge(args: &RechargeArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let mode = match args.mode {
        ModeArg::Immediate => "immediate",
        ModeArg::Renewal => "renewal",
        ModeArg::NextCycle => "next_cycle",
    };
    let body = json!({
        "order": args.order, "channel": args.channel, "mode": mode,
        "payment": {"provider": args.provider, "reference": args.reference, "paid_at": args.paid_at},
        "package": {
            "kind": if args.booster { "booster" } else { "base" },
            "quota": number_or_text(&args.quota),
            "validity": validity(&args.validity)?,
        },
    });
    let path = format!("/v1/cards/{}/recharges", query_text(&args.iccid));
    let what =
        format!("order {}, {} for {}, {}", args.order, args.quota, args.validity, mode.replace('_', " "));
    let ask = order(Method::POST, &path, body, &args.send, args.send.key.clone());
    tell(ask, &args.send.instance, from, json, |answer| shown::ordered(&what, answer))
}

pub(super) fn rules(args: &RulesArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let card = query_text(&args.iccid);
    if args.rules.is_empty() && !args.of_plan {
        let path = format!("/v1/cards/{card}");
        return tell(Ask::new(Method::GET, &path), &args.send.instance, from, json, shown::rules_of);
    }
    let rules = args.rules.iter().map(|text| rule(text)).collect::<Result<Vec<_>, _>>()?;
    let what = match rules.len() {
        0 => "the rules of its plan".to_owned(),
        1 => "1 rule of its own".to_owned(),
        many => format!("{many} rules of its own"),
    };
    let path = format!("/v1/cards/{card}/rules");
    let body = json!({ "rules": rules });
    let ask = order(Method::PUT, &path, body, &args.send, Some(key_of(&args.send)));
    tell(ask, &args.send.instance, from, json, |answer| shown::ordered(&what, answer))
}

pub(super) fn credits(args: &CreditsArgs, from: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let path = format!("/v1/cards/{}/credits", query_text(&args.iccid));
    let what = format!("{} more credit{}", args.credits, if args.credits == 1 { "" } else { "s" });
    let body = json!({ "credits": args.credits });
    let ask = order(Method::POST, &path, body, &args.send, Some(key_of(&args.send)));
    tell(ask, &args.send.instance, from, json, |answer| shown::ordered(&what, answer))
}

fn order<'a>(method: Method, path: &'a str, body: Value, args: &SendArgs, key: Option<String>) -> Ask<'a> {
    let wait = (args.wait > 0).then(|| ("prefer", format!("wait={}", args.wait)));
    let key = key.map(|key| ("idempotency-key", key));
    let headers = wait.into_iter().chain(key).collect();
    Ask { body: Some(body), headers, ..Ask::new(method, path) }
}

/// A key that no other command has; whoever wants to send a command again gives it one.
fn key_of(args: &SendArgs) -> String {
    args.key.clone().unwrap_or_else(|| format!("cli-{}-{}", wall_ms(), std::process::id()))
}

fn validity(text: &str) -> Result<Value, Failed> {
    let wrong =
        || Failed::usage(anyhow::anyhow!("--validity {text:?}: days, months or cycles, like 30d, 1m or 3c"));
    let (count, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "d" => "days",
        "m" => "months",
        "c" => "cycles",
        _ => return Err(wrong()),
    };
    let count: u32 = count.parse().map_err(|_| wrong())?;
    Ok(json!({ unit: count }))
}

/// `remaining_bytes=500MiB` becomes `{"name": "remaining_bytes-500MiB", "remaining_bytes": "500MiB"}`.
fn rule(text: &str) -> Result<Value, Failed> {
    let (kind, value) = text.split_once('=').ok_or_else(|| {
        Failed::usage(anyhow::anyhow!(
            "rule {text:?}: KIND=VALUE, e.g. burnt_percent=50 or remaining_bytes=500MiB"
        ))
    })?;
    let mut rule = Map::from_iter([("name".to_owned(), Value::from(format!("{kind}-{value}")))]);
    rule.insert(kind.to_owned(), number_or_text(value));
    Ok(Value::Object(rule))
}

fn number_or_text(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        _ => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_the_fields_of_the_contract() {
        assert_eq!(validity("30d").unwrap(), json!({"days": 30}));
        assert_eq!(validity("1m").unwrap(), json!({"months": 1}));
        assert_eq!(
            rule("burnt_percent=50").unwrap(),
            json!({"name": "burnt_percent-50", "burnt_percent": 50})
        );
        assert_eq!(
            rule("remaining_bytes=500MiB").unwrap(),
            json!({"name": "remaining_bytes-500MiB", "remaining_bytes": "500MiB"})
        );
        assert_eq!(rule("exhausted=true").unwrap(), json!({"name": "exhausted-true", "exhausted": true}));
        for wrong in ["", "30", "d", "xd", "30 days", "3é"] {
            assert_eq!(validity(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
        assert_eq!(rule("burnt_percent").unwrap_err().exit, Exit::Usage);
    }
}
