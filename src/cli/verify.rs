//! `verify`: every partition, two ways, byte for byte. Reads only.

use super::exit::{Exit, Failed};
use super::kafka;
use crate::checkpoint::{PartitionReport, Refused, verify};
use crate::config::Config;
use crate::log::kafka::KafkaLook;
use crate::stdout::say;

pub(super) fn run(config: &Config, json: bool) -> Result<Exit, Failed> {
    let mut look =
        KafkaLook::open(kafka::member(config, &config.kafka.group, "verify")).map_err(Failed::unavailable)?;
    let expected = kafka::expected(config);
    let mut clean = true;
    for partition in 0..config.kafka.partitions {
        let found = verify(&mut look, partition, &expected);
        clean &= found.as_ref().is_ok_and(|report| report.problems.is_empty());
        print(partition, &found, json);
    }
    Ok(if clean { Exit::Done } else { Exit::Failed })
}

fn print(partition: u32, found: &Result<PartitionReport, Refused>, json: bool) {
    match found {
        Ok(report) if json => say!("{}", serde_json::json!(report)),
        Err(refused) if json => {
            say!("{}", serde_json::json!({"partition": partition, "refused": refused.to_string()}));
        }
        Err(refused) => say!("partition {partition}: {refused}"),
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
