//! `doctor`: looks at all that a deployment rests on, and says what is wrong, where, and how to mend it.
//!
//! Invariant: it changes nothing. The one thing that it writes is a message without a value and of no partition into
//! `tidegauge.owners`, which every reader passes over: the stamp that it gets is what the broker's clock says.

mod access;
mod brokers;
mod clickhouse;
mod finding;
mod instance;
mod machine;
mod sense;
mod state;
mod topics;

use std::time::Duration;

use super::args::DoctorArgs;
use super::exit::{Exit, Failed};
use super::kafka;
use crate::config::Config;
use crate::log::LogError;
use crate::log::kafka::KafkaConfig;
use crate::shell::Clocks;
use crate::stdout::say;
use finding::{Finding, Level};

/// How long each question to a broker may take: who asks is a person.
const QUESTION_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn run(args: &DoctorArgs, config: &Config, json: bool) -> Result<Exit, Failed> {
    let runtime = super::runtime()?;
    let mut findings = sense::look(config);
    findings.extend(machine::look(config));
    let client = client(config);
    let brokers = runtime.block_on(brokers::look(config, &client));
    let answered = brokers.answered;
    findings.extend(brokers.findings);
    if answered {
        let access = access::look(config, &client);
        let topics = runtime.block_on(topics::look(config, &client, &access.hidden));
        findings.extend(access.findings);
        findings.extend(topics.findings);
        findings.extend(state::look(config, &client, &topics.there));
    }
    findings.extend(runtime.block_on(clickhouse::look(config)));
    findings.extend(runtime.block_on(instance::look(config, &client, &args.instance, answered)));
    print(&findings, json);
    Ok(verdict(&findings))
}

/// Between two attempts.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Asks again while the brokers say that it passes: a coordinator that has just begun is no finding.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, LogError>) -> Result<T, LogError> {
    let clocks = Clocks::start();
    loop {
        match ask() {
            Err(LogError::Retriable(_)) if clocks.steady_ms() < QUESTION_WITHIN.as_millis() as i64 => {
                std::thread::park_timeout(AGAIN_AFTER);
            }
            other => return other,
        }
    }
}

fn client(config: &Config) -> KafkaConfig {
    let mut client = kafka::member(config, &config.kafka.group, "doctor");
    client.timeouts.request = QUESTION_WITHIN;
    client
}

/// What is away is told apart from what is wrong.
fn verdict(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.level == Level::Away) {
        return Exit::Unavailable;
    }
    let wrong = findings.iter().any(|finding| finding.level == Level::Error);
    if wrong { Exit::Failed } else { Exit::Done }
}

fn print(findings: &[Finding], json: bool) {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error) + count(Level::Away), count(Level::Warning));
    if json {
        let found = serde_json::json!({ "errors": errors, "warnings": warnings, "findings": findings });
        say!("{found:#}");
        return;
    }
    say!("{}", finding::table(findings).trim_end());
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    say!("{errors}, {warnings}, {} ok", count(Level::Ok));
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
