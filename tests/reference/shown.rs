//! What people see of a card and of the feeds: of answers that are valid by the OpenAPI document, in every state that has
//! words of its own.

use serde_json::{Value, json};
use tidegauge::cli::shown;
use tidegauge::config::catalogue::{Inputs, compile};

use crate::{assert_file, at};

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(at(path)).expect("a file of this project")).expect("JSON")
}

/// The answer of an operation must be one that the program may give.
fn assert_valid(path: &str, answer: &Value) {
    let document = read("schemas/openapi.json");
    let place =
        format!("/paths/{}/get/responses/200/content/application~1json/schema", path.replace('/', "~1"));
    let mut schema = document.pointer(&place).expect("an operation").clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> = validator.iter_errors(answer).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{path}: {wrong:?}: {answer:#}");
}

fn card(changes: &Value) -> Value {
    let mut card = read("tests/reference/card.json");
    for (name, value) in changes.as_object().expect("fields") {
        card[name] = value.clone();
    }
    assert_valid("/v1/cards/{iccid}", &card);
    card
}

#[test]
fn cards_for_the_eye() {
    let last_known = json!({
        "card": "8986001234567890123", "state": "active", "carrier": "east", "plan": "meter", "channel": "web",
        "cycle": "2026-08-01", "cycle_last": "2026-08-31", "used": 524_288_000, "settled": 0, "provisional": 524_288_000,
        "quota": null, "remaining": null, "burnt": 0, "overage": 0, "source": "clickhouse", "stale": true,
        "as_of": "2026-08-02T00:00:00Z", "why": "partition 3 cannot answer: it is being restored",
    });
    assert_valid("/v1/cards/{iccid}", &last_known);
    let cases = [
        ("a card with a package, another in the queue, and rules", card(&json!({}))),
        (
            "one that was never sold a package",
            card(
                &json!({"state": "registered", "packages": [], "queue": [], "rules": [], "quota": 0, "remaining": 0,
                "effective_at": null, "expires_at": null, "numbers": []}),
            ),
        ),
        (
            "one that is suspended by expiry, and used all the same",
            card(
                &json!({"state": "suspended", "suspended_by": "expiry", "stopped_at": "2026-08-10T00:00:00Z",
                "cancelled_at": "2026-11-10T00:00:00Z", "desired": "suspended", "confirmed": "active",
                "confirmed_at": "2026-08-01T00:00:00Z", "used_while_stopped": true, "packages": [], "queue": [],
                "overage": 1_572_864, "quota": 0, "remaining": 0, "settling": true, "stale": true}),
            ),
        ),
        ("one without a limit", card(&json!({"quota": null, "remaining": null}))),
        ("what ClickHouse was told last", last_known),
    ];
    let text = cases.map(|(what, card)| format!("# {what}\n\n{}\n", shown::card(&card))).join("\n");
    assert_file(&text, "tests/reference/cards.txt");
}

#[test]
fn answers_to_orders_for_the_eye() {
    let taken = json!({"card": "8986001234567890123", "command": "o-1/9ce7e0f63cb35349",
        "taken": {"topic": "card.commands", "partition": 8, "offset": 1}});
    let mut applied = taken.clone();
    applied["outcome"] = "applied".into();
    let with_earlier = |answer: &Value| {
        let mut answer = answer.clone();
        answer["earlier"] = json!({"outcome": "applied", "at": "2026-08-01T09:00:00Z"});
        answer
    };
    let order = |answer: &Value| shown::ordered("order o-1, 500MiB for 30d, immediate", answer);
    let whole = card(&json!({}));
    let text = [
        order(&applied),
        order(&taken),
        order(&with_earlier(&applied)),
        order(&with_earlier(&taken)),
        shown::rules_of(&whole),
        shown::rules_of(&card(&json!({"rules": []}))),
        shown::drained(&json!({"drained": 16})),
        shown::skipped(&json!({"skipped": {"partition": 3, "offset": 41}})),
    ];
    assert_file(&(text.join("\n\n") + "\n"), "tests/reference/answers.txt");
}

#[test]
fn usage_for_the_eye() {
    let cycle = |closed: bool, used: u64| {
        json!({"cycle": "2026-08-01", "cycle_last": "2026-08-31", "carrier": "east", "plan": "meter", "channel": "web",
            "state": "active", "confirmed": null, "used_while_stopped": false, "used": used, "settled": 0, "provisional": used,
            "overage": 0, "quota": null, "remaining": null, "burnt": 0, "unsettled_days": 0, "closed": closed, "revision": 0,
            "settling_up": 0, "settling_down": 0, "estimate_up": 0, "estimate_down": 0, "modem_up": 0, "modem_down": 0,
            "as_of": "2026-08-03T09:00:00Z", "source": "clickhouse"})
    };
    let day = |day: &str, used: u64, complete: bool, source: &str| {
        json!({"day": day, "cycle": "2026-08-01", "carrier": "east", "used": used, "complete": complete, "closed": complete,
            "unsettled": false, "settling_up": 0, "settling_down": used, "estimate_up": 0, "estimate_down": 0, "modem_up": 0,
            "modem_down": 0, "as_of": "2026-08-03T09:00:00Z", "source": source})
    };
    let answer = |cycles: Value, days: Value, clickhouse: bool| {
        json!({"card": "8986001234567890123", "unit": "bytes", "from": "2026-08-01", "to": "2026-08-31", "cycles": cycles,
            "days": days, "memory": null, "clickhouse": clickhouse, "next": null})
    };
    let days = json!([
        day("2026-08-01", 1_572_864, true, "clickhouse"),
        day("2026-08-02", 524_288_000, false, "memory")
    ]);
    let mut away = answer(json!([cycle(false, 525_860_864)]), days.clone(), true);
    away["why"] = "partition 3 cannot answer: it is being restored".into();
    let answers =
        [answer(json!([cycle(true, 525_860_864)]), days, true), away, answer(json!([]), json!([]), false)];
    let shown = |answer: &Value| {
        assert_valid("/v1/cards/{iccid}/usage", answer);
        format!("{}\n", shown::usage(answer))
    };
    assert_file(&answers.each_ref().map(shown).join("\n"), "tests/reference/usage.txt");
}

#[test]
fn a_catalogue_for_the_eye() {
    let from = chrono::NaiveDate::from_ymd_opt(2026, 8, 1).expect("a day");
    let inputs = Inputs { path: "demo", deployment: "shop", from, previous: None };
    let text = std::fs::read_to_string(at("src/demo/catalogue.toml")).expect("a file of this project");
    let catalogue = compile(&text, &inputs).expect("a catalogue");
    assert_file(&format!("{}\n", shown::catalogue(&catalogue)), "tests/reference/catalogue.txt");
}

/// Every event that there is, as its example has it.
#[test]
fn events_for_the_eye() {
    let mut files: Vec<_> = std::fs::read_dir(at("schemas/examples/event")).expect("examples").collect();
    files.sort_by_key(|file| file.as_ref().expect("an entry").file_name());
    let mut text = String::new();
    for file in files {
        let path = file.expect("an entry").path();
        let event = serde_json::from_slice(&std::fs::read(path).expect("an example")).expect("JSON");
        text += &shown::event(&event);
        text.push('\n');
    }
    assert_file(&text, "tests/reference/events.txt");
}

#[test]
fn feeds_for_the_eye() {
    let reader = json!({"gaps_open": [], "gaps_opened": 0, "series": 1, "unreliable": 0, "last_arrival": "2026-08-01T09:00:05Z"});
    let mut troubled = reader.clone();
    troubled["gaps_open"] = json!([
        {"feed": "east-pgw", "kind": "records", "noticed": "2026-08-01T08:00:00Z", "node": "10.1.2.3", "first": 12, "last": 14, "missing": 3},
        {"feed": "east-pgw", "kind": "lost", "noticed": "2026-08-01T08:10:00Z", "node": "10.1.2.3", "first": 7, "last": 7, "missing": 2},
        {"feed": "east-pgw", "kind": "silence", "noticed": "2026-08-01T08:30:00Z", "since": "2026-08-01T07:00:00Z"},
    ]);
    troubled["folder"] = json!({"path": "/srv/east", "waiting": 3, "trouble": "permission denied: chown it"});
    let mut waiting = reader.clone();
    waiting["folder"] = json!({"path": "/srv/west", "waiting": 2,
        "file": {"name": "west_0007.cdr", "byte": 4_360_000, "read": 8_388_608, "size": 43_600_000, "percent": 19}});
    let answer = json!({"feeds": [
        {"feed": "east-pgw", "last": "2026-08-01T09:00:00Z", "fresh_in": 15, "stale_in": 1, "readers": [reader, troubled]},
        {"feed": "modem", "last": "2026-08-01T09:00:01Z", "fresh_in": 16, "stale_in": 0},
        {"feed": "west", "readers": [waiting]},
    ]});
    assert_valid("/v1/feeds", &answer);
    let nothing = json!({"feeds": []});
    assert_valid("/v1/feeds", &nothing);
    let text = [answer, nothing].map(|answer| format!("{}\n", shown::feeds(&answer))).join("\n");
    assert_file(&text, "tests/reference/feeds.txt");
}
