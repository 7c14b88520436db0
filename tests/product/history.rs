//! What a card has used long ago, with a real ClickHouse: days that memory no longer holds, pages, and what is left when
//! nobody meters.
//!
//! The card uses `1000 + n` bytes uplink and `n` downlink on the n-th of July and of the first twenty of August.

use serde_json::{Value, json};

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::gateway::Server;

const CARD: &str = "8986001234567890123";
const OTHER: &str = "8986001234567890131";
const IMSI: &str = "460041234567890";
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
        "channel": "web", "carrier": "east", "plan": "standard", "imsi": IMSI});
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
    // By its number, which the directory tells: a record that came before it would wait for it, and here days go by at once.
    eventually("the card", || {
        running.get(&format!("/v1/cards/imsi:{IMSI}")).filter(|answer| answer.status == 200)
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
    happened(&running);
    fleet(&running);
    by_the_command_line(&deployment);
    set_aside(&deployment, &running);
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

/// The card's events, newest first, in pages of any size.
fn happened(running: &Running<'_>) {
    let path = format!("/v1/cards/{CARD}/events");
    let ids = |answer: &Value| -> Vec<String> {
        let events = answer["events"].as_array().expect("events").iter();
        events.map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    };
    let whole = eventually("the events in ClickHouse", || {
        let whole = running.get(&path)?.json();
        // July has closed eight days after its end: everything before is there too.
        ids(&whole).iter().any(|id| id.contains("cycle.closed")).then_some(whole)
    });
    let times: Vec<&str> = whole["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["time"].as_str().expect("a time"))
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let closed = whole["events"]
        .as_array()
        .expect("events")
        .iter()
        .find(|e| e["type"] == "io.tidegauge.cycle.closed.v1")
        .expect("July closed");
    assert_eq!(
        (&closed["data"]["cycle"], &closed["data"]["used"]),
        (&json!("2026-07-01"), &json!(sum(&days()[..31]))),
        "{closed}"
    );
    assert_eq!(closed["source"], "/tidegauge/history");
    let (mut next, mut found) = (format!("{path}?limit=1"), Vec::new());
    loop {
        let page = running.ask(&next).json();
        found.extend(ids(&page));
        let Some(more) = page["next"].as_str() else { break };
        more.clone_into(&mut next);
    }
    assert_eq!(found, ids(&whole));
    let registered = running.ask(&format!("{path}?type=card.registered")).json();
    assert_eq!(ids(&registered).len(), 1, "{registered}");
    let page = running.ask(&format!("{path}?limit=1")).json();
    let of_another = format!("{}&type=card.", page["next"].as_str().expect("more"));
    let refused = running.ask(&of_another);
    assert_eq!((refused.status, &refused.json()["type"]), (400, &json!("urn:tidegauge:problem:cursor")));
}

/// August runs: its bytes are the fleet's.
fn fleet(running: &Running<'_>) {
    let fleet = running.ask("/v1/fleet").json();
    assert_eq!(
        (&fleet["cards"]["active"], &fleet["partitions"]["missing"]),
        (&json!(1), &json!([])),
        "{fleet}"
    );
    let sum = json!(sum(&days()[31..]));
    // ClickHouse may still lack the last days, and what it has said is taken for half a minute.
    let usage = eventually("the bytes of August in ClickHouse", || {
        let usage = running.get("/v1/fleet")?.json()["usage"].take();
        (usage["used"] == sum).then_some(usage)
    });
    assert_eq!((&usage["provisional"], &usage["cards"]), (&sum, &json!(1)), "{usage}");
    assert_eq!(usage["exhausted"], 0, "it has no package that could be");
}

fn by_the_command_line(deployment: &Deployment) {
    let range = ["--from", "2026-07-01", "--to", "2026-08-31"];
    let json = deployment.tell(&[&["card", "usage", CARD, "--json"][..], &range].concat());
    assert_eq!(told(&serde_json::from_str(&json).expect("JSON")).0, days());
    let lines = deployment.tell(&[&["card", "usage", CARD][..], &range].concat());
    assert!(lines.contains("\n2026-07-31  1.0 KiB  "), "{lines}");
    let events = deployment.tell(&["card", "events", CARD, "--limit", "3"]);
    assert_eq!(events.lines().filter(|line| line.contains(CARD)).count(), 3, "{events}");
    let shown: Value = serde_json::from_str(&deployment.tell(&["card", CARD, "--json"])).expect("JSON");
    assert_eq!(shown["card"], CARD);
}

/// The list of the quarantine once it has so many records.
fn quarantined(running: &Running<'_>, query: &str, count: usize) -> Vec<Value> {
    eventually("the records set aside", || {
        let answer = running.get(&format!("/v1/quarantine{query}"))?.json();
        let records = answer["records"].as_array().expect("records").clone();
        (records.len() == count).then_some(records)
    })
}

/// A repeat is told what was answered before; so is whoever takes a key that was used for something else, but not that it is
/// the answer.
fn repeated(running: &Running<'_>, registration: &str) {
    let credits = |key: &str, many: u32| {
        let headers = [("Idempotency-Key", key), ("Prefer", "wait=30")];
        let path = format!("/v1/cards/{OTHER}/credits");
        running.order("POST", &path, &headers, &json!({ "credits": many }).to_string())
    };
    let again = running.order("POST", "/v1/cards", &[("Prefer", "wait=30")], registration);
    let told = again.json();
    assert_eq!((again.status, &told["outcome"]), (200, &json!("applied")), "{again:?}");
    assert_eq!(told["earlier"]["outcome"], "applied", "{told}");
    let foreign = json!({"order": "o-1", "channel": "elsewhere", "mode": "immediate",
        "payment": {"provider": "p", "reference": "r", "paid_at": "2026-08-01T09:29:50Z"},
        "package": {"kind": "base", "quota": "1GiB", "validity": {"days": 30}}});
    let path = format!("/v1/cards/{OTHER}/recharges");
    let buy = |wait| running.order("POST", &path, &[("Prefer", wait)], &foreign.to_string());
    let refused = buy("wait=30");
    let why = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(refused.status == 409 && why.contains("elsewhere"), "{refused:?}");
    // What was refused may be answered otherwise by now: it is waited for.
    let again = buy("wait=5");
    let told = again.json();
    assert_eq!((again.status, &told["outcome"]), (202, &Value::Null), "{again:?}");
    assert_eq!(told["earlier"], json!({"outcome": "refused", "reason": why, "at": told["earlier"]["at"]}));
    assert_eq!(credits("k", 1).status, 200);
    let other = credits("k", 2);
    let told = other.json();
    assert_eq!((other.status, &told["earlier"]["outcome"]), (202, &json!("applied")), "{other:?}");
    assert_eq!(told["outcome"], Value::Null, "{told}");
    assert_eq!(running.ask(&format!("/v1/cards/{OTHER}")).json()["credits"], 1);
}

/// What came too late, and what came twice with other content, is seen, and counts once it is posted.
fn set_aside(deployment: &Deployment, running: &Running<'_>) {
    let body = json!({"card": OTHER, "channel": "web", "carrier": "east", "plan": "standard"});
    let taken = running.order("POST", "/v1/cards", &[("Prefer", "wait=30")], &body.to_string());
    assert_eq!(taken.status, 200, "{taken:?}");
    let cdr = |id: &str, day: &str, up: u64| {
        json!({"iccid": OTHER, "feed": "pgw", "id": id, "up": up, "down": 77, "start": format!("{day}T10:00:00Z"),
            "end": format!("{day}T11:00:00Z")})
    };
    let at_ms = JULY_MS + 55 * DAY_MS;
    let records =
        [cdr("late", "2026-07-03", 7_000), cdr("twice", "2026-08-24", 10), cdr("twice", "2026-08-24", 20)];
    for record in &records {
        deployment.send("usage.cdr", [(OTHER, record.to_string().as_bytes(), at_ms)]);
    }
    let used = || running.ask(&format!("/v1/cards/{OTHER}")).json()["used"].as_u64().expect("bytes");
    let conflict = quarantined(running, "?outcome=conflict", 1).remove(0);
    let late = quarantined(running, &format!("?card={OTHER}&outcome=late"), 1).remove(0);
    assert_eq!(
        (&late["record"]["id"], &late["card"], &late["postable"]),
        (&json!("late"), &json!(OTHER), &json!(true)),
        "{late}"
    );
    assert_eq!(used(), 87);
    let page = running.ask("/v1/quarantine?limit=1").json();
    let second = running.ask(page["next"].as_str().expect("more")).json();
    assert_eq!(
        (second["records"].as_array().map(Vec::len), &second["next"]),
        (Some(1), &Value::Null),
        "{second}"
    );
    assert_ne!(page["records"][0]["id"], second["records"][0]["id"]);

    let id = |record: &Value| record["id"].as_str().expect("an id").to_owned();
    eventually("the counted one of the two in ClickHouse", || {
        let told = deployment.tell(&["quarantine", "post", &id(&conflict), "--dry-run", "--json"]);
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(
            (&told["command"]["type"], &told["command"]["record"]["up"]),
            (&json!("record.post"), &conflict["record"]["up"])
        );
        let matches = told["matches"].as_array().expect("matches");
        (matches.len() == 1 && matches[0]["up"] != conflict["record"]["up"]).then_some(())
    });
    assert_eq!(used(), 87, "nothing was given");
    for key in [None, Some("again")] {
        let headers: Vec<_> =
            key.map(|key| ("Idempotency-Key", key)).into_iter().chain([("Prefer", "wait=30")]).collect();
        let path = format!("/v1/quarantine/{}/post", id(&late));
        let posted = running.order("POST", &path, &headers, "{}");
        assert_eq!((posted.status, &posted.json()["outcome"]), (200, &json!("applied")), "{posted:?}");
        assert_eq!(used(), 87 + 7_077, "once, whatever the command is called");
    }
    let refused = deployment.output(&["quarantine", "post", &id(&conflict)]);
    assert!(!refused.status.success(), "a record whose id has counted with other content: {refused:?}");
    let unknown = running.order("POST", "/v1/quarantine/0123/post", &[], "{}");
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let lines = deployment.tell(&["quarantine", "list", "--outcome", "late"]);
    assert!(lines.contains(&id(&late)) && lines.contains(OTHER), "{lines}");
    repeated(running, &body.to_string());
    let conflicts = quarantined(running, "?outcome=conflict", 2);
    let command = conflicts.iter().find(|record| record["record"]["type"] == "credits.add");
    assert_eq!(command.map(|command| &command["postable"]), Some(&json!(false)), "{conflicts:?}");
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
    eventually("the number to be known", || {
        running.get(&format!("/v1/cards/imsi:{IMSI}")).filter(|card| card.json()["card"] == CARD)
    });
    assert_eq!(running.ask("/v1/fleet").json()["partitions"]["answered"], 0);
    let unknown = running.ask("/v1/cards/8986009999999999999");
    assert_eq!(unknown.status, 503, "nobody knows whether it is there: {unknown:?}");
}
