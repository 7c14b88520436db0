//! `topics plan|apply`.

use super::args::TopicsCommand;
use super::exit::{Exit, Failed};
use super::kafka;
use crate::config::Config;
use crate::log::kafka::topics::{self, Difference, Remedy, Stamps, Wanted};
use crate::stdout::say;

pub(super) fn run(command: &TopicsCommand, config: &Config, json: bool) -> Result<Exit, Failed> {
    let client = kafka::member(config, &config.kafka.group, "topics");
    let wanted = wanted(config);
    let runtime = super::runtime()?;
    let planned = runtime.block_on(topics::plan(&client, &wanted)).map_err(Failed::unavailable)?;
    if matches!(command, TopicsCommand::Apply) {
        runtime.block_on(topics::apply(&client, &wanted)).map_err(Failed::unavailable)?;
    }
    print(&planned, json);
    let by_hand = planned.iter().any(|d| d.remedy() == Remedy::ByHand);
    Ok(if by_hand { Exit::Failed } else { Exit::Done })
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

fn print(differences: &[Difference], json: bool) {
    if json {
        let lines: Vec<_> = differences
            .iter()
            .map(|d| serde_json::json!({ "difference": d.to_string(), "by_hand": d.remedy() == Remedy::ByHand }))
            .collect();
        say!("{:#}", serde_json::Value::Array(lines));
        return;
    }
    if differences.is_empty() {
        say!("all topics are as they should be");
    }
    for difference in differences {
        let sign = if difference.remedy() == Remedy::ByHand { "by hand:" } else { "+" };
        say!("{sign} {difference}");
    }
}
