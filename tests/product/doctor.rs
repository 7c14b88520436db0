//! `doctor`: finds nothing wrong where nothing is, and each thing that was broken on purpose, with its place and its remedy.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::eventually;
use crate::http;
use crate::support::{Broker, block_on, broker};

const CATALOGUE: &str = "version = 1\nown_channels = [\"web\"]\n[[carriers]]\nname = \"east\"\nzone = \"UTC\"\n\
    anchor_day = 1\n[[plans]]\nname = \"standard\"\n";

/// What it found, and how it ended.
struct Examined {
    code: Option<i32>,
    findings: Vec<Value>,
}

fn examine(deployment: &Deployment) -> Examined {
    let output = deployment.output(&["doctor", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let findings = said["findings"].as_array().expect("findings").clone();
    let count = |level: &str| findings.iter().filter(|f| f["level"] == level).count();
    assert_eq!(
        (said["errors"].as_u64(), said["warnings"].as_u64()),
        (Some(count("error") as u64), Some(count("warning") as u64))
    );
    for finding in &findings {
        assert_eq!(
            finding["level"] == "ok",
            finding.get("fix").is_none(),
            "all but ok says what to do: {finding}"
        );
    }
    Examined { code: output.status.code(), findings }
}

impl Examined {
    /// The findings of a level: family and place.
    fn places(&self, level: &str) -> Vec<(&str, &str)> {
        // How full the machine's disk is, is not the deployment's doing.
        let disk = |finding: &Value| text(finding, "subject").starts_with("disk ");
        let of_level = self.findings.iter().filter(|f| f["level"] == level && !disk(f));
        of_level.map(|finding| (text(finding, "check"), text(finding, "subject"))).collect()
    }

    fn said(&self, check: &str, subject: &str) -> &str {
        let found = self.findings.iter().find(|f| f["check"] == check && f["subject"] == subject);
        found
            .and_then(|f| f["finding"].as_str())
            .unwrap_or_else(|| panic!("{check} {subject}: {:#?}", self.findings))
    }
}

fn text<'v>(finding: &'v Value, name: &str) -> &'v str {
    finding[name].as_str().expect("text")
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", brokers).create().expect("an admin client")
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(Duration::from_secs(10)))
}

fn statement(engine: &Engine, sql: &str) {
    let address = engine.url.strip_prefix("http://").expect("http");
    let answer = http::post(address, "/?database=tidegauge", sql).expect("the engine answers");
    assert_eq!(answer.status, 200, "{sql}: {answer:?}");
}

#[test]
fn what_was_broken_on_purpose_is_found_with_its_place() {
    let Some(mut engine) = Engine::start() else {
        println!("SKIPPED: the ClickHouse engine is not here");
        return;
    };
    let deployment = Deployment::new("doctor").with("TIDEGAUGE_CLOCK", "log");
    let deployment = deployment.with("TIDEGAUGE_CLICKHOUSE_URL", &engine.url);
    let before = examine(&deployment);
    assert_eq!(before.code, Some(1), "{:#?}", before.findings);
    let missing = before.places("error");
    assert_eq!(missing.iter().filter(|(check, _)| *check == "topics").count(), 14, "{missing:?}");
    assert!(before.said("clickhouse", "database tidegauge").contains("0001_rollups"));

    deployment.tell(&["migrate"]);
    let catalogue = deployment.file("catalogue.toml", CATALOGUE);
    let running = deployment.start();
    deployment.tell(&["catalogue", "apply", &catalogue.to_string_lossy()]);
    let sound = examine(&deployment);
    assert_eq!((sound.code, sound.places("error")), (Some(0), vec![]), "{:#?}", sound.findings);
    assert_eq!(sound.places("warning"), [("configuration", "kafka.replication")]);
    assert!(sound.said("brokers", sound.places("ok")[at(&sound, "brokers")].1).contains("Kafka 4."));
    assert!(
        sound.said("clock", sound.places("ok")[at(&sound, "clock")].1).contains("this machine's, within")
    );
    assert_eq!(
        sound.said("state", "4 partitions").split(';').next(),
        Some("heads, offsets, topic ids and partitions agree")
    );
    assert_eq!(sound.said("catalogue", "version 1"), "in force in every partition");
    for check in ["access", "limits", "clickhouse", "instance", "topics"] {
        at(&sound, check);
    }
    let table = deployment.tell(&["doctor"]);
    assert!(
        table.lines().any(|line| line.starts_with("WARNING  configuration  kafka.replication")),
        "{table}"
    );
    assert!(table.trim_end().ends_with("ok"), "{table}");
    assert_eq!(running.terminate().code(), Some(0));

    // Somebody lowers a retention, another bounds a topic by size, a third drops a column.
    let alter = AlterConfig::new(ResourceSpecifier::Topic("doctor.tidegauge.log"))
        .set("message.timestamp.type", "LogAppendTime")
        .set("retention.ms", "86400000")
        .set("retention.bytes", "1000000");
    let altered = block_on(admin(broker()).alter_configs([&alter], &options()));
    assert!(altered.expect("an answer").iter().all(Result::is_ok));
    statement(&engine, "ALTER TABLE card_day DROP COLUMN used");
    let broken = examine(&deployment);
    assert_eq!(broken.code, Some(1));
    assert_eq!(
        broken.places("error"),
        [("topics", "doctor.tidegauge.log"), ("clickhouse", "database tidegauge")]
    );
    assert_eq!(
        broken.said("topics", "doctor.tidegauge.log"),
        "retention.ms is 86400000, should be 3456000000"
    );
    assert_eq!(broken.said("clickhouse", "database tidegauge"), "table card_day has no column used (UInt64)");
    assert!(broken.places("warning").contains(&("topics", "doctor.tidegauge.log")), "retention.bytes");
    assert_eq!(broken.places("warning").last().map(|(check, _)| *check), Some("instance"), "none runs");

    // Another deployment's name, and other partitions than the log was made with.
    let other = deployment.second().with("TIDEGAUGE_DEPLOYMENT", "another");
    assert!(examine(&other).places("error").contains(&("state", "partition 0")));
    let other = deployment.second().with("TIDEGAUGE_KAFKA_PARTITIONS", "8");
    assert!(examine(&other).places("error").contains(&("topics", "doctor.tidegauge.checkpoint")));

    // The log deleted and made again: its offsets mean other records.
    let deleted = block_on(admin(broker()).delete_topics(&["doctor.tidegauge.log"], &options()));
    assert!(deleted.expect("an answer").iter().all(Result::is_ok));
    eventually("the topic to be made again", || {
        deployment.output(&["topics", "apply"]).status.success().then_some(())
    });
    let remade = examine(&deployment);
    assert!(remade.said("state", "partitions 0-3").starts_with("partition 0: "), "{:#?}", remade.findings);

    engine.kill();
    assert_eq!(examine(&deployment).code, Some(69), "ClickHouse is away");
    let nowhere = deployment.second().with("TIDEGAUGE_KAFKA_BROKERS", "127.0.0.1:1");
    assert_eq!(examine(&nowhere).code, Some(69), "Kafka is away");
}

/// Where the first finding of a family stands among those that are well.
fn at(examined: &Examined, check: &str) -> usize {
    let found = examined.places("ok").iter().position(|(of, _)| *of == check);
    found.unwrap_or_else(|| panic!("{check}: {:#?}", examined.findings))
}

/// `kafka-acls.sh`, about the principal that everybody here is.
fn rule(brokers: &str, rule: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/dev/kafka-get.sh");
    let libs = Command::new(script).output().expect("Kafka is here").stdout;
    let libs = format!("{}/*", String::from_utf8(libs).expect("text").trim());
    let mut command = Command::new("java");
    command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", &libs, "org.apache.kafka.tools.AclCommand"]);
    command.args(["--bootstrap-server", brokers, "--add", "--force", rule, "User:ANONYMOUS"]);
    let output = command.args(arguments).output().expect("java runs");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_this_principal_may_not_do_is_named() {
    let broker = Broker::start_with(
        "acls",
        &[
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found=true",
        ],
    );
    let brokers = broker.address();
    let deployment = Deployment::new("acls").with("TIDEGAUGE_KAFKA_BROKERS", &brokers);
    deployment.tell(&["topics", "apply"]);
    let allowed = examine(&deployment);
    assert!(!allowed.places("error").iter().any(|(check, _)| *check == "access"), "{:#?}", allowed.findings);
    // Whom a rule allows something, the others do not: Write is left out. Denying Describe hides the topic.
    let reads = ["--operation", "Read", "--operation", "Describe", "--operation", "DescribeConfigs"];
    rule(&brokers, "--allow-principal", &[&reads[..], &["--topic", "acls.card.alerts"]].concat());
    rule(&brokers, "--deny-principal", &["--operation", "Describe", "--topic", "acls.usage.cdr"]);
    rule(&brokers, "--deny-principal", &["--operation", "Read", "--group", "acls.tidegauge-ingest"]);
    let denied = eventually("the rules to be in force", || {
        let examined = examine(&deployment);
        let access = examined.places("error").into_iter().filter(|(check, _)| *check == "access").count();
        (access >= 3).then_some(examined)
    });
    assert_eq!(denied.code, Some(1));
    assert_eq!(denied.said("access", "topic acls.card.alerts"), "Write is not allowed");
    assert!(denied.said("access", "topic acls.usage.cdr").contains("authoriz"), "{:#?}", denied.findings);
    assert!(denied.places("error").contains(&("access", "group acls.tidegauge-ingest")));
    assert!(!denied.places("error").iter().any(|(check, _)| *check == "topics"), "hidden is not missing");
}
