//! One card from its registration to its second life, on a real Kafka, through the outside topics alone: every event that
//! its vendor may read, against `tests/data/card_story.golden`, which says what is sent and which rule gives what.
//!
//! Each step is sent when all that the steps before it must bring has been read, `read_committed`; at the end the topics are
//! read once more from their beginning: nothing else is in them.

use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::lines::Lines;
use crate::support::Patience;

const GOLDEN: &str = include_str!("../data/card_story.golden");
const CARD: &str = "8986001234567890123";
const IMSI: &str = "460041234567890";
const FEED: &str = "east-pgw";
const TOPICS: [&str; 3] = ["card.activations", "card.alerts", "card.lifecycle"];

const CATALOGUE: &str = r#"
version = 1
calendar_from = "2026-08-01"
own_channels = ["shop"]
[[feeds]]
name = "east-pgw"
role = "settling"
[[carriers]]
name = "east"
zone = "Asia/Shanghai"
anchor_day = 1
settling_feed = "east-pgw"
settling_days_first = 1
settling_days_last = 1
[[plans]]
name = "meter"
[[default_rules]]
name = "burnt-50"
burnt_percent = 50
[[default_rules]]
name = "burnt-80"
burnt_percent = 80
"#;

/// What is sent, and what must be read before anything else is.
struct Step {
    sent: &'static str,
    expected: Vec<&'static str>,
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in GOLDEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("> ") {
            Some(sent) => steps.push(Step { sent, expected: Vec::new() }),
            None => steps.last_mut().expect("a step comes first").expected.push(line),
        }
    }
    steps
}

/// A time of the script, as the outside writes it, and in milliseconds.
fn time(local: &str) -> (String, i64) {
    let text = format!("{local}+08:00");
    let at = chrono::DateTime::parse_from_rfc3339(&text).expect("a time");
    (text, at.timestamp_millis())
}

/// The vendor's systems and the carrier, who send, and a consumer of the events.
struct Story<'d> {
    deployment: &'d Deployment,
    running: &'d Running<'d>,
    consumer: BaseConsumer,
    lines: Lines,
    /// CDRs and commands of the card sent so far.
    cdrs: u64,
    commands: u32,
}

impl Story<'_> {
    fn send(&mut self, step: &str) {
        let (at, rest) = step.split_once(' ').expect("a time and what happens");
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "clock" => self.broadcast(at, json!({"type": "clock.advance"})),
            "complete" => {
                for day in rest.split(' ') {
                    self.broadcast(at, json!({"type": "feed.complete", "feed": FEED, "day": day}));
                }
            }
            "cdr" => self.cdr(at, rest),
            "recharge" => self.command(at, recharge(&serde_json::from_str(rest).expect("JSON"))),
            kind => {
                let mut command: Value = serde_json::from_str(rest).expect("JSON");
                command["type"] = kind.into();
                self.command(at, command);
            }
        }
    }

    fn broadcast(&self, at: &str, mut command: Value) {
        let (text, ms) = time(at);
        command["id"] = json!(format!("{text} {command}"));
        command["at"] = text.into();
        self.write("card.commands", &command, ms);
    }

    fn command(&mut self, at: &str, mut command: Value) {
        self.commands += 1;
        let (text, ms) = time(at);
        command["id"] = json!(format!("c{}", self.commands));
        command["card"] = CARD.into();
        command["at"] = text.into();
        self.write("card.commands", &command, ms);
    }

    /// Names the card by its IMSI, and waits until it is metered: nothing else orders two outside topics.
    fn cdr(&mut self, at: &str, rest: &str) {
        let words: Vec<&str> = rest.split(' ').collect();
        let bytes = |at: usize| words[at].parse::<u64>().expect("bytes");
        self.cdrs += 1;
        let cdr = json!({
            "imsi": IMSI, "feed": FEED, "id": format!("r{}", self.cdrs), "start": time(words[0]).0, "end": time(words[1]).0,
            "up": bytes(2), "down": bytes(3),
        });
        self.write("usage.cdr", &cdr, time(at).1);
        let counted = [("input", "cdr"), ("outcome", "counted")];
        eventually(at, || {
            (self.running.counter("tidegauge_records_total", &counted) == self.cdrs).then_some(())
        });
    }

    fn write(&self, topic: &str, value: &Value, ms: i64) {
        self.deployment.send(topic, [(CARD, value.to_string().as_bytes(), ms)]);
    }

    /// Reads so many events, whichever they are.
    fn read(&mut self, count: usize, sent: &str) -> Vec<String> {
        let (patience, mut found) = (Patience::of(PATIENCE), Vec::new());
        while found.len() < count {
            patience.check(&format!("{count} events after {sent:?}; so far {found:#?}"));
            match self.consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    found.push(self.lines.line(message.topic(), message.payload().unwrap_or_default()));
                }
                Some(Err(error)) if !is_end(&error) => panic!("{sent}: {error}"),
                _ => {}
            }
        }
        found
    }
}

/// No more messages just now.
fn is_end(error: &KafkaError) -> bool {
    matches!(error, KafkaError::PartitionEOF(_))
}

/// A package of 500 MiB.
fn recharge(said: &Value) -> Value {
    let paid_at = time(said["paid"].as_str().expect("a time")).0;
    json!({
        "type": "recharge", "channel": "shop", "order": said["order"], "mode": said["mode"],
        "payment": {"provider": "bank", "reference": "p-1", "paid_at": paid_at},
        "package": {"kind": "base", "quota": "500MiB", "validity": said["validity"]},
    })
}

/// Topics have an order of their own each, and none between them.
fn by_topic<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().map(|line| line.as_ref().to_owned()).collect();
    lines.sort_by_key(|line| line.split(' ').next().map(str::to_owned));
    lines
}

#[test]
fn the_story_of_one_card_is_told_as_the_rules_say() {
    let deployment = Deployment::new("story");
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    let consumer = deployment.consumer(&TOPICS);
    let (lines, cdrs, commands) = (Lines::default(), 0, 0);
    let mut story = Story { deployment: &deployment, running: &running, consumer, lines, cdrs, commands };
    let steps = steps();
    for step in &steps {
        story.send(step.sent);
        let found = story.read(step.expected.len(), step.sent);
        assert_eq!(by_topic(&found), by_topic(&step.expected), "after {:?}", step.sent);
    }

    assert_eq!(running.terminate().code(), Some(0), "{}", deployment.log());
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    for topic in TOPICS {
        all.extend(deployment.messages(topic).iter().map(|read| lines.line(topic, &read.value)));
    }
    assert_eq!(by_topic(all), by_topic(steps.iter().flat_map(|step| &step.expected)), "and nothing else");
}
