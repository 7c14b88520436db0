//! `docs/reference/metrics.md`, of the one list; and that the program counts under no other name.

use std::collections::BTreeSet;
use std::path::Path;

use tidegauge::api::metrics::{Kind, METRICS, Metric};

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
