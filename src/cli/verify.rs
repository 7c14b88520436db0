//! `verify`: every partition, two ways, byte for byte. Reads only.
//!
//! Invariant: a state that could not be looked at is told apart from one that is wrong.

use super::exit::{Exit, Failed};
use super::kafka;
use crate::checkpoint::{PartitionReport, Refused, Why, verify};
use crate::config::Config;
use crate::log::kafka::KafkaLook;
use crate::stdout::say;

pub(super) fn run(config: &Config, json: bool) -> Result<Exit, Failed> {
    let mut look =
        KafkaLook::open(kafka::member(config, &config.kafka.group, "verify")).map_err(Failed::unavailable)?;
    let expected = kafka::expected(config);
    let mut exit = Exit::Done;
    for partition in 0..config.kafka.partitions {
        let found = verify(&mut look, partition, &expected);
        print(partition, &found, json);
        exit = worse(exit, verdict(&found));
    }
    Ok(exit)
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

fn print(partition: u32, found: &Result<PartitionReport, Refused>, json: bool) {
    match found {
        Ok(report) if json => say!("{}", serde_json::json!(report)),
        Err(refused) if json => {
            say!("{}", serde_json::json!({"partition": partition, "refused": refused.to_string()}));
        }
        Err(refused) => say!("{refused}"),
        Ok(report) => {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
