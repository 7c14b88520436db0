//! What the program refuses, and in which words.

use std::io::{BufRead as _, BufReader};

use crate::deployment::{Deployment, PARTITIONS, Read};
use crate::eventually;

/// A time of the deployments here.
const AT_MS: i64 = 1_785_542_400_000;

/// The message of a topic that holds one.
fn the_message(deployment: &Deployment, topic: &str, value: &str) -> Read {
    eventually(value, || deployment.messages(topic).into_iter().find(|m| m.value == value.as_bytes()))
}

#[test]
fn a_deployment_without_state_starts_only_when_it_is_said_to_be_new() {
    let deployment = Deployment::new("newness");
    deployment.tell(&["topics", "apply"]);
    let refused = deployment.output(&["run"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("start it once with --new"), "{said}");

    let running = deployment.run(&["--new"]);
    running.ready();
    assert_eq!(running.ask("/health/ready").json()["ready"], true);
    let catalogue = deployment.file("catalogue.toml", "version = 1\n");
    deployment.tell(&["catalogue", "apply", &catalogue.to_string_lossy()]);
    assert_eq!(running.terminate().code(), Some(0));
    let again = deployment.run(&[]);
    again.ready();

    // A second one by mistake takes nothing from the first: it does not even join.
    let second = deployment.output(&["run"]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("cannot listen"), "{said}");
    assert_eq!(again.ask("/health/ready").json()["ready"], true);

    assert_eq!(again.order("POST", "/v1/drain", &[], "").status, 200);
    let drained = eventually("unready", || again.get("/health/ready").filter(|answer| answer.status == 503));
    assert!(drained.body.contains("are drained"), "{}", drained.body);
    assert_eq!(again.terminate().code(), Some(0));

    let other = deployment.with("TIDEGAUGE_DEPLOYMENT", "other");
    let halted = other.run(&[]);
    eventually("a halt", || {
        halted.get("/health/ready").filter(|answer| answer.body.contains("partition 3 has halted"))
    });
    assert_eq!(halted.ask("/health/live").status, 200);
    let url = format!("http://{}", halted.address());
    a_catalogue_of_another_deployment_is_not_sent(&other);
    let right = other.second().with("TIDEGAUGE_DEPLOYMENT", "newness").with("TIDEGAUGE_URL", &url);
    a_catalogue_waits_for_halted_partitions(&right);
}

/// The first catalogue would bind the state to its name for ever.
fn a_catalogue_of_another_deployment_is_not_sent(deployment: &Deployment) {
    let catalogue = deployment.file("catalogue.toml", "version = 2\n");
    let output = deployment.output(&["catalogue", "apply", &catalogue.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("is that of deployment \"newness\", and this configuration says \"other\""),
        "{said}"
    );
}

/// Who applies a catalogue is told at once that the partitions have halted, and why; once, not at each look.
fn a_catalogue_waits_for_halted_partitions(deployment: &Deployment) {
    let catalogue = deployment.file("catalogue.toml", "version = 2\n");
    let mut applying = deployment.spawn_told(&["catalogue", "apply", &catalogue.to_string_lossy()]);
    let told = BufReader::new(applying.stderr.take().expect("its errors"));
    let lines: Vec<String> = told.lines().take(2).map(|line| line.expect("text")).collect();
    applying.kill().expect("it waits");
    applying.wait().expect("it has ended");
    assert_eq!(lines[0], "4 of 4 partitions do not show it yet: partitions 0-3");
    assert!(
        lines[1].starts_with("  partitions 0-3 have halted: ") && lines[1].contains("newness"),
        "{lines:?}"
    );
}

#[test]
fn another_number_of_partitions_than_the_topics_is_refused() {
    let deployment = Deployment::new("another-n");
    deployment.tell(&["topics", "apply"]);
    let wrong = deployment.with("TIDEGAUGE_KAFKA_PARTITIONS", "8");
    let running = wrong.run(&["--new"]);
    let sentence = format!("has {PARTITIONS} partitions, 8 are expected");
    eventually("a refusal in words", || {
        let said = running.get("/health/ready").filter(|answer| answer.status == 503)?.body;
        said.contains(&sentence).then_some(())
    });
    assert!(wrong.log().contains(&sentence), "{}", wrong.log());
    let planned = wrong.output(&["topics", "plan"]);
    assert_eq!(planned.status.code(), Some(1), "{planned:?}");
    assert!(String::from_utf8_lossy(&planned.stdout).contains("by hand:"), "{planned:?}");
}

#[test]
fn what_cannot_be_read_is_a_dead_letter_with_its_reason() {
    let deployment = Deployment::new("letters");
    let running = deployment.start();
    let (broken, unknown) =
        (r#"{"card": "8986"#, r#"{"id":"1","card":"8986001234567890123","type":"card.sell"}"#);
    deployment.send("usage.cdr", [("k", broken.as_bytes(), AT_MS)]);
    deployment.send("card.commands", [("k", unknown.as_bytes(), AT_MS)]);
    let cases = [(broken, "usage.cdr", "not JSON"), (unknown, "card.commands", "card.sell")];
    for (value, source, reason) in cases {
        let letter = the_message(&deployment, "usage.dead-letter", value);
        assert_eq!((letter.header("outcome"), letter.header("source")), ("rejected", source));
        assert!(letter.header("reason").contains(reason), "{letter:?}");
    }
    eventually("both counted", || {
        let dead = running.counter("tidegauge_ingest_records_total", &[("outcome", "dead_letter")]);
        (dead == 2).then_some(())
    });
}

#[test]
fn a_question_that_cannot_be_meant_is_a_problem_in_words() {
    let deployment = Deployment::new("problems");
    let running = deployment.start();
    let cases = [
        ("/v1/cards/xyz", 400, "bad-request", "xyz"),
        ("/v1/cards/8986001234567890123", 404, "not-found", "never been registered"),
        ("/v1/cards/%FF", 400, "bad-request", "UTF-8"),
        ("/v1/nothing", 404, "not-found", "no such path"),
        ("/v1/cards/8986001234567890123?month=2026-10", 400, "bad-request", "takes no parameters"),
        ("/v1/fleet?carrier=x", 400, "bad-request", "/v1/fleet takes no parameters"),
        ("/v1/cards/8986001234567890123/usage?form=2026-10-01", 400, "bad-request", "form"),
    ];
    for (path, status, kind, detail) in cases {
        let answer = running.ask(path);
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (status, "application/problem+json"),
            "{path}"
        );
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:tidegauge:problem:{kind}"), "{path}");
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["detail"].as_str().is_some_and(|said| said.contains(detail)), "{path}: {problem}");
    }
    let answer = running.order("DELETE", "/v1/fleet", &[], "").json();
    assert_eq!(answer["detail"], "this path does not take that method: it takes GET, HEAD");
}
