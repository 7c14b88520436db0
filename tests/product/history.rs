//! What a card has used long ago, with a real ClickHouse: days that memory no longer holds, pages, and what is left when
//! nobody meters.
//!
//! The card uses `1000 + n` bytes uplink and `n` downlink on the n-th of July and of the first twenty of August.

use serde_json::{Value, json};

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::gateway::Server;

const CARD: &str = "8986001234567890123";
const CATALOGUE: &str = "version = 1\ncalendar_from = \"2026-07-01\"\nown_channels = [\"web\"]\n[[feeds]]\nname = \"pgw\"\n\
    role = \"settling\"\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\nanchor_day = 1\nsettling_feed = \"pgw\"\n\
    [[plans]]\nname = \"standard\"\n";
/// 2026-07-01T00:00:00Z.
const JULY_MS: i64 = 1_782_864_000_000;
const DAY_MS: i64 = 86_400_000;
/// Days of July, and of August, that are used.
const DAYS: [i64; 2] = [31, 20];

/// Every day used: its date, up, down.
fn days() -> Vec<(String, u64, u64)> {
    let of = |month: i64, days: i64| {
        (1..=days)
            .map(move |n| (format!("2026-{month:02}-{n:02}"), 1_000 + n.unsigned_abs(), n.unsigned_abs()))
    };
    of(7, DAYS[0]).chain(of(8, DAYS[1])).collect()
}

fn sum(days: &[(String, u64, u64)]) -> u64 {
    days.iter().map(|(_, up, down)| up + down).sum()
}

fn register(deployment: &Deployment) {
    let command = json!({"id": "r", "card": CARD, "type": "card.register", "at": "2026-07-01T00:00:00Z",
        "channel": "web", "carrier": "east", "plan": "standard"});
    deployment.send("card.commands", [(CARD, command.to_string().as_bytes(), JULY_MS)]);
}

/// The days' CDRs, each sent in the hour after it.
fn use_it(deployment: &Deployment) {
    for (n, (date, up, down)) in days().into_iter().enumerate() {
        let cdr = json!({"iccid": CARD, "feed": "pgw", "id": date, "up": up, "down": down,
            "start": format!("{date}T10:00:00Z"), "end": format!("{date}T11:00:00Z")});
        let at_ms = JULY_MS + i64::try_from(n).expect("a day") * DAY_MS + DAY_MS / 2;
        deployment.send("usage.cdr", [(CARD, cdr.to_string().as_bytes(), at_ms)]);
    }
}

fn advance(deployment: &Deployment, at: &str, at_ms: i64) {
    let command = json!({"id": at, "type": "clock.advance", "at": at});
    deployment.send("card.commands", [("clock", command.to_string().as_bytes(), at_ms)]);
}

fn usage(running: &Running<'_>, query: &str) -> Value {
    let answer = running.ask(&format!("/v1/cards/{CARD}/usage{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Days of an answer as [`days`] has them, and where they are from.
fn told(answer: &Value) -> (Vec<(String, u64, u64)>, Vec<String>) {
    let days = answer["days"].as_array().expect("days");
    let bytes = |day: &Value, name: &str| day[name].as_u64().expect("bytes");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let of = |day: &Value| {
        let (up, down) = (bytes(day, "settling_up"), bytes(day, "settling_down"));
        assert_eq!(bytes(day, "used"), up + down, "{day}");
        ((text(&day["day"]), up, down), text(&day["source"]))
    };
    days.iter().map(of).unzip()
}

#[test]
fn the_past_of_a_card_is_told_whoever_holds_it() {
    let Some(server) = Server::find() else {
        println!("SKIPPED: ClickHouse's engine is not here");
        return;
    };
    let deployment = Deployment::new("history")
        .with("TIDEGAUGE_CLICKHOUSE_URL", &format!("http://{}", server.address))
        .with("TIDEGAUGE_CLICKHOUSE_DATABASE", &format!("history_{}", std::process::id()));
    deployment.tell(&["migrate"]);
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment);
    eventually("the card", || {
        running.get(&format!("/v1/cards/{CARD}")).filter(|answer| answer.status == 200)
    });
    use_it(&deployment);
    let counted = || running.counter("tidegauge_records_total", &[("input", "cdr"), ("outcome", "counted")]);
    eventually("every record counted", || (counted() == 51).then_some(()));
    advance(&deployment, "2026-08-25T00:00:00Z", JULY_MS + 55 * DAY_MS);
    eventually("all folded", || {
        let view = running.get(&format!("/v1/cards/{CARD}"))?.json();
        (view["used"] == sum(&days()[31..])).then_some(())
    });

    ranges(&running);
    pages(&running);
    refusals(&running);
    by_the_command_line(&deployment);
    running.terminate();
    nobody_meters(&deployment);
}

/// Closed days come from ClickHouse, open ones from memory, none twice and none not at all.
fn ranges(running: &Running<'_>) {
    let whole = eventually("July from ClickHouse", || {
        let whole = usage(running, "?from=2026-07-01&to=2026-08-31");
        let (found, sources) = told(&whole);
        (found == days() && sources[0] == "clickhouse").then_some(whole)
    });
    let (_, sources) = told(&whole);
    assert_eq!((sources.len(), sources[50].as_str()), (51, "memory"));
    assert_eq!(
        (&whole["unit"], &whole["memory"]["clock"], &whole["next"]),
        (&json!("bytes"), &json!("supplied"), &Value::Null)
    );
    let cycles: Vec<_> = whole["cycles"]
        .as_array()
        .expect("cycles")
        .iter()
        .map(|c| (&c["cycle"], &c["cycle_last"], &c["used"]))
        .collect();
    let (july, august) = (json!(sum(&days()[..31])), json!(sum(&days()[31..])));
    assert_eq!(
        cycles,
        [
            (&json!("2026-07-01"), &json!("2026-07-31"), &july),
            (&json!("2026-08-01"), &json!("2026-08-31"), &august)
        ]
    );
    // Unless said: the running cycle.
    assert_eq!(told(&usage(running, "")).0, days()[31..]);
    assert_eq!(told(&usage(running, "?from=2026-07-30&to=2026-08-02")).0, days()[29..33]);
    assert_eq!(told(&usage(running, "?from=2026-09-01&to=2026-09-30")).0, []);
}

fn pages(running: &Running<'_>) {
    let mut path = "?from=2026-07-20&to=2026-08-20&limit=7".to_owned();
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = usage(running, &path);
        let (days, _) = told(&page);
        sizes.push((days.len(), page["cycles"].as_array().map_or(0, Vec::len)));
        found.extend(days);
        let Some(next) = page["next"].as_str() else { break };
        let query = next.strip_prefix(&format!("/v1/cards/{CARD}/usage")).expect("its own path");
        query.clone_into(&mut path);
    }
    assert_eq!(found, days()[19..]);
    assert_eq!(sizes, [(7, 2), (7, 0), (7, 0), (7, 0), (4, 0)]);
}

fn refusals(running: &Running<'_>) {
    let page = usage(running, "?from=2026-07-01&to=2026-07-31&limit=1");
    let next = page["next"].as_str().expect("more").to_owned();
    let of_another = next.replace("2026-07-31", "2026-07-30");
    for (path, kind, says) in [
        (of_another.as_str(), "cursor", "without it"),
        (&format!("/v1/cards/{CARD}/usage?from=2026-08-02&to=2026-08-01"), "bad-request", "is after to"),
        (&format!("/v1/cards/{CARD}/usage?limit=0"), "bad-request", "1..=400"),
        (&format!("/v1/cards/{CARD}/usage?form=2026-08-02"), "bad-request", "form"),
    ] {
        let answer = running.ask(path);
        let problem = answer.json();
        assert_eq!(
            (answer.status, &problem["type"]),
            (400, &json!(format!("urn:tidegauge:problem:{kind}"))),
            "{path}"
        );
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{path}: {problem}");
    }
    let unknown = running.ask("/v1/cards/8986009999999999999/usage?from=2026-07-01&to=2026-07-31");
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

fn by_the_command_line(deployment: &Deployment) {
    let range = ["--from", "2026-07-01", "--to", "2026-08-31"];
    let json = deployment.tell(&[&["card", "usage", CARD, "--json"][..], &range].concat());
    assert_eq!(told(&serde_json::from_str(&json).expect("JSON")).0, days());
    let lines = deployment.tell(&[&["card", "usage", CARD][..], &range].concat());
    assert!(lines.contains("\n2026-07-31  used 1062  "), "{lines}");
    let shown: Value = serde_json::from_str(&deployment.tell(&["card", CARD])).expect("JSON");
    assert_eq!(shown["card"], CARD);
}

/// With no meter anywhere ClickHouse answers, and says that it does.
fn nobody_meters(deployment: &Deployment) {
    let running = deployment.run(&["--roles", "api"]);
    let card = eventually("an answer", || running.get(&format!("/v1/cards/{CARD}")));
    let view = card.json();
    assert_eq!(
        (card.status, &view["source"], &view["stale"]),
        (200, &json!("clickhouse"), &json!(true)),
        "{view}"
    );
    assert_eq!((&view["cycle"], &view["used"]), (&json!("2026-08-01"), &json!(sum(&days()[31..]))), "{view}");
    let whole = usage(&running, "?from=2026-07-01&to=2026-08-31");
    assert_eq!(told(&whole).0, days());
    assert_eq!((&whole["memory"], whole["why"].is_string()), (&Value::Null, true), "{whole}");
    let unknown = running.ask("/v1/cards/8986009999999999999");
    assert_eq!(unknown.status, 503, "nobody knows whether it is there: {unknown:?}");
}
