//! The auditor: recomputes everything from what was sent and from the log, by the words of `docs/rules.md`, and holds it
//! against what the world can see.
//!
//! It shares no code with the meter or with ingest's decoders. It is slow on purpose: it keeps every record ever counted
//! and works every total out from the first byte on, with no closed days, no caches and nothing skipped, so that a
//! shortcut of the meter that is wrong cannot be wrong here too.
//!
//! | file | what it judges |
//! |---|---|
//! | `inputs` | each outside message is logged as it was meant, or in dead letter, or unknown |
//! | `fold`, `obey`, `event_id`, `follow`, `life`, `line`, `scene`, `readings`, `totals`, `wallet`, `burn`, `voids`, `opening`, `watch`, `credits`, `corrections`, `terms`, `dating`, `declared`, `zone` | what each log record came to, and what had to be published |
//! | `visible` | each event once, with its id and its content; each uncounted record kept once |
//! | `tables` | the rows of `ClickHouse`, to the byte |
//! | `replay` | every chunk is what the log makes, byte for byte; restore and replay come to the same |

mod burn;
mod corrections;
mod credits;
mod dating;
mod declared;
mod event_id;
mod fold;
mod follow;
mod inputs;
mod life;
mod line;
mod logbook;
mod obey;
mod opening;
mod readings;
mod replay;
mod scene;
mod tables;
mod terms;
mod totals;
mod visible;
mod voids;
mod wallet;
mod watch;
mod zone;

use super::Finding;
use super::world::Evidence;
use crate::log::sim::Read;
use crate::log::{Topic, TopicPartition};
use crate::model::{Input, Ledger, Outcome, Position};
use fold::Fold;
use logbook::Batch;

/// Judges a world that has run. Empty: everything is as it should be.
pub(super) fn judge(evidence: &Evidence) -> Vec<Finding> {
    let mut out = evidence.findings.clone();
    if let Err(problem) = judge_all(evidence, &mut out) {
        out.push(Finding::new("log", problem));
    }
    out
}

fn judge_all(evidence: &Evidence, out: &mut Vec<Finding>) -> Result<(), String> {
    let log = (0..evidence.partitions)
        .map(|p| logbook::read(p, &history(evidence, Topic::Log, p)))
        .collect::<Result<Vec<_>, _>>()?;
    let folds: Vec<Fold> = log.iter().map(|batches| fold(batches)).collect();
    let (quarantine, dead) = (all(evidence, Topic::Quarantine), all(evidence, Topic::DeadLetter));
    inputs::judge(&evidence.sent, &log, &dead, &quarantine, out);
    judge_events(evidence, &folds, out);
    let kept: Vec<Read> = quarantine.into_iter().chain(dead).collect();
    let wanted = folds.iter().flat_map(|fold| fold.kept.clone()).collect();
    let passed = visible::judge_kept(&visible::kept(&kept), &wanted, out);
    judge_tables(evidence, &folds, out);
    for (partition, fold) in (0..).zip(&folds) {
        let replayed = replay::judge(partition, evidence, out);
        let conflicts = passed.iter().filter(|p: &&Position| p.partition == partition).count() as u64;
        if let Some(ledger) = replayed {
            judge_ledger(partition, fold, &ledger, conflicts, out);
        }
    }
    for ledger in evidence.ingest_ledgers.iter().filter(|ledger| !ledger.adds_up()) {
        out.push(Finding::new("ledger", format!("ingest's ledger does not add up: {ledger:?}")));
    }
    Ok(())
}

fn fold(batches: &[Batch]) -> Fold {
    let mut fold = Fold::default();
    for batch in batches {
        fold.batch(batch);
    }
    fold
}

fn judge_events(evidence: &Evidence, folds: &[Fold], out: &mut Vec<Finding>) {
    let expected: Vec<_> = folds.iter().flat_map(|fold| fold.expected.clone()).collect();
    let topics =
        [Topic::Alerts, Topic::Activations, Topic::Lifecycle].map(|topic| (topic, all(evidence, topic)));
    visible::judge_events(&topics, &expected, out);
}

fn judge_tables(evidence: &Evidence, folds: &[Fold], out: &mut Vec<Finding>) {
    evidence.tables.read(|tables| {
        let rows = folds.iter().map(|fold| tables::judge(fold, tables, out));
        let (months, days) = rows.fold((0, 0), |sum, rows| (sum.0 + rows.0, sum.1 + rows.1));
        if (months, days) != (tables.months.len(), tables.days.len()) {
            let what = format!(
                "{} months and {} days, should be {months} and {days}",
                tables.months.len(),
                tables.days.len()
            );
            out.push(Finding::new("tables", what));
        }
        out.extend(tables.contradictions.iter().map(|what| Finding::new("tables", what.clone())));
    });
}

/// The meter's ledger as its last head has it. Conflicts that passed for duplicates stand among these.
fn judge_ledger(partition: u32, fold: &Fold, found: &Ledger, passed: u64, out: &mut Vec<Finding>) {
    if !found.adds_up() {
        out.push(Finding::new(
            "ledger",
            format!("partition {partition}: the meter's ledger does not add up: {found:?}"),
        ));
    }
    for input in Input::ALL {
        for outcome in Outcome::ALL {
            let (mut records, bytes) = fold.ledger.get(&(input.name(), outcome)).copied().unwrap_or_default();
            let moved = if input == Input::Cdr { passed } else { 0 };
            match outcome {
                // More than there were shows among the duplicates.
                Outcome::Conflict => records = records.saturating_sub(moved),
                Outcome::Duplicate => records += moved,
                _ => {}
            }
            let have = (found.records(input, outcome), found.bytes(input, outcome));
            let bytes_differ = have.1 != bytes && moved == 0;
            if have.0 != records || bytes_differ {
                let name = (input.name(), outcome.name());
                out.push(Finding::new(
                    "ledger",
                    format!("partition {partition} {name:?}: {have:?}, should be {:?}", (records, bytes)),
                ));
            }
        }
    }
}

/// All committed messages of one partition.
fn history(evidence: &Evidence, topic: Topic, partition: u32) -> Vec<Read> {
    evidence.sim.history(TopicPartition { topic, partition }).unwrap_or_default()
}

/// All committed messages of an outside topic.
fn all(evidence: &Evidence, topic: Topic) -> Vec<Read> {
    (0..evidence.outside_partitions).flat_map(|partition| history(evidence, topic, partition)).collect()
}
