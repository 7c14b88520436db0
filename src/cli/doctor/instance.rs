//! A running instance: is it ready, and how old is what ClickHouse has not acknowledged?
//!
//! The log is kept for so long only. What is unflushed for almost as long is held by memory and checkpoint alone; and a
//! closed month that no table has is what nobody wants to find out about at the end.

use hyper::Method;
use serde_json::Value;

use super::finding::{Finding, Findings};
use crate::cli::args::InstanceArgs;
use crate::cli::halted::{Alike, alike, named, of_partition};
use crate::cli::remote;
use crate::config::Config;
use crate::limits::{DAY_S, UNFLUSHED_S_MAX};
use crate::log::kafka::{KafkaConfig, KafkaLook};
use crate::log::{Topic, WorkerLog as _};
use crate::model::LogOffset;
use crate::shell::wall_ms;

/// What to do about workers and ingests that have not begun.
const MISSING: &str = "mend the finding about the brokers above, or see the instance's log";

pub(super) async fn look(
    config: &Config,
    client: &KafkaConfig,
    instance: &InstanceArgs,
    kafka_answers: bool,
) -> Vec<Finding> {
    let mut findings = Findings::of("instance");
    let base = instance.url.clone().unwrap_or_else(|| format!("http://{}", config.api_listen));
    let Ok((_, ready)) = remote::ask(Method::GET, &base, "/health/ready", instance).await else {
        let fix = "start it, or name one that runs with --url";
        findings.warning(base, "no instance answers, so none was looked at", fix);
        return findings.done();
    };
    if ready["ready"] == true {
        findings.ok(base.clone(), "ready");
    }
    unready(&base, &ready, &mut findings);
    if config.clickhouse.is_some() && kafka_answers && !config.clock_supplied {
        match remote::ask(Method::GET, &base, "/v1/partitions", instance).await {
            Ok((status, partitions)) if status.is_success() => unflushed(client, &partitions, &mut findings),
            Ok((status, _)) => {
                findings.warning(base, format!("GET /v1/partitions: {status}"), "name a token with --token");
            }
            Err(failed) => findings.warning(base, format!("{:#}", failed.error), "try again"),
        }
    }
    findings.done()
}

/// Why it is not ready. Partitions of which the same is said are one finding.
fn unready(base: &str, ready: &Value, findings: &mut Findings) {
    let fix = "what the sentence says; docs/operations.md has more";
    let mut of_partitions = Vec::new();
    for why in ready["why"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        match of_partition(why) {
            Some((partition, rest)) => of_partitions.push((partition, rest.to_owned())),
            None if is_missing(why) => findings.error(base, why, MISSING),
            None => findings.error(base, why, fix),
        }
    }
    for Alike { partitions, why } in alike(of_partitions) {
        let text = match partitions.as_slice() {
            [only] => format!("partition {only} {why}"),
            [first, ..] => format!("{} alike: partition {first} {why}", named(&partitions)),
            [] => continue,
        };
        findings.error(base, text, fix);
    }
}

/// Whether a sentence is of workers or ingests that have not begun, as the board says it.
fn is_missing(why: &str) -> bool {
    why.contains(" workers have joined") || why.contains(" ingests have read the directory")
}

/// The age of the oldest change that ClickHouse lacks, of the partitions that the instance holds.
fn unflushed(client: &KafkaConfig, partitions: &Value, findings: &mut Findings) {
    let Ok(mut look) = KafkaLook::open(client.clone()) else { return };
    let mut oldest: Option<(i64, u64)> = None;
    for status in partitions.as_array().into_iter().flatten() {
        let number = |name: &str| status[name].as_u64();
        let (Some(partition), Some(flushed), Some(committed)) =
            (number("partition"), number("flushed_through"), number("committed"))
        else {
            continue;
        };
        let from = LogOffset(flushed + 1);
        if number("dirty_cards") == Some(0) || from.0 >= committed {
            continue;
        }
        let mut time_ms = None;
        let each = &mut |message: crate::log::Message<'_>| {
            time_ms = Some(message.time_ms);
            false
        };
        let scanned = look.scan(Topic::Log, partition as u32, from, LogOffset(committed), each);
        if let (Ok(()), Some(time_ms)) = (scanned, time_ms) {
            let age = ((wall_ms() - time_ms) / 1_000, partition);
            oldest = oldest.max(Some(age));
        }
    }
    let Some((age_s, partition)) = oldest else {
        findings.ok("ClickHouse", "has what is committed");
        return;
    };
    judge(age_s, partition, findings);
}

fn judge(age_s: i64, partition: u64, findings: &mut Findings) {
    let days = UNFLUSHED_S_MAX / DAY_S;
    let text = format!(
        "partition {partition}: the oldest change that ClickHouse lacks is {age_s} s old; the log is kept for {days} days"
    );
    let fix = "bring ClickHouse back: its findings stand above; rows come by themselves then";
    match age_s {
        _ if age_s > UNFLUSHED_S_MAX - 5 * DAY_S => findings.error("ClickHouse", text, fix),
        _ if age_s > DAY_S => findings.warning("ClickHouse", text, fix),
        _ => findings.ok("ClickHouse", format!("partition {partition}: {age_s} s behind")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn partitions_that_have_halted_alike_are_one_finding() {
        let halted = |p: u32| format!("partition {p} has halted: tidegauge.log [{p}] offset 4{p}: no record");
        let why: Vec<String> = (0..16).map(halted).chain(["stopping".to_owned()]).collect();
        let mut findings = Findings::of("instance");
        unready("http://x", &serde_json::json!({"ready": false, "why": why}), &mut findings);
        let said: Vec<String> = findings.done().into_iter().map(|finding| finding.what).collect();
        let first = "partitions 0-15 alike: partition 0 has halted: tidegauge.log [0] offset 40: no record";
        assert_eq!(said, ["stopping", first]);
    }

    #[test]
    fn who_has_not_begun_is_mended_with_the_brokers() {
        let board = crate::shell::Board::new(1, 1);
        let ready = serde_json::json!({"ready": false, "why": board.readiness().why});
        let mut findings = Findings::of("instance");
        unready("http://x", &ready, &mut findings);
        let fixes: Vec<Option<String>> = findings.done().into_iter().map(|finding| finding.fix).collect();
        assert_eq!(fixes, [Some(MISSING.to_owned()), Some(MISSING.to_owned())]);
    }

    #[test]
    fn what_clickhouse_lacks_is_an_error_before_the_log_forgets_it() {
        for (days, expected) in
            [(0, Level::Ok), (2, Level::Warning), (34, Level::Warning), (36, Level::Error)]
        {
            let mut findings = Findings::of("instance");
            judge(days * DAY_S, 3, &mut findings);
            assert_eq!(findings.done()[0].level, expected, "{days}");
        }
    }
}
