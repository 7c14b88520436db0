//! `topics plan|apply`: what differs from the topics that should be; makes and sets it, partitions never.

use std::time::Duration;

use super::args::TopicsCommand;
use super::exit::{Exit, Failed};
use super::kafka;
use crate::config::Config;
use crate::limits::{TOPICS_ATTEMPTS, TOPICS_PATIENCE_MS};
use crate::log::LogError;
use crate::log::kafka::topics::{self, Difference, Remedy, Stamps, Wanted};
use crate::shell::Clocks;
use crate::stdout::say;

const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

pub(super) fn run(command: &TopicsCommand, config: &Config, json: bool) -> Result<Exit, Failed> {
    let client = kafka::member(config, &config.kafka.group, "topics");
    let wanted = wanted(config);
    let runtime = super::runtime()?;
    let planned = runtime
        .block_on(patiently(BETWEEN_ATTEMPTS, async || topics::plan(&client, &wanted).await))
        .map_err(|error| Failed::of_log(&error))?;
    let apply = matches!(command, TopicsCommand::Apply);
    if apply {
        runtime
            .block_on(patiently(BETWEEN_ATTEMPTS, async || topics::apply(&client, &wanted).await))
            .map_err(|error| Failed::of_log(&error))?;
    }
    print(&planned, apply, json);
    let by_hand = planned.iter().any(|d| d.remedy() == Remedy::ByHand);
    Ok(if by_hand { Exit::Failed } else { Exit::Done })
}

/// A cluster that has just made topics may not know their leaders yet: what may be tried again is, some times. Whoever
/// waits is told for what.
async fn patiently<T>(
    between: Duration,
    attempt: impl AsyncFn() -> Result<T, LogError>,
) -> Result<T, LogError> {
    let (clocks, mut told) = (Clocks::start(), String::new());
    for _ in 1..TOPICS_ATTEMPTS {
        match attempt().await {
            Err(LogError::Retriable(why)) if clocks.steady_ms() < TOPICS_PATIENCE_MS => {
                if why != told {
                    eprintln!("tidegauge: {why}; {}", again_for(clocks.steady_ms()));
                    told = why;
                }
            }
            answer => return answer,
        }
        tokio::time::sleep(between).await;
    }
    attempt().await
}

/// For how long, of what is left so many milliseconds after the beginning.
fn again_for(since_ms: i64) -> String {
    format!("trying again for {} s", ((TOPICS_PATIENCE_MS - since_ms).max(0) + 999) / 1_000)
}

/// The topics as the configuration wants them: all with the log's partitions, so that the default serves small and large.
pub(super) fn wanted(config: &Config) -> Wanted {
    Wanted {
        log_partitions: config.kafka.partitions,
        other_partitions: config.kafka.partitions,
        replication: config.kafka.replication,
        stamps: if config.clock_supplied { Stamps::Writers } else { Stamps::Brokers },
    }
}

fn print(differences: &[Difference], applied: bool, json: bool) {
    if json {
        let lines: Vec<_> = differences
            .iter()
            .map(|d| {
                let by_hand = d.remedy() == Remedy::ByHand;
                serde_json::json!({ "difference": d.to_string(), "by_hand": by_hand, "done": applied && !by_hand })
            })
            .collect();
        say!("{:#}", serde_json::Value::Array(lines));
        return;
    }
    if differences.is_empty() {
        say!("all topics are as they should be");
    }
    for difference in differences {
        say!("{}", line(difference, applied));
    }
}

/// What is to be done, or what was.
fn line(difference: &Difference, applied: bool) -> String {
    match difference.remedy() {
        Remedy::ByHand => format!("by hand: {difference}"),
        Remedy::Applied if applied => format!("done: {}", difference.done()),
        Remedy::Applied => format!("+ {difference}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Topic;

    #[tokio::test]
    async fn what_may_be_tried_again_is_and_nothing_else() {
        let asked = std::cell::Cell::new(0);
        let away = || {
            asked.set(asked.get() + 1);
            Err(LogError::Retriable("no leader".to_owned()))
        };
        let soon =
            patiently(Duration::ZERO, async || if asked.get() < 3 { away() } else { Ok(asked.get()) }).await;
        assert_eq!(soon, Ok(3));
        let never = patiently(Duration::ZERO, async || away()).await;
        assert_eq!((never.is_err(), asked.get()), (true, 3 + TOPICS_ATTEMPTS));
        let wrong = || LogError::Fenced("another".to_owned());
        assert_eq!(patiently(Duration::ZERO, async || Err::<(), _>(wrong())).await, Err(wrong()));
    }

    #[test]
    fn who_waits_is_told_for_how_long() {
        assert_eq!(again_for(0), "trying again for 20 s");
        assert_eq!(again_for(10_001), "trying again for 10 s");
        assert_eq!(again_for(TOPICS_PATIENCE_MS + 1), "trying again for 0 s");
    }

    #[test]
    fn what_was_done_reads_otherwise_than_what_is_planned() {
        let setting =
            Difference::Setting { topic: Topic::Log, name: "retention.ms", is: None, should: "5".to_owned() };
        let log = Topic::Log;
        assert_eq!(line(&setting, false), format!("+ {log}: retention.ms is not set, should be 5"));
        assert_eq!(line(&setting, true), format!("done: {log}: retention.ms set to 5, was not set"));
        let copies = Difference::Replication { topic: Topic::Log, is: 1, should: 3 };
        assert_eq!(line(&copies, true), line(&copies, false));
        assert!(line(&copies, true).starts_with("by hand: "));
    }
}
