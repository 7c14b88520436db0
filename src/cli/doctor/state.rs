//! The state in Kafka: each partition's head against offset, topic id, number of partitions and this program; and which
//! partitions have not taken the newest catalogue.

use std::collections::BTreeMap;

use super::finding::{Finding, Findings};
use super::patiently;
use crate::checkpoint::{Glance, Head, Why, glance};
use crate::cli::halted::{Alike, alike, named};
use crate::cli::kafka::{expected, told};
use crate::config::Config;
use crate::log::kafka::topics::Found;
use crate::log::kafka::{KafkaConfig, KafkaLook};
use crate::log::{Topic, WorkerLog as _};
use crate::meter::FOLD_VERSION;
use crate::shell::wall_ms;

/// As the rule TidegaugeLogLag has it.
const BEHIND_S: i64 = 30;

pub(super) fn look(config: &Config, client: &KafkaConfig, there: &BTreeMap<Topic, Found>) -> Vec<Finding> {
    let mut findings = Findings::of("state");
    if !(there.contains_key(&Topic::Log) && there.contains_key(&Topic::Checkpoint)) {
        findings.warning("log", "not looked at: log or checkpoint is missing", "make the topics first");
        return findings.done();
    }
    let mut look = match KafkaLook::open(client.clone()) {
        Ok(look) => look,
        Err(error) => {
            findings.error("client", told(&error), "mend kafka.properties");
            return findings.done();
        }
    };
    let expected = expected(config);
    let (mut glances, mut refusals) = (Vec::new(), Vec::new());
    for partition in 0..config.kafka.partitions {
        // An error is found by the glance again, in its own words.
        drop(patiently(|| look.stable_offset(partition)));
        match glance(&mut look, partition, &expected) {
            Ok(glance) => glances.push((partition, glance)),
            Err(refused) => {
                refusals.push((u64::from(partition), told(&refused.why)));
                // What differs for the whole deployment is said once.
                if is_of_all(&refused.why) {
                    refused_all(refusals, &mut findings);
                    return findings.done();
                }
            }
        }
    }
    refused_all(refusals, &mut findings);
    judge(config, &glances, &mut findings);
    let mut findings = findings.done();
    findings.extend(catalogues(&glances));
    findings
}

/// Refusals that are alike are one finding. The sentence says what to do behind its last semicolon.
fn refused_all(refusals: Vec<(u64, String)>, findings: &mut Findings) {
    for Alike { partitions, why } in alike(refusals) {
        let subject = named(&partitions);
        // Numbers in it are those of one.
        let why = match partitions.as_slice() {
            [first, _, ..] => format!("partition {first}: {why}"),
            _ => why,
        };
        match why.rsplit_once("; ") {
            Some((what, fix)) => findings.error(subject, what, fix),
            None => {
                findings.error(subject, why, "a worker would halt this partition: see docs/operations.md");
            }
        }
    }
}

fn is_of_all(why: &Why) -> bool {
    matches!(why, Why::Partitions { .. } | Why::TopicId { .. } | Why::Clock { .. } | Why::Deployment { .. })
}

fn heads(glances: &[(u32, Glance)]) -> impl Iterator<Item = (u32, &Glance, &Head)> {
    glances.iter().filter_map(|(partition, glance)| Some((*partition, glance, glance.head.as_ref()?)))
}

fn judge(config: &Config, glances: &[(u32, Glance)], findings: &mut Findings) {
    let with_state = heads(glances).count();
    if with_state == 0 && !glances.is_empty() {
        findings.warning("all partitions", "there is no state yet", "`tidegauge run --new`, once");
        return;
    }
    if with_state < glances.len() {
        let text = format!("{} of {} partitions have no state", glances.len() - with_state, glances.len());
        findings.warning("some partitions", text, "`tidegauge run --new`, if they have never run");
    }
    let foreign: Vec<u32> =
        heads(glances).filter(|(_, _, head)| head.fold_version != FOLD_VERSION).map(|(p, ..)| p).collect();
    if !foreign.is_empty() {
        findings.warning(
            format!("partitions {}", list(&foreign)),
            format!("their state was made by another fold than this program's {FOLD_VERSION}"),
            "`tidegauge drain` with the program that runs, stop it, then start this one",
        );
    }
    behind(config, glances, findings);
    if findings.clean() {
        let text = "heads, offsets, topic ids and partitions agree; `tidegauge verify` proves the rest";
        findings.ok(format!("{with_state} partitions"), text);
    }
}

/// Partitions that have not folded what the log holds.
fn behind(config: &Config, glances: &[(u32, Glance)], findings: &mut Findings) {
    if config.clock_supplied {
        return;
    }
    let now_s = wall_ms() / 1_000;
    let late = |glance: &Glance, head: &Head| head.offset < glance.end && now_s - head.log_time > BEHIND_S;
    let late: Vec<(u32, i64)> = heads(glances)
        .filter(|(_, glance, head)| late(glance, head))
        .map(|(partition, _, head)| (partition, now_s - head.log_time))
        .collect();
    if let Some(longest) = late.iter().map(|(_, seconds)| *seconds).max() {
        let partitions: Vec<u32> = late.iter().map(|(partition, _)| *partition).collect();
        findings.warning(
            format!("partitions {}", list(&partitions)),
            format!("the log has records that are not metered, for up to {longest} s"),
            "is `tidegauge run` running with the role meter? If it is, see TidegaugeLogLag in docs/operations.md",
        );
    }
}

fn catalogues(glances: &[(u32, Glance)]) -> Vec<Finding> {
    let mut findings = Findings::of("catalogue");
    let of = |head: &Head| head.catalogues.iter().copied().max().unwrap_or(0);
    let newest = heads(glances).map(|(_, _, head)| of(head)).max();
    match newest {
        None => {}
        Some(0) => findings.warning(
            "all partitions",
            "no catalogue is in force: no card can be registered",
            "`tidegauge catalogue apply FILE`",
        ),
        Some(newest) => {
            let lagging: Vec<u32> = heads(glances)
                .filter(|(_, _, head)| of(head) < newest)
                .map(|(partition, ..)| partition)
                .collect();
            if lagging.is_empty() {
                findings.ok(format!("version {newest}"), "in force in every partition");
            } else {
                findings.warning(
                    format!("partitions {}", list(&lagging)),
                    format!("version {newest} is not in force there"),
                    "`tidegauge catalogue apply` the same file again: it ends when every partition shows it",
                );
            }
        }
    }
    findings.done()
}

fn list(partitions: &[u32]) -> String {
    let shown: Vec<String> = partitions.iter().take(8).map(ToString::to_string).collect();
    let more = if partitions.len() > 8 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::checkpoint::Clock;
    use crate::model::{Ledger, LogOffset};

    fn glance(catalogues: &[u32]) -> Glance {
        let head = Head {
            offset: LogOffset(9),
            log_time: 0,
            clock: Clock::Log,
            topic_id: String::new(),
            partitions: 2,
            fold_version: FOLD_VERSION,
            catalogues: catalogues.to_vec(),
            ledger: Ledger::default(),
            generation: 0,
            writer: String::new(),
            deployment: "t".to_owned(),
        };
        Glance { head: Some(head), first: LogOffset(0), end: LogOffset(9) }
    }

    #[test]
    fn partitions_behind_the_newest_catalogue_are_named() {
        let found = |of: &[&[u32]]| {
            let glances: Vec<_> = (0..).zip(of.iter().map(|versions| glance(versions))).collect();
            let found = catalogues(&glances).remove(0);
            (found.level, found.subject)
        };
        assert_eq!(found(&[&[1, 3], &[3]]), (Level::Ok, "version 3".to_owned()));
        assert_eq!(found(&[&[3], &[2], &[], &[3]]), (Level::Warning, "partitions 1, 2".to_owned()));
        assert_eq!(found(&[&[], &[]]).0, Level::Warning);
    }

    #[test]
    fn a_state_of_another_fold_is_to_be_drained_first() {
        let said: crate::config::said::Said = toml::from_str("deployment = 't'").expect("TOML");
        let config = Config::from_said(said).expect("a configuration");
        let mut other = glance(&[1]);
        other.head.as_mut().expect("a head").fold_version += 1;
        let mut findings = Findings::of("state");
        judge(&config, &[(0, glance(&[1])), (1, other)], &mut findings);
        let found = findings.done().remove(0);
        assert_eq!((found.level, found.subject.as_str()), (Level::Warning, "partitions 1"));
        assert!(found.fix.is_some_and(|fix| fix.contains("drain")));
    }
}
