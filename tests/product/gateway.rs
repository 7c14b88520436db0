//! A gateway's files through the whole: by card and month to the byte, whoever is asked, however often they come.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::carrier::{self, FEED, Month, REGISTERED_MS, Volume};
use crate::deployment::{Deployment, PARTITIONS, Running};
use crate::engine::Engine;
use crate::{eventually, http};

/// The second holds the records of the first too, and others.
const FILES: [&str; 2] = ["pgw-ff-filled.ber", "pgw-32297.cdr"];

/// ClickHouse over its own HTTP.
pub(crate) struct Server {
    pub(crate) address: String,
    _engine: Option<Engine>,
}

impl Server {
    /// The one that is named, or an engine of its own; `None` when there is neither.
    pub(crate) fn find() -> Option<Self> {
        if let Some(url) = std::env::var_os("TIDEGAUGE_CLICKHOUSE_URL") {
            let url = url.into_string().expect("a URL is text");
            return Some(Self { address: url.replace("http://", ""), _engine: None });
        }
        let engine = Engine::start()?;
        Some(Self { address: engine.url.replace("http://", ""), _engine: Some(engine) })
    }

    fn ask(&self, database: &str, query: &str) -> Vec<Vec<String>> {
        let path = format!("/?database={database}");
        let answer = http::post(&self.address, &path, &format!("{query} FORMAT TSV")).expect("it answers");
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        answer.body.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// Card and month → settling bytes, of cards that used anything; and whether `used` is their sum everywhere.
    fn months(&self, database: &str) -> BTreeMap<Month, Volume> {
        let rows = self.ask(
            database,
            "SELECT toString(card), toString(cycle), settling_up, settling_down, used FROM card_month_now",
        );
        let mut months = BTreeMap::new();
        for row in rows {
            let bytes = |column: usize| row[column].parse::<u64>().expect("bytes");
            assert_eq!(bytes(4), bytes(2) + bytes(3), "{row:?}: what settles is what is used");
            if bytes(4) > 0 {
                months.insert((row[0].clone(), row[1].clone()), (bytes(2), bytes(3)));
            }
        }
        months
    }

    fn unknown(&self, database: &str) -> u64 {
        let rows = self.ask(database, "SELECT count() FROM quarantine_now WHERE outcome = 'unknown'");
        rows[0][0].parse().expect("a count")
    }
}

/// The card's months as an instance answers them.
fn answered(running: &Running<'_>, iccid: &str) -> BTreeMap<Month, Volume> {
    let answer = running.ask(&format!("/v1/cards/{iccid}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!((&answer["source"], &answer["clock"]), (&"memory".into(), &"supplied".into()));
    let months = answer["months"].as_array().expect("months").clone();
    let bytes = |month: &Value, name: &str| month[name].as_u64().expect("bytes");
    let first = |month: &Value| month["cycle"].as_str().expect("a date").to_owned();
    let of = |month: &Value| {
        ((iccid.to_owned(), first(month)), (bytes(month, "settling_up"), bytes(month, "settling_down")))
    };
    months.iter().map(of).filter(|(_, volume)| *volume != (0, 0)).collect()
}

fn answers(running: &Running<'_>, months: &BTreeMap<Month, Volume>) -> BTreeMap<Month, Volume> {
    let cards: BTreeSet<&str> = months.keys().map(|(iccid, _)| iccid.as_str()).collect();
    cards.into_iter().flat_map(|iccid| answered(running, iccid)).collect()
}

pub(crate) fn register(deployment: &Deployment, running: &Running<'_>) {
    let cards = carrier::cards();
    let commands: Vec<String> = cards.iter().map(carrier::Card::registration).collect();
    let messages = cards.iter().zip(&commands);
    deployment.send(
        "card.commands",
        messages.map(|(card, command)| (card.iccid.as_str(), command.as_bytes(), REGISTERED_MS)),
    );
    eventually("every card registered", || {
        let registered = running.counter("tidegauge_events_total", &[("type", "card.registered")]);
        (registered == cards.len() as u64).then_some(())
    });
}

/// What an instance has counted of CDRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) counted: u64,
    duplicate: u64,
    pub(crate) all: u64,
}

pub(crate) fn counts(running: &Running<'_>) -> Counts {
    let of =
        |outcome: &str| running.counter("tidegauge_records_total", &[("input", "cdr"), ("outcome", outcome)]);
    let all = running.counter("tidegauge_records_total", &[("input", "cdr")]);
    Counts { counted: of("counted"), duplicate: of("duplicate"), all }
}

/// Brings a file in, and waits until all that went into the log is folded. Answers how many records that was.
pub(crate) fn import(deployment: &Deployment, running: &Running<'_>, file: &str) -> u64 {
    import_together(deployment, running, &[file])
}

/// The same of several, by one command.
fn import_together(deployment: &Deployment, running: &Running<'_>, files: &[&str]) -> u64 {
    let before = counts(running).all;
    let paths: Vec<String> = files.iter().map(|file| carrier::path(file).display().to_string()).collect();
    let command = ["ingest", "file", "--json", "--feed", FEED].into_iter();
    let said = deployment.tell(&command.chain(paths.iter().map(String::as_str)).collect::<Vec<_>>());
    let told: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told.len(), files.len(), "{said}");
    let mut logged = 0;
    for (file, told) in files.iter().zip(&told) {
        assert_eq!(told["read"], carrier::expected(file)["records_in_file"], "{told}");
        assert_eq!(told["outcomes"]["dead_letter"], 0, "{told}");
        assert_eq!(told["outcomes"]["parked"], 0, "{told}");
        logged += told["outcomes"]["logged"].as_u64().expect("a count");
    }
    eventually("the files folded", || (counts(running).all == before + logged).then_some(()));
    logged
}

/// Records of subscribers in a file, repeats apart.
pub(crate) fn records(file: &str) -> u64 {
    let expected = carrier::expected(file);
    let count = |name: &str| expected[name].as_u64().expect("a count");
    count("records_unique") - count("records_without_imsi")
}

#[test]
fn a_gateways_files_are_metered_to_the_byte_and_once() {
    let Some(server) = Server::find() else {
        println!("SKIPPED: ClickHouse's engine is not here");
        return;
    };
    let database = format!("product_{}", std::process::id());
    let deployment = Deployment::new("gateway")
        .with("TIDEGAUGE_CLICKHOUSE_URL", &format!("http://{}", server.address))
        .with("TIDEGAUGE_CLICKHOUSE_DATABASE", &database);
    deployment.tell(&["migrate"]);
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", &carrier::catalogue());
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment, &running);
    let whole = carrier::path(FILES[1]).display().to_string();
    let refused = deployment.output(&["ingest", "file", "--feed", "nosuch", &whole]);
    assert_eq!(refused.status.code(), Some(65), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("names"), "{refused:?}");

    let mut logged = 0;
    for file in FILES {
        logged += import(&deployment, &running, file);
        assert_eq!(counts(&running).counted, records(file), "{file}: {:?}", counts(&running));
        let months = carrier::months(file);
        assert_eq!(answers(&running, &months), months, "{file}: what an instance answers");
        eventually("its rows in ClickHouse", || (server.months(&database) == months).then_some(()));
    }
    let [_, whole] = FILES;
    let (months, once) = (carrier::months(whole), counts(&running));
    assert_eq!(once.duplicate, logged - records(whole), "nothing is anything else");
    let nobodys = carrier::expected(whole)["records_without_imsi"].as_u64().expect("a count");
    eventually("the unknown in ClickHouse", || (server.unknown(&database) == nobodys).then_some(()));

    // By somebody whose configuration does not say how many partitions the log has.
    let elsewhere = deployment.second().with("TIDEGAUGE_KAFKA_PARTITIONS", "16");
    let again = import_together(&elsewhere, &running, &FILES);
    let twice = counts(&running);
    let expected = Counts { duplicate: once.duplicate + again, all: once.all + again, ..once };
    assert_eq!(twice, expected, "a second import is duplicates");
    assert_eq!(answers(&running, &months), months);
    assert_eq!(server.months(&database), months);

    freshness(&deployment, &running);

    let ended = running.terminate();
    assert_eq!(ended.code(), Some(0), "{}", deployment.log());
    assert_eq!(server.months(&database), months);
    assert_eq!(server.unknown(&database), nobodys);
    quarantined(&deployment, nobodys);
    let verified = deployment.tell(&["verify"]);
    assert_eq!(verified.matches(": clean at").count() as u32, PARTITIONS, "{verified}");

    let running = deployment.run(&[]);
    running.ready();
    assert_eq!(answers(&running, &months), months, "after a restart");
}

/// The feed of the files was heard of: as a metric, as an answer, on the command line.
fn freshness(deployment: &Deployment, running: &Running<'_>) {
    let series = format!("tidegauge_feed_freshness_seconds{{feed=\"{FEED}\"}}");
    assert!(running.ask("/metrics").body.contains(&series));
    let answer = running.ask("/v1/feeds").json();
    assert_eq!(answer["feeds"][0]["feed"], FEED, "{answer}");
    let told: Value = serde_json::from_str(&deployment.tell(&["feeds", "--json"])).expect("JSON");
    assert_eq!(told, answer);
}

/// All that is in the quarantine are the records of nobody, under one id each however often they came.
fn quarantined(deployment: &Deployment, nobodys: u64) {
    let messages = deployment.messages("usage.quarantine");
    let ids: BTreeSet<&str> = messages.iter().map(|message| message.header("qid")).collect();
    assert_eq!(ids.len() as u64, nobodys);
    for message in &messages {
        assert_eq!(message.header("outcome"), "unknown", "{message:?}");
        assert_eq!(message.header("source"), "file:pgw-32297.cdr");
    }
}
