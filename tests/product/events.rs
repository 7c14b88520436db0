//! Events as a client follows them: of a card, of all, after it was away, and what is left when it has gone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::deployment::{Deployment, Running};
use crate::{PATIENCE, eventually};

const CARDS: [&str; 2] = ["8986001234567890123", "8986001234567890131"];
const CATALOGUE: &str = "version = 1\nown_channels = [\"web\"]\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\n\
    anchor_day = 1\n[[plans]]\nname = \"standard\"\n";

/// A client of a stream: HTTP/1.0, so that the answer is not in chunks.
pub(crate) struct Client {
    lines: std::io::Lines<BufReader<TcpStream>>,
    id: String,
}

impl Client {
    pub(crate) fn open(running: &Running<'_>, path: &str, id: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(running.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let id_header = id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.0\r\nAccept: text/event-stream\r\n{id_header}\r\n");
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut lines = BufReader::new(stream).lines();
        let head: Vec<String> =
            lines.by_ref().map(|line| line.expect("a head")).take_while(|l| !l.is_empty()).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
        let mut client = Self { lines, id: String::new() };
        while client.id.is_empty() {
            assert_eq!(client.field(), None, "it begins with a place and no event");
        }
        client
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &str {
        &self.id
    }

    /// The next line; the data, if it is one of data.
    fn field(&mut self) -> Option<Value> {
        let line = self.lines.next().expect("it goes on").expect("it speaks");
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut self.id);
        }
        line.strip_prefix("data: ").map(|data| serde_json::from_str(data).expect("JSON"))
    }

    /// The next event, with its id if it has one.
    fn event(&mut self) -> Value {
        loop {
            if let Some(event) = self.field() {
                // What belongs to it ends with an empty line.
                while let Some(Ok(line)) =
                    self.lines.next().filter(|line| line.as_ref().is_ok_and(|l| !l.is_empty()))
                {
                    if let Some(id) = line.strip_prefix("id: ") {
                        id.clone_into(&mut self.id);
                    }
                }
                return event;
            }
        }
    }

    /// Card and type of so many events, sorted: topics are not ordered among each other.
    fn told(&mut self, count: usize) -> Vec<(String, String)> {
        let mut told: Vec<_> = (0..count).map(|_| self.event()).map(|event| of(&event)).collect();
        told.sort();
        told
    }
}

fn of(event: &Value) -> (String, String) {
    let text = |name: &str| event[name].as_str().expect("text").to_owned();
    (text("subject"), text("type").trim_start_matches("io.tidegauge.").trim_end_matches(".v1").to_owned())
}

/// What one command for a card brings.
fn brings(card: &str) -> Vec<(String, String)> {
    ["command.applied", "credits.added"].map(|kind| (card.to_owned(), kind.to_owned())).into()
}

fn credit(running: &Running<'_>, card: &str, key: &str) {
    let headers = [("Idempotency-Key", key), ("Prefer", "wait=30")];
    let given = running.order("POST", &format!("/v1/cards/{card}/credits"), &headers, "{\"credits\": 1}");
    assert_eq!(given.status, 200, "{given:?}");
}

fn streams(running: &Running<'_>) -> u64 {
    let metrics = running.ask("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("tidegauge_event_streams "));
    line.expect("the gauge").parse().expect("a number")
}

#[test]
fn who_follows_hears_every_event_once_wherever_it_was_away() {
    let deployment = Deployment::new("events").with("TIDEGAUGE_CLOCK", "log");
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    let running = deployment.start();
    deployment.tell(&["catalogue", "apply", "--no-wait", &catalogue.to_string_lossy()]);
    for card in CARDS {
        let body = json!({"card": card, "channel": "web", "carrier": "east", "plan": "standard"});
        let taken = running.order("POST", "/v1/cards", &[("Prefer", "wait=30")], &body.to_string());
        assert_eq!(taken.status, 200, "{taken:?}");
    }
    let path = format!("/v1/cards/{}/events", CARDS[0]);
    let mut one = Client::open(&running, &path, None);
    let mut all = Client::open(&running, "/v1/events", None);
    let mut some = Client::open(&running, "/v1/events?type=credits.", None);
    for card in CARDS {
        credit(&running, card, "k-1");
    }
    assert_eq!(one.told(2), brings(CARDS[0]));
    assert_eq!(all.told(4), [brings(CARDS[0]), brings(CARDS[1])].concat());
    assert_eq!(some.told(2), [brings(CARDS[0]).remove(1), brings(CARDS[1]).remove(1)]);
    assert_eq!(streams(&running), 3);

    let (place, place_of_all) = (one.id.clone(), all.id.clone());
    drop((one, all, some));
    eventually("all streams given back", || (streams(&running) == 0).then_some(()));
    refusals(&running, &place);
    for card in CARDS {
        credit(&running, card, "k-2");
    }
    by_the_command_line(&deployment, &running);
    running.terminate();

    let running = deployment.run(&[]);
    running.ready();
    let mut one = Client::open(&running, &path, Some(&place));
    let mut all = Client::open(&running, "/v1/events", Some(&place_of_all));
    // The command line has given the first card another.
    let missed = [brings(CARDS[0]), brings(CARDS[0])].concat();
    let mut sorted = missed.clone();
    sorted.sort();
    assert_eq!(one.told(4), sorted, "what was missed");
    let mut sorted = [missed, brings(CARDS[1])].concat();
    sorted.sort();
    assert_eq!(all.told(6), sorted);
    credit(&running, CARDS[0], "k-4");
    assert_eq!(one.told(2), brings(CARDS[0]), "and then what happens");
    assert_eq!(all.told(2), brings(CARDS[0]));
}

fn refusals(running: &Running<'_>, place: &str) {
    let other = format!("/v1/cards/{}/events", CARDS[1]);
    let accept = ("Accept", "text/event-stream");
    for (path, headers, status, kind) in [
        ("/v1/events", vec![], 406, "not-acceptable"),
        (other.as_str(), vec![accept, ("Last-Event-ID", place)], 400, "cursor"),
        ("/v1/events", vec![accept, ("Last-Event-ID", "1")], 400, "cursor"),
        ("/v1/events?type=x'y", vec![accept], 400, "bad-request"),
        (&other, vec![], 404, "no-archive"),
    ] {
        let answer = running.order("GET", path, &headers, "");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.json()["type"], format!("urn:tidegauge:problem:{kind}"), "{path}");
    }
    no_place(running, place);
}

/// A place past the topics' ends is none; the brokers say so, who may take their time.
fn no_place(running: &Running<'_>, place: &str) {
    let (question, places) = place.split_once('.').expect("a place");
    let past: Vec<String> = places.split('-').map(|place| format!("{place}fff")).collect();
    let id = format!("{question}.{}", past.join("-"));
    let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", id.as_str())];
    let answer = eventually("the brokers to say where the topics end", || {
        let answer = running.order("GET", &format!("/v1/cards/{}/events", CARDS[0]), &headers, "");
        (answer.status != 503).then_some(answer)
    });
    assert_eq!((answer.status, &answer.json()["type"]), (400, &json!("urn:tidegauge:problem:cursor")));
}

/// The command line follows from when it has begun: what is given until then it may hear or not.
fn by_the_command_line(deployment: &Deployment, running: &Running<'_>) {
    let mut child =
        deployment.spawn(&["card", "events", CARDS[0], "--follow", "--json", "--type", "credits."]);
    eventually("it follows", || (streams(running) == 1).then_some(()));
    credit(running, CARDS[0], "k-3");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it prints");
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((of(&event).1.as_str(), &event["data"]["balance"]), ("credits.added", &json!(3)));
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
}
