//! `docs/reference/metrics.md`, of the one list; and that the program counts under no other name.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tidegauge::api::metrics::{self as ours, Kind, METRICS, Metric};

use crate::{Reference, at, head, row};

const INTRODUCTION: &str = "\
`GET /metrics`, Prometheus's text format; it asks for no token. No label carries a card. Both ledgers add up from what stands
here: `ingest_read_total` is the sum of `ingest_records_total`, and `records_total` over its outcomes is what was folded. What
alerts on them, and what to do then: [operations](../operations.md).

";

const REFERENCE: Reference = Reference { name: "metrics", title: "Metrics" };

fn text(metrics: &[Metric]) -> String {
    let mut text = INTRODUCTION.to_owned() + &head(&["metric", "type", "labels", "meaning"]);
    for metric in metrics {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        text += &row(&[&format!("`{}`", metric.name), metric.kind.name(), &labels.join(", "), metric.means]);
    }
    text
}

#[test]
fn metrics() {
    REFERENCE.assert(&text(METRICS));
}

#[test]
fn a_metric_that_changes_is_noticed() {
    let last = METRICS.len() - 1;
    for change in [
        |metric: &mut Metric| metric.name = "tidegauge_other_total",
        |metric: &mut Metric| metric.labels = &["card"],
        |metric: &mut Metric| metric.means = "something else",
        |metric: &mut Metric| {
            metric.kind = if metric.kind == Kind::Gauge { Kind::Counter } else { Kind::Gauge }
        },
    ] {
        for at in [0, last] {
            let mut metrics = METRICS.to_vec();
            change(&mut metrics[at]);
            REFERENCE.assert_notices(&text(METRICS), &text(&metrics));
        }
    }
    REFERENCE.assert_notices(&text(METRICS), &text(&METRICS[..last]));
}

/// Names in quotes, of every file but the list itself.
fn counted(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            counted(&path, names);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("api/metrics/named.rs") {
            let source = std::fs::read_to_string(&path).expect("source");
            let quoted = source.split("\"tidegauge_").skip(1).filter_map(|rest| rest.split('"').next());
            names.extend(quoted.map(|rest| format!("tidegauge_{rest}")));
        }
    }
}

#[test]
fn nothing_is_counted_under_a_name_that_is_not_listed() {
    let mut names = BTreeSet::new();
    counted(&at("src"), &mut names);
    let listed: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(names, listed);
}

/// Memory of this process that is in use.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4_096
}

/// The recorder keeps each observation, eight bytes and more, until it is asked or told to sum up; here nobody asks.
#[tokio::test]
async fn observations_that_nobody_asks_for_do_not_gather() {
    const ROUNDS: usize = 64;
    const OBSERVATIONS: usize = 100_000;
    let handle = ours::install().expect("the first recorder");
    let upkeep = tokio::spawn(ours::upkeep_every(Duration::from_millis(1), handle));
    let observed = metrics::histogram!("tidegauge_commit_seconds");
    let mut most = 0;
    let before = resident();
    for _ in 0..ROUNDS {
        (0..OBSERVATIONS).for_each(|at| observed.record(at as f64));
        tokio::time::sleep(Duration::from_millis(5)).await;
        most = most.max(resident().saturating_sub(before));
    }
    upkeep.abort();
    let all = ROUNDS * OBSERVATIONS * size_of::<f64>();
    assert!(most < all / 3, "{most} bytes more, all of them are {all}");
}
