//! Batches by HTTP on a real Kafka: kept to the byte, once however often they are sent, and refused in words.

use std::io::Write as _;

use serde_json::Value;

use crate::deployment::{Deployment, Running};
use crate::eventually;
use crate::feeds::{CATALOGUE, data, expected_used, folded, register};

const FILE: &str = "1nce-shape.jsonl";
const NDJSON: &str = "application/x-ndjson";
const FEED: &str = "/v1/feeds/one";

/// The stream in three batches, cut between lines.
fn batches() -> Vec<String> {
    let stream = data(FILE);
    let lines: Vec<&str> = stream.lines().collect();
    lines.chunks(lines.len() / 3 + 1).map(|lines| lines.join("\n")).collect()
}

/// Sends a batch that must be kept; answers with what is told of it.
fn kept(running: &Running<'_>, body: &str) -> Value {
    let answer = running.push(FEED, NDJSON, body.as_bytes());
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

fn count(told: &Value, name: &str) -> u64 {
    told["outcomes"][name].as_u64().unwrap_or_else(|| panic!("{name}: {told}"))
}

#[test]
fn batches_are_kept_to_the_byte_and_once() {
    let deployment = Deployment::new("push");
    deployment.file("tidegauge.toml", "[[feeds]]\nid = \"one\"\nformat = \"1nce\"\n");
    let running = deployment.start();
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    deployment.tell(&["catalogue", "apply", &catalogue.display().to_string()]);
    register(&deployment, &running);

    let batches = batches();
    let told: Vec<Value> = batches.iter().map(|batch| kept(&running, batch)).collect();
    let all = expected_used(FILE);
    let figure = |name: &str| all.figures[name].as_u64().expect("a count");
    let sum = |name: &str| told.iter().map(|told| count(told, name)).sum::<u64>();
    let asides: u64 = told.iter().map(|told| told["asides"].as_u64().expect("a count")).sum();
    // The first ones may come before the directory names their cards: they are parked, and metered all the same.
    let kept_of = |told: &Value| count(told, "logged") + count(told, "parked");
    let all_kept: u64 = told.iter().map(kept_of).sum();
    assert_eq!((all_kept + asides, asides), (figure("records_in_file"), figure("sms")));
    assert_eq!((sum("dead_letter"), sum("unknown")), (0, 0));
    eventually("the stream folded", || (folded(&running, "counted") == figure("data_records")).then_some(()));
    let repeats = all_kept - figure("data_records");
    eventually("its repeats folded", || (folded(&running, "duplicate") == repeats).then_some(()));
    all.assert_used(&running);

    // The last batch again, with two records of it damaged.
    let last = batches.last().expect("a batch");
    let damaged = last.replacen("\"tx\":", "\"tix\":", 2);
    let again = kept(&running, &damaged);
    let last = told.last().expect("a batch");
    assert_eq!((count(&again, "dead_letter"), count(&again, "logged")), (2, kept_of(last) - 2));
    let problem = &again["problems"][1];
    let reason = problem["reason"].as_str().expect("text");
    assert!(reason.contains("`volume.tx` is missing"), "{again}");
    let twice = repeats + count(&again, "logged");
    eventually("the same again folded", || (folded(&running, "duplicate") == twice).then_some(()));
    all.assert_used(&running);
    let letters = deployment.messages("usage.dead-letter");
    let places: Vec<&str> = letters.iter().map(|letter| letter.header("offset")).collect();
    assert_eq!(letters.len(), 2);
    assert!(places.contains(&problem["at"].to_string().as_str()), "{places:?} {again}");
    assert!(letters.iter().all(|letter| letter.header("source") == again["batch"]), "{letters:?}");

    // Ingest's ledger adds up; a few times a second it is told.
    let records = all_kept + count(&again, "logged") + 2;
    let ledger = |name: &str| running.counter(name, &[("input", "push")]);
    eventually("the ledger told", || {
        let told = (ledger("tidegauge_ingest_read_total"), ledger("tidegauge_ingest_records_total"));
        (told == (records, records)).then_some(())
    });
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("compressed");
    encoder.finish().expect("compressed")
}

#[test]
fn a_batch_in_a_content_coding_is_the_same_batch() {
    let deployment = Deployment::new("push-coded");
    deployment.file("tidegauge.toml", "[[feeds]]\nid = \"one\"\nformat = \"1nce\"\n");
    let running = deployment.start();
    let batch = batches().remove(0);
    let told = kept(&running, &batch);
    let coded = |coding: &str, body: &[u8]| running.push_coded(FEED, NDJSON, coding, body);
    for (coding, body) in [
        ("gzip", gzip(batch.as_bytes())),
        ("zstd", zstd::encode_all(batch.as_bytes(), 3).expect("compressed")),
    ] {
        assert!(body.len() < batch.len() / 2);
        let answer = coded(coding, &body);
        assert_eq!(answer.status, 202, "{answer:?}");
        let again = answer.json();
        assert_eq!((&again["batch"], &again["read"]), (&told["batch"], &told["read"]), "{coding}");
        let cut = coded(coding, &body[..body.len() / 2]);
        assert_eq!(
            (cut.status, &cut.json()["type"]),
            (400, &"urn:tidegauge:problem:bad-request".into()),
            "{cut:?}"
        );
    }
    let bomb = gzip(&vec![b' '; tidegauge::limits::PUSH_BODY_BYTES_MAX + 1]);
    assert_eq!(coded("gzip", &bomb).json()["type"], "urn:tidegauge:problem:too-large");
    let other = coded("br", batch.as_bytes());
    assert_eq!((other.status, &other.json()["type"]), (415, &"urn:tidegauge:problem:content-coding".into()));
    eventually("three batches and no more", || {
        let read = running.counter("tidegauge_ingest_read_total", &[("input", "push")]);
        (read == 3 * told["read"].as_u64().expect("a count")).then_some(())
    });
}

#[test]
fn what_cannot_be_taken_is_refused_in_words() {
    let deployment = Deployment::new("push-refused");
    deployment.file("tidegauge.toml", "[[feeds]]\nid = \"one\"\nformat = \"1nce\"\n");
    let running = deployment.start();
    for (path, media, body, status, kind, detail) in [
        ("/v1/feeds/two", NDJSON, &b"{}"[..], 404, "not-found", "no feed \"two\" is described"),
        (FEED, "text/xml", b"<r/>", 415, "media-type", "Content-Type is application/json or"),
        (FEED, NDJSON, b"", 400, "bad-request", "the body is empty"),
        (FEED, NDJSON, b"<html>", 400, "bad-request", "nothing in it can be read as 1nce"),
    ] {
        let answer = running.push(path, media, body);
        let said = answer.json();
        assert_eq!((answer.status, &said["type"]), (status, &format!("urn:tidegauge:problem:{kind}").into()));
        assert_eq!(answer.content_type, "application/problem+json");
        assert!(said["detail"].as_str().expect("text").contains(detail), "{said}");
    }
    let long = running.announce(FEED, NDJSON, tidegauge::limits::PUSH_BODY_BYTES_MAX + 1);
    assert_eq!((long.status, &long.json()["type"]), (413, &"urn:tidegauge:problem:too-large".into()));
    assert_eq!(kept(&running, "[]")["read"], 0);
    assert!(deployment.messages("usage.dead-letter").is_empty());

    // An instance that does not ingest says where to go.
    let second = deployment.second();
    second.file("tidegauge.toml", "[[feeds]]\nid = \"one\"\nformat = \"1nce\"\n");
    let api = second.run(&["--roles", "api"]);
    let answer = eventually("the other instance", || {
        let answer = api.push_once(FEED, NDJSON, b"[]")?;
        (answer.status == 404).then_some(answer)
    });
    assert_eq!(answer.json()["type"], "urn:tidegauge:problem:no-ingest");
}
