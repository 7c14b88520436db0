//! `verify`: every partition, two ways, byte for byte. Reads only.
//!
//! Invariant: a state that could not be looked at is told apart from one that is wrong. A log that is away is told
//! once, with every partition that it could not be asked for.

use super::exit::{Exit, Failed};
use super::halted::{Alike, alike, named};
use super::kafka;
use crate::checkpoint::{PartitionReport, Refused, Why, verify};
use crate::config::Config;
use crate::log::kafka::KafkaLook;
use crate::stdout::say;

pub(super) fn run(config: &Config, json: bool) -> Result<Exit, Failed> {
    let mut look = KafkaLook::open(kafka::member(config, &config.kafka.group, "verify"))
        .map_err(|error| Failed::of_log(&error))?;
    let expected = kafka::expected(config);
    let (mut exit, mut away) = (Exit::Done, Vec::new());
    for partition in 0..config.kafka.partitions {
        let found = verify(&mut look, partition, &expected);
        exit = worse(exit, verdict(&found));
        match found {
            Ok(report) => print(partition, &report, json),
            Err(refused) if json => {
                let why = kafka::told(&refused);
                say!("{}", serde_json::json!({"partition": partition, "refused": why}));
            }
            Err(Refused { why: Why::Log(why), .. }) => away.push((u64::from(partition), why)),
            Err(refused) => say!("{refused}"),
        }
    }
    for line in folded(away) {
        say!("{line}");
    }
    Ok(exit)
}

/// A line for all that the log failed alike.
fn folded(away: Vec<(u64, String)>) -> Vec<String> {
    let line = |Alike { partitions, why }: Alike| format!("{}: {}", named(&partitions), kafka::ended(&why));
    alike(away).into_iter().map(line).collect()
}

fn verdict(found: &Result<PartitionReport, Refused>) -> Exit {
    match found {
        Ok(report) if report.problems.is_empty() => Exit::Done,
        Err(Refused { why: Why::Log(_), .. }) => Exit::Unavailable,
        Ok(_) | Err(_) => Exit::Failed,
    }
}

/// What is wrong outweighs what is away.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
        (Exit::Done, other) => other,
        (one, _) => one,
    }
}

fn print(partition: u32, report: &PartitionReport, json: bool) {
    if json {
        return say!("{}", serde_json::json!(report));
    }
    let verdict = if report.problems.is_empty() { "clean" } else { "NOT CLEAN" };
    say!(
        "partition {partition}: {verdict} at offset {}, {} chunks, {} compared, {} messages replayed",
        report.offset.0,
        report.chunks,
        report.compared,
        report.replayed
    );
    report.problems.iter().for_each(|problem| say!("  {problem}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogError;

    #[test]
    fn a_log_that_is_away_is_one_line_with_what_to_do() {
        let away = |partition: u64| {
            let error = LogError::Retriable(format!("asking for tidegauge.log [{partition}]: timed out"));
            (partition, error.to_string())
        };
        let lines = folded((0..16).map(away).chain([(16, "wrong".to_owned())]).collect());
        let expected = "partitions 0-15: asking for tidegauge.log [0]: timed out; start Kafka, or mend kafka.brokers \
                        (`tidegauge doctor` looks)";
        assert_eq!(lines, [expected, "partition 16: wrong"]);
    }

    #[test]
    fn a_log_that_is_away_is_no_wrong_state_and_hides_none() {
        let refused = |why| Err(Refused { partition: 3, why });
        let away = verdict(&refused(Why::Log("asking: timed out".to_owned())));
        let wrong = verdict(&refused(Why::NothingThere));
        assert_eq!((away, wrong), (Exit::Unavailable, Exit::Failed));
        assert_eq!(worse(Exit::Done, away), Exit::Unavailable);
        assert_eq!(worse(away, Exit::Done), Exit::Unavailable);
        assert_eq!((worse(away, wrong), worse(wrong, away)), (Exit::Failed, Exit::Failed));
    }
}
