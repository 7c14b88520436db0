//! Commands by HTTP on a real Kafka: taken once, answered with what became of them, refused with a reason.

use serde_json::json;

use crate::deployment::{Deployment, Running};
use crate::http::Response;

const OPERATOR: &str = "operator-0123456789";
const READER: &str = "reader-0123456789";
const CARD: &str = "8986001234567890123";
const CATALOGUE: &str = "version = 1\nown_channels = [\"web\"]\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\n\
    anchor_day = 1\n[[plans]]\nname = \"standard\"\n";

/// A deployment with tokens, by the brokers' clock: commands are given now.
fn deployment(name: &str) -> Deployment {
    let deployment = Deployment::new(name).with("TIDEGAUGE_CLOCK", "log");
    let tokens = deployment.file("tokens", &format!("operator {OPERATOR}\nreader {READER}\n"));
    deployment.with("TIDEGAUGE_API_TOKENS", &tokens.to_string_lossy())
}

fn give(running: &Running<'_>, method: &str, path: &str, key: &str, wait: &str, body: &str) -> Response {
    let (bearer, wait) = (format!("Bearer {OPERATOR}"), format!("wait={wait}"));
    let mut headers = vec![("Authorization", bearer.as_str()), ("Prefer", wait.as_str())];
    headers.extend((!key.is_empty()).then_some(("Idempotency-Key", key)));
    running.order(method, path, &headers, body)
}

fn registration(card: &str) -> String {
    json!({"card": card, "channel": "web", "carrier": "east", "plan": "standard"}).to_string()
}

fn recharge(order: &str, channel: &str) -> String {
    json!({
        "order": order, "channel": channel, "mode": "immediate",
        "payment": {"provider": "wechat", "reference": order, "paid_at": "2026-08-01T09:29:50+08:00"},
        "package": {"kind": "base", "quota": "1GiB", "validity": {"days": 30}},
    })
    .to_string()
}

fn card(running: &Running<'_>) -> serde_json::Value {
    let bearer = format!("Bearer {READER}");
    let path = format!("/v1/cards/{CARD}");
    running.order("GET", &path, &[("Authorization", &bearer)], "").json()
}

#[test]
fn a_card_is_registered_and_recharged_by_http() {
    let deployment = deployment("by-http");
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    let running = deployment.start();
    deployment.tell(&["catalogue", "apply", "--no-wait", &catalogue.to_string_lossy()]);
    let recharges = format!("/v1/cards/{CARD}/recharges");

    let registered = give(&running, "POST", "/v1/cards", "", "30", &registration(CARD));
    assert_eq!(
        (registered.status, &registered.json()["outcome"]),
        (200, &json!("applied")),
        "{registered:?}"
    );
    let bought = give(&running, "POST", &recharges, "", "30", &recharge("o-1", "web"));
    assert_eq!(bought.status, 200, "{bought:?}");
    assert_eq!(bought.json()["taken"]["topic"], "card.commands");

    // The same again, said to be given later, is a repeat: it was answered before, and nothing happens.
    let repeated = give(&running, "POST", &recharges, "", "1", &recharge("o-1", "web"));
    assert_eq!(
        (repeated.status, repeated.json()["command"].clone()),
        (202, bought.json()["command"].clone())
    );
    let of =
        |outcome| running.counter("tidegauge_records_total", &[("input", "command"), ("outcome", outcome)]);
    crate::eventually("the repeat folded", || (of("duplicate") == 1).then_some(()));
    assert_eq!(of("conflict"), 0);
    let foreign = give(&running, "POST", &recharges, "", "30", &recharge("o-2", "elsewhere"));
    let detail = foreign.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(foreign.status == 409 && detail.contains("elsewhere"), "{foreign:?}");
    // Put right under the same order it is another command.
    let right =
        give(&running, "POST", &recharges, "", "30", &recharge("o-2", "web").replace("base", "booster"));
    assert_eq!(right.status, 200, "{right:?}");

    // A card that was never registered does not keep anybody waiting.
    let stranger = CARD.replace("8986001", "8986002");
    let path = format!("/v1/cards/{stranger}/recharges");
    let unknown = give(&running, "POST", &path, "", "30", &recharge("o-3", "web"));
    let detail = unknown.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(unknown.status == 409 && detail.contains("register it first"), "{unknown:?}");

    let rules = json!({"rules": [{"name": "low", "remaining_bytes": "500MiB"}]}).to_string();
    let given = give(&running, "PUT", &format!("/v1/cards/{CARD}/rules"), "k-1", "30", &rules);
    assert_eq!(given.status, 200, "{given:?}");
    let path = format!("/v1/cards/{CARD}/credits");
    let added = give(&running, "POST", &path, "k-2", "30", &json!({"credits": 7}).to_string());
    assert_eq!(added.status, 200, "{added:?}");

    let view = &card(&running);
    assert_eq!(view["credits"], 7, "{view}");
    assert_eq!(view["packages"].as_array().map(Vec::len), Some(2), "{view}");
    assert_eq!(view["quota"], 2_u64 << 30, "{view}");
    no_inner_times(view);
    every_field_is_described(view);
    by_the_command_line(&deployment, &running);
    assert!(running.terminate().success());
}

fn every_field_is_described(view: &serde_json::Value) {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../schemas/openapi.json")).expect("JSON");
    let described = document["components"]["schemas"]["Card"]["properties"].as_object().expect("fields");
    let fields = view.as_object().expect("an object").keys();
    let unnamed: Vec<_> = fields.filter(|field| !described.contains_key(*field)).collect();
    assert!(unnamed.is_empty(), "{unnamed:?} are answered and not in openapi.json");
}

/// Seconds and days since 1970 are of the inside; no other figure of this card is as great.
fn no_inner_times(value: &serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(no_inner_times),
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                let number = field.as_u64().unwrap_or_default();
                let looks_inner =
                    (20_000..30_000).contains(&number) || (1_700_000_000..2_000_000_000).contains(&number);
                assert!(!looks_inner, "{name}: {number}");
                no_inner_times(field);
            }
        }
        _ => {}
    }
}

/// The same orders as the command line has them.
fn by_the_command_line(deployment: &Deployment, running: &Running<'_>) {
    let token = ["--token", OPERATOR, "--wait", "30"];
    let tell = |arguments: &[&str]| deployment.tell(&[arguments, &token].concat());
    let sold = [
        "--channel",
        "web",
        "--provider",
        "wechat",
        "--reference",
        "r-3",
        "--paid-at",
        "2026-08-01T09:29:50Z",
    ];
    let recharge =
        ["recharge", CARD, "--order", "o-3", "--quota", "512MiB", "--validity", "30d", "--booster"];
    let sold = tell(&[&recharge[..], &sold].concat());
    let said = format!("card {CARD}: order o-3, 512MiB for 30d, immediate: applied (command o-3/");
    assert!(sold.starts_with(&said), "{sold}");
    let ruled = tell(&["rules", CARD, "burnt_percent=50", "expires_days=7", "--key", "k-3"]);
    assert_eq!(ruled, format!("card {CARD}: 2 rules of its own: applied (command k-3)\n"));
    let shown = deployment.tell(&["rules", CARD, "--token", READER]);
    assert!(shown.contains("\nexpires_days-7    expires within 7 days\n"), "{shown}");
    let credits: serde_json::Value =
        serde_json::from_str(&tell(&["credits", CARD, "3", "--json"])).expect("JSON");
    assert_eq!(credits["outcome"], "applied");
    let view = &card(running);
    assert_eq!((&view["credits"], &view["quota"]), (&json!(10), &json!(5_u64 << 29)), "{view}");
    assert_eq!(view["rules"][0]["name"], "burnt_percent-50", "{view}");
    let refused = deployment.output(&["credits", CARD, "3", "--token", READER]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("reads only"), "{said}");
}

#[test]
fn what_is_no_command_is_refused_before_it_is_sent() {
    let deployment = deployment("no-command");
    let running = deployment.start();
    let rules = format!("/v1/cards/{CARD}/rules");
    let bearers = [OPERATOR, READER].map(|token| format!("Bearer {token}"));
    let [operator, reader] = bearers.each_ref().map(|bearer| ("Authorization", bearer.as_str()));
    let key = ("Idempotency-Key", "k-1");
    let long = format!("{{\"rules\": [\"{}\"]}}", "x".repeat(100_000));
    for (headers, method, path, body, status, says) in [
        (vec![key], "PUT", rules.as_str(), "{\"rules\": []}", 401, "token"),
        (vec![("Authorization", "Bearer wrong"), key], "PUT", &rules, "{\"rules\": []}", 401, "not known"),
        (vec![reader, key], "PUT", &rules, "{\"rules\": []}", 403, "reads only"),
        (vec![operator], "PUT", &rules, "{\"rules\": []}", 400, "Idempotency-Key"),
        (vec![operator, key], "PUT", &rules, "{\"rule\": []}", 400, "`rule` is none"),
        (vec![operator, key], "PUT", &rules, "{\"rules\": 7}", 400, "rules"),
        (vec![operator, key], "PUT", &rules, "{\"rules\"", 400, "EOF"),
        (vec![operator, key], "PUT", &rules, &long, 413, "longer than"),
        (vec![operator, key], "POST", &rules, "{\"rules\": []}", 405, "method"),
        (vec![operator, key], "PUT", "/v1/cards/12/rules", "{\"rules\": []}", 400, "card"),
        (vec![operator, key, ("Prefer", "wait=soon")], "PUT", &rules, "{\"rules\": []}", 400, "wait=soon"),
        (vec![operator, key], "POST", "/v1/cards", "{\"channel\": \"web\"}", 400, "`card` is missing"),
    ] {
        let answer = running.order(method, path, &headers, body);
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(answer.status == status && detail.contains(says), "{method} {path} {body:.40}: {answer:?}");
        assert_eq!(answer.content_type, "application/problem+json", "{answer:?}");
        assert_eq!(problem["status"], status, "{answer:?}");
    }
    let probes = running.order("GET", "/health/live", &[], "");
    assert_eq!(probes.status, 200);
    assert!(deployment.messages("card.commands").is_empty(), "nothing was sent");
}
